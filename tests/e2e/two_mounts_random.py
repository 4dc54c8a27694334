#!/usr/bin/env python3
"""Random operations on two mounts of one cluster, held against a model: two_mounts_random.py A B SEED N MODEL

Each operation is made on one of the mounts, by its path, and answered before the next; its result (or
errno) must be the model's. The model is a directory of this machine's own file system, on which the
same call is made. What the other mount answers may be as old as its feed; so before an operation moves
from one mount to the other, that is waited for: a mark (a name of its own, made last on the one) is
looked up on the other until it is there, and a mount hears of changes in their order. On failure the
seed and the last operations are printed: the same arguments give the same operations again.
"""
import errno
import os
import random
import stat
import sys
import time

PATIENCE_S = float(os.environ.get("PATIENCE_S", "30"))
a, b, seed, count = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
model = sys.argv[5]
rng = random.Random(seed)
noise = random.Random(seed + 1).randbytes(1 << 20)
done = []
NAMES = [f"n{i}" for i in range(6)]
DIRS = ["", "d0/", "d1/", "d0/e/"]
BYTES_MAX = int(os.environ.get("BYTES_MAX", "300000"))  # in one operation
SIZES = [0, 1, 100, 4096, BYTES_MAX]


def path():
    return rng.choice(DIRS) + rng.choice(NAMES + ["d0", "d1", "e"])


def data(size):
    start = rng.randrange(0, len(noise) - size)
    return noise[start:start + size]


def put(p, flags, offset, bytes_):
    fd = os.open(p, flags, 0o644)
    try:
        os.lseek(fd, offset, os.SEEK_SET)
        return os.write(fd, bytes_)
    finally:
        os.close(fd)


def look(p):
    s = os.lstat(p)
    kind = stat.S_IFMT(s.st_mode)
    out = [kind, stat.S_IMODE(s.st_mode), s.st_nlink if kind != stat.S_IFDIR else 0]
    if kind == stat.S_IFREG:
        out += [s.st_size]
    return out


def read(p):
    with open(p, "rb") as f:
        return f.read()


def times(p):
    s = os.stat(p)
    return s.st_mtime_ns


def make():
    """An operation: its words, and what it does below a root."""
    p, q, size = path(), path(), rng.choice(SIZES)
    offset, text, mode = rng.randrange(0, BYTES_MAX), data(size), rng.choice([0o600, 0o644, 0o755])
    when = rng.randrange(0, 1 << 32)
    return rng.choice([
        (f"create {p} {size}", lambda r: put(r + p, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0, text)),
        (f"replace {p} {size}", lambda r: put(r + p, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0, text)),
        (f"write {p} {offset}+{size}", lambda r: put(r + p, os.O_WRONLY, offset, text)),
        (f"append {p} {size // 100}", lambda r: put(r + p, os.O_WRONLY | os.O_APPEND, 0, text[:size // 100])),
        (f"truncate {p} {offset}", lambda r: os.truncate(r + p, offset)),
        (f"rename {p} {q}", lambda r: os.rename(r + p, r + q)),
        (f"link {p} {q}", lambda r: os.link(r + p, r + q)),
        (f"unlink {p}", lambda r: os.unlink(r + p)),
        (f"mkdir {p}", lambda r: os.mkdir(r + p)),
        (f"rmdir {p}", lambda r: os.rmdir(r + p)),
        (f"chmod {p} {mode:o}", lambda r: os.chmod(r + p, mode)),
        (f"utimens {p} {when}", lambda r: (os.utime(r + p, ns=(when, when)), times(r + p))[1]),
        (f"setxattr {p}", lambda r: os.setxattr(r + p, "user.x", text[:64])),
        (f"getxattr {p}", lambda r: os.getxattr(r + p, "user.x")),
        (f"read {p}", lambda r: read(r + p)),
        (f"readdir {p}", lambda r: sorted(os.listdir(r + p))),
        (f"stat {p}", lambda r: look(r + p)),
        (f"symlink {p} {q}", lambda r: os.symlink(p, r + q)),
    ])


def answer(operation, root):
    try:
        return operation(root)
    except OSError as e:
        return errno.errorcode[e.errno]


def fail(text):
    print(f"FAILED: {text}", file=sys.stderr)
    print(f"again with SEED={seed}; the last operations were", file=sys.stderr)
    print("\n".join(done[-40:]), file=sys.stderr)
    sys.exit(1)


def follow(to, number):
    """All that was answered on the other mount so far is known on this one."""
    mark = f".mark{number}"
    os.mkdir(f"{b if to == a else a}/{mark}")
    until = time.monotonic() + PATIENCE_S
    while True:
        try:
            os.rmdir(f"{to}/{mark}")
            return
        except FileNotFoundError:
            if time.monotonic() > until:
                fail("a mark of the other mount never came")


def tree(root):
    out = {}
    for at, dirs, files in os.walk(root):
        dirs[:] = sorted(d for d in dirs if not (at == root and d in ("inbox", ".vstack")))
        for name in dirs + files:
            full = f"{at}/{name}"
            out[full[len(root):]] = look(full) + ([read(full)] if os.path.isfile(full) and not os.path.islink(full) else [])
    return out


def main():
    at = a
    for d in DIRS[1:]:
        os.mkdir(f"{a}/{d}")
        os.mkdir(f"{model}/{d}")
    for number in range(count):
        words, operation = make()
        if rng.random() < 0.4:
            at = b if at == a else a
            follow(at, number)
        done.append(f"{number} on {'A' if at == a else 'B'}: {words}")
        want = answer(operation, f"{model}/")
        got = answer(operation, f"{at}/")
        if got != want:
            fail(f"{words}: {str(got)[:200]}, expected {str(want)[:200]}")
    for to in (a, b):
        follow(to, f"end{to == a}")
    want = tree(model)
    for root in (a, b):
        got = tree(root)
        for name in sorted(set(got) | set(want)):
            if got.get(name) != want.get(name):
                fail(f"{root}{name}: {str(got.get(name))[:200]}, expected {str(want.get(name))[:200]}")
    print(f"two_mounts_random seed {seed}: {count} operations, {len(want)} names at the end")


main()
