#!/usr/bin/env bash
# Files of odd sizes, through the inbox and straight into the tree: byte-exact, also after a remount.
. "$(dirname "$0")/../lib.sh"

sizes=(1 2 511 4095 4096 4097 $((INLINE - 1)) "$INLINE" $((INLINE + 1)) 131071 131072 131073
    $((MIB - 1)) "$MIB" $((MIB + 1)) $((CHUNK - 1)) "$CHUNK" $((CHUNK + 1)) $((2 * CHUNK - 1))
    $((2 * CHUNK)) $((2 * CHUNK + 1)) $((5 * CHUNK + 12345)))
check_all() {
    local n
    for n in "${sizes[@]}"; do
        same "$WORK/$n" "$MNT/in-$n"
        same "$WORK/$n" "$MNT/tree/$n"
        equal "size" "$(stat -c %s "$MNT/in-$n")" "$n"
    done
    equal "size of an empty file" "$(stat -c '%s %b' "$MNT/tree/0")" "0 0"
}

vs_mount
mkdir "$MNT/tree"
: >"$MNT/tree/0"
for n in "${sizes[@]}"; do
    make_bytes "$WORK/$n" "$n"
    cp "$WORK/$n" "$MNT/inbox/in-$n"
    cp "$WORK/$n" "$MNT/tree/$n"
done
check_all
vs_remount
check_all

# Small files live in the metadata, the others in the stores as 3+2.
for n in "${sizes[@]}"; do
    where=rs:3+2
    [ "$n" -gt $INLINE ] || where=metadata
    equal "stored_as of $n bytes" "$(vattr "$MNT/in-$n" stored_as)" "$where"
    equal "blocks of $n bytes" "$(stat -c %b "$MNT/in-$n")" $(((n + 511) / 512))
done
# Every offset: unaligned reads across chunk and fragment borders.
big=$((5 * CHUNK + 12345))
for offset in 0 1 4095 65535 65537 $((CHUNK / 3)) $((CHUNK - 1)) $((CHUNK + 1)) $((3 * CHUNK - 7)) $((big - 5)); do
    for length in 1 4097 131073 $((CHUNK + 3)); do
        cmp <(tail -c +$((offset + 1)) "$WORK/$big" | head -c $length) \
            <(tail -c +$((offset + 1)) "$MNT/in-$big" | head -c $length) ||
            fail "range $offset + $length differs"
    done
done
