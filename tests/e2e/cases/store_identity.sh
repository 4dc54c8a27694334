#!/usr/bin/env bash
# Stores and metadata know whose they are: what is empty, missing or foreign is down, never made anew
# by itself; without any store, or without the metadata, a mount is refused.
. "$(dirname "$0")/../lib.sh"

make_bytes "$WORK/film" $((2 * CHUNK + 3))
vs_mount
cp "$WORK/film" "$MNT/film.bin"
vs_umount
aside=$CASE_DIR/aside
mkdir "$aside"
back() {
    mv "$aside"/* "$1/"
}

# The metadata is missing beside existing stores.
mv "$DATA/meta" "$aside/"
vs_refused 'metadata' --data "$DATA" "$MNT"
absent "$DATA/meta"
mkdir "$DATA/meta"
vs_refused 'metadata' --data "$DATA" "$MNT"
equal "what is in the empty metadata folder" "$(find "$DATA/meta" -mindepth 1)" ""
rmdir "$DATA/meta"
back "$DATA"
mv "$DATA/meta/acceptor" "$aside/"
vs_refused 'meta' --data "$DATA" "$MNT"
absent "$DATA/meta/acceptor"
back "$DATA/meta"

# All stores are missing beside existing metadata.
mv "$DATA/nodes"/n* "$aside/"
vs_refused 'store' --data "$DATA" "$MNT"
equal "stores made anew" "$(find "$DATA/nodes" -mindepth 1)" ""
mkdir "$DATA/nodes"/n{1,2,3,4,5}
vs_refused 'store' --data "$DATA" "$MNT"
equal "files in them" "$(find "$DATA/nodes" -type f)" ""
rmdir "$DATA/nodes"/n*
back "$DATA/nodes"
vs_mount
same "$WORK/film" "$MNT/film.bin"
vs_umount

# A store of another data folder, and two swapped ones.
MNT2=$CASE_DIR/mnt2
mkdir "$MNT2"
timeout 30 "$VSTACKFS" --data "$CASE_DIR/foreign" "$MNT2" >>"$CASE_DIR/vstackfs.out"
timeout 30 "$VSTACKFS" umount "$MNT2"
mv "$DATA/nodes/n2" "$aside/"
cp -a "$CASE_DIR/foreign/nodes/n2" "$DATA/nodes/n2"
print=$(find "$DATA/nodes/n2" -type f -exec sha256sum {} +)
vs_mount
node_is n2 down || fail "a foreign store is $(node_state n2)"
same "$WORK/film" "$MNT/film.bin"
vs_umount
equal "the foreign store" "$(find "$DATA/nodes/n2" -type f -exec sha256sum {} +)" "$print"
rm -rf "$DATA/nodes/n2"
back "$DATA/nodes"
mv "$DATA/nodes/n4" "$DATA/nodes/x"
mv "$DATA/nodes/n5" "$DATA/nodes/n4"
mv "$DATA/nodes/x" "$DATA/nodes/n5"
vs_mount
same "$WORK/film" "$MNT/film.bin"
vs_umount
mv "$DATA/nodes/n4" "$DATA/nodes/x"
mv "$DATA/nodes/n5" "$DATA/nodes/n4"
mv "$DATA/nodes/x" "$DATA/nodes/n5"

# A lost store is replaced by order only.
rm -rf "$DATA/nodes/n3"
mkdir "$DATA/nodes/n3"
vs_mount
node_is n3 down || fail "an emptied store is $(node_state n3)"
equal "files in it" "$(find "$DATA/nodes/n3" -mindepth 1)" ""
vs node replace n3 "$DATA/nodes/n3" --mount "$MNT" >>"$CASE_DIR/vstackfs.out"
await 30 node_is n3 up
cp "$WORK/film" "$MNT/new.bin"
equal "stored_as" "$(vattr "$MNT/new.bin" stored_as)" rs:3+2
same "$WORK/film" "$MNT/film.bin"
vs_remount
node_is n3 up || fail "after a remount the new store is $(node_state n3)"
vs_umount
# The new store holds its share: two others may go.
mv "$DATA/nodes"/n{1,5} "$aside/"
vs_mount
same "$WORK/film" "$MNT/new.bin"
vs_umount
back "$DATA/nodes"
# To another folder.
rm -rf "$DATA/nodes/n1"
vs_mount
mkdir "$CASE_DIR/disk"
refute vs node replace n9 "$CASE_DIR/disk" --mount "$MNT"
vs node replace n1 "$CASE_DIR/disk" --mount "$MNT" >>"$CASE_DIR/vstackfs.out"
await 30 node_is n1 up
cp "$WORK/film" "$MNT/third.bin"
vs_remount
node_is n1 up || fail "after a remount the moved store is $(node_state n1)"
for f in film new third; do same "$WORK/film" "$MNT/$f.bin"; done
[ -n "$(find "$CASE_DIR/disk" -name 'sb-*')" ] || fail "the new folder holds no superblock"
