#!/usr/bin/env bash
# make lint: the rules of the house over the tree, and a proof that each rule can say no.
# shellcheck disable=SC2016,SC2317  # a script inside quotes; check() calls functions by name
set -uo pipefail
cd "$(dirname "$(realpath "$0")")/../.." || exit 1

red=0
check() {
    local what=$1
    shift
    if "$@"; then
        echo "lint: $what: ok"
    else
        echo "lint: $what: findings above"
        red=1
    fi
}

sources() {
    find . \( -path ./build -o -path ./.git \) -prune -o -type f -name '*.[ch]' -print0
}

scripts() {
    find . \( -path ./build -o -path ./.git \) -prune -o -type f -print0 |
        while IFS= read -r -d '' f; do
            read -r -n 64 first <"$f" 2>/dev/null
            case $f in *.sh) first='#!/bin/bash' ;; esac
            case $first in '#!'*bash | '#!'*/sh) printf '%s\0' "$f" ;; esac
        done
}

check_format() {
    sources | xargs -0 -r -n 1 -P 2 bash -c \
        'clang-format "$0" | cmp -s - "$0" || { echo "${0#./}: format: make format would change it"; exit 1; }'
}

check_scripts() {
    # SC2119, SC2120: functions with optional arguments. SC2153: MNT and MNT2 are both meant.
    scripts | xargs -0 -r shellcheck -x -P SCRIPTDIR -e SC2119,SC2120,SC2153
}

check "rules" tests/lint/lint.py .
check "each rule says no to a bad tree" tests/lint/selftest.sh
check "format (make format mends it)" check_format
check "scripts" check_scripts
exit $red
