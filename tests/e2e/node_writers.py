#!/usr/bin/env python3
"""Writers on a storage node that is killed under them, and the account of what it acknowledged.

    node_writers.py write PORT LEDGER SEED THREADS   puts and deletes until the node is gone; the
                                                     ledger gets what was acknowledged
    node_writers.py check PORT LEDGER                every acknowledged fragment is there, byte by
                                                     byte; every acknowledged delete is done

A line of the ledger: number, "put" or "del". A fragment's bytes follow from its number. Between a
request and its answer nothing is known: such fragments are left out of the account."""

import hashlib
import http.client
import os
import random
import sys
import threading


def payload(number):
    size = random.Random(number).choice([1, 4095, 4096, 65536, 65537, 300000, 1398101])
    return hashlib.shake_128(b"%d" % number).digest(size)


def path(number):
    return "/chunk/%032x.0.1" % number


def write(port, ledger, seed, threads):
    lock = threading.Lock()
    log = os.open(ledger, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def note(number, what):
        with lock:
            os.write(log, b"%d %s\n" % (number, what))

    def worker(i):
        rand = random.Random(seed * 1000 + i)
        mine, n = [], 0
        conn = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        try:
            while True:
                if mine and rand.random() < 0.25:
                    number = mine.pop(rand.randrange(len(mine)))
                    note(number, b"unsure")
                    conn.request("DELETE", path(number))
                    status, what = conn.getresponse(), b"del"
                    expected = (204,)
                else:
                    number = seed * 1000000 + i * 10000 + n
                    n += 1
                    data = payload(number)
                    conn.request("PUT", path(number), body=data,
                                 headers={"X-Vstack-SHA256": hashlib.sha256(data).hexdigest()})
                    status, what = conn.getresponse(), b"put"
                    expected = (201,)
                status.read()
                if status.status not in expected:
                    print("unexpected %d for %s %d" % (status.status, what, number))
                    os._exit(1)
                note(number, what)
                if what == b"put":
                    mine.append(number)
        except (OSError, http.client.HTTPException):
            return

    workers = [threading.Thread(target=worker, args=(i,)) for i in range(threads)]
    for w in workers:
        w.start()
    for w in workers:
        w.join()


def check(port, ledger):
    last = {}
    with open(ledger) as f:
        for line in f:
            number, what = line.split()
            last[int(number)] = what
    conn = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    bad = 0
    for number, what in sorted(last.items()):
        conn.request("GET", path(number))
        answer = conn.getresponse()
        body = answer.read()
        if what == "put" and (answer.status != 200 or body != payload(number)):
            print("LOST: %d was acknowledged; now %d, %d bytes" % (number, answer.status, len(body)))
            bad += 1
        elif what == "del" and answer.status != 404:
            print("BACK: %d was deleted; now %d" % (number, answer.status))
            bad += 1
        elif what == "unsure" and (answer.status not in (200, 404)
                                   or answer.status == 200 and body != payload(number)):
            print("WRONG: %d, whose delete was not answered; now %d" % (number, answer.status))
            bad += 1
    print("%d fragments in the account, %d wrong" % (len(last), bad))
    return 1 if bad or not last else 0


if sys.argv[1] == "write":
    write(int(sys.argv[2]), sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))
else:
    sys.exit(check(int(sys.argv[2]), sys.argv[3]))
