/* chaos_pairs: one client that makes a file and looks it up, over and over: as long as pairs
 * succeed, the metadata is there. What it made must be there at the end, too (chaos_check.c). */
#include "common/err.h"
#include "tests/chaos/chaos.h"
#include "tests/lin/lin_check.h"

static void pair_record(struct chaos *c, const char *key, const char *op, int64_t call,
                        bool answered, uint64_t value)
{
    chaos_record(c, &(struct chaos_event){ .key = key,
                                           .op = op,
                                           .call = call,
                                           .ret = answered ? chaos_now() : 0,
                                           .value = value,
                                           .version = LIN_NO_VERSION });
}

static bool pair_run(struct chaos_client *k)
{
    char name[CHAOS_KEY_BYTES];
    struct ns_answer a;
    struct ns_entry e;
    uint64_t ino, found;
    int64_t call;
    bool answered;

    if (!chaos_need_ino(k, &ino))
        return false;
    snprintf(name, sizeof(name), "pair-%llu", (unsigned long long)k->next_name++);
    e = chaos_create_entry(k, name, ino);
    call = chaos_now();
    answered = chaos_answered(k, chaos_change(k, &e, &a), 0, 0);
    pair_record(k->c, name, "cas", call, answered, ino);
    if (!answered)
        return false;
    call = chaos_now();
    answered = chaos_answered(k, chaos_lookup(k, name, &found), -ENOENT, 0);
    if (answered)
        pair_record(k->c, name, "read", call, true, found);
    return answered && found == ino;
}

static void pair_succeeded(struct chaos *c)
{
    int64_t now = chaos_now(), gap = now - atomic_load(&c->pair_last_ns);

    if (atomic_load(&c->pairs) > 0 && gap > atomic_load(&c->gap_ns)) {
        atomic_store(&c->gap_ns, gap);
        atomic_store(&c->gap_end_ns, now);
    }
    if (gap > atomic_load(&c->fault_gap_ns))
        atomic_store(&c->fault_gap_ns, gap);
    atomic_store(&c->pair_last_ns, now);
    atomic_fetch_add(&c->pairs, 1);
}

void *chaos_pairs(void *client)
{
    struct chaos_client *k = client;

    while (!atomic_load(&k->c->is_over)) {
        if (pair_run(k))
            pair_succeeded(k->c);
    }
    return NULL;
}
