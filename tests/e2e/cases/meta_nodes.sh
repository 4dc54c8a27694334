#!/usr/bin/env bash
# limit: 240
# Storage nodes register with the metadata and are judged by their heartbeats: one that is killed or
# frozen is suspect, then down, and up again when it is back; one of another cluster, or with a
# foreign store, is refused; a replica that starts anew calls nobody down that it has not listened to.
. "$(dirname "$0")/../meta_lib.sh"

VSTACK_NODE=$BUILD/vstack-node
declare -A NODE_PID

at_exit() {
    local pid
    for pid in "${NODE_PID[@]}"; do
        [ -e "/proc/$pid" ] && kill -KILL "$pid"
    done
    daemon_end
}

# run_node N [FLAG...]: node nN of this cluster, in the background.
run_node() {
    local n=$1
    shift
    "$VSTACK_NODE" --id "n$n" --listen 127.0.0.1:0 --data "$CASE_DIR/n$n" --cluster "$CLUSTER" \
        --metas "$DAEMON_URL" "$@" >"$CASE_DIR/n$n.out" 2>>"$CASE_DIR/n$n.err" </dev/null &
    NODE_PID[$n]=$!
}

state_is() {
    [ "$(meta_get /nodes/all | jq -r ".nodes[] | select(.id == \"$1\") | .state")" = "$2" ]
}

all_up() {
    [ "$(meta_get /nodes/health-summary | jq -c '[.nodes, .up]')" = "[$1,$1]" ]
}

heard_all() {
    [ "$(meta_get /nodes/all | jq '[.nodes[] | select(.heard)] | length')" = "$1" ]
}

meta_start
CLUSTER=$(meta_get /health | jq -r .cluster)
for n in 1 2 3 4 5; do run_node $n; done
await "$PATIENCE_S" all_up 5
slot=$(meta_get /stats | jq .applied_slot)

# Killed: suspect, down; started again: up, without an entry but for its new address.
kill -KILL "${NODE_PID[3]}"
wait "${NODE_PID[3]}" || equal "how n3 ended" $? 137
await "$PATIENCE_S" state_is n3 suspect
await "$PATIENCE_S" state_is n3 down
equal "healthy nodes" "$(meta_get /nodes/healthy | jq -c '[.nodes[].id] | sort')" '["n1","n2","n4","n5"]'
run_node 3
await "$PATIENCE_S" state_is n3 up
[ "$(meta_get /stats | jq .applied_slot)" -le $((slot + 1)) ] || fail "heartbeats cost entries of the journal"

# Frozen.
kill -STOP "${NODE_PID[2]}"
await "$PATIENCE_S" state_is n2 suspect
await "$PATIENCE_S" state_is n2 down
kill -CONT "${NODE_PID[2]}"
await "$PATIENCE_S" state_is n2 up

# The store of another cluster, and another store under a name that is taken.
FOREIGN=$(printf '%032x' 77)
"$VSTACK_NODE" --id n6 --listen 127.0.0.1:0 --data "$CASE_DIR/foreign" --cluster "$FOREIGN" --metas "$DAEMON_URL" \
    >"$CASE_DIR/foreign.out" 2>"$CASE_DIR/foreign.err" </dev/null &
NODE_PID[6]=$!
"$VSTACK_NODE" --id n1 --listen 127.0.0.1:0 --data "$CASE_DIR/rival" --cluster "$CLUSTER" --metas "$DAEMON_URL" \
    >"$CASE_DIR/rival.out" 2>"$CASE_DIR/rival.err" </dev/null &
NODE_PID[7]=$!
await "$PATIENCE_S" grep -q "belongs to cluster $FOREIGN" "$CASE_DIR/foreign.err"
await "$PATIENCE_S" grep -q "n1 is the id of another node" "$CASE_DIR/rival.err"
equal "nodes" "$(meta_get /nodes/health-summary | jq .nodes)" 5
kill "${NODE_PID[6]}" "${NODE_PID[7]}"
for n in 6 7; do wait "${NODE_PID[$n]}" || fail "the refused node $n ended with exit code $?"; done

# A replica that starts anew: nobody is down, and everybody registers again by himself.
daemon_kill9
meta_start
equal "down after a start" "$(meta_get /nodes/health-summary | jq .down)" 0
await "$PATIENCE_S" heard_all 5
await "$PATIENCE_S" all_up 5
daemon_stop

# Nodes serve without the metadata, and find it again.
for n in 1 2 3 4 5; do
    curl -sS -m "$PATIENCE_S" "$(sed 's/.* on \(.*\)/http:\/\/\1/' "$CASE_DIR/n$n.out")/ping" >/dev/null
done
meta_start
await "$PATIENCE_S" heard_all 5
for n in 1 2 3 4 5; do
    kill -TERM "${NODE_PID[$n]}"
    wait "${NODE_PID[$n]}" || fail "node n$n: exit code $?"
done
daemon_stop
