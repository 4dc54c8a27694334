#!/usr/bin/env bash
# vstackfs inbox ls, publish, cancel; and what a crash leaves in the inbox.
. "$(dirname "$0")/../lib.sh"

make_bytes "$WORK/film" $((2 * CHUNK + 9))
listed() {
    vs inbox ls --mount "$MNT" | grep -qF "$1"
}

vs_mount
cp "$WORK/film" "$MNT/inbox/one.part"
cp "$WORK/film" "$MNT/inbox/two.part"
vs inbox publish one.part --mount "$MNT"
await 5 exists "$MNT/one.part"
same "$WORK/film" "$MNT/one.part"
vs inbox cancel two.part --mount "$MNT"
await 5 absent "$MNT/inbox/two.part"
absent "$MNT/two.part"
refute listed two.part
refute vs inbox publish nothing.part --mount "$MNT"
refute vs inbox cancel nothing.part --mount "$MNT"
refute vs inbox frobnicate --mount "$MNT"

# After a crash a file is published if a close followed its last write: one whose close had returned is
# there; one that was only synced stays, as interrupted.
exec {closed}>"$MNT/inbox/closed.mkv"
cat "$WORK/film" >&$closed # the end of cat closes its copy of the descriptor: flushed, not yet released
"$SYS" hold "$MNT/inbox/synced.mkv" "$WORK/film" "$WORK/synced" &
holder=$!
await 20 exists "$WORK/synced"
vs_kill9
kill -KILL $holder
refute wait $holder
exec {closed}>&-
vs_mount
same "$WORK/film" "$MNT/closed.mkv"
absent "$MNT/synced.mkv"
listed synced.mkv || fail "inbox ls does not show synced.mkv: $(vs inbox ls --mount "$MNT")"
vs inbox ls --mount "$MNT" | grep -F synced.mkv | grep -qi interrupted ||
    fail "inbox ls does not call it interrupted: $(vs inbox ls --mount "$MNT")"
vs inbox publish synced.mkv --mount "$MNT"
await 5 exists "$MNT/synced.mkv"
same "$WORK/film" "$MNT/synced.mkv"
