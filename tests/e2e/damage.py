#!/usr/bin/env python3
"""Damages the superblock files of a store, as a bad disk would. Prints how much it did.

    damage.py flip STORE STEP [SEED]   one bit in every STEP bytes of every superblock file
    damage.py cut STORE                every superblock file cut to half its length
    damage.py zero STORE               all bytes zero, the lengths stay
"""

import os
import random
import sys


def superblocks(store):
    for folder, _, names in os.walk(store):
        for name in sorted(names):
            if name.startswith("sb-") and name.endswith(".dat"):
                yield os.path.join(folder, name)


def flip(path, step, rng):
    done = 0
    fd = os.open(path, os.O_RDWR)
    size = os.fstat(fd).st_size
    for start in range(0, size, step):
        at = rng.randrange(start, min(start + step, size))
        byte = os.pread(fd, 1, at)
        os.pwrite(fd, bytes([byte[0] ^ (1 << rng.randrange(8))]), at)
        done += 1
    os.fsync(fd)
    os.close(fd)
    return done


def main():
    what, store = sys.argv[1], sys.argv[2]
    step = int(sys.argv[3]) if len(sys.argv) > 3 else 0
    rng = random.Random(int(sys.argv[4]) if len(sys.argv) > 4 else 1)
    done = 0
    for path in superblocks(store):
        size = os.path.getsize(path)
        if what == "flip":
            done += flip(path, step, rng)
        elif what == "cut":
            os.truncate(path, size // 2)
            done += 1
        elif what == "zero":
            os.truncate(path, 0)
            os.truncate(path, size)
            done += 1
    print(f"{what}: {done} in {store}")
    sys.exit(0 if done else f"nothing to damage in {store}")


main()
