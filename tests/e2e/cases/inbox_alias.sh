#!/usr/bin/env bash
# For some seconds after publishing, the inbox name still reaches the film: a copier's late chmod and
# utimens arrive. A new file of that name is a new file.
. "$(dirname "$0")/../lib.sh"

film=$(make_video mp4 small)
make_bytes "$WORK/other" $((CHUNK + 1))
vs_mount

cp "$film" "$MNT/inbox/film.mp4"
exists "$MNT/film.mp4"
exists "$MNT/inbox/film.mp4"
absent_in "$MNT/inbox" film.mp4
touch -d '2003-04-05 06:07:08.9' "$MNT/inbox/film.mp4"
chmod 600 "$MNT/inbox/film.mp4"
setfattr -n user.note -v late "$MNT/inbox/film.mp4"
equal "what arrived" "$(stat -c '%a %y' "$MNT/film.mp4")" "600 2003-04-05 06:07:08.900000000 +0000"
equal "note" "$(getfattr --absolute-names --only-values -n user.note "$MNT/film.mp4")" late
same "$film" "$MNT/inbox/film.mp4"
equal "stat through the alias" "$(stat -c '%s %Y' "$MNT/inbox/film.mp4")" "$(stat -c '%s %Y' "$MNT/film.mp4")"

# Two cameras call theirs CLIP0001.MP4.
cp "$film" "$MNT/inbox/CLIP0001.MP4"
cp "$WORK/other" "$MNT/inbox/CLIP0001.MP4"
await 5 exists "$MNT/CLIP0001 (2).MP4"
same "$film" "$MNT/CLIP0001.MP4"
same "$WORK/other" "$MNT/CLIP0001 (2).MP4"

# So quickly after each other that the first one is not in the tree yet.
python3 - "$MNT/inbox" <<'END'
import os, sys
for n in range(50):
    for text in b"one", b"other":
        fd = os.open(f"{sys.argv[1]}/quick-{n}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        os.write(fd, text)
        os.close(fd)
END
await 5 exists "$MNT/quick-49 (2)"
for n in $(seq 0 49); do
    equal "both quick-$n" "$(cat "$MNT/quick-$n" "$MNT/quick-$n (2)")" oneother
done

# Truncated to nothing, then written: new. The film stays.
cp "$film" "$MNT/inbox/t.mp4"
truncate -s 0 "$MNT/inbox/t.mp4"
same "$film" "$MNT/t.mp4"
cat "$WORK/other" >"$MNT/inbox/t.mp4"
await 5 exists "$MNT/t (2).mp4"
same "$WORK/other" "$MNT/t (2).mp4"
same "$film" "$MNT/t.mp4"

# A temporary file renamed onto it: new as well (rsync twice).
cp "$film" "$MNT/inbox/r.mp4"
cp "$WORK/other" "$MNT/inbox/.r.mp4.Ab3dEf"
mv "$MNT/inbox/.r.mp4.Ab3dEf" "$MNT/inbox/r.mp4"
await 5 exists "$MNT/r (2).mp4"
same "$film" "$MNT/r.mp4"
same "$WORK/other" "$MNT/r (2).mp4"

# Removing the alias removes the alias; renaming it renames the film.
cp "$film" "$MNT/inbox/u.mp4"
exists "$MNT/u.mp4" # waits for the publishing: what is removed before it was never published
exists "$MNT/inbox/u.mp4"
rm "$MNT/inbox/u.mp4"
absent "$MNT/inbox/u.mp4"
same "$film" "$MNT/u.mp4"
cp "$film" "$MNT/inbox/old.mp4"
mv "$MNT/inbox/old.mp4" "$MNT/inbox/new.mp4"
await 5 exists "$MNT/new.mp4"
same "$film" "$MNT/new.mp4"
absent "$MNT/old.mp4"

# It ends.
await 20 absent "$MNT/inbox/new.mp4"
exists "$MNT/new.mp4"
