#!/usr/bin/env python3
"""One system call, and its errno by name on the last line of stdout (OK when it worked).

    sys.py CALL ARGUMENT...

Shell tools hide what the kernel answered behind messages, fallbacks and retries of their own.
"""

import ctypes
import errno
import os
import signal
import sys

FLAGS = {
    "r": os.O_RDONLY, "w": os.O_WRONLY, "rw": os.O_RDWR, "creat": os.O_CREAT, "excl": os.O_EXCL,
    "trunc": os.O_TRUNC, "append": os.O_APPEND, "dir": os.O_DIRECTORY, "nofollow": os.O_NOFOLLOW,
}
libc = ctypes.CDLL(None, use_errno=True)


def call_open(path, *flags):
    bits = 0
    for flag in flags:
        bits |= FLAGS[flag]
    os.close(os.open(path, bits, 0o644))


def call_read(path, offset, length):
    """Reads all of the range, or fails."""
    fd = os.open(path, os.O_RDONLY)
    left, at = int(length), int(offset)
    while left:
        got = os.pread(fd, min(left, 1 << 20), at)
        if not got:
            raise OSError(errno.ENODATA, "end of file")
        left -= len(got)
        at += len(got)


def call_write(path, offset, text):
    """Writes, then closes: the error of either."""
    fd = os.open(path, os.O_WRONLY)
    os.pwrite(fd, os.fsencode(text), int(offset))
    os.close(fd)


def call_hold(path, source, ready):
    """Writes and syncs, makes the file `ready`, and never closes: for a crash in between."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT, 0o644)
    with open(source, "rb") as f:
        os.write(fd, f.read())
    os.fsync(fd)
    os.close(os.open(ready, os.O_WRONLY | os.O_CREAT, 0o644))
    signal.pause()


def call_renameat2(old, new, flags):
    if libc.renameat2(-100, os.fsencode(old), -100, os.fsencode(new), int(flags)) != 0:
        raise OSError(ctypes.get_errno(), "renameat2")


def call_seek(path, whence, offset):
    fd = os.open(path, os.O_RDONLY)
    print(os.lseek(fd, int(offset), {"data": os.SEEK_DATA, "hole": os.SEEK_HOLE}[whence]))


def call_fallocate(path, mode, offset, length):
    fd = os.open(path, os.O_RDWR)
    off = ctypes.c_int64
    if libc.fallocate(fd, int(mode), off(int(offset)), off(int(length))) != 0:
        raise OSError(ctypes.get_errno(), "fallocate")


CALLS = {
    "open": call_open,
    "read": call_read,
    "write": call_write,
    "hold": call_hold,
    "renameat2": call_renameat2,
    "seek": call_seek,
    "fallocate": call_fallocate,
    "stat": os.stat,
    "lstat": os.lstat,
    "listdir": lambda p: [print(repr(n)) for n in sorted(os.listdir(os.fsencode(p)))],
    "rename": os.rename,
    "link": lambda a, b: os.link(a, b, follow_symlinks=False),
    "symlink": os.symlink,
    "readlink": lambda p: print(os.readlink(p)),
    "unlink": os.unlink,
    "mkdir": lambda p: os.mkdir(p, 0o755),
    "rmdir": os.rmdir,
    "truncate": lambda p, n: os.truncate(p, int(n)),
    "chmod": lambda p, m: os.chmod(p, int(m, 8)),
    "chown": lambda p, u, g: os.chown(p, int(u), int(g), follow_symlinks=False),
    "utime": lambda p, a, m: os.utime(p, ns=(int(a), int(m)), follow_symlinks=False),
    "setxattr": lambda p, n, v: os.setxattr(p, n, os.fsencode(v)),
    "createxattr": lambda p, n, v: os.setxattr(p, n, os.fsencode(v), os.XATTR_CREATE),
    "replacexattr": lambda p, n, v: os.setxattr(p, n, os.fsencode(v), os.XATTR_REPLACE),
    "getxattr": lambda p, n: print(os.fsdecode(os.getxattr(p, n))),
    "removexattr": os.removexattr,
    "listxattr": lambda p: [print(n) for n in sorted(os.listxattr(p))],
    "mkfifo": lambda p: os.mkfifo(p, 0o644),
}


def main():
    try:
        CALLS[sys.argv[1]](*sys.argv[2:])
    except OSError as e:
        # one number, two names
        print("EOPNOTSUPP" if e.errno == errno.EOPNOTSUPP else errno.errorcode.get(e.errno, str(e.errno)))
        return
    print("OK")


main()
