#!/usr/bin/env bash
# Bad input of every kind: right status, a sentence, nothing stored, nothing leaked.
. "$(dirname "$0")/../node_lib.sh"

node_start --timeout 1
python3 "$ROOT/tests/e2e/node_hostile.py" "$DAEMON_PORT" "$DAEMON_PID" 5 || fail "see the rows above"
equal "fragments after one good request" "$(node_health .fragments)" 1
daemon_stop
