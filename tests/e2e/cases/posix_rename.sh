#!/usr/bin/env bash
# rename(2): over files and folders, of open files, across folders, and all its refusals.
. "$(dirname "$0")/../lib.sh"

vs_mount
cd "$MNT"
make_bytes "$WORK/a" $((2 * CHUNK + 5))
make_bytes "$WORK/b" 1000
cp "$WORK/a" a
cp "$WORK/b" b
exec {old}<b
call rename a b
absent a
same "$WORK/a" b
cmp <(cat <&$old) "$WORK/b" || fail "a handle opened before the rename reads other bytes"
exec {old}<&-

mkdir -p d/sub e empty full
echo 1 >full/x
echo 2 >d/sub/file
call rename d e/d
equal "moved folder" "$(cat e/d/sub/file)" 2
equal ".. of a moved folder" "$(stat -c %i e/d/..)" "$(stat -c %i e)"
call rename e/d empty # an empty folder may be replaced
equal "moved folder" "$(cat empty/sub/file)" 2
expect_errno ENOTEMPTY rename empty full
expect_errno EINVAL rename empty empty/sub/deeper
expect_errno EISDIR rename b full
expect_errno ENOTDIR rename full b
expect_errno ENOENT rename nothing else
expect_errno ENOENT rename b nowhere/b
expect_errno ENOTDIR rename b b/c
expect_errno EXDEV rename "$MNT" other
call rename b b
same "$WORK/a" b

call link b b2
call rename b b2 # two names of one inode: nothing happens
exists b
exists b2
equal "links" "$(stat -c %h b)" 2

echo one >n1
echo two >n2
expect_errno EEXIST renameat2 n1 n2 1 # RENAME_NOREPLACE
call renameat2 n1 n3 1
call renameat2 n2 n3 2 # RENAME_EXCHANGE
equal "exchanged" "$(cat n2) $(cat n3)" "one two"
call renameat2 n2 full 2
equal "exchanged with a folder" "$(cat full) $(cat n2/x)" "one 1"
expect_errno ENOENT renameat2 n3 nothing 2

# Renamed while it is being written: what is written later goes along.
make_bytes "$WORK/film" $((3 * CHUNK))
exec {w}>film.part
head -c $CHUNK "$WORK/film" >&$w
mv film.part film.mkv
tail -c +$((CHUNK + 1)) "$WORK/film" >&$w
exec {w}>&-
same "$WORK/film" film.mkv
absent film.part
ino=$(stat -c %i film.mkv)
mkdir far
mv film.mkv far/away.mkv
equal "inode number after a rename" "$(stat -c %i far/away.mkv)" "$ino"

# A file that is being replaced while it is read.
exec {r}<far/away.mkv
head -c 100 <&$r >"$WORK/head"
cp "$WORK/b" new
mv new far/away.mkv
cat <&$r >>"$WORK/head"
exec {r}<&-
cmp "$WORK/head" "$WORK/film" || fail "a reader lost the replaced file's bytes"
same "$WORK/b" far/away.mkv

cd /
print=$(fingerprint "$MNT")
vs_remount
equal "everything after a remount" "$(fingerprint "$MNT")" "$print"
