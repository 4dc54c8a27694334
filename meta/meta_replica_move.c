/* Who the members of a replica's cluster are: as its acceptor has stored it, else as it was told
 * when it was made; and what it does when that changes. */
#include "common/err.h"
#include "meta/meta_replica_impl.h"
#include <string.h>

static void set_members(struct meta_replica *m, const struct member_set *set)
{
    pthread_mutex_lock(&m->lock);
    m->members = set->count;
    for (unsigned i = 0; i < set->count; i++)
        m->pid[i] = (uint16_t)set->member[i].pid;
    pthread_mutex_unlock(&m->lock);
}

unsigned replica_members(struct meta_replica *m, uint16_t pid[JOURNAL_REPLICAS_MAX])
{
    unsigned n;

    pthread_mutex_lock(&m->lock);
    n = m->members;
    memcpy(pid, m->pid, sizeof(m->pid));
    pthread_mutex_unlock(&m->lock);
    return n;
}

/* Those it was made with are of epoch 1. */
int replica_open_members(struct meta_replica *m, const struct meta_replica_config *c)
{
    const struct acceptor_members *stored = acceptor_members(m->dir.store);

    if (stored != NULL) {
        m->begun = *stored;
    } else {
        m->begun = (struct acceptor_members){ .stand = ACCEPTOR_VOTES,
                                              .set = { .epoch = 1, .count = c->member_count } };
        for (unsigned i = 0; i < c->member_count; i++) {
            m->begun.set.member[i].pid = c->member_count == 1 ? m->client.pid : c->members[i];
            m->begun.begin |= 1u << i;
        }
    }
    if (m->begun.stand == ACCEPTOR_JOINING)
        return -EINPROGRESS;
    m->is_alone = m->begun.set.count == 1;
    set_members(m, &m->begun.set);
    return 0;
}

static void replica_moved(void *arg, const struct member_set *set)
{
    set_members(arg, set);
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
