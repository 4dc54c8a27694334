#!/usr/bin/env bash
# A mount whose metadata is a process of its own: films in, byte-exact, the same after down and up, after
# kill -9 of everything; an emptied replica is refused; the metadata gone: an error in bounded time, never
# an empty listing, and all is well when it is back.
# limit: 100
. "$(dirname "$0")/../cluster_lib.sh"

film=$(make_video mkv)
make_bytes "$WORK/noise.bin" $((2 * CHUNK + 4321))
echo small >"$WORK/small.txt"
cl_up --metas 1
equal "metadata" "$(vs_status .metadata)" replicas
equal "replicas" "$(vs_status '[.metas[] | "\(.id) \(.state)"] | join(" ")')" "1 up"
equal "state" "$(vs_status .state)" ok
cp "$film" "$MNT/inbox/film.mkv"
cp "$WORK/noise.bin" "$WORK/small.txt" "$MNT/inbox/"
same "$film" "$MNT/film.mkv"
same "$WORK/noise.bin" "$MNT/noise.bin"

before=$(cat "$DATA/cluster.json")
cl_up
equal "cluster.json after a second up" "$(cat "$DATA/cluster.json")" "$before"
vs_refused 'has 1 metadata replica already' up --dir "$DATA" --metas 3
cl_down
addresses=$(jq -r '.metas[].url, .nodes[].url' "$DATA/cluster.json")
cl_up
equal "addresses" "$(jq -r '.metas[].url, .nodes[].url' "$DATA/cluster.json")" "$addresses"
same "$film" "$MNT/film.mkv"
equal "a small file" "$(cat "$MNT/small.txt")" small

# The metadata is gone.
cl_kill9_metas 1
cl_is_down

# It is back.
cl_up
await "$PATIENCE_S" test -e "$MNT/film.mkv"
same "$film" "$MNT/film.mkv"
cp "$WORK/noise.bin" "$MNT/again.bin"
same "$WORK/noise.bin" "$MNT/again.bin"
await "$PATIENCE_S" cl_states_are "up up up up up"

# Everything is killed at once.
cl_kill9_all
cl_up
for name in noise again; do same "$WORK/noise.bin" "$MNT/$name.bin"; done
same "$film" "$MNT/film.mkv"
cl_down

# An emptied directory is a missing disk, not a new one.
mv "$DATA/metas/1" "$CASE_DIR/aside"
vs_refused 'replica 1 did not start: .*no metadata in it' up --dir "$DATA" "$MNT"
refute test -e "$DATA/metas/1/acceptor"
mv "$CASE_DIR/aside" "$DATA/metas/1"
cl_up
same "$film" "$MNT/film.mkv"
cl_down
