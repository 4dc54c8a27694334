#!/usr/bin/env bash
# The metadata is deleted: the stores alone give everything back, and so do any three of the five.
# limit: 300
. "$(dirname "$0")/../lib.sh"

salvage() {
    vs salvage --from "$DATA" --into "$DATA/meta" "$@" >>"$CASE_DIR/salvage.out" ||
        last_moment "$CASE_DIR/salvage.out" ||
        fail "salvage $*: exit code $?: $(tail -n 5 "$CASE_DIR/salvage.out" "$CASE_DIR/vstackfs.err")"
}

stores_sum() {
    find "$DATA/nodes" -type f -print0 | sort -z | xargs -0 sha256sum | sha256sum
}

# ---- films, small files, renames, rewrites, deletions; then a polite end -------------------------

film=$(make_video mkv)
vs_mount
mkdir -p "$MNT/Series/Season 1" "$MNT/empty"
cp -p "$film" "$MNT/inbox/film.mkv"
make_bytes "$WORK/big" $((5 * CHUNK + 12345))
make_bytes "$WORK/new" $((3 * CHUNK + 1))
cp -p "$WORK/big" "$MNT/Series/Season 1/one.ts.part"
mv "$MNT/Series/Season 1/one.ts.part" "$MNT/Series/Season 1/one.ts"
cp "$WORK/big" "$MNT/rewritten"
cp "$WORK/new" "$MNT/rewritten"
cp "$WORK/big" "$MNT/patched"
printf 'patched' | dd of="$MNT/patched" bs=1 seek=$((2 * CHUNK + 5)) conv=notrunc status=none
cp "$WORK/big" "$MNT/deleted"
rm "$MNT/deleted"
echo "a sentence" >"$MNT/Series/tvshow.nfo"
: >"$MNT/nothing"
truncate -s 1G "$MNT/sparse"
printf 'end' | dd of="$MNT/sparse" bs=1 seek=$((1 << 29)) conv=notrunc status=none
ln -s Series "$MNT/link"
ln "$MNT/patched" "$MNT/second name"
setfattr -n user.mine -v kept "$MNT/Series/tvshow.nfo"
chmod 640 "$MNT/patched"
touch -d '1999-12-31 23:59:59' "$MNT/Series/Season 1"
await "$PATIENCE_S" exists "$MNT/film.mkv"
fingerprint "$MNT" >"$WORK/before"
vs_umount

rm -rf "$DATA/meta"
sum=$(stores_sum)
vs salvage --from "$DATA" --into "$DATA/meta" --dry-run >"$CASE_DIR/salvage.out"
absent "$DATA/meta"
salvage
equal "the stores' files" "$(stores_sum)" "$sum"
refute "$VSTACKFS" salvage --from "$DATA" --into "$DATA/meta" # it is there now
vs_mount
fingerprint "$MNT" >"$WORK/after"
cmp "$WORK/before" "$WORK/after" || fail "$(diff "$WORK/before" "$WORK/after")"
equal "user.mine" "$(getfattr --absolute-names --only-values -n user.mine "$MNT/Series/tvshow.nfo")" kept
equal "chunks lost" "$(vs_status .chunks_lost)" 0
equal "chunks degraded" "$(vs_status .chunks_degraded)" 0

# ---- a mount that dies, and two stores with it ---------------------------------------------------

cp "$WORK/new" "$MNT/Series/after.ts"
cp "$WORK/new" "$MNT/patched"
vs_kill9
umount -l "$MNT" # its process is gone
rm -rf "$DATA/meta"
mkdir "$WORK/gone"
mv "$DATA/nodes/n2" "$DATA/nodes/n5" "$WORK/gone/"
salvage
vs_mount
same "$WORK/new" "$MNT/Series/after.ts"
same "$WORK/new" "$MNT/patched"
same "$WORK/new" "$MNT/rewritten"
same "$WORK/big" "$MNT/Series/Season 1/one.ts"
same "$film" "$MNT/film.mkv"
equal "the small file" "$(cat "$MNT/Series/tvshow.nfo")" "a sentence"
equal "bytes at the end of the hole" "$(dd if="$MNT/sparse" bs=1 skip=$((1 << 29)) count=3 status=none)" end
equal "its size" "$(stat -c %s "$MNT/sparse")" $((1 << 30))
absent "$MNT/deleted"
equal "chunks lost" "$(vs_status .chunks_lost)" 0
vs_umount

# ---- three of five gone: what is not back is told, and the exit code says so ---------------------

rm -rf "$DATA/meta"
mv "$DATA/nodes/n1" "$WORK/gone/"
refute "$VSTACKFS" salvage --from "$DATA" --into "$DATA/meta"
