/* fuse_rig: see the header.
 *
 * A socket of packets stands in for /dev/fuse: one read is one request, one writev one answer.
 * libfuse takes it by its "/dev/fd/N". */
#include "tests/support/fuse_rig.h"
#include "fs/fuse_ops.h"
#include "fs/notify.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define SOCKET_BYTES (4 << 20)

static void *run_loop(void *arg)
{
    struct fuse_rig *k = arg;

    k->loop_result = fuse_ops_loop(k->fs);
    return NULL;
}

void fuse_rig_begin(struct fuse_rig *k, uint32_t init_flags)
{
    struct fuse_init_in init = {
        .major = 7, .minor = 38, .max_readahead = 128u << 10, .flags = init_flags
    };
    char path[32];
    int pair[2], bytes = SOCKET_BYTES;

    names_rig_open(&k->names);
    k->fs = k->names.fs;
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    for (int i = 0; i < 2; i++) /* as root; else the default has to do */
        (void)setsockopt(pair[i], SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes));
    k->fd = pair[0];
    snprintf(path, sizeof(path), "/dev/fd/%d", pair[1]);
    k->fs->opt.mountpoint = path;
    assert_int_equal(fuse_ops_mount(k->fs, "fsname=test,subtype=vstackfs"), 0);
    k->fs->opt.mountpoint = "/mnt/videos";
    k->fs->opt.data_dir = "/data";
    assert_int_equal(pthread_create(&k->loop, NULL, run_loop, k), 0);
    assert_int_equal(fuse_rig_ask(k, FUSE_INIT, 0, &init, sizeof(init), NULL, 0), 0);
    assert_int_equal(k->len, sizeof(k->init));
    memcpy(&k->init, k->body, sizeof(k->init));
}

void fuse_rig_hang_up(struct fuse_rig *k)
{
    if (k->fd < 0)
        return;
    assert_int_equal(shutdown(k->fd, SHUT_WR), 0); /* closed with unread messages it is an error */
    assert_int_equal(pthread_join(k->loop, NULL), 0);
    assert_int_equal(close(k->fd), 0);
    k->fd = -1;
    assert_int_equal(k->loop_result, 0);
    fuse_ops_unmount(k->fs);
}

int fuse_rig_setup(void **state)
{
    struct fuse_rig *k = calloc(1, sizeof(*k));

    assert_non_null(k);
    fuse_rig_begin(k, ~(1u << 30)); /* but no more flags than these */
    *state = k;
    return 0;
}

int fuse_rig_teardown(void **state)
{
    struct fuse_rig *k = *state;

    fuse_rig_hang_up(k);
    names_rig_close(&k->names);
    for (unsigned n = 0; n < k->early_count; n++)
        free(k->early[n].body);
    free(k);
    return 0;
}

/* ---- requests and answers ---- */

uint64_t fuse_rig_send(struct fuse_rig *k, uint32_t opcode, uint64_t node, const void *arg,
                       size_t arg_len, const void *more, size_t more_len)
{
    struct fuse_in_header h = { .len = (uint32_t)(sizeof(h) + arg_len + more_len),
                                .opcode = opcode,
                                .unique = k->unique += 2,
                                .nodeid = node,
                                .uid = k->uid,
                                .gid = k->gid,
                                .pid = 1 };
    struct iovec iov[] = { { &h, sizeof(h) },
                           { (void *)arg, arg_len },
                           { (void *)more, more_len } };

    assert_int_equal(writev(k->fd, iov, 3), h.len);
    return h.unique;
}

static void take_note(struct fuse_rig *k, int code, const uint8_t *body, size_t len)
{
    struct fuse_rig_note *n = &k->notes[k->note_count++ % FUSE_RIG_NOTES_MAX];

    *n = (struct fuse_rig_note){ .code = code };
    if (code == FUSE_NOTIFY_INVAL_INODE) {
        struct fuse_notify_inval_inode_out o;

        assert_int_equal(len, sizeof(o));
        memcpy(&o, body, sizeof(o));
        n->node = o.ino;
        n->offset = o.off;
    } else if (code == FUSE_NOTIFY_INVAL_ENTRY) {
        struct fuse_notify_inval_entry_out o;

        assert_true(len > sizeof(o));
        memcpy(&o, body, sizeof(o));
        assert_true(o.namelen < sizeof(n->name) && sizeof(o) + o.namelen + 1 == len);
        memcpy(n->name, body + sizeof(o), o.namelen);
        n->node = o.parent;
    }
}

/* One packet of the mount: an answer that somebody else may be waiting for, or a message. */
static uint64_t receive(struct fuse_rig *k, int *ret_status)
{
    struct fuse_out_header h;
    struct iovec iov[] = { { &h, sizeof(h) }, { k->body, sizeof(k->body) } };
    struct pollfd p = { .fd = k->fd, .events = POLLIN };
    ssize_t n;

    if (poll(&p, 1, FUSE_RIG_PATIENCE_MS) != 1)
        fail_msg("no answer");
    n = readv(k->fd, iov, 2);
    assert_true(n >= (ssize_t)sizeof(h) && h.len == (size_t)n);
    k->len = (size_t)n - sizeof(h);
    *ret_status = h.error;
    if (h.unique == 0)
        take_note(k, h.error, k->body, k->len);
    return h.unique;
}

static bool take_early(struct fuse_rig *k, uint64_t unique, int *ret_status)
{
    for (unsigned n = 0; n < k->early_count; n++) {
        struct fuse_rig_answer *a = &k->early[n];

        if (a->unique != unique)
            continue;
        k->len = a->len;
        memcpy(k->body, a->body, a->len);
        *ret_status = a->status;
        free(a->body);
        *a = k->early[--k->early_count];
        return true;
    }
    return false;
}

static void keep_early(struct fuse_rig *k, uint64_t unique, int status)
{
    struct fuse_rig_answer *a = &k->early[k->early_count];

    assert_true(k->early_count < FUSE_RIG_EARLY_MAX);
    *a = (struct fuse_rig_answer){ unique, status, k->len, malloc(k->len + 1) };
    assert_non_null(a->body);
    memcpy(a->body, k->body, k->len);
    k->early_count++;
}

int fuse_rig_wait(struct fuse_rig *k, uint64_t unique)
{
    int status;

    if (take_early(k, unique, &status))
        return status;
    for (;;) {
        uint64_t whose = receive(k, &status);

        if (whose == unique)
            return status;
        if (whose != 0)
            keep_early(k, whose, status);
    }
}

int fuse_rig_ask(struct fuse_rig *k, uint32_t opcode, uint64_t node, const void *arg,
                 size_t arg_len, const void *more, size_t more_len)
{
    return fuse_rig_wait(k, fuse_rig_send(k, opcode, node, arg, arg_len, more, more_len));
}

/* The answer is this structure. */
static void body_is(struct fuse_rig *k, int status, void *ret, size_t len)
{
    if (status < 0 || ret == NULL)
        return;
    assert_int_equal(k->len, len);
    memcpy(ret, k->body, len);
}

/* ---- the usual ones ---- */

int fuse_rig_lookup(struct fuse_rig *k, uint64_t parent, const char *name,
                    struct fuse_entry_out *ret)
{
    int r = fuse_rig_ask(k, FUSE_LOOKUP, parent, name, strlen(name) + 1, NULL, 0);

    body_is(k, r, ret, sizeof(*ret));
    return r;
}

uint64_t fuse_rig_node(struct fuse_rig *k, uint64_t parent, const char *name)
{
    struct fuse_entry_out e;

    assert_int_equal(fuse_rig_lookup(k, parent, name, &e), 0);
    return e.nodeid;
}

int fuse_rig_getattr(struct fuse_rig *k, uint64_t node, struct fuse_attr_out *ret)
{
    struct fuse_getattr_in in = { .getattr_flags = 0 };
    int r = fuse_rig_ask(k, FUSE_GETATTR, node, &in, sizeof(in), NULL, 0);

    body_is(k, r, ret, sizeof(*ret));
    return r;
}

int fuse_rig_setattr(struct fuse_rig *k, uint64_t node, const struct fuse_setattr_in *in,
                     struct fuse_attr_out *ret)
{
    int r = fuse_rig_ask(k, FUSE_SETATTR, node, in, sizeof(*in), NULL, 0);

    body_is(k, r, ret, sizeof(*ret));
    return r;
}

int fuse_rig_create(struct fuse_rig *k, uint64_t parent, const char *name, uint32_t flags,
                    uint32_t mode, struct fuse_entry_out *ret, uint64_t *ret_fh)
{
    struct fuse_create_in in = { .flags = flags, .mode = mode | 0100000, .umask = 022 };
    struct fuse_open_out open;
    int r = fuse_rig_ask(k, FUSE_CREATE, parent, &in, sizeof(in), name, strlen(name) + 1);

    if (r < 0)
        return r;
    assert_int_equal(k->len, sizeof(*ret) + sizeof(open));
    memcpy(ret, k->body, sizeof(*ret));
    memcpy(&open, k->body + sizeof(*ret), sizeof(open));
    *ret_fh = open.fh;
    return r;
}

int fuse_rig_open(struct fuse_rig *k, uint64_t node, uint32_t flags, struct fuse_open_out *ret)
{
    struct fuse_open_in in = { .flags = flags };
    int r = fuse_rig_ask(k, FUSE_OPEN, node, &in, sizeof(in), NULL, 0);

    body_is(k, r, ret, sizeof(*ret));
    return r;
}

int fuse_rig_write(struct fuse_rig *k, uint64_t node, uint64_t fh, uint64_t offset,
                   const void *bytes, size_t len, uint32_t write_flags)
{
    struct fuse_write_in in = {
        .fh = fh, .offset = offset, .size = (uint32_t)len, .write_flags = write_flags
    };
    struct fuse_write_out out;
    int r = fuse_rig_ask(k, FUSE_WRITE, node, &in, sizeof(in), bytes, len);

    body_is(k, r, &out, sizeof(out));
    return r < 0 ? r : (int)out.size;
}

int fuse_rig_read(struct fuse_rig *k, uint64_t node, uint64_t fh, uint64_t offset, size_t len)
{
    struct fuse_read_in in = { .fh = fh, .offset = offset, .size = (uint32_t)len };
    int r = fuse_rig_ask(k, FUSE_READ, node, &in, sizeof(in), NULL, 0);

    return r < 0 ? r : (int)k->len;
}

int fuse_rig_flush(struct fuse_rig *k, uint64_t node, uint64_t fh)
{
    struct fuse_flush_in in = { .fh = fh };

    return fuse_rig_ask(k, FUSE_FLUSH, node, &in, sizeof(in), NULL, 0);
}

int fuse_rig_release(struct fuse_rig *k, uint64_t node, uint64_t fh)
{
    struct fuse_release_in in = { .fh = fh };

    return fuse_rig_ask(k, FUSE_RELEASE, node, &in, sizeof(in), NULL, 0);
}

int fuse_rig_mkdir(struct fuse_rig *k, uint64_t parent, const char *name, uint32_t mode,
                   struct fuse_entry_out *ret)
{
    struct fuse_mkdir_in in = { .mode = mode, .umask = 022 };
    int r = fuse_rig_ask(k, FUSE_MKDIR, parent, &in, sizeof(in), name, strlen(name) + 1);

    body_is(k, r, ret, sizeof(*ret));
    return r;
}

void fuse_rig_forget(struct fuse_rig *k, uint64_t node, uint64_t count)
{
    struct fuse_forget_in in = { .nlookup = count };

    fuse_rig_send(k, FUSE_FORGET, node, &in, sizeof(in), NULL, 0); /* never answered */
}

uint64_t fuse_rig_put(struct fuse_rig *k, uint64_t parent, const char *name, const char *text)
{
    struct fuse_entry_out e;
    uint64_t fh;

    assert_int_equal(fuse_rig_create(k, parent, name, O_WRONLY | O_CREAT | O_EXCL, 0644, &e, &fh),
                     0);
    assert_int_equal(fuse_rig_write(k, e.nodeid, fh, 0, text, strlen(text), 0), strlen(text));
    assert_int_equal(fuse_rig_flush(k, e.nodeid, fh), 0);
    assert_int_equal(fuse_rig_release(k, e.nodeid, fh), 0);
    return e.nodeid;
}

bool fuse_rig_was_told(struct fuse_rig *k, int code, uint64_t node, const char *name)
{
    static const char last[] = "the last message";

    /* Names go through one queue: behind this one, all that were sent before have come. */
    notify_entry(k->fs->notify, 1, last, sizeof(last) - 1);
    for (bool seen = false; !seen;) {
        int status;
        uint64_t unique = receive(k, &status);

        if (unique != 0)
            keep_early(k, unique, status);
        seen = unique == 0 &&
               strcmp(k->notes[(k->note_count - 1) % FUSE_RIG_NOTES_MAX].name, last) == 0;
    }
    for (unsigned n = 0; n < k->note_count && n < FUSE_RIG_NOTES_MAX; n++)
        if (k->notes[n].code == code && k->notes[n].node == node &&
            (name == NULL || strcmp(k->notes[n].name, name) == 0))
            return true;
    return false;
}
