/* chaos_names: operations on names, as compare-and-set of what a name leads to.
 *
 * A few names are fought for by all clients; after some operations each is given up for the next,
 * so that tests/lin can search all orders of one name. A name's value is the inode it leads to:
 *   create  compare-and-set of absent          unlink, rename away  compare-and-set to absent
 *   rename of a private file over it           write
 *   lookup  read
 * Every inode comes to a name at most once. Failure modes: without an answer, it is written down as
 * one that may have happened, or may yet. */
#include "common/err.h"
#include "tests/chaos/chaos.h"
#include "tests/lin/lin_check.h"

#include <string.h>

struct name_step {
    struct chaos_client *k;
    char key[CHAOS_KEY_BYTES];
    int64_t call;
};

static void name_record(const struct name_step *s, const char *key, const char *op, bool answered,
                        bool refused, uint64_t expect, uint64_t value)
{
    chaos_record(s->k->c, &(struct chaos_event){ .key = key,
                                                 .op = op,
                                                 .call = s->call,
                                                 .ret = answered ? chaos_now() : 0,
                                                 .is_refused = refused,
                                                 .expect = expect,
                                                 .value = value,
                                                 .version = LIN_NO_VERSION });
}

static void hot_name(char key[CHAOS_KEY_BYTES], unsigned place, unsigned turn)
{
    snprintf(key, CHAOS_KEY_BYTES, "hot-%u-%u", place, turn);
}

static void private_name(struct chaos_client *k, char key[CHAOS_KEY_BYTES])
{
    snprintf(key, CHAOS_KEY_BYTES, "own-%u-%llu", k->number, (unsigned long long)k->next_name++);
}

static struct ns_entry entry_of(struct chaos_client *k, enum ns_entry_kind kind, const char *name)
{
    return (struct ns_entry){ .kind = kind,
                              .now = chaos_time(),
                              .parent = k->c->parent,
                              .name = name,
                              .name_len = strlen(name) };
}

static void name_create(struct name_step *s, const char *key, uint64_t ino, int *ret_status)
{
    struct ns_entry e = chaos_create_entry(s->k, key, ino);
    struct ns_answer a;
    int status = chaos_change(s->k, &e, &a);
    bool answered = chaos_answered(s->k, status, -EEXIST, 0);

    if (answered && status == 0 && a.attr.ino != ino)
        chaos_violation(s->k->c, "%s was made with another inode than asked for", key);
    name_record(s, key, "cas", answered, status == -EEXIST, 0, ino);
    *ret_status = status;
}

static void name_lookup(struct name_step *s)
{
    uint64_t ino;

    if (chaos_answered(s->k, chaos_lookup(s->k, s->key, &ino), -ENOENT, 0))
        name_record(s, s->key, "read", true, false, 0, ino);
}

/* Gone, one way or another: from `ino`; or there was nothing. */
static void name_gone(struct name_step *s, int status, bool answered, uint64_t ino)
{
    if (answered && status == -ENOENT)
        name_record(s, s->key, "read", true, false, 0, 0);
    else if (answered)
        name_record(s, s->key, "cas", true, false, ino, 0);
    else
        name_record(s, s->key, "write", false, false, 0, 0);
}

static void name_unlink(struct name_step *s)
{
    struct ns_entry e = entry_of(s->k, NS_E_UNLINK, s->key);
    struct ns_answer a;
    int status = chaos_change(s->k, &e, &a);

    name_gone(s, status, chaos_answered(s->k, status, -ENOENT, 0), a.replaced.ino);
}

static void name_rename_away(struct name_step *s)
{
    struct ns_entry e = entry_of(s->k, NS_E_RENAME, s->key);
    char away[CHAOS_KEY_BYTES];
    struct ns_answer a;
    bool answered;
    int status;

    private_name(s->k, away);
    e.new_parent = s->k->c->parent;
    e.new_name = away;
    e.new_name_len = strlen(away);
    status = chaos_change(s->k, &e, &a);
    answered = chaos_answered(s->k, status, -ENOENT, 0);
    name_gone(s, status, answered, a.attr.ino);
    if (answered && status == 0)
        name_record(s, away, "write", true, false, 0, a.attr.ino);
}

/* A private file takes the name's place. */
static void name_rename_over(struct name_step *s, uint64_t ino)
{
    struct ns_entry e;
    char own[CHAOS_KEY_BYTES];
    struct ns_answer a;
    bool answered, careful = vs_rand_below(&s->k->rand, 2) == 0;
    int status;

    private_name(s->k, own);
    name_create(s, own, ino, &status);
    if (status != 0)
        return;
    e = entry_of(s->k, NS_E_RENAME, own);
    e.new_parent = s->k->c->parent;
    e.new_name = s->key;
    e.new_name_len = strlen(s->key);
    e.flags = careful ? NS_RENAME_NOREPLACE : 0;
    s->call = chaos_now();
    status = chaos_change(s->k, &e, &a);
    answered = chaos_answered(s->k, status, -EEXIST, 0);
    name_record(s, s->key, careful ? "cas" : "write", answered, status == -EEXIST, 0, ino);
    if (answered && status == 0)
        name_record(s, own, "cas", true, false, ino, 0);
    else if (!answered)
        name_record(s, own, "write", false, false, 0, 0);
}

void chaos_names_step(struct chaos_client *k)
{
    unsigned place = (unsigned)vs_rand_below(&k->rand, CHAOS_HOT_NAMES);
    unsigned turn = atomic_fetch_add(&k->c->hot_ops[place], 1) / CHAOS_KEY_OPS;
    uint64_t what = vs_rand_below(&k->rand, 100), ino = 0;
    struct name_step s = { .k = k };
    int status;

    if (k->reads_only)
        what = 35;
    if ((what < 35 || what >= 85) && !chaos_need_ino(k, &ino))
        return;
    hot_name(s.key, place, turn);
    s.call = chaos_now();
    if (what < 35)
        name_create(&s, s.key, ino, &status);
    else if (what < 60)
        name_lookup(&s);
    else if (what < 75)
        name_unlink(&s);
    else if (what < 85)
        name_rename_away(&s);
    else
        name_rename_over(&s, ino);
}

void chaos_names_last(struct chaos_client *k)
{
    struct name_step s = { .k = k };

    for (unsigned place = 0; place < CHAOS_HOT_NAMES; place++) {
        unsigned turns = atomic_load(&k->c->hot_ops[place]) / CHAOS_KEY_OPS;

        for (unsigned turn = 0; turn <= turns; turn++) {
            hot_name(s.key, place, turn);
            s.call = chaos_now();
            name_lookup(&s);
        }
    }
}
