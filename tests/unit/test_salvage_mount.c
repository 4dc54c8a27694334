/* salvage: the stores of a mount give its metadata back; what was damaged on them is told, and
 * never believed; what cannot be salvaged makes nothing. */
#include "common/err.h"
#include "common/rand.h"
#include "fs/meta_copy.h"
#include "fs/vsfs_start.h"
#include "ingest/cutter.h"
#include "meta/salvage.h"
#include "tests/support/temp_dir.h"
#include "tests/support/wfile_rig.h"
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define SMALL 20000 /* in the metadata */
#define LARGE 3000000
#define FLIPS 40

struct fixture {
    struct rig rig; /* only its fs is used */
    struct data_dir data;
    char dir[TEMP_DIR_BYTES], data_dir[TEMP_DIR_BYTES + 8], into[TEMP_DIR_BYTES + 8];
    char why[DATA_DIR_WHY_BYTES];
    char told[4096]; /* losses */
    struct salvage_result result;
};

static void start(struct fixture *x)
{
    if (vsfs_start(&x->rig.fs, &x->data, x->why) < 0)
        fail_msg("refused: %s", x->why);
}

static void await_covered(struct fixture *x)
{
    for (unsigned n = 0; meta_copy_lag_ms(x->rig.fs.copy) != 0; n++) {
        assert_true(n < 3000);
        usleep(10000);
    }
}

/* Three small files and a large one, behind the copy. */
static int setup(void **state)
{
    struct fixture *x = calloc(1, sizeof(*x));

    assert_non_null(x);
    temp_dir_make(x->dir);
    snprintf(x->data_dir, sizeof(x->data_dir), "%s/data", x->dir);
    snprintf(x->into, sizeof(x->into), "%s/into", x->dir);
    x->rig.fs.opt.data_dir = x->data_dir;
    x->rig.fs.opt.mountpoint = "/mnt/videos";
    x->rig.fs.opt.superblock_bytes = 64u << 20;
    x->rig.fs.opt.reserve_percent = 1;
    x->rig.fs.opt.cache_bytes = 8u << 20;
    x->rig.fs.opt.write_bytes = 64u << 20;
    x->rig.fs.clock = &vs_clock_system;
    x->rig.bytes = malloc(RIG_BYTES);
    assert_non_null(x->rig.bytes);
    rig_fill(x->rig.bytes, RIG_BYTES, 1);
    start(x);
    rig_store(&x->rig, NS_INO_ROOT, "first", x->rig.bytes, SMALL);
    await_covered(x);
    rig_store(&x->rig, NS_INO_ROOT, "second", x->rig.bytes + 1, SMALL);
    rig_store(&x->rig, NS_INO_ROOT, "large", x->rig.bytes + 2, LARGE);
    await_covered(x);
    rig_store(&x->rig, NS_INO_ROOT, "third", x->rig.bytes + 3, SMALL);
    await_covered(x);
    vsfs_stop(&x->rig.fs, &x->data);
    *state = x;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *x = *state;

    vsfs_stop(&x->rig.fs, &x->data);
    temp_dir_remove(x->dir);
    free(x->rig.bytes);
    free(x);
    return 0;
}

static void say(void *arg, enum salvage_word word, const char *text)
{
    struct fixture *x = arg;
    size_t len = strlen(x->told);

    if (word == SALVAGE_LOST)
        snprintf(x->told + len, sizeof(x->told) - len, "%s\n", text);
}

static int salvage(struct fixture *x, const char *from, bool dry)
{
    const char *dirs[] = { from };
    struct salvage_config config = {
        .dirs = dirs, .dir_count = 1, .into = x->into, .dry_run = dry, .say = say, .arg = x
    };

    x->told[0] = '\0';
    return salvage_run(&config, &x->result, x->why);
}

static void move_in(struct fixture *x)
{
    char meta[TEMP_DIR_BYTES + 16];

    snprintf(meta, sizeof(meta), "%s/meta", x->data_dir);
    temp_dir_remove(meta);
    assert_int_equal(rename(x->into, meta), 0);
}

static void all_is_back_from_the_copy_and_the_journal_behind_it(void **state)
{
    struct fixture *x = *state;

    assert_int_equal(salvage(x, x->data_dir, false), 0);
    assert_string_equal(x->told, "");
    assert_int_equal(x->result.lost, 0);
    assert_true(x->result.has_copy);
    assert_true(x->result.tail_records >= 2);
    assert_true(x->result.tail_slot > x->result.copy_slot);
    assert_int_equal(x->result.small_files, 3);
    assert_int_equal(x->result.files, 1);
    move_in(x);
    start(x);
    rig_check_stored(&x->rig, "first", x->rig.bytes, SMALL);
    rig_check_stored(&x->rig, "second", x->rig.bytes + 1, SMALL);
    rig_check_stored(&x->rig, "large", x->rig.bytes + 2, LARGE);
    rig_check_stored(&x->rig, "third", x->rig.bytes + 3, SMALL);
}

static void what_is_there_is_not_touched_and_a_dry_run_makes_nothing(void **state)
{
    struct fixture *x = *state;
    char file[TEMP_DIR_BYTES + 16];
    int fd;

    assert_int_equal(salvage(x, x->data_dir, true), 0);
    assert_int_equal(access(x->into, F_OK), -1);
    assert_int_equal(mkdir(x->into, 0700), 0);
    snprintf(file, sizeof(file), "%s/theirs", x->into);
    fd = open(file, O_CREAT | O_WRONLY, 0600);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(salvage(x, x->data_dir, false), -EEXIST);
    assert_non_null(strstr(x->why, x->into));
    assert_int_equal(access(file, F_OK), 0);
}

static void a_directory_without_a_store_is_refused_by_name(void **state)
{
    struct fixture *x = *state;

    assert_int_equal(salvage(x, x->dir, false), -ENOENT);
    assert_non_null(strstr(x->why, x->dir));
    assert_int_equal(access(x->into, F_OK), -1);
}

/* Superblock files of one store. */
static void store_flip(const char *store, struct vs_rand *rand)
{
    DIR *d = opendir(store);
    struct dirent *e;

    assert_non_null(d);
    while ((e = readdir(d)) != NULL) {
        char path[TEMP_DIR_BYTES + 300];
        struct stat st;
        int fd;

        if (strncmp(e->d_name, "sb-", 3) != 0)
            continue;
        snprintf(path, sizeof(path), "%s/%s", store, e->d_name);
        fd = open(path, O_RDWR);
        assert_true(fd >= 0);
        assert_int_equal(fstat(fd, &st), 0);
        for (unsigned n = 0; n < FLIPS; n++) {
            off_t at = (off_t)(vs_rand_below(rand, (uint64_t)st.st_size));
            uint8_t byte;

            assert_int_equal(pread(fd, &byte, 1, at), 1);
            byte ^= (uint8_t)(1u << vs_rand_below(rand, 8));
            assert_int_equal(pwrite(fd, &byte, 1, at), 1);
        }
        close(fd);
    }
    closedir(d);
}

/* Two damaged stores change nothing; with four of them what is missing is told, and nothing is made
 * up. */
static void damaged_stores_lose_what_is_told_and_nothing_else(void **state)
{
    struct fixture *x = *state;
    struct vs_rand rand;
    char store[TEMP_DIR_BYTES + 32];

    vs_rand_init(&rand, 1);
    for (unsigned n = 1; n <= 4; n++) {
        int r;

        snprintf(store, sizeof(store), "%s/nodes/n%u", x->data_dir, n);
        store_flip(store, &rand);
        r = salvage(x, x->data_dir, true);
        if (n > 2 && r < 0)
            continue; /* a store that cannot be read ends it, with its name */
        assert_int_equal(r, 0);
        assert_int_equal(x->result.lost == 0, x->told[0] == '\0');
        if (n <= 2)
            assert_int_equal(x->result.lost, 0);
        if (x->result.lost == 0)
            assert_int_equal(x->result.small_files + x->result.files, 4);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(all_is_back_from_the_copy_and_the_journal_behind_it, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_is_there_is_not_touched_and_a_dry_run_makes_nothing,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(a_directory_without_a_store_is_refused_by_name, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(damaged_stores_lose_what_is_told_and_nothing_else, setup,
                                        teardown),
    };

    if (argc > 1 && strcmp(argv[1], "--cutter") == 0) /* what a start runs this program as */
        return cutter_child_main(argc - 1, argv + 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
