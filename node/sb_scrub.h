/* sb_scrub: read files and compare everything (sb_scrub.c); by itself, in passes, in the background
 * (sb_scrubber.c). For node/sb_*.c. */
#ifndef VS_NODE_SB_SCRUB_H
#define VS_NODE_SB_SCRUB_H

#include "node/sb_format_state.h"
#include "node/sb_store.h"
#include <pthread.h>

struct sb_store;

/* Told what was read, between two records and under no lock; non-zero ends the reading with that
 * result. */
typedef int sb_scrub_pace_fn(void *arg, uint64_t bytes);

/* What a reader of files wants to hear. All may be NULL. */
struct sb_scrub_ask {
    sb_scrub_bad_fn *bad;
    void *bad_arg;
    sb_scrub_pace_fn *pace;
    void *pace_arg;
};

/* Read file `id` and compare; the number of what did not check; 0 also when it is gone.
 * -VS_EDOWN, -ENOMEM, what `pace` said. */
int sb_scrub_file(struct sb_store *s, uint64_t id, const struct sb_scrub_ask *ask);
/* The identity file and the checkpoints: what is bad is written again and counted. -VS_EDOWN,
 * -ENOMEM. */
int sb_scrub_small(struct sb_store *s);

/* The passes. */
struct sb_scrubber {
    pthread_t thread;
    bool runs; /* the thread does */
    /* under the store's lock */
    pthread_cond_t wake;
    struct sb_scrub_pos pos;
    uint64_t at, at_bytes; /* the file being read, 0: none; how much of it */
    uint64_t read_bytes;   /* since the store was opened */
    uint64_t found;        /* since then */
    int64_t paid_ns;       /* what was read is paid for up to this moment */
};

/* Read the position; `walked_from` is the lowest file that this start had to walk, 0: none. */
void sb_scrubber_open(struct sb_store *s, uint64_t walked_from);
int sb_scrubber_start(struct sb_store *s);
void sb_scrubber_stop(struct sb_store *s);
/* Read the next file of this pass, begin a pass when it is time. 1: read one; 0: nothing to do
 * now; -ECANCELED the store stops; -VS_EDOWN, -ENOMEM. */
int sb_scrubber_step(struct sb_store *s);

#endif
