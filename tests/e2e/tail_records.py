#!/usr/bin/env python3
"""Records of the metadata's tail on stores that nobody uses (docs/FORMAT.md, "Tail of the copy").

    tail_records.py list DIR...          first and last slot of each whose first fragment is there
    tail_records.py break SLOT DIR...    the record that has SLOT is damaged: one bit in its fragment

The first fragment of a coded record begins with the record's own first bytes, behind a whole block.
"""

import pathlib
import struct
import sys

BLOCK = 4096
MAGIC = b"VSTL"
AFTER_AT, UPTO_AT = 29, 37


def records(dirs):
    for directory in dirs:
        for path in sorted(pathlib.Path(directory).rglob("sb-*.dat")):
            data = path.read_bytes()
            at = data.find(MAGIC)
            while at >= 0:
                if at % BLOCK == 0 and len(data) >= at + UPTO_AT + 8:
                    after, = struct.unpack_from("<Q", data, at + AFTER_AT)
                    upto, = struct.unpack_from("<Q", data, at + UPTO_AT)
                    yield after, upto, path, at
                at = data.find(MAGIC, at + 1)


def main():
    if sys.argv[1] == "list":
        for after, upto, _, _ in sorted(records(sys.argv[2:])):
            print(after + 1, upto)
        return
    slot, hit = int(sys.argv[2]), 0
    for after, upto, path, at in list(records(sys.argv[3:])):
        if after < slot <= upto:
            with open(path, "r+b") as f:
                f.seek(at + AFTER_AT)
                byte = f.read(1)[0]
                f.seek(at + AFTER_AT)
                f.write(bytes([byte ^ 0x40]))
            hit += 1
    if not hit:
        sys.exit(f"no record has slot {slot}")


main()
