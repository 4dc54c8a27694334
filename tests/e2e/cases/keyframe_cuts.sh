#!/usr/bin/env bash
# At least 99 % of the cuts inside films are at keyframes, where a stream tells them in time; films
# whose index comes last are cut every 4 MiB.
# limit: 300
. "$(dirname "$0")/../lib.sh"

vs_mount
interior=0 at_keyframe=0
for c in "${CONTAINERS[@]}"; do
    film=$(make_video "$c")
    cp "$film" "$MNT/inbox/"
    name=$(basename "$film")
    read -r all key size chunks < <(vs_info "$MNT/$name" '"\(.cuts.interior) \(.cuts.at_keyframe) \(.cuts.by_size) \(.chunks)"')
    echo "$name: $chunks chunks, $all cuts inside, $key at keyframes, $size by size"
    equal "$name: cuts inside" "$all" $((chunks - 1))
    equal "$name: cuts accounted for" $((key + size)) "$all"
    equal "$name: chunks as xattr" "$(vattr "$MNT/$name" chunks)" "$chunks"
    # no chunk is above 8 MiB, none but the last below 1 MiB
    bytes=$(stat -c %s "$film")
    at_least "$name: chunks" "$chunks" $(((bytes + 8 * MIB - 1) / (8 * MIB)))
    at_most "$name: chunks" "$chunks" $((bytes / MIB + 1))
    if [[ $INDEX_LAST == *" $c "* ]]; then
        equal "$name: cut every 4 MiB" "$chunks" $(((bytes + CHUNK - 1) / CHUNK))
    else
        at_least "$name: cuts to look at" "$all" 3
        interior=$((interior + all))
        at_keyframe=$((at_keyframe + key))
    fi
done
echo "together: $at_keyframe of $interior cuts at keyframes"
at_least "cuts at keyframes, per cent" "$(awk -v k=$at_keyframe -v i=$interior 'BEGIN { print 100 * k / i }')" 99

# No video, and a video only by name: cut by size, stored all the same.
make_bytes "$WORK/noise.bin" $((3 * CHUNK + 1))
cp "$WORK/noise.bin" "$MNT/inbox/noise.bin"
cp "$WORK/noise.bin" "$MNT/inbox/noise.mkv"
for name in noise.bin noise.mkv; do
    equal "chunks of $name" "$(vs_info "$MNT/$name" .chunks)" 4
    equal "cuts by size of $name" "$(vs_info "$MNT/$name" .cuts.by_size)" 3
    same "$WORK/noise.bin" "$MNT/$name"
done
