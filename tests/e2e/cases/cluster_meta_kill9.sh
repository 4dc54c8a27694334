#!/usr/bin/env bash
# kill -9 of three metadata replicas, all nodes and the mount at once, in the middle of uploads: after up,
# what cp had acknowledged is there, byte-exact.
# limit: 100
. "$(dirname "$0")/../cluster_lib.sh"

CYCLES=${CLUSTER_KILL_CYCLES:-3}
sizes=(5000 300000 $((CHUNK - 1)) $((2 * CHUNK + 100)))
for i in "${!sizes[@]}"; do make_bytes "$WORK/pool.$i" "${sizes[i]}"; done

touch "$WORK/acknowledged.inbox" "$WORK/acknowledged.mnt"
cl_up --metas 3
for cycle in $(seq "$CYCLES"); do
    cl_upload "$cycle" "$MNT/inbox" &
    one=$!
    cl_upload "$cycle" "$MNT" &
    two=$!
    sleep "1.$RANDOM" # the moment of the kill, not a wait
    cl_kill9_all
    wait $one $two
    cl_up
    while read -r name; do
        same "$WORK/pool.${name##*.}" "$MNT/$name"
    done < <(cat "$WORK"/acknowledged.*)
done
at_least "acknowledged uploads" "$(cat "$WORK"/acknowledged.* | wc -l)" "$CYCLES"
cl_down
