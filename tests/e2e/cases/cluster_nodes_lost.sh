#!/usr/bin/env bash
# Any two of five nodes killed, frozen or emptied, while reading and while uploading: every film reads
# byte-exact, without error, in bounded time. Three gone: an error for what they held; the rest works.
# limit: 100
. "$(dirname "$0")/../cluster_lib.sh"

film=$(make_video mkv)
make_bytes "$WORK/noise.bin" $((2 * CHUNK + 4321))
echo small >"$WORK/small.txt"
STALL_S=8 # of a whole film behind two frozen nodes, on a busy machine

cl_up --metas 0
cp "$film" "$MNT/inbox/film.mkv"
cp "$WORK/noise.bin" "$WORK/small.txt" "$MNT/inbox/"

# read_during ACTION...: what happens in the middle of a read.
read_during() {
    local began
    cl_remount
    exec {r}<"$MNT/film.mkv"
    head -c $((2 * CHUNK)) <&$r >"$CASE_DIR/read"
    "$@"
    began=$SECONDS
    cat <&$r >>"$CASE_DIR/read"
    exec {r}<&-
    cmp "$CASE_DIR/read" "$film" || fail "a reader under way got other bytes: $*"
    same "$WORK/noise.bin" "$MNT/noise.bin"
    at_most "seconds of reading: $*" $((SECONDS - began)) $((STALL_S * ${LIMIT_FACTOR:-1}))
}

# upload_during NAME ACTION...: what happens in the middle of an upload. What cp was told is true.
upload_during() {
    local name=$1 feed cp_pid
    shift
    mkfifo "$WORK/pipe"
    cp "$WORK/pipe" "$MNT/$name" &
    cp_pid=$!
    exec {feed}>"$WORK/pipe"
    head -c $((2 * CHUNK)) "$film" >&$feed
    "$@"
    tail -c +$((2 * CHUNK + 1)) "$film" >&$feed
    exec {feed}>&-
    wait $cp_pid || fail "an upload failed because two of five nodes went away: $*"
    rm "$WORK/pipe"
    same "$film" "$MNT/$name"
}

# Frozen.
read_during cl_signal STOP n2 n4
cl_signal CONT n2 n4
await "$PATIENCE_S" cl_states_are "up up up up up"
upload_during frozen.mkv cl_signal STOP n1 n5
cl_signal CONT n1 n5
await "$PATIENCE_S" cl_states_are "up up up up up"

# Killed, and used again when they are back.
read_during cl_kill9 n1 n2
cl_up
await "$PATIENCE_S" cl_states_are "up up up up up"
upload_during killed.mkv cl_kill9 n3 n4
cl_up
await "$PATIENCE_S" cl_states_are "up up up up up"
cp "$WORK/noise.bin" "$MNT/after.bin"
equal "stored_as when all are back" "$(vattr "$MNT/after.bin" stored_as)" rs:3+2

# Three gone: an error for what needs them, at once; what is small is there, and listings are.
cl_kill9 n1 n3 n5
cl_remount
refute cat "$MNT/film.mkv" >/dev/null
grep -q 'Input/output error' "$CASE_DIR/said" || fail "cat was refused otherwise: $(cat "$CASE_DIR/said")"
equal "a small file" "$(cat "$MNT/small.txt")" small
exists "$MNT/frozen.mkv"
cl_up
await "$PATIENCE_S" cl_states_are "up up up up up"
for name in film frozen killed; do same "$film" "$MNT/$name.mkv"; done

# Emptied while they run; such a node is down, and is never made anew by itself.
read_during cl_empty n3 n5
await "$PATIENCE_S" cl_states_are "up up down up down"
for name in film frozen killed; do same "$film" "$MNT/$name.mkv"; done
vs_refused 'did not start' up --dir "$DATA" "$MNT"
refute test -e "$DATA/nodes/n3/store.id"
same "$WORK/noise.bin" "$MNT/noise.bin"
cl_down
