/* fuse_rig: a mount whose kernel is the test: the session of fs/fuse_ops.c on a socket, requests
 * and answers as <linux/fuse.h> has them.
 *
 * The mount is that of names_rig: metadata and stores in memory, a clock that can be turned. All
 * calls fail the test when no answer comes within FUSE_RIG_PATIENCE_MS. */
#ifndef VS_TESTS_FUSE_RIG_H
#define VS_TESTS_FUSE_RIG_H

#include "tests/support/names_rig.h"
#include <linux/fuse.h>

#define FUSE_RIG_BYTES       (160u << 10) /* one answer */
#define FUSE_RIG_PATIENCE_MS 20000
#define FUSE_RIG_NOTES_MAX   256 /* the newest are kept */
#define FUSE_RIG_EARLY_MAX   64

/* What the mount tells the kernel unasked: enum fuse_notify_code. */
struct fuse_rig_note {
    int code;
    uint64_t node; /* inode, or directory of `name` */
    int64_t offset;
    char name[NS_NAME_BYTES_MAX + 1];
};

struct fuse_rig_answer {
    uint64_t unique;
    int status; /* 0 or -errno */
    size_t len;
    uint8_t *body;
};

struct fuse_rig {
    struct names_rig names;
    struct vsfs *fs;
    int fd; /* the kernel's end; -1: hung up */
    pthread_t loop;
    int loop_result;
    uint64_t unique;
    uint32_t uid, gid; /* of whoever asks */
    struct fuse_init_out init;
    uint8_t body[FUSE_RIG_BYTES]; /* of the last answer */
    size_t len;
    struct fuse_rig_note notes[FUSE_RIG_NOTES_MAX];
    unsigned note_count; /* ever */
    struct fuse_rig_answer early[FUSE_RIG_EARLY_MAX];
    unsigned early_count;
};

/* Begin, with INIT flags as a new kernel offers them; and end, however it is left. */
int fuse_rig_setup(void **state);
int fuse_rig_teardown(void **state);
#define FUSE_TEST(f) cmocka_unit_test_setup_teardown(f, fuse_rig_setup, fuse_rig_teardown)
/* The same by hand; and the connection cut, as by an unmount: all that must end has ended then. */
void fuse_rig_begin(struct fuse_rig *k, uint32_t init_flags);
void fuse_rig_hang_up(struct fuse_rig *k);

/* ---- any request: argument and what follows it ---- */
uint64_t fuse_rig_send(struct fuse_rig *k, uint32_t opcode, uint64_t node, const void *arg,
                       size_t arg_len, const void *more, size_t more_len);
/* 0 or -errno; the answer is in k->body. */
int fuse_rig_wait(struct fuse_rig *k, uint64_t unique);
int fuse_rig_ask(struct fuse_rig *k, uint32_t opcode, uint64_t node, const void *arg,
                 size_t arg_len, const void *more, size_t more_len);

/* ---- the usual ones: 0 or -errno; ret on success ---- */
int fuse_rig_lookup(struct fuse_rig *k, uint64_t parent, const char *name,
                    struct fuse_entry_out *ret);
/* The node of a name that must be there. */
uint64_t fuse_rig_node(struct fuse_rig *k, uint64_t parent, const char *name);
int fuse_rig_getattr(struct fuse_rig *k, uint64_t node, struct fuse_attr_out *ret);
int fuse_rig_setattr(struct fuse_rig *k, uint64_t node, const struct fuse_setattr_in *in,
                     struct fuse_attr_out *ret);
int fuse_rig_create(struct fuse_rig *k, uint64_t parent, const char *name, uint32_t flags,
                    uint32_t mode, struct fuse_entry_out *ret, uint64_t *ret_fh);
int fuse_rig_open(struct fuse_rig *k, uint64_t node, uint32_t flags, struct fuse_open_out *ret);
/* Bytes written, or -errno. */
int fuse_rig_write(struct fuse_rig *k, uint64_t node, uint64_t fh, uint64_t offset,
                   const void *bytes, size_t len, uint32_t write_flags);
/* Bytes read into k->body, or -errno. */
int fuse_rig_read(struct fuse_rig *k, uint64_t node, uint64_t fh, uint64_t offset, size_t len);
int fuse_rig_flush(struct fuse_rig *k, uint64_t node, uint64_t fh);
int fuse_rig_release(struct fuse_rig *k, uint64_t node, uint64_t fh);
int fuse_rig_mkdir(struct fuse_rig *k, uint64_t parent, const char *name, uint32_t mode,
                   struct fuse_entry_out *ret);
void fuse_rig_forget(struct fuse_rig *k, uint64_t node, uint64_t count);
/* Create, write, flush, release: its node. */
uint64_t fuse_rig_put(struct fuse_rig *k, uint64_t parent, const char *name, const char *text);

/* Was there such a message? Those that are on their way are waited for. */
bool fuse_rig_was_told(struct fuse_rig *k, int code, uint64_t node, const char *name);

#endif
