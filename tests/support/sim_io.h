/* A simulated disk behind struct vs_io, in memory: it loses its power at a chosen moment, keeps of
 * the unsynced writes what it likes, fails chosen calls, fills up, and rots.
 *
 * A sweep over every power cut of a workload:
 *
 *     struct sim_io *sim = sim_io_new();
 *     bool fired = true;
 *
 *     for (uint64_t cut = 0; fired; cut++) {
 *         struct vs_io *io;
 *
 *         sim_io_reset(sim);
 *         sim_io_cut_after(sim, cut);
 *         io = sim_io_boot(sim);
 *         workload_until_error(io);         // remembers what was acknowledged
 *         vs_io_free(io);
 *         fired = sim_io_was_cut(sim);
 *         sim_io_restore_power(sim, seed);  // try several seeds
 *         io = sim_io_boot(sim);
 *         check_what_was_acknowledged(io);
 *         vs_io_free(io);
 *     }
 *     sim_io_free(sim);
 *
 * WHAT IS ON THE DISK. A change of a file (pwritev, truncate, allocate, punch) is seen by buffered
 * reads at once and is pending until an fdatasync of that file returns 0. A name (create, rename,
 * unlink) is seen at once and is pending until sync_dir returns 0, also when its file was synced.
 * VS_IO_DIRECT reads see the disk: what was synced, written back (sim_io_write_back) or written
 * direct, and not what is only in the cache. (Linux writes the cache back before a direct read;
 * code that needs that is code that reads before it has synced, and fails here.)
 *
 * POWER CUT. The call that is cut begins and does not end: its change is pending, and it returns
 * -EIO like every call behind it, reads too. sim_io_restore_power() then chooses, by seed:
 *   file    each pending write is done, lost, or torn: any subset of its 512-byte sectors. So
 * writes are reordered in any way, except that a sector never shows a later write without an
 *           earlier one into the same sector (both were in the page). A write that would grow the
 *           file may grow it without its bytes (zeros), or not. The other changes are done or lost.
 *   names   each pending change is there or not, but never without the earlier ones of the same
 *           name; a rename is atomic; an unlinked name may be back.
 * Programs of before the cut get -EIO for ever: close their files, free their vs_io, boot a new
 * one. The cut call counts also when it is a sync: nothing that it would have made durable is
 * certain.
 *
 * MUTATING CALLS, which sim_io_cut_after() counts: pwritev, fdatasync, allocate, truncate, punch,
 * open with VS_IO_CREATE, unlink, rename, sync_dir. Refused ones (-ENOENT, -ENOSPC, ...) count too.
 *
 * Space is counted in 4 KiB blocks that are allocated; a whole block inside a punched range is
 * given back, as are the blocks of an unlinked file once nobody has it open.
 *
 * Threads: any; one mutex. Without memory the process aborts, this is for tests. */
#ifndef VS_TESTS_SIM_IO_H
#define VS_TESTS_SIM_IO_H

#include "common/file_io.h"

#define SIM_IO_CAPACITY_BYTES_DEFAULT (UINT64_C(1) << 34)
#define SIM_IO_DEVICE_DEFAULT         0x51d1u

struct sim_io; /* the disk; opaque */

enum sim_io_kind {
    SIM_IO_READ,
    SIM_IO_WRITE,
    SIM_IO_SYNC, /* fdatasync */
    SIM_IO_ALLOCATE,
    SIM_IO_TRUNCATE,
    SIM_IO_PUNCH,
    SIM_IO_OPEN, /* of a file that exists */
    SIM_IO_CREATE,
    SIM_IO_UNLINK,
    SIM_IO_RENAME,
    SIM_IO_SYNC_DIR,
    SIM_IO_KIND_COUNT
};

struct sim_io *sim_io_new(void);
/* All struct vs_io must have been freed. Forgives NULL. */
void sim_io_free(struct sim_io *sim);
/* As new: empty, powered, no faults, counters zero, default capacity. Earlier vs_io are dead. */
void sim_io_reset(struct sim_io *sim);

/* The directory as a program sees it that starts now. vs_io_free() it; the disk stays. */
struct vs_io *sim_io_boot(struct sim_io *sim);

/* Cut the power in the mutating call that comes after `calls` more of them (0: the next one). */
void sim_io_cut_after(struct sim_io *sim, uint64_t calls);
/* Cut it now, between calls. */
void sim_io_cut_now(struct sim_io *sim);
bool sim_io_was_cut(struct sim_io *sim);
/* Power on again (cuts it first if it is still on); also disarms cuts and faults. The same seed
 * makes the same choices for the same history. */
void sim_io_restore_power(struct sim_io *sim, uint64_t seed);

/* The call of `kind` that comes after `nth` more of them (0: the next) returns `err`, once; one
 * fault can be armed for each kind, arming again replaces it.
 *
 * err          negative errno, for example -EIO or -ENOSPC
 * sticky_lost  SIM_IO_SYNC: what was pending is lost although the cache goes on showing it, and the
 *              next fdatasync returns 0 (fsyncgate); direct reads, a power cut, and drop_cache show
 *              the truth. Without it the pending writes stay pending.
 *              Other kinds: every later call of that kind fails too, until the power is restored.
 * A failing write leaves its first half behind (whole sectors); the other calls leave nothing. */
void sim_io_fail_at(struct sim_io *sim, enum sim_io_kind kind, uint64_t nth, int err,
                    bool sticky_lost);
/* Has the fault of this kind struck since it was armed? Ends a sweep over nth. */
bool sim_io_fault_fired(struct sim_io *sim, enum sim_io_kind kind);

/* Calls since the disk was new or reset, the failing and the cut one included. */
uint64_t sim_io_calls(struct sim_io *sim, enum sim_io_kind kind);
uint64_t sim_io_mutations(struct sim_io *sim);

/* A small disk: -ENOSPC for what does not fit. A write that does not fit leaves behind what did
 * (the blocks that were free); an allocate leaves nothing. May be below what is used. */
void sim_io_set_capacity(struct sim_io *sim, uint64_t capacity_bytes);
/* Which disk this is: sim_ios with the same number share a device (struct vs_io_space). */
void sim_io_set_device(struct sim_io *sim, uint64_t device);
/* A file system that cannot punch holes: -EOPNOTSUPP. */
void sim_io_set_punch(struct sim_io *sim, bool can_punch);

/* The kernel writes all pending changes of a file back, unasked. -ENOENT */
int sim_io_write_back(struct sim_io *sim, const char *name);
/* Rot: flip one bit, in the cache and on the disk; twice is none. -ENOENT, -EINVAL behind the end.
 */
int sim_io_flip_bit(struct sim_io *sim, const char *name, uint64_t offset, unsigned bit);
/* Size as programs see it. -ENOENT */
int sim_io_file_bytes(struct sim_io *sim, const char *name, uint64_t *ret_bytes);

#endif
