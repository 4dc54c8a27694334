/* salvage: a metadata directory made from the records of the stores alone, when the metadata is
 * lost. No byte of a store is changed or copied; the stores are used as they are afterwards.
 *
 * What the stores know: their newest copy of the metadata (fs/meta_copy.h) and what the journal
 * held behind it, up to a moment ago (fs/meta_tail.h): all of the namespace; and of each commit of
 * a file with chunks what it consists of (ingest/segment_copy.h), so that every committed one is
 * found, byte for byte, also those that are newer than all that.
 *
 * Happy path: all stores are scanned; the copy gives the namespace; the entries behind it are
 * applied; what was committed after them is put in; the register of each chunk is made from the
 * records of its fragments. Failure: a record of the journal that is missing ends that, and is
 * told; a file that has too few fragments left is told by path, stays, and reads as far as it can;
 * without any copy, files get the name they were written under, in `salvaged` where their folder is
 * not known.
 *
 * Blocks; nothing else may use the stores. Threads: one at a time. */
#ifndef VS_META_SALVAGE_H
#define VS_META_SALVAGE_H

#include "node/store_set.h"

#define SALVAGE_WHY_BYTES 1024

enum salvage_word {
    SALVAGE_INFO,    /* progress */
    SALVAGE_CHANGED, /* a file is not where, or what, it may have been last; it is whole */
    SALVAGE_LOST,    /* a file, part of one, or some change is not back */
};
/* A sentence for people. */
typedef void salvage_say_fn(void *arg, enum salvage_word word, const char *text);

struct salvage_config {
    const char *const *dirs; /* directories of stores, or data directories of a mount */
    unsigned dir_count;
    const char *into; /* not there, or empty */
    uint16_t id;      /* of the replica it is for, 1 .. 255; 0: the only one */
    bool dry_run;     /* `into` is removed again */
    salvage_say_fn *say;
    void *arg;
};

struct salvage_result {
    unsigned stores;
    uint64_t fragments, damaged; /* records */
    bool has_copy;
    uint64_t copy_slot;
    int64_t copy_ns;       /* when the copy was made, since 1970 */
    uint64_t tail_records; /* behind it, applied */
    uint64_t tail_slot;    /* up to here */
    int64_t as_of_ns;      /* of the newest change of them, or copy_ns */
    uint64_t files, small_files, directories;
    uint64_t chunks, chunks_degraded; /* LIVE; of them with fewer fragments than they should have */
    uint64_t newer;                   /* files that were committed after the copy */
    uint64_t deleted;                 /* files of the copy that were removed after it */
    uint64_t changed, lost;           /* sentences of these kinds */
};

/* 0: a directory was made; all is back if result->lost is 0. Negative: none was; `why` says so. */
int salvage_run(const struct salvage_config *config, struct salvage_result *result,
                char why[SALVAGE_WHY_BYTES]);

#endif
