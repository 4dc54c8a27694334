#!/usr/bin/env bash
# Searches the models of the protocol with spin, exhaustively, and prints a table.
#
#   tests/models/run.sh OUT [MODEL]      OUT: folder for what is built; MODEL: only registers, fence, journal or session
#
# What runs, and what must come out: runs.txt. FULL=1: the large bounds, too. One search at a time; each is bounded in memory (an
# unfinished search is a failure, not a pass). Exit code 0: every model is without an error, every deliberate error was caught.
set -uo pipefail

here=$(dirname "$(realpath "$0")")
out=${1:?usage: tests/models/run.sh OUT [MODEL]}
only=${2:-}
full=${FULL:-}

MEMORY_MIB=3500 # of one search; FULL: 7500
LIMIT_S=300     # of one search; FULL: 3600
HASH=22         # slots of the table of states, a power of two; FULL: 26
DEPTH=100000    # steps of one path; none comes near
if [ -n "$full" ]; then
    MEMORY_MIB=7500 LIMIT_S=3600 HASH=26
fi

if ! command -v spin >/dev/null; then
    echo "models: spin is missing. Install it with: make deps" >&2
    exit 1
fi
rm -rf "$out"
mkdir -p "$out" || exit 1

# search DIR EXPECT MODEL FLAGS...: builds and runs the search; its output is DIR/log. A search that stops
# at its first error is over before a compiler's optimisation has paid.
search() {
    local dir=$1 optimise=-O1 model=$3
    [ "$2" != caught ] || optimise=-O0
    shift 3
    mkdir -p "$dir" || return 1
    (
        cd "$dir" || exit 1
        spin "$@" -a "$here/$model.pml" >log 2>&1 &&
            gcc $optimise -w -DSAFETY -DNOREDUCE -DMEMLIM="$MEMORY_MIB" pan.c -o pan >>log 2>&1 &&
            timeout "$LIMIT_S" ./pan -E -m"$DEPTH" -w"$HASH" >>log 2>&1
    )
}

# verdict DIR: "clean", "error" or "unfinished", then states and MiB.
verdict() {
    awk '
        /^State-vector .* errors: [0-9]+/ { errors = $NF; finished = 1 }
        /states, stored/ { states = $1 }
        /total actual memory usage/ { mib = $1 }
        /assertion violated/ { assertion = 1 }
        /max search depth too small|out of memory|memory limit|Search not completed/ { cut = 1 }
        END {
            if (assertion && errors > 0) word = "error"
            else if (finished && errors == 0 && !cut) word = "clean"
            else word = "unfinished"
            print word, states + 0, mib + 0
        }' "$1/log"
}

passed=0 failed=0
printf '%-10s %-30s %10s %8s %7s  %s\n' model bounds states seconds MiB result
while read -r level expect model flags; do
    case $level in '' | '#'*) continue ;; esac
    [ "$level" = small ] || [ -n "$full" ] || continue
    [ -z "$only" ] || [ "$only" = "$model" ] || continue
    dir=$out/$model${flags// /}
    start=$EPOCHREALTIME
    # shellcheck disable=SC2086  # a list of flags
    search "$dir" "$expect" "$model" $flags
    seconds=$(awk -v a="$start" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.1f", b - a }')
    read -r word states mib <<<"$(verdict "$dir")"
    case $expect-$word in
    safe-clean) result="no error" ;;
    margin-clean) result="no error: a margin" ;;
    caught-error) result="caught" ;;
    caught-clean) result="NOT CAUGHT" ;;
    *-error) result="ERROR" ;;
    *) result="NOT FINISHED" ;;
    esac
    case $result in
    [A-Z]*)
        failed=$((failed + 1))
        result+=", see $dir/log"
        ;;
    *)
        passed=$((passed + 1))
        rm -f "$dir"/pan "$dir"/pan.* "$dir"/*.trail
        ;;
    esac
    printf '%-10s %-30s %10d %8s %7.0f  %s\n' "$model" "${flags//-D/}" "$states" "$seconds" "$mib" "$result"
done <"$here/runs.txt"

if [ $((passed + failed)) -eq 0 ]; then
    echo "models: no model is called $only" >&2
    exit 1
fi
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
