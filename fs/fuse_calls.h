/* fuse_calls: the callbacks, as struct fuse_lowlevel_ops names them; each is in the file that the
 * group says. The contract of each is that of <fuse_lowlevel.h>. */
#ifndef VS_FS_FUSE_CALLS_H
#define VS_FS_FUSE_CALLS_H

#include "fs/fuse_reply.h"

/* fuse_lookup.c */
void fuse_call_lookup(fuse_req_t req, fuse_ino_t parent, const char *name);
void fuse_call_forget(fuse_req_t req, fuse_ino_t ino, uint64_t nlookup);
void fuse_call_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets);
void fuse_call_readlink(fuse_req_t req, fuse_ino_t ino);

/* fuse_names.c */
void fuse_call_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t rdev);
void fuse_call_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode);
void fuse_call_symlink(fuse_req_t req, const char *link, fuse_ino_t parent, const char *name);
void fuse_call_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t newparent, const char *newname);
void fuse_call_unlink(fuse_req_t req, fuse_ino_t parent, const char *name);
void fuse_call_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name);
void fuse_call_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t newparent,
                      const char *newname, unsigned int flags);
void fuse_call_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
                      struct fuse_file_info *fi);

/* fuse_attr.c */
void fuse_call_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void fuse_call_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set,
                       struct fuse_file_info *fi);
void fuse_call_statfs(fuse_req_t req, fuse_ino_t ino);

/* fuse_dir.c */
void fuse_call_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void fuse_call_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
                       struct fuse_file_info *fi);
void fuse_call_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
                           struct fuse_file_info *fi);
void fuse_call_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void fuse_call_fsyncdir(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi);

/* The session is over: free the handles whose release never came. Nothing is committed: what a
 * close() has promised was done by its flush. */
void fuse_dir_drop_all(void);
void fuse_file_drop_all(struct vsfs *fs);

/* fuse_file.c */
/* The kernel has the handle from now on; has given it back: release it. */
void fuse_file_given(struct file *f);
void fuse_file_back(struct vsfs *fs, struct file *f);
/* c->file has just been opened as c->fi says: an O_TRUNC may have to clear suid and sgid. On error
 * it is closed again. (waits) */
int fuse_file_opened(struct fuse_call *c);
void fuse_call_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void fuse_call_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
                    struct fuse_file_info *fi);
void fuse_call_write(fuse_req_t req, fuse_ino_t ino, const char *buf, size_t size, off_t off,
                     struct fuse_file_info *fi);
void fuse_call_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void fuse_call_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void fuse_call_fsync(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi);
void fuse_call_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t offset, off_t length,
                         struct fuse_file_info *fi);
void fuse_call_lseek(fuse_req_t req, fuse_ino_t ino, off_t off, int whence,
                     struct fuse_file_info *fi);

/* fuse_xattr.c */
void fuse_call_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name, const char *value,
                        size_t size, int flags);
void fuse_call_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size);
void fuse_call_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size);
void fuse_call_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name);

static inline struct file *fuse_file(const struct fuse_file_info *fi)
{
    return (struct file *)(uintptr_t)fi->fh;
}

#endif
