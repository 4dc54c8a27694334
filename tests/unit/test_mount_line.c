/* Lines of /proc/self/mountinfo, as proc(5) describes them. */
#include "fs/mount_line.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define FSTYPE "fuse.vstackfs"

/* The path of a line, or "". */
static const char *path_of(const char *line, char copy[8192])
{
    const char *path;

    snprintf(copy, 8192, "%s", line);
    path = mount_line_path(copy, FSTYPE);
    return path != NULL ? path : "";
}

#define CHECK(line, path)                                                                          \
    do {                                                                                           \
        char copy_[8192];                                                                          \
                                                                                                   \
        assert_string_equal(path_of(line, copy_), path);                                           \
    } while (0)

static void the_fifth_field_of_our_type_is_the_path(void **state)
{
    (void)state;
    CHECK("36 35 0:52 / /mnt/videos rw,nosuid,nodev shared:1 - fuse.vstackfs /data rw\n",
          "/mnt/videos");
    CHECK("36 35 0:52 / /mnt/videos rw - fuse.vstackfs /data rw", "/mnt/videos"); /* no tags */
    CHECK("36 35 0:52 / /mnt/v rw shared:1 master:2 - fuse.vstackfs /data rw,user_id=0\n",
          "/mnt/v");
    CHECK("1 1 0:2 / / rw - fuse.vstackfs x rw\n", "/");
}

static void other_types_are_not_ours(void **state)
{
    (void)state;
    CHECK("36 35 98:0 / /mnt/videos rw - ext4 /dev/sda1 rw\n", "");
    CHECK("36 35 0:52 / /mnt/videos rw - fuse.vstackfs2 /data rw\n", "");
    CHECK("36 35 0:52 / /mnt/videos rw - fuse.vstack /data rw\n", "");
    CHECK("36 35 0:52 / /mnt/videos rw - fuse /data rw\n", "");
    CHECK("36 35 0:52 / /fuse.vstackfs rw - fuse fuse.vstackfs rw\n", "");
    CHECK("36 35 0:52 / /mnt/videos rw - tmpfs fuse.vstackfs rw - fuse.vstackfs x\n", "");
}

static void escapes_are_put_back_into_bytes(void **state)
{
    (void)state;
    CHECK("36 35 0:52 / /mnt/my\\040films rw - fuse.vstackfs d rw\n", "/mnt/my films");
    CHECK("36 35 0:52 / /a\\011b\\012c\\134d rw - fuse.vstackfs d rw\n", "/a\tb\nc\\d");
    CHECK("36 35 0:52 / /a\\134040b rw - fuse.vstackfs d rw\n", "/a\\040b");
    CHECK("36 35 0:52 / /\\303\\244 rw - fuse.vstackfs d rw\n", "/\303\244");
    CHECK("36 35 0:52 / /\\040-\\040 rw - fuse.vstackfs d rw\n", "/ - ");
}

static void what_is_no_escape_stays(void **state)
{
    (void)state;
    CHECK("36 35 0:52 / /a\\04 rw - fuse.vstackfs d rw\n", "/a\\04");
    CHECK("36 35 0:52 / /a\\ rw - fuse.vstackfs d rw\n", "/a\\");
    CHECK("36 35 0:52 / /a\\089 rw - fuse.vstackfs d rw\n", "/a\\089");
    CHECK("36 35 0:52 / /a\\777 rw - fuse.vstackfs d rw\n", "/a\\777");
    CHECK("36 35 0:52 / /a\\x41 rw - fuse.vstackfs d rw\n", "/a\\x41");
}

static void lines_cut_anywhere_name_nothing_wrong(void **state)
{
    static const char line[] = "36 35 0:52 / /mnt/my\\040films rw shared:1 - fuse.vstackfs /d rw\n";
    char part[sizeof(line)], copy[8192];

    (void)state;
    for (size_t n = 0; n < sizeof(line); n++) {
        const char *path;

        memcpy(part, line, n);
        part[n] = '\0';
        path = path_of(part, copy);
        assert_true(path[0] == '\0' || strcmp(path, "/mnt/my films") == 0);
    }
    CHECK(" - fuse.vstackfs x rw\n", "");
    CHECK("36 35 0:52 - fuse.vstackfs x rw\n", "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_fifth_field_of_our_type_is_the_path),
        cmocka_unit_test(other_types_are_not_ours),
        cmocka_unit_test(escapes_are_put_back_into_bytes),
        cmocka_unit_test(what_is_no_escape_stays),
        cmocka_unit_test(lines_cut_anywhere_name_nothing_wrong),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
