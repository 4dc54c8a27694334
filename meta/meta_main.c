/* vstack-meta: the metadata of a cluster, one replica.
 *
 * Happy path: parse, open the metadata, serve, say that it is ready, wait for SIGTERM or SIGINT,
 * answer what is being worked on, close cleanly.
 * Failure modes: a start that fails prints one sentence and exits 1. A write or sync of acceptor/
 * that fails while it serves aborts the process: it could forget what it promised. */
#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "common/sd_notify.h"
#include "meta/meta_open.h"
#include "meta/meta_options.h"
#include "meta/meta_server.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

static void raise_limits(void)
{
    struct rlimit files;

    if (getrlimit(RLIMIT_NOFILE, &files) < 0 || files.rlim_cur == files.rlim_max)
        return;
    files.rlim_cur = files.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &files);
}

/* Signals are taken by sigwait() in the main thread; SIGPIPE is a result of a write. */
static void block_signals(sigset_t *ret_waited)
{
    signal(SIGPIPE, SIG_IGN);
    sigemptyset(ret_waited);
    sigaddset(ret_waited, SIGTERM);
    sigaddset(ret_waited, SIGINT);
    sigaddset(ret_waited, SIGHUP);
    pthread_sigmask(SIG_BLOCK, ret_waited, NULL);
}

static int http_start(struct meta_server *m, const struct meta_options *o, char why[HTTP_WHY_BYTES])
{
    struct http_server_config config = {
        .listen = o->listen,
        .beyond_loopback = o->insecure_lan,
        .routes = meta_routes,
        .route_count = meta_routes_count,
        .arg = m,
        .connections_max = (unsigned)o->connections_max,
        .head_ms = (unsigned)o->timeout_s * 1000,
        .grace_ms = (unsigned)o->timeout_s * 1000,
    };

    return http_server_start(&m->http, &config, why);
}

/* Say that we serve: on standard output, in the log, to systemd. */
static void say_ready(const struct meta_server *m, const struct meta_options *o)
{
    int host = (int)(strrchr(o->listen, ':') - o->listen);
    char line[512];

    printf("vstack-meta %u ready on %.*s:%u\n", m->id, host, o->listen,
           (unsigned)http_server_port(m->http));
    fflush(stdout);
    snprintf(line, sizeof(line), "READY=1\nSTATUS=Serving %s on port %u", m->data,
             (unsigned)http_server_port(m->http));
    (void)vs_sd_notify(line);
}

static void wait_for_end(const struct meta_server *m, const sigset_t *waited)
{
    int sig = 0;

    while (sig != SIGTERM && sig != SIGINT)
        if (sigwait(waited, &sig) != 0)
            return;
    vs_info("replica %u: %s -> stopping", m->id, sig == SIGTERM ? "SIGTERM" : "SIGINT");
}

static int serve(struct meta_server *m, const struct meta_options *o, const sigset_t *waited)
{
    char why[HTTP_WHY_BYTES];

    if (vs_exec_start(&m->api, "vs-meta-api", META_SERVER_API_THREADS) < 0) {
        fprintf(stderr, "vstack-meta: no memory for its threads\n");
        return 1;
    }
    if (http_start(m, o, why) < 0) {
        fprintf(stderr, "vstack-meta: %s\n", why);
        return 1;
    }
    say_ready(m, o);
    wait_for_end(m, waited);
    (void)vs_sd_notify("STOPPING=1");
    http_server_stop(m->http, (unsigned)o->drain_s * 1000);
    return 0;
}

int main(int argc, char **argv)
{
    struct meta_options o;
    struct meta_server m;
    char why[META_WHY_BYTES];
    sigset_t waited;
    int code;

    if (meta_options_parse(&o, argc - 1, argv + 1, why) < 0) {
        fprintf(stderr, "vstack-meta: %s\n", why);
        return 1;
    }
    if (o.help) {
        fputs(meta_options_help, stdout);
        return 0;
    }
    raise_limits();
    block_signals(&waited);
    if (meta_open(&m, &o, why) < 0) {
        fprintf(stderr, "vstack-meta: %s\n", why);
        return 1;
    }
    m.started_ns = vs_now_ns(&vs_clock_system);
    code = serve(&m, &o, &waited);
    vs_exec_stop(m.api);
    meta_client_stop(m.meta);
    return code;
}
