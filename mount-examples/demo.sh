#!/usr/bin/env bash
# The main job, whole, in a folder of its own: mount, copy a film in, play it. Leaves it mounted.
#   demo.sh [start|stop]     DEMO_DIR=folder   VSTACKFS=program
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
program=${VSTACKFS:-$root/build/release/vstackfs}
dir=${DEMO_DIR:-$root/build/demo}
mnt=$dir/videos

say() { printf '\n== %s\n' "$*"; }

stop() {
    if mountpoint -q "$mnt"; then
        "$program" umount "$mnt"
        echo "unmounted; the films stay in $dir/data (make demo mounts them again, rm -r $dir removes them)"
    else
        echo "nothing is mounted on $mnt"
    fi
}

sample() { # one minute of test picture and tone
    [ -s "$dir/sample.mkv" ] && return
    ffmpeg -v error -y -f lavfi -i testsrc2=size=1280x720:rate=25:duration=60 \
        -f lavfi -i sine=frequency=330:duration=60 -c:v libx264 -preset ultrafast -g 50 \
        -c:a aac "$dir/sample.mkv"
}

start() {
    mkdir -p "$mnt"
    if ! mountpoint -q "$mnt"; then
        say "mount a video store on $mnt"
        "$program" --data "$dir/data" "$mnt"
    fi
    say "make a sample film"
    sample
    ls -l "$dir/sample.mkv"
    say "copy it in: cp sample.mkv $mnt/inbox/"
    cp "$dir/sample.mkv" "$mnt/inbox/"
    say "it is in the tree, stored as Reed-Solomon 3+2 over five stores"
    ls -l "$mnt"
    "$program" wait "$mnt/sample.mkv"
    "$program" info "$mnt/sample.mkv"
    say "play it (ffprobe), and compare every byte"
    ffprobe -v error -show_entries format=format_name,duration,bit_rate -of default=nw=1 "$mnt/sample.mkv"
    cmp "$dir/sample.mkv" "$mnt/sample.mkv"
    echo "equal to the original, byte for byte"
    "$program" status --mount "$mnt"
    cat <<EOF

The store stays mounted. Next:
  mpv $mnt/sample.mkv                        play it
  cp -p FILM $mnt/inbox/                     store one of yours
  rm -r $dir/data/nodes/n1 $dir/data/nodes/n2    lose two of five stores: it still plays
  $program status --mount $mnt
  make demo-stop                             unmount
EOF
}

case ${1:-start} in
start) start ;;
stop) stop ;;
*)
    echo "demo.sh [start|stop]" >&2
    exit 2
    ;;
esac
