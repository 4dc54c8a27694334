#!/usr/bin/env bash
# The inbox never replaces: the same content again is nothing to do, another one is published beside.
. "$(dirname "$0")/../lib.sh"

put() { # put SOURCE NAME: and wait until the inbox is done with it
    cp "$1" "$MNT/inbox/$2"
    await 10 absent_in "$MNT/inbox" "${2%%/*}"
}
root_files() {
    find "$MNT" -maxdepth 1 -type f -printf '%f\n' | sort | tr '\n' ','
}

for f in a b c; do make_bytes "$WORK/$f" $((CHUNK + 100)); done
for f in x y; do echo "small $f" >"$WORK/$f"; done

vs_mount -o alias=0
put "$WORK/a" film.mkv
put "$WORK/a" film.mkv
equal "the same content twice" "$(root_files)" "film.mkv,"
put "$WORK/b" film.mkv
put "$WORK/c" film.mkv
equal "names" "$(root_files)" "film (2).mkv,film (3).mkv,film.mkv,"
same "$WORK/a" "$MNT/film.mkv"
same "$WORK/b" "$MNT/film (2).mkv"
same "$WORK/c" "$MNT/film (3).mkv"

put "$WORK/x" README
put "$WORK/y" README
equal "without a dot" "$(cat "$MNT/README" "$MNT/README (2)")" $'small x\nsmall y'
absent "$MNT/README (3)"
put "$WORK/x" two.dots.srt
put "$WORK/y" two.dots.srt
same "$WORK/y" "$MNT/two.dots (2).srt"

long=$(printf 'n%.0s' {1..251}).mkv
put "$WORK/x" "$long"
put "$WORK/y" "$long"
same "$WORK/x" "$MNT/$long"
same "$WORK/y" "$MNT/${long:0:247} (2).mkv"

# In folders; and where a folder has the name.
mkdir "$MNT/inbox/Series"
cp "$WORK/a" "$MNT/inbox/Series/e1.mkv"
await 10 exists "$MNT/Series/e1.mkv"
mkdir -p "$MNT/inbox/Series"
cp "$WORK/b" "$MNT/inbox/Series/e1.mkv"
await 10 exists "$MNT/Series/e1 (2).mkv"
same "$WORK/a" "$MNT/Series/e1.mkv"
same "$WORK/b" "$MNT/Series/e1 (2).mkv"
mkdir "$MNT/Season"
put "$WORK/x" Season
same "$WORK/x" "$MNT/Season (2)"

# Straight into the tree it replaces, like anywhere else.
cp "$WORK/c" "$MNT/film.mkv"
same "$WORK/c" "$MNT/film.mkv"
vs_umount

vs_mount -o alias=0,taken=replace
put "$WORK/a" film.mkv
await 10 cmp "$WORK/a" "$MNT/film.mkv"
vs_umount
vs_mount -o alias=0,taken=refuse
before=$(root_files)
cp "$WORK/b" "$MNT/inbox/film.mkv" || echo "refused already by cp"
same "$WORK/a" "$MNT/film.mkv"
equal "names" "$(root_files)" "$before"
