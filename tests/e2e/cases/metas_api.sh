#!/usr/bin/env bash
# The examples of docs/API.md for several replicas do what is written there; what replicas do not
# take from strangers.
# limit: 100
. "$(dirname "$0")/../cluster_lib.sh"

cl_up --metas 3
python3 -c 'import sys; sys.stdout.write("film\n" * 1000000)' >"$WORK/film.mkv"
cp "$WORK/film.mkv" "$MNT/film.mkv"
META_URL=$(jq -r '.metas[0].url' "$DATA/cluster.json")
export META_URL DATA
equal "replicas that say who leads" "$(
    for url in $(jq -r '.metas[].url' "$DATA/cluster.json"); do
        curl -sS -m "$PATIENCE_S" "$url/health" | jq -r .leader
    done | sort -u | wc -l
)" 1

# One is frozen, and named so; the others answer.
FROZEN_PID=$(meta_pid 3)
export FROZEN_PID
cd "$WORK" || exit
python3 "$ROOT/tests/e2e/doc_console.py" "$ROOT/docs/API.md" replicas
cl_signal_metas CONT 3

python3 "$ROOT/tests/e2e/px_hostile.py" "${META_URL##*:}" "$(meta_pid 1)" \
    "$(jq -r .cluster "$DATA/cluster.json")"
same "$WORK/film.mkv" "$MNT/film.mkv"
cl_down
