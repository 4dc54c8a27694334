#!/usr/bin/env bash
# Two of three metadata replicas gone: an open film plays on, a listing is an error and never empty, a write
# fails with EHOSTDOWN, all in bounded time, and all is well when they are back.
# limit: 100
. "$(dirname "$0")/../cluster_lib.sh"

film=$(make_video mkv)
make_bytes "$WORK/noise.bin" $((2 * CHUNK + 4321))
echo small >"$WORK/small.txt"
cl_up --metas 3
cp "$film" "$MNT/inbox/film.mkv"
cp "$WORK/noise.bin" "$WORK/small.txt" "$MNT/inbox/"
await "$PATIENCE_S" test -e "$MNT/noise.bin"

# lost ACTION...: in the middle of a film
lost() {
    local r
    cl_remount
    exec {r}<"$MNT/film.mkv"
    head -c $((2 * CHUNK)) <&"$r" >"$CASE_DIR/read"
    "$@"
    cl_reads_on "$r" "$film"
    exec {r}<&-
    cl_is_down
}

well_again() {
    await "$PATIENCE_S" cl_metas_are "up up up"
    await "$PATIENCE_S" test -e "$MNT/film.mkv"
    same "$film" "$MNT/film.mkv"
    same "$WORK/noise.bin" "$MNT/noise.bin"
    cp "$WORK/noise.bin" "$MNT/again.bin"
    same "$WORK/noise.bin" "$MNT/again.bin"
    rm "$MNT/again.bin"
    absent "$MNT/new.txt"
}

one_killed_one_frozen() {
    cl_kill9_metas 1
    cl_signal_metas STOP 3
}

lost one_killed_one_frozen
cl_signal_metas CONT 3
cl_up
well_again
cl_down
