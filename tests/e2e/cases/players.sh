#!/usr/bin/env bash
# Players open and seek on the mount: ffprobe, mpv, VLC as another user, and frame for frame with ffmpeg.
# limit: 300
. "$(dirname "$0")/../lib.sh"
need_nobody # VLC refuses to run as root

vs_mount
for c in mkv mp4 mp4last mp4frag webm ts avi mpg; do
    film=$(make_video "$c")
    cp "$film" "$MNT/inbox/"
done
vs_remount # nothing is in a cache

probe() {
    ffprobe -v error -show_format -show_streams "$1" | grep -v '^filename='
}
frames() {
    ffmpeg -nostdin -v error -ss "$2" -i "$1" -an -frames:v 10 -f framemd5 -
}
for c in mkv mp4 mp4last mp4frag webm ts avi mpg; do
    film=$(make_video "$c")
    name=$(basename "$film")
    equal "ffprobe of $name" "$(probe "$MNT/$name")" "$(probe "$film")"
    for at in 0 21.5 4 28; do
        equal "frames of $name at $at s" "$(frames "$MNT/$name" $at)" "$(frames "$film" $at)"
    done
    # xattr and info know what it is
    ms=$(ffprobe -v error -show_entries format=duration -of csv=p=0 "$film" | awk '{ printf "%.0f", $1 * 1000 }')
    at_least "duration of $name, ms" "$(vs_info "$MNT/$name" .duration_ms)" $((ms - 300))
    at_most "duration of $name, ms" "$(vs_info "$MNT/$name" .duration_ms)" $((ms + 300))
done

if command -v mpv >/dev/null; then
    for c in mkv mp4last ts; do
        name=$(basename "$(make_video $c)")
        for at in 0 50% 90%; do
            mpv --no-config --vo=null --ao=null --untimed --start=$at --frames=30 "$MNT/$name" \
                >"$WORK/mpv.log" 2>&1 || fail "mpv on $name at $at: $(tail -n 3 "$WORK/mpv.log")"
            grep -q 'VO: \[null\]' "$WORK/mpv.log" || fail "mpv showed no picture of $name: $(cat "$WORK/mpv.log")"
            refute grep -Ei 'error|invalid|fail' "$WORK/mpv.log"
        done
    done
else
    echo "mpv is not installed"
fi

if command -v cvlc >/dev/null; then
    mkdir -m 777 "$WORK/vlc"
    for c in mkv mp4 ts; do
        name=$(basename "$(make_video $c)")
        out=/tmp/vstack-vlc-$$-$c.ts
        # VLC reads the whole film and writes what it understood of it
        as_nobody env HOME="$WORK/vlc" XDG_RUNTIME_DIR="$WORK/vlc" timeout 60 cvlc --no-repeat --play-and-exit \
            --sout "#std{access=file,mux=ts,dst=$out}" "$MNT/$name" vlc://quit >"$WORK/vlc.log" 2>&1 ||
            fail "vlc on $name: $(tail -n 5 "$WORK/vlc.log")"
        got=$(ffprobe -v error -select_streams v:0 -count_packets -show_entries stream=nb_read_packets \
            -of csv=p=0 "$out" | sed -n 1p)
        rm -f "$out"
        at_least "pictures VLC read from $name" "${got%%,*}" 740
    done
else
    echo "VLC is not installed"
fi
# Ten players at once, each somewhere else.
film=$(make_video mkv)
players=()
for i in 0 3 6 9 12 15 18 21 24 27; do
    frames "$MNT/$(basename "$film")" $i >"$WORK/frames-$i" &
    players+=($!)
done
for p in "${players[@]}"; do wait "$p"; done
for i in 0 3 6 9 12 15 18 21 24 27; do
    equal "frames at $i s, ten players" "$(cat "$WORK/frames-$i")" "$(frames "$film" $i)"
done
