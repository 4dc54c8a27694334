/* upload_machine: the decisions of an upload, apart from its I/O: in which form and on which stores
 * a chunk is placed, what an answer or a silence of a store means for it, when ids are asked for.
 *
 * A chunk's way: its bytes fill the window of the upload; once cut it is QUEUED for one of the
 * pipeline's slots, CODING, PUTTING, PLACING (its register is being created), PLACED. A store that
 * fails or stays silent sends it from PUTTING back to CODING, with a higher generation and without
 * that store. It has ENDED when it cannot be placed any more, or nobody wants it.
 *
 * Pure; times are arguments. Threads: none. */
#ifndef VS_INGEST_UPLOAD_MACHINE_H
#define VS_INGEST_UPLOAD_MACHINE_H

#include "common/ec.h"
#include <stdbool.h>
#include <stdint.h>

#define UM_STORES_MAX 64

/* A store is silent when it owes an answer and gave none to anybody for so long ... */
#define UM_SILENT_MS 2000
/* ... or owes this one for so long, whatever else it answered. */
#define UM_STUCK_MS  10000
/* Silent stores that cannot be done without are waited for so long, then it is -EIO. */
#define UM_STALL_MS  60000

/* A put needs so much more than its payload: header block and padding. */
#define UM_RECORD_EXTRA_BYTES 8192

#define UM_IDS_FIRST 8
#define UM_IDS_MAX   256

enum um_state { UM_QUEUED, UM_CODING, UM_PUTTING, UM_PLACING, UM_PLACED, UM_ENDED };

/* Whether a chunk may go from one state to another; drivers assert it. */
bool um_may_move(enum um_state from, enum um_state to);

/* What is known of a store when a chunk is placed. */
struct um_store {
    bool up;         /* accepts puts, says its health */
    bool left_out;   /* failed this chunk before */
    bool silent;     /* owes an answer for too long */
    bool full;       /* refused a put for want of space just now */
    bool suspect;    /* the metadata has not heard it for a moment: only when there are too few */
    bool closed;     /* is being emptied, or is down by what the metadata hears: takes nothing */
    uint64_t domain; /* what fails together, as a number; 0: itself alone */
    uint64_t free_bytes;
};

struct um_place {
    struct vs_redundancy red;
    unsigned count;             /* k+m */
    uint8_t entry[VS_EC_N_MAX]; /* index of the store of each fragment */
};

/* Choose form and stores: the strongest form that the usable failure domains allow, never two
 * fragments in one. Of more than five, five by weighted rendezvous on free space
 * (meta/placement.h); `turn`, a number of the chunk, decides, and rotates which of them gets
 * fragment 0. Suspect stores are used where 3+2 is not possible without, silent ones only where
 * nothing else is left (`may_wait` false: not even then).
 *
 * Errors  -ENOSPC  too few have space: no form, or only copies where coding was possible (copies
 *                  take more space than what was refused)
 *         -EIO     too few are up */
int um_place(const struct um_store *stores, unsigned count, uint64_t turn, uint32_t chunk_bytes,
             bool may_wait, struct um_place *ret);

enum um_put { UM_PUT_WAITING, UM_PUT_DURABLE, UM_PUT_FAILED };

enum um_verdict {
    UM_WAIT,    /* answers are missing */
    UM_DURABLE, /* all k+m are: create the register */
    UM_RECODE,  /* code anew, for other stores */
    UM_FAIL,    /* -EIO */
};

/* After an answer. */
enum um_verdict um_after_put(const enum um_put *puts, unsigned count);

/* Does a store that was asked at asked_ns and last answered anybody at answered_ns (0: never) count
 * as silent now? */
bool um_is_silent(int64_t asked_ns, int64_t answered_ns, int64_t now_ns);

/* For a chunk that waits for a silent store since asked_ns; `replaceable`: um_place() finds a form
 * without the silent ones. */
enum um_verdict um_after_silence(bool replaceable, int64_t asked_ns, int64_t now_ns);

/* Ids to reserve after a range of `last` (0: the first one). */
unsigned um_ids_next(unsigned last);
/* Whether to reserve more already, with `left` of the last range unused. */
bool um_ids_are_low(unsigned left, unsigned last);

/* Bytes up to where the cut plan may look: what the demuxer has parsed, so that cuts wait for
 * keyframes, until hold_max bytes are held behind the last cut; everything once it is over. */
uint64_t um_plan_end(uint64_t last_cut, uint64_t end, uint64_t parsed, bool over,
                     uint64_t hold_max);

/* Whether a writer may go on: below 15/16 of the budget, so that it then runs for a while; below
 * the budget when nothing is on its way that could free more. */
bool um_has_room(uint64_t used, uint64_t budget, bool idle);

#endif
