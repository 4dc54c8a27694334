#!/usr/bin/env bash
# A disk that fails a write or a sync takes its store down, not the mount; nothing is acknowledged that
# rests on it. What it failed is never asked again: a second sync would lie.
. "$(dirname "$0")/../lib.sh"
need_root "it attaches strace to the mount"
command -v strace >/dev/null || skip "strace is not installed"

make_bytes "$WORK/film" $((6 * CHUNK))
vs_mount
cp "$WORK/film" "$MNT/before.mkv"

# inject STORE CALL: that call of that store's files fails with EIO from now on. Only the threads of
# the stores are traced: a tracer that arrives while another thread starts a child can stop both.
inject() {
    local files=() threads=() task f
    while IFS= read -r f; do files+=(-P "$f"); done < <(find "$DATA/nodes/$1" -name 'sb-*.dat')
    for task in "/proc/$(vs_pid)/task"/*; do
        case $(cat "$task/comm") in sb-io | sb-commit) threads+=("${task##*/}") ;; esac
    done
    strace -q -o "$CASE_DIR/strace.log" "${threads[@]/#/-p}" "${files[@]}" -e trace="$2" -e inject="$2":error=EIO &
    tracer=$!
    for f in "${threads[@]}"; do # attached when the thread says who traces it
        await 20 grep -q "^TracerPid:[^0-9]*$tracer$" "/proc/$f/status"
    done
}
release() {
    kill -TERM "$tracer"
    wait "$tracer" || echo "strace ended"
    tracer=
}

at_exit() { # a mount that is being traced does not end
    [ -z "$tracer" ] || ! kill -TERM "$tracer" 2>>"$CASE_DIR/said" || wait "$tracer" || echo "strace ended"
}
tracer=

inject n2 fdatasync
cp "$WORK/film" "$MNT/sync.mkv" # four stores are left
same "$WORK/film" "$MNT/sync.mkv"
release
grep -q 'EIO.*INJECTED' "$CASE_DIR/strace.log" || fail "nothing was injected: this case tests nothing"
equal "failed syncs asked again" "$(grep -c INJECTED "$CASE_DIR/strace.log")" 1
node_is n2 down || fail "a store whose sync failed is $(node_state n2)"
equal "stored_as" "$(vattr "$MNT/sync.mkv" stored_as)" rs:2+2
inject n4 pwritev
cp "$WORK/film" "$MNT/write.mkv"
release
node_is n4 down || fail "a store whose write failed is $(node_state n4)"
equal "stored_as" "$(vattr "$MNT/write.mkv" stored_as)" replicate:3
# Both are opened again by the next mount, and nothing is missing: even without two others.
vs_remount
equal "states" "$(vs_status '[.nodes[].state] | unique | join(" ")')" up
for f in before sync write; do same "$WORK/film" "$MNT/$f.mkv"; done
vs_umount
rm -rf "$DATA/nodes/n1" "$DATA/nodes/n3"
vs_mount
for f in before sync write; do same "$WORK/film" "$MNT/$f.mkv"; done
