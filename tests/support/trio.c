/* trio: see the header. */
#include "tests/support/trio.h"
#include "common/assert.h"
#include "meta/meta_rejoin.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TRIO_WAIT_NS (30 * VS_NS_PER_S)

static void trio_open(struct trio *t, uint32_t pid, bool create)
{
    char dir[TEMP_DIR_BYTES + 16];
    struct meta_replica_config config = { .dir = dir,
                                          .create = create,
                                          .born_ns = 1700000000 * VS_NS_PER_S,
                                          .pid = (uint16_t)pid,
                                          .member_count = t->members,
                                          .members = { 1, 2, 3, 4, 5 },
                                          .patience_ms = t->patience_ms,
                                          .in_memory = !t->on_disk,
                                          .ring = t->ring,
                                          .kept = t->kept,
                                          .clock = &vs_clock_system,
                                          .link = link_mem_of(t->link, pid) };

    memset(config.cluster.b, 7, VS_ID_BYTES);
    snprintf(dir, sizeof(dir), "%s/%u", t->home, pid);
    VS_ASSERT(meta_replica_open(&t->replica[pid - 1], &config) == 0);
    link_mem_up(t->link, pid, t->replica[pid - 1]);
}

static struct trio *trio_open_all(struct trio *t)
{
    if (t->on_disk)
        temp_dir_make(t->home);
    t->link = link_mem_new();
    for (uint32_t pid = 1; pid <= t->members; pid++)
        trio_open(t, pid, true);
    return t;
}

static struct trio *trio_make(unsigned members, bool on_disk)
{
    struct trio *t = calloc(1, sizeof(*t));

    VS_ASSERT(t != NULL);
    t->members = members;
    t->on_disk = on_disk;
    return t;
}

struct trio *trio_new(unsigned members, bool on_disk)
{
    return trio_open_all(trio_make(members, on_disk));
}

struct trio *trio_new_patient(unsigned members, bool on_disk, unsigned patience_ms)
{
    struct trio *t = trio_make(members, on_disk);

    t->patience_ms = patience_ms;
    return trio_open_all(t);
}

struct trio *trio_new_short(unsigned members, uint32_t ring, uint32_t kept)
{
    struct trio *t = trio_make(members, true);

    t->ring = ring;
    t->kept = kept;
    return trio_open_all(t);
}

void trio_start(struct trio *t, uint32_t pid)
{
    VS_ASSERT(t->on_disk && t->replica[pid - 1] == NULL);
    trio_open(t, pid, false);
}

void trio_stop(struct trio *t, uint32_t pid)
{
    link_mem_down(t->link, pid);
    meta_replica_stop(t->replica[pid - 1]);
    t->replica[pid - 1] = NULL;
}

static int trio_enter(struct trio *t, uint32_t pid, uint32_t lost,
                      int (*how)(const struct meta_join_config *),
                      void (*step)(void *, const char *), void *arg)
{
    static const _Atomic int go_on;
    char dir[TEMP_DIR_BYTES + 16];
    struct meta_join_config config = { .dir = dir,
                                       .pid = (uint16_t)pid,
                                       .lost = (uint16_t)lost,
                                       .url = "http://127.0.0.1:1",
                                       .link = link_mem_of(t->link, pid),
                                       .clock = &vs_clock_system,
                                       .is_stopping = t->is_stopping ? t->is_stopping : &go_on,
                                       .fence_ms = t->fence_ms,
                                       .known_ms = t->known_ms,
                                       .rest = &t->rest,
                                       .step = step,
                                       .arg = arg };
    int r;

    VS_ASSERT(t->on_disk && t->replica[pid - 1] == NULL);
    memset(config.cluster.b, 7, VS_ID_BYTES);
    snprintf(dir, sizeof(dir), "%s/%u", t->home, pid);
    for (uint32_t peer = 1; peer <= LINK_MEM_REPLICAS; peer++)
        if (t->replica[peer - 1] != NULL)
            config.peer[config.peer_count++].pid = peer;
    r = how(&config);
    if (r == 0)
        trio_open(t, pid, false);
    return r;
}

int trio_join(struct trio *t, uint32_t pid, uint32_t lost, void (*step)(void *, const char *),
              void *arg)
{
    return trio_enter(t, pid, lost, meta_join, step, arg);
}

int trio_rejoin(struct trio *t, uint32_t pid, void (*step)(void *, const char *), void *arg)
{
    return trio_enter(t, pid, 0, meta_rejoin, step, arg);
}

void trio_wipe(struct trio *t, uint32_t pid)
{
    char dir[TEMP_DIR_BYTES + 16];

    VS_ASSERT(t->on_disk && t->replica[pid - 1] == NULL);
    snprintf(dir, sizeof(dir), "%s/%u", t->home, pid);
    temp_dir_remove(dir);
}

void trio_free(struct trio *t)
{
    for (uint32_t pid = 1; pid <= LINK_MEM_REPLICAS; pid++)
        link_mem_down(t->link, pid);
    for (uint32_t pid = 1; pid <= LINK_MEM_REPLICAS; pid++)
        if (t->replica[pid - 1] != NULL)
            trio_stop(t, pid);
    link_mem_free(t->link);
    if (t->on_disk)
        temp_dir_remove(t->home);
    free(t);
}

static uint32_t leader_now(struct trio *t, uint32_t but)
{
    uint32_t found = 0;

    for (uint32_t pid = 1; pid <= LINK_MEM_REPLICAS; pid++) {
        struct meta_replica_state s;

        if (t->replica[pid - 1] == NULL)
            continue;
        meta_replica_state(t->replica[pid - 1], &s);
        if (s.leading && pid != but)
            found = found == 0 ? pid : UINT32_MAX;
    }
    return found == UINT32_MAX ? 0 : found;
}

uint32_t trio_leader(struct trio *t, uint32_t but)
{
    const struct timespec pause = { 0, VS_NS_PER_MS };
    int64_t end = vs_now_ns(&vs_clock_system) + TRIO_WAIT_NS;
    uint32_t pid;

    while ((pid = leader_now(t, but)) == 0) {
        VS_ASSERT(vs_now_ns(&vs_clock_system) < end);
        nanosleep(&pause, NULL);
    }
    return pid;
}

uint32_t trio_follower(struct trio *t)
{
    return trio_leader(t, 0) == 1 ? 2 : 1;
}

struct meta_client *trio_client(struct trio *t, uint32_t pid)
{
    return meta_replica_client(t->replica[pid - 1]);
}
