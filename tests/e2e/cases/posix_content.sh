#!/usr/bin/env bash
# Truncating, appending to, and rewriting a stored file, as on any file system.
. "$(dirname "$0")/../lib.sh"

vs_mount
f=$MNT/film.bin ref=$WORK/film.bin
check() {
    same "$ref" "$f"
    equal "size" "$(stat -c %s "$f")" "$(stat -c %s "$ref")"
}
both() { # both DD-ARGUMENT...: the same bytes into both
    dd if="$WORK/patch" conv=notrunc status=none of="$ref" "$@"
    dd if="$WORK/patch" conv=notrunc status=none of="$f" "$@"
}
make_bytes "$ref" $((6 * CHUNK + 333))
make_bytes "$WORK/patch" $((2 * MIB))
cp "$ref" "$f"

for size in $((6 * CHUNK)) $((3 * CHUNK + 1)) $((5 * CHUNK)) 70000 65536 65535 0 1 200000; do
    truncate -s "$size" "$ref"
    truncate -s "$size" "$f"
    check
done
make_bytes "$ref" $((6 * CHUNK + 333))
cat "$ref" >"$f" # O_TRUNC and a new content
check
cat "$WORK/patch" >>"$ref"
cat "$WORK/patch" >>"$f"
check
for i in 1 2 3 4 5; do
    echo "line $i" >>"$ref"
    echo "line $i" >>"$f"
done
check
both bs=1M count=1 seek=7            # inside
both bs=1 count=10 seek=$((CHUNK - 5)) # over a border
both bs=64k count=20 seek=200        # several chunks
both bs=1M count=2 seek=40           # behind the end: a hole before it
check
vs_remount
check

# One handle writes, another reads what was written, before and after close.
exec {w}<>"$f"
exec {r}<"$f"
printf 'first' >&$w
equal "read through another handle" "$(head -c 5 <&$r)" first
exec {w}>&-
equal "read after close" "$(head -c 5 "$f")" first
exec {r}<&-
printf 'first' | dd of="$ref" conv=notrunc status=none
check

# Two handles append in turns: O_APPEND always finds the end.
exec {a}>>"$f" {b}>>"$f"
for i in $(seq 50); do
    echo "a$i" >&$a
    echo "b$i" >&$b
    printf 'a%s\nb%s\n' "$i" "$i" >>"$ref"
done
exec {a}>&- {b}>&-
check

# A page of a shared mapping goes where it belongs, also through a handle that appends.
cat >"$WORK/map.py" <<'END'
import mmap, os, sys
fd = os.open(sys.argv[1], os.O_RDWR | os.O_APPEND)
with mmap.mmap(fd, os.fstat(fd).st_size) as m:
    m[5:10] = b"mmmmm"
    m.flush()
os.write(fd, b"behind")
os.close(fd)
END
for file in "$f" "$ref"; do python3 "$WORK/map.py" "$file"; done
check

# fsync makes durable what was written: a crash right behind it loses nothing.
echo precious >"$WORK/patch"
dd if="$WORK/patch" of="$f" conv=notrunc,fsync oflag=append status=none
cat "$WORK/patch" >>"$ref"
vs_kill9
vs_mount
check

# Small files that grow out of the metadata, and shrink back.
for size in 10 65536 65537 10; do
    make_bytes "$WORK/small" "$size"
    cat "$WORK/small" >"$MNT/small"
    same "$WORK/small" "$MNT/small"
done
make_bytes "$WORK/small" 65530
cat "$WORK/small" >"$MNT/small"
echo 0123456789 >>"$WORK/small"
echo 0123456789 >>"$MNT/small"
vs_remount
same "$WORK/small" "$MNT/small"
check

# A slow lister does not bring back what files were when it began.
cat >"$WORK/slow_list.py" <<'END'
import os, sys
folder = sys.argv[1]
os.mkdir(folder)
for n in range(300):
    with open(f"{folder}/{n}", "w") as f:
        f.write("old")
for count, entry in enumerate(os.scandir(folder)):
    os.stat(entry.path)
    if count == 5:
        for n in range(300):
            with open(f"{folder}/{n}", "a") as f:
                f.write(" and new")
for n in range(300):
    with open(f"{folder}/{n}") as f:
        text = f.read()
    if text != "old and new":
        sys.exit(f"{n}: {text}")
END
python3 "$WORK/slow_list.py" "$MNT/listed"
