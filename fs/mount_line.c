/* mount_line: see the header. Failure: a line that is not as proc(5) says names nothing. */
#include "fs/mount_line.h"
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#define LINE_FIELD_PATH 4 /* "36 35 98:0 /root /mnt/point rw,... - type source options" */

static bool is_octal(char c)
{
    return c >= '0' && c <= '7';
}

/* Blanks, newlines and backslashes are written as three octal digits; in place. */
static void line_unescape(char *s)
{
    char *to = s;

    for (; *s != '\0'; s++) {
        if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && is_octal(s[2]) && is_octal(s[3])) {
            *to++ = (char)((s[1] - '0') * 64 + (s[2] - '0') * 8 + (s[3] - '0'));
            s += 3;
        } else {
            *to++ = *s;
        }
    }
    *to = '\0';
}

char *mount_line_path(char *line, const char *fstype)
{
    char *sep = strstr(line, " - "), *save = NULL, *field = NULL;
    size_t n = strlen(fstype);

    if (sep == NULL || strncmp(sep + 3, fstype, n) != 0 || sep[3 + n] != ' ')
        return NULL;
    *sep = '\0';
    field = strtok_r(line, " ", &save);
    for (int i = 0; field != NULL && i < LINE_FIELD_PATH; i++)
        field = strtok_r(NULL, " ", &save);
    if (field != NULL)
        line_unescape(field);
    return field;
}
