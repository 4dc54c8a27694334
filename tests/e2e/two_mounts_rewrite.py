#!/usr/bin/env python3
"""A film that is read on mount B while mount A replaces its bytes: two_mounts_rewrite.py A B WHAT...

streams: B streams while A rewrites by truncation, in place, and by a rename over it: every read gives
bytes of one version, versions never go back. held: a writer on B who began before goes on reading what
it began with, while what else was replaced goes; its own bytes are refused (ESTALE), and then the old
version goes. killed THIRD PID LEASE_S: what a killed mount has open goes when its lease has lapsed.
"""
import errno
import json
import mmap
import os
import signal
import sys
import threading
import time

from mounts_lib import MIB, await_true, direct, fail, missing

SIZE = 12 * MIB  # more than is kept in memory
CODED = SIZE * 5 // 3
a, b = sys.argv[1], sys.argv[2]


def stored_bytes():
    # No command is run: a fork that closes our descriptors would be a flush of what is open.
    with open(f"{a}/.vstack/status", encoding="utf-8") as f:
        return json.load(f)["fragment_bytes"]


def store(path, v, how="truncate"):
    data = bytes([v]) * SIZE
    if how == "truncate":
        with open(path, "wb") as f:
            f.write(data)
    elif how == "in place":
        fd = os.open(path, os.O_WRONLY)
        for offset in range(0, SIZE, MIB):
            os.pwrite(fd, data[:MIB], offset)
        os.close(fd)
    else:
        with open(f"{path}.new", "wb") as f:
            f.write(data)
        os.rename(f"{path}.new", path)


def stream(path, last, done, seen):
    """Read a film over and over until `last` is seen, by one handle and, replaced by name, by the next."""
    newest = 0
    while newest != last:
        was_done = done.is_set()
        fd = os.open(path, os.O_RDONLY | os.O_DIRECT)
        for offset in range(0, SIZE, MIB):
            piece = direct(fd, offset)
            kinds = set(piece)
            if path.startswith(a):  # there every write is seen at once: no error is all there is to ask
                newest = last if was_done else 0
                continue
            # a rewrite is stored at close: until then the file may be seen empty, never in parts
            if piece and (len(piece) != MIB or len(kinds) != 1):
                fail(f"one read gave {len(piece)} bytes of versions {sorted(kinds)}")
            if piece:
                if piece[0] < newest:
                    fail(f"version {piece[0]} behind version {newest}")
                newest = piece[0]
                seen.add(newest)
        os.close(fd)
        if was_done and newest != last:
            fail(f"version {last} is stored, and who opens the film then reads {newest}")


def streams():
    for how in ("truncate", "in place", "rename"):
        store(f"{a}/film", 1)
        await_true("the film on B", lambda: not missing(f"{b}/film"))
        done, seen, errors = threading.Event(), set(), []

        def reader(path, last):
            try:
                stream(path, last, done, seen)
            except BaseException as e:  # an exit of fail() too: the main thread tells
                errors.append(e)

        last = 8
        readers = [threading.Thread(target=reader, args=(f"{b}/film", last)) for _ in range(2)]
        readers.append(threading.Thread(target=reader, args=(f"{a}/film", last)))
        for r in readers:
            r.start()
        for v in range(2, last + 1):
            store(f"{a}/film", v, how)
        done.set()
        for r in readers:
            r.join()
        if errors:
            fail(f"{how}: {errors}")
        print(f"two_mounts_rewrite {how}: versions {sorted(seen)}")
        os.unlink(f"{a}/film")
    await_true("all of it gone", lambda: stored_bytes() < MIB)


def held():
    store(f"{a}/held", 1)
    store(f"{a}/other", 1)
    await_true("the film on B", lambda: not missing(f"{b}/held"))
    fd = os.open(f"{b}/held", os.O_RDWR | os.O_DIRECT)
    page = mmap.mmap(-1, 4096)
    page[:] = bytes([9]) * 4096
    os.pwritev(fd, [page], 0)
    clean = os.open(f"{b}/other", os.O_RDWR | os.O_DIRECT)  # nothing is written by it yet
    store(f"{a}/held", 2)
    store(f"{a}/other", 2)
    # Of four versions one goes: nobody reads it. The one that B writes on stays, and two are current.
    await_true("what nobody reads gone", lambda: stored_bytes() < 3 * CODED + MIB)
    got = b"".join(direct(fd, offset) for offset in range(0, SIZE, MIB))
    if got != bytes([9]) * 4096 + bytes([1]) * (SIZE - 4096):
        fail("a writer does not read what it began with")
    if stored_bytes() < 3 * CODED:
        fail("what a writer reads is gone")
    got = b"".join(direct(clean, offset) for offset in range(0, SIZE, MIB))
    if got != bytes([2]) * SIZE:
        fail("a writer that wrote nothing does not read the newest version")
    os.pwritev(clean, [page], 0)
    os.close(clean)
    with open(f"{a}/other", "rb") as f:
        if f.read() != bytes([9]) * 4096 + bytes([2]) * (SIZE - 4096):
            fail("what was written on the newest version is not stored")
    try:
        os.close(fd)
        fail("a writer on a version that was replaced was stored")
    except OSError as e:
        if e.errno != errno.ESTALE:
            raise
    await_true("the old version gone", lambda: stored_bytes() < 2 * CODED + MIB)
    with open(f"{b}/held", "rb") as f:
        if f.read() != bytes([2]) * SIZE:
            fail("the version that was stored is not the one that is read")
    os.unlink(f"{a}/held")
    os.unlink(f"{b}/other")
    await_true("all of it gone", lambda: stored_bytes() < MIB)


def killed(third, pid, lease_s):
    store(f"{a}/open", 1)
    store(f"{a}/closed", 1)
    await_true("the film on the third", lambda: not missing(f"{third}/open"))
    fd = os.open(f"{third}/open", os.O_RDONLY | os.O_DIRECT)
    direct(fd, 0)
    os.unlink(f"{b}/open")
    until = time.monotonic() + 2 * lease_s
    os.unlink(f"{a}/closed")
    await_true("what is not open gone", lambda: stored_bytes() < CODED + MIB)
    while time.monotonic() < until:  # it lives: nothing that it has open goes, however long
        if stored_bytes() < CODED:
            fail("what a mount that lives has open is gone")
        time.sleep(0.1)
    if b"".join(direct(fd, offset) for offset in range(0, SIZE, MIB)) != bytes([1]) * SIZE:
        fail("a removed film that is open does not play")
    os.kill(pid, signal.SIGKILL)
    began = time.monotonic()
    store(f"{b}/meanwhile", 5)
    with open(f"{a}/meanwhile", "rb") as f:
        if f.read() != bytes([5]) * SIZE:
            fail("the others do not go on")
    await_true("the film gone", lambda: stored_bytes() < CODED + MIB)
    took = time.monotonic() - began
    if took < lease_s * 2 / 3:  # its last sign may be a sixth of the lease old
        fail(f"the film was gone after {took:.1f} s, its lease is {lease_s} s")
    print(f"two_mounts_killed {took:.1f} s until what it had open was gone, lease {lease_s} s")
    try:
        os.close(fd)
    except OSError:
        pass  # the kernel has nobody to tell
    os.unlink(f"{a}/meanwhile")


what = sys.argv[3:]
while what:
    step = what.pop(0)
    if step == "killed":
        killed(what.pop(0), int(what.pop(0)), float(what.pop(0)))
    else:
        {"streams": streams, "held": held}[step]()
