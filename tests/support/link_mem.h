/* link_mem: the ways between metadata replicas in one process: px_links whose directions can be cut
 * one by one, with delays, and with everything counted that crosses.
 *
 * A message of a cut direction is lost: a tell without a word, an ask by its time-out, whichever
 * way was cut. A replica that is down refuses. Threads: any. */
#ifndef VS_TESTS_LINK_MEM_H
#define VS_TESTS_LINK_MEM_H

#include "meta/meta_replica.h"
#include <stdatomic.h>

#define LINK_MEM_REPLICAS 6   /* pids 1 .. */
#define LINK_MEM_ASK_MS   300 /* no ask is waited for longer */

struct link_mem;

struct link_mem *link_mem_new(void);
/* All replicas are down. */
void link_mem_free(struct link_mem *l);

struct px_link *link_mem_of(struct link_mem *l, uint32_t pid);
/* What is for `pid` goes to `m` from now on. */
void link_mem_up(struct link_mem *l, uint32_t pid, struct meta_replica *m);
/* Nothing more is handed to it; before it is stopped. */
void link_mem_down(struct link_mem *l, uint32_t pid);

/* Messages from one to the other are lost, or not. */
void link_mem_cut(struct link_mem *l, uint32_t from, uint32_t to, bool is_cut);
/* Both directions between it and all others. */
void link_mem_isolate(struct link_mem *l, uint32_t pid, bool is_cut);
/* Each message takes so long. */
void link_mem_delay(struct link_mem *l, int64_t ns);

struct link_mem_count {
    uint64_t tells, asks, answers, questions; /* that arrived */
};
void link_mem_count(struct link_mem *l, struct link_mem_count *ret);

#endif
