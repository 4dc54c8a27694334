/* mount: one mount from command line to clean stop. */
#ifndef VS_FS_MOUNT_H
#define VS_FS_MOUNT_H

/* argv without the program's name. The process's exit code: in the background the caller returns
 * when the mount serves, or with 1 and one sentence on stderr. */
int mount_main(int argc, char **argv);

#endif
