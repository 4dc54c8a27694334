/* What systemd is told. */
#include "common/err.h"
#include "common/sd_notify.h"
#include "tests/support/temp_dir.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

static int listen_at(const char *path, size_t path_bytes)
{
    struct sockaddr_un at = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

    memcpy(at.sun_path, path, path_bytes);
    assert_int_equal(bind(fd, (struct sockaddr *)&at,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) + path_bytes)),
                     0);
    return fd;
}

static void heard(int fd, const char *want)
{
    char text[64] = "";

    assert_int_equal(recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT), strlen(want));
    assert_string_equal(text, want);
}

static void without_systemd_nothing_happens(void **state)
{
    (void)state;
    unsetenv("NOTIFY_SOCKET");
    assert_int_equal(vs_sd_notify("READY=1"), 0);
}

static void a_socket_of_the_file_system_is_told(void **state)
{
    char dir[TEMP_DIR_BYTES], path[TEMP_DIR_BYTES + 8];
    int fd;

    (void)state;
    temp_dir_make(dir);
    snprintf(path, sizeof(path), "%s/notify", dir);
    fd = listen_at(path, strlen(path) + 1);
    setenv("NOTIFY_SOCKET", path, 1);
    assert_int_equal(vs_sd_notify("READY=1\nSTATUS=x"), 1);
    heard(fd, "READY=1\nSTATUS=x");
    close(fd);
    temp_dir_remove(dir);
    assert_int_equal(vs_sd_notify("READY=1"), -ENOENT);
}

static void an_abstract_socket_is_told(void **state)
{
    char name[64];
    int fd;

    (void)state;
    snprintf(name, sizeof(name), "@vstack-test-%d", (int)getpid());
    setenv("NOTIFY_SOCKET", name, 1);
    name[0] = '\0';
    fd = listen_at(name, strlen(name + 1) + 1);
    assert_int_equal(vs_sd_notify("STOPPING=1"), 1);
    heard(fd, "STOPPING=1");
    close(fd);
}

static void nonsense_is_refused(void **state)
{
    char longer[200];

    (void)state;
    setenv("NOTIFY_SOCKET", "relative", 1);
    assert_int_equal(vs_sd_notify("READY=1"), -EINVAL);
    memset(longer, 'x', sizeof(longer) - 1);
    longer[0] = '/';
    longer[sizeof(longer) - 1] = '\0';
    setenv("NOTIFY_SOCKET", longer, 1);
    assert_int_equal(vs_sd_notify("READY=1"), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_systemd_nothing_happens),
        cmocka_unit_test(a_socket_of_the_file_system_is_told),
        cmocka_unit_test(an_abstract_socket_is_told),
        cmocka_unit_test(nonsense_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
