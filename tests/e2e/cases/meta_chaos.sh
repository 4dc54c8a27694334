#!/usr/bin/env bash
# The metadata under kill and freeze: what clients were answered is possible, the replicas agree.
# limit: 240
. "$(dirname "$0")/../lib.sh"

export TMPDIR=$CASE_DIR
METAS=${METAS:-3}
KILLS=${KILLS:-3}
FREEZES=${FREEZES:-3}

"$BUILD/chaos" --metas "$METAS" --faults $((KILLS + FREEZES + 2)) --kills "$KILLS" --freezes "$FREEZES" \
    --seconds 120 --seed "${SEED:-$RANDOM}" >"$CASE_DIR/chaos.out" 2>"$CASE_DIR/chaos.err" ||
    fail "$(tail -n 30 "$CASE_DIR/chaos.out" "$CASE_DIR/chaos.err")"
tail -n 12 "$CASE_DIR/chaos.out"

# A run that did nothing would prove nothing.
grep -Eq '^ +[0-9]+  leader killed ' "$CASE_DIR/chaos.out" || fail "no leader was killed"
grep -Eq '^ +[0-9]+  leader frozen ' "$CASE_DIR/chaos.out" || fail "no leader was frozen"
! grep -q '^ended after' "$CASE_DIR/chaos.out" || fail "the time was over before all faults were done"
