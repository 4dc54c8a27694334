#!/usr/bin/env python3
"""Makes files that lie about being videos, and some that are no videos at all.

    hostile.py FOLDER SAMPLE_MP4 SAMPLE_MKV SAMPLE_AVI SAMPLE_TS SAMPLE_OGV SECRET

Every file is long enough to be cut and coded. What a parser does with them is its own affair; what
is stored must be these bytes.
"""

import os
import random
import struct
import sys
import zipfile

folder, mp4, mkv, avi, ts, ogv, secret = sys.argv[1:]
rng = random.Random(99)
PAD = rng.randbytes(300_000)


def put(name, data):
    with open(os.path.join(folder, name), "wb") as f:
        f.write(data if len(data) > 100_000 else data + PAD)


def read(path):
    with open(path, "rb") as f:
        return f.read()


def box(kind, payload=b"", size=None):
    return struct.pack(">I", 8 + len(payload) if size is None else size) + kind + payload


def patched(data, needle, offset, new):
    at = data.find(needle)
    if at < 0:
        sys.exit(f"no {needle!r} in the sample")
    at += offset
    return data[:at] + new + data[at + len(new):]


ftyp = box(b"ftyp", b"isom\0\0\2\0isomiso2avc1mp41")
put("box-size-0.mp4", ftyp + box(b"moov", size=0))
put("box-size-1-huge.mp4", ftyp + struct.pack(">I", 1) + b"mdat" + struct.pack(">Q", 2**63 - 1))
put("box-size-1-max.mp4", ftyp + struct.pack(">I", 1) + b"moov" + struct.pack(">Q", 2**64 - 1))
put("box-size-7.mp4", ftyp + box(b"moov", size=7))
nested = b""
for depth in range(10_000):
    nested = box(b"moov" if depth % 2 else b"trak", nested)
put("nested-10000.mp4", ftyp + nested)
whole = read(mp4)
put("stsz-count-max.mp4", patched(whole, b"stsz", 12, b"\xff\xff\xff\xff"))
put("stco-count-max.mp4", patched(whole, b"stco", 8, b"\xff\xff\xff\xff"))
put("stco-outside.mp4", patched(whole, b"stco", 12, b"\xff\xff\xff\xf0" * 4))
put("stts-zero.mp4", patched(whole, b"stts", 12, b"\0" * 8))
put("no-moov.mp4", whole.replace(b"moov", b"free", 1))
put("two-moovs.mp4", whole[: whole.find(b"mdat") - 4] + whole)
for cut in (1, 7, 100, 1000, 40_000):
    put(f"cut-{cut}.mp4", whole[:cut] + PAD)
whole = read(mkv)
for cut in list(range(1, 64)) + [128, 512, 1000, 2000, 4095, 4096]:
    put(f"cut-{cut}.mkv", whole[:cut] + PAD)
for at in range(40):
    data = bytearray(whole)
    for _ in range(20):
        data[rng.randrange(0, 5000)] = rng.randrange(256)
    put(f"noise-in-head-{at}.mkv", bytes(data))
put("unknown-cluster-size.mkv", whole.replace(b"\x1f\x43\xb6\x75", b"\x1f\x43\xb6\x75\x01\xff\xff\xff\xff\xff\xff\xff"))
put("187-byte-packets.ts", b"".join(read(ts)[i:i + 187] for i in range(0, 188 * 1000, 188)))
put("many-streams.ts", b"".join(b"\x47" + struct.pack(">H", 0x4000 | pid) + b"\x10" + rng.randbytes(184)
                                for pid in range(4000)))
put("idx1-outside.avi", patched(read(avi), b"idx1", 8, b"00dc\x10\0\0\0\xf0\xff\xff\xff\xff\xff\xff\xff" * 8))
put("zero-pages.ogv", read(ogv)[:5000] + (b"OggS\0" + b"\0" * 21 + b"\0") * 5000)
put("program.mkv", read("/bin/true") * 4)
put("playlist.mp4", (f"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nfile://{secret}\n#EXTINF:10,\n"
                     "http://127.0.0.1:9/x.ts\n#EXT-X-ENDLIST\n").encode().ljust(5000, b"\n"))
put("concat.mkv", f"ffconcat version 1.0\nfile {secret}\n".encode().ljust(5000, b"\n"))
put("session.mp4", b"v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nm=video 9 RTP/AVP 96\n")
put("picture.mp4", f'<svg xmlns="http://www.w3.org/2000/svg"><image href="file://{secret}"/></svg>'.encode())
with zipfile.ZipFile(os.path.join(folder, "bomb.mkv"), "w", zipfile.ZIP_DEFLATED) as z:
    z.writestr("zeros", bytes(200_000_000))
put("all-zero.mp4", bytes(300_000))
put("all-ones.ts", b"\x47" * 300_000)
put("really-a-matroska.mp4", whole)
put("no-extension", whole)
print(len(os.listdir(folder)))
