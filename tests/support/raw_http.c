/* Raw HTTP of tests. */
#include "tests/support/raw_http.h"

#include "common/assert.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define SAY_BYTES_MAX 65536

int raw_connect(uint16_t port, int receive_bytes)
{
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port) };
    struct timeval wait = { RAW_HTTP_WAIT_S, 0 };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    VS_ASSERT(fd >= 0);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    VS_ASSERT(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)) == 0);
    VS_ASSERT(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait)) == 0);
    if (receive_bytes > 0)
        VS_ASSERT(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof(receive_bytes)) ==
                  0);
    VS_ASSERT(connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0);
    return fd;
}

bool raw_send(int fd, const void *bytes, size_t len)
{
    const char *pos = bytes;

    while (len > 0) {
        ssize_t n = send(fd, pos, len, MSG_NOSIGNAL);

        if (n <= 0)
            return false;
        pos += n;
        len -= (size_t)n;
    }
    return true;
}

static void say(int fd, const char *fmt, va_list args)
{
    char *text = malloc(SAY_BYTES_MAX);
    int n;

    VS_ASSERT(text != NULL);
    n = vsnprintf(text, SAY_BYTES_MAX, fmt, args);
    VS_ASSERT(n >= 0 && n < SAY_BYTES_MAX);
    (void)raw_send(fd, text, (size_t)n);
    free(text);
}

void raw_say(int fd, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    say(fd, fmt, args);
    va_end(args);
}

/* Byte by byte up to the empty line: nothing behind it is taken. */
static bool read_head(int fd, char head[RAW_HTTP_HEAD_MAX])
{
    size_t n = 0;

    while (n < RAW_HTTP_HEAD_MAX - 1 && recv(fd, head + n, 1, 0) == 1) {
        head[++n] = '\0';
        if (n >= 4 && memcmp(head + n - 4, "\r\n\r\n", 4) == 0)
            return true;
    }
    return false;
}

const char *raw_header(const struct raw_answer *a, const char *name)
{
    static __thread char value[RAW_HTTP_HEAD_MAX];
    size_t n = strlen(name);

    for (const char *line = strstr(a->head, "\r\n"); line != NULL; line = strstr(line, "\r\n")) {
        line += 2;
        if (strncasecmp(line, name, n) != 0 || line[n] != ':')
            continue;
        snprintf(value, sizeof(value), "%s", line + n + 1 + strspn(line + n + 1, " "));
        value[strcspn(value, "\r")] = '\0';
        return value;
    }
    return NULL;
}

void raw_read(int fd, bool head, struct raw_answer *a)
{
    const char *length;
    size_t want = 0;

    do {
        *a = (struct raw_answer){ 0 };
        if (!read_head(fd, a->head))
            return;
        VS_ASSERT(sscanf(a->head, "HTTP/1.%*d %d", &a->status) == 1);
    } while (a->status == 100);
    length = raw_header(a, "Content-Length");
    if (length != NULL && !head)
        want = strtoul(length, NULL, 10);
    a->body = malloc(want + 1);
    VS_ASSERT(a->body != NULL);
    while (a->body_bytes < want) {
        ssize_t n = recv(fd, a->body + a->body_bytes, want - a->body_bytes, 0);

        if (n <= 0)
            break;
        a->body_bytes += (size_t)n;
    }
    a->body[a->body_bytes] = '\0';
    a->whole = a->body_bytes == want;
}

void raw_answer_close(struct raw_answer *a)
{
    free(a->body);
    *a = (struct raw_answer){ 0 };
}

bool raw_is_closed(int fd)
{
    char byte;

    return recv(fd, &byte, 1, 0) <= 0;
}

int raw_ask(uint16_t port, struct raw_answer *a, const char *fmt, ...)
{
    int fd = raw_connect(port, 0), status;
    struct raw_answer own = { 0 };
    va_list args;

    va_start(args, fmt);
    say(fd, fmt, args);
    va_end(args);
    raw_read(fd, strncmp(fmt, "HEAD", 4) == 0, a != NULL ? a : &own);
    status = a != NULL ? a->status : own.status;
    raw_answer_close(&own);
    close(fd);
    return status;
}
