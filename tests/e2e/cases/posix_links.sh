#!/usr/bin/env bash
# Hard links, symbolic links, and files that are unlinked while open.
. "$(dirname "$0")/../lib.sh"

vs_mount
cd "$MNT"
make_bytes "$WORK/film" $((CHUNK + 77))
mkdir downloads library
cp "$WORK/film" downloads/film.mkv
ln downloads/film.mkv library/Film.mkv # as Radarr and Sonarr do
equal "links" "$(stat -c '%h %h' downloads/film.mkv)" "2 2"
equal "inode" "$(stat -c %i downloads/film.mkv)" "$(stat -c %i library/Film.mkv)"
chmod 600 library/Film.mkv
equal "mode through the other name" "$(stat -c %a downloads/film.mkv)" 600
echo tail >>library/Film.mkv
echo tail >>"$WORK/film"
same "$WORK/film" downloads/film.mkv
rm downloads/film.mkv
equal "links" "$(stat -c %h library/Film.mkv)" 1
same "$WORK/film" library/Film.mkv
expect_errno EEXIST link library/Film.mkv library/Film.mkv
expect_errno EPERM link library other
expect_errno ENOENT link nothing other
expect_errno ENOENT link library/Film.mkv nowhere/other

ln -s library/Film.mkv short
ln -s nowhere dangling
target=$(printf 'x/%.0s' {1..2000})
ln -s "$target" long
equal "target" "$(readlink short)" library/Film.mkv
equal "long target" "$(readlink long)" "$target"
equal "size of a link" "$(stat -c %s short)" 16
equal "type and mode of a link" "$(stat -c '%F %a' short)" "symbolic link 777"
same "$WORK/film" short
refute cat dangling
expect_errno ENOENT stat dangling
expect_errno EINVAL readlink library/Film.mkv
expect_errno EEXIST symlink x short
ln -s loop2 loop1
ln -s loop1 loop2
expect_errno ELOOP stat loop1
ln -s library folder
same "$WORK/film" folder/Film.mkv
rm folder
exists library/Film.mkv

# Unlinked while open: reads and writes go on, the name is free at once.
cp "$WORK/film" going.mkv
exec {h}<>going.mkv
rm going.mkv
absent going.mkv
echo other >going.mkv
cmp <(cat <&$h) "$WORK/film" || fail "the unlinked file reads other bytes"
echo written >&$h
equal "links of the open file" "$(stat -L -c %h /proc/self/fd/$h)" 0
exec {h}>&-
equal "the new file" "$(cat going.mkv)" other

# The folder it was in is gone too.
mkdir tmp
exec {h}>tmp/scratch
echo 1 >&$h
rm -r tmp
echo 2 >&$h
exec {h}>&-
absent tmp

cd /
print=$(fingerprint "$MNT")
vs_remount
equal "everything after a remount" "$(fingerprint "$MNT")" "$print"
equal "links after a remount" "$(stat -c %h "$MNT/library/Film.mkv")" 1
