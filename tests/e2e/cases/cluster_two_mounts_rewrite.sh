#!/usr/bin/env bash
# A film that is read on one mount while the other one rewrites it, in every way there is: each read
# gives one version; what is replaced goes when nobody reads it any more, and not before. Three replicas
# of the metadata; the leader is killed in between.
# limit: 240
. "$(dirname "$0")/../cluster_lib.sh"

OTHER=$CASE_DIR/other THIRD=$CASE_DIR/third
LEASE_S=3
cl_daemons --metas 3
cl_mount "$MNT" -o lease=$LEASE_S -o cache=8M
cl_mount "$OTHER" -o lease=$LEASE_S -o cache=8M
export PATIENCE_S
python3 "$ROOT/tests/e2e/two_mounts_rewrite.py" "$MNT" "$OTHER" streams
cl_kill9_metas "$(cl_leader)"
python3 "$ROOT/tests/e2e/two_mounts_rewrite.py" "$MNT" "$OTHER" streams held
timeout "$PATIENCE_S" "$VSTACKFS" up --dir "$DATA" >>"$CASE_DIR/vstackfs.out" 2>>"$CASE_DIR/vstackfs.err"

# A third mount has a film open that is removed. It is killed: the film goes, when its lease has lapsed
# and not before; the others go on meanwhile.
cl_mount "$THIRD" -o lease=$LEASE_S
python3 "$ROOT/tests/e2e/two_mounts_rewrite.py" "$MNT" "$OTHER" killed "$THIRD" "$(cl_mount_pid "$THIRD")" $LEASE_S
force_umount "$THIRD"
nothing_is_left() {
    [ "$(vs_status .fragment_bytes)" -lt "$MIB" ] # what is left is a copy of the metadata
}
await "$PATIENCE_S" nothing_is_left
