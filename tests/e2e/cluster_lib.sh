# shellcheck shell=bash
# A local cluster for the end-to-end cases: vstackfs up, real vstack-node processes, a mount.
#
#   . "$(dirname "$0")/../cluster_lib.sh"
#   cl_up [ARGUMENT...]          starts or restarts the cluster of $DATA, mounted on $MNT
#   cl_daemons [ARGUMENT...]     the same without a mount
#   cl_mount DIR [ARGUMENT...]   one more mount of it; what that keeps is in DIR.data
#   cl_mount_pid DIR             the process that serves it
#   cl_down                      ends it; fails when a process of it is left
#   cl_signal STOP n2 n4         a signal to these nodes;  cl_kill9 n1 n3  waits until they are gone
#   cl_empty n2                  removes everything that its store holds
#   node_pid n3   meta_pid 1     its process number, from cluster.json
#   cl_signal_metas STOP 1 2     cl_kill9_metas 3     the same for replicas of the metadata
#   cl_kill9_all                 everything at once, the mount too
#   cl_kill9_cycles ARGUMENT...  kill -9 of everything in the middle of uploads, again and again
#   cl_reads_on FD FILE          the rest of an open film (two chunks were read) plays, byte-exact
#   cl_is_down                   without metadata all else is EHOSTDOWN, in bounded time
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

VSTACK_NODE=${VSTACK_NODE:-$BUILD/vstack-node}
VSTACK_META=${VSTACK_META:-$BUILD/vstack-meta}
for program in "$VSTACK_NODE" "$VSTACK_META"; do
    [ -x "$program" ] || fail "$program is not built; run make first"
done
# From the first question to the error, where no majority answers; a question has 10 s.
DOWN_S=$((15 * ${LIMIT_FACTOR:-1}))

node_pid() {
    jq -er ".nodes[] | select(.id == \"$1\") | .pid" "$DATA/cluster.json"
}

meta_pid() {
    jq -er ".metas[] | select(.id == \"$1\") | .pid" "$DATA/cluster.json"
}

# Processes of nodes and replicas that this case started.
our_node_pids() {
    local exe
    for exe in /proc/[0-9]*/exe; do
        [ "$exe" -ef "$VSTACK_NODE" ] || [ "$exe" -ef "$VSTACK_META" ] || continue
        grep -zqxF "CASE_DIR=$CASE_DIR" "${exe%exe}environ" 2>/dev/null || continue
        exe=${exe#/proc/}
        echo "${exe%/exe}"
    done
}

# The end of a case: nodes run until the mount is gone, so that it can end, and then end, too.
at_exit() {
    local pid target
    for pid in $(our_node_pids); do kill -CONT "$pid"; done
    for target in $(our_mounts); do
        timeout "$PATIENCE_S" "$VSTACKFS" umount "$target" >/dev/null 2>>"$CASE_DIR/vstackfs.err" || force_umount "$target"
    done
    for pid in $(our_pids); do timeout "$PATIENCE_S" tail --pid="$pid" -f /dev/null; done
    for pid in $(our_node_pids); do kill -KILL "$pid"; done
}

cl_up() {
    timeout $((2 * PATIENCE_S)) "$VSTACKFS" up --dir "$DATA" "$@" "$MNT" \
        >>"$CASE_DIR/vstackfs.out" 2>>"$CASE_DIR/vstackfs.err" </dev/null ||
        fail "vstackfs up --dir $DATA $* $MNT: exit code $?: $(tail -n 3 "$CASE_DIR/vstackfs.err")"
    is_mounted || fail "vstackfs up returned 0, and $MNT is not mounted"
}

cl_daemons() {
    timeout $((2 * PATIENCE_S)) "$VSTACKFS" up --dir "$DATA" "$@" \
        >>"$CASE_DIR/vstackfs.out" 2>>"$CASE_DIR/vstackfs.err" </dev/null ||
        fail "vstackfs up --dir $DATA $*: exit code $?: $(tail -n 3 "$CASE_DIR/vstackfs.err")"
}

cl_mount() {
    local dir=$1
    shift
    mkdir -p "$dir"
    timeout "$PATIENCE_S" "$VSTACKFS" --cluster "$DATA/cluster.json" --data "$dir.data" "$@" "$dir" \
        >>"$CASE_DIR/vstackfs.out" 2>>"$CASE_DIR/vstackfs.err" </dev/null ||
        fail "vstackfs --cluster $DATA/cluster.json $* $dir: exit code $?: $(tail -n 3 "$CASE_DIR/vstackfs.err")"
}

cl_mount_pid() {
    local pid
    for pid in $(our_pids); do
        [ "$(tr '\0' '\n' <"/proc/$pid/cmdline" | tail -n 1)" = "$1" ] && echo "$pid" && return
    done
    return 1
}

cl_down() {
    timeout $((4 * PATIENCE_S)) "$VSTACKFS" down --dir "$DATA" 2>>"$CASE_DIR/vstackfs.err" ||
        fail "vstackfs down: exit code $?: $(tail -n 3 "$CASE_DIR/vstackfs.err")"
    ! is_mounted || fail "down returned 0, and $MNT is still mounted"
    equal "processes left by down" "$(our_pids; our_node_pids)" ""
}

kill9_each() { # PID_OF ID...
    local pid_of=$1 id pid
    shift
    for id in "$@"; do
        pid=$("$pid_of" "$id")
        kill -KILL "$pid"
        await "$PATIENCE_S" process_gone "$pid"
    done
}

signal_each() { # PID_OF SIGNAL ID...
    local pid_of=$1 signal=$2 id
    shift 2
    for id in "$@"; do kill "-$signal" "$("$pid_of" "$id")"; done
}

cl_signal() { signal_each node_pid "$@"; }
cl_kill9() { kill9_each node_pid "$@"; }
cl_signal_metas() { signal_each meta_pid "$@"; }
cl_kill9_metas() { kill9_each meta_pid "$@"; }

cl_kill9_all() {
    local pids pid
    pids="$(our_pids) $(our_node_pids)"
    for pid in $pids; do # a helper ends by itself when its mount is gone
        kill -KILL "$pid" 2>>"$CASE_DIR/said" || process_gone "$pid" || fail "$pid cannot be killed"
    done
    for pid in $pids; do await "$PATIENCE_S" process_gone "$pid"; done
}

cl_reads_on() {
    cat <&"$1" >"$CASE_DIR/rest" || fail "an open film stopped playing"
    cmp "$CASE_DIR/rest" <(tail -c +$((2 * CHUNK + 1)) "$2") || fail "an open film played other bytes"
    rm "$CASE_DIR/rest"
}

# is_error COMMAND...: it fails with EHOSTDOWN within DOWN_S and prints nothing.
is_error() {
    local began=$SECONDS
    : >"$CASE_DIR/said"
    refute "$@" >"$CASE_DIR/listed"
    at_most "seconds until the error of $*" $((SECONDS - began)) "$DOWN_S"
    grep -q 'Host is down' "$CASE_DIR/said" || fail "$*: said '$(cat "$CASE_DIR/said")', not EHOSTDOWN"
    [ ! -s "$CASE_DIR/listed" ] || fail "$* listed $(cat "$CASE_DIR/listed")"
}

cl_is_down() {
    is_error ls "$MNT"
    is_error stat "$MNT/film.mkv"
    is_error cp "$WORK/small.txt" "$MNT/new.txt"
    equal "state without metadata" "$(vs_status .state)" down
}

cl_empty() {
    local node
    for node in "$@"; do find "$DATA/nodes/$node" -mindepth 1 -delete; done
}

# cl_upload CYCLE FOLDER: until one fails; what cp acknowledged is in $WORK/acknowledged.*: names that end
# with the number of their content, $WORK/pool.N.
cl_upload() {
    local count=0 i name pool=("$WORK"/pool.*)
    while :; do
        i=$((count % ${#pool[@]}))
        name=$1-$(basename "$2")-$count.$i
        cp "$WORK/pool.$i" "$2/$name" 2>>"$CASE_DIR/said" || return 0
        echo "$name" >>"$WORK/acknowledged.$(basename "$2")"
        count=$((count + 1))
    done
}

# Of the names on its standard input each holds what cl_upload has put there.
cl_uploads_are_there() {
    local name
    while read -r name; do same "$WORK/pool.${name##*.}" "$MNT/$name"; done
}

# cl_kill9_cycles ARGUMENT...: a cluster started with these is killed in the middle of uploads, again and
# again: after up, what cp had acknowledged is there. It ends with the cluster down.
cl_kill9_cycles() {
    local cycles=${CLUSTER_KILL_CYCLES:-3} sizes=(5000 300000 $((CHUNK - 1)) $((2 * CHUNK + 100))) i cycle one two
    for i in "${!sizes[@]}"; do make_bytes "$WORK/pool.$i" "${sizes[i]}"; done
    touch "$WORK/acknowledged.inbox" "$WORK/acknowledged.mnt"
    cl_up "$@"
    for cycle in $(seq "$cycles"); do
        cl_upload "$cycle" "$MNT/inbox" &
        one=$!
        cl_upload "$cycle" "$MNT" &
        two=$!
        sleep "1.$RANDOM" # the moment of the kill, not a wait
        cl_kill9_all
        wait $one $two
        cl_up
        cl_uploads_are_there < <(cat "$WORK"/acknowledged.*)
    done
    at_least "acknowledged uploads" "$(cat "$WORK"/acknowledged.* | wc -l)" "$cycles"
    cl_down
}

cl_metas_are() {
    [ "$(vs_status '[.metas[].state] | join(" ")')" = "$1" ]
}

# The replica that leads.
cl_leader() {
    local deadline=$((SECONDS + PATIENCE_S))
    until vs_status '.metas[] | select(.role == "leader") | .id'; do
        [ $SECONDS -lt $deadline ] || fail "no replica leads"
        sleep 0.05
    done
}

cl_states_are() {
    [ "$(vs_status '[.nodes[].state] | join(" ")')" = "$1" ]
}

# Nothing of what was read before comes from memory: the mount is a new one.
cl_remount() {
    local pid
    pid=$(vs_pid)
    timeout "$PATIENCE_S" "$VSTACKFS" umount "$MNT"
    await "$PATIENCE_S" process_gone "$pid"
    timeout "$PATIENCE_S" "$VSTACKFS" --cluster "$DATA/cluster.json" "$MNT" >>"$CASE_DIR/vstackfs.out" 2>>"$CASE_DIR/vstackfs.err"
}
