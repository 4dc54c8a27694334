#!/usr/bin/env bash
# A full disk under a storage node: 507 with the sentence at the reserve; reading and deleting work;
# what is deleted is back at once; a smaller reserve takes more; never stuck full.
. "$(dirname "$0")/../node_lib.sh"
need_root "only root can mount a small disk"

SMALL=$CASE_DIR/small
at_exit() { # a disk in use is not unmounted
    daemon_end
    [ -z "$DAEMON_PID" ] || timeout "$PATIENCE_S" tail --pid="$DAEMON_PID" -f /dev/null
    ! mountpoint -q "$SMALL" || umount "$SMALL"
}

truncate -s 256M "$CASE_DIR/disk"
mkfs.ext4 -q -m 0 "$CASE_DIR/disk"
mkdir "$SMALL"
mount -o loop "$CASE_DIR/disk" "$SMALL" || skip "this machine cannot mount a loop device"
NODE_DATA=$SMALL/store
make_bytes "$WORK/f" 4194304

# fill N: puts from fragment N on until it is no longer 201; sets LAST to the last one stored.
fill() {
    local n=$1 status
    for ((; ; n++)); do
        status=$(node_put "$(node_key "$n")" "$WORK/f")
        [ "$status" = 201 ] || break
        [ "$n" -lt 200 ] || fail "this disk never fills up"
    done
    equal "status of a put on a full disk" "$status" 507
    LAST=$((n - 1))
}

node_start --reserve 20 --superblock-size 64M
fill 1
first_full=$LAST
at_least "fragments of 4 MiB on 256 MiB less 20 %" "$first_full" 30
jq -er .error "$CASE_DIR/answer" | grep -q 'is full: its disk has no more than the reserve of 20 % left' ||
    fail "507 says $(cat "$CASE_DIR/answer")"
equal "code" "$(jq -er .code "$CASE_DIR/answer")" full

equal "get on a full disk" "$(node_get "$(node_key 1)" "$WORK/g")" 200
same "$WORK/f" "$WORK/g"
equal "the same put again" "$(node_put "$(node_key 1)" "$WORK/f")" 200
before=$(stat -f -c %a "$SMALL")
for n in 1 2 3 4 5; do # the first was just read: it is let go when the reader's socket is empty
    equal "delete on a full disk" "$(node_delete "$(node_key $n)")" 204
done
back() { # back MIB: so much more is free than before
    [ $((($(stat -f -c %a "$SMALL") - before) * $(stat -f -c %S "$SMALL"))) -ge $(($1 * MIB)) ]
}
back 15 || fail "deleted bytes are not back in df at once"
await "$PATIENCE_S" back 19
equal "put after the delete" "$(node_put "$(node_key 1)" "$WORK/f")" 201

# The reserve is a promise of this start, not of the disk.
daemon_stop
node_start --reserve 2 --superblock-size 64M
fill $((first_full + 1))
at_least "fragments with a smaller reserve" "$LAST" $((first_full + 5))
daemon_kill9
node_start --reserve 2 --superblock-size 64M
equal "get after kill -9 on a full disk" "$(node_get "$(node_key "$LAST")" "$WORK/g")" 200
same "$WORK/f" "$WORK/g"

# From full to empty, and on.
while read -r key; do
    equal "delete" "$(node_delete "$key")" 204
done < <(node_list)
equal "fragments left" "$(node_list | wc -l)" 0
equal "put on the emptied disk" "$(node_put "$(node_key 1)" "$WORK/f")" 201
daemon_stop
