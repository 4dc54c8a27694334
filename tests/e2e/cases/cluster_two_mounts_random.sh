#!/usr/bin/env bash
# Random operations on two mounts, each answer and the end held against a model. SEED=S OPERATIONS=N
# BYTES_MAX=B: the same again, for longer, or with small files alone (up to 64 KiB).
# limit: 1800
. "$(dirname "$0")/../cluster_lib.sh"

OTHER=$CASE_DIR/other MODEL=$CASE_DIR/model
cl_daemons --metas 3
cl_mount "$MNT"
cl_mount "$OTHER"
mkdir "$MODEL"
export PATIENCE_S
python3 "$ROOT/tests/e2e/two_mounts_random.py" "$MNT" "$OTHER" "${SEED:-1}" "${OPERATIONS:-400}" "$MODEL"
