/* A superblock store for one test. Everything that must work for the test to mean something is
 * asserted here. */
#include "tests/support/sb_rig.h"

#include "common/assert.h"
#include "common/err.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct vs_id cluster = { { 0xc1 } }, node = { { 0x0d } };

struct vs_io *sb_rig_io(const struct sb_rig *rig)
{
    struct vs_io *io = NULL;

    if (rig->sim != NULL)
        return sim_io_boot(rig->sim);
    VS_ASSERT(vs_io_posix_new(&io, rig->dir) == 0);
    return io;
}

static int rig_setup(void **state, struct sb_rig *rig)
{
    struct vs_io *io = sb_rig_io(rig);

    VS_ASSERT(sb_store_format(io, &cluster, &node) == 0);
    vs_io_free(io);
    rig->config = (struct sb_store_config){
        .cluster = cluster,
        .node = node,
        .reserve_percent = 1,
        .serial = rig->sim != NULL,
        .file_bytes = rig->sim != NULL ? 1u << 20 : 0,
        .clock = &vs_clock_system,
    };
    *state = rig;
    return 0;
}

int sb_rig_setup_sim(void **state)
{
    struct sb_rig *rig = calloc(1, sizeof(*rig));

    VS_ASSERT(rig != NULL);
    rig->sim = sim_io_new();
    return rig_setup(state, rig);
}

int sb_rig_setup_disk(void **state)
{
    struct sb_rig *rig = calloc(1, sizeof(*rig));

    VS_ASSERT(rig != NULL);
    snprintf(rig->dir, sizeof(rig->dir), "/tmp/vs-store-XXXXXX");
    VS_ASSERT(mkdtemp(rig->dir) != NULL);
    return rig_setup(state, rig);
}

static int unlink_one(void *arg, const char *name, uint64_t file_bytes)
{
    (void)file_bytes;
    return vs_io_unlink(arg, name);
}

int sb_rig_teardown(void **state)
{
    struct sb_rig *rig = *state;
    struct vs_io *io;

    sb_rig_close(rig);
    if (rig->dir[0] != '\0' && vs_io_posix_new(&io, rig->dir) == 0) {
        VS_ASSERT(vs_io_list(io, unlink_one, io) == 0);
        vs_io_free(io);
        rmdir(rig->dir);
    }
    sim_io_free(rig->sim);
    free(rig);
    return 0;
}

int sb_rig_open(struct sb_rig *rig)
{
    int r;

    VS_ASSERT(rig->ss.s == NULL);
    rig->recovery = (struct sb_recovery){ 0 };
    rig->config.io = sb_rig_io(rig);
    rig->ss.run = rig->config.serial ? sb_store_run : NULL;
    r = sb_store_open(&rig->ss.s, &rig->config, &rig->recovery);
    if (r < 0)
        rig->ss.s = NULL;
    return r;
}

void sb_rig_close(struct sb_rig *rig)
{
    chunk_store_stop(rig->ss.s);
    rig->ss.s = NULL;
}

void sb_rig_crash(struct sb_rig *rig)
{
    /* A store that is down closes without a word to the disk. */
    sim_io_fail_at(rig->sim, SIM_IO_SYNC, 0, -EIO, false);
    sim_io_fail_at(rig->sim, SIM_IO_TRUNCATE, 0, -EIO, true);
    sim_io_fail_at(rig->sim, SIM_IO_CREATE, 0, -EIO, true);
    sb_rig_close(rig);
    sim_io_fail_at(rig->sim, SIM_IO_SYNC, UINT64_MAX / 2, -EIO, false);
    sim_io_fail_at(rig->sim, SIM_IO_TRUNCATE, UINT64_MAX / 2, -EIO, false);
    sim_io_fail_at(rig->sim, SIM_IO_CREATE, UINT64_MAX / 2, -EIO, false);
}

int sb_rig_put(struct sb_rig *rig, uint64_t n, size_t bytes)
{
    struct frag_key key = sync_key(n);
    uint8_t *data = sync_bytes(n, bytes);
    int r = sync_put(&rig->ss, &key, NULL, data, bytes);

    free(data);
    return r;
}

int sb_rig_check(struct sb_rig *rig, uint64_t n, size_t bytes)
{
    struct frag_key key = sync_key(n);

    return sync_check(&rig->ss, &key, n, bytes);
}

int sb_rig_del(struct sb_rig *rig, uint64_t n)
{
    struct frag_key key = sync_key(n);

    return sync_del(&rig->ss, &key);
}

struct counted {
    struct vs_io *io;
    const char *prefix;
    unsigned files;
    uint64_t allocated;
};

static int count_one(void *arg, const char *name, uint64_t file_bytes)
{
    struct counted *c = arg;
    struct vs_file *f;
    uint64_t bytes;

    (void)file_bytes;
    if (strncmp(name, c->prefix, strlen(c->prefix)) != 0)
        return 0;
    VS_ASSERT(vs_io_open(c->io, name, VS_IO_READ, &f) == 0);
    VS_ASSERT(vs_file_allocated(f, &bytes) == 0);
    vs_file_close(f);
    c->files++;
    c->allocated += bytes;
    return 0;
}

unsigned sb_rig_files(const struct sb_rig *rig, const char *prefix, uint64_t *ret_allocated)
{
    struct counted c = { .io = sb_rig_io(rig), .prefix = prefix };

    VS_ASSERT(vs_io_list(c.io, count_one, &c) == 0);
    vs_io_free(c.io);
    if (ret_allocated != NULL)
        *ret_allocated = c.allocated;
    return c.files;
}

void sb_rig_flip(const struct sb_rig *rig, const char *name, uint64_t offset, unsigned bit)
{
    struct vs_io *io;
    struct vs_file *f;
    uint8_t byte;

    if (rig->sim != NULL) {
        VS_ASSERT(sim_io_flip_bit(rig->sim, name, offset, bit) == 0);
        return;
    }
    io = sb_rig_io(rig);
    VS_ASSERT(vs_io_open(io, name, VS_IO_WRITE, &f) == 0);
    VS_ASSERT(vs_file_pread_full(f, &byte, 1, offset) == 0);
    byte ^= (uint8_t)(1u << bit);
    VS_ASSERT(vs_file_pwrite(f, &byte, 1, offset) == 0);
    VS_ASSERT(vs_file_fdatasync(f) == 0);
    vs_file_close(f);
    vs_io_free(io);
}
