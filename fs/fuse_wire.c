/* fuse_wire: requests and replies on their way between the kernel and libfuse. See the header.
 *
 * The thread that reads a request runs its callback: what was seen is kept per thread. */
#include "fs/fuse_wire.h"
#include "fs/fuse_reply.h"
#include <errno.h>
#include <linux/fuse.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

/* Only header and answer: what carries data is not ours. */
#define WIRE_INIT_REPLY_PARTS 2

/* What the library's answer to an INIT lacks: it does not know the first, and does not say the
 * second though it was told to. */
#define WIRE_FLAGS (FUSE_HANDLE_KILLPRIV_V2 | FUSE_PARALLEL_DIROPS)

/* An older <linux/fuse.h> does not have it. */
#define WIRE_NOTIFY_INC_EPOCH 8

static _Thread_local bool wire_kills;
static _Atomic uint64_t wire_init;  /* the INIT whose answer has to be completed; 0: none */
static _Atomic uint32_t wire_flags; /* those of them that it offers; written before wire_init */

bool fuse_wire_kills_privs(void)
{
    return wire_kills;
}

/* Copy the fixed part of a request's argument; what an older kernel does not send is zero. */
static void wire_arg(const uint8_t *request, size_t len, void *ret, size_t bytes)
{
    size_t there = len - sizeof(struct fuse_in_header);

    memset(ret, 0, bytes);
    memcpy(ret, request + sizeof(struct fuse_in_header), there < bytes ? there : bytes);
}

static bool wire_request_kills(uint32_t opcode, const uint8_t *request, size_t len)
{
    union {
        struct fuse_write_in write;
        struct fuse_setattr_in setattr;
        struct fuse_open_in open;
        struct fuse_create_in create;
    } in;

    switch (opcode) {
    case FUSE_WRITE:
        wire_arg(request, len, &in.write, sizeof(in.write));
        return (in.write.write_flags & FUSE_WRITE_KILL_SUIDGID) != 0;
    case FUSE_SETATTR:
        wire_arg(request, len, &in.setattr, sizeof(in.setattr));
        return (in.setattr.valid & FATTR_KILL_SUIDGID) != 0;
    case FUSE_OPEN:
        wire_arg(request, len, &in.open, sizeof(in.open));
        return (in.open.open_flags & FUSE_OPEN_KILL_SUIDGID) != 0;
    case FUSE_CREATE:
        wire_arg(request, len, &in.create, sizeof(in.create));
        return (in.create.open_flags & FUSE_OPEN_KILL_SUIDGID) != 0;
    default:
        return false;
    }
}

static void wire_look(const uint8_t *request, size_t len)
{
    struct fuse_in_header h;
    struct fuse_init_in init;

    memcpy(&h, request, sizeof(h));
    wire_kills = wire_request_kills(h.opcode, request, len);
    if (h.opcode != FUSE_INIT)
        return;
    wire_arg(request, len, &init, sizeof(init));
    atomic_store(&wire_flags, init.flags & WIRE_FLAGS);
    atomic_store(&wire_init, h.unique);
}

static ssize_t wire_read(int fd, void *buf, size_t len, void *userdata)
{
    ssize_t n = read(fd, buf, len);

    (void)userdata;
    if (n == 0) { /* never from the kernel: what stands in for it has hung up */
        errno = ENODEV;
        return -1;
    }
    if (n >= (ssize_t)sizeof(struct fuse_in_header))
        wire_look(buf, (size_t)n);
    return n;
}

/* Is this the answer to the INIT that we have seen? */
static bool wire_is_init(const struct iovec *iov, int count)
{
    uint64_t init = atomic_load(&wire_init);
    struct fuse_out_header h;

    if (init == 0 || count != WIRE_INIT_REPLY_PARTS || iov[0].iov_len != sizeof(h))
        return false;
    memcpy(&h, iov[0].iov_base, sizeof(h));
    return h.unique == init && h.error == 0 &&
           iov[1].iov_len >= offsetof(struct fuse_init_out, max_background);
}

static ssize_t wire_writev(int fd, struct iovec *iov, int count, void *userdata)
{
    struct iovec parts[WIRE_INIT_REPLY_PARTS];
    struct fuse_init_out out = { 0 };

    (void)userdata;
    if (!wire_is_init(iov, count))
        return writev(fd, iov, count);
    atomic_store(&wire_init, 0);
    memcpy(parts, iov, sizeof(parts));
    if (parts[1].iov_len <= sizeof(out)) {
        memcpy(&out, parts[1].iov_base, parts[1].iov_len);
        out.flags |= atomic_load(&wire_flags);
        parts[1].iov_base = &out;
    }
    return writev(fd, parts, count);
}

int fuse_wire_attach(struct fuse_session *se)
{
    static const struct fuse_custom_io io = { .read = wire_read, .writev = wire_writev };
    int r = fuse_session_custom_io(se, &io, fuse_session_fd(se));

    return r < 0 ? -ENOMEM : 0;
}

int fuse_wire_forget_names(struct fuse_session *se)
{
    struct fuse_out_header h = { .len = sizeof(h), .error = WIRE_NOTIFY_INC_EPOCH };

    return write(fuse_session_fd(se), &h, sizeof(h)) == (ssize_t)sizeof(h) ? 0 : -errno;
}
