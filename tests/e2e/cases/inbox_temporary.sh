#!/usr/bin/env bash
# Temporary names are not published until they are renamed or linked to a final one.
. "$(dirname "$0")/../lib.sh"

names=(.film.mkv.Ab3dEf '.~film.mkv' .goutputstream-XYZ123 .fuse_hidden0000001 film.mkv.part
    film.partial 'film.partial~' film.mkv.crdownload film.tmp 'film.mkv~' 'film.mkv.!qB')
# A marker that settled later is published: so the others had their chance.
marker=0
settle_everything() {
    marker=$((marker + 1))
    echo $marker >"$MNT/inbox/marker-$marker"
    exists "$MNT/marker-$marker"
}

vs_mount
equal "what an empty inbox shows" "$(find "$MNT/inbox" -mindepth 1 -printf '%f %s\n')" ".ignore 0"
refute sh -c "echo x >'$MNT/inbox/.ignore'"
i=0
for name in "${names[@]}"; do
    i=$((i + 1))
    make_bytes "$WORK/$i" $((INLINE * i))
    cp -p "$WORK/$i" "$MNT/inbox/$name"
done
settle_everything
for name in "${names[@]}"; do
    absent "$MNT/$name"
    exists "$MNT/inbox/$name"
done
equal "what is in the root" "$(find "$MNT" -maxdepth 1 -type f -printf '%f\n')" marker-1

vs_remount # they wait, byte-exact, for their copier to come back
settle_everything
i=0
for name in "${names[@]}"; do
    i=$((i + 1))
    same "$WORK/$i" "$MNT/inbox/$name"
    absent "$MNT/$name"
done

i=0
for name in "${names[@]}"; do
    i=$((i + 1))
    if [ $((i % 2)) -eq 0 ]; then
        mv "$MNT/inbox/$name" "$MNT/inbox/final-$i.mkv"
    else
        ln "$MNT/inbox/$name" "$MNT/inbox/final-$i.mkv"
        rm "$MNT/inbox/$name"
    fi
    exists "$MNT/final-$i.mkv"
    same "$WORK/$i" "$MNT/final-$i.mkv"
    equal "time" "$(stat -c %Y "$MNT/final-$i.mkv")" "$(stat -c %Y "$WORK/$i")"
    absent_in "$MNT/inbox" "final-$i.mkv"
    absent_in "$MNT/inbox" "$name"
done

# What a link has published is found by the very next call, however the two race.
look_at_once() {
    local n
    for n in {1..40}; do
        ln "$MNT/inbox/racing-$1.part" "$MNT/inbox/at-once-$1-$n.mkv"
        exists "$MNT/at-once-$1-$n.mkv"
        rm "$MNT/at-once-$1-$n.mkv"
    done
}
racers=()
for r in 1 2 3; do
    cp "$WORK/2" "$MNT/inbox/racing-$r.part"
    look_at_once $r &
    racers+=($!)
done
for r in "${racers[@]}"; do wait "$r"; done
rm "$MNT"/inbox/racing-*.part

# In a folder; renamed while still open; other dot files publish; removed ones are gone.
mkdir "$MNT/inbox/folder"
exec {w}>"$MNT/inbox/folder/film.part"
head -c $CHUNK "$WORK/9" >&$w
mv "$MNT/inbox/folder/film.part" "$MNT/inbox/folder/film.mkv"
settle_everything
refute test -e "$MNT/folder/film.mkv" # not settled: it is still being written
tail -c +$((CHUNK + 1)) "$WORK/9" >&$w
exec {w}>&-
exists "$MNT/folder/film.mkv"
same "$WORK/9" "$MNT/folder/film.mkv"
echo hidden >"$MNT/inbox/.hidden"
exists "$MNT/.hidden"
echo x >"$MNT/inbox/cancelled.part"
rm "$MNT/inbox/cancelled.part"
absent "$MNT/inbox/cancelled.part"

# While a film is being written it is seen in the inbox only.
exec {w}>"$MNT/inbox/growing.mkv"
head -c $((CHUNK * 2)) /dev/urandom >"$WORK/growing"
cat "$WORK/growing" >&$w
settle_everything
absent "$MNT/growing.mkv"
equal "size so far" "$(stat -c %s "$MNT/inbox/growing.mkv")" $((CHUNK * 2))
exec {w}>&-
exists "$MNT/growing.mkv"
same "$WORK/growing" "$MNT/growing.mkv"
# Straight from the inbox to a place of one's own choice.
cp "$WORK/1" "$MNT/inbox/own.part"
mkdir "$MNT/place"
mv "$MNT/inbox/own.part" "$MNT/place/own.mkv"
same "$WORK/1" "$MNT/place/own.mkv"
vs_remount
same "$WORK/1" "$MNT/place/own.mkv"
equal "what the inbox shows in the end" "$(find "$MNT/inbox" -mindepth 1 -printf '%f\n')" .ignore
