/* trio: three (or five) metadata replicas in one process, joined by link_mem. */
#ifndef VS_TESTS_TRIO_H
#define VS_TESTS_TRIO_H

#include "meta/meta_join.h"
#include "meta/meta_replica.h"
#include "tests/support/link_mem.h"
#include "tests/support/temp_dir.h"

struct trio {
    struct link_mem *link;
    unsigned members;
    bool on_disk;
    const _Atomic int *is_stopping; /* of trio_join(); NULL: never */
    uint32_t ring, kept;            /* slots; 0: as always */
    unsigned patience_ms;
    unsigned fence_ms, known_ms; /* of trio_join(); 0: as always */
    uint64_t rest;               /* registers that the last newcomer took behind the fence */
    char home[TEMP_DIR_BYTES];
    struct meta_replica *replica[LINK_MEM_REPLICAS]; /* pid - 1; NULL: down */
};

/* New ones, all up. on_disk: they can be stopped and started again. */
struct trio *trio_new(unsigned members, bool on_disk);
/* The same, on disk, with so few slots that a replica is soon away for too long. */
struct trio *trio_new_short(unsigned members, uint32_t ring, uint32_t kept);
/* The same; they wait so long for a leader or a majority. */
struct trio *trio_new_patient(unsigned members, bool on_disk, unsigned patience_ms);
void trio_free(struct trio *t);

void trio_stop(struct trio *t, uint32_t pid);
void trio_start(struct trio *t, uint32_t pid); /* on_disk */

/* A newcomer takes the place of a replica that is lost, and is up then; what meta_join() said.
 * step: as its config's. */
int trio_join(struct trio *t, uint32_t pid, uint32_t lost, void (*step)(void *, const char *),
              void *arg);
/* One that was left behind, and is down, takes what the others have, and is up; what meta_rejoin()
 * said. */
int trio_rejoin(struct trio *t, uint32_t pid, void (*step)(void *, const char *), void *arg);
/* Its disk is empty. It is down. */
void trio_wipe(struct trio *t, uint32_t pid);

/* Wait until one of them leads, and no other says so; its pid. but: another one than this, or 0. */
uint32_t trio_leader(struct trio *t, uint32_t but);
/* One of those that do not lead. */
uint32_t trio_follower(struct trio *t);
struct meta_client *trio_client(struct trio *t, uint32_t pid);

#endif
