/* What tests do to a simulated disk: power, faults, capacity, rot; and the accounts of its space.
 *
 * Happy path: a few fields under the lock.
 * Failure modes: a name that is not there; running out of memory aborts. */
#include "tests/support/sim_disk.h"

#include "common/assert.h"
#include "common/cleanup.h"
#include "common/err.h"

#include <string.h>

static uint64_t used_blocks(const struct sim_io *sim)
{
    uint64_t used = 0;

    for (const struct vs_list *pos = sim->files.next; pos != &sim->files; pos = pos->next) {
        const struct sim_file *f = vs_container_of(pos, struct sim_file, link);

        if (f->open_count > 0 || sim_dir_is_linked(&sim->dir, f))
            used += f->cache.used;
    }
    return used;
}

uint64_t sim_disk_free_blocks(const struct sim_io *sim)
{
    uint64_t total = sim->capacity_bytes / VS_IO_BLOCK_BYTES, used = used_blocks(sim);

    return used < total ? total - used : 0;
}

uint64_t sim_disk_fit(const struct sim_io *sim, const struct sim_file *f, uint64_t len,
                      uint64_t offset)
{
    uint64_t end = offset + len, room = sim_disk_free_blocks(sim);

    for (uint64_t block = offset / VS_IO_BLOCK_BYTES; block * VS_IO_BLOCK_BYTES < end; block++) {
        if (sim_image_has_block(&f->cache, block))
            continue;
        if (room == 0) {
            uint64_t full = block * VS_IO_BLOCK_BYTES;

            return full > offset ? full - offset : 0;
        }
        room--;
    }
    return len;
}

void sim_disk_reap(struct sim_io *sim)
{
    struct vs_list *pos, *tmp;

    vs_list_for_each (pos, tmp, &sim->files) {
        struct sim_file *f = vs_container_of(pos, struct sim_file, link);

        if (f->open_count > 0 || sim_dir_refers(&sim->dir, f))
            continue;
        vs_list_del(&f->link);
        sim_file_free(f);
    }
}

/* ---- life ---------------------------------------------------------------------------------------
 */

/* Everything but the mutex, the boot number and what is on the disk. */
static void disarm(struct sim_io *sim)
{
    sim->cut = false;
    sim->cut_armed = false;
    memset(sim->faults, 0, sizeof(sim->faults));
}

/* The programs of this boot are dead, and their handles with them. */
static void next_boot(struct sim_io *sim)
{
    struct vs_list *pos, *tmp;

    sim->boot++;
    vs_list_for_each (pos, tmp, &sim->files)
        vs_container_of(pos, struct sim_file, link)->open_count = 0;
}

static void set_defaults(struct sim_io *sim)
{
    disarm(sim);
    memset(sim->calls, 0, sizeof(sim->calls));
    sim->mutations = 0;
    sim->capacity_bytes = SIM_IO_CAPACITY_BYTES_DEFAULT;
    sim->device = SIM_IO_DEVICE_DEFAULT;
    sim->can_punch = true;
}

struct sim_io *sim_io_new(void)
{
    struct sim_io *sim = calloc(1, sizeof(*sim));

    VS_ASSERT(sim != NULL);
    pthread_mutex_init(&sim->lock, NULL);
    vs_list_init(&sim->files);
    sim_dir_init(&sim->dir);
    set_defaults(sim);
    return sim;
}

static void wipe(struct sim_io *sim)
{
    next_boot(sim);
    sim_dir_close(&sim->dir);
    sim_disk_reap(sim);
    VS_ASSERT(vs_list_empty(&sim->files));
}

void sim_io_reset(struct sim_io *sim)
{
    VS_LOCK_SCOPE(&sim->lock);

    wipe(sim);
    set_defaults(sim);
}

void sim_io_free(struct sim_io *sim)
{
    if (sim == NULL)
        return;
    wipe(sim);
    pthread_mutex_destroy(&sim->lock);
    free(sim);
}

/* ---- power --------------------------------------------------------------------------------------
 */

void sim_io_cut_after(struct sim_io *sim, uint64_t calls)
{
    VS_LOCK_SCOPE(&sim->lock);

    sim->cut_armed = true;
    sim->cut_left = calls;
}

void sim_io_cut_now(struct sim_io *sim)
{
    VS_LOCK_SCOPE(&sim->lock);

    sim->cut = true;
}

bool sim_io_was_cut(struct sim_io *sim)
{
    VS_LOCK_SCOPE(&sim->lock);

    return sim->cut;
}

void sim_io_restore_power(struct sim_io *sim, uint64_t seed)
{
    struct vs_list *pos, *tmp;
    struct vs_rand rand;
    VS_LOCK_SCOPE(&sim->lock);

    vs_rand_init(&rand, seed);
    next_boot(sim);
    sim_dir_settle(&sim->dir, &rand);
    vs_list_for_each (pos, tmp, &sim->files)
        sim_file_settle(vs_container_of(pos, struct sim_file, link), &rand);
    sim_disk_reap(sim);
    disarm(sim);
}

/* ---- faults and accounts ------------------------------------------------------------------------
 */

void sim_io_fail_at(struct sim_io *sim, enum sim_io_kind kind, uint64_t nth, int err,
                    bool sticky_lost)
{
    VS_LOCK_SCOPE(&sim->lock);

    VS_ASSERT(kind < SIM_IO_KIND_COUNT && err < 0);
    sim->faults[kind] = (struct sim_fault){
        .armed = true,
        .left = nth,
        .err = err,
        .sticky_lost = sticky_lost,
    };
}

bool sim_io_fault_fired(struct sim_io *sim, enum sim_io_kind kind)
{
    VS_LOCK_SCOPE(&sim->lock);

    return sim->faults[kind].fired;
}

uint64_t sim_io_calls(struct sim_io *sim, enum sim_io_kind kind)
{
    VS_LOCK_SCOPE(&sim->lock);

    return sim->calls[kind];
}

uint64_t sim_io_mutations(struct sim_io *sim)
{
    VS_LOCK_SCOPE(&sim->lock);

    return sim->mutations;
}

void sim_io_set_capacity(struct sim_io *sim, uint64_t capacity_bytes)
{
    VS_LOCK_SCOPE(&sim->lock);

    sim->capacity_bytes = capacity_bytes;
}

void sim_io_set_device(struct sim_io *sim, uint64_t device)
{
    VS_LOCK_SCOPE(&sim->lock);

    sim->device = device;
}

void sim_io_set_punch(struct sim_io *sim, bool can_punch)
{
    VS_LOCK_SCOPE(&sim->lock);

    sim->can_punch = can_punch;
}

/* ---- one file -----------------------------------------------------------------------------------
 */

int sim_io_write_back(struct sim_io *sim, const char *name)
{
    struct sim_file *f;
    VS_LOCK_SCOPE(&sim->lock);

    f = sim_dir_find(&sim->dir, name);
    if (f == NULL)
        return -ENOENT;
    sim_file_sync(f);
    return 0;
}

static void flip(struct sim_image *img, uint64_t offset, unsigned bit)
{
    uint64_t bytes = img->bytes;
    uint8_t byte;

    sim_image_read(img, &byte, 1, offset);
    byte ^= (uint8_t)(1u << bit);
    sim_image_write(img, &byte, 1, offset);
    if (img->bytes > bytes) /* rot does not grow a file */
        sim_image_truncate(img, bytes);
}

int sim_io_flip_bit(struct sim_io *sim, const char *name, uint64_t offset, unsigned bit)
{
    struct sim_file *f;
    VS_LOCK_SCOPE(&sim->lock);

    f = sim_dir_find(&sim->dir, name);
    if (f == NULL)
        return -ENOENT;
    if (offset >= f->cache.bytes || bit > 7)
        return -EINVAL;
    flip(&f->cache, offset, bit);
    flip(&f->disk, offset, bit);
    return 0;
}

int sim_io_file_bytes(struct sim_io *sim, const char *name, uint64_t *ret_bytes)
{
    struct sim_file *f;
    VS_LOCK_SCOPE(&sim->lock);

    f = sim_dir_find(&sim->dir, name);
    if (f == NULL)
        return -ENOENT;
    *ret_bytes = f->cache.bytes;
    return 0;
}
