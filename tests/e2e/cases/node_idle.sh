#!/usr/bin/env bash
# Idle connections are cheap, and stay; a ping is quick while readers keep the other threads busy.
# NODE_IDLE (default 1000; the bench has 10000). The limit of the pings is wide here: what else runs
# on this machine is not the node's doing.
. "$(dirname "$0")/../node_lib.sh"

make_bytes "$WORK/f" 1398101
node_start
equal "put" "$(node_put "$(node_key 1)" "$WORK/f")" 201
python3 "$ROOT/tests/e2e/node_idle.py" "$DAEMON_PORT" "$DAEMON_PID" "${NODE_IDLE:-1000}" 8 3 \
    "$(node_key 1)" $((250 * ${LIMIT_FACTOR:-1})) | tee "$WORK/idle"
at_most "bytes per idle connection" "$(sed -n 's/.*, \([0-9]*\) bytes each.*/\1/p' "$WORK/idle")" \
    $((65536 * ${LIMIT_FACTOR:-1}))
# A thousand readers at once: each gets its bytes, and the node lives.
python3 "$ROOT/tests/e2e/node_idle.py" "$DAEMON_PORT" "$DAEMON_PID" 10 1000 3 "$(node_key 1)" | tee "$WORK/active"
at_least "fragments read by 1000 readers" "$(sed -n 's/.* \([0-9]*\) reads;.*/\1/p' "$WORK/active")" 1000
daemon_stop
