#!/usr/bin/env bash
# A dead mount of ours is recovered; a second mount on the same data, or over a living one, is refused.
. "$(dirname "$0")/../lib.sh"

vs_mount
echo film >"$MNT/film.txt"
mkdir "$CASE_DIR/other"
vs_refused 'in use|already|another' --data "$DATA" "$CASE_DIR/other"
vs_refused 'mounted|in use|already|not empty' --data "$DATA" "$MNT"
vs_refused 'mounted|in use|already|not empty' --data "$CASE_DIR/data2" "$MNT"
absent "$CASE_DIR/data2"
equal "the first mount" "$(cat "$MNT/film.txt")" film

vs_kill9
is_mounted || fail "the kernel took the dead mount away by itself; this case tests nothing"
expect_errno ENOTCONN stat "$MNT/film.txt"
vs_mount
equal "after the dead mount" "$(cat "$MNT/film.txt")" film
equal "mounts on the mount point" "$(our_mounts | wc -l)" 1

# umount takes away a dead mount, too.
vs_kill9
timeout 30 "$VSTACKFS" umount "$MNT"
refute is_mounted
vs_mount
equal "after umount of a dead mount" "$(cat "$MNT/film.txt")" film
# Unmounted and mounted at once: the start waits for the lock of the one that is closing.
for _ in 1 2 3 4 5; do
    make_bytes "$WORK/x" $CHUNK
    cp "$WORK/x" "$MNT/x"
    timeout 30 "$VSTACKFS" umount "$MNT"
    vs_mount
    same "$WORK/x" "$MNT/x"
done
# A mount in use does not go without --force.
exec {busy}<"$MNT/film.txt"
refute timeout 30 "$VSTACKFS" umount "$MNT"
equal "still mounted" "$(cat "$MNT/film.txt")" film
timeout 30 "$VSTACKFS" umount --force "$MNT"
refute is_mounted
exec {busy}<&-
