#!/usr/bin/env bash
# SIGTERM: what is being worked on is answered, nobody new gets in, and the next start is a fast one.
. "$(dirname "$0")/../node_lib.sh"

make_bytes "$WORK/f" 1398101
node_start
equal "put" "$(node_put "$(node_key 1)" "$WORK/f")" 201

# A body that is half way when the signal comes, and a reader that has not read.
cat >"$WORK/drain.py" <<'PY'
import hashlib, os, signal, socket, sys, time
port, pid, film = int(sys.argv[1]), int(sys.argv[2]), open(sys.argv[3], "rb").read()
def connect(receive=0):
    s = socket.socket()
    if receive:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive)
    s.settimeout(30)
    s.connect(("127.0.0.1", port))
    return s
def answer(s):
    data = b""
    while b"\r\n\r\n" not in data:
        data += s.recv(65536) or sys.exit("closed without an answer")
    head, body = data.split(b"\r\n\r\n", 1)
    length = [int(x.split(b":")[1]) for x in head.split(b"\r\n") if x.lower().startswith(b"content-length")][0]
    while len(body) < length:
        body += s.recv(65536) or sys.exit("answer cut off")
    return head, body
writer, reader, idle = connect(), connect(4096), connect()
writer.sendall(b"PUT /chunk/%032x.0.1 HTTP/1.1\r\nHost: x\r\nX-Vstack-SHA256: %s\r\nContent-Length: %d\r\n\r\n"
               % (2, hashlib.sha256(film).hexdigest().encode(), len(film)) + film[:1000000])
reader.sendall(b"GET /chunk/%032x.0.1 HTTP/1.1\r\nHost: x\r\n\r\n" % 1)
idle.sendall(b"GET /ping HTTP/1.1\r\nHost: x\r\n\r\n")
answer(idle)
time.sleep(0.3)
os.kill(pid, signal.SIGTERM)
assert idle.recv(1) == b"", "an idle connection is closed"
try:
    late = connect()
    late.sendall(b"GET /ping HTTP/1.1\r\nHost: x\r\n\r\n")
    assert late.recv(1) == b"", "nobody new gets in"
except (ConnectionRefusedError, ConnectionResetError):
    pass
writer.sendall(film[1000000:])
head, body = answer(writer)
assert head.startswith(b"HTTP/1.1 201"), head
assert b"Connection: close" in head, head
head, body = answer(reader)
assert body == film, "the reader got the whole film"
PY
python3 "$WORK/drain.py" "$DAEMON_PORT" "$DAEMON_PID" "$WORK/f"
rc=0
wait "$DAEMON_PID" || rc=$?
DAEMON_PID=''
equal "exit code" "$rc" 0

node_start
equal "fragments after the drain" "$(node_health .fragments)" 2
equal "get" "$(node_get "$(node_key 2)" "$WORK/g")" 200
same "$WORK/f" "$WORK/g"
! grep -q recovered "$CASE_DIR/daemon.err" || fail "the stop was not a clean one: $(cat "$CASE_DIR/daemon.err")"

# A client that never goes on does not keep the node: --drain 1.
daemon_stop
node_start --drain 1
python3 - "$DAEMON_PORT" "$DAEMON_PID" <<'PY'
import os, signal, socket, sys
s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
s.sendall(b"PUT /chunk/%032x.0.1 HTTP/1.1\r\nHost: x\r\nX-Vstack-SHA256: %s\r\nContent-Length: 9\r\n\r\nabc" % (3, b"0" * 64))
s.settimeout(30)
import time
time.sleep(0.2)
os.kill(int(sys.argv[2]), signal.SIGTERM)
start = time.monotonic()
try:
    while s.recv(65536):
        pass
except OSError:
    pass
assert time.monotonic() - start < 8, "cut off late"
PY
wait "$DAEMON_PID" || fail "exit code $?"
DAEMON_PID=''
