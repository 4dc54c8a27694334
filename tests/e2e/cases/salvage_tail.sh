#!/usr/bin/env bash
# The metadata is deleted after everything died: what the stores say they have comes back to the byte,
# small files, folders, links, attributes, renames and removals too; what they lack is only the last
# moment, and is told.
# limit: 300
. "$(dirname "$0")/../lib.sh"
need_root "attributes of other owners"

TAIL=$ROOT/tests/e2e/tail_records.py
covered() {
    [ "$(vs_status .metadata_copy_lag_ms)" = 0 ]
}

# salvage ARGUMENT...: from the stores that are there; its report in $WORK/said, its exit code printed.
salvage() {
    local r=0
    rm -rf "$DATA/meta"
    vs salvage --from "$DATA" --into "$DATA/meta" --json "$@" >"$WORK/said" || r=$?
    [ -s "$WORK/said" ] || fail "salvage said nothing: $(tail -n 3 "$CASE_DIR/vstackfs.err")"
    echo $r
}

died() {
    vs_kill9
    umount -l "$MNT" # its process is gone
}

attributes() {
    (cd "$MNT" && find . -path ./inbox -prune -o -print0 | sort -z |
        xargs -0 getfattr -h -d -m '^user\.[^v]' --)
}

# ---- everything that a tree is, behind the copy ---------------------------------------------------

film=$(make_video mkv small)
vs_mount
echo first >"$MNT/first"
await "$PATIENCE_S" covered # so there is a copy, and the rest is its tail
make_bytes "$WORK/big" $((2 * CHUNK + 77))
for dir in a a/b "a/b/with space" c; do
    mkdir "$MNT/$dir"
    for i in $(seq 20); do head -c $((i * 997)) "$WORK/big" >"$MNT/$dir/$i"; done
done
cp -p "$film" "$MNT/a/film.mkv"
cp "$WORK/big" "$MNT/c/big"
mv "$MNT/a/1" "$MNT/c/renamed"
mv "$MNT/a/b/2" "$MNT/a/b/3" # replaces it
mv "$MNT/a/b/with space" "$MNT/moved"
mv "$MNT/c/big" "$MNT/a/b/big"
rm "$MNT/a/4" "$MNT/c/5" "$MNT/first"
rm -r "${MNT:?}/moved"
ln -s "../a/film.mkv" "$MNT/c/link"
ln "$MNT/a/6" "$MNT/c/second name"
setfattr -n user.mine -v kept "$MNT/a/6"
setfattr -n user.gone -v no "$MNT/a/7"
setfattr -x user.gone "$MNT/a/7"
chmod 4711 "$MNT/a/8"
chown 12:34 "$MNT/a/9"
touch -d '1999-12-31 23:59:59.5' "$MNT/a/10"
truncate -s 5 "$MNT/a/11"
printf 'X' | dd of="$MNT/a/12" bs=1 seek=7 conv=notrunc status=none
touch -d '2001-01-01 01:01:01' "$MNT/a"
await "$PATIENCE_S" covered
fingerprint "$MNT" >"$WORK/before"
attributes >"$WORK/attributes"
died
mkdir "$WORK/gone"
mv "$DATA/nodes/n1" "$DATA/nodes/n4" "$WORK/gone/"
equal "exit code" "$(salvage)" 0
at_least "records of the tail" "$(jq .tail_records "$WORK/said")" 2
vs_mount
fingerprint "$MNT" >"$WORK/after"
cmp "$WORK/before" "$WORK/after" || fail "$(diff "$WORK/before" "$WORK/after")"
attributes | cmp - "$WORK/attributes" || fail "other attributes"

# ---- again, over the records of the life before ---------------------------------------------------

mv "$MNT/c" "$MNT/another"
echo again >"$MNT/a/4"
await "$PATIENCE_S" covered
echo behind it >"$MNT/a/1"
await "$PATIENCE_S" covered
fingerprint "$MNT" >"$WORK/before"
died
equal "exit code" "$(salvage)" 0
vs_mount
fingerprint "$MNT" >"$WORK/after"
cmp "$WORK/before" "$WORK/after" || fail "$(diff "$WORK/before" "$WORK/after")"

# ---- in the middle of it: a prefix, and what is missing is told -----------------------------------

echo in place >"$MNT/in place"
await "$PATIENCE_S" covered
mkdir "$MNT/many"
(
    trap - ERR
    i=0
    while echo "$i" >"$MNT/many/$i"; do i=$((i + 1)); done 2>/dev/null
) &
writer=$!
await "$PATIENCE_S" exists "$MNT/many/500"
died
wait "$writer" || fail "the writer ended with exit code $?, not because nothing could be written"
r=$(salvage)
[ "$r" = "$([ "$(jq .lost "$WORK/said")" = 0 ] && echo 0 || echo 1)" ] || fail "exit code $r: $(cat "$WORK/said")"
[ "$(jq '[.told[] | select(.word == "lost") | select(.text | contains("slot") | not)] | length' "$WORK/said")" = 0 ] ||
    fail "lost, and no slot told: $(cat "$WORK/said")"
vs_mount
count=$(find "$MNT/many" -type f | wc -l)
at_least "files that are back" "$count" 100
for ((i = 0; i < count - 1; i++)); do equal "file $i" "$(cat "$MNT/many/$i")" "$i"; done
[ -f "$MNT/many/$((count - 1))" ] || fail "$count files are back, and not the first ones"

# ---- records that are gone -------------------------------------------------------------------------

await "$PATIENCE_S" covered
for i in one two three; do
    echo $i >"$MNT/$i"
    await "$PATIENCE_S" covered
done
died
"$TAIL" list "$DATA/nodes" | sort -n | uniq >"$WORK/records"
at_least "records whose first fragment is there" "$(wc -l <"$WORK/records")" 1
cp -a "$DATA/nodes" "$WORK/nodes"
read -r _ slot < <(tail -n 1 "$WORK/records") # three stores are left: each fragment is needed
"$TAIL" break "$slot" "$DATA/nodes"
equal "exit code with a record that is damaged" "$(salvage)" 1
jq -r '.told[] | select(.word == "lost") | .text' "$WORK/said" >"$WORK/lost"
grep -q "slot" "$WORK/lost" || fail "the slot is not told: $(cat "$WORK/said")"
equal "sentences" "$(wc -l <"$WORK/lost")" 1
rm -rf "$DATA/nodes"
mv "$WORK/nodes" "$DATA/nodes"
equal "exit code without the damage" "$(salvage)" 0
vs_mount
for i in one two three; do equal "file" "$(cat "$MNT/$i")" $i; done
