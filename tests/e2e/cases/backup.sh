#!/usr/bin/env bash
# A backup made while files are written is of one moment and gives its files back; what the stores
# hold beyond it stays until a person says that it may go.
# limit: 300
. "$(dirname "$0")/../lib.sh"

fragments() {
    vs_status '[.nodes[].fragments] | add'
}

writer=
at_exit() {
    [ -z "$writer" ] || kill "$writer"
}

make_bytes "$WORK/big" $((3 * CHUNK + 77))
vs_mount
mkdir "$MNT/kept" "$MNT/load"
cp "$WORK/big" "$MNT/kept/film.ts"
cp "$WORK/big" "$MNT/kept/goes.ts"
echo "small" >"$MNT/kept/small.nfo"
fingerprint "$MNT/kept" >"$WORK/before"
for ((i = 0; ; i++)); do
    cp "$WORK/big" "$MNT/load/$i.ts" && echo "$i" >"$MNT/load/$i.nfo" || exit 0
done &
writer=$!
await "$PATIENCE_S" exists "$MNT/load/1.ts"
vs backup "$WORK/backup" --mount "$MNT"
absent "$WORK/backup.part"
kill "$writer"
wait "$writer" || equal "how the writer ended" $? 143
writer=
refute vs backup "$WORK/backup" --mount "$MNT" # it is there
refute vs backup "$MNT/backup" --mount "$MNT"  # it would wait for itself
cp "$WORK/big" "$MNT/late.ts"
vs_umount

# A backup with one wrong byte is none, and leaves no trace; so does metadata that is there.
refute "$VSTACKFS" restore "$WORK/backup" --data "$DATA"
rm -rf "$DATA/meta"
cp "$WORK/backup" "$WORK/damaged"
printf 'x' | dd of="$WORK/damaged" bs=1 seek=$(($(stat -c %s "$WORK/backup") / 2)) conv=notrunc status=none
refute "$VSTACKFS" restore "$WORK/damaged" --data "$DATA"
absent "$DATA/meta"
vs restore "$WORK/backup" --data "$DATA"
vs_mount
fingerprint "$MNT/kept" >"$WORK/after"
cmp "$WORK/before" "$WORK/after" || fail "$(diff "$WORK/before" "$WORK/after")"
absent "$MNT/late.ts"
for f in "$MNT"/load/*.ts; do
    [ "$(stat -c %s "$f")" = 0 ] || same "$WORK/big" "$f" # all of it, or not yet closed then
done

# Nothing is removed: neither what is newer, nor what is deleted now.
[[ $(vs_status .brake) == *"restored from a backup"* ]] || fail "status does not tell the brake"
before=$(fragments)
rm "$MNT/kept/goes.ts"
vs gc --mount "$MNT" >"$WORK/gc"
grep -q "of .* fragments are not known" "$WORK/gc" || fail "gc: $(cat "$WORK/gc")"
vs_remount
at_least "fragments under the brake" "$(fragments)" "$before"
vs_umount

# So the stores still have the newer film.
rm -rf "$DATA/meta"
vs salvage --from "$DATA" --into "$DATA/meta" >"$CASE_DIR/salvage.out"
vs_mount
same "$WORK/big" "$MNT/kept/film.ts"
equal "the small file" "$(cat "$MNT/kept/small.nfo")" small
find "$MNT" -name late.ts | grep -q . || fail "the newer film is not back: $(find "$MNT")"
same "$WORK/big" "$(find "$MNT" -name late.ts | head -n 1)"

# A person lets go.
before=$(fragments)
vs gc --yes --mount "$MNT" >"$WORK/gc"
let_go() {
    [ "$(vs_status .waiting_to_be_collected)" = 0 ] && [ "$(fragments)" -lt "$before" ]
}
await "$PATIENCE_S" let_go
refute vs_status .brake
same "$WORK/big" "$MNT/kept/film.ts"
equal "chunks lost" "$(vs_status .chunks_lost)" 0
