#!/usr/bin/env bash
# An empty file waits a minute in the inbox: most are names about to be filled. Then it is published,
# or dropped where its name is taken. Straight in the tree it is there at once.
# limit: 150
. "$(dirname "$0")/../lib.sh"

vs_mount
echo film >"$MNT/taken.txt"
began=$SECONDS
: >"$MNT/inbox/empty.txt"
: >"$MNT/inbox/taken.txt"
: >"$MNT/inbox/later.bin"
: >"$MNT/direct.txt"
equal "size in the tree" "$(stat -c %s "$MNT/direct.txt")" 0
exists "$MNT/inbox/empty.txt"
absent "$MNT/empty.txt"
# One of them is filled while it waits: an upload like any other.
make_bytes "$WORK/later.bin" 100000
cat "$WORK/later.bin" >"$MNT/inbox/later.bin"
await 5 exists "$MNT/later.bin"
same "$WORK/later.bin" "$MNT/later.bin"

await 90 exists "$MNT/empty.txt"
at_least "seconds an empty file waited" $((SECONDS - began)) 55
equal "size" "$(stat -c %s "$MNT/empty.txt")" 0
gone_from_inbox() {
    [ ! -e "$MNT/inbox/taken.txt" ] || absent_in "$MNT/inbox" taken.txt
}
await 20 gone_from_inbox
equal "the name that was taken" "$(cat "$MNT/taken.txt")" film
absent "$MNT/taken (2).txt"

# What was made empty is there after a crash, however soon it comes.
touch "$MNT/"touched-{1..50}
vs_kill9
vs_mount
equal "empty files after a crash" "$(find "$MNT" -maxdepth 1 -name 'touched-*' | wc -l)" 50
