#!/usr/bin/env bash
# A local cluster from one command: up, films in, byte-exact; down leaves no process; up again finds all;
# refusals are sentences, and leave nothing running.
# limit: 60
. "$(dirname "$0")/../cluster_lib.sh"

film=$(make_video mkv small)
make_bytes "$WORK/noise.bin" $((2 * CHUNK + 4321))
vs_refused 'No such file' down --dir "$DATA"
cl_up --metas 0
grep -qF "vstackfs down --dir $DATA" "$CASE_DIR/vstackfs.out" || fail "the first start does not say how to stop"
equal "nodes" "$(vs_status '[.nodes[].id] | join(" ")')" "n1 n2 n3 n4 n5"
cl_states_are "up up up up up" || fail "not all nodes are up: $(vs_status .advice)"
equal "metadata" "$(vs_status .metadata)" "this mount alone"
equal "cluster.json" "$(jq -r '"\(.version) \(.metas | length) \(.nodes | length) \(.mounts[0].path)"' "$DATA/cluster.json")" "1 0 5 $MNT"
for n in 1 2 3 4 5; do
    tr '\0' '\n' <"/proc/$(node_pid n$n)/cmdline" | grep -qxF "$DATA/nodes/n$n" || fail "n$n runs without its directory"
done
equal "the mount's process" "$(jq -r '.mounts[0].pid' "$DATA/cluster.json")" "$(vs_pid)"
cp "$film" "$WORK/noise.bin" "$MNT/inbox/"
same "$film" "$MNT/$(basename "$film")"
same "$WORK/noise.bin" "$MNT/noise.bin"
equal "stored_as" "$(vattr "$MNT/noise.bin" stored_as)" rs:3+2
[ "$(df --output=avail -B1 "$MNT" | tail -n 1)" -gt 0 ] || fail "df says there is no room"

# Up once more changes nothing; what cannot be is refused.
before=$(cat "$DATA/cluster.json")
cl_up
equal "cluster.json after a second up" "$(cat "$DATA/cluster.json")" "$before"
vs_refused 'has 5 nodes already' up --dir "$DATA" --nodes 6
vs_refused 'dir is required|--dir' up "$MNT"
mkdir "$CASE_DIR/other"
vs_refused 'in use by another mount' --cluster "$DATA/cluster.json" "$CASE_DIR/other"

# In use: nothing is ended.
exec {held}<"$MNT/noise.bin"
vs_refused 'is in use' down --dir "$DATA"
exec {held}<&-
same "$WORK/noise.bin" "$MNT/noise.bin"
cl_down
vs_refused 'vstackfs --cluster' --data "$DATA" "$MNT"
ports=$(jq -r '.nodes[].url' "$DATA/cluster.json")
cl_up
equal "addresses" "$(jq -r '.nodes[].url' "$DATA/cluster.json")" "$ports"
same "$film" "$MNT/$(basename "$film")"
same "$WORK/noise.bin" "$MNT/noise.bin"
cl_down

# What is deleted while a node is down is deleted there when it is back.
cl_up
cl_kill9 n2
await "$PATIENCE_S" cl_states_are "up down up up up"
rm "$MNT/noise.bin"
cp "$WORK/noise.bin" "$MNT/noise.bin"
equal "stored_as without n2" "$(vattr "$MNT/noise.bin" stored_as)" rs:2+2
fragments_are() { # at least, at most
    local n
    n=$(vs_status ".nodes[] | select(.id == \"$1\") | .fragments")
    [ "$n" -ge "$2" ] && [ "$n" -le "$3" ]
}
cl_up
# The small film is all that n2 should hold: its chunks, and a copy of its one segment; maybe the
# newest copy of the metadata, too.
chunks=$(vs_info "$MNT/$(basename "$film")" .chunks)
await "$PATIENCE_S" fragments_are n2 $((chunks + 1)) $((chunks + 3))
cl_down

# A start that fails ends what it had started.
mv "$DATA/nodes/n3" "$CASE_DIR/n3"
vs_refused 'node n3 did not start: .*No such file' up --dir "$DATA" "$MNT"
equal "processes left by a failed up" "$(our_pids; our_node_pids)" ""
cl_up --degraded
same "$WORK/noise.bin" "$MNT/noise.bin"
refute test -e "$DATA/nodes/n3/store.id"
cl_down
