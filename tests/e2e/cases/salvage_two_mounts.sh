#!/usr/bin/env bash
# Two mounts of one cluster: one of them tells the stores what both change; each knows how far that is.
# When it dies the other one goes on with it; and when everything has died the stores have all of it.
# limit: 300
. "$(dirname "$0")/../cluster_lib.sh"

OTHER=$CASE_DIR/other
status_of() { # MOUNT FILTER
    vs status --json --mount "$1" | jq -er "$2"
}

covered() { # MOUNT
    [ "$(status_of "$1" .metadata_copy_lag_ms)" = 0 ]
}

fill() { # MOUNT NAME
    local i
    mkdir "$1/$2"
    for i in $(seq 30); do echo "$2 $i" >"$1/$2/$i"; done
    mv "$1/$2/1" "$1/$2/renamed"
    rm "$1/$2/2"
    ln -s "$2" "$1/$2/link"
}

make_bytes "$WORK/big" $((CHUNK + 5))
cl_up --metas 3
await $((2 * PATIENCE_S)) covered "$MNT" # it keeps the tail
mkdir "$OTHER"
timeout "$PATIENCE_S" "$VSTACKFS" --cluster "$DATA/cluster.json" --data "$CASE_DIR/other_data" "$OTHER" \
    >>"$CASE_DIR/vstackfs.out" 2>>"$CASE_DIR/vstackfs.err"
fill "$MNT" here
fill "$OTHER" there
cp "$WORK/big" "$OTHER/there/big"
await "$PATIENCE_S" covered "$OTHER"
await "$PATIENCE_S" covered "$MNT"
vs_kill9 # the one that keeps it
umount -l "$MNT"
fill "$OTHER" "alone"
[ "$(status_of "$OTHER" .metadata_copy_lag_ms)" -gt 0 ] || fail "nobody keeps the tail, and the lag is 0"
await $((3 * PATIENCE_S)) covered "$OTHER" # it waits until the other one is known to be gone
mv "$OTHER/here" "$OTHER/moved"
echo last >"$OTHER/alone/last"
await "$PATIENCE_S" covered "$OTHER"
fingerprint "$OTHER" >"$WORK/before"
cl_kill9_all
umount -l "$OTHER"

rm -rf "$DATA/metas"
mkdir "$DATA/metas" "$WORK/gone"
mv "$DATA/nodes/n1" "$DATA/nodes/n5" "$WORK/gone/"
for i in 1 2 3; do
    vs salvage --from "$DATA" --into "$DATA/metas/$i" --id $i >>"$CASE_DIR/said" ||
        fail "salvage for replica $i: exit code $?: $(tail -n 3 "$CASE_DIR/said" "$CASE_DIR/vstackfs.err")"
done
mv "$WORK"/gone/* "$DATA/nodes/"
cl_up
fingerprint "$MNT" >"$WORK/after"
cmp "$WORK/before" "$WORK/after" || fail "$(diff "$WORK/before" "$WORK/after")"
cl_down
