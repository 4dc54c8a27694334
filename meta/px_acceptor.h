/* px_acceptor: what proposers ask of acceptors, what they are told, and who is answered at all.
 *
 * A frame carries one head and up to PX_FRAME_ENTRIES_MAX asks; the answers go back in one frame.
 * For each frame: px_admit() once, then px_answer() per ask, then everything that said PX_STORE
 * into one batch, synced, and only then the answers leave (docs/CHUNKPAXOS.md, "Acceptors").
 *
 * Pure. Threads: none; the acceptor's one writer. */
#ifndef VS_META_PX_ACCEPTOR_H
#define VS_META_PX_ACCEPTOR_H

#include "meta/px.h"

#define PX_ACCEPTORS_MAX     5
#define PX_MEMBERS_MAX       (2 * PX_ACCEPTORS_MAX) /* known: of this epoch and the one before */
#define PX_FRAME_ENTRIES_MAX 1024
#define PX_FRAME_BYTES_MAX   (256u << 10)

enum px_phase { PX_ACCEPT0 = 1, PX_PREPARE, PX_ACCEPT, PX_READ };

/* Of every frame. In an answer: the acceptor's own. */
struct px_head {
    struct vs_id cluster; /* uuid */
    uint64_t epoch;       /* of the configuration */
    uint32_t pid, inc;    /* sender */
};

/* One register of a request. */
struct px_ask {
    struct vs_id id;
    uint64_t seq;             /* of the operation at its proposer */
    uint8_t phase;            /* enum px_phase */
    bool create;              /* PX_ACCEPT: the proposer saw the register absent */
    struct px_ballot ballot;  /* PX_READ: (0, pid, inc), of which only the answer makes use */
    struct px_accepted value; /* PX_ACCEPT0, PX_ACCEPT */
};

enum px_word {
    PX_SAYS_OK = 1,
    PX_SAYS_NO,    /* promised and accepted_at say what is in the way */
    PX_SAYS_EPOCH, /* the configuration has changed: the head has the newer epoch */
};

/* One register of an answer; seq, phase and ballot repeat the ask's. */
struct px_answer {
    struct vs_id id;
    uint64_t seq;
    uint8_t phase, word;
    struct px_ballot ballot;
    struct px_ballot promised;
    struct px_ballot accepted_at; /* all zero: nothing is accepted */
    struct px_accepted accepted;  /* PX_PREPARE and PX_READ said OK; lent by the register */
};

struct px_member {
    uint32_t pid, inc; /* inc: the highest seen */
};

/* One acceptor, apart from its registers. epoch and votes are durable (meta/px_fence.h). */
struct px_acceptor {
    struct vs_id cluster;
    uint64_t epoch;
    bool votes; /* false: it has left its last epoch and does not vote in this one yet */
    unsigned members;
    struct px_member member[PX_MEMBERS_MAX]; /* who may propose */
};

enum px_entry {
    PX_ADMIT,
    PX_STRANGER,  /* another cluster, not who it says, no member, an older incarnation: no answer */
    PX_OLD_EPOCH, /* answer PX_SAYS_EPOCH to every ask */
    PX_NEW_EPOCH, /* fetch the configuration first; no answer */
    PX_MUTE,      /* does not vote now: no answer */
};

/* May this frame be answered? peer_pid: whom the transport has made sure to talk to. */
enum px_entry px_admit(struct px_acceptor *a, const struct px_head *head, uint32_t peer_pid);

/* One ask of an admitted frame, or of one from an older epoch, on its register. PX_STORE: the
 * register changed; its value is lent by the ask until it is stored. */
enum px_verdict px_answer(const struct px_acceptor *a, const struct px_head *head,
                          struct px_reg *reg, const struct px_ask *ask, struct px_answer *ret);

#endif
