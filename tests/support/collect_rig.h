/* collect_rig: metadata and three stores in memory with a collector, for tests of what may be
 * removed. A chunk is two whole copies, on nodes 1 and 2. */
#ifndef VS_TESTS_COLLECT_RIG_H
#define VS_TESTS_COLLECT_RIG_H

#include "meta/collect.h"

#define CRIG_NODES       3
#define CRIG_CHUNK_BYTES 3000

struct collect_rig {
    struct vs_exec *store_exec, *exec;
    struct store_set set; /* "n1" .. "n3" */
    struct chunk_store *stores[CRIG_NODES];
    struct meta_client *meta;
    struct collect *collect;
    uint64_t session, next_seq; /* of the newest session: its number, its next unused id */
    bool spoil_segments;        /* files from now on have a segment that cannot be decoded */
};

struct collect_rig *crig_new(void);
void crig_free(struct collect_rig *f);

int crig_change(struct collect_rig *f, const struct ns_entry *e, struct ns_answer *ret);
void crig_open_session(struct collect_rig *f, uint64_t ids);
void crig_abort_session(struct collect_rig *f);
struct vs_id crig_fresh(struct collect_rig *f, enum vs_id_type type);
/* State byte of a register's value; 0: absent. */
uint8_t crig_reg_state(struct collect_rig *f, const struct vs_id *id);
uint64_t crig_released_waiting(struct collect_rig *f);
/* Wait until nothing is left to collect. */
void crig_drain(struct collect_rig *f);

/* An audit of one store, step by step in this thread: how many fragments it removed. */
uint64_t crig_audit(struct collect_rig *f, unsigned node);

void crig_put_frag(struct collect_rig *f, unsigned node, const struct vs_id *chunk,
                   uint8_t fragment, uint32_t generation);
bool crig_has_frag(struct collect_rig *f, unsigned node, const struct vs_id *chunk,
                   uint8_t fragment, uint32_t generation);

/* A chunk of the newest session: fragments and register. */
struct vs_id crig_put_chunk(struct collect_rig *f, uint32_t generation);
bool crig_has_chunk(struct collect_rig *f, const struct vs_id *id, uint32_t generation);

/* The file "film" of `count` chunks (at most 4) under one segment, linked in the root. */
struct rig_file {
    struct vs_id chunks[4], segment;
    uint64_t ino;
};

void crig_put_file(struct collect_rig *f, struct rig_file *file, unsigned count);
void crig_unlink_film(struct collect_rig *f);

#endif
