#!/usr/bin/env bash
# limit: 240
# Seven storage nodes, 3+2: all are used. While the cluster is mounted a node joins and is used, one is
# drained and gets nothing new, one moves to another address and is found there; films stay byte-exact.
. "$(dirname "$0")/../cluster_lib.sh"

JOINED=''
join_end=$(declare -f at_exit | sed '1s/at_exit/cluster_exit/')
eval "$join_end"
at_exit() {
    [ -z "$JOINED" ] || ! [ -e "/proc/$JOINED" ] || kill -KILL "$JOINED"
    cluster_exit
}

# join: node n8, started by hand on any port.
join() {
    "$VSTACK_NODE" --id n8 --listen 127.0.0.1:0 --data "$CASE_DIR/n8" --cluster "$CLUSTER" --metas "$META_URL" \
        >"$CASE_DIR/n8.out" 2>>"$CASE_DIR/n8.err" </dev/null &
    JOINED=$!
}

node_state_is() {
    [ "$(vs_status ".nodes[] | select(.id == \"$1\") | .state")" = "$2" ]
}

# The node's own count: what status knows of it may be a few seconds old.
fragments() {
    curl -sS -m "$PATIENCE_S" "$(vs_status "[.nodes[] | select(.id == \"$1\") | .path][0]")/health" | jq -er .fragments
}

n8_has_some() {
    [ "$(fragments n8)" -gt 0 ]
}

n8_is_elsewhere() {
    node_state_is n8 up && [ "$(vs_status '.nodes[] | select(.id == "n8") | .path')" != "$was" ]
}

make_bytes "$WORK/a.bin" $((8 * CHUNK + 4321))
cl_up --metas 1 --nodes 7
META_URL=$(jq -r '.metas[0].url' "$DATA/cluster.json")
CLUSTER=$(jq -r .cluster "$DATA/cluster.json")
equal "form" "$(vs_status .new_files_stored_as)" rs:3+2
for n in 1 2 3 4 5; do cp "$WORK/a.bin" "$MNT/a$n.bin"; done
for n in 1 2 3 4 5; do same "$WORK/a.bin" "$MNT/a$n.bin"; done
for n in n1 n2 n3 n4 n5 n6 n7; do
    [ "$(fragments $n)" -gt 0 ] || fail "node $n holds no fragment of 45 chunks"
done
equal "registered nodes" "$(curl -sS -m "$PATIENCE_S" "$META_URL/nodes/health-summary" | jq -c '[.nodes, .up]')" "[7,7]"

# A node joins.
join
await "$PATIENCE_S" node_state_is n8 up
for n in 6 7 8; do cp "$WORK/a.bin" "$MNT/a$n.bin"; done
await "$PATIENCE_S" n8_has_some

# A node is drained.
curl -sS -m "$PATIENCE_S" -d '{"state":"draining"}' "$META_URL/nodes/n1/state" >/dev/null
await "$PATIENCE_S" node_state_is n1 draining
had=$(fragments n1)
for n in 9 10 11; do cp "$WORK/a.bin" "$MNT/a$n.bin"; done
[ "$(fragments n1)" -le "$had" ] || fail "the drained node got fragments: $had before, $(fragments n1) now"
equal "form" "$(vs_status .new_files_stored_as)" rs:3+2

# A node moves.
was=$(vs_status '.nodes[] | select(.id == "n8") | .path')
kill -KILL "$JOINED"
wait "$JOINED" || equal "how n8 ended" $? 137
await "$PATIENCE_S" node_state_is n8 down
join
await "$PATIENCE_S" n8_is_elsewhere

for n in 1 2 3 4 5 6 7 8 9 10 11; do same "$WORK/a.bin" "$MNT/a$n.bin"; done
kill -TERM "$JOINED"
wait "$JOINED" || fail "node n8: exit code $?"
JOINED=''
cl_down
