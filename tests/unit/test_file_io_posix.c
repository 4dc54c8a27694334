/* What only the real file system has: other kinds of files, modes, limits, descriptors. */
#include "common/err.h"
#include "common/file_io.h"
#include "tests/support/temp_dir.h"
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
    char path[TEMP_DIR_BYTES];
    int dir_fd;
    struct vs_io *io;
};

static int set_up(void **state)
{
    struct fixture *x = *state = calloc(1, sizeof(*x));

    temp_dir_make(x->path);
    x->dir_fd = open(x->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return vs_io_posix_new(&x->io, x->path);
}

static int tear_down(void **state)
{
    struct fixture *x = *state;

    vs_io_free(x->io);
    close(x->dir_fd);
    temp_dir_remove(x->path);
    free(x);
    return 0;
}

static struct vs_file *create(struct fixture *x, const char *name)
{
    struct vs_file *f = NULL;

    assert_int_equal(vs_io_open(x->io, name, VS_IO_WRITE | VS_IO_CREATE, &f), 0);
    return f;
}

static void the_directory_must_be_one(void **state)
{
    struct fixture *x = *state;
    char path[TEMP_DIR_BYTES + 16];
    struct vs_io *io = NULL;

    vs_file_close(create(x, "file"));
    snprintf(path, sizeof(path), "%s/file", x->path);
    assert_int_equal(vs_io_posix_new(&io, path), -ENOTDIR);
    snprintf(path, sizeof(path), "%s/nobody", x->path);
    assert_int_equal(vs_io_posix_new(&io, path), -ENOENT);
    assert_null(io);
}

static int collect(void *arg, const char *name, uint64_t file_bytes)
{
    (void)file_bytes;
    strncat(arg, name, 64);
    return 0;
}

static void list_gives_regular_files_with_names_like_ours(void **state)
{
    struct fixture *x = *state;
    char names[512] = "", name[VS_IO_NAME_BYTES_MAX + 2];

    vs_file_close(create(x, "film"));
    assert_int_equal(mkdirat(x->dir_fd, "dir", 0700), 0);
    assert_int_equal(symlinkat("film", x->dir_fd, "link"), 0);
    assert_int_equal(symlinkat("nobody", x->dir_fd, "dangling"), 0);
    assert_int_equal(mkfifoat(x->dir_fd, "fifo", 0600), 0);
    memset(name, 'n', sizeof(name));
    name[VS_IO_NAME_BYTES_MAX + 1] = '\0';
    close(openat(x->dir_fd, name, O_CREAT | O_WRONLY | O_CLOEXEC, 0600)); /* somebody else's */
    assert_int_equal(vs_io_list(x->io, collect, names), 0);
    assert_string_equal(names, "film");
}

static void a_symbolic_link_is_not_followed(void **state)
{
    struct fixture *x = *state;
    struct vs_file *f = NULL;

    vs_file_close(create(x, "film"));
    assert_int_equal(symlinkat("film", x->dir_fd, "link"), 0);
    assert_int_equal(vs_io_open(x->io, "link", VS_IO_READ, &f), -ELOOP);
    assert_int_equal(vs_io_open(x->io, "link", VS_IO_WRITE | VS_IO_CREATE, &f), -EEXIST);
}

static void files_are_for_their_owner_only(void **state)
{
    struct fixture *x = *state;
    mode_t before = umask(0);
    struct stat st;

    vs_file_close(create(x, "film"));
    umask(before);
    assert_int_equal(fstatat(x->dir_fd, "film", &st, 0), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
}

static void names_are_looked_up_in_the_directory_even_when_it_moves(void **state)
{
    struct fixture *x = *state;
    char moved[TEMP_DIR_BYTES + 8];
    struct vs_file *f;

    snprintf(moved, sizeof(moved), "%s-moved", x->path);
    assert_int_equal(rename(x->path, moved), 0);
    f = create(x, "film");
    assert_int_equal(vs_file_linked(f), 1);
    assert_int_equal(rename(moved, x->path), 0);
    assert_int_equal(faccessat(x->dir_fd, "film", F_OK, 0), 0);
    vs_file_close(f);
}

static void a_file_whose_directory_was_removed_is_not_linked(void **state)
{
    struct fixture *x = *state;
    struct vs_file *f = create(x, "film");
    char link[TEMP_DIR_BYTES + 8];

    snprintf(link, sizeof(link), "%s-link", x->path);
    assert_int_equal(linkat(x->dir_fd, "film", AT_FDCWD, link, 0), 0);
    assert_int_equal(unlinkat(x->dir_fd, "film", 0), 0);
    assert_int_equal(vs_file_linked(f), 1); /* it has a name, elsewhere */
    assert_int_equal(rmdir(x->path), 0);
    assert_int_equal(vs_file_linked(f), 0);
    assert_int_equal(unlink(link), 0);
    vs_file_close(f);
    assert_int_equal(mkdir(x->path, 0700), 0); /* for the tear-down */
}

/* The kernel takes a part of the bytes and then refuses the rest: the loop must notice both. */
static void a_write_that_stops_half_way_is_an_error(void **state)
{
    struct fixture *x = *state;
    struct vs_file *f = create(x, "film");
    struct rlimit before, small;
    char bytes[3][1000];
    struct iovec iov[3];
    uint64_t size = 0;

    for (int i = 0; i < 3; i++) {
        memset(bytes[i], 'a' + i, sizeof(bytes[i]));
        iov[i] = (struct iovec){ bytes[i], sizeof(bytes[i]) };
    }
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = before;
    small.rlim_cur = 1500;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    assert_int_equal(vs_file_pwritev(f, iov, 3, 0), -EFBIG);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(vs_file_size(f, &size), 0);
    assert_int_equal(size, 1500);
    vs_file_close(f);
}

static int open_descriptors(bool *ret_all_cloexec)
{
    int count = 0;

    *ret_all_cloexec = true;
    for (int fd = 3; fd < 256; fd++) {
        int flags = fcntl(fd, F_GETFD);

        if (flags < 0)
            continue;
        count++;
        *ret_all_cloexec &= (flags & FD_CLOEXEC) != 0;
    }
    return count;
}

static void descriptors_are_closed_and_no_child_inherits_them(void **state)
{
    struct fixture *x = *state;
    bool cloexec_before, cloexec;
    int before = open_descriptors(&cloexec_before);
    struct vs_file *f = create(x, "film"), *other = NULL;
    char names[512] = "";

    assert_int_equal(open_descriptors(&cloexec), before + 1);
    assert_true(cloexec || !cloexec_before);
    assert_int_equal(vs_io_list(x->io, collect, names), 0);
    assert_int_equal(vs_io_open(x->io, "nobody", VS_IO_READ, &other), -ENOENT);
    vs_file_close(f);
    assert_int_equal(open_descriptors(&cloexec), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define RULE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        RULE(the_directory_must_be_one),
        RULE(list_gives_regular_files_with_names_like_ours),
        RULE(a_symbolic_link_is_not_followed),
        RULE(files_are_for_their_owner_only),
        RULE(names_are_looked_up_in_the_directory_even_when_it_moves),
        RULE(a_file_whose_directory_was_removed_is_not_linked),
        RULE(a_write_that_stops_half_way_is_an_error),
        RULE(descriptors_are_closed_and_no_child_inherits_them),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
