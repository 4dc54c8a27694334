#!/usr/bin/env bash
# 4 GiB through the inbox: memory stays below 768 MiB, there is no second copy on disk, and close
# returns within 2 s of the last write.
# limit: 300
. "$(dirname "$0")/../lib.sh"

MIBS=${BIG_MIB:-4096}
free=$(df --output=avail -B1 "$CASE_DIR" | tail -n 1)
[ "$free" -gt $((MIBS * MIB * 3)) ] || skip "needs $((MIBS * 3)) MiB of free disk"

vs_mount
pid=$(vs_pid)
result=$("$ROOT/tests/e2e/stream.py" write "$MNT/inbox/big.bin" "$MIBS" "$DATA" 1.72 $((6 * 64 * MIB)))
read -r close_s rate <<<"$result"
echo "written at $rate MB/s, close took $close_s s"
exists "$MNT/big.bin"
peak() { awk '/^VmHWM/ { printf "%.0f", $2 * 1024 }' "/proc/$pid/status"; }
echo "peak memory after writing: $(($(peak) / MIB)) MiB"
if [ "${VARIANT:-release}" != asan ] && [ "${VARIANT:-release}" != tsan ]; then
    at_most "seconds in close" "$close_s" 2
    at_most "peak memory, bytes" "$(peak)" $((768 * MIB))
fi
"$ROOT/tests/e2e/stream.py" check "$MNT/big.bin" "$MIBS" || fail "read back, warm"
vs_remount
pid=$(vs_pid)
"$ROOT/tests/e2e/stream.py" check "$MNT/big.bin" "$MIBS" || fail "read back, cold"
echo "peak memory after reading: $(($(peak) / MIB)) MiB"
if [ "${VARIANT:-release}" != asan ] && [ "${VARIANT:-release}" != tsan ]; then
    at_most "peak memory, bytes" "$(peak)" $((768 * MIB))
fi
