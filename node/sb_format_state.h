/* sb_format_state: two small files that a store keeps about itself: which runs ended with an I/O
 * error, and how far scrub has come. One block each, in the form of node/sb_format.h.
 *
 * Neither is needed to serve: without the one the store forgets what it held against its disk,
 * without the other scrub begins anew. Pure. Threads: any. */
#ifndef VS_NODE_SB_FORMAT_STATE_H
#define VS_NODE_SB_FORMAT_STATE_H

#include "node/sb_format.h"

#define SB_FAULTS_NAME "faults"
#define SB_SCRUB_NAME  "scrub"
#define SB_FAULTS_MAX  16u /* the newest are kept */

/* Runs that an I/O error has ended, oldest first. */
struct sb_fault {
    uint64_t at_ns; /* since 1970 */
    uint32_t err;   /* positive errno */
};
struct sb_fault_list {
    uint32_t count;
    struct sb_fault v[SB_FAULTS_MAX];
};
void sb_fault_list_encode(const struct sb_fault_list *l, uint8_t block[SB_BLOCK_BYTES]);
int sb_fault_list_decode(const uint8_t block[SB_BLOCK_BYTES], struct sb_fault_list *ret);
/* Add one; the oldest goes when there is no room. */
void sb_fault_list_add(struct sb_fault_list *l, const struct sb_fault *f);
/* Did any two of them come within `window_ns` of each other? Clocks jump: the distance counts. */
bool sb_fault_list_close(const struct sb_fault_list *l, uint64_t window_ns);

/* A pass goes through the files from the highest id downwards. What an unclean start has brought
 * in comes first. */
struct sb_scrub_pos {
    uint64_t pass;            /* number of the last pass that was begun, 0: none */
    uint64_t ended;           /* number of the last pass that came to its end, 0: none */
    uint64_t began_ns;        /* of the pass; since 1970 */
    uint64_t ended_ns;        /* of the one that ended */
    uint64_t next;            /* the pass goes on with this id or a lower one */
    uint64_t fresh, fresh_to; /* before that: ids from `fresh` down to `fresh_to`; 0: none */
    uint64_t done_bytes;      /* of files that the pass has read */
    uint64_t found;           /* what did not check in the pass */
};
void sb_scrub_pos_encode(const struct sb_scrub_pos *p, uint8_t block[SB_BLOCK_BYTES]);
int sb_scrub_pos_decode(const uint8_t block[SB_BLOCK_BYTES], struct sb_scrub_pos *ret);

#endif
