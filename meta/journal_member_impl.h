/* journal_member_impl: what the files of a running replica share: what waits for its thread, and
 * what that thread has in its hands.
 *
 * Locks: m->lock guards what the fields below it say; callbacks run without it. The core and all
 * counts of entries belong to the thread. */
#ifndef VS_META_JOURNAL_MEMBER_IMPL_H
#define VS_META_JOURNAL_MEMBER_IMPL_H

#include "meta/journal_applier.h"
#include "meta/journal_member.h"
#include "meta/journal_state.h"
#include "meta/px_msg.h"
#include <pthread.h>
#include <stdatomic.h>

struct member_message {
    struct vs_list link;
    uint32_t from;
    struct journal_msg msg;
    struct journal_item item[JOURNAL_ITEMS_MAX];
};

/* Records on their way to the disk. */
struct member_batch {
    struct acceptor_job job;
    struct journal_member *member;
    uint64_t persist, first;
    struct px_ballot promised;
    unsigned count;
    struct journal_item item[]; /* entries referenced */
};

struct journal_member {
    struct journal_member_config config;
    struct journal journal;
    struct journal_slot *slots, *found;
    struct journal_applier *applier;
    struct journal_actions *out;
    struct vs_buf frame, encoded;
    struct px_head head;
    struct journal_entry *applying[JOURNAL_APPLIES_MAX]; /* by slot; referenced */
    struct vs_list pending; /* changes that the journal has no room for yet */
    bool has_failed;        /* the namespace: it does not vote any more */
    uint64_t put_to;        /* entries of slots up to it have been put */
    pthread_t thread;
    _Atomic uint32_t leader;
    _Atomic uint64_t applied_seen, commit_seen, epoch_seen;
    _Atomic int failed_seen;

    pthread_mutex_t lock;
    pthread_cond_t wake;
    /* under lock */
    struct vs_list messages, changes, reads, written; /* written: batches that are durable */
    unsigned message_count, change_count, batches;
    uint64_t applied, flushed, installed;
    bool is_installed, is_failed, is_resigned, is_stopping;
    bool is_configured; /* `next` waits to come into effect */
    struct {
        uint64_t epoch;
        unsigned members;
        uint32_t pid[JOURNAL_REPLICAS_MAX];
        bool open;
    } next;
    pthread_cond_t in_effect;
};

/* Carry out m->out. */
void member_act(struct journal_member *m);
/* Step and carry out. Returns when the step said nothing more. */
void member_step(struct journal_member *m, struct journal_event *ev);

/* What callers ask. */
void member_on_changes(struct journal_member *m);
void member_on_reads(struct journal_member *m, struct vs_list *reads);

/* Ends of what was handed on; other threads. */
void member_batch_written(struct acceptor_job *job, int err);
int member_batch_fill(struct acceptor_job *job, struct acceptor_store *store);
void member_batch_free(struct member_batch *b);

struct journal_entry *member_entry_make(void *arg, const uint8_t *bytes, uint32_t len);

#endif
