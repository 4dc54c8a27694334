/* The bare pair, see the header. Happy path: as fast as the libraries go. Failure modes: anything
 * unexpected ends the benchmark. */
#include "bench/bare_http.h"

#include "bench/bench.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <fcntl.h>
#include <microhttpd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define BARE_CONNECTIONS_MAX 64
#define BARE_BUFFER_BYTES    (512L << 10) /* the largest libcurl has */

/* ---- the server, in a child -------------------------------------------------------------------
 */

struct bare_files {
    const char *file;
    unsigned objects;
    size_t object_bytes;
};

static enum MHD_Result bare_answer(void *arg, struct MHD_Connection *c, const char *url,
                                   const char *method, const char *version, const char *data,
                                   size_t *data_bytes, void **state)
{
    static int seen;
    const struct bare_files *f = arg;
    struct MHD_Response *r;
    enum MHD_Result queued;
    unsigned long i;

    (void)method;
    (void)version;
    (void)data;
    (void)data_bytes;
    if (*state == NULL) { /* an answer in the first call closes the connection */
        *state = &seen;
        return MHD_YES;
    }
    i = strtoul(url + 1, NULL, 10) % f->objects;
    r = MHD_create_response_from_fd_at_offset64(
        f->object_bytes, open(f->file, O_RDONLY | O_CLOEXEC), (uint64_t)i * f->object_bytes);
    queued = MHD_queue_response(c, MHD_HTTP_OK, r);
    MHD_destroy_response(r);
    return queued;
}

_Noreturn static void bare_serve(const struct bare_files *f, int port_fd)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    const union MHD_DaemonInfo *info;
    struct MHD_Daemon *d;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    d = MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD, 0, NULL, NULL, bare_answer, (void *)f,
                         MHD_OPTION_SOCK_ADDR, &a, MHD_OPTION_THREAD_POOL_SIZE, 2u, MHD_OPTION_END);
    info = d != NULL ? MHD_get_daemon_info(d, MHD_DAEMON_INFO_BIND_PORT) : NULL;
    if (info == NULL || write(port_fd, &info->port, sizeof(info->port)) != sizeof(info->port))
        bench_die("bare server: does not start");
    for (;;)
        pause();
}

void bare_server_start(struct bare_server *s, const char *file, unsigned objects,
                       size_t object_bytes)
{
    const struct bare_files f = { file, objects, object_bytes };
    int fds[2];

    if (pipe2(fds, O_CLOEXEC) < 0)
        bench_die("bare server: no pipe");
    s->pid = fork();
    if (s->pid < 0)
        bench_die("bare server: no process");
    if (s->pid == 0)
        bare_serve(&f, fds[1]);
    close(fds[1]);
    if (read(fds[0], &s->port, sizeof(s->port)) != sizeof(s->port))
        bench_die("bare server: did not start");
    close(fds[0]);
}

void bare_server_stop(struct bare_server *s)
{
    kill(s->pid, SIGKILL);
    waitpid(s->pid, NULL, 0);
}

/* ---- the client -------------------------------------------------------------------------------
 */

struct bare_conn {
    CURL *easy;
    uint8_t *body;
    size_t at, max;
};

static size_t bare_take(char *bytes, size_t one, size_t len, void *arg)
{
    struct bare_conn *c = arg;

    (void)one;
    if (len > c->max - c->at)
        return 0;
    memcpy(c->body + c->at, bytes, len);
    c->at += len;
    return len;
}

static void bare_ask(CURLM *multi, struct bare_conn *c, uint16_t port, unsigned object)
{
    char url[64];

    snprintf(url, sizeof(url), "http://127.0.0.1:%u/%u", (unsigned)port, object);
    c->at = 0;
    curl_easy_setopt(c->easy, CURLOPT_URL, url);
    curl_multi_add_handle(multi, c->easy);
}

static void bare_open(struct bare_conn *c, size_t object_bytes)
{
    *c = (struct bare_conn){ .easy = curl_easy_init(),
                             .body = malloc(object_bytes),
                             .max = object_bytes };
    if (c->easy == NULL || c->body == NULL)
        bench_die("bare client: no memory");
    memset(c->body, 1, object_bytes);
    curl_easy_setopt(c->easy, CURLOPT_WRITEFUNCTION, bare_take);
    curl_easy_setopt(c->easy, CURLOPT_WRITEDATA, c);
    curl_easy_setopt(c->easy, CURLOPT_PRIVATE, c);
    curl_easy_setopt(c->easy, CURLOPT_BUFFERSIZE, BARE_BUFFER_BYTES);
    curl_easy_setopt(c->easy, CURLOPT_PROXY, "");
}

double bare_get(const struct bare_server *s, unsigned objects, size_t object_bytes,
                unsigned connections, double seconds)
{
    struct bare_conn conns[BARE_CONNECTIONS_MAX];
    CURLM *multi = curl_multi_init();
    unsigned next = 0, done = 0;
    int64_t began_ns;
    double took;

    if (connections > BARE_CONNECTIONS_MAX)
        bench_die("bare client: too many connections");
    for (unsigned i = 0; i < connections; i++) {
        bare_open(&conns[i], object_bytes);
        bare_ask(multi, &conns[i], s->port, next++ % objects);
    }
    began_ns = bench_now_ns();
    while ((took = bench_seconds_since(began_ns)) < seconds) {
        CURLMsg *msg;
        int left;

        curl_multi_perform(multi, &left);
        while ((msg = curl_multi_info_read(multi, &left)) != NULL) {
            struct bare_conn *c;

            curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, (char **)&c);
            if (msg->data.result != CURLE_OK || c->at != object_bytes)
                bench_die("bare client: %s", curl_easy_strerror(msg->data.result));
            done++;
            curl_multi_remove_handle(multi, c->easy);
            bare_ask(multi, c, s->port, next++ % objects);
        }
        curl_multi_poll(multi, NULL, 0, 100, NULL);
    }
    for (unsigned i = 0; i < connections; i++) {
        curl_multi_remove_handle(multi, conns[i].easy);
        curl_easy_cleanup(conns[i].easy);
        free(conns[i].body);
    }
    curl_multi_cleanup(multi);
    return (double)done * (double)object_bytes / 1e6 / took;
}
