#!/usr/bin/env python3
"""Does the same random file operations to a file of the mount and to a plain one, and compares.

    random_ops.py MOUNTED REFERENCE SEED OPERATIONS SIZE_MAX

Writes at any offset, appends, truncates, punches nothing but jumps, reads back through the same and
other handles, closes and opens at random. Prints the operation that went wrong, with the seed.
"""

import os
import random
import sys


class Pair:
    def __init__(self, paths, rng, size_max):
        self.paths, self.rng, self.size_max = paths, rng, size_max
        self.fds = [None, None]
        self.noise = rng.randbytes(1 << 20)
        self.open(os.O_RDWR | os.O_CREAT)

    def open(self, flags):
        self.fds = [os.open(p, flags, 0o644) for p in self.paths]

    def close(self):
        for fd in self.fds:
            os.close(fd)

    def size(self):
        sizes = [os.fstat(fd).st_size for fd in self.fds]
        if sizes[0] != sizes[1]:
            raise ValueError(f"size {sizes[0]}, expected {sizes[1]}")
        return sizes[1]

    def length(self):
        exponent = self.rng.randrange(0, 22)
        return self.rng.randrange(1, (1 << exponent) + 1)

    def bytes(self, length):
        start = self.rng.randrange(0, len(self.noise))
        data = self.noise[start:] + self.noise
        return (data * (length // len(data) + 1))[:length]

    def write(self):
        offset = self.rng.choice([self.rng.randrange(0, self.size_max), self.size()])
        data = self.bytes(min(self.length(), self.size_max - offset) or 1)
        for fd in self.fds:
            if os.pwrite(fd, data, offset) != len(data):
                raise ValueError("short write")
        return f"write {offset}+{len(data)}"

    def sequential(self):
        """A run of consecutive writes, like a copier's."""
        offset = self.size() if self.rng.random() < 0.7 else 0
        total = self.rng.randrange(1, 6 << 20)
        if offset + total > self.size_max:
            offset = 0
        at = offset
        while at < offset + total:
            data = self.bytes(min(131072, offset + total - at))
            for fd in self.fds:
                os.pwrite(fd, data, at)
            at += len(data)
        return f"sequential {offset}+{total}"

    def truncate(self):
        size = self.rng.choice([0, self.rng.randrange(0, self.size_max), self.size() // 2])
        for fd in self.fds:
            os.ftruncate(fd, size)
        return f"truncate {size}"

    def read(self):
        offset, length = self.rng.randrange(0, self.size() + 1), self.length()
        got, want = [os.pread(fd, length, offset) for fd in self.fds]
        if got != want:
            raise ValueError(f"read {offset}+{length} differs")
        return f"read {offset}+{length}"

    def sync(self):
        for fd in self.fds:
            os.fsync(fd)
        return "fsync"

    def reopen(self):
        self.close()
        flags = os.O_RDWR | (os.O_TRUNC if self.rng.random() < 0.05 else 0)
        self.open(flags)
        return "reopen" + (" and truncate" if flags & os.O_TRUNC else "")

    def compare(self):
        for path_flags in ("same handle", "new handle"):
            fds = self.fds if path_flags == "same handle" else [os.open(p, os.O_RDONLY) for p in self.paths]
            size, at = self.size(), 0
            while at < size:
                got, want = [os.pread(fd, 1 << 20, at) for fd in fds]
                if got != want:
                    first = next((i for i, (a, b) in enumerate(zip(got, want)) if a != b), min(len(got), len(want)))
                    raise ValueError(f"{path_flags}: byte {at + first} differs, of {size}")
                at += len(want)
            if fds is not self.fds:
                for fd in fds:
                    os.close(fd)
        return "compare"


def main():
    mounted, reference, seed, operations, size_max = sys.argv[1:]
    rng = random.Random(int(seed))
    pair = Pair([mounted, reference], rng, int(size_max))
    done = []
    menu = [pair.write] * 8 + [pair.sequential] * 2 + [pair.read] * 8 + [pair.truncate] * 2 + \
        [pair.reopen] * 3 + [pair.sync, pair.compare]
    try:
        for _ in range(int(operations)):
            step = rng.choice(menu)
            done.append(step.__name__)
            done[-1] = step()
        pair.compare()
        pair.reopen()
        pair.compare()
    except (OSError, ValueError) as e:
        print(f"seed {seed}, operation {len(done)}: {done[-1] if done else ''}: {e}")
        print("the last ones: " + "; ".join(done[-12:]))
        sys.exit(1)
    pair.close()


main()
