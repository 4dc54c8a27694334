# shellcheck shell=bash
# Storage nodes for the end-to-end cases: real processes of vstack-node, curl, raw sockets.
#
#   . "$(dirname "$0")/../node_lib.sh"
#   node_start [FLAG...]         starts node n1 on $NODE_DATA, returns when it is ready
#   daemon_stop  daemon_kill9    ends it politely (exit code must be 0), or not
#   node_refused PATTERN FLAG... this start must fail with exit code 1 and such a sentence
#   node_put KEY FILE            prints the HTTP status;  node_get KEY FILE  the same
#
# $DAEMON_URL, $DAEMON_PORT, $DAEMON_PID belong to the node that runs.
. "$(dirname "${BASH_SOURCE[0]}")/daemon_lib.sh"

VSTACK_NODE=${VSTACK_NODE:-$BUILD/vstack-node}
NODE_DATA=$CASE_DIR/node
[ -x "$VSTACK_NODE" ] || fail "$VSTACK_NODE is not built; run make first"

node_start() {
    daemon_start "vstack-node n1" "$VSTACK_NODE" --id n1 --listen 127.0.0.1:0 --data "$NODE_DATA" "$@"
}

node_refused() {
    local pattern=$1
    shift
    daemon_refused "$pattern" "$VSTACK_NODE" "$@"
}

# node_key N: the name of fragment N.
node_key() {
    printf '%032x.0.1' "$1"
}

node_put() {
    curl -sS -m "$PATIENCE_S" -o "$CASE_DIR/answer" -w '%{http_code}' -T "$2" \
        -H "X-Vstack-SHA256: $(sha256sum "$2" | cut -c1-64)" "$DAEMON_URL/chunk/$1"
}

node_get() {
    curl -sS -m "$PATIENCE_S" -o "$2" -w '%{http_code}' "$DAEMON_URL/chunk/$1"
}

node_delete() {
    curl -sS -m "$PATIENCE_S" -o "$CASE_DIR/answer" -w '%{http_code}' -X DELETE "$DAEMON_URL/chunk/$1"
}

# node_health FILTER: of its report.
node_health() {
    curl -sS -m "$PATIENCE_S" "$DAEMON_URL/health" | jq -er "$1"
}

node_list() {
    curl -sS -m "$PATIENCE_S" "$DAEMON_URL/list"
}
