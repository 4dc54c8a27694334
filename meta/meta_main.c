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
#include "common/service.h"
#include "meta/meta_nodes.h"
#include "meta/meta_open.h"
#include "meta/meta_options.h"
#include "meta/meta_reaper.h"
#include "meta/meta_server.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

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

static void say_ready(const struct meta_server *m, const struct meta_options *o)
{
    char who[32];

    snprintf(who, sizeof(who), "vstack-meta %u", m->id);
    vs_service_ready(who, o->listen, http_server_port(m->http), m->data);
}

static void wait_for_end(const struct meta_server *m, const sigset_t *waited)
{
    int sig = 0;

    while (sig != SIGTERM && sig != SIGINT && !atomic_load(&m->is_late))
        if (sigwait(waited, &sig) != 0)
            return;
    if (atomic_load(&m->is_late))
        vs_info("replica %u: left behind -> starting again", m->id);
    else
        vs_info("replica %u: %s -> stopping", m->id, sig == SIGTERM ? "SIGTERM" : "SIGINT");
}

/* One of several gives up what is abandoned: who leads. */
static bool leads(void *arg)
{
    struct meta_server *m = arg;
    struct meta_replica_state state;

    if (m->peers.replica == NULL)
        return true;
    meta_replica_state(m->peers.replica, &state);
    return state.leading;
}

static int reaper_start(struct meta_reaper **ret, struct meta_server *m,
                        const struct meta_options *o)
{
    const struct meta_reaper_config config = { .meta = m->meta,
                                               .clock = &vs_clock_system,
                                               .idle_s = o->session_idle_s,
                                               .leads = leads,
                                               .arg = m };

    return meta_reaper_start(ret, &config, true);
}

static int serve(struct meta_server *m, const struct meta_options *o, const sigset_t *waited)
{
    char why[HTTP_WHY_BYTES];

    if (vs_exec_start(&m->api, "vs-meta-api", META_SERVER_API_THREADS) < 0 ||
        meta_nodes_start(&m->nodes, m->meta, NULL) < 0) {
        fprintf(stderr, "vstack-meta: no memory for its threads\n");
        return 1;
    }
    if (http_start(m, o, why) < 0) {
        fprintf(stderr, "vstack-meta: %s\n", why);
        return 1;
    }
    say_ready(m, o);
    wait_for_end(m, waited);
    if (!atomic_load(&m->is_late))
        (void)vs_sd_notify("STOPPING=1");
    atomic_store(&m->is_ending, true);
    if (m->peers.replica != NULL)
        meta_replica_resign(m->peers.replica);
    http_server_stop(m->http, (unsigned)o->drain_s * 1000);
    return 0;
}

/* The same process, by the same command line: whoever watches over it sees no end. Returns only an
 * error. */
static int begin_again(char **argv)
{
    execv("/proc/self/exe", argv);
    fprintf(stderr, "vstack-meta: cannot start again: %s\n", vs_err_text(-errno));
    return 1;
}

int main(int argc, char **argv)
{
    struct meta_options o;
    struct meta_reaper *reaper = NULL;
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
    vs_service_begin(&waited);
    if (meta_open(&m, &o, why) < 0) {
        fprintf(stderr, "vstack-meta: %s\n", why);
        return 1;
    }
    m.started_ns = vs_now_ns(&vs_clock_system);
    if (reaper_start(&reaper, &m, &o) < 0)
        vs_warn("replica %u: no memory -> abandoned uploads keep their space", m.id);
    code = serve(&m, &o, &waited);
    meta_reaper_stop(reaper);
    vs_exec_stop(m.api);
    meta_nodes_stop(m.nodes);
    meta_close(&m);
    return code == 0 && atomic_load(&m.is_late) ? begin_again(argv) : code;
}
