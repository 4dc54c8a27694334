#!/usr/bin/env bash
# Writers that go back (muxers patch their headers) and writers that jump: the bytes are those they
# would have written anywhere.
# limit: 240
. "$(dirname "$0")/../lib.sh"

mux() { # mux OPTION... OUTPUT: the same bytes every time
    local source
    source=$(make_video mkv)
    [[ ${!#} != *.avi ]] || source=$(make_video avi)
    ffmpeg -nostdin -v error -y -fflags +bitexact -i "$source" -map_metadata -1 -c copy -fflags +bitexact "$@"
}
vs_mount
mkdir "$MNT/tree"
for out in plain.mp4 plain.mkv plain.avi plain.mov; do
    mux "$WORK/$out"
    mux "$MNT/inbox/$out"
    mux "$MNT/tree/$out"
    exists "$MNT/$out"
    same "$WORK/$out" "$MNT/$out"
    same "$WORK/$out" "$MNT/tree/$out"
done
mux -movflags +faststart "$WORK/fast.mp4"
mux -movflags +faststart "$MNT/inbox/fast.mp4"
mux -movflags +faststart "$MNT/tree/fast.mp4"
exists "$MNT/fast.mp4"
same "$WORK/fast.mp4" "$MNT/fast.mp4"
same "$WORK/fast.mp4" "$MNT/tree/fast.mp4"
vs_remount
for f in plain.mp4 plain.mkv plain.avi plain.mov fast.mp4; do
    same "$WORK/$f" "$MNT/$f"
    same "$WORK/$f" "$MNT/tree/$f"
done

# Random writes, truncations, reads, reopenings against a plain file; SEEDS repeats or adds.
for seed in ${SEEDS:-1 2 3 4 5 6}; do
    "$ROOT/tests/e2e/random_ops.py" "$MNT/tree/random-$seed" "$WORK/random-$seed" "$seed" 120 $((5 * CHUNK)) ||
        fail "random operations, seed $seed"
done
vs_remount
for seed in ${SEEDS:-1 2 3 4 5 6}; do same "$WORK/random-$seed" "$MNT/tree/random-$seed"; done
