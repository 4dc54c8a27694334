#!/usr/bin/env python3
"""A film that is open on one mount while the other removes or rewrites it: two_mounts_open.py A B

removed: what is open on B plays to its end, byte for byte, after A has removed it. rewritten: every
read on B gives one version whole, versions never go back, and who opens it anew reads the newest.
"""
import hashlib
import os
import sys
import threading
import time

from mounts_lib import MIB, await_true, direct, fail, missing

a, b = sys.argv[1], sys.argv[2]


def removed():
    size = 24 * MIB + 4321
    data = os.urandom(size)
    with open(f"{a}/film", "wb") as f:
        f.write(data)
    await_true("the film on B", lambda: not missing(f"{b}/film"))
    fd = os.open(f"{b}/film", os.O_RDONLY | os.O_DIRECT)
    got = direct(fd, 0, MIB)
    os.unlink(f"{a}/film")
    await_true("the film gone on B", lambda: missing(f"{b}/film"))
    while len(got) < size:
        piece = direct(fd, len(got), MIB)
        if not piece:
            break
        got += piece
        time.sleep(0.1)  # as a player does: the other mount has all the time to clean up
    if hashlib.sha256(got).digest() != hashlib.sha256(data).digest():
        fail(f"a removed film that was open gave {len(got)} of {size} bytes, or others")
    if os.fstat(fd).st_nlink != 0:
        fail("a removed film has a name")
    os.close(fd)


def rewritten():
    size = 5 * MIB
    versions = 12
    path_a, path_b = f"{a}/rewritten", f"{b}/rewritten"

    def write(v):
        with open(path_a, "wb") as f:
            f.write(bytes([v]) * size)

    write(1)
    await_true("the first version on B", lambda: not missing(path_b))
    fd = os.open(path_b, os.O_RDONLY | os.O_DIRECT)
    done = threading.Event()

    def writer():
        for v in range(2, versions + 1):
            write(v)
        done.set()

    w = threading.Thread(target=writer)
    w.start()
    last, reads, offset, seen = 1, 0, 0, set()
    while not done.is_set() or last < versions:
        was_done = done.is_set()
        piece = direct(fd, offset, MIB)
        kinds = set(piece)
        # a rewrite is stored at close: until then the file may be seen empty, never in parts
        if piece and (len(piece) != MIB or len(kinds) != 1):
            fail(f"one read gave {len(piece)} bytes of versions {sorted(kinds)}")
        if piece:
            v = piece[0]
            if v < last:
                fail(f"version {v} behind version {last}")
            last = v
            seen.add(v)
        reads += 1
        offset = (offset + MIB) % size
        if was_done and reads > 1000000:
            fail(f"the newest version never came, {last} did")
    w.join()
    with open(path_b, "rb") as f:
        if f.read() != bytes([versions]) * size:
            fail("who opens it anew does not read the newest version")
    os.close(fd)
    os.unlink(path_a)
    print(f"two_mounts_rewritten {reads} reads of {len(seen)} versions")


removed()
rewritten()
