#!/usr/bin/env bash
# kill -9 of the mount and of all nodes at once, in the middle of uploads: after up, what cp had
# acknowledged is there, byte-exact. And another node's store, or another cluster's, is refused.
# limit: 60
. "$(dirname "$0")/../cluster_lib.sh"

cl_kill9_cycles --metas 0

# Stores that have changed places are noticed by the nodes, another cluster's by its number.
mv "$DATA/nodes/n1" "$CASE_DIR/aside"
mv "$DATA/nodes/n2" "$DATA/nodes/n1"
vs_refused 'node n1 did not start: .*directory of node n2' up --dir "$DATA" "$MNT"
mv "$DATA/nodes/n1" "$DATA/nodes/n2"
mkdir "$CASE_DIR/other"
"$VSTACKFS" up --dir "$CASE_DIR/other" --metas 0 --nodes 1
"$VSTACKFS" down --dir "$CASE_DIR/other"
mv "$CASE_DIR/other/nodes/n1" "$DATA/nodes/n1"
vs_refused 'node n1 did not start: .*belongs to cluster' up --dir "$DATA" "$MNT"

# A node with another store than it was registered with is down, however it came about.
cp -a "$DATA/nodes/n1" "$CASE_DIR/foreign"
rm -rf "$DATA/nodes/n1"
cluster=$(jq -r .cluster "$DATA/cluster.json")
cl_up --degraded
"$VSTACK_NODE" --id n1 --listen "$(jq -r '.nodes[0].url | ltrimstr("http://")' "$DATA/cluster.json")" \
    --data "$DATA/nodes/n1" --cluster "$cluster" >"$CASE_DIR/n1.out" 2>&1 &
other_store_is_said() {
    vs_status '.nodes[0] | select(.state == "down") | .why' | grep -q 'another store'
}
await "$PATIENCE_S" other_store_is_said
make_bytes "$WORK/new.bin" 300000
cp "$WORK/new.bin" "$MNT/new.bin"
equal "stored_as without n1" "$(vattr "$MNT/new.bin" stored_as)" rs:2+2
cl_uploads_are_there < <(tail -n 5 "$WORK/acknowledged.mnt")
