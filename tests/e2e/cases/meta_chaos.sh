#!/usr/bin/env bash
# Three metadata replicas under kill, freeze and cut: what clients were answered is possible, the
# replicas agree. FAULTS, KILLS, FREEZES (of the leader), GAP_MS (a longer pause fails it), SEED.
# limit: 240
. "$(dirname "$0")/../lib.sh"

export TMPDIR=$CASE_DIR
METAS=${METAS:-3}
KILLS=${KILLS:-3}
FREEZES=${FREEZES:-3}

FAULTS=${FAULTS:-$((KILLS + FREEZES + 2))}

"$BUILD/chaos" --metas "$METAS" --faults "$FAULTS" --kills "$KILLS" --freezes "$FREEZES" --seconds $((FAULTS * 10)) \
    --gap-ms "${GAP_MS:-0}" --seed "${SEED:-$RANDOM}" >"$CASE_DIR/chaos.out" 2>"$CASE_DIR/chaos.err" ||
    fail "$(tail -n 30 "$CASE_DIR/chaos.out" "$CASE_DIR/chaos.err")"
tail -n 12 "$CASE_DIR/chaos.out"

# A run that did nothing would prove nothing.
grep -Eq '^ +[0-9]+  leader killed ' "$CASE_DIR/chaos.out" || fail "no leader was killed"
grep -Eq '^ +[0-9]+  leader frozen ' "$CASE_DIR/chaos.out" || fail "no leader was frozen"
! grep -q '^ended after' "$CASE_DIR/chaos.out" || fail "the time was over before all faults were done"
