#!/usr/bin/env bash
# suid, sgid and capabilities go when somebody else changes a program, as on any other file system;
# the same steps on a plain folder say what is right.
. "$(dirname "$0")/../lib.sh"
need_root "it becomes somebody else"
command -v setpriv >/dev/null || skip "setpriv is not installed"

as_nobody() {
    setpriv --reuid $NOBODY --regid $NOBODY --clear-groups "$@"
}

# steps FOLDER: what is left of a mode by each way to change a file, one line each.
steps() {
    local f=$1/tool way
    for way in append overwrite truncate cut chown root mapped; do
        cp /bin/true "$f"
        chown 0:0 "$f"
        chmod 6777 "$f"
        case $way in
        append) as_nobody sh -c "echo x >>'$f'" ;;
        overwrite) as_nobody dd if=/dev/zero of="$f" bs=1 count=1 seek=7 conv=notrunc status=none ;;
        truncate) as_nobody truncate -s 3 "$f" ;;
        cut) as_nobody sh -c ": >'$f'" ;;
        chown) chown $NOBODY:$NOBODY "$f" ;;
        root) echo x >>"$f" ;;
        mapped) as_nobody python3 -c '
import mmap, sys
f = open(sys.argv[1], "r+b")
m = mmap.mmap(f.fileno(), 0)
m[5] = 7
f.write(b"x")' "$f" ;;
        esac
        echo "$way $(stat -c %a "$f")"
        rm "$f"
    done
}

vs_mount
chmod 755 "$CASE_DIR" "$WORK" 2>>"$CASE_DIR/said" || :
mkdir -m 777 "$WORK/plain" "$MNT/dir"
as_nobody test -w "$WORK/plain" || skip "somebody else cannot get to $WORK"
equal "modes" "$(steps "$MNT/dir")" "$(steps "$WORK/plain")"

# The capability of a program that somebody has changed is not what its owner gave.
if command -v setcap >/dev/null; then
    cp /bin/true "$MNT/dir/cap"
    chmod 777 "$MNT/dir/cap"
    setcap cap_net_raw+ep "$MNT/dir/cap"
    as_nobody sh -c "echo x >>'$MNT/dir/cap'"
    equal "capability" "$(getcap "$MNT/dir/cap")" ""
fi

# A program that is stored, and not looked at since.
cp /bin/true "$MNT/dir/stored"
chmod 6755 "$MNT/dir/stored"
vs_remount
chmod o+w "$MNT/dir/stored"
as_nobody sh -c "echo x >>'$MNT/dir/stored'"
equal "mode of the stored one" "$(stat -c %a "$MNT/dir/stored")" 757
vs_remount
equal "mode after a remount" "$(stat -c %a "$MNT/dir/stored")" 757
