#!/usr/bin/env bash
# vstackfs nodes, by the mount and without one: a node that is killed is said to be down, and what to do; a
# frozen replica of the metadata, be it the leader, or the loss of the majority keeps nobody from listing;
# with no replica left it is a sentence. vstackfs status --cluster says who the replicas are.
# limit: 100
. "$(dirname "$0")/../cluster_lib.sh"

FILE=$DATA/cluster.json
ALL_UP="n1 up n2 up n3 up n4 up n5 up"

states() { # states --cluster FILE | --mount MNT
    vs nodes --json "$@" | jq -er '[.nodes[] | "\(.id) \(.state)"] | sort | join(" ")'
}

states_are() {
    [ "$(states --cluster "$FILE")" = "$1" ]
}

cluster_status() {
    vs status --json --cluster "$FILE" | jq -er "$1"
}

cl_up --metas 3 --nodes 5
await "$PATIENCE_S" states_are "$ALL_UP"
equal "states by the mount" "$(states --mount "$MNT")" "$ALL_UP"
equal "state" "$(cluster_status .state)" ok
equal "replicas" "$(cluster_status '[.metas[] | "\(.id) \(.state)"] | join(" ")')" "1 up 2 up 3 up"
leader=$(cl_leader)
equal "leader" "$(cluster_status '.metas[] | select(.role == "leader") | .id')" "$leader"
equal "addresses" "$(vs nodes --json --cluster "$FILE" | jq -c '[.nodes[].address] | sort')" "$(jq -c '[.nodes[].url] | sort' "$FILE")"

# A node is killed.
cl_kill9 n3
await "$PATIENCE_S" states_are "${ALL_UP/n3 up/n3 down}"
vs nodes --cluster "$FILE" >"$CASE_DIR/table"
equal "rows" "$(wc -l <"$CASE_DIR/table")" 7
equal "last line" "$(tail -n 1 "$CASE_DIR/table" | cut -c 1-38)" "n3 is down: start vstack-node there ag"

# The leader is frozen: the others say it, of a cluster that is degraded.
cl_signal_metas STOP "$leader"
equal "states with a frozen leader" "$(states --cluster "$FILE")" "${ALL_UP/n3 up/n3 down}"
equal "states by the mount with a frozen leader" "$(states --mount "$MNT")" "${ALL_UP/n3 up/n3 down}"
equal "frozen" "$(cluster_status ".metas[] | select(.id == \"$leader\") | .state")" down
equal "state" "$(cluster_status .state)" degraded

# A second one: no majority, and the last one still says what it hears; then none.
second=$((leader % 3 + 1)) third=$(((leader + 1) % 3 + 1))
cl_kill9_metas "$second"
equal "states by one replica" "$(states --cluster "$FILE")" "${ALL_UP/n3 up/n3 down}"
equal "state" "$(cluster_status .state)" down
cl_kill9_metas "$third"
for command in nodes status; do
    refute vs "$command" --cluster "$FILE" >"$CASE_DIR/listed"
    equal "$command listed" "$(cat "$CASE_DIR/listed")" ""
    tail -n 1 "$CASE_DIR/vstackfs.err" | grep -q 'no metadata replica of .* answers; start them' ||
        fail "$command said $(tail -n 1 "$CASE_DIR/vstackfs.err")"
done

cl_signal_metas CONT "$leader"
cl_up
await "$PATIENCE_S" states_are "$ALL_UP"
cl_down
