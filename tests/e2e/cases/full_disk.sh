#!/usr/bin/env bash
# A full disk refuses what does not fit with ENOSPC, keeps what it had acknowledged, and can still be
# emptied with rm.
. "$(dirname "$0")/../lib.sh"
need_root "it mounts a small disk image"

truncate -s 700M "$CASE_DIR/disk.img"
mkfs.ext4 -q "$CASE_DIR/disk.img" || skip "mkfs.ext4 does not work here"
mkdir "$DATA"
mount -o loop "$CASE_DIR/disk.img" "$DATA" 2>>"$CASE_DIR/said" || skip "no loop devices here"
rmdir "$DATA/lost+found"

vs_mount
make_bytes "$WORK/film" $((10 * CHUNK))
kept=0
refused=
for i in $(seq 40); do
    if cp "$WORK/film" "$MNT/inbox/film-$i.mkv" 2>>"$CASE_DIR/said"; then
        kept=$i
    else
        refused=$i
        break
    fi
done
[ -n "$refused" ] || fail "a disk of 700 MiB took $((kept * 40)) MiB of films"
echo "films kept: $kept"
at_least "films of 40 MiB on a disk of 700 MiB" "$kept" 5
grep -q 'No space left' "$CASE_DIR/said" || fail "it was refused otherwise: $(cat "$CASE_DIR/said")"
absent "$MNT/film-$refused.mkv"
at_most "bytes df says are left" "$(stat -f -c '%a %S' "$MNT" | awk '{ printf "%.0f", $1 * $2 }')" $((2 * 10 * CHUNK))
for i in $(seq "$kept"); do same "$WORK/film" "$MNT/film-$i.mkv"; done
mv "$MNT/film-1.mkv" "$MNT/renamed.mkv" # names still change
mkdir "$MNT/folder"
vs_kill9
vs_mount
same "$WORK/film" "$MNT/renamed.mkv"
for i in $(seq 2 "$kept"); do same "$WORK/film" "$MNT/film-$i.mkv"; done

# rm makes room, at once.
rm "$MNT"/film-*.mkv
find "$MNT/inbox" -type f ! -name .ignore -delete
fits() {
    cp "$WORK/film" "$MNT/again.mkv"
}
await 30 fits
same "$WORK/film" "$MNT/again.mkv"
cp "$WORK/film" "$MNT/more.mkv"
vs_remount
for f in renamed again more; do same "$WORK/film" "$MNT/$f.mkv"; done
equal "states" "$(vs_status '[.nodes[].state] | unique | join(" ")')" up
vs_umount
umount "$DATA"
