/* data_rig: a data directory on a real file system, for tests of starts: opened, closed, and
 * damaged in between. Disks are directories beside it. */
#ifndef VS_TESTS_DATA_RIG_H
#define VS_TESTS_DATA_RIG_H

#include "fs/data_dir.h"
#include "tests/support/temp_dir.h"

#define DATA_RIG_PATH_BYTES 512
#define DATA_RIG_DISKS_MAX  8

struct data_rig_clock {
    struct vs_clock clock; /* first: the functions get a pointer to it */
    _Atomic int64_t ahead_ns;
    int64_t step_ns; /* added each time it is asked */
};

struct data_rig {
    struct vsfs fs;
    struct data_dir data;
    struct data_rig_clock clock;
    char why[DATA_DIR_WHY_BYTES];
    char dir[TEMP_DIR_BYTES];           /* holds data/ and disks */
    char data_dir[DATA_RIG_PATH_BYTES]; /* dir/data: not made yet */
    char disks[DATA_RIG_DISKS_MAX][DATA_RIG_PATH_BYTES];
};

/* As cmocka's setup and teardown: *state is a struct data_rig, closed or open. */
int data_rig_setup(void **state);
int data_rig_teardown(void **state);
#define DATA_TEST(name) cmocka_unit_test_setup_teardown(name, data_rig_setup, data_rig_teardown)

/* Give directories dir/d1 .. dir/dN as disks; they are made. */
void data_rig_disks(struct data_rig *r, unsigned count);
/* data_dir_open() with what was left of the last mount wiped; its result. */
int data_rig_open(struct data_rig *r);
/* It must work, or fail with a sentence that has these words. */
void data_rig_must_open(struct data_rig *r);
void data_rig_must_refuse(struct data_rig *r, int error, const char *words);
void data_rig_close(struct data_rig *r);

/* dir/NAME; one of a few buffers in turn. */
const char *data_rig_path(struct data_rig *r, const char *name);
/* Below data_rig_path(): whole trees. */
void data_rig_remove(struct data_rig *r, const char *name);
void data_rig_move(struct data_rig *r, const char *from, const char *to);
void data_rig_copy(struct data_rig *r, const char *from, const char *to);
void data_rig_mkdir(struct data_rig *r, const char *name);
void data_rig_write(struct data_rig *r, const char *name, const char *text);
bool data_rig_exists(struct data_rig *r, const char *name);
/* A hash of names, sizes and bytes of everything below. */
uint64_t data_rig_print(struct data_rig *r, const char *name);

/* Put or check a fragment of its own on each store that is up: how many were good. */
unsigned data_rig_put(struct data_rig *r, uint64_t seed);
unsigned data_rig_check(struct data_rig *r, uint64_t seed);

enum store_state data_rig_state(struct data_rig *r, unsigned i);

#endif
