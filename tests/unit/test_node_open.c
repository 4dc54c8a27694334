/* The directory of a storage node. */
#include "common/err.h"
#include "node/node_open.h"
#include "tests/support/store_sync.h"
#include "tests/support/temp_dir.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
    char dir[TEMP_DIR_BYTES], path[TEMP_DIR_BYTES + 16];
    struct node_options o;
    struct node node;
    int lock_fd;
    char why[NODE_WHY_BYTES];
};

static int set_up(void **state)
{
    struct fixture *x = *state = calloc(1, sizeof(*x));

    temp_dir_make(x->dir);
    snprintf(x->path, sizeof(x->path), "%s/n1", x->dir);
    x->o = (struct node_options){ .id = "n1", .data = x->path, .domain = "h/r", .cluster = "" };
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *x = *state;

    temp_dir_remove(x->dir);
    free(x);
    return 0;
}

static int open_it(struct fixture *x)
{
    x->why[0] = '\0';
    return node_open(&x->node, &x->o, &x->lock_fd, x->why);
}

static void close_it(struct fixture *x)
{
    chunk_store_stop(x->node.store);
    close(x->lock_fd);
}

static void write_file(struct fixture *x, const char *name, const char *text)
{
    char path[256];
    FILE *f;

    snprintf(path, sizeof(path), "%s/%s", x->path, name);
    f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void a_new_directory_becomes_a_store_and_is_found_again(void **state)
{
    struct fixture *x = *state;
    struct frag_key key = sync_key(1);
    struct vs_id uuid;

    assert_int_equal(open_it(x), 0);
    assert_string_equal(x->node.name, "n1");
    assert_string_equal(x->node.domain, "h/r");
    assert_false(vs_id_is_zero(&x->node.uuid));
    assert_false(vs_id_is_zero(&x->node.cluster));
    uuid = x->node.uuid;
    assert_int_equal(sync_put(&(struct sync_store){ .s = x->node.store }, &key, NULL, "abc", 3), 0);
    close_it(x);
    assert_int_equal(open_it(x), 0);
    assert_int_equal(vs_id_cmp(&x->node.uuid, &uuid), 0);
    assert_int_equal(
        sync_stat(&(struct sync_store){ .s = x->node.store }, &key, &(struct store_stat){ 0 }), 0);
    close_it(x);
}

static void the_disk_of_another_node_is_refused(void **state)
{
    struct fixture *x = *state;

    assert_int_equal(open_it(x), 0);
    close_it(x);
    x->o.id = "n2";
    assert_int_equal(open_it(x), -ESTALE);
    assert_non_null(strstr(x->why, "is the directory of node n1, not of n2"));
    x->o.id = "n1";
    assert_int_equal(open_it(x), 0);
    close_it(x);
}

static void a_directory_with_something_else_in_it_is_left_alone(void **state)
{
    struct fixture *x = *state;

    assert_int_equal(mkdir(x->path, 0700), 0);
    write_file(x, "film.mkv", "x");
    assert_int_equal(open_it(x), -ENOENT);
    assert_non_null(strstr(x->why, "is not empty, and there is no store in it"));
    x->o.data = x->dir; /* holds a folder */
    assert_int_equal(open_it(x), -ENOENT);
}

static void a_directory_that_cannot_be_is_told(void **state)
{
    struct fixture *x = *state;
    char path[256];

    snprintf(path, sizeof(path), "%s/no/such", x->dir);
    x->o.data = path;
    assert_int_equal(open_it(x), -ENOENT);
    assert_non_null(strstr(x->why, "cannot make the directory"));
    x->o.data = "/dev/null";
    assert_true(open_it(x) < 0);
    assert_true(x->why[0] != '\0');
}

#define CLUSTER "000102030405060708090a0b0c0d0e0f"

static void a_store_belongs_to_the_cluster_it_was_made_for(void **state)
{
    struct fixture *x = *state;
    char uuid[VS_ID_TEXT_BYTES];

    x->o.cluster = CLUSTER;
    assert_int_equal(open_it(x), 0);
    vs_id_to_text(&x->node.cluster, uuid);
    assert_string_equal(uuid, CLUSTER);
    close_it(x);
    x->o.cluster = "ff0102030405060708090a0b0c0d0e0f";
    assert_int_equal(open_it(x), -ESTALE);
    assert_non_null(strstr(x->why, "belongs to cluster " CLUSTER));
    x->o.cluster = "";
    assert_int_equal(open_it(x), 0);
    close_it(x);
}

/* A disk that is not mounted looks like this. */
static void an_empty_directory_is_no_new_store_when_there_should_be_one(void **state)
{
    struct fixture *x = *state;

    assert_int_equal(mkdir(x->path, 0700), 0);
    x->o.existing = true;
    assert_int_equal(open_it(x), -ENOENT);
    assert_non_null(strstr(x->why, "is its disk mounted?"));
    x->o.existing = false;
    assert_int_equal(open_it(x), 0);
    close_it(x);
    x->o.existing = true;
    assert_int_equal(open_it(x), 0);
    close_it(x);
}

/* As after a crash between the store and its name. */
static void a_store_without_a_name_gets_it(void **state)
{
    struct fixture *x = *state;
    char path[256];

    assert_int_equal(open_it(x), 0);
    close_it(x);
    snprintf(path, sizeof(path), "%s/node.name", x->path);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(open_it(x), 0);
    close_it(x);
    assert_int_equal(access(path, R_OK), 0);
}

static void the_directory_is_locked_while_it_is_used(void **state)
{
    struct fixture *x = *state;
    int fd;

    assert_int_equal(open_it(x), 0);
    fd = open(x->path, O_RDONLY | O_DIRECTORY);
    assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), -1);
    close_it(x);
    assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
    close(fd);
}

int main(void)
{
#define T(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(a_new_directory_becomes_a_store_and_is_found_again),
        T(the_disk_of_another_node_is_refused),
        T(a_directory_with_something_else_in_it_is_left_alone),
        T(a_directory_that_cannot_be_is_told),
        T(a_store_belongs_to_the_cluster_it_was_made_for),
        T(an_empty_directory_is_no_new_store_when_there_should_be_one),
        T(a_store_without_a_name_gets_it),
        T(the_directory_is_locked_while_it_is_used),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
