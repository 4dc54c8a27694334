#!/usr/bin/env bash
# Uploads while stores are down: coded for those that are left, said in stored_as and status; with one
# left of five refused. All readable when the others are back, and after two more losses.
# limit: 240
. "$(dirname "$0")/../lib.sh"

make_bytes "$WORK/noise.bin" $((2 * CHUNK + 17))
film=$(make_video mkv)
vs_mount
cp "$WORK/noise.bin" "$MNT/before.bin"
vs_umount

aside=$CASE_DIR/aside
mkdir "$aside"
form=(rs:3+2 rs:2+2 replicate:3 replicate:2)
for down in 1 2 3; do
    for n in $(seq $down); do mv "$DATA/nodes/n$n" "$aside/"; done
    vs_mount
    equal "stores up" "$(vs_status '[.nodes[] | select(.state == "up")] | length')" $((5 - down))
    cp "$WORK/noise.bin" "$MNT/inbox/noise-$down.bin"
    cp "$film" "$MNT/inbox/film-$down.mkv"
    exists "$MNT/film-$down.mkv"
    equal "stored_as with $down down" "$(vattr "$MNT/film-$down.mkv" stored_as)" "${form[down]}"
    same "$film" "$MNT/film-$down.mkv"
    refute test "$(vs_status .state)" = ok
    vs_kill9 # what cp was told is true after a crash, too
    vs_mount
    same "$film" "$MNT/film-$down.mkv"
    same "$WORK/noise.bin" "$MNT/noise-$down.bin"
    vs_umount
    mv "$aside"/* "$DATA/nodes/"
done

# One left: refused, and nothing half-done is seen. Small files need no store.
for n in 1 2 3 5; do mv "$DATA/nodes/n$n" "$aside/"; done
vs_mount
refute cp "$WORK/noise.bin" "$MNT/refused.bin"
expect_errno ENOENT open "$MNT/noise-4.bin" r
refute cp "$WORK/noise.bin" "$MNT/inbox/noise-4.bin"
expect_errno ENOENT open "$MNT/noise-4.bin" r
grep -q 'Input/output error' "$CASE_DIR/said" || fail "cp was refused otherwise: $(cat "$CASE_DIR/said")"
echo small >"$MNT/small.txt"
equal "a small file" "$(cat "$MNT/small.txt")" small
vs_umount
mv "$aside"/* "$DATA/nodes/"

# All are back: everything reads, and new films are 3+2 again.
vs_mount
cp "$film" "$MNT/after.mkv"
equal "stored_as" "$(vattr "$MNT/after.mkv" stored_as)" rs:3+2
vs_umount
# Any single further loss keeps what was stored while three were down; two keep the rest.
for gone in "4" "5" "3 4" "4 5" "1 2"; do
    for n in $gone; do mv "$DATA/nodes/n$n" "$aside/"; done
    vs_mount
    for down in 1 2 3; do
        [ $down -lt 3 ] || [ "$gone" != "4 5" ] || continue # both copies are there
        same "$film" "$MNT/film-$down.mkv"
        same "$WORK/noise.bin" "$MNT/noise-$down.bin"
    done
    same "$film" "$MNT/after.mkv"
    same "$WORK/noise.bin" "$MNT/before.bin"
    vs_umount
    mv "$aside"/* "$DATA/nodes/"
done

# A store disappears in the middle of an upload: if cp said yes, one more loss costs nothing.
vs_mount
mkfifo "$WORK/pipe"
cp "$WORK/pipe" "$MNT/interrupted.mkv" &
cp_pid=$!
exec {feed}>"$WORK/pipe"
head -c $((4 * CHUNK)) "$film" >&$feed
rm -rf "$DATA/nodes/n3"
tail -c +$((4 * CHUNK + 1)) "$film" >&$feed
exec {feed}>&-
wait $cp_pid || fail "cp failed because one store of five went away"
same "$film" "$MNT/interrupted.mkv"
# What is uploaded now rests on the four that are there, not on files without a name.
cp "$film" "$MNT/later.mkv"
equal "stored_as behind the loss" "$(vattr "$MNT/later.mkv" stored_as)" rs:2+2
vs_umount
rm -rf "$DATA/nodes/n1"
vs_mount
same "$film" "$MNT/interrupted.mkv"
vs_umount
rm -rf "$DATA/nodes/n2"
vs_mount
same "$film" "$MNT/later.mkv"
