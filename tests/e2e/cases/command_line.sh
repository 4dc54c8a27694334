#!/usr/bin/env bash
# The command: when it returns, what it says, what it refuses; and nothing listens.
. "$(dirname "$0")/../lib.sh"

run() { # run ARGUMENT...: its output and exit code in $said and $code
    code=0
    said=$(timeout "$PATIENCE_S" "$VSTACKFS" "$@" 2>&1 </dev/null) || code=$?
}
run --help
equal "exit code of --help" "$code" 0
grep -q MOUNTPOINT <<<"$said" || fail "--help does not mention MOUNTPOINT"
for command in umount status info inbox node nodes safe wait; do
    run "$command" --help
    equal "exit code of $command --help" "$code" 0
done
run
refute test "$code" -eq 0
run frobnicate # a word without '/' is a command
refute test "$code" -eq 0
grep -q frobnicate <<<"$said" || fail "the unknown command is not named: $said"

vs_refused 'mnt/nothing|does not exist|No such' --data "$DATA" "$MNT/nothing"
touch "$MNT/file"
vs_refused 'empty' --data "$DATA" "$MNT"
vs_refused 'director' --data "$DATA" "$MNT/file"
rm "$MNT/file"
vs_refused 'below|inside|under' --data "$MNT/data" "$MNT"
vs_refused 'frob' -o frob=1 --data "$DATA" "$MNT"
equal "what refused starts left behind" "$(find "$MNT" -mindepth 1)" ""
refute timeout 30 "$VSTACKFS" umount "$MNT"
refute timeout 30 "$VSTACKFS" status --mount "$MNT"

# The first mount says where things are and what to do next.
run --data "$DATA" "$MNT"
equal "exit code" "$code" 0
for word in "$DATA" inbox umount; do
    grep -qF -- "$word" <<<"$said" || fail "the first mount does not mention $word: $said"
done
grep -Eqi 'disk' <<<"$said" || fail "the first mount does not say which failures it survives: $said"
is_mounted || fail "not mounted"
equal "type" "$(awk -v m="$MNT" '$5 == m { sub(/.* - /, ""); print $1 }' /proc/self/mountinfo)" fuse.vstackfs
# It is in the background, a child of nobody here, without our terminal or folder.
pid=$(vs_pid)
equal "working folder of the process" "$(readlink "/proc/$pid/cwd")" /
# Nothing listens: no socket of the process is in the tables of TCP or UDP.
for link in "/proc/$pid/fd"/*; do
    target=$(readlink "$link") || continue
    case $target in socket:*)
        inode=${target#socket:[}
        refute grep -qw "${inode%]}" /proc/net/tcp /proc/net/tcp6 /proc/net/udp /proc/net/udp6
        ;;
    esac
done

run status --mount "$MNT"
equal "exit code of status" "$code" 0
vs_status .state >/dev/null
equal "nodes" "$(vs_status '[.nodes[].id] | join(" ")')" "n1 n2 n3 n4 n5"
equal "states" "$(vs_status '[.nodes[].state] | unique | join(" ")')" up
for field in files chunks chunks_degraded chunks_lost logical_bytes fragment_bytes; do
    equal "$field of an empty store" "$(vs_status ".$field")" 0
done
refute timeout 30 "$VSTACKFS" info "$MNT/nothing" --json
echo x >"$MNT/x"
equal "info of a small file" "$(vs_info "$MNT/x" .stored_as)" metadata
run info "$MNT/x"
equal "exit code of info" "$code" 0
if [ "$(id -u)" -eq 0 ]; then
    need_nobody_mnt=$MNT
    as_nobody test -x "$CASE_DIR" && as_nobody ls "$need_nobody_mnt" >/dev/null
fi
vs_umount
run umount "$MNT"
refute test "$code" -eq 0

# As fstab writes it: SOURCE MOUNTPOINT -o OPTIONS; and from a relative path.
timeout 30 "$VSTACKFS" "$DATA" "$MNT" -o rw,alias=5 >/dev/null
equal "content by source" "$(cat "$MNT/x")" x
timeout 30 "$VSTACKFS" umount "$MNT"
(cd "$CASE_DIR" && timeout 30 "$VSTACKFS" --data data ./mnt >/dev/null)
equal "content from a relative path" "$(cat "$MNT/x")" x
(cd "$CASE_DIR" && timeout 30 "$VSTACKFS" umount mnt)
refute is_mounted

# In the foreground; ended by a signal it unmounts.
vs_mount_foreground
equal "content" "$(cat "$MNT/x")" x
pid=$(vs_pid)
kill -TERM "$pid"
await 30 process_gone "$pid"
refute is_mounted

# One store per disk, metadata elsewhere.
disks=()
for i in 1 2 3 4 5; do
    mkdir "$CASE_DIR/disk$i"
    disks+=(--disk "$CASE_DIR/disk$i")
done
DATA=$CASE_DIR/elsewhere
vs_mount "${disks[@]}"
make_bytes "$WORK/f" $((CHUNK * 2))
cp "$WORK/f" "$MNT/f"
for i in 1 2 3 4 5; do
    [ -n "$(find "$CASE_DIR/disk$i" -name 'sb-*')" ] || fail "disk$i holds nothing"
done
vs_umount
rm -rf "$CASE_DIR/disk2" "$CASE_DIR/disk4"
vs_mount "${disks[@]}"
same "$WORK/f" "$MNT/f"
