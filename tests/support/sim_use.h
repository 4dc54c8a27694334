/* Steps that tests of the simulated disk repeat. Each asserts that it worked, so a test that wants
 * an error uses the calls of file_io.h. */
#ifndef VS_TESTS_SIM_USE_H
#define VS_TESTS_SIM_USE_H

#include "tests/support/sim_io.h"

#define SIM_USE_SECTOR_BYTES 512u
#define SIM_USE_NO_SECTOR    0xee /* behind the end of the file */

struct vs_file *sim_use_open(struct vs_io *io, const char *name, unsigned how);
/* A new file whose name is durable. */
struct vs_file *sim_use_create(struct vs_io *io, const char *name);
void sim_use_fill(struct vs_file *f, uint8_t byte, size_t len, uint64_t offset);
uint8_t sim_use_byte_at(struct vs_file *f, uint64_t offset);
/* Boot, and give the byte that each of the first `count` sectors of a file is full of; a sector
 * with two kinds of bytes, or half a sector, aborts. */
void sim_use_sectors(struct sim_io *sim, const char *name, uint8_t *ret, size_t count);
bool sim_use_exists(struct sim_io *sim, const char *name);

#endif
