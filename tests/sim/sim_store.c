/* sim_store: the disks of a world: memory with an undo log.
 *
 * Happy path: world_put() saves the old bytes, world_batch_end() closes the batch, and once its
 * sync time has passed the saved bytes are forgotten. A crash undoes the newest of the batches that
 * were not durable, how many is drawn; batches are undone whole, in order, as a write-ahead log
 * loses them. No room for more: the oldest batches count as synced. */
#include "common/assert.h"
#include "tests/sim/sim_impl.h"
#include <string.h>

void world_disks_open(struct sim_world *w, unsigned proc)
{
    for (unsigned d = 0; d < WORLD_DISKS; d++) {
        struct world_disk *disk = &w->proc[proc].disk[d];

        disk->log = w->logs + (size_t)(proc * WORLD_DISKS + d) * WORLD_LOG_BYTES;
        disk->used = disk->open_from = 0;
        disk->batches = 0;
    }
}

/* Forget the first n batches. */
static void disk_forget(struct world_disk *disk, unsigned n)
{
    uint32_t cut = n > 0 ? disk->batch[n - 1].end : 0;

    if (n == 0)
        return;
    memmove(disk->log, disk->log + cut, disk->used - cut);
    memmove(disk->batch, disk->batch + n, (disk->batches - n) * sizeof(disk->batch[0]));
    disk->batches -= n;
    disk->used -= cut;
    disk->open_from -= cut;
    for (unsigned i = 0; i < disk->batches; i++)
        disk->batch[i].end -= cut;
}

static unsigned disk_durable(const struct world_disk *disk, uint64_t now)
{
    unsigned n = 0;

    while (n < disk->batches && disk->batch[n].sync_at <= now)
        n++;
    return n;
}

void world_put(struct sim_world *w, unsigned proc, unsigned disk_no, void *dst, const void *src,
               size_t len)
{
    struct world_disk *disk = &w->proc[proc].disk[disk_no];
    uint32_t size = (uint32_t)((len + 7) / 8 * 8);
    struct world_undo undo = { .dst = dst, .len = (uint32_t)len, .size = size };

    VS_ASSERT(proc < w->procs);
    if (disk->used + size + sizeof(undo) > WORLD_LOG_BYTES)
        disk_forget(disk, disk->batches);
    VS_ASSERT(disk->used + size + sizeof(undo) <= WORLD_LOG_BYTES); /* one batch that big? */
    memcpy(disk->log + disk->used, dst, len);
    memcpy(disk->log + disk->used + size, &undo, sizeof(undo));
    disk->used += size + (uint32_t)sizeof(undo);
    memmove(dst, src, len);
}

uint64_t world_batch_end(struct sim_world *w, unsigned proc, unsigned disk_no, bool sync)
{
    struct world_disk *disk = &w->proc[proc].disk[disk_no];
    uint64_t at = UINT64_MAX;

    if (sync) {
        at = w->now + 20 + world_below(w, w->rates.sync_us + 1);
        if (world_below(w, 1000) < w->rates.sync_error_permille && !w->healed) {
            struct world_event *e = world_event_add(w, at - 1);

            VS_ASSERT(e != NULL);
            *e = (struct world_event){ .kind = EVENT_CRASH,
                                       .proc = (uint8_t)proc,
                                       .life = w->proc[proc].life };
        }
    }
    disk_forget(disk, disk_durable(disk, w->now));
    if (disk->batches == WORLD_BATCHES_MAX)
        disk_forget(disk, 1);
    /* Syncs end in order, and one covers everything before it. */
    for (unsigned i = 0; sync && i < disk->batches; i++) {
        if (disk->batch[i].sync_at == UINT64_MAX)
            disk->batch[i].sync_at = at;
        else if (disk->batch[i].sync_at > at)
            at = disk->batch[i].sync_at;
    }
    disk->batch[disk->batches++] = (struct world_batch){ .end = disk->used, .sync_at = at };
    disk->open_from = disk->used;
    return at;
}

/* Undo what lies behind `keep` in the log. */
static void disk_undo(struct world_disk *disk, uint32_t keep)
{
    while (disk->used > keep) {
        struct world_undo undo;

        disk->used -= (uint32_t)sizeof(undo);
        memcpy(&undo, disk->log + disk->used, sizeof(undo));
        disk->used -= undo.size;
        memcpy(undo.dst, disk->log + disk->used, undo.len);
    }
}

void world_disks_crash(struct sim_world *w, unsigned proc, bool wipe)
{
    for (unsigned d = 0; d < WORLD_DISKS; d++) {
        struct world_disk *disk = &w->proc[proc].disk[d];
        unsigned open, lost;

        VS_ASSERT(disk->used == disk->open_from); /* handlers close their batches */
        disk_forget(disk, disk_durable(disk, w->now));
        open = disk->batches;
        lost = open > 0 && !wipe ? (unsigned)world_below(w, open + 1) : 0;
        if (lost > 0)
            world_say(w, "  %s loses %u of %u unsynced batches", w->proc[proc].name, lost, open);
        disk_undo(disk, lost < open ? disk->batch[open - lost - 1].end : lost > 0 ? 0 : disk->used);
        disk->batches = 0;
        disk->used = disk->open_from = 0;
    }
}
