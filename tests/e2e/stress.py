#!/usr/bin/env python3
"""Many processes change and read one mount, and check what they see.

    stress.py run MOUNT SEED SECONDS LEDGER     four writers and two readers; what must be there
                                                then goes to LEDGER
    stress.py check LEDGER                      is it, exactly?

Every content is a beginning of gen(seed), whose first eight bytes are the seed: whoever reads a file
in whatever moment can tell wrong bytes. Each writer owns names of its own in folders that all share,
knows what each of them must be, and looks now and then; the readers go over all of them.
"""

import errno
import json
import multiprocessing
import os
import random
import struct
import sys
import time

NOISE = random.Random(1).randbytes(24 << 20)
GONE = (errno.ENOENT, errno.ESTALE, errno.ENOTDIR)
SIZES = [8, 100, 5000, 65536, 65537, 300000, 4 << 20, 9_000_001]
SIZE_MAX = 12 << 20
FILES_MAX = 40
WRITERS, READERS = 4, 2
MENU = {
    "create": 5, "upload": 5, "part": 3, "replace": 4, "rewrite": 3, "append": 5, "patch": 5,
    "truncate": 3, "rename": 4, "rename_over": 2, "unlink": 4, "link": 2, "check": 8, "absent": 1,
}


def gen(seed, size):
    at = 8 * (seed % 997) * 1021
    return (struct.pack("<Q", seed) + NOISE[at:at + size])[:size]


def is_wrong(data):
    if len(data) < 8:
        return False
    return data != gen(struct.unpack("<Q", data[:8])[0], len(data))


def check_file(path, seed, size):
    got = os.stat(path).st_size
    if got != size:
        raise ValueError(f"{path}: {got} bytes, not {size}")
    with open(path, "rb") as f:
        data = f.read()
    want = gen(seed, size)
    if data != want:
        first = next((i for i, (a, b) in enumerate(zip(data, want)) if a != b), len(data))
        raise ValueError(f"{path}: wrong from byte {first} of {size}")


class Writer:
    def __init__(self, mount, me, seed):
        self.mount, self.me = mount, f"w{me}-{seed}"
        self.rng = random.Random(seed * 1000 + me)
        self.files = {}  # path: (seed, size)
        self.names = 0
        self.dirs = [f"{mount}/s{i}" for i in range(4)]

    def name(self):
        self.names += 1
        return f"{self.me}-{self.names}.mkv"

    def path(self):
        return f"{self.rng.choice(self.dirs)}/{self.name()}"

    def some(self):
        return self.rng.choice(sorted(self.files)) if self.files else self.create()

    def content(self):
        return self.rng.randrange(1 << 40), self.rng.choice(SIZES)

    def write(self, path, flags, seed, start, end):
        fd = os.open(path, os.O_WRONLY | flags, 0o644)
        data, at, piece = gen(seed, end), start, self.rng.choice([4096, 131072, 1 << 20])
        while at < end:
            at += os.pwrite(fd, data[at:at + piece], at)
        os.close(fd)

    def create(self):
        path, (seed, size) = self.path(), self.content()
        self.write(path, os.O_CREAT | os.O_EXCL, seed, 0, size)
        self.files[path] = (seed, size)
        return path

    def upload(self):
        name, (seed, size) = self.name(), self.content()
        sub = self.rng.choice(["", "s0/", "s1/", f"new-{name}/"])
        os.makedirs(f"{self.mount}/inbox/{sub}", exist_ok=True)
        self.write(f"{self.mount}/inbox/{sub}{name}", os.O_CREAT | os.O_EXCL, seed, 0, size)
        if self.rng.random() < 0.5:
            os.utime(f"{self.mount}/inbox/{sub}{name}", (1000, 1000))
        self.files[f"{self.mount}/{sub}{name}"] = (seed, size)

    def part(self):
        name, (seed, size) = self.name(), self.content()
        self.write(f"{self.mount}/inbox/{name}.part", os.O_CREAT, seed, 0, size)
        os.rename(f"{self.mount}/inbox/{name}.part", f"{self.mount}/inbox/{name}")
        self.files[f"{self.mount}/{name}"] = (seed, size)

    def replace(self):
        path, (seed, size) = self.some(), self.content()
        temporary = f"{os.path.dirname(path)}/.{self.name()}"
        self.write(temporary, os.O_CREAT, seed, 0, size)
        os.rename(temporary, path)
        self.files[path] = (seed, size)

    def rewrite(self, path=None):
        path, (seed, size) = path or self.some(), self.content()
        self.write(path, os.O_TRUNC, seed, 0, size)
        self.files[path] = (seed, size)

    def append(self):
        path = self.some()
        seed, size = self.files[path]
        end = min(size + self.rng.choice(SIZES), SIZE_MAX)
        self.write(path, 0, seed, size, end)
        self.files[path] = (seed, max(size, end))

    def patch(self):
        path = self.some()
        seed, size = self.files[path]
        start = self.rng.randrange(size)
        self.write(path, 0, seed, start, min(size, start + self.rng.randrange(1, 1 << 20)))

    def truncate(self):
        path = self.some()
        seed, size = self.files[path]
        cut = self.rng.choice([0, size // 2, size - 1])
        os.truncate(path, cut)
        self.files[path] = (seed, cut)
        if cut < 8:
            self.rewrite(path)

    def rename(self):
        path, new = self.some(), self.path()
        os.rename(path, new)
        self.files[new] = self.files.pop(path)

    def rename_over(self):
        path, over = self.some(), self.some()
        if path != over:
            os.rename(path, over)
            self.files[over] = self.files.pop(path)

    def unlink(self):
        path = self.some()
        seed, size = self.files.pop(path)
        fd = os.open(path, os.O_RDONLY)
        os.unlink(path)
        if os.pread(fd, 1 << 20, 0) != gen(seed, size)[:1 << 20]:
            raise ValueError(f"{path}: wrong after unlink")
        os.close(fd)

    def link(self):
        path, new = self.some(), self.path()
        os.link(path, new)
        os.unlink(path)
        self.files[new] = self.files.pop(path)

    def check(self):
        path = self.some()
        check_file(path, *self.files[path])

    def absent(self):
        path = self.path()
        if os.path.exists(path):
            raise ValueError(f"{path}: exists")

    def run(self, until):
        menu = [name for name, weight in MENU.items() for _ in range(weight)]
        steps = 0
        while time.monotonic() < until:
            step = "unlink" if len(self.files) >= FILES_MAX else self.rng.choice(menu)
            try:
                getattr(self, step)()
            except (OSError, ValueError) as e:
                return f"{self.me}, step {steps}, {step}: {e}", steps, {}
            steps += 1
        return None, steps, self.files


def read_some(path):
    """Is what is there wrong, and stays so? A read that meets a cut or a rewrite may see some of
    both, on every file system."""
    try:
        with open(path, "rb", buffering=0) as f:
            for _ in range(20):
                data = os.pread(f.fileno(), 1 << 20, 0)
                if not is_wrong(data):
                    return None
                time.sleep(0.1)
    except OSError as e:
        return None if e.errno in GONE else f"{path}: {e}"
    return f"{path}: wrong bytes, {len(data)} of them"


def read_all(mount, me, seed, until):
    rng, seen, bad = random.Random(seed * 1000 + 500 + me), 0, None
    while not bad and time.monotonic() < until:
        folder = rng.choice([mount] + [f"{mount}/s{i}" for i in range(4)])
        names = os.listdir(folder)
        if len(names) != len(set(names)):
            bad = f"{folder}: lists a name twice"
        for name in rng.sample(names, min(len(names), 5)):
            if not bad and name.endswith(".mkv") and not name.startswith("new-"):
                bad = read_some(f"{folder}/{name}")
                seen += 1
    return bad, seen, {}


def job(args):
    what, mount, me, seed, until = args
    if what == "read":
        return read_all(mount, me, seed, until)
    return Writer(mount, me, seed).run(until)


def run(mount, seed, seconds, ledger):
    for i in range(4):
        os.makedirs(f"{mount}/s{i}", exist_ok=True)
    until = time.monotonic() + float(seconds)
    jobs = [("write", mount, i, int(seed), until) for i in range(WRITERS)]
    jobs += [("read", mount, i, int(seed), until) for i in range(READERS)]
    with multiprocessing.Pool(len(jobs)) as pool:
        results = pool.map(job, jobs, 1)
    print("steps:", [steps for _, steps, _ in results])
    failures = [bad for bad, _, _ in results if bad]
    with open(ledger, "w") as f:
        json.dump({path: what for _, _, files in results for path, what in files.items()}, f)
    return failures


def check(ledger):
    with open(ledger) as f:
        files = json.load(f)
    failures = []
    for path, (seed, size) in sorted(files.items()):
        try:
            check_file(path, seed, size)
        except (OSError, ValueError) as e:
            failures.append(str(e))
    print(len(files), "files")
    return failures


def main():
    failures = {"run": run, "check": check}[sys.argv[1]](*sys.argv[2:])
    for sentence in failures:
        print("FAILED:", sentence)
    sys.exit(1 if failures else 0)


main()
