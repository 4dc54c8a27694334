#!/usr/bin/env bash
# rsync works into the tree and into the inbox: its temporary names are never published, and a second
# run finds nothing to do.
. "$(dirname "$0")/../lib.sh"
command -v rsync >/dev/null || skip "rsync is not installed"

src=$WORK/src
mkdir -p "$src/films" "$src/empty"
cp "$(make_video mkv)" "$src/films/film.mkv"
cp "$(make_video mp4 small)" "$src/films/short.mp4"
make_bytes "$src/notes.bin" 70000
echo text >"$src/notes.txt"
ln -s notes.txt "$src/link"
find "$src" -exec touch -h -d '2012-03-04 05:06:07.08' {} +

vs_mount
rsync -a "$src/" "$MNT/mirror/"
equal "the tree" "$(fingerprint "$MNT/mirror")" "$(fingerprint "$src")"
equal "what a second run would do" "$(rsync -ain "$src/" "$MNT/mirror/")" ""
equal "what a checksum run would do" "$(rsync -acin "$src/" "$MNT/mirror/")" ""

# A change, a deletion, an update in place.
make_bytes "$src/films/short.mp4" 300000
rm "$src/notes.txt"
rsync -a --delete "$src/" "$MNT/mirror/"
dd if=/dev/urandom of="$src/films/film.mkv" bs=1000 seek=5000 count=3 conv=notrunc status=none
rsync -a --inplace --no-whole-file "$src/" "$MNT/mirror/"
equal "the tree after changes" "$(fingerprint "$MNT/mirror")" "$(fingerprint "$src")"
cat "$WORK/src/notes.bin" >>"$src/films/film.mkv"
rsync -a --append "$src/" "$MNT/mirror/"
equal "the tree after an append" "$(fingerprint "$MNT/mirror")" "$(fingerprint "$src")"

# Through the inbox.
rsync -a "$src/films/film.mkv" "$MNT/inbox/"
await 5 exists "$MNT/film.mkv"
same "$src/films/film.mkv" "$MNT/film.mkv"
equal "time" "$(stat -c %y "$MNT/film.mkv")" "$(stat -c %y "$src/films/film.mkv")"
rsync -a "$src" "$MNT/inbox/"
arrived() { [ "$(fingerprint "$MNT/src")" = "$(fingerprint "$src")" ]; }
await 10 arrived
equal "temporary names left anywhere" "$(find "$MNT" -name '.*.??????')" ""
vs_remount
arrived || fail "the copy differs after a remount"
