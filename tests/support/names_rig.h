/* names_rig: a mount without a kernel, for tests of names and the inbox: the write rig, provisional
 * names, the inbox, and a clock that can be turned forward. */
#ifndef VS_TESTS_NAMES_RIG_H
#define VS_TESTS_NAMES_RIG_H

#include "fs/files.h"
#include "fs/inbox.h"
#include "fs/provisional.h"
#include "tests/support/wfile_rig.h"

#define NAMES_TEXT_MAX 256

struct names_clock {
    struct vs_clock clock; /* first: the functions get a pointer to it */
    _Atomic int64_t ahead_ns;
};

struct names_rig {
    struct rig rig;
    struct names_clock clock;
    struct vsfs *fs;
};

void names_rig_open(struct names_rig *r);
void names_rig_close(struct names_rig *r);
/* As cmocka's setup and teardown. */
int names_rig_setup(void **state);
int names_rig_teardown(void **state);

#define NAMES_TEST(f) cmocka_unit_test_setup_teardown(f, names_rig_setup, names_rig_teardown)

/* A new file, open for writing. */
struct file *names_rig_create(struct names_rig *r, uint64_t parent, const char *name);
/* An existing one (by name; flags as open(2)); its errno as open(2) would. */
int names_rig_open_name(struct names_rig *r, uint64_t parent, const char *name, int flags,
                        struct file **ret);
struct file *names_rig_open_file(struct names_rig *r, uint64_t parent, const char *name, int flags);
void names_rig_write(struct names_rig *r, struct file *f, uint64_t offset, const char *text);
/* close(2): FLUSH, then RELEASE; FLUSH's result. */
int names_rig_close_file(struct names_rig *r, struct file *f);
/* Create, write, close. */
void names_rig_put(struct names_rig *r, uint64_t parent, const char *name, const char *text);
/* The file of that name holds this text. */
void names_rig_check(struct names_rig *r, uint64_t parent, const char *name, const char *text);
/* What a handle reads. */
void names_rig_check_file(struct names_rig *r, struct file *f, const char *text);

uint64_t names_rig_mkdir(struct names_rig *r, uint64_t parent, const char *name);
/* What the name stands for, as a lookup says. */
enum names_kind names_rig_kind(struct names_rig *r, uint64_t parent, const char *name);
/* Its inode number; 0: none. */
uint64_t names_rig_ino(struct names_rig *r, uint64_t parent, const char *name);
int names_rig_unlink(struct names_rig *r, uint64_t parent, const char *name);
int names_rig_rename(struct names_rig *r, uint64_t parent, const char *name, uint64_t new_parent,
                     const char *new_name, unsigned flags);
/* -1: the metadata knows no such inode. */
int names_rig_nlink(struct names_rig *r, uint64_t ino);
/* Is the inode unlinked and not yet forgotten? */
bool names_rig_is_orphan(struct names_rig *r, uint64_t ino);

/* Wait until the inbox has nothing under way. */
void names_rig_settle(struct names_rig *r);
/* Turn the clock, let the inbox look at it, and wait for what it does. */
void names_rig_advance(struct names_rig *r, int64_t s);

#endif
