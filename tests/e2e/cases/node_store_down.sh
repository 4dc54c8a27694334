#!/usr/bin/env bash
# A store that goes down under a node ends the process with a sentence and exit code 1, so that what
# supervises it starts it again; a node whose disk is gone does not come up as an empty one.
. "$(dirname "$0")/../node_lib.sh"

make_bytes "$WORK/f" 100000
node_start
equal "put" "$(node_put "$(node_key 1)" "$WORK/f")" 201

# Its directory is emptied, as by somebody who cleans up.
cp -a "$NODE_DATA" "$CASE_DIR/copy"
rm "$NODE_DATA"/*
rc=0
timeout "$PATIENCE_S" tail --pid="$DAEMON_PID" -f /dev/null || fail "the node goes on without its disk"
wait "$DAEMON_PID" || rc=$?
DAEMON_PID=''
equal "exit code" "$rc" 1
grep -q 'Its directory .*was removed.* -> the process ends, to be started again' "$CASE_DIR/daemon.err" ||
    fail "the log says: $(cat "$CASE_DIR/daemon.err")"
node_refused 'is empty, and should hold the store of node n1; is its disk mounted' \
    --id n1 --listen 127.0.0.1:0 --data "$NODE_DATA" --existing

# The disk comes back, as it was under the running node.
cp -a "$CASE_DIR/copy"/* "$NODE_DATA"
node_start --existing
equal "get" "$(node_get "$(node_key 1)" "$WORK/g")" 200
same "$WORK/f" "$WORK/g"
daemon_stop
