#!/usr/bin/env python3
"""Writers on a metadata replica that is killed under them, and the account of what it acknowledged.

    meta_writers.py write PORT LEDGER CYCLE THREADS   makes folders until the replica is gone; the
                                                      ledger gets what was sent and acknowledged
    meta_writers.py check PORT LEDGER                 asks again for what was not acknowledged, as
                                                      the same request; then every folder is there,
                                                      once, with its number

A line of the ledger: "sent" or "done", client, request, inode, name. It speaks the frames of
docs/API.md by itself."""

import http.client
import os
import struct
import sys
import threading

CHANGE, LOOKUP, STATS = 1, 2, 13
TABLE = []
for n in range(256):
    for _ in range(8):
        n = n >> 1 ^ (0x82F63B78 if n & 1 else 0)
    TABLE.append(n)


def crc32c(data):
    crc = 0xFFFFFFFF
    for b in data:
        crc = crc >> 8 ^ TABLE[(crc ^ b) & 0xFF]
    return crc ^ 0xFFFFFFFF


class Meta:
    def __init__(self, port):
        self.conn = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self.cluster = bytes(16)
        status, body = self.ask(0, b"")
        assert status == 0, "hello: %d" % status
        self.cluster = body[6:22]

    def ask(self, op, body):
        """(negated status, body of the answer)"""
        frame = b"VSMQ" + struct.pack("<BBH", 1, op, 0) + self.cluster + body
        self.conn.request("POST", "/meta", body=frame + struct.pack("<I", crc32c(frame)))
        answer = self.conn.getresponse()
        data = answer.read()
        assert answer.status == 200, "%d: %s" % (answer.status, data)
        assert data[:4] == b"VSMA" and data[4] == 1 and data[5] == op
        assert struct.unpack("<I", data[-4:])[0] == crc32c(data[:-4])
        return struct.unpack("<H", data[6:8])[0], data[8:-4]

    def change(self, entry):
        return self.ask(CHANGE, struct.pack("<I", len(entry)) + entry)

    def reserve(self, client, count):
        """The first of so many new inode numbers."""
        status, body = self.change(head(12, client, 1) + struct.pack("<Q", count))
        assert status == 0, "reserve: %d" % status
        return struct.unpack("<Q", body[13 + 2 * 133:21 + 2 * 133])[0]

    def make_dir(self, client, request, ino, name):
        status, _ = self.change(head(1, client, request) + struct.pack("<QB", 1, len(name)) + name +
                                struct.pack("<QI", ino, 0) +
                                struct.pack("<7I24x", 0, 0, 0, 0o40755, 0, 0, 0) +
                                struct.pack("<BI4QBIB", 0, 0, 0, 0, 0, 0, 0, 0, 0))
        return status

    def lookup(self, name):
        status, body = self.ask(LOOKUP, struct.pack("<QI", 1, len(name)) + name)
        return struct.unpack("<Q", body[:8])[0] if status == 0 else None

    def directories(self):
        status, body = self.ask(STATS, b"")
        assert status == 0
        return struct.unpack("<QQ", body[:16])[1]


def head(kind, client, request):
    return struct.pack("<BBqIQQ", 1, kind, 1000, 0, client, request)


def write(port, ledger, cycle, threads):
    log = os.open(ledger, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    wrong = []

    def worker(i):
        client = cycle * 100 + i + 1
        try:
            meta = Meta(port)
            ino = meta.reserve(client, 60000)
            for n in range(60000):
                name = b"c%d-w%d-%d" % (cycle, i, n)
                line = b"%d %d %d %s\n" % (client, n + 2, ino + n, name)
                os.write(log, b"sent " + line)
                status = meta.make_dir(client, n + 2, ino + n, name)
                if status != 0:
                    wrong.append("%s: %d" % (name, status))
                    return
                os.write(log, b"done " + line)
        except (OSError, http.client.HTTPException):
            pass  # it was killed

    workers = [threading.Thread(target=worker, args=(i,)) for i in range(threads)]
    for w in workers:
        w.start()
    for w in workers:
        w.join()
    for line in wrong:
        print("unexpected answer for", line)
    return 1 if wrong else 0


def check(port, ledger):
    sent, done = {}, set()
    with open(ledger, "rb") as f:
        for line in f:
            what, client, request, ino, name = line.split()
            sent[name] = (int(client), int(request), int(ino))
            if what == b"done":
                done.add(name)
    meta = Meta(port)
    lost = [name for name in done if meta.lookup(name) != sent[name][2]]
    for name in set(sent) - done:
        client, request, ino = sent[name]
        status = meta.make_dir(client, request, ino, name)
        if status != 0:
            print("asked again for %s: %d" % (name.decode(), status))
            return 1
        with open(ledger, "ab") as f:
            f.write(b"done %d %d %d %s\n" % (client, request, ino, name))
    wrong = [name for name in sent if meta.lookup(name) != sent[name][2]]
    there = meta.directories()
    print("%d acknowledged, %d asked again, %d lost, %d wrong, %d folders" %
          (len(done), len(sent) - len(done), len(lost), len(wrong), there))
    return 0 if not lost and not wrong and there == len(sent) + 2 and sent else 1


if sys.argv[1] == "write":
    sys.exit(write(int(sys.argv[2]), sys.argv[3], int(sys.argv[4]), int(sys.argv[5])))
sys.exit(check(int(sys.argv[2]), sys.argv[3]))
