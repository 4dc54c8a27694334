#!/usr/bin/env bash
# Runs test programs and e2e cases, and ends with the line "N passed, N failed[, N skipped]".
#
#   tests/run.sh BUILD [PROGRAM | CASE.sh]...
#
# A PROGRAM is a CMocka program: each of its test functions counts. A CASE.sh is one test: exit 0
# passed, 77 skipped (its last line is the reason), anything else failed. Both get a time limit
# ("# limit: SECONDS" in a case) and a log in BUILD/logs/; the log of a failure is printed.
#
# Environment: JOBS (programs at a time, default 2), CASE_JOBS (cases at a time, default 2),
# LIMIT_FACTOR (multiplies the limits; sanitizers are slow), LOG_LINES (of a failure, default 150).
set -uo pipefail

# ThreadSanitizer needs its shadow where address randomisation of new kernels may put something else.
if [ "${VARIANT:-}" = tsan ] && [ -z "${VS_NO_RANDOM:-}" ] && setarch -R true 2>/dev/null; then
    VS_NO_RANDOM=1 exec setarch -R "$0" "$@"
fi

BUILD=$(realpath -m "${1:?usage: tests/run.sh BUILD [PROGRAM|CASE.sh]...}")
shift
JOBS=${JOBS:-2}
CASE_JOBS=${CASE_JOBS:-2}
LIMIT_FACTOR=${LIMIT_FACTOR:-1}
LOG_LINES=${LOG_LINES:-150}
PROGRAM_LIMIT_S=120
CASE_LIMIT_S=120

LOGS=$BUILD/logs
rm -rf "$LOGS"
mkdir -p "$LOGS"
export BUILD
export ASAN_OPTIONS="${ASAN_OPTIONS:-detect_leaks=1:abort_on_error=0:exitcode=99}"
export UBSAN_OPTIONS="${UBSAN_OPTIONS:-print_stacktrace=1}"
export TSAN_OPTIONS="${TSAN_OPTIONS:-exitcode=99:second_deadlock_stack=1:suppressions=$PWD/tests/tsan.supp}"

# Interrupted, we end what runs, let it clean up, and then end ourselves.
running=()
stop_all() {
    trap '' INT TERM
    for pid in "${running[@]}"; do
        kill -TERM "$pid" 2>/dev/null
    done
    wait
    exit 130
}
trap stop_all INT TERM

# limited SECONDS LOG COMMAND...: in a process group of its own; passes TERM on to it.
limited() {
    local limit=$1 log=$2 child rc
    shift 2
    timeout -k 20 "$limit" "$@" >"$log" 2>&1 </dev/null &
    child=$!
    trap 'kill -TERM "$child"' TERM
    wait "$child"
    rc=$?
    while [ -e "/proc/$child" ]; do # a TERM ended the wait, not yet the child
        wait "$child"
        rc=$?
    done
    return $rc
}

# settle NAME PASSED FAILED SKIPPED SECONDS REMARK: the result of one test, once.
settle() {
    local name=$1 passed=$2 failed=$3 skipped=$4 seconds=$5 remark=$6 word=ok
    [ "$skipped" -gt 0 ] && [ "$passed" -eq 0 ] && word=skip
    [ "$failed" -gt 0 ] && word=FAIL
    echo "$passed $failed $skipped" >"$LOGS/$name.result"
    printf '%-4s %-44s %6.1f s  %s\n' "$word" "$name" "$seconds" "$remark"
}

seconds_since() {
    awk -v a="$1" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.1f", b - a }'
}

how_it_ended() {
    case $1 in
    143) echo "interrupted" ;;
    124) echo "over its time limit of $2 s" ;;
    137) echo "over its time limit of $2 s, and had to be killed" ;;
    *) echo "exit code $1" ;;
    esac
}

run_program() {
    local program=$1 name limit start rc counts passed failed skipped lost remark dir
    name=$(basename "$(dirname "$program")")/$(basename "$program")
    limit=$((PROGRAM_LIMIT_S * LIMIT_FACTOR))
    mkdir -p "$LOGS/$(dirname "$name")"
    start=$EPOCHREALTIME
    dir=$(mktemp -d "${TMPDIR:-/var/tmp}/vs-test-XXXXXX") # CMocka tears down nothing whose setup failed
    TMPDIR=$dir CMOCKA_MESSAGE_OUTPUT=TAP limited "$limit" "$LOGS/$name.log" "$program"
    rc=$?
    rm -rf --one-file-system "$dir"
    # TAP: "1..N" per group, then "ok"/"not ok" per test. A test announced but never heard of
    # (the program died) has failed.
    counts=$(awk '
        /^1\.\.[0-9]+/ { split($0, a, /\.\./); plan += a[2] }
        /^(not )?ok [0-9]+ # SKIP/ { skipped++; next } # CMocka says "not ok 2 # SKIP name"
        /^ok / { passed++ }
        /^not ok / { failed++ }
        END { lost = plan - passed - failed - skipped
              print passed + 0, failed + 0, skipped + 0, (lost > 0 ? lost : 0) }' "$LOGS/$name.log")
    read -r passed failed skipped lost <<<"$counts"
    remark="$((passed + failed + skipped + lost)) tests"
    if [ "$rc" -ne 0 ] && [ $((failed + lost)) -eq 0 ]; then
        lost=1 # died outside its tests: a leak report, a crash at exit
    fi
    if [ $((passed + failed + skipped + lost)) -eq 0 ]; then
        lost=1
        remark="ran no test"
    fi
    failed=$((failed + lost))
    [ "$failed" -gt 0 ] && remark+=", $failed failed, $(how_it_ended $rc $limit)"
    settle "$name" "$passed" "$failed" "$skipped" "$(seconds_since "$start")" "$remark"
}

# left_behind DIR: mounts below DIR, and processes that name it or were started by that case; both are
# ended and told.
left_behind() {
    local dir=$1 target pid cmd task
    awk -v d="$dir/" 'index($5, d) == 1 { print $5 }' /proc/self/mountinfo | sort -r |
        while read -r target; do
            echo "left a mount: $target"
            umount -l "$(printf '%b' "$target")"
        done
    for pid in /proc/[0-9]*; do
        pid=${pid#/proc/}
        [ "$pid" = $$ ] && continue
        cmd=$({ tr '\0' ' ' <"/proc/$pid/cmdline"; } 2>/dev/null)
        if [[ $cmd != *"$dir/"* ]] && ! grep -zqxF "CASE_DIR=$dir" "/proc/$pid/environ" 2>/dev/null; then
            continue
        fi
        [ -e "/proc/$pid/exe" ] || continue # a zombie is gone; its parent has not looked yet
        echo "left a process: $pid $cmd"
        # What its threads wait for: the only witness of a hang.
        for task in "/proc/$pid/task"/*; do
            echo "    $(cat "$task/comm"): $(grep -m 1 ^State "$task/status"), in $(cat "$task/wchan"), $(grep ^TracerPid "$task/status")"
        done 2>/dev/null | sort | uniq -c
        kill -KILL "$pid" 2>/dev/null
    done
}

run_case() {
    local case=$1 name limit start rc left remark=''
    name=e2e/$(basename "$case" .sh)
    limit=$(sed -n 's/^# limit: \([0-9][0-9]*\)$/\1/p' "$case" | head -n 1)
    limit=$((${limit:-$CASE_LIMIT_S} * LIMIT_FACTOR))
    mkdir -p "$LOGS/e2e"
    start=$EPOCHREALTIME
    CASE_DIR=$BUILD/e2e/$(basename "$case" .sh)
    export CASE_DIR
    limited "$limit" "$LOGS/$name.log" bash "$case"
    rc=$?
    left=$(left_behind "$CASE_DIR" 2>&1)
    rm -rf --one-file-system "$CASE_DIR"
    if [ -n "$left" ]; then
        echo "$left" >>"$LOGS/$name.log"
        [ $rc -ne 0 ] || rc=1
        remark="left mounts or processes behind, "
    fi
    case $rc in
    0) settle "$name" 1 0 0 "$(seconds_since "$start")" "" ;;
    77) settle "$name" 0 0 1 "$(seconds_since "$start")" "$(tail -n 1 "$LOGS/$name.log")" ;;
    *) settle "$name" 0 1 0 "$(seconds_since "$start")" "$remark$(how_it_ended $rc $limit)" ;;
    esac
}

# at_most N FUNCTION ITEM...: FUNCTION ITEM for each, N at a time.
at_most() {
    local n=$1 what=$2 item
    shift 2
    for item in "$@"; do
        while [ "$(jobs -rp | wc -l)" -ge "$n" ]; do
            wait -n
        done
        "$what" "$item" &
        running+=($!)
    done
    wait
}

programs=() cases=()
for t in "$@"; do
    case $t in
    *.sh) cases+=("$t") ;;
    *) programs+=("$t") ;;
    esac
done

at_most "$JOBS" run_program "${programs[@]}"
at_most "$CASE_JOBS" run_case "${cases[@]}"

passed=0 failed=0 skipped=0
while IFS= read -r result; do
    read -r p f s <"$result"
    passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
    if [ "$f" -gt 0 ]; then
        name=${result#"$LOGS/"}
        name=${name%.result}
        printf '\n---- %s (whole log: %s)\n' "$name" "${result%.result}.log"
        tail -n "$LOG_LINES" "${result%.result}.log"
    fi
done < <(find "$LOGS" -name '*.result' | sort)

# A test without a result was lost by this runner; that is a failure too.
missing=$(($# - $(find "$LOGS" -name '*.result' | wc -l)))
[ "$missing" -eq 0 ] || echo "$missing tests left no result"
failed=$((failed + missing))
if [ $((passed + failed)) -eq 0 ]; then
    echo "no test was run"
    failed=1
fi

line="$passed passed, $failed failed"
[ "$skipped" -eq 0 ] || line+=", $skipped skipped"
echo
echo "$line"
[ "$failed" -eq 0 ]
