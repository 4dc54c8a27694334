#!/usr/bin/env python3
"""What a metadata replica must survive on POST /px: frames of strangers, of former lives, of nobody,
as bytes on sockets, each with the answer it must get.

    px_hostile.py PORT PID CLUSTER     exit code 0: every row was answered as it must be, and the
                                       replica still follows or leads; descriptors are where they were

The replica is 1 of 1, 2, 3. Prints one line per row that is not as it must be."""

import http.client
import json
import os
import random
import struct
import sys
import time

PORT, PID, CLUSTER = int(sys.argv[1]), int(sys.argv[2]), bytes.fromhex(sys.argv[3])
ASKS, ANSWERS, JOURNAL, MOVE = 1, 2, 3, 4
HIGH = 0x7FFFFFFF
TABLE = []
failures = []
for n in range(256):
    for _ in range(8):
        n = n >> 1 ^ (0x82F63B78 if n & 1 else 0)
    TABLE.append(n)


def crc32c(data):
    crc = 0xFFFFFFFF
    for b in data:
        crc = crc >> 8 ^ TABLE[(crc ^ b) & 0xFF]
    return crc ^ 0xFFFFFFFF


def frame(kind, pid, inc, body=b"", cluster=CLUSTER, count=1, length=None, epoch=1, fmt=1):
    head = b"VSPX" + struct.pack("<BBHI", fmt, kind, count, length if length is not None else 48 + len(body))
    data = head + cluster + struct.pack("<QII", epoch, pid, inc) + body
    return data + struct.pack("<I", crc32c(data))


def post(path, body):
    """(status, word of the error)"""
    c = http.client.HTTPConnection("127.0.0.1", PORT, timeout=30)
    try:
        c.request("POST", path, body=body)
        a = c.getresponse()
        data = a.read()
        return a.status, json.loads(data)["code"] if a.status >= 400 else ""
    except (OSError, http.client.HTTPException, ValueError) as e:
        return 0, repr(e)
    finally:
        c.close()


def health():
    c = http.client.HTTPConnection("127.0.0.1", PORT, timeout=30)
    c.request("GET", "/health")
    data = json.loads(c.getresponse().read())
    c.close()
    return data


def row(what, path, body, *wanted):
    got = post(path, body)
    if got not in wanted:
        failures.append("%s: %s, expected %s" % (what, got, wanted))


def descriptors():
    return len(os.listdir("/proc/%d/fd" % PID))


row("warm up", "/px", b"", (400, "frame"))
before = descriptors()
other = bytes([CLUSTER[0] ^ 1]) + CLUSTER[1:]
for path in ("/px", "/px/tell"):
    row("nothing", path, b"", (400, "frame"))
    row("nonsense", path, b"GET / HTTP/1.1\r\n\r\n", (400, "frame"))
    row("a frame cut off", path, frame(JOURNAL, 2, HIGH)[:40], (400, "frame"))
    row("a byte too many", path, frame(JOURNAL, 2, HIGH) + b"x", (400, "frame"))
    row("a wrong checksum", path, frame(JOURNAL, 2, HIGH)[:-1] + b"x", (400, "frame"))
    row("a length beyond all", path, frame(JOURNAL, 2, HIGH, length=0xFFFFFFFF), (400, "frame"))
    row("no kind", path, frame(9, 2, HIGH), (400, "frame"))
    row("a newer format", path, frame(JOURNAL, 2, HIGH, fmt=2), (400, "newer"))
    row("another cluster", path, frame(JOURNAL, 2, HIGH, cluster=other), (421, "other-cluster"))
    row("a stranger", path, frame(JOURNAL, 7, 1), (403, "stranger"))
    row("itself", path, frame(JOURNAL, 1, 1), (403, "stranger"))
    row("too many frames", path, frame(JOURNAL, 2, HIGH) * 257, (400, "frame"))
    row("a former life", path, frame(JOURNAL, 2, 0), (409, "former-life"))
row("an ask that is told", "/px/tell", frame(ASKS, 2, HIGH), (400, "frame"))
row("too long to be told", "/px/tell", b"x" * 65537, (413, "too-long"))
row("too long", "/px", b"x" * ((6 << 20) + 1), (413, "too-long"))

# Bodies that are as they must be on the outside, and chance within; of a life that is heard, so this
# is what a real replica might send whose memory is bad. The incarnation is that of replica 2.
chance = random.Random(20240711)
known = None
for inc in range(1, 50):
    if post("/px/tell", frame(JOURNAL, 2, inc, b"")) != (409, "former-life"):
        known = inc
        break
if known is None:
    failures.append("no incarnation of replica 2 is heard")
for n in range(300):
    kind = chance.choice((ASKS, ANSWERS, JOURNAL, MOVE))
    body = bytes(chance.randrange(256) for _ in range(chance.randrange(400)))
    got = post("/px", frame(kind, 2, known or 1, body, count=chance.randrange(4), epoch=chance.choice((0, 1, 2, 1 << 60))))
    if got[0] not in (204, 200, 400, 409, 503):
        failures.append("chance %d: %s" % (n, got))

end = time.monotonic() + 60
while True:
    h = health()
    if h["majority"] and descriptors() <= before + 8:
        break
    if time.monotonic() > end:
        failures.append("afterwards: %s, %d descriptors, %d before" % (h, descriptors(), before))
        break
    time.sleep(0.05)
for line in failures:
    print(line)
sys.exit(1 if failures else 0)
