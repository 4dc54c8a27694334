#!/usr/bin/env bash
# Every replica of the metadata is deleted, after everything died at once: the stores of three of the
# five nodes give all of them back; and so does a backup.
# limit: 300
. "$(dirname "$0")/../cluster_lib.sh"

# replicas COMMAND...: once for each, into its directory.
replicas() {
    local i
    rm -rf "$DATA/metas"
    mkdir "$DATA/metas"
    for i in 1 2 3; do
        vs "$@" --into "$DATA/metas/$i" --id $i >>"$CASE_DIR/said" ||
            last_moment "$CASE_DIR/said" ||
            fail "$* for replica $i: exit code $?: $(tail -n 3 "$CASE_DIR/said" "$CASE_DIR/vstackfs.err")"
    done
}

film=$(make_video mkv small)
make_bytes "$WORK/big" $((2 * CHUNK + 99))
cl_up --metas 3
mkdir "$MNT/Series"
cp -p "$film" "$MNT/inbox/film.mkv"
cp "$WORK/big" "$MNT/Series/one.ts"
echo "a sentence" >"$MNT/Series/tvshow.nfo"
await "$PATIENCE_S" exists "$MNT/film.mkv"
vs backup "$WORK/by mount" --mount "$MNT"
cl_kill9_metas 2 # a majority is enough
vs backup "$WORK/backup" --cluster "$DATA/cluster.json"
refute vs backup "$WORK/backup" --cluster "$DATA/cluster.json" # it is there
refute vs backup "$WORK/other" --cluster "$DATA/no such file"
absent "$WORK/other"
lag_is() {
    [ "$(vs_status .metadata_copy_lag_ms)" = 0 ]
}
await "$PATIENCE_S" lag_is
cp "$WORK/big" "$MNT/Series/two.ts" # newer than the copy, and the backup
cl_kill9_all

mkdir "$WORK/gone"
mv "$DATA/nodes/n2" "$DATA/nodes/n4" "$WORK/gone/"
replicas salvage --from "$DATA"
mv "$WORK"/gone/* "$DATA/nodes/"
cl_up
same "$film" "$MNT/film.mkv"
same "$WORK/big" "$MNT/Series/one.ts"
same "$WORK/big" "$MNT/Series/two.ts"
equal "the small file" "$(cat "$MNT/Series/tvshow.nfo")" "a sentence"
cp "$WORK/big" "$MNT/Series/three.ts"
same "$WORK/big" "$MNT/Series/three.ts"
[[ $(vs_status .brake) == *"salvaged"* ]] || fail "status does not tell the brake"
cl_down

replicas restore "$WORK/backup"
cl_up
same "$film" "$MNT/film.mkv"
same "$WORK/big" "$MNT/Series/one.ts"
absent "$MNT/Series/two.ts"
cl_down
