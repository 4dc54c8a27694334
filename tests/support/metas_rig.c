/* Real metadata replicas; see the header. */
#include "tests/support/metas_rig.h"

#include "common/assert.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/id.h"
#include "common/rand.h"
#include "tests/support/raw_http.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_MS   60000
#define METRICS_BYTES (256u << 10)
#define CLUSTER       "0193561a4c007000800000000000c0de" /* version 7: all begin alike */

/* Free ports, held until all are known. */
static void choose_ports(struct metas_rig *f)
{
    int fd[METAS_RIG_MAX];

    for (unsigned i = 0; i < f->count; i++) {
        struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        socklen_t len = sizeof(a);

        fd[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        VS_ASSERT(fd[i] >= 0 && bind(fd[i], (struct sockaddr *)&a, sizeof(a)) == 0);
        VS_ASSERT(getsockname(fd[i], (struct sockaddr *)&a, &len) == 0);
        f->port[i] = ntohs(a.sin_port);
        snprintf(f->origin[i], sizeof(f->origin[i]), "http://127.0.0.1:%u", f->port[i]);
        f->origins[i] = f->origin[i];
    }
    for (unsigned i = 0; i < f->count; i++)
        close(fd[i]);
}

void metas_rig_restart(struct metas_rig *f, unsigned i)
{
    char id[8], dir[TEMP_DIR_BYTES + 8], peers[METAS_RIG_MAX * 64] = "";
    const char *const args[] = { "--cluster", CLUSTER, "--peers", peers, "--new", NULL };
    size_t len = 0;

    snprintf(id, sizeof(id), "%u", i + 1);
    snprintf(dir, sizeof(dir), "%s/m%u", f->dir, i + 1);
    for (unsigned k = 0; k < f->count; k++)
        len += (size_t)snprintf(peers + len, sizeof(peers) - len, "%s%u=http://127.0.0.1:%u",
                                k > 0 ? "," : "", k + 1,
                                k == i ? f->port[k] : tcp_cut_port(f->way[i][k]));
    VS_ASSERT(node_proc_start_program(&f->proc[i], "vstack-meta", id, dir, f->port[i], args) == 0);
}

void metas_rig_start(struct metas_rig *f, unsigned count)
{
    memset(f, 0, sizeof(*f));
    f->count = count;
    temp_dir_make(f->dir);
    choose_ports(f);
    for (unsigned i = 0; i < count; i++)
        for (unsigned k = 0; k < count; k++)
            if (i != k)
                f->way[i][k] = tcp_cut_start(f->port[k]);
    for (unsigned i = 0; i < count; i++)
        metas_rig_restart(f, i);
    VS_ASSERT(vs_exec_start(&f->exec, "metas", 2) == 0);
    VS_ASSERT(http_client_start(&f->client, f->exec) == 0);
    (void)metas_rig_leader(f);
}

void metas_rig_stop(struct metas_rig *f)
{
    http_client_stop(f->client);
    vs_exec_stop(f->exec);
    for (unsigned i = 0; i < f->count; i++)
        if (f->proc[i].pid != 0)
            node_proc_thaw(&f->proc[i]);
    for (unsigned i = 0; i < f->count; i++)
        metas_rig_isolate(f, i, false);
    for (unsigned i = 0; i < f->count; i++)
        VS_ASSERT(node_proc_stop(&f->proc[i]) == 0);
    for (unsigned i = 0; i < f->count; i++)
        for (unsigned k = 0; k < f->count; k++)
            tcp_cut_stop(f->way[i][k]);
    temp_dir_remove(f->dir);
}

void metas_rig_cut(struct metas_rig *f, unsigned from, unsigned to, bool is_cut)
{
    tcp_cut_set(f->way[from][to], is_cut, is_cut);
}

void metas_rig_isolate(struct metas_rig *f, unsigned i, bool is_cut)
{
    for (unsigned k = 0; k < f->count; k++) {
        if (k == i)
            continue;
        metas_rig_cut(f, i, k, is_cut);
        metas_rig_cut(f, k, i, is_cut);
    }
}

/* ---- how they are ---- */

static bool page(struct metas_rig *f, unsigned i, const char *path, char *ret, size_t cap)
{
    char ask[128];
    const struct timeval patience = { 1, 0 };
    struct sockaddr_in a = { .sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                             .sin_port = htons(f->port[i]) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    size_t len = 0;
    ssize_t n = 0;

    snprintf(ask, sizeof(ask), "GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", path);
    VS_ASSERT(fd >= 0);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    if (connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0 &&
        send(fd, ask, strlen(ask), MSG_NOSIGNAL) == (ssize_t)strlen(ask))
        while (len < cap - 1 && (n = recv(fd, ret + len, cap - 1 - len, 0)) > 0)
            len += (size_t)n;
    ret[len] = '\0';
    close(fd);
    return n == 0 && len > 0;
}

bool metas_rig_health(struct metas_rig *f, unsigned i, const char *name, char *ret, size_t cap)
{
    char text[8192], key[64];
    const char *at;

    snprintf(key, sizeof(key), "\"%s\":", name);
    if (f->proc[i].pid == 0 || !page(f, i, "/health", text, sizeof(text)) ||
        (at = strstr(text, key)) == NULL)
        return false;
    at += strlen(key);
    snprintf(ret, cap, "%.*s", (int)strcspn(at, ",}]"), at);
    return true;
}

uint64_t metas_rig_count(struct metas_rig *f, unsigned i, const char *begin)
{
    static char text[METRICS_BYTES];
    uint64_t sum = 0;

    VS_ASSERT(page(f, i, "/metrics", text, sizeof(text)));
    for (const char *at = text; (at = strchr(at, '\n')) != NULL;) {
        at++;
        if (strncmp(at, begin, strlen(begin)) == 0 && strchr(at, ' ') != NULL)
            sum += strtoull(strchr(at, ' ') + 1, NULL, 10);
    }
    return sum;
}

unsigned metas_rig_leader(struct metas_rig *f)
{
    int64_t end_ns = vs_now_ns(&vs_clock_system) + PATIENCE_MS * VS_NS_PER_MS;
    struct timespec step = { 0, 10 * VS_NS_PER_MS };

    for (;;) {
        unsigned says[METAS_RIG_MAX + 1] = { 0 };

        for (unsigned i = 0; i < f->count; i++) {
            char leader[32];
            unsigned long n = 0;

            if (metas_rig_health(f, i, "leader", leader, sizeof(leader)))
                n = strtoul(leader, NULL, 10);
            if (n >= 1 && n <= f->count && ++says[n] * 2 > f->count)
                return (unsigned)n - 1;
        }
        VS_ASSERT(vs_now_ns(&vs_clock_system) < end_ns);
        nanosleep(&step, NULL);
    }
}

struct meta_client *metas_rig_open(struct metas_rig *f, unsigned deadline_ms)
{
    const struct meta_http_config config = { .client = f->client,
                                             .exec = f->exec,
                                             .origins = f->origins,
                                             .origin_count = f->count,
                                             .deadline_ms = deadline_ms,
                                             .open_ms = PATIENCE_MS };
    struct meta_client *meta;

    VS_ASSERT(meta_http_open(&meta, &config) == 0);
    return meta;
}

void metas_rig_settle(struct meta_client *meta)
{
    int64_t end_ns = vs_now_ns(&vs_clock_system) + PATIENCE_MS * VS_NS_PER_MS;
    bool passed = true;

    while (passed) {
        struct meta_req r = { .op = META_GETATTR, .ino = NS_INO_ROOT };

        VS_ASSERT(vs_now_ns(&vs_clock_system) < end_ns);
        passed = meta_call(meta, &r) < 0 || r.passed;
    }
}
