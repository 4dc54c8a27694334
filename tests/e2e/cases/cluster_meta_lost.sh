#!/usr/bin/env bash
# Any one of three metadata replicas killed, frozen, or wiped and absent, the leader first, while a film is
# read, others are copied in and small files come and go: byte-exact, no error seen by anybody.
# limit: 100
. "$(dirname "$0")/../cluster_lib.sh"

film=$(make_video mkv)
make_bytes "$WORK/noise.bin" $((2 * CHUNK + 4321))
PAUSE_MS=$((5000 * ${LIMIT_FACTOR:-1})) # on a busy machine; the figure is printed
cl_up --metas 3
equal "replicas" "$(vs_status '[.metas[].state] | join(" ")')" "up up up"
cp "$film" "$MNT/inbox/film.mkv"
mkdir "$MNT/gaps"

# lose_during NAME ACTION ID: what happens while others are at work.
lose_during() {
    local name=$1 action=$2 id=$3 gaps reader copier said
    rm -f "$WORK/stop"
    "$ROOT/tests/e2e/gaps.py" "$MNT/gaps" "$WORK/stop" >"$CASE_DIR/gaps" &
    gaps=$!
    cmp "$film" "$MNT/film.mkv" &
    reader=$!
    (for i in 1 2 3; do cp "$film" "$MNT/inbox/$name.$i.mkv" && cp "$WORK/noise.bin" "$MNT/$name.$i.bin"; done) &
    copier=$!
    sleep 0.3 # the moment of the loss, not a wait
    "$action" "$id"
    wait $copier || fail "$name: a copy failed"
    wait $reader || fail "$name: a film was not read"
    touch "$WORK/stop"
    wait $gaps || fail "$name: $(cat "$CASE_DIR/gaps")"
    said=$(cat "$CASE_DIR/gaps")
    rm "$MNT"/gaps/*
    echo "replica $id $name: $said"
    said=${said#*gap }
    at_most "longest pause, $name" "${said%% ms*}" "$PAUSE_MS"
    for i in 1 2 3; do
        same "$film" "$MNT/$name.$i.mkv"
        same "$WORK/noise.bin" "$MNT/$name.$i.bin"
    done
    rm "$MNT/$name".*
}

kill_it() { cl_kill9_metas "$1"; }
freeze_it() { cl_signal_metas STOP "$1"; }
wipe_it() {
    cl_kill9_metas "$1"
    mv "$DATA/metas/$1" "$CASE_DIR/wiped"
}

lose_during killed kill_it "$(cl_leader)"
equal "state with one less" "$(vs_status '"\(.state) \([.metas[].state] | sort | join(" "))"')" "degraded down up up"
cl_up
await "$PATIENCE_S" cl_metas_are "up up up"
lead=$(cl_leader)
lose_during frozen freeze_it "$lead"
cl_signal_metas CONT "$lead"
await "$PATIENCE_S" cl_metas_are "up up up"
other=$((lead % 3 + 1)) # not the one that was frozen; leading or not
lose_during wiped wipe_it "$other"

# What was wiped is not made anew by itself; the others go on.
vs_refused "replica $other has no metadata in .*--replace-meta $other" up --dir "$DATA"
cl_up --degraded
same "$film" "$MNT/film.mkv"
mv "$CASE_DIR/wiped" "$DATA/metas/$other"
cl_up
await "$PATIENCE_S" cl_metas_are "up up up"
cl_down
