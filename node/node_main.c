/* vstack-node: one storage node.
 *
 * Happy path: parse, open the store, serve, say that it is ready, wait for SIGTERM or SIGINT,
 * answer what is being worked on, close the store cleanly.
 * Failure modes: a start that fails prints one sentence and exits 1. A store that goes down while
 * it serves (a failed write or sync) ends the process with 1 after a sentence in the log, so that
 * what supervises it starts it again: only a store opened anew knows what is on its disk. */
#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "common/sd_notify.h"
#include "common/service.h"
#include "node/node_open.h"
#include "node/node_options.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#define WATCH_MS 500 /* how often the store is looked at */

static int http_start(struct node *node, const struct node_options *o, char why[HTTP_WHY_BYTES])
{
    struct http_server_config config = {
        .listen = o->listen,
        .beyond_loopback = o->insecure_lan,
        .routes = node_routes,
        .route_count = node_routes_count,
        .arg = node,
        .connections_max = (unsigned)o->connections_max,
        .head_ms = (unsigned)o->timeout_s * 1000,
        .grace_ms = (unsigned)o->timeout_s * 1000,
        .body_memory_bytes_max = o->body_memory_bytes,
    };

    return http_server_start(&node->http, &config, why);
}

/* Tell the metadata. A port that was taken now is known now. */
static int metas_start(struct node_metas **ret, struct node *node, struct node_options *o)
{
    char url[NODE_METAS_URL_BYTES];
    int r = 0;

    if (o->metas_count == 0)
        return 0;
    if (o->url[0] != '\0')
        snprintf(url, sizeof(url), "%s", o->url);
    else
        r = node_metas_own_url(o->listen, http_server_port(node->http), url);
    if (r == 0)
        r = node_metas_start(ret, node, o->meta_urls, o->metas_count, url);
    if (r < 0)
        fprintf(stderr, "vstack-node: cannot tell the metadata: %s\n", vs_err_text(r));
    return r;
}

static void say_ready(const struct node *node, const struct node_options *o)
{
    char who[300];

    snprintf(who, sizeof(who), "vstack-node %s", node->name);
    vs_service_ready(who, o->listen, http_server_port(node->http), node->data);
}

/* Until a signal, or until the store is down. 0 or 1, the exit code. */
static int wait_for_end(struct node *node, const sigset_t *waited)
{
    struct timespec step = { 0, WATCH_MS * VS_NS_PER_MS };

    for (;;) {
        struct store_health h;
        int sig = sigtimedwait(waited, NULL, &step);

        if (sig == SIGTERM || sig == SIGINT) {
            vs_info("node %s: %s -> stopping", node->name, sig == SIGTERM ? "SIGTERM" : "SIGINT");
            return 0;
        }
        chunk_store_health(node->store, &h);
        if (h.state == STORE_DOWN) {
            vs_error("node %s: %s -> the process ends, to be started again", node->name, h.why);
            return 1;
        }
    }
}

static int serve(struct node *node, struct node_options *o, const sigset_t *waited)
{
    struct node_metas *metas = NULL;
    char why[HTTP_WHY_BYTES];
    int code;

    if (http_start(node, o, why) < 0) {
        fprintf(stderr, "vstack-node: %s\n", why);
        return 1;
    }
    code = metas_start(&metas, node, o) < 0;
    if (code == 0) {
        say_ready(node, o);
        code = wait_for_end(node, waited);
    }
    (void)vs_sd_notify("STOPPING=1");
    node_metas_stop(metas);
    http_server_stop(node->http, (unsigned)o->drain_s * 1000);
    return code;
}

int main(int argc, char **argv)
{
    struct node_options o;
    char why[NODE_WHY_BYTES];
    struct node node;
    sigset_t waited;
    int lock_fd, code;

    if (node_options_parse(&o, argc - 1, argv + 1, why) < 0) {
        fprintf(stderr, "vstack-node: %s\n", why);
        return 1;
    }
    if (o.help) {
        fputs(node_options_help, stdout);
        return 0;
    }
    vs_service_begin(&waited);
    if (node_open(&node, &o, &lock_fd, why) < 0) {
        fprintf(stderr, "vstack-node: %s\n", why);
        return 1;
    }
    node.started_ns = vs_now_ns(&vs_clock_system);
    code = serve(&node, &o, &waited);
    chunk_store_stop(node.store);
    close(lock_fd);
    return code;
}
