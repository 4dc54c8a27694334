#!/usr/bin/env python3
"""Writes or checks a long stream whose every MiB says where it belongs.

    stream.py write PATH MIB WATCH LIMIT_BYTES_PER_BYTE SLACK_BYTES
        prints "seconds-of-close MB-per-second"; every 256 MiB the disk space below WATCH must be at
        most SLACK + LIMIT x what was written
    stream.py check PATH MIB
"""

import os
import random
import sys
import time

MIB = 1 << 20
noise = random.Random(4711).randbytes(MIB)


def block(number):
    return number.to_bytes(8, "little") + noise[8:]


def space(folder):
    total = 0
    for where, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(where, name)).st_blocks * 512
            except FileNotFoundError:
                pass
    return total


def write(path, mib, watch, limit, slack):
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    began = time.monotonic()
    for number in range(mib):
        data = block(number)
        if os.write(fd, data) != MIB:
            sys.exit(f"short write at MiB {number}")
        if number % 256 == 255:
            used = space(watch)
            if used > slack + limit * (number + 1) * MIB:
                sys.exit(f"{used} bytes on disk after {number + 1} MiB")
    before = time.monotonic()
    os.close(fd)
    now = time.monotonic()
    print(f"{now - before:.3f} {mib * MIB / 1e6 / (now - began):.0f}")


def check(path, mib):
    with open(path, "rb", buffering=0) as f:
        for number in range(mib):
            data = b""
            while len(data) < MIB:
                piece = f.read(MIB - len(data))
                if not piece:
                    sys.exit(f"ends in MiB {number}")
                data += piece
            if data != block(number):
                sys.exit(f"MiB {number} differs")
        if f.read(1):
            sys.exit("is too long")


if sys.argv[1] == "write":
    write(sys.argv[2], int(sys.argv[3]), sys.argv[4], float(sys.argv[5]), int(sys.argv[6]))
else:
    check(sys.argv[2], int(sys.argv[3]))
