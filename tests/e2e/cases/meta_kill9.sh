#!/usr/bin/env bash
# kill -9 of a metadata replica while folders are made: what it acknowledged is there after the
# restart; what it did not, can be asked again as the same request, and is there once.
# META_KILL_CYCLES (default 5) times on the same metadata.
# limit: 300
. "$(dirname "$0")/../meta_lib.sh"

CYCLES=${META_KILL_CYCLES:-5}
WRITERS=$ROOT/tests/e2e/meta_writers.py

for cycle in $(seq "$CYCLES"); do
    meta_start
    python3 "$WRITERS" write "$DAEMON_PORT" "$WORK/ledger" "$cycle" 4 &
    writers=$!
    sent() { [ "$(grep -c "^done $cycle" "$WORK/ledger" 2>/dev/null)" -ge 20 ]; }
    await "$PATIENCE_S" sent
    sleep "0.$((RANDOM % 5))" # any moment will do
    daemon_kill9
    wait "$writers" || fail "cycle $cycle: a writer was answered what it must not be"
    meta_start
    python3 "$WRITERS" check "$DAEMON_PORT" "$WORK/ledger" >"$WORK/check" || fail "cycle $cycle: $(cat "$WORK/check")"
    if [ $((cycle % 2)) -eq 0 ]; then daemon_kill9; else daemon_stop; fi
done
cat "$WORK/check"
