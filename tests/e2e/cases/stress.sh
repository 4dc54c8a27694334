#!/usr/bin/env bash
# Uploads, replacements, rewrites, appends, truncates, renames, links and unlinks by four processes at
# once, while two read everything: no wrong byte, no lost name, then and after a remount or a kill.
# limit: 240
. "$(dirname "$0")/../lib.sh"

seconds=${STRESS_S:-10}
vs_mount
python3 "$ROOT/tests/e2e/stress.py" run "$MNT" "${SEED:-1}" "$seconds" "$WORK/one"
vs_kill9
vs_mount
python3 "$ROOT/tests/e2e/stress.py" check "$WORK/one"
python3 "$ROOT/tests/e2e/stress.py" run "$MNT" "$((${SEED:-1} + 1))" "$seconds" "$WORK/two"
vs_remount
python3 "$ROOT/tests/e2e/stress.py" check "$WORK/one"
python3 "$ROOT/tests/e2e/stress.py" check "$WORK/two"
equal "chunks lost" "$(vs_status .chunks_lost)" 0
