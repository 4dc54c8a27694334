"""What the programs that drive two mounts share: failing, awaiting, reading past the kernel's pages."""
import mmap
import os
import sys
import time

PATIENCE_S = float(os.environ.get("PATIENCE_S", "30"))
MIB = 1 << 20


def fail(text):
    print(f"FAILED: {text}", file=sys.stderr)
    sys.exit(1)


def await_true(what, ask):
    until = time.monotonic() + PATIENCE_S
    while not ask():
        if time.monotonic() > until:
            fail(f"never: {what}")
        time.sleep(0.01)


def missing(path):
    try:
        os.stat(path)
    except FileNotFoundError:
        return True
    return False


def direct(fd, offset, size=MIB):
    """One request to the mount, past the kernel's pages."""
    page = mmap.mmap(-1, size)
    n = os.preadv(fd, [page], offset)
    return page[:n]
