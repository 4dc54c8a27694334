#!/usr/bin/env bash
# How a storage node starts, and what it refuses: each with one sentence that says what to do.
. "$(dirname "$0")/../node_lib.sh"

ARGS=(--id n1 --data "$NODE_DATA" --listen)

# ---- refusals ------------------------------------------------------------------------------------

node_refused '0\.0\.0\.0:0 can be reached by other machines.*--insecure-lan' "${ARGS[@]}" 0.0.0.0:0
node_refused 'HOST:PORT' "${ARGS[@]}" 8080
node_refused '^vstack-node: --data is missing' --id n1 --listen 127.0.0.1:0
node_refused '--reserve is 0 to 50 percent' "${ARGS[@]}" 127.0.0.1:0 --reserve 99
node_refused 'cannot make the directory' --id n1 --listen 127.0.0.1:0 --data "$CASE_DIR/no/such"
mkdir "$CASE_DIR/other"
echo film >"$CASE_DIR/other/film.mkv"
node_refused 'is not empty, and there is no store in it' --id n1 --listen 127.0.0.1:0 --data "$CASE_DIR/other"
equal "what is in that folder" "$(ls "$CASE_DIR/other")" film.mkv
"$VSTACK_NODE" --help | grep -q '^usage: vstack-node' || fail "--help says nothing"

# ---- a start, and a second one beside it -------------------------------------------------------------

node_start
node_refused "cannot listen on 127.0.0.1:$DAEMON_PORT: Address already in use" \
    --id n2 --listen "127.0.0.1:$DAEMON_PORT" --data "$CASE_DIR/n2"
node_refused "another process uses $NODE_DATA" "${ARGS[@]}" 127.0.0.1:0
equal "state" "$(node_health .state)" up
equal "name" "$(node_health .id)" n1
uuid=$(node_health .uuid)
daemon_stop
node_refused "is the directory of node n1, not of n2.*--id n1" --id n2 --listen 127.0.0.1:0 --data "$NODE_DATA"
node_start --domain host1/rack2 --insecure-lan
equal "uuid after a restart" "$(node_health .uuid)" "$uuid"
equal "domain" "$(node_health .domain)" host1/rack2
daemon_stop

# ---- with leave, other machines may come; systemd is told -----------------------------------------------

cat >"$WORK/notified.py" <<'PY'
import os, socket, subprocess, sys, signal
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind("\0vstack-case-%d" % os.getpid())
s.settimeout(60)
env = dict(os.environ, NOTIFY_SOCKET="@vstack-case-%d" % os.getpid())
node = subprocess.Popen(sys.argv[1:], env=env, stdout=subprocess.DEVNULL)
assert s.recv(4096).startswith(b"READY=1\nSTATUS=Serving "), "not ready"
node.send_signal(signal.SIGINT)
assert s.recv(4096) == b"STOPPING=1", "not stopping"
assert node.wait(60) == 0
PY
python3 "$WORK/notified.py" "$VSTACK_NODE" "${ARGS[@]}" 0.0.0.0:0 --insecure-lan

# The unit of mount-examples is understood, and starts a node with flags that there are.
unit=$ROOT/mount-examples/vstack-node.service
if command -v systemd-analyze >/dev/null; then
    sed "s|/usr/local/bin/vstack-node|$VSTACK_NODE|" "$unit" >"$WORK/vstack-node.service"
    systemd-analyze verify "$WORK/vstack-node.service" >"$WORK/systemd.log" 2>&1 ||
        fail "systemd-analyze verify: $(cat "$WORK/systemd.log")"
fi
read -ra words < <(sed -n 's|^ExecStart=/usr/local/bin/vstack-node ||p' "$unit")
equal "flags of the unit's command" "${words[*]:0:4}" "--id n1 --listen 127.0.0.1:7001"
equal "flags of the unit's command" "${words[4]}" --data
equal "what the unit may write to" "$(sed -n 's|^ReadWritePaths=||p' "$unit")" "${words[5]}"
