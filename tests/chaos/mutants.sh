#!/usr/bin/env bash
# Replicas with a deliberate error must be found out: a chaos that finds none proves nothing.
#
#   tests/chaos/mutants.sh BUILD MUTANT...     SEEDS (default 6) runs of FAULTS (default 24) each
set -uo pipefail

build=$1
shift
out=$build/chaos-mutants.out
export VSTACK_META=$build/vstack-meta-mutants
missed=0
for mutant in "$@"; do
    found=''
    for seed in $(seq "${SEEDS:-6}"); do
        PX_MUTANT=$mutant "$build/chaos" --metas 3 --seed "$seed" --faults "${FAULTS:-24}" --kills 4 --freezes 4 --cuts 14 \
            --seconds 60 --drop >"$out" 2>&1
        if [ $? -eq 1 ]; then
            found="at seed $seed: $(grep -m 1 -E '^VIOLATION|: key ' "$out" | cut -c 1-110)"
            break
        fi
    done
    [ -n "$found" ] || missed=$((missed + 1))
    echo "M$mutant ${found:+found }${found:-NOT FOUND in ${SEEDS:-6} seeds}"
done
echo "$(($# - missed)) of $# mutants found by chaos"
[ "$missed" -eq 0 ]
