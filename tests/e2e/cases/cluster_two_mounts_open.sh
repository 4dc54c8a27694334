#!/usr/bin/env bash
# A film that is open on one mount while the other one removes or rewrites it; the space of what was
# removed is free once nobody has it open.
# limit: 200
. "$(dirname "$0")/../cluster_lib.sh"

OTHER=$CASE_DIR/other
mkdir -p "$OTHER"
cl_up --metas 1
timeout "$PATIENCE_S" "$VSTACKFS" --cluster "$DATA/cluster.json" --data "$CASE_DIR/other_data" -o cache=8M "$OTHER" \
    >>"$CASE_DIR/vstackfs.out" 2>>"$CASE_DIR/vstackfs.err"
export PATIENCE_S
python3 "$ROOT/tests/e2e/two_mounts_open.py" "$MNT" "$OTHER"

nothing_is_left() {
    [ "$(vs_status .fragment_bytes)" -lt "$MIB" ] # what is left is a copy of the metadata
}
await "$PATIENCE_S" nothing_is_left
