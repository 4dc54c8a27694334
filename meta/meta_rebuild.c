/* meta_rebuild: see the header. */
#include "meta/meta_rebuild.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/rand.h"
#include "meta/acceptor_codec.h"
#include "meta/ns_entry.h"
#include "meta/ns_record.h"
#include "meta/ns_schema.h"
#include "meta/ns_store.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BATCH_BYTES (1u << 20)
#define INC_FIRST   (1u << 24)
#define INC_SPREAD  (1u << 30)
#define PID_FIRST   256u /* below: what people give to the replicas of a new cluster */

uint16_t meta_rebuild_pid(const uint8_t seen[META_REBUILD_PIDS / 8])
{
    uint32_t pid;

    do {
        vs_rand_system(&pid, sizeof(pid));
        pid = PID_FIRST + pid % (META_REBUILD_PIDS - PID_FIRST);
    } while ((seen[pid / 8] >> pid % 8 & 1) != 0);
    return (uint16_t)pid;
}

/* The same in every directory: replicas that say the same of a register agree about it. */
static const struct px_ballot rebuild_ballot = { .round = 1, .pid = 1 };

static int rebuild_kv(struct meta_rebuild *b, const char *name, enum kv_kind kind, struct kv **ret)
{
    VS_AUTO_FREE char *path = NULL;

    if (asprintf(&path, "%s/%s", b->part, name) < 0)
        return -ENOMEM;
    return kv_rocks_open(ret, path, true, kind);
}

static void rebuild_remove(const struct meta_rebuild *b)
{
    static const char *const names[] = { "namespace", "acceptor" };

    for (unsigned i = 0; i < 2; i++) {
        VS_AUTO_FREE char *path = NULL;

        if (asprintf(&path, "%s/%s", b->part, names[i]) >= 0)
            (void)kv_rocks_remove(path);
    }
    (void)rmdir(b->part);
}

/* Far behind what any replica was started, and another one each time. */
static uint32_t rebuild_incarnation(void)
{
    uint32_t inc;

    vs_rand_system(&inc, sizeof(inc));
    return INC_FIRST + inc % INC_SPREAD;
}

int meta_rebuild_begin(struct meta_rebuild *b, const char *dir, uint16_t id, uint16_t fresh)
{
    int r;

    *b = (struct meta_rebuild){ .pid = id != 0 ? id : fresh };
    b->inc = id != 0 ? rebuild_incarnation() : 0;
    if (snprintf(b->dir, sizeof(b->dir), "%s", dir) >= (int)sizeof(b->dir))
        return -ENAMETOOLONG;
    snprintf(b->part, sizeof(b->part), "%s.part", b->dir);
    if (rmdir(dir) < 0 && errno != ENOENT) /* an empty one makes way */
        return errno == ENOTEMPTY ? -EEXIST : -errno;
    rebuild_remove(b); /* of one that was interrupted */
    if (mkdir(b->part, 0700) < 0)
        return -errno;
    r = rebuild_kv(b, "namespace", KV_NAMESPACE, &b->ns);
    if (r == 0)
        r = rebuild_kv(b, "acceptor", KV_ACCEPTOR, &b->acceptor);
    if (r == 0)
        r = kv_batch_new(&b->batch);
    if (r < 0)
        meta_rebuild_close(b);
    return r;
}

static int rebuild_put(struct meta_rebuild *b, const void *key, size_t key_len)
{
    int r = 0;

    kv_batch_put(b->batch, key, key_len, b->record.data, b->record.len);
    b->bytes += key_len + b->record.len;
    if (b->bytes < BATCH_BYTES)
        return 0;
    r = kv_write(b->acceptor, b->batch, false);
    kv_batch_clear(b->batch);
    b->bytes = 0;
    return r;
}

int meta_rebuild_register(struct meta_rebuild *b, const struct vs_id *id, const void *value,
                          size_t len)
{
    struct px_reg reg = { .promised = rebuild_ballot,
                          .ballot = rebuild_ballot,
                          .accepted = { .version = 1, .value = value, .value_len = len } };
    uint8_t key[ACCEPTOR_REG_KEY_BYTES];
    int r = acceptor_reg_encode(&reg, &b->record);

    if (r < 0)
        return r;
    acceptor_reg_key(id, key);
    b->registers++;
    return rebuild_put(b, key, sizeof(key));
}

/* ---- the end ---- */

static int rebuild_state(struct meta_rebuild *b, struct ns_state *ret)
{
    struct ns_key key = ns_key(NS_T_STATE);
    int r = kv_get(b->ns, key.b, key.len, &b->record);

    return r < 0 ? r : ns_state_decode(b->record.data, b->record.len, ret);
}

static int rebuild_brake(struct meta_rebuild *b, const struct ns_state *state, const char *why)
{
    struct ns_key key = ns_key(NS_T_BRAKE);
    struct kv_batch *batch;
    int r = kv_batch_new(&batch);

    if (r < 0)
        return r;
    kv_batch_put(batch, key.b, key.len, why, strlen(why));
    r = kv_write(b->ns, batch, false);
    kv_batch_free(batch);
    if (r == 0)
        r = ns_store_set_base(b->ns, state->slot);
    return r < 0 ? r : kv_flush(b->ns);
}

/* The journal goes on behind the slot that the namespace has; that slot itself says nothing. */
static int rebuild_journal(struct meta_rebuild *b, const struct ns_state *state)
{
    struct acceptor_identity id = { .cluster = state->cluster, .pid = b->pid, .inc = b->inc };
    struct acceptor_journal journal = { .promised = rebuild_ballot, .first = state->slot };
    struct ns_entry nothing = { .kind = NS_E_NOP };
    uint8_t key[ACCEPTOR_SLOT_KEY_BYTES];
    struct vs_buf entry = { 0 };
    int r = ns_entry_encode(&nothing, &entry);

    acceptor_slot_key(state->slot, key);
    if (r == 0)
        r = acceptor_slot_encode(&journal.promised, entry.data, entry.len, &b->record);
    if (r == 0)
        r = rebuild_put(b, key, sizeof(key));
    if (r == 0)
        r = acceptor_journal_encode(&journal, &b->record);
    if (r == 0)
        r = rebuild_put(b, ACCEPTOR_KEY_JOURNAL, ACCEPTOR_KEY_BYTES);
    if (r == 0)
        r = acceptor_count_encode(1, &b->record);
    if (r == 0)
        r = rebuild_put(b, ACCEPTOR_KEY_COUNT, ACCEPTOR_KEY_BYTES);
    if (r == 0)
        r = acceptor_identity_encode(&id, &b->record);
    if (r == 0)
        r = rebuild_put(b, ACCEPTOR_KEY_IDENTITY, ACCEPTOR_KEY_BYTES);
    vs_buf_close(&entry);
    if (r == 0)
        r = kv_write(b->acceptor, b->batch, true);
    return r < 0 ? r : kv_flush(b->acceptor);
}

static int sync_path(const char *path)
{
    VS_AUTO_FD int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

static int rebuild_name(struct meta_rebuild *b)
{
    VS_AUTO_FREE char *parent = NULL;
    int r = sync_path(b->part);

    if (r < 0)
        return r;
    if (rename(b->part, b->dir) < 0)
        return -errno;
    if (asprintf(&parent, "%s/..", b->dir) < 0)
        return -ENOMEM;
    return sync_path(parent);
}

int meta_rebuild_end(struct meta_rebuild *b, const char *why)
{
    struct ns_state state;
    int r = rebuild_state(b, &state);

    if (r == 0)
        r = rebuild_brake(b, &state, why);
    if (r == 0)
        r = rebuild_journal(b, &state);
    if (r < 0)
        return r;
    kv_close(b->ns);
    kv_close(b->acceptor);
    b->ns = b->acceptor = NULL;
    r = rebuild_name(b);
    if (r == 0)
        b->part[0] = '\0';
    return r;
}

void meta_rebuild_close(struct meta_rebuild *b)
{
    kv_close(b->ns);
    kv_close(b->acceptor);
    kv_batch_free(b->batch);
    vs_buf_close(&b->record);
    if (b->part[0] != '\0')
        rebuild_remove(b);
    *b = (struct meta_rebuild){ .pid = 0 };
}
