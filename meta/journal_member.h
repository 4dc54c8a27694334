/* journal_member: one replica of the journal as it runs: the pure core (journal.h) between its
 * disks, the other replicas and its callers.
 *
 * Happy path: one thread takes what came (messages, changes, strict reads, what the disks have
 * done), steps the core, sends at once what it says, and hands the rest on: records to the
 * acceptor's writer, chosen entries to the applier. So a heartbeat never waits for a disk. Failure:
 * an error of the acceptor's disk ends the process; a namespace that fails takes this replica out
 * of the vote until its next start; a message beyond what may wait is lost, which the protocol
 * bears; a change beyond is told to come again.
 *
 * Threads: every call from any thread, `stop` once. `done` of a change runs on the applier's thread
 * or the member's: short, and never waiting for another request. */
#ifndef VS_META_JOURNAL_MEMBER_H
#define VS_META_JOURNAL_MEMBER_H

#include "common/clock.h"
#include "meta/acceptor_writer.h"
#include "meta/journal.h"
#include "meta/meta_client.h"

#define JOURNAL_MEMBER_MESSAGES_MAX 1024  /* waiting; more are lost */
#define JOURNAL_MEMBER_CHANGES_MAX  4096  /* waiting; more get -EAGAIN */
#define JOURNAL_MEMBER_RING         65536 /* slots kept */
#define JOURNAL_MEMBER_RING_BYTES   (32u << 20)
#define JOURNAL_MEMBER_KEPT         32768 /* below the flushed slot, for members that come back */

struct feed;
struct journal_member;

/* The way to the other replicas; called on the member's thread, must not block. */
struct journal_link {
    /* A frame for `to` (a pid); lent. It may be lost. */
    void (*send)(struct journal_link *l, uint32_t to, const void *frame, size_t len);
    /* Replace the namespace by a snapshot of replica `from`, then journal_member_installed().
     * NULL: this replica cannot, and is told so each time. */
    void (*install)(struct journal_link *l, uint32_t from);
    /* Replica `from` knows the configuration of a newer epoch. May be NULL; comes again. */
    void (*config)(struct journal_link *l, uint64_t epoch, uint32_t from);
};

struct journal_member_config {
    struct acceptor_store *store; /* opened as a member's; lent, like all below, until stop */
    struct acceptor_writer *writer;
    struct kv *ns;
    const struct vs_clock *clock;
    struct journal_link *link;
    uint64_t epoch;
    unsigned members;
    uint32_t pid[JOURNAL_REPLICAS_MAX];
    bool is_closed;       /* fenced: nothing is answered until it is configured otherwise */
    uint64_t installed;   /* slot of the snapshot the namespace grew from; 0: none */
    uint32_t ring, kept;  /* 0: JOURNAL_MEMBER_RING, JOURNAL_MEMBER_KEPT */
    struct feed *feed;    /* told of every change; NULL: none */
    struct feed *entries; /* told of every entry; NULL: none */
};

/* A strict read: served by the caller in `done`, from what is applied. */
struct journal_member_read {
    /* 0: now; -EREMOTE: another replica leads; -EAGAIN: too many wait. On the member's thread. */
    void (*done)(struct journal_member_read *r, int status);
    struct vs_list link; /* private */
};

/* Load what is durable and start. -VS_ECORRUPT, -VS_EFORGOT, -ENOMEM, -EAGAIN. */
int journal_member_open(struct journal_member **ret, const struct journal_member_config *config);
/* Takes part no more, before a stop: a leader leads no more, nothing is voted for, and whoever
 * waits is told, so that the others need not find out. */
void journal_member_resign(struct journal_member *m);
/* Whoever waits is answered; what was applied stays unflushed (it can be applied again). */
void journal_member_stop(struct journal_member *m);

/* META_CHANGE. status: the answer's; -EREMOTE: nothing was done, journal_member_leader() may know
 * who leads; -EAGAIN: nothing was done, soon again; -ETIMEDOUT: it may be applied or not: ask
 * again, anywhere, with the same client and request number. */
void journal_member_change(struct journal_member *m, struct meta_req *r);
void journal_member_read(struct journal_member *m, struct journal_member_read *r);

/* A frame from the replica `from`, proven by the connection. -VS_ECORRUPT, -VS_ENEWER; -ENOBUFS:
 * too many wait, it is lost; -ENOMEM. */
int journal_member_receive(struct journal_member *m, uint32_t from, const void *frame, size_t len);
/* What install came to: the namespace that is in use reaches this slot, durably; 0: it came to
 * nothing. It may take as long as a flush. */
void journal_member_installed(struct journal_member *m, uint64_t slot);

/* Another configuration, not of an older epoch; open: false: fenced: nothing is accepted or
 * answered any more. In effect when this returns: what was accepted before has been handed to the
 * writer. Not on the member's own threads. */
void journal_member_configure(struct journal_member *m, uint64_t epoch, unsigned members,
                              const uint32_t *pid, bool open);

uint32_t journal_member_leader(struct journal_member *m); /* pid; 0: not known */
uint64_t journal_member_applied(struct journal_member *m);
/* What applying a change failed with, since when nothing is applied any more; 0: nothing did. */
int journal_member_failed(struct journal_member *m);
/* Epoch of the configuration, and the slots that are chosen as far as is known here. */
void journal_member_state(struct journal_member *m, uint64_t *ret_epoch, uint64_t *ret_commit);

#endif
