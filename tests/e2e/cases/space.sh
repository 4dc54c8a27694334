#!/usr/bin/env bash
# df and du tell the truth; films cost at most 1.72 times their bytes on disk; deleting gives it back.
# limit: 240
. "$(dirname "$0")/../lib.sh"

used() {
    du -s -B1 "$1" | cut -f 1
}
superblocks() {
    find "$DATA" -name 'sb-*.dat' -printf '%b\n' | awk '{ s += $1 } END { printf "%.0f", s * 512 }'
}
available() { # what is left to users of a file system
    stat -f -c '%a %S' "$1" | awk '{ printf "%.0f", $1 * $2 }'
}
total() {
    stat -f -c '%b %S' "$1" | awk '{ printf "%.0f", $1 * $2 }'
}
stored() { # bytes of all files
    find "$MNT" -type f -printf '%s\n' | awk '{ s += $1 } END { printf "%.0f", s }'
}

vs_mount
# All five stores are on one disk: 3/5 of what it has free, less the reserve of 5 % of it, is left
# for films. (Five stores make one superblock file each, of 64 MiB or more, when they start; what
# other programs do to this disk meanwhile is allowed for, too.)
for_films=$((($(available "$DATA") - $(total "$DATA") / 20) * 3 / 5))
slack=$((2048 * MIB))
if [ $for_films -gt $slack ]; then
    at_least "df of the mount" "$(available "$MNT")" $((for_films - slack))
    at_most "df of the mount" "$(available "$MNT")" $((for_films + slack))
else
    echo "df of the mount is not compared: this disk has no room to speak of"
fi

for c in "${CONTAINERS[@]}"; do cp "$(make_video "$c")" "$MNT/inbox/"; done
for i in $(seq 200); do echo "episode $i" >"$MNT/note-$i.nfo"; done
bytes=$(stored)
films=$(cat "$MNT"/*-large.* | wc -c) # the notes live in the metadata
at_least "bytes to speak of" "$bytes" $((300 * MIB))
for f in "$MNT"/*.mkv "$MNT"/note-1.nfo; do
    equal "du of $f" "$(du -B1 "$f" | cut -f 1)" $((($(stat -c %s "$f") + 511) / 512 * 512))
done
at_least "df: blocks" "$(total "$MNT")" $(($(available "$MNT") + bytes * 99 / 100))
at_least "status: logical_bytes" "$(vs_status .logical_bytes)" "$bytes"
at_most "status: logical_bytes" "$(vs_status .logical_bytes)" "$bytes"
at_most "status: fragment_bytes" "$(vs_status .fragment_bytes)" $((films * 172 / 100))
at_least "status: fragment_bytes" "$(vs_status .fragment_bytes)" $((films * 5 / 3))
equal "status: files" "$(vs_status .files)" "$(find "$MNT" -type f ! -path '*/inbox/*' | wc -l)"

vs_umount
before=$(used "$DATA")
at_most "bytes on disk after unmount" "$before" $((bytes * 172 / 100 + 5 * 64 * MIB))
at_most "files other than superblocks" $((before - $(superblocks))) $(($(superblocks) / 20))

vs_mount
rm "$MNT"/*.*
given_back() { # given_back ALLOWANCE: a mounted store keeps up to 64 MiB ready for what comes next
    [ "$(used "$DATA")" -le $((before - bytes * 160 / 100 + $1)) ]
}
await 60 given_back $((5 * 64 * MIB))
equal "status: logical_bytes" "$(vs_status .logical_bytes)" 0
vs_umount
given_back 0 || fail "$(used "$DATA") bytes after everything was deleted"

# Space of films replaced, truncated, and unlinked while open comes back as well.
vs_mount
for _ in 1 2 3 4; do cp "$(make_video mkv)" "$MNT/same.mkv"; done
size=$(stat -c %s "$MNT/same.mkv")
cp "$(make_video mkv)" "$MNT/open.mkv"
exec {h}<"$MNT/open.mkv"
rm "$MNT/open.mkv"
cmp <(cat <&$h) "$(make_video mkv)" || fail "the unlinked film reads other bytes"
exec {h}<&-
one_film_left() {
    [ "$(used "$DATA/nodes")" -le $((size * 172 / 100 + 5 * 64 * MIB)) ]
}
await 60 one_film_left
same "$(make_video mkv)" "$MNT/same.mkv"
