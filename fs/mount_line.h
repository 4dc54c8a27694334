/* mount_line: one line of /proc/self/mountinfo (proc(5)): where something of a given type is
 * mounted.
 *
 * Pure. Threads: any. */
#ifndef VS_FS_MOUNT_LINE_H
#define VS_FS_MOUNT_LINE_H

/* The mount point, if the line's file system is of this type, else NULL. Inside `line`, which is
 * changed: fields are cut apart, and escapes (\040) put back into bytes. */
char *mount_line_path(char *line, const char *fstype);

#endif
