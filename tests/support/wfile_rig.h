/* wfile_rig: a mount without a kernel, for tests of the write path: metadata and five stores in
 * memory, the real uploads, reader and contents, and calls that behave as the FUSE callbacks do
 * (try at once, then wait). */
#ifndef VS_TESTS_WFILE_RIG_H
#define VS_TESTS_WFILE_RIG_H

#include "fs/wfile.h"
#include "tests/support/temp_dir.h"

#define RIG_STORES 5
#define RIG_BYTES  (16u << 20)

struct rig {
    struct vsfs fs;
    struct vs_exec *store_exec;
    struct chunk_store *mem[RIG_STORES];
    char dir[TEMP_DIR_BYTES];
    uint8_t *bytes, *other; /* RIG_BYTES each, random, different from each other */
};

void rig_open(struct rig *r);
void rig_close(struct rig *r);

/* The rig as a CMocka fixture: *state is a struct rig. */
int rig_setup(void **state);
int rig_teardown(void **state);
#define RIG_TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)

/* A provisional file of that name in `parent`, with one handle; a reference. */
struct inode *rig_create(struct rig *r, uint64_t parent, const char *name);
/* Looks the name up and opens it for writing; a reference. */
struct inode *rig_open_file(struct rig *r, uint64_t parent, const char *name, bool truncate);
/* A reference for reading only; NULL: no such name. */
struct inode *rig_find(struct rig *r, uint64_t parent, const char *name);
void rig_put(struct rig *r, struct inode *i);
/* FLUSH and RELEASE, and the reference; the first error. */
int rig_release(struct rig *r, struct inode *i);

int rig_write(struct rig *r, struct inode *i, uint64_t offset, const void *bytes, size_t len);
/* The same in pieces of at most 1 MiB, as the kernel cuts it; must succeed. */
void rig_write_all(struct rig *r, struct inode *i, uint64_t offset, const uint8_t *bytes,
                   size_t len);
/* A whole file, created, written, closed. */
void rig_store(struct rig *r, uint64_t parent, const char *name, const uint8_t *bytes, size_t len);
/* As much as is asked for, in pieces of at most 1 MiB, until the end of the file. */
int64_t rig_read(struct rig *r, struct inode *i, uint64_t offset, void *dst, size_t len);
/* As stat(2) would say. */
struct ns_attr rig_attr(struct rig *r, struct inode *i);
/* What the metadata says of a name, which must be there. */
struct ns_attr rig_stored_attr(struct rig *r, uint64_t parent, const char *name);
size_t rig_chunk_count(struct rig *r, uint64_t ino);
/* Fail the test unless the file reads as these bytes, and is as long. */
void rig_check(struct rig *r, struct inode *i, const uint8_t *bytes, size_t len);
/* The same of a name in the root that nobody writes. */
void rig_check_stored(struct rig *r, const char *name, const uint8_t *bytes, size_t len);

void rig_stores_down(struct rig *r, unsigned count, bool down);

/* Let the collector finish, and fail the test unless what is used by the files of the root
 * directory is what there is in registers and stores. Nothing may be open or uncommitted. */
void rig_check_no_leak(struct rig *r);

/* Bytes that are different everywhere: a function of seed and offset. */
void rig_fill(uint8_t *dst, size_t len, uint64_t seed);

#endif
