#!/usr/bin/env bash
# More than a storage node takes: 503 with Retry-After, at once; what holds memory without going on
# is cut off; afterwards all is as before.
. "$(dirname "$0")/../node_lib.sh"

make_bytes "$WORK/f" 65536
node_start --connections 64 --body-memory 16M --timeout 2

cat >"$WORK/overload.py" <<'PY'
import socket, sys, time
port = int(sys.argv[1])
def connect():
    s = socket.create_connection(("127.0.0.1", port))
    s.settimeout(30)
    return s
def answer(s):
    data = b""
    while b"\r\n\r\n" not in data:
        piece = s.recv(65536)
        if not piece:
            return b""
        data += piece
    return data
def put(s, n, bytes, send):
    s.sendall(b"PUT /chunk/%032x.0.1 HTTP/1.1\r\nHost: x\r\nX-Vstack-SHA256: %s\r\nContent-Length: %d\r\n"
              b"Expect: 100-continue\r\n\r\n" % (n, b"0" * 64, bytes) + b"x" * send)

# Bodies that never come hold all the memory there is ...
holders = [connect() for _ in range(4)]
for n, s in enumerate(holders):
    put(s, n + 1, 4 << 20, 1000)
def lent():
    s = connect()
    s.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    text = b""
    while piece := s.recv(65536):
        text += piece
    return int(text.split(b"\nvstack_http_body_memory_bytes ")[1].split()[0])
while lent() < 16 << 20:
    time.sleep(0.02)
start = time.monotonic()
late = connect()
put(late, 9, 4 << 20, 0)
head = answer(late)
assert head.startswith(b"HTTP/1.1 503"), head
assert b"Retry-After: 1" in head, head
assert time.monotonic() - start < 2, "refused late"
# ... until their time is over: then there is room again.
told = b""
while b"408" not in told:
    piece = holders[0].recv(65536)
    assert piece, "a stalled body is told"
    told += piece
assert time.monotonic() - start < 6, "cut off late"
for s in holders:
    s.close()

# One connection too many.
many = [connect() for _ in range(80)]
told = set()
deadline = time.monotonic() + 20
while len(told) < 16 and time.monotonic() < deadline:
    for i, s in enumerate(many):
        s.setblocking(False)
        try:
            if i not in told and s.recv(65536).startswith(b"HTTP/1.1 503"):
                told.add(i)
        except BlockingIOError:
            pass
    time.sleep(0.05)
assert 16 <= len(told) <= 20, len(told)  # some of the 64 may still belong to those before
for s in many:
    s.close()
PY
await 10 curl -sf -m 2 "$DAEMON_URL/ping"
python3 "$WORK/overload.py" "$DAEMON_PORT"

can_put() {
    [ "$(node_put "$(node_key 1)" "$WORK/f")" = 201 ] || [ "$(node_put "$(node_key 1)" "$WORK/f")" = 200 ]
}
await 20 can_put
# Nothing of it stays: no memory lent, no connection but the one that asks.
metric() {
    curl -sS -m "$PATIENCE_S" "$DAEMON_URL/metrics" | awk -v m="$1" '$1 == m { print $2 }'
}
quiet() {
    [ "$(metric vstack_http_body_memory_bytes)" = 0 ] && [ "$(metric vstack_http_connections)" = 1 ]
}
await 20 quiet
at_least "connections refused" "$(metric vstack_http_connections_refused_total)" 10
at_least "clients cut off" "$(metric vstack_http_timeouts_total)" 1
equal "fragments" "$(node_health .fragments)" 1
daemon_stop
