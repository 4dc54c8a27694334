/* frag_rule: when a fragment may be removed, when an abandoned upload may be wiped away
 * (docs/CHUNKPAXOS.md, "Sessions, and what nodes may drop").
 *
 * A node never decides alone: it asks, by strict reads, and acts on the very fragment it asked
 * about: chunk, index, generation. Whoever does not know keeps.
 *
 * Pure. */
#ifndef VS_META_FRAG_RULE_H
#define VS_META_FRAG_RULE_H

#include <stdbool.h>
#include <stdint.h>

enum frag_session { FRAG_SESSION_UNKNOWN, FRAG_SESSION_OPEN, FRAG_SESSION_CLOSED };

/* What a node was told about one of its fragments. */
struct frag_facts {
    uint32_t generation;       /* of the fragment */
    enum frag_session session; /* that wrote it */
    bool present;              /* the register, read from a quorum, has a value */
    bool tomb;                 /* and that is a TOMB */
    uint32_t reg_generation;
    bool named; /* it names this fragment, by index, node and generation */
};

enum frag_verdict {
    FRAG_KEEP,
    FRAG_REMOVE,
    FRAG_TOMB_FIRST,  /* write a TOMB, only if the register is still absent, then ask again */
    FRAG_RAISE_FIRST, /* raise the register's generation by compare-and-set, then ask again */
};

enum frag_verdict frag_rule(const struct frag_facts *f);

/* May TOMBs be written for the ids of a session that nobody drives any more? Only once its end is
 * committed: an entry that links it could still be on its way. */
bool frag_may_reap(enum frag_session session);

/* The fragment a repair has written, once its compare-and-set has ended with status: a loser, and
 * one that does not know, removes nothing; another repair may have won with the same fragment. */
enum frag_verdict frag_after_repair(int status);

#endif
