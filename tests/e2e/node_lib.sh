# shellcheck shell=bash
# Storage nodes for the end-to-end cases: real processes of vstack-node, curl, raw sockets.
#
#   . "$(dirname "$0")/../node_lib.sh"
#   node_start [FLAG...]         starts node n1 on $NODE_DATA, returns when it is ready
#   node_stop  node_kill9        ends it politely (exit code must be 0), or not
#   node_put KEY FILE            prints the HTTP status;  node_get KEY FILE  the same
#
# $NODE_URL, $NODE_PORT, $NODE_PID belong to the node that runs.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

VSTACK_NODE=${VSTACK_NODE:-$BUILD/vstack-node}
NODE_DATA=$CASE_DIR/node
NODE_PID='' NODE_PORT='' NODE_URL=''
[ -x "$VSTACK_NODE" ] || fail "$VSTACK_NODE is not built; run make first"

# A node that is left at the end of a case goes with it.
at_exit() {
    [ -z "$NODE_PID" ] || kill -KILL "$NODE_PID" 2>/dev/null || true
}

node_ready() {
    [ -s "$CASE_DIR/node.out" ] || ! [ -e "/proc/$NODE_PID" ]
}

node_start() {
    : >"$CASE_DIR/node.out"
    "$VSTACK_NODE" --id n1 --listen 127.0.0.1:0 --data "$NODE_DATA" "$@" \
        >"$CASE_DIR/node.out" 2>>"$CASE_DIR/node.err" </dev/null &
    NODE_PID=$!
    await "$PATIENCE_S" node_ready
    grep -Eq '^vstack-node n1 ready on 127\.0\.0\.1:[0-9]+$' "$CASE_DIR/node.out" ||
        fail "the node did not come up: $(tail -n 3 "$CASE_DIR/node.err")"
    NODE_PORT=$(sed 's/.*://' "$CASE_DIR/node.out")
    NODE_URL=http://127.0.0.1:$NODE_PORT
}

node_stop() {
    local rc=0
    kill -TERM "$NODE_PID"
    wait "$NODE_PID" || rc=$?
    NODE_PID=''
    equal "exit code of the node" "$rc" 0
}

node_kill9() {
    kill -KILL "$NODE_PID"
    wait "$NODE_PID" || true
    NODE_PID=''
}

# node_refused PATTERN FLAG...: this start must fail with exit code 1 and one sentence like that.
node_refused() {
    local pattern=$1 rc=0 said
    shift
    said=$(timeout "$PATIENCE_S" "$VSTACK_NODE" "$@" 2>&1 >/dev/null </dev/null) || rc=$?
    equal "exit code of vstack-node $*" "$rc" 1
    grep -Eq -- "$pattern" <<<"$said" || fail "vstack-node $*: said '$said', expected $pattern"
}

# node_key N: the name of fragment N.
node_key() {
    printf '%032x.0.1' "$1"
}

node_put() {
    curl -sS -m "$PATIENCE_S" -o "$CASE_DIR/answer" -w '%{http_code}' -T "$2" \
        -H "X-Vstack-SHA256: $(sha256sum "$2" | cut -c1-64)" "$NODE_URL/chunk/$1"
}

node_get() {
    curl -sS -m "$PATIENCE_S" -o "$2" -w '%{http_code}' "$NODE_URL/chunk/$1"
}

node_delete() {
    curl -sS -m "$PATIENCE_S" -o "$CASE_DIR/answer" -w '%{http_code}' -X DELETE "$NODE_URL/chunk/$1"
}

# node_health FILTER: of its report.
node_health() {
    curl -sS -m "$PATIENCE_S" "$NODE_URL/health" | jq -er "$1"
}

node_list() {
    curl -sS -m "$PATIENCE_S" "$NODE_URL/list"
}
