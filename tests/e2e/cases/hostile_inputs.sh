#!/usr/bin/env bash
# Files that attack a parser, things that are no files, and files that change while they are taken in:
# each is stored byte-exact or refused, and the mount goes on.
# limit: 300
. "$(dirname "$0")/../lib.sh"

mkdir "$WORK/lies"
echo 'the secret of another file' >"$WORK/secret"
"$ROOT/tests/e2e/hostile.py" "$WORK/lies" "$(make_video mp4 small)" "$(make_video mkv small)" \
    "$(make_video avi small)" "$(make_video ts small)" "$(make_video ogv small)" "$WORK/secret"
vs_mount
pid=$(vs_pid)
cp "$WORK/lies"/* "$MNT/inbox/"
for f in "$WORK/lies"/*; do same "$f" "$MNT/$(basename "$f")"; done
# Their descriptions are made, or given up, without harm; then films are cut at keyframes as ever.
film=$(make_video mkv)
cp "$film" "$MNT/inbox/good.mkv"
at_least "cuts at keyframes behind all that" "$(vs_info "$MNT/good.mkv" .cuts.at_keyframe)" 5
described() {
    vs_info "$MNT/good.mkv" .duration_ms
}
await 60 described
equal "the process" "$(vs_pid)" "$pid"
refute grep -rl 'the secret' "$MNT/.vstack"
vs_remount
for f in "$WORK/lies"/*; do same "$f" "$MNT/$(basename "$f")"; done

# Things that are no files.
ln -s /etc/hostname "$MNT/inbox/link"
ln -s link-to-itself "$MNT/inbox/link-to-itself"
ln -s nowhere "$MNT/inbox/dangling"
mkdir "$MNT/inbox/folder.mp4"
cp "$film" "$MNT/inbox/folder.mp4/film.mkv"
mknod "$MNT/inbox/fifo" p 2>>"$CASE_DIR/said" || echo "fifo: refused"
mknod "$MNT/inbox/device" c 1 3 2>>"$CASE_DIR/said" || echo "device: refused"
python3 -c 'import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])' "$MNT/inbox/socket" \
    2>>"$CASE_DIR/said" || echo "socket: refused"
await 5 exists "$MNT/folder.mp4/film.mkv"
same "$film" "$MNT/folder.mp4/film.mkv"
equal "a symbolic link that came in" "$(readlink "$MNT/link" || readlink "$MNT/inbox/link")" /etc/hostname

# Truncated, removed, renamed while it is written.
make_bytes "$WORK/bytes" $((3 * CHUNK))
exec {w}>"$MNT/inbox/shrinks.bin"
cat "$WORK/bytes" >&$w
truncate -s $CHUNK "$MNT/inbox/shrinks.bin"
exec {w}>&-
exists "$MNT/shrinks.bin"
cmp <(head -c $CHUNK "$WORK/bytes") "$MNT/shrinks.bin" || fail "truncated while open"
exec {w}>"$MNT/inbox/removed.bin"
cat "$WORK/bytes" >&$w
rm "$MNT/inbox/removed.bin"
cat "$WORK/bytes" >&$w
exec {w}>&-
echo marker >"$MNT/inbox/marker"
exists "$MNT/marker"
absent "$MNT/removed.bin"
exec {w}>"$MNT/inbox/first.bin"
cat "$WORK/bytes" >&$w
mv "$MNT/inbox/first.bin" "$MNT/inbox/second.bin"
exec {w}>&-
exists "$MNT/second.bin"
same "$WORK/bytes" "$MNT/second.bin"
absent "$MNT/first.bin"
# Mode 000, and a time before there were computers.
install -m 000 "$WORK/bytes" "$WORK/closed.bin"
touch -d '1901-12-14' "$WORK/closed.bin"
cp -p "$WORK/closed.bin" "$MNT/inbox/"
settled() { [ "$(stat -c '%a %Y' "$MNT/closed.bin")" = "$(stat -c '%a %Y' "$WORK/closed.bin")" ]; }
await 5 settled
equal "the process" "$(vs_pid)" "$(vs_pid)"
