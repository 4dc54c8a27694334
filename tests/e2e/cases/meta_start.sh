#!/usr/bin/env bash
# How a metadata replica starts, and what it refuses: each with one sentence that says what to do.
. "$(dirname "$0")/../meta_lib.sh"

ARGS=(--id 1 --data "$META_DATA" --listen)

# ---- refusals ------------------------------------------------------------------------------------

meta_refused '0\.0\.0\.0:0 can be reached by other machines.*--insecure-lan' "${ARGS[@]}" 0.0.0.0:0
meta_refused 'HOST:PORT' "${ARGS[@]}" 8080
meta_refused '^vstack-meta: --data is missing' --id 1 --listen 127.0.0.1:0
meta_refused '--id is 1 to 65535' --id 0 --listen 127.0.0.1:0 --data "$META_DATA"
meta_refused 'cannot make the directory' --id 1 --listen 127.0.0.1:0 --data "$CASE_DIR/no/such"
PEERS=1=http://127.0.0.1:7101,2=http://127.0.0.1:7102,3=http://127.0.0.1:7103
UUID=00112233445566778899aabbccddeeff
meta_refused 'are 2 replicas; a cluster has 1, 3 or 5' "${ARGS[@]}" 127.0.0.1:0 --peers 2=http://127.0.0.1:7102 \
    --cluster $UUID
meta_refused 'give --cluster UUID' "${ARGS[@]}" 127.0.0.1:0 --peers "$PEERS"
meta_refused "not that of replica 1 of cluster $UUID" "${ARGS[@]}" 127.0.0.1:0 --peers "$PEERS" --cluster $UUID
meta_refused '--peers is ID=URL' "${ARGS[@]}" 127.0.0.1:0 --peers nonsense
meta_refused '--cluster is a uuid' "${ARGS[@]}" 127.0.0.1:0 --cluster nonsense
meta_refused 'has no metadata in it, and should hold that of replica 1' --id 1 --listen 127.0.0.1:0 \
    --data "$CASE_DIR/empty" --existing
[ ! -e "$CASE_DIR/empty" ] || fail "--existing made a directory"
meta_refused 'has no metadata in it.*--id NEW --replace 1' --id 1 --listen 127.0.0.1:0 --data "$CASE_DIR/empty" \
    --peers "$PEERS" --cluster $UUID
[ ! -e "$CASE_DIR/empty" ] || fail "a replica that lost its disk began anew"
mkdir "$CASE_DIR/other"
echo film >"$CASE_DIR/other/film.mkv"
meta_refused 'is not empty, and there is no metadata in it' --id 1 --listen 127.0.0.1:0 --data "$CASE_DIR/other"
equal "what is in that folder" "$(ls "$CASE_DIR/other")" film.mkv
"$VSTACK_META" --help | grep -q '^usage: vstack-meta' || fail "--help says nothing"

# ---- a start, a second one beside it, the same again ---------------------------------------------

meta_start --peers 1=http://127.0.0.1:7101
cluster=$(meta_get /health | jq -er .cluster)
meta_refused "another process uses $META_DATA" "${ARGS[@]}" 127.0.0.1:0
meta_refused "cannot listen on 127.0.0.1:$DAEMON_PORT: Address already in use" \
    --id 2 --listen "127.0.0.1:$DAEMON_PORT" --data "$CASE_DIR/m2"
equal "state" "$(meta_get /health | jq -er .state)" up
daemon_stop
meta_refused 'is the directory of replica 1, not of 2.*--id 1' --id 2 --listen 127.0.0.1:0 --data "$META_DATA"
meta_refused "belongs to cluster $cluster, not to" "${ARGS[@]}" 127.0.0.1:0 --cluster $UUID
meta_refused "holds the metadata of another number of replicas than the 3" "${ARGS[@]}" 127.0.0.1:0 \
    --peers "$PEERS" --cluster "$cluster"
meta_start --existing --cluster "$cluster"
equal "cluster after a restart" "$(meta_get /health | jq -er .cluster)" "$cluster"
daemon_stop

# ---- what a first start that was killed leaves can be started ---------------------------------------

mkdir -p "$CASE_DIR/half/acceptor"
"$VSTACK_META" --id 1 --listen 127.0.0.1:0 --data "$CASE_DIR/half" >"$CASE_DIR/half.out" </dev/null &
DAEMON_PID=$!
half_ready() { [ -s "$CASE_DIR/half.out" ] || ! [ -e "/proc/$DAEMON_PID" ]; }
await "$PATIENCE_S" half_ready
daemon_stop

# ---- one of several is not started alone -------------------------------------------------------------

"$VSTACK_META" --id 1 --listen 127.0.0.1:0 --data "$CASE_DIR/three" --peers "$PEERS" --cluster $UUID --new \
    >"$CASE_DIR/three.out" </dev/null &
DAEMON_PID=$!
three_ready() { [ -s "$CASE_DIR/three.out" ] || ! [ -e "/proc/$DAEMON_PID" ]; }
await "$PATIENCE_S" three_ready
daemon_stop
meta_refused "holds the metadata of another number of replicas than the 1" --id 1 --listen 127.0.0.1:0 \
    --data "$CASE_DIR/three" --cluster $UUID

# ---- an acceptor that lost its memory does not start -------------------------------------------------

rm -r "$META_DATA/acceptor"
meta_refused 'is behind what it has acknowledged' "${ARGS[@]}" 127.0.0.1:0
[ ! -e "$META_DATA/acceptor" ] || [ -z "$(ls -A "$META_DATA/acceptor")" ] || fail "it made a new acceptor"

# ---- with leave, other machines may come; systemd is told --------------------------------------------

cat >"$WORK/notified.py" <<'PY'
import os, socket, subprocess, sys, signal
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind("\0vstack-case-%d" % os.getpid())
s.settimeout(60)
env = dict(os.environ, NOTIFY_SOCKET="@vstack-case-%d" % os.getpid())
meta = subprocess.Popen(sys.argv[1:], env=env, stdout=subprocess.DEVNULL)
assert s.recv(4096).startswith(b"READY=1\nSTATUS=Serving "), "not ready"
meta.send_signal(signal.SIGINT)
assert s.recv(4096) == b"STOPPING=1", "not stopping"
assert meta.wait(60) == 0
PY
python3 "$WORK/notified.py" "$VSTACK_META" --id 1 --data "$CASE_DIR/m3" --listen 0.0.0.0:0 --insecure-lan

unit=$ROOT/mount-examples/vstack-meta.service
if command -v systemd-analyze >/dev/null; then
    sed "s|/usr/local/bin/vstack-meta|$VSTACK_META|" "$unit" >"$WORK/vstack-meta.service"
    systemd-analyze verify "$WORK/vstack-meta.service" >"$WORK/systemd.log" 2>&1 ||
        fail "systemd-analyze: $(cat "$WORK/systemd.log")"
fi
