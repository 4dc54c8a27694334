/* data_rig: see the header. */
#include "tests/support/data_rig.h"

#include "common/assert.h"
#include "common/crc.h"
#include "tests/support/store_sync.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define WALK_FDS_MAX  16
#define FRAG_BYTES    100000
#define SUPERBLOCK    (64u << 20)
#define PATHS_IN_TURN 4

static int64_t rig_now(const struct vs_clock *c)
{
    struct data_rig_clock *d = (struct data_rig_clock *)(uintptr_t)c;

    d->ahead_ns += d->step_ns;
    return vs_clock_system.now_ns(&vs_clock_system) + d->ahead_ns;
}

static int64_t rig_real(const struct vs_clock *c)
{
    (void)c;
    return vs_clock_system.real_ns(&vs_clock_system);
}

int data_rig_setup(void **state)
{
    struct data_rig *r = calloc(1, sizeof(*r));

    assert_non_null(r);
    temp_dir_make(r->dir);
    snprintf(r->data_dir, sizeof(r->data_dir), "%s/data", r->dir);
    r->clock.clock = (struct vs_clock){ rig_now, rig_real };
    r->fs.opt.data_dir = r->data_dir;
    r->fs.opt.superblock_bytes = SUPERBLOCK;
    r->fs.opt.reserve_percent = 1;
    *state = r;
    return 0;
}

int data_rig_teardown(void **state)
{
    struct data_rig *r = *state;

    data_rig_close(r);
    temp_dir_remove(r->dir);
    free(r);
    return 0;
}

void data_rig_disks(struct data_rig *r, unsigned count)
{
    assert_true(count <= DATA_RIG_DISKS_MAX);
    r->fs.opt.disk_count = count;
    for (unsigned i = 0; i < count; i++) {
        snprintf(r->disks[i], sizeof(r->disks[i]), "%s/d%u", r->dir, i + 1);
        assert_true(mkdir(r->disks[i], 0700) == 0 || errno == EEXIST);
        r->fs.opt.disks[i] = r->disks[i];
    }
}

int data_rig_open(struct data_rig *r)
{
    const struct vsfs_options opt = r->fs.opt;

    r->fs = (struct vsfs){ .opt = opt, .clock = &r->clock.clock };
    r->data = (struct data_dir){ .opened = false };
    r->why[0] = '\0';
    return data_dir_open(&r->data, &r->fs, r->why);
}

void data_rig_must_open(struct data_rig *r)
{
    if (data_rig_open(r) < 0)
        fail_msg("refused: %s", r->why);
}

void data_rig_must_refuse(struct data_rig *r, int error, const char *words)
{
    int e = data_rig_open(r);

    if (e != error || strstr(r->why, words) == NULL)
        fail_msg("%d, not %d with \"%s\": %s", e, error, words, r->why);
    assert_null(r->fs.meta); /* all is closed again */
    assert_int_equal(r->fs.stores.count, 0);
    assert_int_equal(r->data.lock_fd, -1);
}

void data_rig_close(struct data_rig *r)
{
    data_dir_close(&r->data, &r->fs);
}

/* ---- files ---- */

const char *data_rig_path(struct data_rig *r, const char *name)
{
    static char path[PATHS_IN_TURN][DATA_RIG_PATH_BYTES];
    static unsigned turn;

    turn = (turn + 1) % PATHS_IN_TURN;
    snprintf(path[turn], sizeof(path[turn]), "%s/%s", r->dir, name);
    return path[turn];
}

void data_rig_remove(struct data_rig *r, const char *name)
{
    temp_dir_remove(data_rig_path(r, name));
    assert_false(data_rig_exists(r, name));
}

void data_rig_move(struct data_rig *r, const char *from, const char *to)
{
    assert_int_equal(rename(data_rig_path(r, from), data_rig_path(r, to)), 0);
}

void data_rig_copy(struct data_rig *r, const char *from, const char *to)
{
    char *argv[] = { "cp", "-a", "--", strdup(data_rig_path(r, from)), strdup(data_rig_path(r, to)),
                     NULL };
    pid_t pid;
    int status = -1;

    assert_int_equal(posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    free(argv[3]);
    free(argv[4]);
}

void data_rig_mkdir(struct data_rig *r, const char *name)
{
    assert_int_equal(mkdir(data_rig_path(r, name), 0700), 0);
}

void data_rig_write(struct data_rig *r, const char *name, const char *text)
{
    FILE *f = fopen(data_rig_path(r, name), "w");

    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

bool data_rig_exists(struct data_rig *r, const char *name)
{
    struct stat st;

    return lstat(data_rig_path(r, name), &st) == 0;
}

static uint64_t print_sum; /* order of entries does not count */
static size_t print_skip;

static int print_entry(const char *path, const struct stat *st, int kind, struct FTW *walk)
{
    static char bytes[1u << 16];
    uint32_t crc = vs_crc32c(0, path + print_skip, strlen(path + print_skip));
    int fd = kind == FTW_F ? open(path, O_RDONLY) : -1;
    ssize_t n;

    (void)walk;
    crc = vs_crc32c(crc, &st->st_mode, sizeof(st->st_mode));
    while (fd >= 0 && (n = read(fd, bytes, sizeof(bytes))) > 0)
        crc = vs_crc32c(crc, bytes, (size_t)n);
    if (fd >= 0)
        close(fd);
    print_sum += crc + 1;
    return 0;
}

uint64_t data_rig_print(struct data_rig *r, const char *name)
{
    const char *path = data_rig_path(r, name);

    print_sum = 0;
    print_skip = strlen(path);
    nftw(path, print_entry, WALK_FDS_MAX, FTW_PHYS);
    return print_sum;
}

/* ---- stores ---- */

unsigned data_rig_put(struct data_rig *r, uint64_t seed)
{
    unsigned good = 0;

    for (unsigned i = 0; i < r->fs.stores.count; i++) {
        const struct sync_store ss = { .s = atomic_load(&r->fs.stores.entries[i].store) };
        struct frag_key key = sync_key(seed * 100 + i);
        uint8_t *bytes = sync_bytes(seed * 100 + i, FRAG_BYTES);

        if (ss.s != NULL)
            good += sync_put(&ss, &key, NULL, bytes, FRAG_BYTES) == 0;
        free(bytes);
    }
    return good;
}

unsigned data_rig_check(struct data_rig *r, uint64_t seed)
{
    unsigned good = 0;

    for (unsigned i = 0; i < r->fs.stores.count; i++) {
        const struct sync_store ss = { .s = atomic_load(&r->fs.stores.entries[i].store) };
        struct frag_key key = sync_key(seed * 100 + i);

        if (ss.s != NULL)
            good += sync_check(&ss, &key, seed * 100 + i, FRAG_BYTES) == 0;
    }
    return good;
}

enum store_state data_rig_state(struct data_rig *r, unsigned i)
{
    struct store_health h;

    store_set_health(&r->fs.stores, i, &h);
    return h.state;
}
