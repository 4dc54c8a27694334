#!/usr/bin/env bash
# A film that is being watched is counted while it plays: a mount that is killed then has told it. What was
# copied is not counted.
# limit: 240
. "$(dirname "$0")/../cluster_lib.sh"

REPORT_S=60 # VIEW_REPORT_S of fs/view_report.h

views() {
    curl -sf "$(jq -r '.metas[0].url' "$DATA/cluster.json")/video/$1/popularity" | jq .views
}
views_are() { [ "$(views "$1")" = "$2" ]; }

make_bytes "$WORK/film.bin" $((40 * MIB))
cl_up --metas 1
cp "$WORK/film.bin" "$MNT/film.bin"
cp "$WORK/film.bin" "$MNT/copied.bin"
cl_remount
film=$(stat -c %i "$MNT/film.bin") copied=$(stat -c %i "$MNT/copied.bin")
equal "views before" "$(views "$film")" 0

# 40 s of a film of unknown length, read ahead, and then the player waits.
exec {player}<"$MNT/film.bin"
head -c $((40 * MIB)) <&"$player" >"$CASE_DIR/played"
cp "$MNT/copied.bin" "$CASE_DIR/copy"
await $((REPORT_S + 10)) views_are "$film" 1
vs_kill9
exec {player}<&-
cl_up
equal "views of the film" "$(views "$film")" 1
equal "views of the file that was copied" "$(views "$copied")" 0
cl_down
