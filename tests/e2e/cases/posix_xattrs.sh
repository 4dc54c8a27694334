#!/usr/bin/env bash
# Extended attributes of users, and those which V-Stack answers itself.
. "$(dirname "$0")/../lib.sh"

vs_mount
f=$MNT/film.mkv
cp "$(make_video mkv)" "$f"
mkdir "$MNT/folder"
for p in "$f" "$MNT/folder"; do
    call setxattr "$p" user.note hello
    equal "value" "$("$SYS" getxattr "$p" user.note | sed -n 1p)" hello
    call createxattr "$p" user.second 2
    expect_errno EEXIST createxattr "$p" user.note again
    expect_errno ENODATA replacexattr "$p" user.third 3
    call replacexattr "$p" user.note changed
    equal "list" "$("$SYS" listxattr "$p" | tr '\n' ' ')" "user.note user.second OK "
    call removexattr "$p" user.second
    expect_errno ENODATA removexattr "$p" user.second
    expect_errno ENODATA getxattr "$p" user.second
done
long=$(printf 'v%.0s' {1..4000})
call setxattr "$f" user.long "$long"
equal "long value" "$("$SYS" getxattr "$f" user.long | sed -n 1p)" "$long"
call setxattr "$f" user.empty ''
expect_errno ERANGE setxattr "$f" "user.$(printf 'n%.0s' {1..260})" x
expect_errno ENODATA getxattr "$f" security.capability
expect_errno EOPNOTSUPP setxattr "$f" nonsense.name x

# Ours: read, never listed, not set.
size=$(stat -c %s "$f")
equal "sha256" "$(vattr "$f" sha256)" "$(sha256sum <"$f" | cut -d ' ' -f 1)"
equal "chunks" "$(vattr "$f" chunks)" "$(vs_info "$f" .chunks)"
equal "redundancy" "$(vattr "$f" redundancy)" auto
equal "stored_as" "$(vattr "$f" stored_as)" rs:3+2
equal "stored_as by info" "$(vs_info "$f" .stored_as)" rs:3+2
at_least "stored_bytes" "$(vattr "$f" stored_bytes)" $((size * 5 / 3))
at_most "stored_bytes" "$(vattr "$f" stored_bytes)" $((size * 172 / 100))
at_least "duration, ms" "$(vattr "$f" duration)" 29900
at_most "duration, ms" "$(vattr "$f" duration)" 30200
at_least "bitrate, bit/s" "$(vattr "$f" bitrate)" $((size * 8 / 31))
at_most "bitrate, bit/s" "$(vattr "$f" bitrate)" $((size * 8 / 29))
[ -n "$(vattr "$f" placement)" ] || fail "placement is empty"
refute test "$(vattr "$f" state)" = lost
refute test "$(vattr "$f" state)" = degraded
for name in state chunks sha256 duration bitrate stored_as stored_bytes placement; do
    expect_errno EPERM setxattr "$f" "user.vstack.$name" x
    refute grep -q "user.vstack.$name" <("$SYS" listxattr "$f")
done
equal "info as JSON" "$(vs_info "$f" '[.container, .duration_ms, .bitrate_bps, .sha256, .stored_bytes] | map(. != null) | all')" true

# A copy takes the user's, not ours; and they survive a remount and a rewrite.
cp -a "$f" "$MNT/copy.mkv"
equal "note of the copy" "$("$SYS" getxattr "$MNT/copy.mkv" user.note | sed -n 1p)" changed
echo more >>"$f"
vs_remount
equal "list after a remount" "$("$SYS" listxattr "$f" | tr '\n' ' ')" "user.empty user.long user.note OK "
equal "long value" "$("$SYS" getxattr "$f" user.long | sed -n 1p)" "$long"
equal "sha256 after an append" "$(vattr "$MNT/copy.mkv" sha256)" "$(sha256sum <"$MNT/copy.mkv" | cut -d ' ' -f 1)"
