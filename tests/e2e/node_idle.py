#!/usr/bin/env python3
"""Idle connections on a storage node, and pings while readers keep every thread busy.

    node_idle.py PORT PID IDLE READERS SECONDS KEY [LIMIT_MS]

Opens IDLE connections that have answered one request each, lets READERS read fragment KEY over and
over for SECONDS, and measures pings on connections of their own meanwhile. Prints the figures; with
LIMIT_MS exits 1 when the 99th percentile of the pings is above it."""

import os
import re
import resource
import socket
import sys
import threading
import time

port, pid, idle, readers, seconds = (int(a) for a in sys.argv[1:6])
key = sys.argv[6]
limit_ms = float(sys.argv[7]) if len(sys.argv) > 7 else None
resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)


def memory_kib():
    with open("/proc/%d/status" % pid) as f:
        return int(re.search(r"VmRSS:\s+(\d+)", f.read())[1])


def connect():
    s = socket.create_connection(("127.0.0.1", port))
    s.settimeout(60)
    return s


def ping(s):
    s.sendall(b"GET /ping HTTP/1.1\r\nHost: x\r\n\r\n")
    data = b""
    while not data.endswith(b"ok\n"):
        piece = s.recv(4096)
        if not piece:
            sys.exit("the node closed a connection: %r" % data)
        data += piece


def read_on(until):
    """Read the fragment over and over; how often."""
    s = connect()
    request = b"GET /chunk/%s HTTP/1.1\r\nHost: x\r\n\r\n" % key.encode()
    buffer = bytearray(1 << 20)
    count = 0
    while time.monotonic() < until:
        s.sendall(request)
        head = b""
        while b"\r\n\r\n" not in head:
            head += s.recv(4096)
        head, body = head.split(b"\r\n\r\n", 1)
        left = int(re.search(rb"(?i)content-length: (\d+)", head)[1]) - len(body)
        while left > 0:
            left -= s.recv_into(buffer, min(left, len(buffer)))
        count += 1
    return count


def reader(until, pipe):
    """A process with `readers` readers: its threads must not hold up the pings of this one."""
    counts = []
    threads = [threading.Thread(target=lambda: counts.append(read_on(until))) for _ in range(readers)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    os.write(pipe, b"%d" % sum(counts))
    os._exit(0)


before = memory_kib()
sockets = [connect() for _ in range(idle)]
for s in sockets:
    ping(s)
each = (memory_kib() - before) * 1024 / max(idle, 1)

until = time.monotonic() + seconds
answer, pipe = os.pipe()
child = os.fork()
if child == 0:
    reader(until, pipe)
times = []
while time.monotonic() < until:
    start = time.monotonic()
    s = connect()
    ping(s)
    s.close()
    times.append((time.monotonic() - start) * 1000)
    time.sleep(0.005)
reads = int(os.read(answer, 100))
os.waitpid(child, 0)
times.sort()
p99 = times[len(times) * 99 // 100]
for s in sockets[:: max(1, idle // 50)]:  # the idle ones are still served
    ping(s)
print("%d idle connections, %.0f bytes each; %d readers, %d reads; %d pings, p50 %.2f ms, p99 %.2f ms"
      % (idle, each, readers, reads, len(times), times[len(times) // 2], p99))
if limit_ms is not None and p99 > limit_ms:
    sys.exit("p99 of pings is above %.0f ms" % limit_ms)
