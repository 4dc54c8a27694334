#!/usr/bin/env bash
# Folders go through the inbox whole: names, modes, times, empty ones too; and merge with those there.
. "$(dirname "$0")/../lib.sh"

src=$WORK/Series
mkdir -p "$src/Season 1/Extras" "$src/Season 2" "$src/empty/deeper"
cp "$(make_video mkv small)" "$src/Season 1/e1.mkv"
cp "$(make_video mp4 small)" "$src/Season 1/e2.mp4"
cp "$(make_video ts)" "$src/Season 2/big.ts"
echo words >"$src/Season 1/e1.srt"
echo more >"$src/Season 1/Extras/x.nfo"
chmod 640 "$src/Season 1/e1.srt"
chmod 750 "$src/Season 1"
chmod 700 "$src/empty/deeper"
find "$src" -exec touch -h -d '2011-02-03 04:05:06.789' {} +
touch -d '2001-01-01' "$src/Season 1" "$src/empty"

arrived() {
    [ "$(fingerprint "$1")" = "$(fingerprint "$2")" ]
}

vs_mount
cp -rp "$src" "$MNT/inbox/"
await 5 arrived "$src" "$MNT/Series"
equal "mode of the folder" "$(stat -c '%a %y' "$MNT/Series")" "$(stat -c '%a %y' "$src")"
mkdir -p "$WORK/Filled/deeper"
echo 1 >"$WORK/Filled/one"
echo 2 >"$WORK/Filled/deeper/two"
cp -r "$WORK/Filled" "$MNT/inbox/"
await 5 exists "$MNT/Filled/deeper/two"
await 5 absent_in "$MNT/inbox" Filled # emptied: no longer listed, but still found by a late chmod
chmod 711 "$MNT/inbox/Filled/deeper"
touch -d 2002-02-02 "$MNT/inbox/Filled"
equal "mode through the inbox" "$(stat -c %a "$MNT/Filled/deeper")" 711
equal "time through the inbox" "$(stat -c %Y "$MNT/Filled")" "$(date -d 2002-02-02 +%s)"
vs_remount
arrived "$src" "$MNT/Series" || fail "the folder differs after a remount"

# A second copy of the folder, with one more episode: merged.
mkdir -p "$WORK/again/Series/Season 2"
cp "$(make_video avi small)" "$WORK/again/Series/Season 2/e9.avi"
cp -r "$WORK/again/Series" "$MNT/inbox/"
await 5 exists "$MNT/Series/Season 2/e9.avi"
same "$WORK/again/Series/Season 2/e9.avi" "$MNT/Series/Season 2/e9.avi"
same "$src/Season 2/big.ts" "$MNT/Series/Season 2/big.ts"

# mv from another file system: the same, and the source is gone.
cp -rp "$src" "$WORK/Moved"
mv "$WORK/Moved" "$MNT/inbox/"
await 5 arrived "$src" "$MNT/Moved"
absent "$WORK/Moved"

# Straight into the tree, with links; and out again.
ln -s 'Season 1/e1.mkv' "$src/latest.mkv"
ln "$src/Season 1/e2.mp4" "$src/Season 2/e2-again.mp4"
cp -a "$src" "$MNT/Tree"
arrived "$src" "$MNT/Tree" || fail "cp -a into the tree"
equal "links of one file" "$(stat -c %h "$MNT/Tree/Season 2/e2-again.mp4")" 2
cp -a "$MNT/Tree" "$WORK/back"
arrived "$src" "$WORK/back" || fail "cp -a out of the tree"
equal "subfolders of the root" "$(stat -c %h "$MNT/Tree")" "$(stat -c %h "$src")"

rm -r "$MNT/Tree"
absent "$MNT/Tree"
mkdir -p "$MNT/a/b/c/d/e/f/g/h/i/j"
find "$MNT/a" -depth -type d -exec rmdir {} +
absent "$MNT/a"
# A large folder: every name once, none lost between two calls of readdir.
mkdir "$MNT/many"
for i in $(seq 3000); do echo "$i"; done | (cd "$MNT/many" && xargs -n 500 touch)
equal "names listed" "$(find "$MNT/many" -type f -printf '%f\n' | sort -n | uniq | wc -l)" 3000
find "$MNT/many" -type f -name '*7*' -delete
equal "names left" "$(find "$MNT/many" -type f | wc -l)" "$(seq 3000 | grep -vc 7)"
