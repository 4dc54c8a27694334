#!/usr/bin/env bash
# Two mounts of one cluster: each sees what the other changes at once, and keeps it in its kernel until
# then; with the metadata silent nothing is kept.
# limit: 150
. "$(dirname "$0")/../cluster_lib.sh"

OTHER=$CASE_DIR/other
mkdir -p "$OTHER"
cl_up --metas 1
timeout "$PATIENCE_S" "$VSTACKFS" --cluster "$DATA/cluster.json" --data "$CASE_DIR/other_data" "$OTHER" \
    >>"$CASE_DIR/vstackfs.out" 2>>"$CASE_DIR/vstackfs.err"
url=$(jq -r '.metas[0].url' "$DATA/cluster.json")
export PATIENCE_S
ROUNDS=${ROUNDS:-5} python3 "$ROOT/tests/e2e/two_mounts.py" "$MNT" "$OTHER" "$url"

# The other direction.
ROUNDS=1 python3 "$ROOT/tests/e2e/two_mounts.py" "$OTHER" "$MNT" "$url"

# Frozen metadata: an old answer of B's kernel is not taken for long. Its question is answered when they
# go on.
echo one >"$MNT/file"
await "$PATIENCE_S" test -e "$OTHER/file"
equal "size on the other mount" "$(stat -c %s "$OTHER/file")" 4
meta=$(jq -r '.metas[0].pid' "$DATA/cluster.json")
kill -STOP "$meta"
sleep 1.1 # the promise: a second
stat -c %s "$OTHER/file" >"$WORK/size" &
asker=$!
refute timeout 0.5 tail --pid="$asker" -f /dev/null
kill -CONT "$meta"
wait "$asker"
equal "size when they go on" "$(cat "$WORK/size")" 4
