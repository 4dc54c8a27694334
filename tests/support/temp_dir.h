/* A private directory for a test, below $TMPDIR or /var/tmp (a disk: tmpfs has no O_DIRECT on older
 * kernels). */
#ifndef VS_TESTS_TEMP_DIR_H
#define VS_TESTS_TEMP_DIR_H

#define TEMP_DIR_BYTES 128

/* Make one; its absolute path. Aborts when it cannot. */
void temp_dir_make(char path[TEMP_DIR_BYTES]);
/* Remove it with everything in it. */
void temp_dir_remove(const char *path);

#endif
