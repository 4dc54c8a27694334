#!/usr/bin/env bash
# The examples of docs/NODE_API.md do what is written there.
. "$(dirname "$0")/../node_lib.sh"

node_start
export NODE_URL=$DAEMON_URL
cd "$WORK" || exit
python3 "$ROOT/tests/e2e/doc_console.py" "$ROOT/docs/NODE_API.md"
daemon_stop
