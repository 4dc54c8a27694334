#!/usr/bin/env bash
# A replica that was frozen while another one was replaced is left behind: thawed, it takes what the others
# have, by itself and as the same process, and its vote counts again; killed meanwhile, at its next start.
# limit: 240
. "$(dirname "$0")/../cluster_lib.sh"

meta_url() { jq -er ".metas[] | select(.id == \"$1\") | .url" "$DATA/cluster.json"; }
knows_members() { # REPLICA EPOCH: it votes in it, and says so
    [ "$(curl -sS -m "$PATIENCE_S" "$(meta_url "$1")/health" | jq 'select(.metas) | .epoch')" = "$2" ]
}
writes() { cp "$WORK/noise.bin" "$MNT/$1.bin" 2>>"$CASE_DIR/cp.err"; }

lose_and_replace() { # ID: while 5 is frozen
    cl_kill9_metas "$1"
    rm -r "$DATA/metas/$1"
    cl_signal_metas STOP 5
    timeout $((4 * PATIENCE_S)) "$VSTACKFS" up --dir "$DATA" --replace-meta "$1" 2>>"$CASE_DIR/vstackfs.err" ||
        fail "replacing $1: exit code $?: $(tail -n 3 "$CASE_DIR/vstackfs.err")"
    await "$PATIENCE_S" writes "without-$1"
}

make_bytes "$WORK/noise.bin" $((CHUNK + 4321))
cl_up --metas 5
await "$PATIENCE_S" writes before

lose_and_replace 2
pid=$(meta_pid 5)
cl_signal_metas CONT 5
await "$PATIENCE_S" knows_members 5 2
equal "the process of replica 5" "$(meta_pid 5)" "$pid"
grep -q 'left behind by epoch 2: voting' "$DATA/log/meta-5.log" || fail "replica 5 was not left behind"

# Its vote is needed, and its records.
cl_kill9_metas 1 3
await "$PATIENCE_S" writes needed
for name in before without-2 needed; do same "$WORK/noise.bin" "$MNT/$name.bin"; done
cl_up

# Killed instead of thawed.
await "$PATIENCE_S" knows_members 1 2
lose_and_replace 1
cl_kill9_metas 5
cl_up
await "$PATIENCE_S" knows_members 5 3
cl_kill9_metas 3 4
await "$PATIENCE_S" writes again
for name in before without-1 needed again; do same "$WORK/noise.bin" "$MNT/$name.bin"; done
cl_down
