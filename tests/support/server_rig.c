/* The HTTP server of the tests. */
#include "tests/support/server_rig.h"

#include "common/err.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct later {
    struct vs_job job;
    struct http_req *q;
    struct server_rig *x;
};

/* ---- the routes -------------------------------------------------------------------------------
 */

static void count_begin(struct http_req *q)
{
    struct server_rig *x = http_req_arg(q);

    atomic_fetch_add(&x->begins, 1);
    if (http_req_header(q, "X-Refuse") != NULL)
        http_reply_error(q, 409, "refused", "refused before the %s", "body");
}

static void count_body(struct http_req *q, const void *bytes, size_t len)
{
    struct server_rig *x = http_req_arg(q);

    (void)bytes;
    atomic_fetch_add(&x->bodies, (unsigned)len);
}

static void count_end(struct http_req *q)
{
    struct server_rig *x = http_req_arg(q);

    atomic_store(&x->sent_status, http_req_sent_status(q));
    atomic_fetch_add(&x->ends, 1);
}

static void echo_run(struct http_req *q)
{
    size_t bytes;
    const void *body = http_req_body(q, &bytes);

    http_reply_header(q, "X-Tail", http_req_tail(q));
    http_reply_lent(q, 200, "text/plain", body, bytes);
}

static void hello_run(struct http_req *q)
{
    const char *name = http_req_query(q, "name");

    http_reply_header(q, "X-Quick", http_req_quick(q) ? "yes" : "no");
    if (http_req_method(q) == HTTP_HEAD)
        http_reply_head(q, 200, "text/plain", 12345);
    else
        http_reply(q, 200, "text/plain", name != NULL ? name : "hello",
                   strlen(name != NULL ? name : "hello"));
}

static void later_job(struct vs_job *job)
{
    struct later *l = vs_container_of(job, struct later, job);
    struct http_req *q = l->q;

    if (http_req_state(q) != NULL) { /* /hold */
        sem_post(&l->x->begun);
        sem_wait(&l->x->release);
    }
    free(l);
    http_reply(q, 200, "text/plain", "later", 5);
}

static void later_run(struct http_req *q)
{
    struct server_rig *x = http_req_arg(q);
    struct later *l = calloc(1, sizeof(*l));

    *l = (struct later){ .job.fn = later_job, .q = q, .x = x };
    vs_exec_submit(x->exec, &l->job);
}

static void hold_run(struct http_req *q)
{
    http_req_set_state(q, q);
    later_run(q);
}

static void file_done(void *arg)
{
    struct server_rig *x = arg;

    atomic_fetch_add(&x->files_done, 1);
}

static void file_run(struct http_req *q)
{
    struct server_rig *x = http_req_arg(q);
    int fd = open(x->path, O_RDONLY | O_CLOEXEC);

    assert_true(fd >= 0);
    http_reply_file(q, 200, "application/octet-stream", fd, 1, SERVER_RIG_FILE_BYTES - 1, file_done,
                    x);
}

static int64_t fill_a(struct http_req *q, uint64_t pos, void *dst, size_t max)
{
    (void)q;
    memset(dst, 'a' + (int)(pos / 100000), max);
    return (int64_t)max;
}

static int64_t fill_breaks(struct http_req *q, uint64_t pos, void *dst, size_t max)
{
    return pos < 1000 ? fill_a(q, pos, dst, max < 1000 ? max : 1000) : -EIO;
}

static void fill_run(struct http_req *q)
{
    http_reply_fill(q, 200, "text/plain", http_req_query(q, "break") ? fill_breaks : fill_a,
                    200000);
}

static void memory_run(struct http_req *q)
{
    size_t bytes = strtoul(http_req_query(q, "bytes"), NULL, 10);
    void *p = http_req_memory(q, bytes);

    if (p == NULL)
        http_reply_error(q, 503, "busy", "no memory");
    else
        http_reply_lent(q, 200, "text/plain", memset(p, 'm', bytes), bytes);
}

static const struct http_route routes[] = {
    { "/hello", HTTP_GET | HTTP_HEAD, true, 0, count_begin, NULL, hello_run, count_end },
    { "/slowhello", HTTP_GET, false, 0, NULL, NULL, hello_run, NULL },
    { "/echo/", HTTP_PUT, false, SERVER_RIG_BODY_MAX, count_begin, count_body, echo_run,
      count_end },
    { "/later", HTTP_GET, false, 0, count_begin, NULL, later_run, count_end },
    { "/hold", HTTP_GET, false, 0, count_begin, NULL, hold_run, count_end },
    { "/file", HTTP_GET, false, 0, count_begin, NULL, file_run, count_end },
    { "/fill", HTTP_GET, false, 0, NULL, NULL, fill_run, NULL },
    { "/memory", HTTP_GET, false, 0, NULL, NULL, memory_run, NULL },
};

/* ---- fixture ----------------------------------------------------------------------------------
 */

void server_rig_start(struct server_rig *x)
{
    char why[HTTP_WHY_BYTES];

    assert_int_equal(http_server_start(&x->s, &x->config, why), 0);
    x->port = http_server_port(x->s);
}

int server_rig_setup_stopped(void **state)
{
    struct server_rig *x = *state = calloc(1, sizeof(*x));
    uint32_t *words;
    int fd;

    signal(SIGPIPE, SIG_IGN);
    x->config = (struct http_server_config){
        .listen = "127.0.0.1:0",
        .routes = routes,
        .route_count = sizeof(routes) / sizeof(routes[0]),
        .arg = x,
    };
    sem_init(&x->begun, 0, 0);
    sem_init(&x->release, 0, 0);
    assert_int_equal(vs_exec_start(&x->exec, "later", 2), 0);
    temp_dir_make(x->dir);
    snprintf(x->path, sizeof(x->path), "%s/file", x->dir);
    fd = open(x->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    words = malloc(SERVER_RIG_FILE_BYTES);
    assert_non_null(words);
    for (unsigned i = 0; i < SERVER_RIG_FILE_BYTES / 4; i++)
        words[i] = i;
    assert_int_equal(write(fd, words, SERVER_RIG_FILE_BYTES), SERVER_RIG_FILE_BYTES);
    free(words);
    close(fd);
    return 0;
}

int server_rig_setup(void **state)
{
    server_rig_setup_stopped(state);
    server_rig_start(*state);
    return 0;
}

int server_rig_teardown(void **state)
{
    struct server_rig *x = *state;

    http_server_stop(x->s, 1000);
    vs_exec_stop(x->exec);
    temp_dir_remove(x->dir);
    free(x);
    return 0;
}

void server_rig_await(atomic_uint *counter, unsigned want)
{
    for (unsigned i = 0; i < 2000 && atomic_load(counter) != want; i++)
        usleep(5000);
    assert_int_equal(atomic_load(counter), want);
}

struct http_server_stats server_rig_stats(struct server_rig *x)
{
    struct http_server_stats st;

    http_server_stats(x->s, &st);
    return st;
}
