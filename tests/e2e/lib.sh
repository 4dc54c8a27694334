# shellcheck shell=bash
# The harness of the end-to-end cases: a private folder, a real mount, and words to check with.
#
#   . "$(dirname "$0")/../lib.sh"
#   vs_mount                     mounts $DATA on $MNT, returns when serving
#   vs_umount  vs_kill9          ends it politely, or not; both wait until the process is gone
#   vs_remount                   vs_umount and vs_mount
#
# A case ends at the first command that fails. A trap unmounts, ends what is left by its process
# number, and removes the folder (KEEP=1 keeps it). Exit code 77, through skip, is "cannot run here".
#
# Run one by hand: make test-e2e CASE=word, or bash tests/e2e/cases/word.sh (uses build/release).
set -Eeuo pipefail
export LC_ALL=C.UTF-8 TZ=UTC PYTHONDONTWRITEBYTECODE=1
export PATH="/usr/sbin:/usr/bin:/sbin:/bin:$PATH" # the programs of the packages first
umask 022

ROOT=$(realpath "$(dirname "${BASH_SOURCE[0]}")/../..")
BUILD=$(realpath -m "${BUILD:-$ROOT/build/${VARIANT:-release}}")
VSTACKFS=${VSTACKFS:-$BUILD/vstackfs}
CASE=$(basename "$0" .sh)
CASE_DIR=${CASE_DIR:-$BUILD/e2e/$CASE}
VIDEOS=${VIDEOS:-$ROOT/build/videos}
export CASE_DIR
DATA=$CASE_DIR/data MNT=$CASE_DIR/mnt WORK=$CASE_DIR/work
SYS=$ROOT/tests/e2e/sys.py
# shellcheck disable=SC2034  # words of the cases
{
    MIB=$((1024 * 1024))
    CHUNK=$((4 * MIB)) # where a file that is no video is cut
    INLINE=65536       # files up to this live in the metadata
    CONTAINERS=(mp4 mp4last mp4frag mkv webm mov avi ts mpg flv ogv 3gp wmv)
    INDEX_LAST=" mp4last 3gp " # a stream of these is cut by size
    NOBODY=65534
}
# Deadlines stretch under sanitizers; a test never waits longer than it must.
PATIENCE_S=$((30 * ${LIMIT_FACTOR:-1}))

# ---- saying no -----------------------------------------------------------------------------------

fail() {
    echo "FAILED: $*" >&2
    local depth=0
    while caller $depth >&2; do depth=$((depth + 1)); done
    trap - ERR
    exit 1
}

skip() {
    echo "SKIP: $*"
    exit 77
}

on_error() {
    echo "FAILED: ${BASH_SOURCE[1]}:$1: $2" >&2
}
trap 'on_error $LINENO "$BASH_COMMAND"' ERR

need_root() {
    [ "$(id -u)" -eq 0 ] || skip "needs root: $*"
}

# ---- the end of a case ---------------------------------------------------------------------------

our_mounts() {
    awk -v d="$CASE_DIR/" -v m="$MNT" 'index($5, d) == 1 || $5 == m { print $5 }' /proc/self/mountinfo | sort -r
}

# Processes of the program under test that this case started: mounts, their helpers, commands.
our_pids() {
    local exe
    for exe in /proc/[0-9]*/exe; do
        [ "$exe" -ef "$VSTACKFS" ] || continue
        grep -zqxF "CASE_DIR=$CASE_DIR" "${exe%exe}environ" 2>/dev/null || continue
        exe=${exe#/proc/}
        echo "${exe%/exe}"
    done
}

force_umount() {
    if [ "$(id -u)" -eq 0 ]; then
        umount -l "$1"
    else
        fusermount3 -uz "$1"
    fi
}

# A case may define it anew: what must end before the mount can.
at_exit() {
    :
}

on_exit() {
    local rc=$? target pid report
    trap - EXIT ERR
    set +e
    cd /
    at_exit
    for target in $(our_mounts); do
        if ! timeout "$PATIENCE_S" "$VSTACKFS" umount "$target" >/dev/null 2>>"$CASE_DIR/vstackfs.err"; then
            [ $rc -ne 0 ] || { echo "FAILED: vstackfs umount $target at the end" >&2; rc=1; }
            force_umount "$target"
        fi
    done
    for pid in $(our_pids); do
        timeout "$PATIENCE_S" tail --pid="$pid" -f /dev/null # a polite end takes a moment
        [ -e "/proc/$pid" ] || continue
        [ $rc -ne 0 ] || { echo "FAILED: process $pid did not end after umount" >&2; rc=1; }
        kill -KILL "$pid"
    done
    for report in "$CASE_DIR"/sanitizer.*; do
        [ -e "$report" ] || continue
        echo "---- $report"
        head -n 100 "$report"
        rc=1
    done
    if [ $rc -ne 0 ] && [ $rc -ne 77 ]; then
        for report in "$CASE_DIR/vstackfs.err" "$DATA/vstackfs.log"; do
            [ -s "$report" ] || continue
            echo "---- the end of $report"
            tail -n 40 "$report"
        done
    fi
    [ -n "${KEEP:-}" ] || rm -rf --one-file-system "$CASE_DIR"
    [ ! -d "$MNT" ] || rmdir "$MNT"
    exit $rc
}

[ -c /dev/fuse ] || skip "this machine has no /dev/fuse"
[ -x "$VSTACKFS" ] || fail "$VSTACKFS is not built; run make first"
[ ! -e "$CASE_DIR" ] || [ -z "$(our_mounts)" ] || fail "an earlier run is still mounted below $CASE_DIR"
rm -rf --one-file-system "$CASE_DIR"
mkdir -p "$CASE_DIR" "$MNT" "$WORK"
trap on_exit EXIT
trap 'exit 143' TERM INT
export ASAN_OPTIONS="${ASAN_OPTIONS:-}:log_path=$CASE_DIR/sanitizer"
export UBSAN_OPTIONS="${UBSAN_OPTIONS:-}:log_path=$CASE_DIR/sanitizer"
export TSAN_OPTIONS="${TSAN_OPTIONS:-}:log_path=$CASE_DIR/sanitizer"

# ---- waiting -------------------------------------------------------------------------------------

# await SECONDS COMMAND...: poll until the command succeeds; fail at the deadline.
await() {
    local deadline=$((SECONDS + $1 * ${LIMIT_FACTOR:-1}))
    shift
    until ("$@") >/dev/null 2>&1; do # a subshell: a check that fails here only means "not yet"
        [ $SECONDS -lt $deadline ] || fail "waited in vain for: $*"
        sleep 0.05
    done
}

is_mounted() {
    awk -v m="$MNT" '$5 == m { found = 1 } END { exit !found }' /proc/self/mountinfo
}

process_gone() {
    [ ! -e "/proc/$1" ]
}

# ---- the mount -----------------------------------------------------------------------------------

# The process that serves $MNT.
vs_pid() {
    local pid
    for pid in $(our_pids); do
        tr '\0' '\n' <"/proc/$pid/cmdline" | grep -qxF "$MNT" && echo "$pid" && return
    done
    return 1
}

# vs_mount [ARGUMENT...]: extra arguments go before --data.
vs_mount() {
    timeout "$PATIENCE_S" "$VSTACKFS" "$@" --data "$DATA" "$MNT" \
        >>"$CASE_DIR/vstackfs.out" 2>>"$CASE_DIR/vstackfs.err" </dev/null ||
        fail "vstackfs $* --data $DATA $MNT: exit code $?: $(tail -n 3 "$CASE_DIR/vstackfs.err")"
    is_mounted || fail "vstackfs returned 0, and $MNT is not mounted"
    vs_pid >/dev/null || fail "vstackfs returned 0, and no process serves $MNT"
}

# The same in the foreground, so that its log can be read: $CASE_DIR/vstackfs.err.
vs_mount_foreground() {
    "$VSTACKFS" -f "$@" --data "$DATA" "$MNT" \
        >>"$CASE_DIR/vstackfs.out" 2>>"$CASE_DIR/vstackfs.err" </dev/null &
    await "$PATIENCE_S" is_mounted
    await "$PATIENCE_S" stat "$MNT/inbox"
}

# vs_refused PATTERN ARGUMENT...: this start must fail with exit code 1 and one sentence like that.
vs_refused() {
    local pattern=$1 rc=0 said
    shift
    said=$(timeout "$PATIENCE_S" "$VSTACKFS" "$@" 2>&1 >/dev/null </dev/null) || rc=$?
    [ $rc -eq 1 ] || fail "vstackfs $*: exit code $rc, 1 was expected; said: $said"
    grep -Eqi -- "$pattern" <<<"$said" || fail "vstackfs $*: said '$said', expected $pattern"
}

vs_umount() {
    local pid
    pid=$(vs_pid)
    timeout "$PATIENCE_S" "$VSTACKFS" umount "$MNT" 2>>"$CASE_DIR/vstackfs.err" ||
        fail "vstackfs umount $MNT: exit code $?"
    ! is_mounted || fail "umount returned 0, and $MNT is still mounted"
    await "$PATIENCE_S" process_gone "$pid"
}

vs_kill9() {
    local pid
    pid=$(vs_pid)
    kill -KILL "$pid"
    await "$PATIENCE_S" process_gone "$pid"
}

vs_remount() {
    vs_umount
    vs_mount
}

# vs ARGUMENT...: a command on this mount, its stderr kept.
vs() {
    timeout "$PATIENCE_S" "$VSTACKFS" "$@" 2>>"$CASE_DIR/vstackfs.err"
}

# last_moment FILE: salvage said so in FILE, and nothing is lost but what was on its way to the stores.
last_moment() {
    grep -q 'LOST: ' "$1" && ! grep 'LOST: ' "$1" | grep -qv 'the newest record of the journal'
}

# vs_status FILTER: a jq filter on status --json;  vs_info FILE FILTER: on info --json.
vs_status() {
    vs status --json --mount "$MNT" | jq -er "$1"
}

vs_info() {
    vs info "$1" --json | jq -er "$2"
}

vattr() {
    getfattr --absolute-names --only-values -n "user.vstack.$2" "$1"
}

# node_state n3: up, down, ... as status has it.
node_state() {
    vs_status ".nodes[] | select(.id == \"$1\") | .state"
}

node_is() {
    [ "$(node_state "$1")" = "$2" ]
}

# ---- checks --------------------------------------------------------------------------------------

# same A B: both exist and have the same bytes.
same() {
    cmp -- "$1" "$2" || fail "$2 differs from $1"
}

# equal WHAT GOT EXPECTED
equal() {
    [ "$2" = "$3" ] || fail "$1: got '$2', expected '$3'"
}

# at_most WHAT GOT LIMIT, at_least WHAT GOT LIMIT: numbers, also fractions.
at_most() {
    awk -v a="$2" -v b="$3" 'BEGIN { exit !(a != "" && a + 0 <= b + 0) }' || fail "$1: $2, at most $3 allowed"
}
at_least() {
    awk -v a="$2" -v b="$3" 'BEGIN { exit !(a != "" && a + 0 >= b + 0) }' || fail "$1: $2, at least $3 needed"
}

exists() {
    [ -e "$1" ] || [ -L "$1" ] || fail "$1 does not exist"
}

absent() {
    if [ -e "$1" ] || [ -L "$1" ]; then
        fail "$1 exists"
    fi
}

# absent_in DIR NAME: a listing of DIR does not show it (lookup may still know it).
absent_in() {
    if find "$1" -mindepth 1 -maxdepth 1 -print0 | grep -zqxF -- "$1/$2"; then
        fail "$1 lists $2"
    fi
}

# What it says on stderr goes to $CASE_DIR/said.
refute() {
    if "$@" 2>>"$CASE_DIR/said"; then
        fail "succeeded, and should not: $*"
    fi
}

# expect_errno ENOENT open PATH r    one system call of tests/e2e/sys.py, and the errno it must give
expect_errno() {
    local want=$1 got
    shift
    got=$("$SYS" "$@" | sed -n '$p') || fail "sys.py $*"
    [ "$got" = "$want" ] || fail "$*: got $got, expected $want"
}

# A system call that must work.
call() {
    expect_errno OK "$@"
}

# For cases with a second user: a mount point which that user can reach.
need_nobody() {
    [ "$(id -u)" -eq 0 ] || skip "only root can act as another user"
    as_nobody test -x "$CASE_DIR" && return
    MNT=$(mktemp -d /tmp/vstack-e2e.XXXXXX)
    chmod 755 "$MNT"
}

# as_nobody COMMAND...: without any privilege.
as_nobody() {
    setpriv --reuid "$NOBODY" --regid "$NOBODY" --clear-groups -- "$@"
}

# A tree as text: path, type, mode, owner, size of files, mtime, target, and the hash of each file.
# Two trees that print the same are the same for anybody who looks.
fingerprint() {
    (
        cd "$1"
        # sizes of directories belong to the file system, the inbox to the mount
        find . -mindepth 1 -path ./inbox -prune -o -type d -printf '%p\t%y\t%m\t%U:%G\t%T@\n' \
            -o -printf '%p\t%y\t%m\t%U:%G\t%s\t%T@\t%l\n' | sort
        find . -path ./inbox -prune -o -type f -print0 | sort -z | xargs -0 -r sha256sum --
    )
}

# ---- material ------------------------------------------------------------------------------------

# make_bytes FILE SIZE: bytes that do not compress.
make_bytes() {
    head -c "$2" /dev/urandom >"$1"
}

# make_video CONTAINER: the path of a sample of 20 to 60 MB with a keyframe at least every 3 MB;
# make_video CONTAINER small: one of some 100 KB. Made once per checkout, in build/videos.
make_video() {
    local container=$1 size=${2:-large} ext file
    case $container in mp4last | mp4frag) ext=mp4 ;; *) ext=$container ;; esac
    file=$VIDEOS/$container-$size.$ext
    if [ ! -e "$file" ]; then
        mkdir -p "$VIDEOS"
        exec {lock}>"$VIDEOS/.$container-$size.lock"
        flock "$lock"
        if [ ! -e "$file" ]; then
            encode_video "$container" "$size" "$VIDEOS/.making-$container-$size.$ext" >&2 ||
                fail "ffmpeg cannot make $container $size"
            mv "$VIDEOS/.making-$container-$size.$ext" "$file"
        fi
        exec {lock}>&-
    fi
    echo "$file"
}

encode_video() {
    local container=$1 size=$2 out=$3 seconds=30 picture=1280x720 rate=12M
    local video=(-c:v libx264 -preset ultrafast -pix_fmt yuv420p) audio=(-c:a aac) format=()
    case $container in
    mp4 | mov) format=(-movflags +faststart) ;;
    mp4last | mkv | flv) ;;
    mp4frag) format=(-movflags +frag_keyframe+empty_moov) ;;
    3gp) audio=(-c:a aac -ar 44100) ;;
    webm)
        video=(-c:v libvpx -deadline realtime -cpu-used 8)
        audio=(-c:a libvorbis) picture=640x360 seconds=50
        ;;
    avi) audio=(-c:a libmp3lame) ;;
    ts) format=(-f mpegts) ;;
    mpg)
        video=(-c:v mpeg2video -maxrate 14M -bufsize 2M)
        audio=(-c:a mp2) format=(-f vob)
        ;;
    ogv)
        video=(-c:v libtheora) audio=(-c:a libvorbis) picture=640x360 seconds=10 rate=18M
        ;;
    wmv) video=(-c:v wmv2) audio=(-c:a wmav2) ;;
    *) fail "no such container: $container" ;;
    esac
    [ "$size" != small ] || { seconds=4 picture=320x180 rate=200k; }
    ffmpeg -nostdin -v error -y -f lavfi -i "testsrc2=size=$picture:rate=25:duration=$seconds" \
        -f lavfi -i "sine=frequency=440:duration=$seconds" -vf noise=alls=40:allf=t \
        "${video[@]}" -b:v "$rate" -g 48 "${audio[@]}" "${format[@]}" "$out"
}
