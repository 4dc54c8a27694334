/* The store as a whole: whose it is, what a stop leaves, what a full or a vanished disk does. */
#include "common/assert.h"
#include "common/crc.h"
#include "common/err.h"
#include "node/sb_format.h"
#include "tests/support/sb_rig.h"

#include <endian.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define FRAG 100000u

static enum store_state state_of(struct sb_rig *rig, struct store_health *ret)
{
    chunk_store_health(rig->ss.s, ret);
    return ret->state;
}

/* ---- whose ------------------------------------------------------------------------------------
 */

static void an_empty_directory_is_no_store_and_is_not_made_one(void **state)
{
    struct sb_rig *rig = *state;
    struct vs_io *io = sb_rig_io(rig);
    struct vs_id c, n;

    assert_int_equal(sb_store_identify(io, &c, &n), 0);
    assert_int_equal(vs_id_cmp(&c, &rig->config.cluster), 0);
    assert_int_equal(vs_id_cmp(&n, &rig->config.node), 0);
    assert_int_equal(vs_io_unlink(io, "store.id"), 0);
    assert_int_equal(sb_store_identify(io, &c, &n), -ENOENT);
    assert_int_equal(sb_rig_open(rig), -ENOENT);
    assert_int_equal(sb_rig_files(rig, "", NULL), 0);
    vs_io_free(io);
}

static void a_store_of_others_is_refused(void **state)
{
    struct sb_rig *rig = *state;

    rig->config.node.b[15] ^= 1;
    assert_int_equal(sb_rig_open(rig), -ESTALE);
    rig->config.node.b[15] ^= 1;
    rig->config.cluster.b[15] ^= 1;
    assert_int_equal(sb_rig_open(rig), -ESTALE);
    rig->config.cluster.b[15] ^= 1;
    assert_int_equal(sb_rig_open(rig), 0);
}

static void only_an_empty_directory_is_formatted(void **state)
{
    struct sb_rig *rig = *state;
    struct vs_io *io = sb_rig_io(rig);

    assert_int_equal(sb_store_format(io, &rig->config.cluster, &rig->config.node), -ENOTEMPTY);
    vs_io_free(io);
}

static void a_file_system_without_holes_is_refused(void **state)
{
    struct sb_rig *rig = *state;
    struct vs_io *io;

    sim_io_reset(rig->sim);
    sim_io_set_punch(rig->sim, false);
    io = sb_rig_io(rig);
    assert_int_equal(sb_store_format(io, &rig->config.cluster, &rig->config.node), -EOPNOTSUPP);
    vs_io_free(io);
    assert_int_equal(sb_rig_files(rig, "", NULL), 0);
}

/* Cut the power in every call of format: afterwards there is a store, or it can be formatted. */
static void a_format_that_was_cut_can_be_done_again(void **state)
{
    struct sb_rig *rig = *state;
    bool fired = true;

    for (uint64_t cut = 0; fired; cut++) {
        struct vs_io *io;
        int r;

        assert_true(cut < 100);
        sim_io_reset(rig->sim);
        sim_io_cut_after(rig->sim, cut);
        io = sb_rig_io(rig);
        r = sb_store_format(io, &rig->config.cluster, &rig->config.node);
        fired = sim_io_was_cut(rig->sim);
        assert_int_equal(r == 0, !fired);
        vs_io_free(io);
        sim_io_restore_power(rig->sim, cut);
        r = sb_rig_open(rig);
        if (r == -ENOENT) {
            io = sb_rig_io(rig);
            assert_int_equal(sb_store_format(io, &rig->config.cluster, &rig->config.node), 0);
            vs_io_free(io);
            r = sb_rig_open(rig);
        }
        assert_int_equal(r, 0);
        sb_rig_close(rig);
    }
}

static void the_identity_survives_the_loss_of_its_file_and_of_one_copy(void **state)
{
    struct sb_rig *rig = *state;
    struct vs_io *io;

    assert_int_equal(sb_rig_open(rig), 0);
    assert_int_equal(sb_rig_put(rig, 1, FRAG), 0);
    sb_rig_close(rig);
    for (unsigned copy = 0; copy < 2; copy++) {
        sb_rig_flip(rig, "store.id", copy * 4096 + 20, 3);
        assert_int_equal(sb_rig_open(rig), 0); /* and writes it anew: the next flip hits one copy */
        sb_rig_close(rig);
    }
    sb_rig_flip(rig, "store.id", 20, 3);
    sb_rig_flip(rig, "store.id", 4096 + 20, 3);
    assert_int_equal(sb_rig_open(rig), 0); /* the superblock files know */
    sb_rig_close(rig);
    io = sb_rig_io(rig);
    assert_int_equal(vs_io_unlink(io, "store.id"), 0);
    vs_io_free(io);
    assert_int_equal(sb_rig_open(rig), 0);
    assert_int_equal(sb_rig_check(rig, 1, FRAG), 0);
    sb_rig_close(rig);
    assert_int_equal(sb_rig_files(rig, "store.id", NULL), 1);
}

static void both_copies_of_the_identity_lost_and_nothing_else_is_corrupt(void **state)
{
    struct sb_rig *rig = *state;

    sb_rig_flip(rig, "store.id", 20, 3);
    sb_rig_flip(rig, "store.id", 4096 + 20, 3);
    assert_int_equal(sb_rig_open(rig), -VS_ECORRUPT);
}

/* ---- stop and start ---------------------------------------------------------------------------
 */

static void a_clean_stop_gives_unused_space_back_and_the_next_start_goes_on(void **state)
{
    struct sb_rig *rig = *state;
    uint64_t allocated;

    for (uint64_t n = 0; n < 5; n++) {
        assert_int_equal(sb_rig_open(rig), 0);
        assert_true(rig->recovery.clean);
        assert_int_equal(rig->recovery.fragments, n);
        assert_int_equal(rig->recovery.records, 0); /* nothing was walked */
        assert_int_equal(sb_rig_put(rig, n, FRAG), 0);
        sb_rig_close(rig);
        assert_int_equal(sb_rig_files(rig, "sb-", &allocated), 1);
        assert_true(allocated <= 65536 + (n + 1) * (4096 + 25 * 4096));
    }
    assert_int_equal(sb_rig_open(rig), 0);
    for (uint64_t n = 0; n < 5; n++)
        assert_int_equal(sb_rig_check(rig, n, FRAG), 0);
}

static void a_full_file_is_sealed_and_read_by_its_seal(void **state)
{
    struct sb_rig *rig = *state;
    struct vs_io *io;

    assert_int_equal(sb_rig_open(rig), 0);
    for (uint64_t n = 0; n < 30; n++) /* about 10 in a file of 1 MiB */
        assert_int_equal(sb_rig_put(rig, n, FRAG), 0);
    assert_int_equal(sb_rig_del(rig, 3), 0);
    sb_rig_close(rig);
    assert_true(sb_rig_files(rig, "sb-", NULL) >= 3);

    io = sb_rig_io(rig); /* no checkpoint: the SEALs and one walk */
    assert_int_equal(vs_io_unlink(io, "idx-0000000000000001.ckpt"), 0);
    vs_io_free(io);
    assert_int_equal(sb_rig_open(rig), 0);
    assert_false(rig->recovery.from_checkpoint);
    assert_int_equal(rig->recovery.fragments, 29);
    assert_int_equal(rig->recovery.corrupt, 0);
    for (uint64_t n = 0; n < 30; n++)
        assert_int_equal(sb_rig_check(rig, n, FRAG), n == 3 ? -ENOENT : 0);
}

/* 50 kills leave little behind: what was preallocated and not used is given back. */
static void starts_after_kills_do_not_eat_the_disk(void **state)
{
    struct sb_rig *rig = *state;
    uint64_t allocated, live = 0;

    rig->config.file_bytes = 256u << 20;
    for (uint64_t n = 0; n < 50; n++) {
        assert_int_equal(sb_rig_open(rig), 0);
        assert_int_equal(sb_rig_put(rig, n, FRAG), 0);
        live += FRAG + 2 * 4096;
        sb_rig_crash(rig);
    }
    assert_int_equal(sb_rig_open(rig), 0);
    assert_int_equal(rig->recovery.fragments, 50);
    assert_int_equal(rig->recovery.corrupt, 0);
    sb_rig_files(rig, "sb-", &allocated);
    assert_true(allocated < live + (1u << 20));
    for (uint64_t n = 0; n < 50; n++)
        assert_int_equal(sb_rig_check(rig, n, FRAG), 0);
}

static void a_missing_or_shortened_file_costs_only_what_it_held(void **state)
{
    struct sb_rig *rig = *state;
    struct vs_io *io;
    struct vs_file *f;
    unsigned lost = 0;

    assert_int_equal(sb_rig_open(rig), 0);
    for (uint64_t n = 0; n < 30; n++)
        assert_int_equal(sb_rig_put(rig, n, FRAG), 0);
    sb_rig_close(rig);
    io = sb_rig_io(rig);
    assert_int_equal(vs_io_unlink(io, "sb-0000000000000001.dat"), 0);
    assert_int_equal(vs_io_open(io, "sb-0000000000000002.dat", VS_IO_WRITE, &f), 0);
    assert_int_equal(vs_file_truncate(f, 300000), 0);
    vs_file_close(f);
    vs_io_free(io);
    assert_int_equal(sb_rig_open(rig), 0);
    assert_false(rig->recovery.clean);
    for (uint64_t n = 0; n < 30; n++) {
        int r = sb_rig_check(rig, n, FRAG);

        assert_true(r == 0 || r == -ENOENT);
        lost += r == -ENOENT;
    }
    assert_in_range(lost, 10, 20);
    assert_int_equal(rig->recovery.corrupt, lost);
    assert_int_equal(sb_rig_put(rig, 0, FRAG), 0); /* healing them is a put */
    assert_int_equal(sb_rig_check(rig, 0, FRAG), 0);
}

static void rewrite_version(struct sb_rig *rig, const char *name, uint64_t offset, uint8_t version)
{
    struct vs_io *io = sb_rig_io(rig);
    uint8_t block[SB_BLOCK_BYTES];
    struct vs_file *f;
    uint32_t crc;

    assert_int_equal(vs_io_open(io, name, VS_IO_WRITE, &f), 0);
    assert_int_equal(vs_file_pread_full(f, block, sizeof(block), offset), 0);
    block[4] = version;
    memset(block + 8, 0, 4);
    crc = htole32(vs_crc32c(0, block, sizeof(block)));
    memcpy(block + 8, &crc, 4);
    assert_int_equal(vs_file_pwrite(f, block, sizeof(block), offset), 0);
    assert_int_equal(vs_file_fdatasync(f), 0);
    vs_file_close(f);
    vs_io_free(io);
}

static int newest_ckpt(void *arg, const char *name, uint64_t file_bytes)
{
    uint64_t *number = arg;

    (void)file_bytes;
    if (sb_ckpt_name_parse(name) > *number)
        *number = sb_ckpt_name_parse(name);
    return 0;
}

static void a_newer_format_refuses_to_open_and_a_flipped_bit_is_none(void **state)
{
    struct sb_rig *rig = *state;

    assert_int_equal(sb_rig_open(rig), 0);
    assert_int_equal(sb_rig_put(rig, 1, FRAG), 0);
    sb_rig_crash(rig); /* so that the superblock is looked at, without a checkpoint */
    for (unsigned i = 0; i < 3; i++) {
        static const char *const names[] = { "sb-0000000000000001.dat", "store.id" };
        char ckpt[SB_CKPT_NAME_BYTES];
        const char *name = i < 2 ? names[i] : ckpt;
        struct vs_io *io = sb_rig_io(rig);
        uint64_t number = 0;

        assert_int_equal(vs_io_list(io, newest_ckpt, &number), 0);
        sb_ckpt_name(number, ckpt);
        vs_io_free(io);
        rewrite_version(rig, name, 0, SB_FORMAT_VERSION + 1);
        assert_int_equal(sb_rig_open(rig), -VS_ENEWER);
        rewrite_version(rig, name, 0, SB_FORMAT_VERSION);
        sb_rig_flip(rig, name, 4, 1);
        assert_int_equal(sb_rig_open(rig), 0);
        assert_int_equal(sb_rig_check(rig, 1, FRAG), 0);
        sb_rig_crash(rig);
    }
}

/* ---- space ------------------------------------------------------------------------------------
 */

static void puts_stop_at_the_reserve_and_deletes_make_room(void **state)
{
    enum { MIB = 1 << 20 };
    struct sb_rig *rig = *state;
    struct vs_io_space space;
    struct store_health h;
    uint64_t n = 0, first_refused;
    struct vs_io *io;
    int r = 0;

    sim_io_set_capacity(rig->sim, 20 * MIB);
    rig->config.reserve_percent = 10;
    assert_int_equal(sb_rig_open(rig), 0);
    while (r == 0 && n < 1000) {
        r = sb_rig_put(rig, n, FRAG);
        n += r == 0;
    }
    assert_int_equal(r, -ENOSPC);
    assert_true(n > 120); /* 20 MiB less 10 % in records of 104 KiB */
    io = sb_rig_io(rig);
    assert_int_equal(vs_io_space(io, &space), 0);
    vs_io_free(io);
    assert_true(space.free_bytes >= 2 * MIB);
    assert_int_equal(state_of(rig, &h), STORE_UP);
    assert_true(h.free_bytes < 2 * FRAG);

    first_refused = n;
    assert_int_equal(sb_rig_put(rig, 0, FRAG), 0); /* the same again needs no room */
    for (uint64_t i = 0; i < 20; i++)
        assert_int_equal(sb_rig_del(rig, i), 0);
    for (; n < first_refused + 10; n++)
        assert_int_equal(sb_rig_put(rig, n, FRAG), 0);
    for (uint64_t i = 20; i < n; i++)
        assert_int_equal(sb_rig_check(rig, i, FRAG), 0);
}

/* Somebody else fills the disk to the last block: deletes still work, and space comes back. */
static void deletes_work_on_a_full_disk(void **state)
{
    struct sb_rig *rig = *state;
    struct vs_io_space space;
    struct vs_io *io;

    rig->config.file_bytes = 120000; /* one fragment fills a file: the TOMB needs another one */
    assert_int_equal(sb_rig_open(rig), 0);
    for (uint64_t n = 0; n < 10; n++)
        assert_int_equal(sb_rig_put(rig, n, FRAG), 0);
    assert_int_equal(sb_rig_files(rig, "ballast", NULL), 1);
    io = sb_rig_io(rig);
    assert_int_equal(vs_io_space(io, &space), 0);
    sim_io_set_capacity(rig->sim, space.total_bytes - space.free_bytes);
    assert_int_equal(sb_rig_put(rig, 10, FRAG), -ENOSPC);
    assert_int_equal(sb_rig_files(rig, "ballast", NULL), 1);
    for (uint64_t n = 0; n < 9; n++) {
        assert_int_equal(sb_rig_del(rig, n), 0);
        assert_int_equal(sb_rig_check(rig, n, FRAG), -ENOENT);
    }
    assert_int_equal(sb_rig_check(rig, 9, FRAG), 0);
    vs_io_free(io);
    sb_rig_close(rig);
    assert_int_equal(sb_rig_open(rig), 0);
    assert_int_equal(rig->recovery.fragments, 1);
    assert_int_equal(sb_rig_check(rig, 9, FRAG), 0);
}

static void a_deleted_payload_gives_its_blocks_back(void **state)
{
    struct sb_rig *rig = *state;
    uint64_t before, after;

    assert_int_equal(sb_rig_open(rig), 0);
    for (uint64_t n = 0; n < 6; n++)
        assert_int_equal(sb_rig_put(rig, n, FRAG), 0);
    sb_rig_files(rig, "sb-", &before);
    for (uint64_t n = 0; n < 5; n++)
        assert_int_equal(sb_rig_del(rig, n), 0);
    sb_rig_files(rig, "sb-", &after);
    assert_true(after + 5 * (FRAG - 4096) <= before + 5 * 8192);
    assert_int_equal(sb_rig_check(rig, 5, FRAG), 0);
}

/* ---- going down -------------------------------------------------------------------------------
 */

static void a_failed_sync_takes_the_store_down_with_a_sentence(void **state)
{
    struct sb_rig *rig = *state;
    struct store_health h;

    assert_int_equal(sb_rig_open(rig), 0);
    assert_int_equal(sb_rig_put(rig, 1, FRAG), 0);
    sim_io_fail_at(rig->sim, SIM_IO_SYNC, 0, -EIO, true);
    assert_int_equal(sb_rig_put(rig, 2, FRAG), -VS_EDOWN);
    assert_int_equal(state_of(rig, &h), STORE_DOWN);
    assert_non_null(strstr(h.why, "Syncing"));
    assert_non_null(strstr(h.why, "Input/output error"));
    assert_int_equal(sb_rig_check(rig, 1, FRAG), -VS_EDOWN);
    assert_int_equal(sb_rig_del(rig, 1), -VS_EDOWN);
    assert_int_equal(sb_store_checkpoint(rig->ss.s), -VS_EDOWN);
    sb_rig_close(rig);
    assert_int_equal(sb_rig_open(rig), 0);
    assert_int_equal(sb_rig_check(rig, 1, FRAG), 0);
    assert_int_equal(sb_rig_check(rig, 2, FRAG), -ENOENT);
}

static void remove_all(struct sb_rig *rig, bool directory)
{
    char command[128];
    struct vs_io *io = sb_rig_io(rig);
    static const char *const names[] = { "store.id", "ballast", "sb-0000000000000001.dat" };

    for (unsigned i = 0; i < 3; i++)
        (void)vs_io_unlink(io, names[i]);
    vs_io_free(io);
    snprintf(command, sizeof(command), "%s", rig->dir);
    if (directory)
        assert_int_equal(rmdir(command), 0);
}

static void a_put_into_a_directory_that_was_removed_is_not_acknowledged(void **state)
{
    struct sb_rig *rig = *state;
    struct store_health h;

    assert_int_equal(sb_rig_open(rig), 0);
    assert_int_equal(sb_rig_put(rig, 1, FRAG), 0);
    remove_all(rig, true);
    assert_int_equal(sb_rig_put(rig, 2, FRAG), -VS_EDOWN);
    assert_int_equal(state_of(rig, &h), STORE_DOWN);
    assert_non_null(strstr(h.why, "removed"));
}

static void a_put_into_a_file_that_was_removed_is_not_acknowledged(void **state)
{
    struct sb_rig *rig = *state;
    struct store_health h;
    struct vs_io *io;

    assert_int_equal(sb_rig_open(rig), 0);
    assert_int_equal(sb_rig_put(rig, 1, FRAG), 0);
    io = sb_rig_io(rig);
    assert_int_equal(vs_io_unlink(io, "sb-0000000000000001.dat"), 0);
    vs_io_free(io);
    assert_int_equal(sb_rig_put(rig, 2, FRAG), -VS_EDOWN);
    assert_int_equal(state_of(rig, &h), STORE_DOWN);
    assert_non_null(strstr(h.why, "removed"));
}

static void an_idle_store_notices_within_a_second_that_it_was_emptied(void **state)
{
    struct sb_rig *rig = *state;
    struct store_health h;
    unsigned waited_ms = 0;

    assert_int_equal(sb_rig_open(rig), 0);
    assert_int_equal(sb_rig_put(rig, 1, FRAG), 0);
    remove_all(rig, false);
    while (state_of(rig, &h) != STORE_DOWN && waited_ms < 5000) {
        usleep(10000);
        waited_ms += 10;
    }
    assert_true(waited_ms < 1500);
    assert_non_null(strstr(h.why, "emptied"));
}

/* ---- requests ---------------------------------------------------------------------------------
 */

static void put_done(struct store_put *p)
{
    (void)p;
}

static void a_put_from_afar_with_a_wrong_sha_is_refused(void **state)
{
    struct sb_rig *rig = *state;
    static const struct frag_note note = { .red = { VS_RED_RS, 3, 2 } };
    struct store_put p = { .key = sync_key(1), .note = &note, .data = "abc", .bytes = 3 };

    rig->config.check_sha = true;
    assert_int_equal(sb_rig_open(rig), 0);
    p.done = put_done;
    chunk_store_put(rig->ss.s, &p);
    sb_store_run(rig->ss.s);
    assert_int_equal(p.status, -EINVAL);
    assert_int_equal(sb_rig_check(rig, 1, 3), -ENOENT);
}

static unsigned gets_again;
static void get_done(struct store_get *g)
{
    gets_again += g->status == -EAGAIN;
}

static void more_requests_than_the_queue_holds_are_told_to_come_again(void **state)
{
    enum { COUNT = CHUNK_STORE_QUEUE_MAX + 10 };
    struct sb_rig *rig = *state;
    struct store_get *g = calloc(COUNT, sizeof(*g));

    gets_again = 0;
    assert_int_equal(sb_rig_open(rig), 0);
    for (unsigned i = 0; i < COUNT; i++) {
        g[i].key = sync_key(1);
        g[i].done = get_done;
        chunk_store_get(rig->ss.s, &g[i]);
    }
    sb_store_run(rig->ss.s);
    assert_int_equal(gets_again, 10);
    free(g);
}

/* A delete between a reader's look-up and its read may punch the payload under it: the reader must
 * hear that the fragment is gone, not that it rots. The read is held until that has happened. */
static struct {
    const struct vs_io_ops *real;
    struct vs_io_ops ops;
    struct sb_rig *rig;
    uint64_t allocated; /* before */
    bool armed;
} held;

static int64_t held_pread(struct vs_file *f, void *dst, size_t len, uint64_t offset)
{
    if (len > SB_BLOCK_BYTES && __atomic_exchange_n(&held.armed, false, __ATOMIC_SEQ_CST)) {
        uint64_t allocated;

        VS_ASSERT(sb_rig_del(held.rig, 1) == 0);
        do {
            usleep(1000);
            VS_ASSERT(held.real->allocated(f, &allocated) == 0);
        } while (allocated + FRAG - SB_BLOCK_BYTES > held.allocated);
    }
    return held.real->pread(f, dst, len, offset);
}

static void a_read_beside_a_delete_says_gone_and_not_corrupt(void **state)
{
    struct sb_rig *rig = *state;
    struct store_health h;
    struct vs_io *io = sb_rig_io(rig);

    held.real = io->ops;
    held.ops = *io->ops;
    held.ops.pread = held_pread;
    held.rig = rig;
    io->ops = &held.ops;
    rig->config.io = io;
    assert_int_equal(sb_store_open(&rig->ss.s, &rig->config, NULL), 0);
    rig->ss.run = NULL;
    assert_int_equal(sb_rig_put(rig, 1, FRAG), 0);
    assert_int_equal(sb_rig_put(rig, 2, FRAG), 0);
    sb_rig_files(rig, "sb-", &held.allocated);
    __atomic_store_n(&held.armed, true, __ATOMIC_SEQ_CST);
    assert_int_equal(sb_rig_check(rig, 1, FRAG), -ENOENT);
    assert_false(held.armed);
    assert_int_equal(sb_rig_check(rig, 2, FRAG), 0);
    chunk_store_health(rig->ss.s, &h);
    assert_int_equal(h.corrupt_records, 0);
}

#define ON(disk, test) cmocka_unit_test_setup_teardown(test, sb_rig_setup_##disk, sb_rig_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON(disk, an_empty_directory_is_no_store_and_is_not_made_one),
        ON(sim, a_store_of_others_is_refused),
        ON(disk, only_an_empty_directory_is_formatted),
        ON(sim, a_file_system_without_holes_is_refused),
        ON(sim, a_format_that_was_cut_can_be_done_again),
        ON(disk, the_identity_survives_the_loss_of_its_file_and_of_one_copy),
        ON(sim, both_copies_of_the_identity_lost_and_nothing_else_is_corrupt),
        ON(disk, a_clean_stop_gives_unused_space_back_and_the_next_start_goes_on),
        ON(sim, a_full_file_is_sealed_and_read_by_its_seal),
        ON(sim, starts_after_kills_do_not_eat_the_disk),
        ON(sim, a_missing_or_shortened_file_costs_only_what_it_held),
        ON(sim, a_newer_format_refuses_to_open_and_a_flipped_bit_is_none),
        ON(sim, puts_stop_at_the_reserve_and_deletes_make_room),
        ON(sim, deletes_work_on_a_full_disk),
        ON(sim, a_deleted_payload_gives_its_blocks_back),
        ON(sim, a_failed_sync_takes_the_store_down_with_a_sentence),
        ON(disk, a_put_into_a_directory_that_was_removed_is_not_acknowledged),
        ON(disk, a_put_into_a_file_that_was_removed_is_not_acknowledged),
        ON(disk, an_idle_store_notices_within_a_second_that_it_was_emptied),
        ON(sim, a_put_from_afar_with_a_wrong_sha_is_refused),
        ON(sim, more_requests_than_the_queue_holds_are_told_to_come_again),
        ON(disk, a_read_beside_a_delete_says_gone_and_not_corrupt),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
