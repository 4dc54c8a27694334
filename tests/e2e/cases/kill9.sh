#!/usr/bin/env bash
# kill -9 at any moment of uploads, again and again (KILL_CYCLES, default 20): what cp had acknowledged
# is there, byte-exact; nothing half-written is visible; leftovers are collected.
# limit: 400
. "$(dirname "$0")/../lib.sh"

shopt -s nullglob
CYCLES=${KILL_CYCLES:-20}
SEED=${KILL_SEED:-$RANDOM}
echo "seed $SEED, $CYCLES cycles" # KILL_SEED repeats the moments
RANDOM=$SEED
# What is uploaded: pool-N; its copies are called CYCLE-WRITER-COUNT.N, so that a name tells its bytes.
sizes=(1 5000 70000 300000 $((CHUNK - 1)) $((2 * CHUNK + 100)) $((4 * CHUNK)))
for i in "${!sizes[@]}"; do make_bytes "$WORK/pool.$i" "${sizes[i]}"; done

# upload CYCLE WRITER FOLDER: copies until the mount dies; notes what was acknowledged.
upload() {
    local count=0 i name
    while :; do
        i=$(((count * 3 + $1 + ${#2}) % ${#sizes[@]}))
        name=$1-$2-$count.$i
        cp "$WORK/pool.$i" "$3/$name" 2>>"$CASE_DIR/said" || return 0
        echo "$name" >>"$WORK/acknowledged.$2"
        # A rewrite that is acknowledged counts as the new content.
        if [ $((count % 7)) -eq 6 ] && [ "$2" = tree ]; then
            cp "$WORK/pool.$i" "$MNT/rewritten.new" 2>>"$CASE_DIR/said" || return 0
            mv "$MNT/rewritten.new" "$MNT/rewritten" 2>>"$CASE_DIR/said" || return 0
            echo "$i" >"$WORK/rewritten"
        fi
        count=$((count + 1))
    done
}

# Acknowledged deletions are promises, too; and the disk is not endless. Files of cycle 1 .. N go.
forgotten=0
forget() {
    local cycle
    for cycle in $(seq $((forgotten + 1)) "$1"); do
        find "$MNT" -maxdepth 1 -name "$cycle-*-*.[0-9]" -delete
        sed -i "/^$cycle-/d" "$WORK"/acknowledged.*
    done
    forgotten=$1
}

check() {
    local name f
    cat "$WORK"/acknowledged.* >"$WORK/acknowledged"
    # all that is acknowledged is there ...
    while read -r name; do
        exists "$MNT/$name"
    done <"$WORK/acknowledged"
    # ... what was deleted is not ...
    for f in "$MNT"/*-*-*.[0-9]; do
        f=${f#"$MNT/"}
        [ "${f%%-*}" -gt "$forgotten" ] || fail "$f was deleted, and is there again"
    done
    # ... and all that is there is whole. Old ones are read every fifth time and at the end.
    for f in "$MNT"/*-*-*.[0-9]; do
        [[ $1 == all || $f == "$MNT/$1-"* ]] || continue
        same "$WORK/pool.${f##*.}" "$f"
    done
    if [ -e "$WORK/rewritten" ]; then
        # acknowledged, or the one under way when it died: both are whole
        local i ok=
        for i in "${!sizes[@]}"; do ! cmp -s "$WORK/pool.$i" "$MNT/rewritten" || ok=1; done
        [ -n "$ok" ] || fail "a rewritten file is neither old nor new"
    fi
}

touch "$WORK/acknowledged.inbox" "$WORK/acknowledged.tree" "$WORK/acknowledged.more"
vs_mount
for cycle in $(seq "$CYCLES"); do
    upload "$cycle" inbox "$MNT/inbox" &
    one=$!
    upload "$cycle" tree "$MNT" &
    two=$!
    upload "$cycle" more "$MNT/inbox" &
    three=$!
    sleep "$((RANDOM % 2)).$((RANDOM % 10))$((RANDOM % 10))" # the moment of the kill, not a wait
    vs_kill9
    wait $one $two $three
    vs_mount
    check "$([ $((cycle % 5)) -eq 0 ] && echo all || echo "$cycle")"
    [ $((cycle % 5)) -ne 0 ] || [ "$cycle" -le 10 ] || forget $((cycle - 10))
done
check all
echo "acknowledged and not deleted: $(wc -l <"$WORK/acknowledged") files"
at_least "acknowledged uploads of the last 10 cycles" "$(wc -l <"$WORK/acknowledged")" 10

# Leftovers of interrupted uploads do not stay: the space is that of the files, plus what is allowed.
find "$MNT/inbox" -type f ! -name .ignore -delete
vs_remount
live=$(find "$MNT" -type f -printf '%s\n' | awk '{ s += $1 } END { printf "%.0f", s }')
space_is_theirs() {
    [ "$(du -s -B1 "$DATA/nodes" | cut -f 1)" -le $((live * 172 / 100 + 5 * 64 * MIB)) ]
}
await 30 space_is_theirs
vs_umount
space_is_theirs || fail "$(du -s -B1 "$DATA/nodes") for $live bytes"
