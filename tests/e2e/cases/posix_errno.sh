#!/usr/bin/env bash
# Each refusal has the errno its man page names.
. "$(dirname "$0")/../lib.sh"

vs_mount
cd "$MNT"
mkdir dir full
echo x >file
echo x >full/x
expect_errno ENOENT open nothing r
expect_errno ENOENT open nowhere/file w creat
expect_errno ENOENT mkdir nowhere/dir
expect_errno ENOENT unlink nothing
expect_errno ENOENT rmdir nothing
expect_errno ENOENT truncate nothing 0
expect_errno ENOENT chmod nothing 644
expect_errno ENOENT listdir nothing
expect_errno EEXIST open file w creat excl
expect_errno EEXIST open dir w creat excl
expect_errno EEXIST mkdir dir
expect_errno EEXIST mkdir file
expect_errno EEXIST mkdir inbox
expect_errno EISDIR open dir w
expect_errno EISDIR unlink dir
expect_errno EISDIR truncate dir 0
expect_errno ENOTDIR open file/x r
expect_errno ENOTDIR open file r dir
expect_errno ENOTDIR mkdir file/x
expect_errno ENOTDIR rmdir file
expect_errno ENOTDIR listdir file
expect_errno ENOTDIR unlink file/x
expect_errno ENOTEMPTY rmdir full
expect_errno EINVAL rmdir dir/.
expect_errno ENOTEMPTY rmdir dir/..
expect_errno EINVAL truncate file -1
expect_errno ENOENT stat ''
ln -s file link
expect_errno ELOOP open link r nofollow
expect_errno EXDEV link /proc/self/cmdline here
expect_errno EXDEV rename "$WORK" here
call open new w creat excl
call open new rw trunc
call open dir r dir
call rmdir dir
# Our own doors stay where they are.
expect_errno EBUSY rmdir "$MNT"
for what in "rmdir inbox" "rename inbox elsewhere"; do
    # shellcheck disable=SC2086  # call and arguments
    got=$("$SYS" $what | sed -n '$p')
    case $got in EBUSY | EPERM | EACCES) ;; *) fail "$what: $got" ;; esac
done
exists inbox
cd /
equal "listing of the root" "$(find "$MNT" -maxdepth 1 -mindepth 1 -printf '%f\n' | sort | tr '\n' ' ')" \
    "file full inbox link new "
exists "$MNT/.vstack" # found, never listed
