/* meta_restore: a backup gives a directory that opens, with all that was in it, under a proposer id
 * that was never used; anything less than a whole backup gives nothing. */
#include "common/clock.h"
#include "common/err.h"
#include "meta/meta_backup.h"
#include "meta/meta_local.h"
#include "meta/meta_restore.h"
#include "meta/place_value.h"
#include "tests/support/temp_dir.h"

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

struct fixture {
    char dir[TEMP_DIR_BYTES];
    char file[TEMP_DIR_BYTES + 16], into[TEMP_DIR_BYTES + 16];
    struct meta_client *meta;
    struct vs_id id; /* a register */
    uint64_t ino;    /* "film" */
    off_t bytes;     /* of the backup */
};

static struct ns_answer change(struct meta_client *meta, struct ns_entry *e)
{
    struct meta_req r = { .op = META_CHANGE, .entry = e };

    e->now.s = 1;
    assert_int_equal(meta_call(meta, &r), 0);
    return r.answer;
}

static int write_bytes(void *arg, const void *bytes, size_t len)
{
    return write(*(int *)arg, bytes, len) == (ssize_t)len ? 0 : -EIO;
}

static void make_register(struct fixture *f)
{
    struct place_value v = { .state = PLACE_LIVE,
                             .session = 1,
                             .generation = 1,
                             .chunk_bytes = 1,
                             .red = { VS_RED_REPLICATE, 1, 0 },
                             .frag = { { .node = 1, .generation = 1 } } };
    struct ns_entry open = { .kind = NS_E_SESSION_OPEN, .count = 1 };
    struct vs_buf value = { 0 };
    struct meta_reg reg = { .status = 0 };
    struct meta_req req = { .op = META_REG_CREATE, .regs = &reg, .reg_count = 1 };

    assert_int_equal(place_value_encode(&v, &value), 0);
    f->id = reg.id =
        vs_id_make(f->meta->pid, f->meta->inc, change(f->meta, &open).first, VS_ID_CHUNK);
    reg.value = value.data;
    reg.value_len = value.len;
    assert_int_equal(meta_call(f->meta, &req), 0);
    vs_buf_close(&reg.current);
    vs_buf_close(&value);
}

static int setup(void **state)
{
    struct meta_local_config config = {
        .create = true, .in_memory = true, .clock = &vs_clock_system, .cluster = { { 7 } }
    };
    struct ns_entry e = { .kind = NS_E_CREATE,
                          .parent = NS_INO_ROOT,
                          .name = "film",
                          .name_len = 4,
                          .attr = { .mode = S_IFREG | 0644 } };
    struct fixture *f = calloc(1, sizeof(*f));
    struct meta_backup_result result;
    int fd;

    *state = f;
    temp_dir_make(f->dir);
    snprintf(f->file, sizeof(f->file), "%s/backup", f->dir);
    snprintf(f->into, sizeof(f->into), "%s/meta", f->dir);
    assert_int_equal(meta_local_open(&f->meta, &config), 0);
    make_register(f);
    f->ino = change(f->meta, &e).attr.ino;
    fd = open(f->file, O_WRONLY | O_CREAT, 0600);
    assert_int_equal(meta_backup(f->meta, false, 5, write_bytes, &fd, &result), 0);
    f->bytes = lseek(fd, 0, SEEK_CUR);
    close(fd);
    assert_int_equal(result.registers, 1);
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    meta_client_stop(f->meta);
    temp_dir_remove(f->dir);
    free(f);
    return 0;
}

static void a_restored_directory_has_it_all_and_goes_on_where_nobody_was(void **state)
{
    struct fixture *f = *state;
    struct meta_local_config config = { .dir = f->into, .clock = &vs_clock_system };
    struct meta_req look = { .op = META_LOOKUP, .ino = NS_INO_ROOT, .name = "film", .name_len = 4 };
    struct meta_reg reg = { .id = f->id };
    struct meta_req read = { .op = META_REG_READ, .regs = &reg, .reg_count = 1 };
    struct meta_req stats = { .op = META_STATS };
    struct ns_entry e = { .kind = NS_E_CREATE,
                          .parent = NS_INO_ROOT,
                          .name = "new",
                          .name_len = 3,
                          .attr = { .mode = S_IFREG | 0644 } };
    char why[META_RESTORE_WHY_BYTES];
    struct meta_restored restored;
    struct meta_client *meta;

    assert_int_equal(meta_restore(f->file, f->into, 0, &restored, why), 0);
    assert_int_equal(restored.made_ns, 5);
    assert_int_equal(meta_restore(f->file, f->into, 0, &restored, why), -EEXIST);
    assert_int_equal(meta_local_open(&meta, &config), 0);
    assert_int_not_equal(meta->pid, f->meta->pid);
    assert_int_equal(meta_call(meta, &look), 0);
    assert_int_equal(look.attr.ino, f->ino);
    assert_int_equal(meta_call(meta, &read), 0);
    assert_int_equal(reg.status, 0);
    vs_buf_close(&reg.current);
    assert_int_equal(meta_call(meta, &stats), 0);
    assert_non_null(strstr(stats.stats.brake, "restored"));
    assert_true(change(meta, &e).attr.ino > f->ino + 1000000);
    meta_client_stop(meta);
    assert_int_equal(meta_local_open(&meta, &config), 0); /* and once more */
    meta_client_stop(meta);
}

static void a_replica_keeps_its_number_and_comes_with_another_incarnation(void **state)
{
    struct fixture *f = *state;
    struct meta_local_config config = { .dir = f->into, .clock = &vs_clock_system };
    char why[META_RESTORE_WHY_BYTES];
    struct meta_restored restored;
    struct meta_client *meta;

    assert_int_equal(meta_restore(f->file, f->into, 3, &restored, why), 0);
    assert_int_equal(meta_local_open(&meta, &config), 0);
    assert_int_equal(meta->pid, 3);
    assert_true(meta->inc > 1u << 24);
    meta_client_stop(meta);
}

static void less_than_a_whole_backup_gives_nothing(void **state)
{
    struct fixture *f = *state;
    char why[META_RESTORE_WHY_BYTES];
    struct meta_restored restored;

    for (off_t at = 0; at < f->bytes; at += 7) {
        int fd = open(f->file, O_RDWR);
        uint8_t byte;

        assert_int_equal(pread(fd, &byte, 1, at), 1);
        byte ^= 0x10;
        assert_int_equal(pwrite(fd, &byte, 1, at), 1);
        assert_true(meta_restore(f->file, f->into, 0, &restored, why) < 0);
        assert_int_equal(access(f->into, F_OK), -1);
        byte ^= 0x10;
        assert_int_equal(pwrite(fd, &byte, 1, at), 1);
        close(fd);
    }
    assert_int_equal(truncate(f->file, f->bytes - 1), 0);
    assert_int_equal(meta_restore(f->file, f->into, 0, &restored, why), -VS_ECORRUPT);
    assert_non_null(strstr(why, "no whole backup"));
    assert_int_equal(access(f->into, F_OK), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            a_restored_directory_has_it_all_and_goes_on_where_nobody_was, setup, teardown),
        cmocka_unit_test_setup_teardown(
            a_replica_keeps_its_number_and_comes_with_another_incarnation, setup, teardown),
        cmocka_unit_test_setup_teardown(less_than_a_whole_backup_gives_nothing, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
