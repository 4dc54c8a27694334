#!/usr/bin/env bash
# kill -9 of a storage node under load: what it acknowledged is there after the restart, what it
# deleted is gone, nothing is wrong. NODE_KILL_CYCLES (default 5) times on the same store.
# limit: 300
. "$(dirname "$0")/../node_lib.sh"

CYCLES=${NODE_KILL_CYCLES:-5}
WRITERS=$ROOT/tests/e2e/node_writers.py

for cycle in $(seq "$CYCLES"); do
    node_start
    python3 "$WRITERS" write "$DAEMON_PORT" "$WORK/ledger" "$cycle" 4 &
    writers=$!
    sleep "0.$((RANDOM % 8 + 2))" # any moment will do
    daemon_kill9
    wait "$writers" || fail "cycle $cycle: a writer was answered what it must not be"
    node_start
    python3 "$WRITERS" check "$DAEMON_PORT" "$WORK/ledger" >"$WORK/check" || fail "cycle $cycle: $(cat "$WORK/check")"
    if [ $((cycle % 2)) -eq 0 ]; then daemon_kill9; else daemon_stop; fi
done
cat "$WORK/check"
