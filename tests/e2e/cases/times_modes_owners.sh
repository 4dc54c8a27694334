#!/usr/bin/env bash
# Times, modes and owners are kept by cp -p, come from the caller otherwise, and survive a remount.
. "$(dirname "$0")/../lib.sh"
need_nobody

vs_mount
make_bytes "$WORK/f" 200000
touch -d '2001-02-03 04:05:06.123456789' "$WORK/f"
chmod 640 "$WORK/f"
chown 1234:2345 "$WORK/f"
cp -p "$WORK/f" "$MNT/inbox/kept.bin"
cp -p "$WORK/f" "$MNT/direct.bin"
settled() {
    [ "$(stat -c '%a %u %g %y %s' "$1")" = "$(stat -c '%a %u %g %y %s' "$WORK/f")" ]
}
await 5 settled "$MNT/kept.bin"
settled "$MNT/direct.bin" || fail "cp -p into the tree: $(stat -c '%a %u %g %y %s' "$MNT/direct.bin")"

# Any year, to the nanosecond.
call utime "$MNT/direct.bin" -315619199000000001 16725225600000000007
was=$(stat -c '%.9X %.9Y' "$MNT/direct.bin")
equal "times of 1959 and 2500" "$was" "-315619199.000000001 16725225600.000000007"
install -m 604 "$WORK/f" "$MNT/inbox/installed.bin"
await 5 test "$(stat -c %a "$MNT/installed.bin")" = 604

# Owner, group and umask of the caller.
mkdir -m 1777 "$MNT/public"
as_nobody sh -c "umask 027; touch $MNT/public/mine; mkdir $MNT/public/dir"
equal "owner and mode" "$(stat -c '%u %g %a' "$MNT/public/mine")" "$NOBODY $NOBODY 640"
equal "owner and mode" "$(stat -c '%u %g %a' "$MNT/public/dir")" "$NOBODY $NOBODY 750"
touch "$MNT/root-made"
equal "owner and mode" "$(stat -c '%u %g %a' "$MNT/root-made")" "0 0 644"
refute as_nobody touch "$MNT/not-allowed"
refute as_nobody sh -c "echo x >>$MNT/root-made"
refute as_nobody chmod 777 "$MNT/root-made"
refute as_nobody chown "$NOBODY" "$MNT/root-made"
refute as_nobody rm -f "$MNT/public/../root-made"
touch "$MNT/public/roots" # sticky: nobody may not remove another's file
refute as_nobody rm -f "$MNT/public/roots"
chmod 600 "$MNT/root-made"
refute as_nobody cat "$MNT/root-made"
mkdir -m 777 "$MNT/inbox/dropbox"
as_nobody cp "$(make_video mkv small)" "$MNT/inbox/dropbox/film.mkv"
await 5 exists "$MNT/dropbox/film.mkv"
equal "owner of an upload" "$(stat -c '%u %g' "$MNT/dropbox/film.mkv")" "$NOBODY $NOBODY"

# Group of a set-group-id folder; suid goes when somebody else's privilege writes.
mkdir "$MNT/shared"
chown 0:2345 "$MNT/shared"
chmod 2777 "$MNT/shared"
touch "$MNT/shared/file"
mkdir "$MNT/shared/folder"
equal "group of a file in it" "$(stat -c %g "$MNT/shared/file")" 2345
equal "group and mode of a folder in it" "$(stat -c '%g %a' "$MNT/shared/folder")" "2345 2755"
as_nobody sh -c "echo x >$MNT/public/tool; chmod 6755 $MNT/public/tool; echo y >>$MNT/public/tool"
equal "suid after a write" "$(stat -c %a "$MNT/public/tool")" 755

# What changes which time.
touch -d 2005-01-01 "$MNT/root-made"
before=$(stat -c %Z "$MNT/root-made")
later() { [ "$(stat -c %.9Z "$MNT/root-made")" != "$1" ]; }
was=$(stat -c %.9Z "$MNT/root-made")
chmod 644 "$MNT/root-made"
later "$was" || fail "chmod leaves ctime as it was"
equal "mtime after chmod" "$(stat -c %Y "$MNT/root-made")" "$(date -d 2005-01-01 +%s)"
echo more >>"$MNT/root-made"
at_least "mtime after a write" "$(stat -c %Y "$MNT/root-made")" "$before"
was=$(stat -c %.9Y "$MNT/public")
touch "$MNT/public/new"
[ "$(stat -c %.9Y "$MNT/public")" != "$was" ] || fail "a new name leaves the folder's mtime as it was"

print=$(fingerprint "$MNT")
vs_remount
equal "everything after a remount" "$(fingerprint "$MNT")" "$print"
equal "times of 1959 and 2500" "$(stat -c %.9Y "$MNT/direct.bin")" 16725225600.000000007
