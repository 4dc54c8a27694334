/* cluster.json on a disk: whole or as it was. */
#include "common/cluster_file.h"

#include "common/err.h"
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

struct rig {
    char dir[TEMP_DIR_BYTES], path[TEMP_DIR_BYTES + 32];
    struct cluster_json c, back;
    char why[CLUSTER_WHY_BYTES];
};

static int setup(void **state)
{
    struct rig *rig = calloc(1, sizeof(*rig));

    temp_dir_make(rig->dir);
    snprintf(rig->path, sizeof(rig->path), "%s/cluster.json", rig->dir);
    rig->c.cluster.b[0] = 1;
    rig->c.nodes_count = 1;
    snprintf(rig->c.nodes[0].id, sizeof(rig->c.nodes[0].id), "%s", "n1");
    *state = rig;
    return 0;
}

static int teardown(void **state)
{
    struct rig *rig = *state;

    temp_dir_remove(rig->dir);
    free(rig);
    return 0;
}

static void what_was_saved_is_loaded(void **state)
{
    struct rig *rig = *state;

    assert_int_equal(cluster_file_save(rig->path, &rig->c, rig->why), 0);
    rig->c.nodes[0].pid = 7;
    assert_int_equal(cluster_file_save(rig->path, &rig->c, rig->why), 0);
    assert_int_equal(cluster_file_load(rig->path, &rig->back, rig->why), 0);
    assert_int_equal(rig->back.nodes[0].pid, 7);
}

static void none_is_enoent_and_nonsense_names_the_file(void **state)
{
    struct rig *rig = *state;
    int fd;

    assert_int_equal(cluster_file_load(rig->path, &rig->back, rig->why), -ENOENT);
    assert_non_null(strstr(rig->why, rig->path));
    fd = open(rig->path, O_WRONLY | O_CREAT, 0600);
    assert_int_equal(write(fd, "{}", 2), 2);
    close(fd);
    assert_int_equal(cluster_file_load(rig->path, &rig->back, rig->why), -EINVAL);
    assert_non_null(strstr(rig->why, rig->path));
    assert_int_equal(truncate(rig->path, CLUSTER_JSON_BYTES_MAX + 5), 0);
    assert_int_equal(cluster_file_load(rig->path, &rig->back, rig->why), -EMSGSIZE);
}

static void a_save_that_fails_leaves_the_former_file(void **state)
{
    struct rig *rig = *state;
    char fresh[TEMP_DIR_BYTES + 64];

    assert_int_equal(cluster_file_save(rig->path, &rig->c, rig->why), 0);
    snprintf(rig->c.nodes[0].id, sizeof(rig->c.nodes[0].id), "%s", "");
    assert_int_equal(cluster_file_save(rig->path, &rig->c, rig->why), -EINVAL);
    snprintf(rig->c.nodes[0].id, sizeof(rig->c.nodes[0].id), "%s", "n2");
    snprintf(fresh, sizeof(fresh), "%s.new", rig->path);
    assert_int_equal(mkdir(fresh, 0700), 0); /* in the way */
    assert_int_equal(cluster_file_save(rig->path, &rig->c, rig->why), -EISDIR);
    assert_non_null(strstr(rig->why, rig->path));
    assert_int_equal(cluster_file_load(rig->path, &rig->back, rig->why), 0);
    assert_string_equal(rig->back.nodes[0].id, "n1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_saved_is_loaded, setup, teardown),
        cmocka_unit_test_setup_teardown(none_is_enoent_and_nonsense_names_the_file, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_save_that_fails_leaves_the_former_file, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
