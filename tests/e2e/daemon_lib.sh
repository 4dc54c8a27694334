# shellcheck shell=bash disable=SC2034
# One daemon of ours for the end-to-end cases: a real process, its readiness line, its end.
#
#   daemon_start WHO COMMAND...  in the background; returns when it has said "WHO ready on HOST:PORT":
#                                $DAEMON_PID, $DAEMON_PORT, $DAEMON_URL belong to it
#   daemon_stop  daemon_kill9    ends it politely (exit code must be 0), or not
#   daemon_refused PATTERN COMMAND...   this start must fail with exit code 1 and such a sentence
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

DAEMON_PID='' DAEMON_PORT='' DAEMON_URL=''

# What is left at the end of a case goes with it.
daemon_end() {
    [ -z "$DAEMON_PID" ] || ! [ -e "/proc/$DAEMON_PID" ] || kill -KILL "$DAEMON_PID"
}
at_exit() {
    daemon_end
}

daemon_ready() {
    [ -s "$CASE_DIR/daemon.out" ] || ! [ -e "/proc/$DAEMON_PID" ]
}

daemon_start() {
    local who=$1
    shift
    : >"$CASE_DIR/daemon.out"
    "$@" >"$CASE_DIR/daemon.out" 2>>"$CASE_DIR/daemon.err" </dev/null &
    DAEMON_PID=$!
    await "$PATIENCE_S" daemon_ready
    grep -Eq "^$who ready on [0-9.]+:[0-9]+\$" "$CASE_DIR/daemon.out" ||
        fail "$who did not come up: $(tail -n 3 "$CASE_DIR/daemon.err")"
    DAEMON_PORT=$(sed 's/.*://' "$CASE_DIR/daemon.out")
    DAEMON_URL=http://127.0.0.1:$DAEMON_PORT
}

daemon_stop() {
    local rc=0
    kill -TERM "$DAEMON_PID"
    wait "$DAEMON_PID" || rc=$?
    DAEMON_PID=''
    equal "exit code of the daemon" "$rc" 0
}

daemon_kill9() {
    local rc=0
    kill -KILL "$DAEMON_PID"
    wait "$DAEMON_PID" || rc=$?
    DAEMON_PID=''
    equal "exit code of a daemon that was killed" "$rc" 137
}

daemon_refused() {
    local pattern=$1 rc=0 said
    shift
    said=$(timeout "$PATIENCE_S" "$@" 2>&1 >/dev/null </dev/null) || rc=$?
    equal "exit code of $*" "$rc" 1
    equal "sentences of $*" "$(wc -l <<<"$said")" 1
    grep -Eq -- "$pattern" <<<"$said" || fail "$*: said '$said', expected $pattern"
}
