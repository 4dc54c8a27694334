#!/usr/bin/env bash
# Any two of five stores removed, emptied, cut, zeroed or full of flipped bits, mount running or not:
# every file reads byte-exact.
# limit: 300
. "$(dirname "$0")/../lib.sh"

make_bytes "$WORK/noise.bin" $((3 * CHUNK + 4321))
make_bytes "$WORK/just.bin" $((INLINE + 1))
echo small >"$WORK/small.txt"
cp "$(make_video mkv)" "$WORK/film.mkv"
cp "$(make_video mp4last small)" "$WORK/last.mp4"
vs_mount
cp "$WORK"/* "$MNT/inbox/"
vs_umount
cp -a "$DATA" "$WORK.backup"

restore() {
    rm -rf "$DATA"
    cp -a "$WORK.backup" "$DATA"
}
check() {
    local f
    for f in "$WORK"/*; do
        cmp "$f" "$MNT/$(basename "$f")" || fail "$1: $(basename "$f")"
    done
}
damage() { # damage HOW STORE
    case $1 in
    removed) rm -rf "$DATA/nodes/$2" ;;
    emptied) find "$DATA/nodes/$2" -mindepth 1 -delete ;;
    flipped) "$ROOT/tests/e2e/damage.py" flip "$DATA/nodes/$2" 65536 $RANDOM ;;
    scratched) "$ROOT/tests/e2e/damage.py" flip "$DATA/nodes/$2" 4194304 $RANDOM ;;
    cut) "$ROOT/tests/e2e/damage.py" cut "$DATA/nodes/$2" ;;
    zeroed) "$ROOT/tests/e2e/damage.py" zero "$DATA/nodes/$2" ;;
    esac >>"$CASE_DIR/damage.log"
}

# Not mounted: every pair removed, some pairs damaged in each way.
for a in 1 2 3 4 5; do
    for b in $(seq $((a + 1)) 5); do
        mv "$DATA/nodes/n$a" "$DATA/nodes/n$b" "$CASE_DIR/"
        vs_mount
        check "n$a and n$b removed"
        equal "states" "$(vs_status '[.nodes[] | select(.state != "up") | .id] | sort | join(" ")')" "n$a n$b"
        refute test -e "$DATA/nodes/n$a"
        vs_umount
        mv "$CASE_DIR/n$a" "$CASE_DIR/n$b" "$DATA/nodes/"
    done
done
for how in emptied flipped scratched cut zeroed; do
    for pair in "1 2" "3 5" "1 4"; do
        for n in $pair; do damage $how "n$n"; done
        vs_mount
        check "$how, not mounted: $pair"
        if [ $how = emptied ]; then
            equal "files in an emptied store" "$(find "$DATA/nodes/n${pair% *}" -type f | wc -l)" 0
        fi
        vs_umount
        restore
    done
done

# Mounted, before anything has been read.
for how in removed emptied flipped scratched cut zeroed; do
    for pair in "1 2" "3 4" "2 5"; do
        vs_mount
        for n in $pair; do damage $how "n$n"; done
        check "$how, mounted: $pair"
        vs_umount
        restore
    done
done
# In the middle of reading.
vs_mount
exec {r}<"$MNT/film.mkv"
head -c $((2 * CHUNK)) <&$r >"$CASE_DIR/read"
damage flipped n2
damage removed n5
cat <&$r >>"$CASE_DIR/read"
exec {r}<&-
cmp "$CASE_DIR/read" "$WORK/film.mkv" || fail "a reader under way got other bytes"
