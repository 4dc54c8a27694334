# shellcheck shell=bash
# The metadata daemon for the end-to-end cases: a real process of vstack-meta.
#
#   . "$(dirname "$0")/../meta_lib.sh"
#   meta_start [FLAG...]         starts replica 1 on $META_DATA, returns when it is ready
#   daemon_stop  daemon_kill9    ends it politely (exit code must be 0), or not
#   meta_refused PATTERN FLAG... this start must fail with exit code 1 and such a sentence
#   meta_get PATH                prints what it answers
#
# $DAEMON_URL, $DAEMON_PORT, $DAEMON_PID belong to the replica that runs; after the first start it
# keeps its port.
. "$(dirname "${BASH_SOURCE[0]}")/daemon_lib.sh"

VSTACK_META=${VSTACK_META:-$BUILD/vstack-meta}
META_DATA=$CASE_DIR/meta
[ -x "$VSTACK_META" ] || fail "$VSTACK_META is not built; run make first"

meta_start() {
    daemon_start "vstack-meta 1" \
        "$VSTACK_META" --id 1 --listen "127.0.0.1:${DAEMON_PORT:-0}" --data "$META_DATA" "$@"
}

meta_refused() {
    local pattern=$1
    shift
    daemon_refused "$pattern" "$VSTACK_META" "$@"
}

meta_get() {
    curl -sS -m "$PATIENCE_S" "$DAEMON_URL$1"
}
