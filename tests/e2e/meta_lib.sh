# shellcheck shell=bash
# The metadata daemon for the end-to-end cases: a real process of vstack-meta.
#
#   . "$(dirname "$0")/../meta_lib.sh"
#   meta_start [FLAG...]         starts replica 1 on $META_DATA, returns when it is ready
#   meta_stop  meta_kill9        ends it politely (exit code must be 0), or not
#   meta_get PATH                prints what it answers
#
# $META_URL, $META_PORT, $META_PID belong to the replica that runs; after the first start it keeps
# its port.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

VSTACK_META=${VSTACK_META:-$BUILD/vstack-meta}
META_DATA=$CASE_DIR/meta
META_PID='' META_PORT=0 META_URL=''
[ -x "$VSTACK_META" ] || fail "$VSTACK_META is not built; run make first"

# A replica that is left at the end of a case goes with it.
at_exit() {
    [ -z "$META_PID" ] || kill -KILL "$META_PID" 2>/dev/null || true
}

meta_ready() {
    [ -s "$CASE_DIR/meta.out" ] || ! [ -e "/proc/$META_PID" ]
}

meta_start() {
    : >"$CASE_DIR/meta.out"
    "$VSTACK_META" --id 1 --listen "127.0.0.1:$META_PORT" --data "$META_DATA" "$@" \
        >"$CASE_DIR/meta.out" 2>>"$CASE_DIR/meta.err" </dev/null &
    META_PID=$!
    await "$PATIENCE_S" meta_ready
    grep -Eq '^vstack-meta 1 ready on [0-9.]+:[0-9]+$' "$CASE_DIR/meta.out" ||
        fail "the replica did not come up: $(tail -n 3 "$CASE_DIR/meta.err")"
    META_PORT=$(sed 's/.*://' "$CASE_DIR/meta.out")
    META_URL=http://127.0.0.1:$META_PORT
}

meta_stop() {
    local rc=0
    kill -TERM "$META_PID"
    wait "$META_PID" || rc=$?
    META_PID=''
    equal "exit code of the replica" "$rc" 0
}

meta_kill9() {
    kill -KILL "$META_PID"
    wait "$META_PID" || true
    META_PID=''
}

# meta_refused PATTERN FLAG...: this start must fail with exit code 1 and one sentence like that.
meta_refused() {
    local pattern=$1 rc=0 said
    shift
    said=$(timeout "$PATIENCE_S" "$VSTACK_META" "$@" 2>&1 >/dev/null </dev/null) || rc=$?
    equal "exit code of vstack-meta $*" "$rc" 1
    equal "sentences of vstack-meta $*" "$(wc -l <<<"$said")" 1
    grep -Eq -- "$pattern" <<<"$said" || fail "vstack-meta $*: said '$said', expected $pattern"
}

meta_get() {
    curl -sS -m "$PATIENCE_S" "$META_URL$1"
}
