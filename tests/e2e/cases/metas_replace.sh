#!/usr/bin/env bash
# A metadata replica whose disk is lost is replaced by a new one while films are written; the new
# one's vote counts, and the old id is never taken again.
# limit: 150
. "$(dirname "$0")/../cluster_lib.sh"

NEW_DATA=$CASE_DIR/meta4

health() { # URL FILTER
    curl -sS -m "$PATIENCE_S" "$1/health" | jq -r "$2"
}

is_ready() {
    grep -q ready "$CASE_DIR/meta4.out"
}

writes() {
    make_bytes "$WORK/$1" 3000000 && cp "$WORK/$1" "$MNT/$1" 2>>"$CASE_DIR/cp.err"
}

new_meta() { # ID REPLACE PEERS: in the background; its messages in meta4.err
    "$VSTACK_META" --id "$1" --replace "$2" --listen "127.0.0.1:$PORT" --data "$NEW_DATA" \
        --cluster "$CLUSTER" --peers "$3" >"$CASE_DIR/meta4.out" 2>"$CASE_DIR/meta4.err" </dev/null &
    NEW_PID=$!
}

cl_up --metas 3
CLUSTER=$(jq -r .cluster "$DATA/cluster.json")
URL1=$(jq -r '.metas[] | select(.id == "1") | .url' "$DATA/cluster.json")
URL3=$(jq -r '.metas[] | select(.id == "3") | .url' "$DATA/cluster.json")
LOST=$(jq -r '.metas[] | select(.id == "2") | .data' "$DATA/cluster.json")
PORT=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
PEERS="1=$URL1,3=$URL3,4=http://127.0.0.1:$PORT"
await 30 writes before

cl_kill9_metas 2
rm -rf "$LOST"
new_meta 4 2 "$PEERS"
await 30 is_ready
await 30 writes after

# Its vote is needed now, and its records.
cl_kill9_metas 1
await 30 mkdir "$MNT/with_four"
same "$WORK/before" "$MNT/before"
same "$WORK/after" "$MNT/after"

# The same command at its next start; and who was a member never comes back empty.
kill -TERM "$NEW_PID"
wait "$NEW_PID" || fail "replica 4 ended with exit code $?"
new_meta 4 2 "$PEERS"
await 30 is_ready
await 30 mkdir "$MNT/again"
kill -KILL "$NEW_PID"
wait "$NEW_PID" || equal "how replica 4 ended" $? 137
rm -rf "$NEW_DATA"
if timeout "$PATIENCE_S" "$VSTACK_META" --id 4 --replace 2 --listen "127.0.0.1:$PORT" \
    --data "$NEW_DATA" --cluster "$CLUSTER" --peers "$PEERS" \
    >"$CASE_DIR/meta4.out" 2>"$CASE_DIR/meta4.err" </dev/null; then
    fail "replica 4 came back with an empty disk"
fi
grep -q "replica 4 was a member before" "$CASE_DIR/meta4.err" ||
    fail "the refusal says: $(tail -n 3 "$CASE_DIR/meta4.err")"
