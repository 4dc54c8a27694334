/* Steps on the simulated disk, asserted with VS_ASSERT: a failure names the file and line here, the
 * test that made it is in the trace. */
#include "tests/support/sim_use.h"

#include "common/assert.h"

#include <stdlib.h>
#include <string.h>

struct vs_file *sim_use_open(struct vs_io *io, const char *name, unsigned how)
{
    struct vs_file *f = NULL;

    VS_ASSERT(vs_io_open(io, name, how, &f) == 0);
    return f;
}

struct vs_file *sim_use_create(struct vs_io *io, const char *name)
{
    struct vs_file *f = sim_use_open(io, name, VS_IO_WRITE | VS_IO_CREATE);

    VS_ASSERT(vs_io_sync_dir(io) == 0);
    return f;
}

void sim_use_fill(struct vs_file *f, uint8_t byte, size_t len, uint64_t offset)
{
    uint8_t *bytes = malloc(len);

    VS_ASSERT(bytes != NULL);
    memset(bytes, byte, len);
    VS_ASSERT(vs_file_pwrite(f, bytes, len, offset) == 0);
    free(bytes);
}

uint8_t sim_use_byte_at(struct vs_file *f, uint64_t offset)
{
    uint8_t byte = 0;

    VS_ASSERT(vs_file_pread(f, &byte, 1, offset) == 1);
    return byte;
}

void sim_use_sectors(struct sim_io *sim, const char *name, uint8_t *ret, size_t count)
{
    struct vs_io *io = sim_io_boot(sim);
    struct vs_file *f = sim_use_open(io, name, VS_IO_READ);

    for (size_t i = 0; i < count; i++) {
        uint8_t sector[SIM_USE_SECTOR_BYTES];
        int64_t n = vs_file_pread(f, sector, sizeof(sector), i * sizeof(sector));

        VS_ASSERT(n == 0 || n == (int64_t)sizeof(sector));
        ret[i] = n == 0 ? SIM_USE_NO_SECTOR : sector[0];
        for (size_t k = 1; n > 0 && k < sizeof(sector); k++)
            VS_ASSERT(sector[k] == sector[0]);
    }
    vs_file_close(f);
    vs_io_free(io);
}

bool sim_use_exists(struct sim_io *sim, const char *name)
{
    uint64_t bytes;

    return sim_io_file_bytes(sim, name, &bytes) == 0;
}
