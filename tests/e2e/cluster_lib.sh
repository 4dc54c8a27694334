# shellcheck shell=bash
# A local cluster for the end-to-end cases: vstackfs up, real vstack-node processes, a mount.
#
#   . "$(dirname "$0")/../cluster_lib.sh"
#   cl_up [ARGUMENT...]          starts or restarts the cluster of $DATA, mounted on $MNT
#   cl_down                      ends it; fails when a process of it is left
#   cl_signal STOP n2 n4         a signal to these nodes;  cl_kill9 n1 n3  waits until they are gone
#   cl_empty n2                  removes everything that its store holds
#   node_pid n3                  its process number, from cluster.json
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

VSTACK_NODE=${VSTACK_NODE:-$BUILD/vstack-node}
[ -x "$VSTACK_NODE" ] || fail "$VSTACK_NODE is not built; run make first"

node_pid() {
    jq -er ".nodes[] | select(.id == \"$1\") | .pid" "$DATA/cluster.json"
}

# Processes of nodes that this case started.
our_node_pids() {
    local exe
    for exe in /proc/[0-9]*/exe; do
        [ "$exe" -ef "$VSTACK_NODE" ] || continue
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

cl_down() {
    timeout $((4 * PATIENCE_S)) "$VSTACKFS" down --dir "$DATA" 2>>"$CASE_DIR/vstackfs.err" ||
        fail "vstackfs down: exit code $?: $(tail -n 3 "$CASE_DIR/vstackfs.err")"
    ! is_mounted || fail "down returned 0, and $MNT is still mounted"
    equal "processes left by down" "$(our_pids; our_node_pids)" ""
}

cl_signal() {
    local signal=$1 node
    shift
    for node in "$@"; do kill "-$signal" "$(node_pid "$node")"; done
}

cl_kill9() {
    local node pid
    for node in "$@"; do
        pid=$(node_pid "$node")
        kill -KILL "$pid"
        await "$PATIENCE_S" process_gone "$pid"
    done
}

cl_empty() {
    local node
    for node in "$@"; do find "$DATA/nodes/$node" -mindepth 1 -delete; done
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
