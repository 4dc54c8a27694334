#!/usr/bin/env bash
# A name is any bytes but '/' and NUL, up to 255 of them, and comes back as it went in.
. "$(dirname "$0")/../lib.sh"

long=$(printf 'n%.0s' {1..251}).mkv
# shellcheck disable=SC2016  # nothing may expand
names=(
    $'new\nline.mkv' $'tab\tand\rreturn.mkv' $'escape\e[31m.mkv' 'quote".mkv' "apostrophe'.mkv"
    '-rf' '--help' 'trailing.' 'trailing ' ' leading' 'back\slash.mkv' '$HOME `id`; rm.mkv'
    $'invalid\xff\xfe.mkv' $'cut utf8 \xe2\x82' 'ümlaut.mkv' $'u\xcc\x88mlaut.mkv' '映画.mkv' '🎬.mkv'
    'UPPER.mkv' 'upper.mkv' '...' '%s%n.mkv' 'a:b*c?d|e<f>.mkv' 'name (2).mkv' '.hidden.mkv' 'con' "$long"
)
equal "length of the long name" ${#long} 255

vs_mount
mkdir "$MNT/tree" "$MNT/Müll"
i=0
for name in "${names[@]}"; do
    i=$((i + 1))
    echo "$i" >"$WORK/content"
    [ $((i % 3)) -ne 0 ] || make_bytes "$WORK/content" $((INLINE + i))
    cp -- "$WORK/content" "$WORK/content-$i"
    cp -- "$WORK/content" "$MNT/tree/$name"
    cp -- "$WORK/content" "$MNT/inbox/$name"
done
check() {
    local i=0 name
    for name in "${names[@]}"; do
        i=$((i + 1))
        same "$WORK/content-$i" "$MNT/tree/$name"
        same "$WORK/content-$i" "$MNT/$name"
    done
    cmp <(printf '%s\0' "${names[@]}" | sort -z) <(find "$MNT/tree" -mindepth 1 -printf '%f\0' | sort -z) ||
        fail "the folder lists other names"
}
check
vs_remount
check
for name in "${names[@]}"; do
    mv -- "$MNT/tree/$name" "$MNT/Müll/$name"
    mkdir -- "$MNT/tree/$name"
    ln -s -- "$name" "$MNT/tree/$name/$name"
    equal "link" "$(readlink -- "$MNT/tree/$name/$name"; echo .)" "$name"$'\n.'
done
vs info "$MNT/Müll/"$'new\nline.mkv' --json | jq -e .sha256 >/dev/null

for where in "$MNT" "$MNT/inbox"; do
    expect_errno ENAMETOOLONG open "$where/${long}x" w creat
    expect_errno ENAMETOOLONG mkdir "$where/${long}x"
    expect_errno ENAMETOOLONG stat "$where/${long}x"
    expect_errno ENAMETOOLONG rename "$MNT/trailing." "$where/${long}x"
    expect_errno ENAMETOOLONG symlink x "$where/${long}x"
    expect_errno ENAMETOOLONG link "$MNT/trailing." "$where/${long}x"
done
# What would hide our own doors.
expect_errno EINVAL mkdir "$MNT/inbox/inbox"
expect_errno EINVAL open "$MNT/inbox/inbox" w creat
expect_errno EINVAL open "$MNT/inbox/.vstack" w creat
