#!/usr/bin/env bash
# The examples: the demo from start to stop, players' scripts on a stored film, the fstab form through
# mount(8), the systemd unit as systemd reads it.
# limit: 300
. "$(dirname "$0")/../lib.sh"
need_nobody # VLC refuses to run as root; root mounts through fstab

examples=$ROOT/mount-examples

# The demo, whole; twice, since the second one finds what the first one left.
for round in 1 2; do
    DEMO_DIR=$CASE_DIR/demo VSTACKFS=$VSTACKFS "$examples/demo.sh" start >"$WORK/demo.log" 2>&1 ||
        fail "demo.sh, round $round: $(tail -n 5 "$WORK/demo.log")"
    grep -q 'equal to the original' "$WORK/demo.log" || fail "demo.sh did not compare"
    cmp "$CASE_DIR/demo/sample.mkv" "$CASE_DIR/demo/videos/sample.mkv"
    DEMO_DIR=$CASE_DIR/demo VSTACKFS=$VSTACKFS "$examples/demo.sh" stop >"$WORK/stop.log"
    grep -q unmounted "$WORK/stop.log" || fail "demo.sh stop: $(cat "$WORK/stop.log")"
done

# Players.
film=$(make_video mkv small)
vs_mount
cp "$film" "$MNT/inbox/film.mkv"
if command -v mpv >/dev/null; then
    "$examples/play-mpv.sh" "$MNT/film.mkv" --no-config --vo=null --ao=null --untimed --frames=20 \
        >"$WORK/mpv.log" 2>&1 || fail "play-mpv.sh: $(tail -n 3 "$WORK/mpv.log")"
    grep -q 'VO: \[null\]' "$WORK/mpv.log" || fail "play-mpv.sh showed no picture"
else
    echo "mpv is not installed: its example is not run"
fi
if command -v cvlc >/dev/null; then
    mkdir -m 777 "$WORK/vlc"
    out=/tmp/vstack-vlc-$$.ts # what VLC understood of the film
    as_nobody env HOME="$WORK/vlc" XDG_RUNTIME_DIR="$WORK/vlc" timeout 60 "$examples/play-vlc.sh" \
        "$MNT/film.mkv" --no-repeat --play-and-exit --sout "#std{access=file,mux=ts,dst=$out}" \
        >"$WORK/vlc.log" 2>&1 || fail "play-vlc.sh: $(tail -n 3 "$WORK/vlc.log")"
    seen=$(stat -c %s "$out")
    rm -f "$out"
    at_least "bytes VLC understood of the film" "$seen" 10000
else
    echo "VLC is not installed: its example is not run"
fi
vs_umount

# fstab: the line is well-formed, and what mount(8) runs for it mounts. (mount(8) itself looks only
# into the system's own folders for vstackfs, which is not installed here.)
sed -e "s|^/var/lib/vstack |$DATA |; s| /mnt/videos | $MNT |" "$examples/fstab" >"$WORK/fstab"
read -r source target type options _ < <(grep -v '^#' "$WORK/fstab")
equal "the fstab line: type" "$type" fuse.vstackfs
equal "the fstab line: target" "$target" "$MNT"
PATH=$(dirname "$VSTACKFS"):$PATH mount.fuse3 "$source" "$target" -t "$type" -o "$options" \
    2>"$WORK/mount.err" || fail "mount with the fstab line: $(cat "$WORK/mount.err")"
is_mounted || fail "mount.fuse3 returned 0, and $MNT is not mounted"
same "$film" "$MNT/film.mkv"
awk -v m="$MNT" '$5 == m { print $6 }' /proc/self/mountinfo | grep -q nosuid || fail "nosuid of the fstab line is not in force"
vs_umount

# systemd: the units are understood (the programs they name are not installed here).
if command -v systemd-analyze >/dev/null; then
    for unit in vstackfs vstack-node vstack-meta; do
        sed -e "s|/usr/local/bin/|$BUILD/|" "$examples/$unit.service" >"$WORK/$unit.service"
        systemd-analyze verify "$WORK/$unit.service" >"$WORK/systemd.log" 2>&1 ||
            fail "systemd-analyze verify $unit.service: $(cat "$WORK/systemd.log")"
    done
else
    echo "systemd-analyze is not installed: the units are not checked"
fi
