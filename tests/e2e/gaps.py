#!/usr/bin/env python3
"""Names and small contents through a mount, without a pause: what the longest gap was.

gaps.py DIR STOPFILE: until STOPFILE is there, create a file below DIR and read it back, again and
again. Prints "N pairs, longest gap MS ms, E errors" and each error once; exit code 1 after an error.
The newest 100 files stay.
"""
import collections
import os
import sys
import time


def pair(folder, n):
    path = f"{folder}/gap.{n}"
    with open(path, "xb") as f:
        f.write(b"%d\n" % n)
    with open(path, "rb") as f:
        if f.read() != b"%d\n" % n:
            raise OSError(0, "other bytes", path)
    if n >= 100:
        os.unlink(f"{folder}/gap.{n - 100}")


def main():
    folder, stop = sys.argv[1:]
    errors = collections.Counter()
    count, longest, last, n = 0, 0.0, time.monotonic(), 0
    while not os.path.exists(stop):
        try:
            pair(folder, n)
            count += 1
            now = time.monotonic()
            longest = max(longest, now - last)
            last = now
        except OSError as e:
            errors[str(e.strerror)] += 1
        n += 1
    longest = max(longest, time.monotonic() - last)
    print(f"{count} pairs, longest gap {longest * 1000:.0f} ms, {sum(errors.values())} errors")
    for what, times in errors.items():
        print(f"{times} times: {what}")
    return 1 if errors or count == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
