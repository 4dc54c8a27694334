/* fuse_wire: what libfuse 3.14 does not know of the kernel's protocol (<linux/fuse.h>).
 *
 * FUSE_HANDLE_KILLPRIV_V2: without it the kernel asks for security.capability before every write,
 * a second round trip for each of them. With it the kernel says, per request, whether suid and sgid
 * are to be cleared, and leaves that to us. FUSE_PARALLEL_DIROPS: without it lookups in one
 * directory wait for each other. The library does not say either of them, nor pass those flags of
 * requests on: requests and replies are looked at on their way.
 *
 * Happy path: the kernel's INIT offers them, the answer to it is completed, and from then on
 * fuse_wire_kills_privs() is true in callbacks of requests with that flag. Failure: a kernel that
 * does not offer it goes on as before.
 *
 * One session per process. Threads: any; the flag is that of the calling thread's request. */
#ifndef VS_FS_FUSE_WIRE_H
#define VS_FS_FUSE_WIRE_H

#include <stdbool.h>

struct fuse_session;

/* Between fuse_session_mount() and the loop. -ENOMEM. */
int fuse_wire_attach(struct fuse_session *se);

/* Tell the kernel to look every name up again before it is used (FUSE_NOTIFY_INC_EPOCH, from Linux
 * 6.16). -EINVAL: it does not know that. */
int fuse_wire_forget_names(struct fuse_session *se);

/* Inside a callback, on the thread that was called: does whoever sent this request lack the right
 * to keep suid and sgid over a write, truncate or chown? */
bool fuse_wire_kills_privs(void);

#endif
