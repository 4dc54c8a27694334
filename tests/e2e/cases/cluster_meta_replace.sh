#!/usr/bin/env bash
# A replica's disk is lost: up says the command that puts a new one in its place, and with it nothing needs
# to be mounted or started again: the newcomer leads, knows the nodes, and is found by mounts and nodes that
# know nothing but replicas that are gone.
# limit: 240
. "$(dirname "$0")/../cluster_lib.sh"

meta_ids() { jq -r '[.metas[].id] | join(" ")' "$DATA/cluster.json"; }
meta_url() { jq -er ".metas[] | select(.id == \"$1\") | .url" "$DATA/cluster.json"; }
mount_knows() { [ "$(vs_status '[.metas[] | "\(.id) \(.state)"] | join(" ")')" = "$1" ]; }
nodes_up_at() { # REPLICA COUNT
    [ "$(curl -sS -m "$PATIENCE_S" "$(meta_url "$1")/nodes/healthy" | jq .total)" = "$2" ]
}
writes() { cp "$WORK/noise.bin" "$MNT/$1.bin" 2>>"$CASE_DIR/cp.err"; }

lose() { # ID
    cl_kill9_metas "$1"
    rm -r "$(jq -er ".metas[] | select(.id == \"$1\") | .data" "$DATA/cluster.json")"
}

# It leads once it has won an election; until then, whoever does is killed.
make_leader() { # ID
    local leader tries
    for tries in {1..20}; do
        leader=$(cl_leader)
        [ "$leader" != "$1" ] || return 0
        cl_kill9_metas "$leader"
        await "$PATIENCE_S" writes "election-$tries"
        [ "$(cl_leader)" != "$1" ] || return 0
        cl_up
    done
    fail "replica $1 never leads"
}

make_bytes "$WORK/noise.bin" $((CHUNK + 4321))
film=$(make_video mkv)
cl_up
pid=$(vs_pid)
cp "$DATA/cluster.json" "$CASE_DIR/old.json"
cp "$film" "$MNT/film.mkv"
await "$PATIENCE_S" nodes_up_at 1 5

# The refusal says the command.
lose 2
said=$(timeout $((2 * PATIENCE_S)) "$VSTACKFS" up --dir "$DATA" "$MNT" 2>&1) && fail "up went on without replica 2"
grep -q 'replica 2 has no metadata in .*is its disk mounted' <<<"$said" || fail "up says: $said"
said=$(grep -o 'up --dir [^ ]* --replace-meta 2' <<<"$said")
vs_refused 'there is no replica 9' up --dir "$DATA" --replace-meta 9
vs_refused "replica 1 runs.*kill $(meta_pid 1)" up --dir "$DATA" --replace-meta 1
# shellcheck disable=SC2086
timeout $((2 * PATIENCE_S)) "$VSTACKFS" $said 2>>"$CASE_DIR/vstackfs.err" || fail "vstackfs $said: exit code $?"
equal "replicas" "$(meta_ids)" "1 4 3"
equal "marks of a change in cluster.json" "$(jq '[.metas[] | select(.replaces)] | length' "$DATA/cluster.json")" 0
await "$PATIENCE_S" mount_knows "1 up 4 up 3 up"
await "$PATIENCE_S" nodes_up_at 4 5
equal "the mount's process" "$(vs_pid)" "$pid"

# The newcomer leads, and has all that it takes.
make_leader 4
await "$PATIENCE_S" writes led
same "$WORK/noise.bin" "$MNT/led.bin"
same "$film" "$MNT/film.mkv"
equal "nodes that are up" "$(vs_status '[.nodes[] | select(.state == "up")] | length')" 5
cl_up

# None of those that mount and nodes were started with is left.
for id in 1 3; do
    lose $id
    timeout $((2 * PATIENCE_S)) "$VSTACKFS" up --dir "$DATA" --replace-meta $id 2>>"$CASE_DIR/vstackfs.err" ||
        fail "replacing $id: exit code $?: $(tail -n 3 "$CASE_DIR/vstackfs.err")"
done
equal "replicas" "$(meta_ids)" "5 4 6"
await "$PATIENCE_S" mount_knows "5 up 4 up 6 up"
for id in 4 5 6; do await "$PATIENCE_S" nodes_up_at $id 5; done
await "$PATIENCE_S" writes later
same "$WORK/noise.bin" "$MNT/later.bin"
equal "the mount's process" "$(vs_pid)" "$pid"

# A node and a mount that are started with the addresses of long ago.
mapfile -d '' -t old_line <"/proc/$(node_pid n1)/cmdline"
cl_kill9 n1
"${old_line[@]}" >"$CASE_DIR/n1.out" 2>"$CASE_DIR/n1.err" </dev/null &
for id in 4 5 6; do await "$PATIENCE_S" nodes_up_at $id 5; done
timeout "$PATIENCE_S" "$VSTACKFS" umount "$MNT"
await "$PATIENCE_S" process_gone "$pid"
kept=$(find "$DATA/mounts" -name metas.json)
timeout "$PATIENCE_S" "$VSTACKFS" --cluster "$CASE_DIR/old.json" --data "$(dirname "$kept")" "$MNT" \
    >>"$CASE_DIR/vstackfs.out" 2>>"$CASE_DIR/vstackfs.err"
same "$film" "$MNT/film.mkv"
same "$WORK/noise.bin" "$MNT/later.bin"

# Over a polite end of everything, too.
timeout "$PATIENCE_S" "$VSTACKFS" umount "$MNT"
kill -TERM %1
wait %1 || fail "n1 ended with exit code $?"
cl_down
cl_up
same "$film" "$MNT/film.mkv"
same "$WORK/noise.bin" "$MNT/led.bin"
cl_down
