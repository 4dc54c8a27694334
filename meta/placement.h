/* placement: which nodes take the fragments of a chunk, and in which form when there are too few.
 *
 * Weighted rendezvous hashing (Thaler & Ravishankar, 1998; weights: Schindelhauer & Schomaker,
 * 2005): every node draws a time from its weight and the hash of (chunk, node), and the earliest
 * ones win, one of each failure domain. So the choice needs no table, load follows the weights, and
 * a node that comes or goes changes nothing between the others: of a chunk's nodes at most one is
 * another one then.
 *
 * What was chosen is written into the chunk's register; nobody finds a fragment by computing this
 * again, so weights may change at any time.
 *
 * Pure. Threads: any number may use one map that nobody changes. */
#ifndef VS_META_PLACEMENT_H
#define VS_META_PLACEMENT_H

#include "common/ec.h"
#include "common/id.h"
#include <stdbool.h>

#define PLACEMENT_NODES_MAX      256
#define PLACEMENT_TEXT_BYTES_MAX 320

struct placement_node {
    uint32_t node;      /* number in the metadata, from 1 */
    const char *domain; /* failure domain; lent during placement_init() */
    uint64_t weight;    /* its share of the load: its size, in any unit; 0: takes nothing */
    bool usable;        /* takes new fragments now: up, writable, not full, not draining */
};

/* The nodes with their domains as numbers. Filled by placement_init(); no pointers inside. */
struct placement_map {
    unsigned count;
    unsigned domains_known;  /* of all nodes */
    unsigned domains_usable; /* with a node that takes fragments */
    struct placement_place {
        uint32_t node;
        uint16_t domain; /* 0 .. domains_known - 1 */
        double weight;   /* 0: takes nothing now */
        uint64_t named;  /* placement_domain() of its name */
    } places[PLACEMENT_NODES_MAX];
};

enum placement_verdict {
    PLACEMENT_REFUSED,    /* too few domains for any form: store nothing, say why */
    PLACEMENT_AS_ASKED,   /* the form that was asked for */
    PLACEMENT_DOWNGRADED, /* a form that the domains allow: say so, repair brings it back later */
};

struct placement {
    enum placement_verdict verdict;
    struct vs_redundancy asked;
    struct vs_redundancy red; /* VS_RED_NONE when refused */
    unsigned domains_usable, domains_known;
    unsigned count;             /* red.k + red.m, 0 when refused */
    uint32_t node[VS_EC_N_MAX]; /* of each fragment */
};

/* Take over `count` nodes. -EINVAL: more than PLACEMENT_NODES_MAX, a number that is 0 or comes
 * twice, a domain without a name. */
int placement_init(struct placement_map *map, const struct placement_node *nodes, unsigned count);

/* The same node by node: an empty map, and one more. `domain` is placement_domain() of its name.
 * -EINVAL as above. */
void placement_clear(struct placement_map *map);
int placement_add(struct placement_map *map, uint32_t node, uint64_t domain, uint64_t weight,
                  bool usable);
/* A failure domain as a number, for those who keep many: a hash of its name, never 0. Of 64 domains
 * two share one with a probability of 10^-16. */
uint64_t placement_domain(const char *name);

/* The form for so many usable failure domains out of those known. `asked` where it fits; else
 * copies as far as they go where copies were asked, and else 3+2 on five domains, 2+2 on four, 3
 * copies, 2 copies; 1 only where there is but one domain at all (or one copy was asked). Kind
 * VS_RED_NONE: refused. */
struct vs_redundancy placement_form(const struct vs_redundancy *asked, unsigned usable,
                                    unsigned known);

/* Choose form and nodes of a chunk. ret->verdict is the answer; the caller tells people.
 * -EINVAL `asked` is no redundancy. */
int placement_choose(const struct placement_map *map, const struct vs_id *id,
                     const struct vs_redundancy *asked, struct placement *ret);

/* New nodes for lost fragments only: nodes[i] is the node of fragment i, 0 for a lost one, `count`
 * of them. A lost one gets the best usable node of a domain that holds no other fragment of the
 * chunk; what finds none stays 0.
 *
 * Returns  how many are still 0
 * Errors   -EINVAL a node that the map does not know, or too many fragments */
int placement_refill(const struct placement_map *map, const struct vs_id *id, uint32_t nodes[],
                     unsigned count);

/* A downgrade or refusal as a sentence that says what to do; "" when all is as asked. */
void placement_to_text(const struct placement *p, char text[PLACEMENT_TEXT_BYTES_MAX]);

#endif
