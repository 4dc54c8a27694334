/* The log: one event, one line, one write(2).
 *
 * Happy path: format, escape, write. A line is
 *     2026-11-23T02:10:53.123Z warn  subject: fact -> decision
 * Control characters (also C1, which some terminals obey), backslashes and bytes that are no UTF-8
 * are escaped as \n, \t, \\ and \xNN, so that neither a line nor a terminal command can be forged.
 * Failure modes: a line that is too long is cut and ends in "..."; a write that fails is dropped,
 * for a program must not die because nobody reads its log. errno is left as it was. */
#include "common/log.h"

#include "common/clock.h"
#include "common/utf8.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LOG_TEXT_BYTES_MAX 4096 /* formatted, before escaping */
#define LOG_LINE_BYTES_MAX 8192 /* on the way out, prefix and newline included */

static atomic_int log_level = VS_LOG_INFO;
static atomic_int log_fd = STDERR_FILENO;

void vs_log_set_level(enum vs_log_level level)
{
    atomic_store(&log_level, (int)level);
}

void vs_log_to_fd(int fd)
{
    atomic_store(&log_fd, fd);
}

static size_t log_prefix(char *line, size_t line_bytes, enum vs_log_level level)
{
    static const char *const names[] = { "error", "warn ", "info ", "debug" };
    int64_t now_ns = vs_real_ns(&vs_clock_system);
    time_t seconds = (time_t)(now_ns / VS_NS_PER_S);
    struct tm tm;
    int n;

    gmtime_r(&seconds, &tm);
    n = snprintf(line, line_bytes, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ %s ", tm.tm_year + 1900,
                 tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
                 (int)(now_ns % VS_NS_PER_S / VS_NS_PER_MS), names[level]);
    return n > 0 ? (size_t)n : 0;
}

/* Escaped form of the character at text[0 .. len), which takes *ret_used of them. */
static size_t log_escape(const uint8_t *text, size_t len, size_t *ret_used, char out[8])
{
    uint32_t code = 0;
    size_t used = vs_utf8_char(text, len, &code);

    *ret_used = used > 0 ? used : 1;
    if (used > 1 && code >= 0xa0) {
        memcpy(out, text, used);
        return used;
    }
    if (used == 1 && code >= 0x20 && code != 0x7f && code != '\\') {
        out[0] = (char)code;
        return 1;
    }
    if (used == 1 && (code == '\n' || code == '\t' || code == '\\'))
        return (size_t)snprintf(out, 8, "\\%c", code == '\n' ? 'n' : code == '\t' ? 't' : '\\');
    *ret_used = 1; /* a C1 character goes byte by byte, like bytes that are no UTF-8 */
    return (size_t)snprintf(out, 8, "\\x%02x", text[0]);
}

static void log_write(const char *line, size_t len)
{
    int fd = atomic_load(&log_fd);
    ssize_t written;

    do
        written = write(fd, line, len);
    while (written < 0 && errno == EINTR);
}

void vs_log(enum vs_log_level level, const char *fmt, ...)
{
    char text[LOG_TEXT_BYTES_MAX], line[LOG_LINE_BYTES_MAX], out[8];
    static const char cut_mark[] = "...\n";
    int saved_errno = errno, n;
    size_t len, text_len;
    bool cut = false;
    va_list args;

    if ((int)level > atomic_load(&log_level))
        return;

    va_start(args, fmt);
    n = vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    text_len = n < 0 ? 0 : strnlen(text, sizeof(text));
    cut = n >= (int)sizeof(text);

    len = log_prefix(line, sizeof(line), level);
    for (size_t at = 0, used; at < text_len; at += used) {
        size_t out_len = log_escape((const uint8_t *)text + at, text_len - at, &used, out);

        if (len + out_len + sizeof(cut_mark) > sizeof(line)) {
            cut = true;
            break;
        }
        memcpy(line + len, out, out_len);
        len += out_len;
    }
    memcpy(line + len, cut ? cut_mark : "\n", cut ? sizeof(cut_mark) - 1 : 1);
    len += cut ? sizeof(cut_mark) - 1 : 1;
    log_write(line, len);
    errno = saved_errno;
}
