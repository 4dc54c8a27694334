#!/usr/bin/env bash
# Who publishes what is in the inbox, where there are several mounts: the one that wrote it; and when that
# is killed another one, once its lease has lapsed, whether it comes back or not.
# limit: 120
. "$(dirname "$0")/../cluster_lib.sh"

OTHER=$CASE_DIR/other THIRD=$CASE_DIR/third
cl_daemons --metas 1
cl_mount "$MNT" -o lease=3
cl_mount "$OTHER" -o lease=3
head -c $((6 * MIB)) /dev/urandom >"$WORK/film"

# Flushed (a descriptor of it was closed), and still being written on a mount that lives.
exec 5>"$MNT/inbox/growing"
head -c $((5 * MIB)) "$WORK/film" >&5
(: 5>&-)
exec 6>"$OTHER/inbox/killed"
cat "$WORK/film" >&6
(: 6>&-)
await "$PATIENCE_S" test -e "$MNT/inbox/killed"
await "$PATIENCE_S" test -e "$OTHER/inbox/growing"

# A third one starts: neither is its own.
cl_mount "$THIRD" -o lease=3 5>&- 6>&-
listed=$(ls "$THIRD/inbox")
equal "in the inbox once a third mount has started" "$(sort <<<"$listed" | tr '\n' ' ')" "growing killed "
equal "published by a start" "$(find "$THIRD" -maxdepth 1 -type f)" ""

pid=$(cl_mount_pid "$OTHER")
kill -KILL "$pid"
await "$PATIENCE_S" process_gone "$pid"
exec 6>&-
force_umount "$OTHER"
await "$PATIENCE_S" test -e "$THIRD/killed"
cmp "$WORK/film" "$THIRD/killed"
equal "of a mount that lives, in the inbox" "$(ls "$THIRD/inbox")" growing

tail -c "$MIB" "$WORK/film" >&5
exec 5>&-
await "$PATIENCE_S" test -e "$THIRD/growing"
cmp "$WORK/film" "$THIRD/growing"
