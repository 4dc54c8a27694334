/* The state of a simulated disk, shared by sim_io.c (what programs do to it) and sim_disk.c (what
 * tests do to it). Not for tests: they use sim_io.h. */
#ifndef VS_TESTS_SIM_DISK_H
#define VS_TESTS_SIM_DISK_H

#include "tests/support/sim_dir.h"
#include "tests/support/sim_file.h"
#include "tests/support/sim_io.h"

#include <pthread.h>

struct sim_fault {
    bool armed, fired, sticky_lost;
    uint64_t left; /* calls that still pass */
    int err;
};

struct sim_io {
    pthread_mutex_t lock;
    /* under lock */
    struct vs_list files; /* struct sim_file */
    struct sim_dir dir;
    uint64_t boot; /* number of the current power-on: who has another one is dead */
    bool cut, cut_armed;
    uint64_t cut_left;
    struct sim_fault faults[SIM_IO_KIND_COUNT];
    uint64_t calls[SIM_IO_KIND_COUNT];
    uint64_t mutations;
    uint64_t capacity_bytes, device;
    bool can_punch;
};

/* All of these: under sim->lock. */

uint64_t sim_disk_free_blocks(const struct sim_io *sim);
/* Bytes of [offset, offset+len) that find room, from the front. */
uint64_t sim_disk_fit(const struct sim_io *sim, const struct sim_file *f, uint64_t len,
                      uint64_t offset);
/* Free the files that nobody can reach any more, now or after a power cut. */
void sim_disk_reap(struct sim_io *sim);

#endif
