#!/usr/bin/env bash
# What a small file asks of three replicas: its name once, its content with one change; with O_EXCL, one
# change more. The files are there on another mount, and the directory is as it would be without all that.
# limit: 100
. "$(dirname "$0")/../cluster_lib.sh"

FILES=100

asked() { # OP...: questions so far
    local url op
    for url in $(jq -r '.metas[].url' "$DATA/cluster.json"); do
        for op in "$@"; do
            curl -sf "$url/metrics" | sed -n "s/^vstack_meta_op_seconds_count{op=\"$op\"} //p"
        done
    done | paste -sd+ | bc
}

mode_is() {
    [ "$(stat -c %a "$1")" = "$2" ]
}

# Sets $questions (beside changes) and $changes: what the files of a new directory cost.
make_files() { # NAME MODE_OF_OPEN
    mkdir "$MNT/$1"
    questions=$(asked lookup getattr content)
    changes=$(asked change)
    python3 - "$MNT/$1" "$2" "$FILES" <<'END'
import sys
for n in range(int(sys.argv[3])):
    with open(f"{sys.argv[1]}/{n}", sys.argv[2]) as f:
        f.write(f"content {n}\n")
END
    questions=$(($(asked lookup getattr content) - questions))
    changes=$(($(asked change) - changes))
    echo "$1: $questions questions and $changes changes for $FILES files"
}

cl_up
make_files new w
[ "$questions" -lt $((3 * FILES)) ] || fail "$questions questions for $FILES files"
[ "$changes" -lt $((FILES + FILES / 4)) ] || fail "$changes changes for $FILES files"
make_files first x
[ "$changes" -lt $((2 * FILES + FILES / 4)) ] || fail "$changes changes for $FILES files made with O_EXCL"

# At rest the directory is what another mount says of it.
other=$CASE_DIR/other
mkdir "$other"
timeout "$PATIENCE_S" "$VSTACKFS" up --dir "$DATA" "$other" >/dev/null
for name in new first; do
    equal "names in $name" "$(find "$other/$name" -type f | wc -l)" "$FILES"
    equal "attributes of $name" "$(stat -c '%s %Y %y %z %a %h' "$MNT/$name")" \
        "$(stat -c '%s %Y %y %z %a %h' "$other/$name")"
done
for n in 0 57; do equal "file $n" "$(cat "$other/new/$n")" "content $n"; done

# Who removes a file there, and makes it again here.
rm "$other/new/57"
await "$PATIENCE_S" refute test -e "$MNT/new/57"
echo again >"$MNT/new/57"
await "$PATIENCE_S" grep -q again "$other/new/57"
chmod 2770 "$other/new"
await "$PATIENCE_S" mode_is "$MNT/new" 2770
timeout "$PATIENCE_S" "$VSTACKFS" umount "$other"
cl_down
