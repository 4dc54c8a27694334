#!/usr/bin/env bash
# Many uploads, readers and changes of names at once; two writers of one name.
# limit: 240
. "$(dirname "$0")/../lib.sh"

film=$(make_video mkv)
vs_mount
cp "$film" "$MNT/film.mkv"
for i in $(seq 8); do make_bytes "$WORK/up-$i" $((i * 3 * MIB + i)); done
jobs=()
for i in $(seq 8); do
    cp "$WORK/up-$i" "$MNT/inbox/up-$i.bin" &
    jobs+=($!)
    cp "$WORK/up-$i" "$MNT/tree-$i.bin" &
    jobs+=($!)
    cmp "$film" "$MNT/film.mkv" &
    jobs+=($!)
    (mkdir "$MNT/d-$i" && for j in $(seq 30); do
        echo "$j" >"$MNT/d-$i/a" && mv "$MNT/d-$i/a" "$MNT/d-$i/b-$j"
    done && rm "$MNT/d-$i"/b-{1,2,3}) &
    jobs+=($!)
done
for j in "${jobs[@]}"; do wait "$j" || fail "one of them failed"; done
for i in $(seq 8); do
    same "$WORK/up-$i" "$MNT/up-$i.bin"
    same "$WORK/up-$i" "$MNT/tree-$i.bin"
    equal "names in d-$i" "$(find "$MNT/d-$i" -type f | wc -l)" 27
done

# Two copiers of one name, at the same time: what is published is whole, each.
mkfifo "$WORK/one" "$WORK/two"
cp "$WORK/one" "$MNT/inbox/clip.mp4" &
a=$!
exec {one}>"$WORK/one"
head -c $MIB "$WORK/up-7" >&$one
await 10 exists "$MNT/inbox/clip.mp4"
cp "$WORK/two" "$MNT/inbox/sub.mp4" &
b=$!
exec {two}>"$WORK/two"
head -c $MIB "$WORK/up-8" >&$two
tail -c +$((MIB + 1)) "$WORK/up-7" >&$one
tail -c +$((MIB + 1)) "$WORK/up-8" >&$two
exec {one}>&- {two}>&-
wait $a
wait $b
exists "$MNT/clip.mp4"
same "$WORK/up-7" "$MNT/clip.mp4"
same "$WORK/up-8" "$MNT/sub.mp4"

# Many small files at once, by four copiers.
mkdir "$WORK/many"
for i in $(seq 400); do echo "file $i" >"$WORK/many/$i.nfo"; done
find "$WORK/many" -type f -print0 | xargs -0 -n 25 -P 4 cp -t "$MNT/inbox"
all_there() { [ "$(find "$MNT" -maxdepth 1 -name '*.nfo' | wc -l)" -eq 400 ]; }
await 10 all_there
for i in $(seq 1 13 400); do equal "file $i" "$(cat "$MNT/$i.nfo")" "file $i"; done
# A film is replaced in the tree again and again while it is read: a reader sees one of them, whole.
for i in 1 2 3 4 5 6; do
    cp "$WORK/up-$i" "$WORK/next"
    cp "$WORK/next" "$MNT/.swap.tmp"
    mv "$MNT/.swap.tmp" "$MNT/swapped"
    cat "$MNT/swapped" >"$WORK/seen"
    same "$WORK/next" "$WORK/seen"
done
print=$(fingerprint "$MNT")
vs_remount
equal "everything after a remount" "$(fingerprint "$MNT")" "$print"
