#!/usr/bin/env bash
# Holes stay holes: a sparse terabyte stores nothing, and SEEK_HOLE, SEEK_DATA and du know it.
. "$(dirname "$0")/../lib.sh"

TIB=$((1024 * 1024 * MIB)) GIB=$((1024 * MIB))
hole_and_data() {
    equal "first data at or after 0" "$("$SYS" seek "$1" data 0 | sed -n 1p)" $((5 * GIB))
    equal "first hole behind the data" "$("$SYS" seek "$1" hole $((5 * GIB)) | sed -n 1p)" $((5 * GIB + MIB))
    equal "hole at 0" "$("$SYS" seek "$1" hole 0 | sed -n 1p)" 0
    expect_errno ENXIO seek "$1" data $((5 * GIB + MIB))
    expect_errno ENXIO seek "$1" hole "$(stat -c %s "$1")"
    cmp <(tail -c +$((5 * GIB + 1)) "$1" | head -c $MIB) "$WORK/mib" || fail "the data in $1 differs"
    cmp <(tail -c +$((2 * GIB + 1)) "$1" | head -c $MIB) <(head -c $MIB /dev/zero) || fail "the hole in $1 is not zero"
    equal "blocks of $1" "$(stat -c %b "$1")" $((MIB / 512))
}

vs_mount
before=$(du -s -B1 "$DATA/nodes" | cut -f 1)
truncate -s 1T "$MNT/sparse.bin"
equal "size" "$(stat -c '%s %b' "$MNT/sparse.bin")" "$TIB 0"
equal "stored bytes" "$(vattr "$MNT/sparse.bin" stored_bytes)" 0
expect_errno ENXIO seek "$MNT/sparse.bin" data 0
call read "$MNT/sparse.bin" $((TIB / 2)) 4096
call read "$MNT/sparse.bin" $((TIB - 10)) 10
expect_errno ENODATA read "$MNT/sparse.bin" $((TIB - 10)) 11

make_bytes "$WORK/mib" $MIB
truncate -s 6G "$WORK/holey.bin"
dd if="$WORK/mib" of="$WORK/holey.bin" bs=$MIB seek=5120 conv=notrunc status=none
cp --sparse=always "$WORK/holey.bin" "$MNT/inbox/holey.bin" # cp skips forward over the hole
hole_and_data "$MNT/holey.bin"
truncate -s 6G "$MNT/direct.bin"
dd if="$WORK/mib" of="$MNT/direct.bin" bs=$MIB seek=5120 conv=notrunc status=none
hole_and_data "$MNT/direct.bin"

vs_remount
equal "size after a remount" "$(stat -c '%s %b' "$MNT/sparse.bin")" "$TIB 0"
hole_and_data "$MNT/holey.bin"
hole_and_data "$MNT/direct.bin"
at_most "bytes stored for three sparse files" $(($(du -s -B1 "$DATA/nodes" | cut -f 1) - before)) $((5 * 64 * MIB))

# Data at the far end of the terabyte, and the hole filled in the middle.
echo end | dd of="$MNT/sparse.bin" bs=1 seek=$((TIB - 4)) conv=notrunc status=none
dd if="$WORK/mib" of="$MNT/sparse.bin" bs=$MIB seek=1000 conv=notrunc status=none
vs_remount
equal "the far end" "$(tail -c 4 "$MNT/sparse.bin")" end
cmp <(dd if="$MNT/sparse.bin" bs=$MIB skip=1000 count=1 status=none) "$WORK/mib" || fail "the middle differs"
equal "first data" "$("$SYS" seek "$MNT/sparse.bin" data 0 | sed -n 1p)" $((1000 * MIB))
cp --sparse=always "$MNT/holey.bin" "$WORK/back.bin"
at_most "blocks of the copy on disk" "$(stat -c %b "$WORK/back.bin")" $((4 * MIB / 512))
