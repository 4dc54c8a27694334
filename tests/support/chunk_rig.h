/* chunk_rig: chunks on five stores in memory and their registers in a table, for tests of reading:
 * fetches, contents, read requests. Files are made of such chunks by hand, so that small ones have
 * several segments.
 *
 * The metadata knows registers, their list, and such files only; what it answers may be changed. */
#ifndef VS_TESTS_CHUNK_RIG_H
#define VS_TESTS_CHUNK_RIG_H

#include "fs/chunk_reader.h"
#include "fs/content.h"
#include "meta/place_value.h"
#include "tests/support/store_twist.h"
#include <pthread.h>

#define CHUNK_RIG_STORES     5
#define CHUNK_RIG_CHUNKS_MAX 2048
#define CHUNK_RIG_FILES_MAX  16

struct chunk_rig_chunk {
    struct mf_chunk chunk;
    struct vs_buf value; /* of its register; empty: there is none */
    uint8_t *bytes;      /* owned */
};

struct chunk_rig_file {
    struct ns_attr attr; /* ino is its number */
    struct vs_buf bytes; /* inline content, or the encoded head */
    uint8_t *content;    /* what it must read as: owned */
};

struct chunk_rig {
    struct vs_exec *exec;
    struct store_set stores;                     /* of twists */
    struct chunk_store *twist[CHUNK_RIG_STORES]; /* in front of */
    struct chunk_store *mem[CHUNK_RIG_STORES];
    struct meta_client meta;
    struct chunk_reader *reader; /* with a cache of 4 MiB */
    pthread_mutex_t lock;        /* the tables below */
    struct chunk_rig_chunk at[CHUNK_RIG_CHUNKS_MAX];
    unsigned count;
    struct chunk_rig_file file[CHUNK_RIG_FILES_MAX]; /* file i has inode 100 + i */
    unsigned file_count;
    _Atomic unsigned register_reads, loads;
    /* Called before a request is answered; may change the answer, or block. */
    void (*answering)(void *arg, struct meta_req *r);
    void *arg;
};

/* As cmocka's setup and teardown: *state is a struct chunk_rig. */
int chunk_rig_setup(void **state);
int chunk_rig_teardown(void **state);
#define CHUNK_TEST(name) cmocka_unit_test_setup_teardown(name, chunk_rig_setup, chunk_rig_teardown)

extern const struct vs_redundancy rs32, rs22, three, two, one;

/* A chunk of `len` random bytes; its number in f->at. */
unsigned chunk_rig_write(struct chunk_rig *f, size_t len, struct vs_redundancy red);
/* Write the same bytes once more as this generation and form, and say so in the register. */
void chunk_rig_rewrite(struct chunk_rig *f, unsigned c, struct vs_redundancy red,
                       uint32_t generation);
struct place_value chunk_rig_place(struct chunk_rig *f, unsigned c);
void chunk_rig_set_place(struct chunk_rig *f, unsigned c, const struct place_value *v);
void chunk_rig_set_value(struct chunk_rig *f, unsigned c, const void *value, size_t len);
/* The register of a segment of a file. */
unsigned chunk_rig_segment(struct chunk_rig *f, unsigned file, unsigned index);
/* Bit n: store n answers -VS_EDOWN. */
void chunk_rig_down(struct chunk_rig *f, unsigned mask);
/* A reader with empty caches. */
void chunk_rig_fresh_reader(struct chunk_rig *f);

/* A file of `count` pieces of these lengths, a negative one is a hole; its number. */
unsigned chunk_rig_file(struct chunk_rig *f, const int64_t *lens, unsigned count,
                        struct vs_redundancy red);
unsigned chunk_rig_inline_file(struct chunk_rig *f, size_t len);
/* File `to` becomes the new content of `file`, one version later; the chunks of the old get TOMBs.
 * `to` stays readable by its own number. */
void chunk_rig_swap(struct chunk_rig *f, unsigned file, unsigned to);

#endif
