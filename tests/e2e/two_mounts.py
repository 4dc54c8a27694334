#!/usr/bin/env python3
"""What one mount changes is seen on the other: two_mounts.py A B [METRICS_URL...]

Each change is made on A, and B asks until it sees it, at most PATIENCE_S: prints what it took. Before
each change B has asked for the same thing, so that its kernel keeps the old answer. With METRICS_URL
the questions that the metadata were asked are counted: B's repeated stat asks none.
"""
import errno
import os
import re
import sys
import time
import urllib.request

PATIENCE_S = float(os.environ.get("PATIENCE_S", "30"))
a, b = sys.argv[1], sys.argv[2]
metrics = sys.argv[3:]
delays = {}


def fail(text):
    print(f"FAILED: {text}", file=sys.stderr)
    sys.exit(1)


def answer(ask):
    """What ask() gives; an errno's name when it fails."""
    try:
        return ask()
    except OSError as e:
        return errno.errorcode[e.errno]


def seen(what, change, ask, wanted):
    """B's ask() answers `wanted` soon after change() on A."""
    answer(ask)
    began = time.monotonic()
    change()
    changed = time.monotonic()
    while True:
        now = answer(ask)
        if wanted(now) if callable(wanted) else now == wanted:
            break
        if time.monotonic() - began > PATIENCE_S:
            fail(f"{what}: {now!r} is all that B sees")
    delays.setdefault(what, []).append((time.monotonic() - changed) * 1000)


def put(path, data):
    with open(path, "wb") as f:
        f.write(data)


def get(path):
    with open(path, "rb") as f:
        return f.read()


def questions():
    """Lookups and getattrs that the replicas were asked so far."""
    n = 0
    for url in metrics:
        text = urllib.request.urlopen(url + "/metrics", timeout=PATIENCE_S).read().decode()
        for op in ("lookup", "getattr"):
            n += int(re.search(r'vstack_meta_op_seconds_count{op="%s"} (\d+)' % op, text).group(1))
    return n


def one_round(n):
    fa, fb = f"{a}/file{n}", f"{b}/file{n}"
    da, db = f"{a}/dir{n}", f"{b}/dir{n}"
    seen("create", lambda: put(fa, b"one"), lambda: get(fb), b"one")
    seen("append", lambda: open(fa, "ab").write(b"two"), lambda: get(fb), b"onetwo")
    seen("rewrite", lambda: put(fa, b"x" * 300000), lambda: get(fb), b"x" * 300000)
    seen("truncate", lambda: os.truncate(fa, 70000), lambda: os.stat(fb).st_size, 70000)
    seen("chmod", lambda: os.chmod(fa, 0o741), lambda: os.stat(fb).st_mode & 0o7777, 0o741)
    seen("utime", lambda: os.utime(fa, (5, 6)), lambda: os.stat(fb).st_mtime, 6)
    seen("setxattr", lambda: os.setxattr(fa, "user.k", b"v"), lambda: os.getxattr(fb, "user.k"), b"v")
    seen("removexattr", lambda: os.removexattr(fa, "user.k"), lambda: os.listxattr(fb), [])
    seen("link", lambda: os.link(fa, fa + "l"), lambda: os.stat(fb).st_nlink, 2)
    seen("unlink one of two", lambda: os.unlink(fa + "l"), lambda: os.stat(fb).st_nlink, 1)
    seen("mkdir", lambda: os.mkdir(da), lambda: os.listdir(db), [])
    seen("rename", lambda: os.rename(fa, da + "/f"), lambda: os.stat(fb) and 0, "ENOENT")
    seen("new name", lambda: None, lambda: os.listdir(db), ["f"])
    put(fa, b"other")
    seen("rename over", lambda: os.rename(fa, da + "/f"), lambda: get(db + "/f"), b"other")
    seen("directory's time", lambda: os.utime(da, (7, 8)), lambda: os.stat(db).st_mtime, 8)
    seen("unlink", lambda: os.unlink(da + "/f"), lambda: os.stat(db + "/f") and 0, "ENOENT")
    seen("symlink", lambda: os.symlink("x", da + "/s"), lambda: os.readlink(db + "/s"), "x")
    os.unlink(da + "/s")
    seen("rmdir", lambda: os.rmdir(da), lambda: os.listdir(db), "ENOENT")


def stats_ask_nothing():
    """While nothing changes, B's kernel answers by itself."""
    put(f"{a}/quiet", b"quiet")
    until = time.monotonic() + PATIENCE_S
    while True:
        os.stat(f"{b}/quiet")
        before = questions()
        for _ in range(1000):
            os.stat(f"{b}/quiet")
        asked = questions() - before
        if asked <= 2:
            break
        if time.monotonic() > until:
            fail(f"1000 stats on B cost {asked} questions")
    os.unlink(f"{a}/quiet")
    print(f"two_mounts_stat_questions {asked} of 1000")


def one_is_the_first():
    """O_EXCL holds among the mounts, also while the file is open; the loser's mount shows the file."""
    for n in range(20):
        mine = os.open(f"{a}/lock{n}", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        try:
            os.open(f"{b}/lock{n}", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
            fail(f"both mounts were the first to make lock{n}")
        except FileExistsError:
            pass
        os.write(mine, b"mine")
        os.close(mine)
        with open(f"{b}/lock{n}", "rb") as f:
            if f.read() != b"mine":
                fail(f"lock{n} is not what its maker wrote")
        os.unlink(f"{b}/lock{n}")


def main():
    rounds = int(os.environ.get("ROUNDS", "10"))
    for n in range(rounds):
        one_round(n)
    one_is_the_first()
    worst = 0
    for what, ms in delays.items():
        ms.sort()
        worst = max(worst, ms[-1])
        print(f"two_mounts {what.replace(' ', '_')}_ms median {ms[len(ms) // 2]:.1f} longest {ms[-1]:.1f}")
    print(f"two_mounts longest_ms {worst:.1f}")
    if metrics:
        stats_ask_nothing()


main()
