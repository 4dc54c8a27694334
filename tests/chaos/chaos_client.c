/* chaos_client: what the clients of a run share: a connection, numbers, questions that wait.
 *
 * Each client has a meta_http of its own, as each mount has. Failure modes: an operation without an
 * answer is neither done nor not done, and is written down so; an answer that the operation cannot
 * have is counted and treated alike. */
#include "common/clock.h"
#include "common/err.h"
#include "meta/meta_http.h"
#include "tests/chaos/chaos.h"

#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

#define INO_RANGE 2048
#define ID_RANGE  2048
#define ODD_SHOWN 20
#define HASTY_MS  250 /* some give up so soon: outcomes that are not known */

void chaos_violation(struct chaos *c, const char *fmt, ...)
{
    va_list ap;

    atomic_fetch_add(&c->violations, 1);
    va_start(ap, fmt);
    fputs("VIOLATION: ", stdout);
    vprintf(fmt, ap);
    fputc('\n', stdout);
    va_end(ap);
    fflush(stdout);
}

int64_t chaos_now(void)
{
    return vs_now_ns(&vs_clock_system);
}

struct ns_time chaos_time(void)
{
    int64_t ns = vs_real_ns(&vs_clock_system);

    return (struct ns_time){ ns / VS_NS_PER_S, (uint32_t)(ns % VS_NS_PER_S) };
}

int chaos_client_start(struct chaos_client *k, struct chaos *c, unsigned number)
{
    struct meta_http_config config = { .origins = c->origin,
                                       .origin_count = (unsigned)c->config.metas };
    int r;

    *k = (struct chaos_client){ .c = c, .number = number };
    if (number % 2 == 1 && number < c->config.clients) {
        k->reads_only = true;
        config.origins = &c->origin[number / 2 % c->config.metas];
        config.origin_count = 1;
    }
    if (number == 2 || k->reads_only)
        config.deadline_ms = HASTY_MS;
    vs_rand_init(&k->rand, c->config.seed * 1000 + number);
    r = vs_exec_start(&k->exec, "chaos", 1);
    if (r == 0)
        r = http_client_start(&k->http, k->exec);
    if (r == 0) {
        config.client = k->http;
        config.exec = k->exec;
        r = meta_http_open(&k->meta, &config);
    }
    if (r < 0)
        chaos_client_stop(k);
    return r;
}

void chaos_client_stop(struct chaos_client *k)
{
    meta_client_stop(k->meta);
    http_client_stop(k->http);
    vs_exec_stop(k->exec);
    vs_buf_close(&k->value);
    k->meta = NULL;
    k->http = NULL;
    k->exec = NULL;
}

bool chaos_answered(struct chaos_client *k, int status, int may_a, int may_b)
{
    if (status == 0 || status == may_a || status == may_b) {
        atomic_fetch_add(&k->c->ops, 1);
        return true;
    }
    atomic_fetch_add(&k->c->unknown, 1);
    if (status != -VS_EDOWN && atomic_fetch_add(&k->c->odd, 1) < ODD_SHOWN)
        printf("odd answer: %s\n", vs_err_text(status));
    return false;
}

int chaos_change(struct chaos_client *k, const struct ns_entry *e, struct ns_answer *ret)
{
    struct meta_req r = { .op = META_CHANGE, .entry = e };
    int status = meta_call(k->meta, &r);

    *ret = r.answer;
    return status;
}

int chaos_lookup(struct chaos_client *k, const char *name, uint64_t *ret_ino)
{
    struct meta_req r = {
        .op = META_LOOKUP, .ino = k->c->parent, .name = name, .name_len = strlen(name)
    };
    int status = meta_call(k->meta, &r);

    *ret_ino = status == 0 ? r.attr.ino : 0;
    return status;
}

/* Asked until it is answered: what was given out and not heard of is lost, which is allowed. */
static bool reserve(struct chaos_client *k, enum ns_entry_kind kind, uint64_t count, uint64_t *ret)
{
    struct ns_entry e = { .kind = kind, .now = chaos_time(), .count = count };
    uint64_t owner = kind == NS_E_RESERVE ? 0 : (uint64_t)k->meta->pid << 32 | k->meta->inc;
    struct ns_answer a;

    while (!chaos_answered(k, chaos_change(k, &e, &a), 0, 0)) {
        if (atomic_load(&k->c->is_over))
            return false;
    }
    chaos_range(k->c, owner, a.first, count);
    *ret = a.first;
    return true;
}

bool chaos_need_ino(struct chaos_client *k, uint64_t *ret)
{
    if (k->ino == k->ino_end) {
        if (!reserve(k, NS_E_RESERVE, INO_RANGE, &k->ino))
            return false;
        k->ino_end = k->ino + INO_RANGE;
    }
    *ret = k->ino++;
    return true;
}

bool chaos_need_id(struct chaos_client *k, struct vs_id *ret)
{
    if (k->seq == k->seq_end) {
        if (!reserve(k, NS_E_SESSION_OPEN, ID_RANGE, &k->seq))
            return false;
        k->seq_end = k->seq + ID_RANGE;
    }
    *ret = vs_id_make(k->meta->pid, k->meta->inc, k->seq++, VS_ID_CHUNK);
    return true;
}

struct ns_entry chaos_create_entry(struct chaos_client *k, const char *name, uint64_t ino)
{
    return (struct ns_entry){ .kind = NS_E_CREATE,
                              .now = chaos_time(),
                              .parent = k->c->parent,
                              .name = name,
                              .name_len = strlen(name),
                              .ino = ino,
                              .attr = { .mode = S_IFREG | 0644 } };
}
