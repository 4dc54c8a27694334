#!/usr/bin/env bash
# The examples of docs/API.md do what is written there: on the metadata of a mount that stored a file.
. "$(dirname "$0")/../meta_lib.sh"

vs_mount
python3 -c 'import sys; sys.stdout.write("film\n" * 1000000)' >"$WORK/film.mkv"
cp "$WORK/film.mkv" "$MNT/film.mkv"
vs_umount

META_DATA=$DATA/meta
meta_start --existing
export META_URL=$DAEMON_URL
cd "$WORK" || exit
python3 "$ROOT/tests/e2e/doc_console.py" "$ROOT/docs/API.md"
equal "answer to HEAD /ping" "$(curl -sS -m "$PATIENCE_S" -I "$DAEMON_URL/ping" | head -n 1 | tr -d '\r')" "HTTP/1.1 200 OK"
meta_get /metrics | grep '^vstack_meta_refused_total 1$' >/dev/null || fail "the question that was none is not counted"
daemon_stop

# The mount goes on where the replica ended.
vs_mount
cmp "$WORK/film.mkv" "$MNT/film.mkv"
