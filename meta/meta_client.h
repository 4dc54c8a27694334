/* meta_client: what a mount, a node and a command may ask the metadata, as a vtable: in process
 * (meta_local.c), later over HTTP.
 *
 * Asynchronous: a request is the caller's memory, stays in place until `done` has run; `done` runs
 * exactly once, on a thread of the client, never inside meta_submit(). Everything a request points
 * to is lent until then. Output buffers (vs_buf) belong to the caller, who closes them.
 *
 * A change answers only after it is durable and applied. Reads see at least every change that was
 * answered before the read was submitted.
 *
 * Errors: `status` is the errno that the man page of the matching system call names; -VS_EDOWN when
 * the metadata cannot be reached: never an empty answer instead. */
#ifndef VS_META_META_CLIENT_H
#define VS_META_META_CLIENT_H

#include "common/buf.h"
#include "common/exec.h"
#include "meta/health.h"
#include "meta/meta_scan.h"
#include "meta/ns_types.h"

#define META_REGISTER_BATCH_MAX  1024
#define META_LIST_MAX            1024
#define META_CHANGES_WAIT_MS_MAX 5000

struct meta_client;

enum meta_op {
    META_CHANGE,  /* entry -> answer (status = answer.status) */
    META_LOOKUP,  /* ino (parent), name -> attr */
    META_GETATTR, /* ino -> attr */
    META_READDIR, /* ino, cookie (after), dirents[], dirents_max, with_attr -> dirents_count */
    META_CONTENT, /* ino -> attr, bytes (inline content, symlink target or manifest head) */
    META_MEDIA,   /* ino -> attr, bytes (encoded mf_media of the current version); -ENODATA none yet
                   */
    META_GETXATTR,   /* ino, name -> bytes; -ENODATA */
    META_LISTXATTR,  /* ino -> bytes: names, each followed by NUL */
    META_REG_CREATE, /* regs[]: fresh ids of this incarnation, ACCEPT0, or of an earlier one or of
                        another owner, both phases; each value decided or error:
                        -VS_EEXISTS_OTHER another value (a TOMB) is there and stays.
                        status: the first register's that failed */
    META_REG_READ,   /* regs[] -> each value; -ENOENT absent. status is not about them */
    META_REG_CHANGE, /* regs[]: compare-and-set: expect_generation -> value; -ESTALE, current value
                        (empty: absent); 0 also when that very value is there already; nothing
                        follows a TOMB. status is not about them */
    META_NODES,      /* -> nodes[] (nodes_max), nodes_count; nodes_now[] unless it is NULL */
    META_STATS,      /* -> stats */
    META_SCAN,       /* program's own lists, see enum meta_scan */
    META_DUMP,       /* dump: 0, or what the piece before gave -> dump, dump_ended, bytes: the next
                        piece of the namespace of one slot (meta/dump.h, DUMP_SNAPSHOT) as the one
                        who answers has it; -ESTALE begin again; -EAGAIN too many at once */
    /* What changed behind slot `after`: records (meta/feed_change.h) in `bytes`, complete up to
     * `slot`; reset: too much has happened since `after`, forget all that was kept. hint: from any
     * replica, which may be behind, and waits wait_ms for something newer. */
    META_CHANGES,
    META_VIEWS,    /* ino -> attr, bytes: meta/views.h; empty: nobody has watched it */
    META_RESERVED, /* ino (a session), scan_after_id -> 0: it is open, and the id was reserved in
                      it; -ESTALE it is closed, or never was; -ENOENT the id is not from it */
    META_ENTRIES,  /* as CHANGES: the entries themselves (meta/tail_record.h), every slot; no wait
                      without hint */
};
#define META_OPS (META_ENTRIES + 1)

struct meta_reg {
    struct vs_id id;
    const void *value; /* CREATE, CHANGE: encoded value, lent */
    size_t value_len;
    uint32_t expect_generation; /* CHANGE: of the current value; 0 absent; a segment's is 1 */
    int status;                 /* out, each on its own */
    struct vs_buf current;      /* out: READ, and CHANGE refused: the value; the caller closes it */
};

struct meta_stats {
    uint64_t files, directories, symlinks;
    uint64_t logical_bytes; /* sizes of files without holes */
    uint64_t stored_bytes;  /* fragments of linked files, as written */
    uint64_t chunks;        /* LIVE chunk registers of linked files, as counted at commit */
    uint64_t applied_slot, first_slot;
    uint64_t synced_batches; /* of the acceptor, this process */
    uint64_t released_waiting;
    char brake[NS_BRAKE_BYTES_MAX + 1]; /* why nothing may be collected; "": it may */
};

/* From a feed, whose next record may be waited for? */
static inline bool meta_op_feed(enum meta_op op)
{
    return op == META_CHANGES || op == META_ENTRIES;
}

struct meta_req;
typedef void meta_done_fn(struct meta_req *r);
struct meta_req {
    enum meta_op op;
    meta_done_fn *done;
    int status; /* out */
    bool hint;  /* REG_READ, CONTENT, CHANGES, ENTRIES, NODES: what any one replica has will do: may
                   lack the  newest, but of a decided register it is the value or absent */
    bool here;  /* passed on to this replica, which answers it itself or says -EREMOTE */
    bool passed; /* out: who was asked passed it on to the replica that leads */

    const struct ns_entry *entry; /* CHANGE */
    struct ns_answer answer;      /* CHANGE: out */

    uint64_t ino;
    const char *name; /* lent, not NUL-terminated */
    size_t name_len;
    struct ns_attr attr; /* out */
    struct vs_buf bytes; /* out; the caller closes it */

    uint64_t cookie; /* READDIR: list entries behind it; 0: from the start */
    bool with_attr;
    struct ns_dirent *dirents; /* lent; filled */
    uint32_t dirents_max, dirents_count;

    struct meta_reg *regs; /* lent */
    uint32_t reg_count;    /* <= META_REGISTER_BATCH_MAX */

    struct ns_node *nodes;        /* lent; filled */
    struct health_now *nodes_now; /* lent, or NULL; of each of them, as this replica hears it */
    uint32_t nodes_max, nodes_count;

    struct meta_stats stats; /* out */

    enum meta_scan scan;
    uint64_t scan_after;        /* u64 lists: items behind it */
    struct vs_id scan_after_id; /* id lists: items behind it */
    uint64_t *scan_u64;         /* lent; room for scan_max */
    struct vs_id *scan_ids;     /* lent; room for scan_max */
    uint32_t scan_max, scan_count;

    uint64_t dump;    /* DUMP: in and out */
    bool dump_ended;  /* DUMP: out */
    uint64_t after;   /* CHANGES, ENTRIES: in */
    uint32_t wait_ms; /* the same: in, at most META_CHANGES_WAIT_MS_MAX */
    uint64_t slot;    /* the same: out */
    bool reset;       /* the same: out */

    struct vs_job job; /* private from here */
    struct vs_list link;
    void *client;
    void *waiter; /* meta_call */
};

struct meta_client_ops {
    void (*submit)(struct meta_client *c, struct meta_req *r);
    void (*stop)(struct meta_client *c);
    /* NULL, or for meta_call(): answers a read at once, without `done`; false: it must be
     * submitted. Saves two changes of thread. */
    bool (*answer)(struct meta_client *c, struct meta_req *r);
    /* NULL, or for meta_client_owner(). */
    void (*owner)(struct meta_client *c, uint16_t *ret_pid, uint32_t *ret_inc);
};

struct meta_client {
    const struct meta_client_ops *ops;
    uint16_t pid; /* proposer id and incarnation of who answered first: the owner of the ids of a
                     session that is opened with pid 0 */
    uint32_t inc;
    struct vs_id cluster;
    uint64_t own_first, own_count; /* its changes carry client ids from this range; 0: none */
};

void meta_submit(struct meta_client *c, struct meta_req *r);
/* Submit and wait: for starts, commands and tests; never on a client's own thread. r->done is
 * overwritten. Returns r->status. */
int meta_call(struct meta_client *c, struct meta_req *r);
/* Whose the ids of a new session had better be (SESSION_OPEN: pid, inc): of the replica that is
 * asked now and will propose them, so that round 0 is enough. Any other one costs messages only. */
void meta_client_owner(struct meta_client *c, uint16_t *ret_pid, uint32_t *ret_inc);
/* Finishes what is in flight; nothing may be submitted once this has begun. Forgives NULL. */
void meta_client_stop(struct meta_client *c);

#endif
