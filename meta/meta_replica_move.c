/* Who the members of a replica's cluster are: as its acceptor has stored it, else as it was told
 * when it was made; and what it does when that changes. */
#include "common/err.h"
#include "meta/meta_replica_impl.h"
#include <string.h>

static void replica_moved(void *arg, const struct member_set *set)
{
    struct meta_replica *m = arg;

    pthread_mutex_lock(&m->lock);
    m->members = *set;
    pthread_mutex_unlock(&m->lock);
}

bool meta_replica_members(struct meta_replica *m, struct member_set *ret)
{
    pthread_mutex_lock(&m->lock);
    *ret = m->members;
    pthread_mutex_unlock(&m->lock);
    return m->move == NULL || meta_move_votes(m->move);
}

unsigned replica_members(struct meta_replica *m, uint16_t pid[JOURNAL_REPLICAS_MAX])
{
    unsigned n;

    pthread_mutex_lock(&m->lock);
    n = m->members.count;
    for (unsigned i = 0; i < n; i++)
        pid[i] = (uint16_t)m->members.member[i].pid;
    pthread_mutex_unlock(&m->lock);
    return n;
}

/* Those it was made with are of epoch 1, and durable before anything is answered: another command
 * line at a later start does not make other majorities. */
static int store_first_members(struct meta_replica *m, const struct meta_replica_config *c)
{
    struct acceptor_members first = { .stand = ACCEPTOR_VOTES,
                                      .set = { .epoch = 1, .count = c->member_count } };
    int r;

    for (unsigned i = 0; i < c->member_count; i++) {
        first.set.member[i].pid = c->member_count == 1 ? m->client.pid : c->members[i];
        first.begin |= 1u << i;
    }
    r = acceptor_members_put(m->dir.store, &first);
    if (r < 0)
        return r;
    acceptor_commit(m->dir.store);
    acceptor_batch_begin(m->dir.store);
    return 0;
}

int replica_open_members(struct meta_replica *m, const struct meta_replica_config *c)
{
    int r = acceptor_members(m->dir.store) == NULL ? store_first_members(m, c) : 0;

    if (r < 0)
        return r;
    m->begun = *acceptor_members(m->dir.store);
    if (m->begun.stand == ACCEPTOR_JOINING)
        return -EINPROGRESS;
    if (m->begun.set.count != c->member_count)
        return -EDOM;
    m->is_alone = m->begun.set.count == 1;
    replica_moved(m, &m->begun.set);
    return 0;
}

static void replica_late(void *arg)
{
    struct meta_replica *m = arg;

    if (m->late != NULL)
        m->late(m->late_arg);
}

int replica_open_move(struct meta_replica *m)
{
    struct meta_move_config config = { .store = m->dir.store,
                                       .writer = m->writer,
                                       .serve = m->serve,
                                       .coord = m->coord,
                                       .journal = m->journal,
                                       .ns = m->ns,
                                       .link = m->link,
                                       .clock = m->clock,
                                       .cluster = m->client.cluster,
                                       .pid = m->client.pid,
                                       .inc = m->client.inc,
                                       .now = m->begun,
                                       .moved = replica_moved,
                                       .late = replica_late,
                                       .arg = m };
    struct meta_move *move;
    int r;

    if (m->is_alone)
        return 0;
    r = meta_move_new(&move, &config);
    if (r < 0)
        return r;
    pthread_mutex_lock(&m->lock);
    m->move = move;
    pthread_mutex_unlock(&m->lock);
    return 0;
}

void replica_heard(struct journal_link *l, uint64_t epoch, uint32_t from)
{
    struct meta_replica *m = vs_container_of(l, struct meta_replica, journal_link);
    struct meta_move *move;

    pthread_mutex_lock(&m->lock);
    move = m->move;
    pthread_mutex_unlock(&m->lock);
    if (move != NULL) /* else it is heard again */
        meta_move_heard(move, epoch, from);
}
