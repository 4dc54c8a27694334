/* journal_member_ask: what callers ask of a running replica: changes become proposals, as many as
 * the journal has room for, the others wait; strict reads. */
#include "common/assert.h"
#include "common/err.h"
#include "meta/journal_member_impl.h"
#include "meta/ns_entry.h"

/* The entry as bytes; the owner of a session's ids is who proposes it. */
static int member_encode(struct journal_member *m, struct meta_req *r, struct journal_entry **ret)
{
    const struct ns_entry *entry = r->entry;
    struct ns_entry owned;
    int err;

    if (entry->kind == NS_E_SESSION_OPEN && entry->pid == 0) {
        owned = *entry;
        owned.pid = (uint16_t)m->head.pid;
        owned.inc = m->head.inc;
        entry = &owned;
    }
    m->encoded.len = 0;
    err = ns_entry_encode(entry, &m->encoded);
    if (err == 0) {
        *ret = member_entry_make(NULL, m->encoded.data, (uint32_t)m->encoded.len);
        err = *ret == NULL ? -ENOMEM : 0;
    }
    return err;
}

/* The next one that waits; NULL. Refused ones have their status. */
static struct meta_req *member_next_change(struct journal_member *m)
{
    struct meta_req *r = vs_list_first(&m->pending, struct meta_req, link);

    if (r == NULL)
        return NULL;
    vs_list_del(&r->link);
    if (r->status == 0) {
        pthread_mutex_lock(&m->lock);
        m->change_count--;
        pthread_mutex_unlock(&m->lock);
    }
    return r;
}

/* One step for as many as go together. */
void member_on_changes(struct journal_member *m)
{
    struct journal_proposal proposal[JOURNAL_ITEMS_MAX];
    struct meta_req *r;
    unsigned room;

    while (!vs_list_empty(&m->pending) && (room = journal_room(&m->journal)) > 0) {
        struct journal_event ev = { .kind = JOURNAL_EV_PROPOSE, .proposals = proposal };

        while (ev.count < JOURNAL_ITEMS_MAX && ev.count < room &&
               (r = member_next_change(m)) != NULL) {
            struct journal_proposal *p = &proposal[ev.count];

            if (r->status == 0)
                r->status = member_encode(m, r, &p->entry);
            if (r->status < 0) {
                r->done(r);
                continue;
            }
            p->token = (uint64_t)(uintptr_t)r;
            ev.count++;
        }
        member_step(m, &ev);
        for (unsigned n = 0; n < ev.count; n++)
            journal_entry_put(proposal[n].entry);
    }
}

void member_on_reads(struct journal_member *m, struct vs_list *reads)
{
    struct journal_member_read *r;

    while ((r = vs_list_first(reads, struct journal_member_read, link)) != NULL) {
        struct journal_event ev = { .kind = JOURNAL_EV_READ, .token = (uint64_t)(uintptr_t)r | 1 };

        vs_list_del(&r->link);
        member_step(m, &ev);
    }
}
