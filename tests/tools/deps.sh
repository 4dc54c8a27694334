#!/usr/bin/env bash
# Installs the Debian packages that building and testing need.
#
#   tests/tools/deps.sh [build] [demo] [test] [bench]     default: build demo test
#
# Says what it installs, does nothing when all are there, asks apt-get for new package lists only
# when something is missing. Needs root or sudo then; without either it says what to type.
set -euo pipefail

# The one list of packages. A line: group, then packages.
packages() {
    cat <<'LIST'
build gcc libc6-dev make pkg-config
build libfuse3-dev fuse3 libcurl4-openssl-dev libmicrohttpd-dev libcjson-dev libisal-dev
build librocksdb-dev libssl-dev libseccomp-dev uthash-dev
build libavformat-dev libavcodec-dev libavutil-dev
demo  ffmpeg
test  libcmocka-dev shellcheck clang-format git spin
test  ffmpeg mpv vlc-bin vlc-plugin-base
test  attr jq rsync strace python3 util-linux procps systemd
bench fio python3
LIST
}

groups=("$@")
[ ${#groups[@]} -gt 0 ] || groups=(build demo test)

wanted=$(for g in "${groups[@]}"; do
    packages | awk -v g="$g" '$1 == g { for (i = 2; i <= NF; i++) print $i }'
done | sort -u)
[ -n "$wanted" ] || { echo "deps: no such group: ${groups[*]}" >&2; exit 2; }

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    echo "deps: this is not a Debian system; install by hand what these packages hold:" >&2
    echo "$wanted" | tr '\n' ' ' >&2
    echo >&2
    exit 1
fi

# shellcheck disable=SC2086,SC2016  # a list of words; the format is dpkg-query's own
have=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' $wanted 2>/dev/null |
    awk '$2 == "installed" { print $1 }' | sort -u) || :
missing=$(comm -23 <(echo "$wanted") <(echo "$have") | tr '\n' ' ')
missing=${missing% }
[ -n "$missing" ] || exit 0

as_root=()
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
        echo "deps: packages are missing and this user may not install them. As root, run:" >&2
        echo "  apt-get update && apt-get install $missing" >&2
        exit 1
    fi
    as_root=(sudo)
fi

echo "deps: installing with apt-get: $missing"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
apt() {
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y \
        -o Acquire::Retries=3 -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 "$@" >"$log" 2>&1 || {
        cat "$log" >&2
        echo "deps: apt-get $1 failed (above). The network and /etc/apt/sources.list are the" \
            "usual causes; then run it again." >&2
        exit 1
    }
}
apt update
# shellcheck disable=SC2086  # a list of words
apt install --no-install-recommends $missing
echo "deps: installed"
