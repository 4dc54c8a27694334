/* read_report: a read that cannot be answered, said once in the log with the file's path.
 *
 * Threads: any; does not wait. */
#ifndef VS_FS_READ_REPORT_H
#define VS_FS_READ_REPORT_H

#include "fs/inode_table.h"

#define READ_REPORT_PATH_BYTES 4096
#define READ_REPORT_DEPTH_MAX  256
#define READ_REPORT_EVERY_NS   (5 * VS_NS_PER_S) /* one line per file in so long */
#define READ_REPORT_FILES_MAX  64                /* remembered to keep to that */

/* Path in the mount as far as the kernel has asked for its directories, without the mount point;
 * "inode N" when nothing is known. */
void read_report_path(struct vsfs *fs, struct inode *i, char path[READ_REPORT_PATH_BYTES]);

/* [offset, offset+bytes) of a file cannot be read: `status`. */
void read_report(struct vsfs *fs, struct inode *i, uint64_t offset, uint64_t bytes, int status);

#endif
