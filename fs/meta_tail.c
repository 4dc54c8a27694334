/* meta_tail: see the header. */
#include "fs/meta_tail.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/log.h"
#include "common/thread.h"
#include "fs/tail_owner.h"
#include "fs/waiter.h"
#include "meta/tail_record.h"
#include <stdlib.h>
#include <string.h>

#define TAIL_NAME "metadata tail"
#define WAIT_MS   2000
#define OWNER_NS  (2 * VS_NS_PER_S)

#define FAILURES_MAX 4

struct meta_tail {
    struct vsfs *fs;
    uint64_t owner; /* our number in sessions */
    void (*wake)(void *arg);
    void *arg;
    pthread_t thread;
    pthread_mutex_t writing; /* held while a record is written, and a session turned */
    pthread_mutex_t lock;
    pthread_cond_t woken;
    bool stop; /* under lock, and all below */
    bool is_ours, is_based, is_missed;
    int64_t since_ns;       /* of is_based */
    uint64_t durable, seen; /* slots: on the stores; read from the journal */
    struct vs_buf pending;  /* entries behind `durable`, up to `seen`; of a session */
    int64_t loud_ns;        /* when one was seen that would be missed; 0: none waits */
    uint64_t stored;
    unsigned failures; /* records in a row that could not be written */
    /* under writing */
    struct upload_session *session; /* NULL: none is kept */
    uint64_t number;                /* its; 0: has no record yet */
    uint64_t continues;
    int64_t owner_ns; /* when was looked last; the thread's */
};

/* ---- one record ---- */

struct tail_put {
    struct upload_flush flush;
    struct upload_room room;
    struct waiter waiter;
};

static void put_flushed(struct upload_flush *f)
{
    waiter_wake(&vs_container_of(f, struct tail_put, flush)->waiter);
}

static void put_room(struct upload_room *room)
{
    waiter_wake(&vs_container_of(room, struct tail_put, room)->waiter);
}

static int put_bytes(struct meta_tail *t, const struct vs_buf *bytes, uint64_t *ret_stored)
{
    struct upload_config config = {
        .session = t->session, .ino = NS_INO_TAIL, .name = TAIL_NAME, .name_len = strlen(TAIL_NAME)
    };
    struct tail_put p = { .flush.done = put_flushed, .room.done = put_room, .waiter = WAITER_INIT };
    struct upload *u = NULL;
    int r = upload_new(&u, t->fs->uploads, &config);

    if (r == 0)
        r = upload_append(u, bytes->data, bytes->len, &p.room);
    if (r == 1) {
        waiter_wait(&p.waiter);
        r = p.room.status;
    }
    if (r == 0) {
        upload_flush(u, &p.flush);
        waiter_wait(&p.waiter);
        r = p.flush.status;
        *ret_stored = p.flush.stored_bytes + (uint64_t)META_TAIL_FRAG_BYTES * VS_EC_N_MAX;
    }
    upload_free(u);
    return r;
}

/* Whole entries from the front of `pending`, as many as a record holds: their bytes. Under lock. */
static size_t front_len(const struct meta_tail *t, uint64_t *ret_upto)
{
    struct vs_rd rd = vs_rd_init(t->pending.data, t->pending.len);
    struct tail_entry e;
    size_t len = 0;

    *ret_upto = t->durable;
    while (tail_entry_next(&rd, &e) > 0) {
        size_t end = t->pending.len - vs_rd_left(&rd);

        if (end > TAIL_RECORD_BYTES_MAX - TAIL_HEAD_BYTES)
            break;
        len = end;
        *ret_upto = e.slot;
    }
    return len;
}

/* Is one of them loud? */
static bool is_loud(const void *entries, size_t len)
{
    struct vs_rd rd = vs_rd_init(entries, len);
    struct tail_entry e;

    while (tail_entry_next(&rd, &e) > 0)
        if (!tail_is_quiet(&e))
            return true;
    return false;
}

/* The front of what waits is on the stores. Under lock. */
static void front_drop(struct meta_tail *t, size_t len, uint64_t upto, uint64_t stored)
{
    if (t->pending.len > len) /* else there may be no memory at all */
        memmove(t->pending.data, t->pending.data + len, t->pending.len - len);
    t->pending.len -= len;
    t->durable = upto;
    t->stored += stored;
    if (!is_loud(t->pending.data, t->pending.len))
        t->loud_ns = 0;
}

/* One record of what waits; also an empty one. Under writing. */
static int record_put(struct meta_tail *t)
{
    struct tail_record rec = { .cluster = t->fs->cluster, .continues = t->continues };
    struct vs_buf bytes = { 0 };
    uint64_t stored = 0;
    int r;

    pthread_mutex_lock(&t->lock);
    rec.after = t->durable;
    rec.entries_len = front_len(t, &rec.upto);
    rec.entries = t->pending.data;
    r = tail_record_encode(&rec, &bytes);
    pthread_mutex_unlock(&t->lock);
    if (r == 0)
        r = put_bytes(t, &bytes, &stored);
    vs_buf_close(&bytes);
    if (r < 0)
        return r;
    t->number = upload_session_number(t->session);
    VS_LOCK_SCOPE(&t->lock);
    front_drop(t, rec.entries_len, rec.upto, stored);
    return 0;
}

/* ---- sessions ---- */

/* Left as it is: who makes the next copy ends it. Under writing. */
static void session_leave(struct meta_tail *t)
{
    if (t->session != NULL)
        upload_session_committed(t->session);
    upload_session_free(t->session);
    t->session = NULL;
    t->number = 0;
}

/* From here on the tail says nothing of what came before. Under lock. */
static void broken(struct meta_tail *t)
{
    t->is_missed = t->is_missed || t->loud_ns != 0;
    t->pending.len = 0;
    t->durable = t->seen;
    t->loud_ns = 0;
    if (t->is_based)
        t->since_ns = vs_now_ns(&vs_clock_system);
    t->is_based = false;
}

static void session_break(struct meta_tail *t)
{
    VS_LOCK_SCOPE(&t->writing);

    session_leave(t);
    t->continues = 0;
    VS_LOCK_SCOPE(&t->lock);
    broken(t);
}

int meta_tail_turn(struct meta_tail *t, uint64_t *ret_slot)
{
    struct upload_session *next;
    int r = upload_session_new(&next, t->fs->uploads);

    if (r < 0)
        return r;
    upload_session_set_mount(next, t->owner);
    VS_LOCK_SCOPE(&t->writing);
    t->continues = t->number;
    session_leave(t);
    t->session = next;
    r = record_put(t);
    if (r < 0) {
        session_leave(t);
        t->continues = 0;
    }
    VS_LOCK_SCOPE(&t->lock);
    if (r < 0)
        broken(t);
    *ret_slot = t->durable;
    return r;
}

static void based(struct meta_tail *t)
{
    VS_LOCK_SCOPE(&t->writing);

    if (t->number == 0)
        return; /* it broke meanwhile */
    tail_owner_end_others(t->fs, t->number);
    VS_LOCK_SCOPE(&t->lock);
    if (!t->is_based)
        t->since_ns = vs_now_ns(&vs_clock_system);
    t->is_based = true;
    t->is_missed = false;
    t->stored = 0;
}

static void owner_look(struct meta_tail *t)
{
    int64_t now_ns = vs_now_ns(&vs_clock_system);
    bool was;
    int r;

    if (t->owner_ns != 0 && now_ns - t->owner_ns < OWNER_NS)
        return;
    pthread_mutex_lock(&t->writing);
    r = tail_owner_judge(t->fs, t->owner, t->number);
    pthread_mutex_unlock(&t->writing);
    if (r < 0)
        return;
    t->owner_ns = now_ns;
    pthread_mutex_lock(&t->lock);
    was = t->is_ours;
    t->is_ours = r == 1;
    pthread_mutex_unlock(&t->lock);
    if (was && r == 0)
        session_break(t);
}

/* Mounts that do not keep it hear how far it is. */
static void slot_tell(struct meta_tail *t)
{
    uint64_t slot, number;
    bool is_based;

    if (t->fs->mount == 0)
        return;
    pthread_mutex_lock(&t->writing);
    pthread_mutex_lock(&t->lock);
    slot = t->durable;
    number = t->number;
    is_based = t->is_based;
    pthread_mutex_unlock(&t->lock);
    pthread_mutex_unlock(&t->writing);
    if (is_based)
        tail_owner_tell(t->fs, number, slot);
}

void meta_tail_based(struct meta_tail *t)
{
    based(t);
    slot_tell(t);
}

void meta_tail_drop(struct vsfs *fs)
{
    tail_owner_end_others(fs, 0);
}

/* ---- the journal ---- */

/* What came behind `seen`. 1: there may be more; 0: that was all for now. */
static int follow(struct meta_tail *t, uint32_t wait_ms)
{
    struct meta_req r = { .op = META_ENTRIES, .hint = true, .wait_ms = wait_ms };
    int64_t now_ns;
    bool loud;
    int err;

    pthread_mutex_lock(&t->lock);
    r.after = t->seen;
    pthread_mutex_unlock(&t->lock);
    err = meta_call(t->fs->meta, &r);
    if (err == 0 && !r.reset && r.slot < r.after) /* of a replica that is behind */
        r.slot = r.after;
    now_ns = vs_now_ns(&vs_clock_system);
    loud = err == 0 && (r.reset || is_loud(r.bytes.data, r.bytes.len));
    pthread_mutex_lock(&t->lock);
    if (err == 0 && !r.reset)
        err = vs_buf_append(&t->pending, r.bytes.data, r.bytes.len,
                            META_TAIL_PENDING_BYTES + TAIL_ENTRY_BYTES_MAX);
    if (err == 0) {
        t->seen = r.slot;
        t->is_missed = t->is_missed || (loud && !t->is_based);
        if (loud && t->loud_ns == 0)
            t->loud_ns = now_ns;
    }
    pthread_mutex_unlock(&t->lock);
    vs_buf_close(&r.bytes);
    if (err == 0 && r.reset)
        session_break(t);
    return err < 0 ? err : !r.reset && r.slot > r.after;
}

/* Until `until_ns`, or the end. */
static void rest(struct meta_tail *t, int64_t until_ns)
{
    VS_LOCK_SCOPE(&t->lock);

    while (!t->stop && vs_cond_wait_until(&t->woken, &t->lock, until_ns))
        ;
}

/* What waits goes to the stores, if it is worth it. */
static int write_due(struct meta_tail *t, bool all)
{
    bool due, more = true;
    int r = 0;

    VS_LOCK_SCOPE(&t->writing);
    for (int n = 0; r == 0 && more; n++) {
        pthread_mutex_lock(&t->lock);
        due = t->loud_ns != 0 || t->pending.len > META_TAIL_QUIET_BYTES;
        if (t->session == NULL) { /* nothing is kept: it is only read */
            t->durable = t->seen;
            t->pending.len = 0;
            t->loud_ns = 0;
            due = false;
        }
        pthread_mutex_unlock(&t->lock);
        r = due ? record_put(t) : 0;
        more = due && all;
    }
    return r;
}

static void write_failed(struct meta_tail *t, int r)
{
    bool said, is_over;

    pthread_mutex_lock(&t->lock);
    said = t->failures > 0;
    t->failures = r < 0 ? t->failures + 1 : 0;
    is_over = r == -ECANCELED || r == -EIO || t->failures == FAILURES_MAX;
    pthread_mutex_unlock(&t->lock);
    if (r < 0 && !said)
        vs_warn("tail of the metadata on the stores: %s -> tried again", vs_err_text(r));
    if (is_over) /* another mount's copy ended its session, or that has no more ids to give */
        session_break(t);
    if (r < 0)
        rest(t, vs_now_ns(&vs_clock_system) + META_TAIL_RETRY_MS * VS_NS_PER_MS);
}

static void tail_step(struct meta_tail *t)
{
    int64_t loud_ns;
    bool is_full;
    int r;

    owner_look(t);
    pthread_mutex_lock(&t->lock);
    is_full = t->pending.len > META_TAIL_PENDING_BYTES;
    pthread_mutex_unlock(&t->lock);
    r = is_full ? 0 : follow(t, WAIT_MS);
    pthread_mutex_lock(&t->lock);
    loud_ns = t->loud_ns;
    pthread_mutex_unlock(&t->lock);
    if (loud_ns != 0 && r >= 0) {
        rest(t, loud_ns + META_TAIL_GATHER_MS * VS_NS_PER_MS);
        for (r = 1; r == 1 && !is_full;) {
            r = follow(t, 0);
            pthread_mutex_lock(&t->lock);
            is_full = t->pending.len > META_TAIL_PENDING_BYTES;
            pthread_mutex_unlock(&t->lock);
        }
    }
    if (r < 0) {
        rest(t, vs_now_ns(&vs_clock_system) + META_TAIL_RETRY_MS * VS_NS_PER_MS);
        return;
    }
    r = write_due(t, false);
    write_failed(t, r);
    if (r == 0 && loud_ns != 0)
        slot_tell(t);
    t->wake(t->arg);
}

static void *tail_main(void *arg)
{
    struct meta_tail *t = arg;
    bool stop;

    do {
        tail_step(t);
        pthread_mutex_lock(&t->lock);
        stop = t->stop;
        pthread_mutex_unlock(&t->lock);
    } while (!stop);
    return NULL;
}

/* ---- how far ---- */

void meta_tail_look(struct meta_tail *t, struct meta_tail_state *ret)
{
    VS_LOCK_SCOPE(&t->lock);

    *ret =
        (struct meta_tail_state){ t->is_ours, t->is_based, t->is_missed, t->since_ns, t->stored };
}

/* When the first entry behind `slot` was made that would be missed, since 1970; 0: there is none;
 * -ESTALE: not known any more. */
static int64_t first_loud_ns(struct vsfs *fs, uint64_t slot)
{
    struct meta_req r = { .op = META_ENTRIES, .after = slot };
    int64_t found_ns = 0;
    int err;

    do {
        struct tail_entry t;
        struct vs_rd rd;

        r.after = slot;
        err = meta_call(fs->meta, &r);
        if (err == 0 && r.reset)
            err = -ESTALE;
        rd = vs_rd_init(r.bytes.data, err == 0 ? r.bytes.len : 0);
        while (found_ns == 0 && tail_entry_next(&rd, &t) > 0)
            if (!tail_is_quiet(&t)) {
                found_ns = tail_entry_ns(&t);
                found_ns = found_ns > 0 ? found_ns : 1;
            }
        slot = r.slot;
    } while (err == 0 && found_ns == 0 && slot > r.after);
    vs_buf_close(&r.bytes);
    return err < 0 ? err : found_ns;
}

int64_t meta_tail_lag_ms(struct meta_tail *t)
{
    int64_t now_ns = vs_now_ns(&vs_clock_system), loud_ns, since_ns;
    bool is_ours, is_based;
    uint64_t slot;

    pthread_mutex_lock(&t->lock);
    is_ours = t->is_ours;
    is_based = t->is_based;
    since_ns = t->since_ns;
    slot = t->durable;
    pthread_mutex_unlock(&t->lock);
    if (!is_ours)
        is_based = tail_owner_hear(t->fs, &slot) == 0;
    loud_ns = is_based ? first_loud_ns(t->fs, slot) : -ESTALE;
    if (loud_ns == 0)
        return 0;
    if (loud_ns > 0) {
        now_ns = vs_real_ns(t->fs->clock);
        since_ns = loud_ns;
    }
    return now_ns - since_ns > VS_NS_PER_MS ? (now_ns - since_ns) / VS_NS_PER_MS : 1;
}

/* ---- life ---- */

int meta_tail_start(struct meta_tail **ret, struct vsfs *fs, void (*wake)(void *arg), void *arg)
{
    struct meta_req stats = { .op = META_STATS };
    struct meta_tail *t;
    int r = meta_call(fs->meta, &stats);

    if (r < 0)
        return r;
    t = calloc(1, sizeof(*t));
    if (t == NULL)
        return -ENOMEM;
    t->fs = fs;
    t->owner = fs->mount | NS_MOUNT_TAIL;
    t->wake = wake;
    t->arg = arg;
    t->seen = t->durable = stats.stats.applied_slot;
    t->since_ns = vs_now_ns(&vs_clock_system);
    pthread_mutex_init(&t->writing, NULL);
    pthread_mutex_init(&t->lock, NULL);
    vs_cond_init(&t->woken);
    r = vs_thread_start(&t->thread, tail_main, t);
    if (r < 0) {
        free(t);
        return r;
    }
    *ret = t;
    return 0;
}

void meta_tail_stop(struct meta_tail *t)
{
    struct ns_entry e = { .kind = NS_E_SESSION_TOUCH };

    if (t == NULL)
        return;
    e.mount = t->owner;
    pthread_mutex_lock(&t->lock);
    t->stop = true;
    pthread_cond_broadcast(&t->woken);
    pthread_mutex_unlock(&t->lock);
    vsfs_change(t->fs, &e, NULL); /* an entry: the thread hears of it, and need not wait on */
    pthread_join(t->thread, NULL);
    while (follow(t, 0) == 1)
        ;
    write_due(t, true);
    slot_tell(t);
    session_leave(t);
    vs_buf_close(&t->pending);
    pthread_cond_destroy(&t->woken);
    pthread_mutex_destroy(&t->lock);
    pthread_mutex_destroy(&t->writing);
    free(t);
}
