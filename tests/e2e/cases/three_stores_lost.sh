#!/usr/bin/env bash
# Three of five stores gone: EIO where bytes are lost, everything else works, and the log says which
# file. When the stores come back, so do the bytes.
. "$(dirname "$0")/../lib.sh"

make_bytes "$WORK/noise.bin" $((2 * CHUNK + 99))
cp "$(make_video mkv)" "$WORK/film.mkv"
echo small >"$WORK/small.txt"
vs_mount
mkdir "$MNT/folder"
cp "$WORK/film.mkv" "$MNT/folder/wedding.mkv"
cp "$WORK/noise.bin" "$WORK/small.txt" "$MNT/"
see() {
    find "$MNT" -path "$MNT/inbox" -prune -o -printf '%p %s %m %T@\n' | sort
}
print=$(see)
vs_umount

mkdir "$CASE_DIR/aside"
mv "$DATA/nodes"/n{1,3,4} "$CASE_DIR/aside/"
vs_mount_foreground
equal "what find sees" "$(see)" "$print"
same "$WORK/small.txt" "$MNT/small.txt"
expect_errno EIO read "$MNT/folder/wedding.mkv" 0 4096
expect_errno EIO read "$MNT/folder/wedding.mkv" $((5 * CHUNK)) 131072
expect_errno EIO read "$MNT/noise.bin" 0 $((2 * CHUNK + 99))
said() { grep -qF "$1" "$CASE_DIR/vstackfs.err"; }
await 5 said "folder/wedding.mkv"
await 5 said "noise.bin"
equal "state of the film" "$(vattr "$MNT/folder/wedding.mkv" state)" lost
at_least "chunks lost" "$(vs_status .chunks_lost)" 1
# The mount lives: names change, small files and new ones work.
mv "$MNT/small.txt" "$MNT/renamed.txt"
mkdir "$MNT/new"
cp "$WORK/noise.bin" "$MNT/new/noise.bin" # two stores are left: two copies
same "$WORK/noise.bin" "$MNT/new/noise.bin"
equal "stored_as" "$(vattr "$MNT/new/noise.bin" stored_as)" replicate:2
vs_umount

mv "$CASE_DIR/aside"/* "$DATA/nodes/"
vs_mount
same "$WORK/film.mkv" "$MNT/folder/wedding.mkv"
same "$WORK/noise.bin" "$MNT/noise.bin"
same "$WORK/noise.bin" "$MNT/new/noise.bin"
same "$WORK/small.txt" "$MNT/renamed.txt"
refute test "$(vattr "$MNT/folder/wedding.mkv" state)" = lost
vs_umount

# The same with the mount running: three stores become unreadable before the first read.
vs_mount
for n in 2 3 5; do "$ROOT/tests/e2e/damage.py" zero "$DATA/nodes/n$n"; done
expect_errno EIO read "$MNT/noise.bin" 0 $((2 * CHUNK + 99))
same "$WORK/small.txt" "$MNT/renamed.txt"
same "$WORK/small.txt" <(cat "$MNT/renamed.txt")
