#!/usr/bin/env python3
"""What a storage node must survive: bad input as bytes on sockets, each with the answer it must get.

    node_hostile.py PORT PID [ROUNDS]     exit code 0: every row was answered as it must be, nothing
                                          was stored, descriptors and memory are where they were

The node must run with --timeout 1. Prints one line per row that is not as it must be."""

import hashlib
import json
import os
import re
import socket
import sys
import threading
import time

PORT, PID = int(sys.argv[1]), int(sys.argv[2])
ROUNDS = int(sys.argv[3]) if len(sys.argv) > 3 else 20
ID = "0123456789abcdef0123456789abcdef"
KEY = ID + ".0.1"
BODY = bytes(range(256)) * 40
SHA = hashlib.sha256(BODY).hexdigest()
# A sanitizer keeps what was freed for a while.
SLACK_KIB = 4096 if os.environ.get("LIMIT_FACTOR", "1") == "1" else 262144
SENTENCE = re.compile(r"^['A-Z].{15,}[.]?$")
failures = []


def connect(receive_bytes=0):
    s = socket.socket()
    if receive_bytes:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    s.settimeout(30)
    s.connect(("127.0.0.1", PORT))
    return s


def read_answer(s):
    """Status, headers, body of one answer; 0 when the connection ended without one."""
    data = b""
    try:
        while b"\r\n\r\n" not in data:
            piece = s.recv(65536)
            if not piece:
                return 0, "", b""
            data += piece
        head, body = data.split(b"\r\n\r\n", 1)
        if head.startswith(b"HTTP/1.1 100"):
            return read_answer(s)
        length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
        while length and len(body) < int(length[1]):
            piece = s.recv(65536)
            if not piece:
                break
            body += piece
        return int(head.split()[1]), head.decode("latin-1"), body
    except OSError:
        return 0, "", b""


def ask(raw, pause=None, drip=0, receive_bytes=0):
    """Send `raw` (then wait or close, or drip byte by byte), and read the answer."""
    s = connect(receive_bytes)
    try:
        s.sendall(raw)
    except OSError:
        pass
    if pause == "close":
        s.close()
        return 0, "", b""
    if drip:
        stop = threading.Event()

        def dripping():
            try:
                while not stop.wait(0.05):
                    s.send(b"x")
            except OSError:
                pass

        t = threading.Thread(target=dripping)
        t.start()
        answer = read_answer(s)
        stop.set()
        t.join()
    else:
        answer = read_answer(s)
    s.close()
    return answer


def head(method, path, *lines):
    return ("%s %s HTTP/1.1\r\nHost: x\r\n%s\r\n" % (method, path, "".join(x + "\r\n" for x in lines))
            ).encode()


def put(*lines, body=BODY, path="/chunk/" + KEY, length=True):
    if length:
        lines = ("Content-Length: %d" % len(body),) + lines
    return head("PUT", path, *lines) + body


GOOD_SHA = "X-Vstack-SHA256: " + SHA

# name, bytes, statuses it may be answered with (0: closed without a word), is it our JSON?
ROWS = [
    # names of fragments
    *[("name %r" % n, head(m, "/chunk/" + n, *(["Content-Length: 0"] if m == "PUT" else [])), [400], True)
      for m in ("GET", "PUT", "DELETE")
      for n in ("", "x", ID, ID + ".0", ID + ".0.", ID + ".0.0", ID + ".256.1", ID + ".-1.1", ID + ".01.1",
                ID[:-1] + ".0.1", ID + "0.0.1", ID[:-1] + "g.0.1", ID + ".0.4294967296", ID + ".0.1.1",
                "../" + KEY, "..%2f..%2fetc%2fpasswd", "%00", KEY + "%00", KEY + "/", "+" * 2000)],
    ("other path", head("GET", "/etc/passwd"), [404], True),
    ("root", head("GET", "/"), [404], True),
    # methods
    *[("method " + m, head(m, "/chunk/" + KEY, "Content-Length: 0"), [405], True)
      for m in ("POST", "PATCH", "TRACE", "OPTIONS", "FOO", "get")],
    # lengths
    ("no length", put(GOOD_SHA, length=False, body=b""), [400], True),
    ("chunked", put(GOOD_SHA, "Transfer-Encoding: chunked", length=False,
                    body=b"5\r\nabcde\r\n0\r\n\r\n"), [400], True),
    ("length and chunked", put(GOOD_SHA, "Content-Length: 5", "Transfer-Encoding: chunked", length=False,
                               body=b"5\r\nabcde\r\n0\r\n\r\n"), [400], True),
    ("two lengths", put(GOOD_SHA, "Content-Length: 7"), [400], True),
    *[("length " + n, put(GOOD_SHA, "Content-Length: " + n, length=False), [400, 413], True)
      for n in ("x", "-1", "+5", "0x10", "1e3", "99999999999999999999999", "")],
    ("over the limit", put(GOOD_SHA, "Content-Length: 16777217", "Expect: 100-continue", length=False,
                           body=b""), [413], True),
    ("over the limit, sent", put(GOOD_SHA, body=b"x" * 16777217), [413], True),
    ("far over the limit", put(GOOD_SHA, "Content-Length: 9000000000000000000", length=False,
                               body=b""), [413], True),
    ("a body where none belongs", head("GET", "/chunk/" + KEY, "Content-Length: 5") + b"abcde", [400], True),
    ("a body for a delete", head("DELETE", "/chunk/" + KEY, "Content-Length: 5") + b"abcde", [400], True),
    # checksums and descriptions
    ("no hash", put(), [400], True),
    ("hash of something else", put("X-Vstack-SHA256: " + "0" * 64), [400], True),
    *[("hash %r" % h, put("X-Vstack-SHA256: " + h), [400], True)
      for h in ("x", SHA[:-1], SHA + "0", "g" + SHA[1:], "")],
    *[("record %r" % n, put(GOOD_SHA, "X-Vstack-Record: " + n), [400], True)
      for n in ("x", "kind=rs", "kind=rs;k=0;m=0", "kind=rs;k=9;m=9", "kind=lrc;k=3;m=2", "k=999",
                "seq=-1", "inode=18446744073709551616", "name=%zz", "name=" + "a" * 256,
                "kind=replicate;k=1;m=2;kind=rs")],
    ("fragment beyond its redundancy", put(GOOD_SHA, "X-Vstack-Record: kind=rs;k=3;m=2",
                                           path="/chunk/" + ID + ".5.1"), [400], True),
    ("meant for another node", head("GET", "/chunk/" + KEY, "X-Vstack-Node: n2"), [421], True),
    # lists
    *[("list " + q, head("GET", "/list?" + q), [400], True)
      for q in ("max=0", "max=1025", "max=-1", "max=x", "after=x", "after=" + ID + ".0.0")],
    # what is no HTTP
    ("binary", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", [400], True),
    ("another protocol", b"SSH-2.0-OpenSSH_9.2\r\n\r\n", [400], True),
    ("HTTP/0.9", b"GET /ping\r\n\r\n", [400], True),
    ("HTTP/3.0", b"GET /ping HTTP/3.0\r\nHost: x\r\n\r\n", [505], True),
    ("no Host", b"GET /chunk/" + KEY.encode() + b" HTTP/1.1\r\n\r\n", [400], True),
    ("a line without a colon", head("GET", "/ping", "nonsense"), [400], True),
    ("a body before the head", b"\x00" * 100000, [400], True),
    # a second request on a connection is the library's to judge
    ("nonsense behind a request", head("GET", "/ping") + b"nonsense\r\n\r\n", [200], False),
    ("a long path", head("GET", "/" + "a" * 40000), [414, 431], False),
    ("a long header", head("GET", "/ping", "X: " + "a" * 40000), [431], False),
    ("many headers", head("GET", "/ping", *["X: a"] * 5000), [431], False),
]


def check(name, answer, statuses, ours):
    status, headers, body = answer
    if status not in statuses:
        failures.append("%s: answered %d %r" % (name, status, body[:100]))
    elif ours:
        try:
            error = json.loads(body)
        except ValueError:
            failures.append("%s: %d without JSON: %r" % (name, status, body[:100]))
            return
        if not SENTENCE.match(error.get("error", "")):
            failures.append("%s: no sentence: %r" % (name, error))
        if status == 503 and "Retry-After" not in headers:
            failures.append("%s: 503 without Retry-After" % name)


def slow_rows():
    """Half requests and slow ones: cut off in time, with 408 where an answer can be heard."""
    rows = [
        ("half a header", lambda: ask(b"GET /chunk/" + KEY.encode() + b" HTT"), [408]),
        ("half a header, dripping", lambda: ask(head("GET", "/ping")[:-2] + b"X: ", drip=1), [408]),
        ("half a body", lambda: ask(put(GOOD_SHA)[:-5]), [408]),
        ("a body of one byte at a time", lambda: ask(put(GOOD_SHA, "Content-Length: 100000", length=False,
                                                         body=b"x"), drip=1), [408]),
        ("silence", lambda: ask(b"\r"), [408]),
    ]
    threads = []
    for name, run, statuses in rows:
        def one(name=name, run=run, statuses=statuses):
            start = time.monotonic()
            answer = run()
            check(name, answer, statuses, True)
            if time.monotonic() - start > 10:
                failures.append("%s: took %.1f s" % (name, time.monotonic() - start))
        threads.append(threading.Thread(target=one))
    for t in threads:
        t.start()
    for t in threads:
        t.join()


def one_round():
    for name, raw, statuses, ours in ROWS:
        check(name, ask(raw), statuses, ours)
    ask(put(GOOD_SHA)[:200], pause="close")
    ask(put(GOOD_SHA)[:-1], pause="close")
    ask(b"", pause="close")


def fds():
    return len(os.listdir("/proc/%d/fd" % PID))


def memory_kib():
    with open("/proc/%d/status" % PID) as f:
        return int(re.search(r"VmRSS:\s+(\d+)", f.read())[1])


def settled_fds():
    """Their number once the node knows of no connection but the one that asks it."""
    for _ in range(200):
        answer = ask(head("GET", "/health", "Connection: close"))
        if json.loads(answer[2])["connections"] <= 1:
            break
        time.sleep(0.05)
    time.sleep(0.1)
    return fds()


one_round()  # warms everything that is made once
slow_rows()
fds_before, memory_before = settled_fds(), memory_kib()
for _ in range(ROUNDS):
    one_round()
slow_rows()
fds_after, memory_after = settled_fds(), memory_kib()
if fds_after > fds_before:
    failures.append("%d descriptors before, %d after %d rounds" % (fds_before, fds_after, ROUNDS))
if memory_after > memory_before + SLACK_KIB:
    failures.append("%d KiB before, %d KiB after %d rounds" % (memory_before, memory_after, ROUNDS))
listed = ask(head("GET", "/list"))
if listed[0] != 200 or listed[2] != b"":
    failures.append("something was stored: %r" % (listed[2][:200],))
check("a good request afterwards", ask(put(GOOD_SHA)), [201], False)

print("%d rows, %d rounds: %d descriptors, %d -> %d KiB"
      % (len(ROWS), ROUNDS, fds_after, memory_before, memory_after))
for line in failures[:50]:
    print("FAILED: " + line)
sys.exit(1 if failures else 0)
