/* meta_restore: see the header. */
#include "meta/meta_restore.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "meta/dump_kv.h"
#include "meta/meta_rebuild.h"
#include "meta/ns_record.h"
#include "meta/ns_schema.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define READ_BYTES (1u << 20)
#define GAP        (UINT64_C(1) << 32) /* more numbers than anybody took since the backup */

struct restoring {
    int fd;
    struct meta_restored *ret;
    uint8_t seen[META_REBUILD_PIDS / 8]; /* proposer ids of registers */
    struct meta_rebuild *rebuild;        /* NULL: only look */
    struct dump_kv_in names;
};

static int restore_register(struct restoring *w, const uint8_t *key, size_t key_len,
                            const uint8_t *value, size_t value_len)
{
    struct vs_id id;
    uint16_t pid;

    if (key_len != VS_ID_BYTES)
        return -VS_ECORRUPT;
    memcpy(id.b, key, VS_ID_BYTES);
    pid = vs_id_pid(&id);
    w->seen[pid / 8] |= (uint8_t)(1u << pid % 8);
    w->ret->registers++;
    return w->rebuild == NULL ? 0 : meta_rebuild_register(w->rebuild, &id, value, value_len);
}

static int restore_pair(void *arg, uint8_t section, const uint8_t *key, size_t key_len,
                        const uint8_t *value, size_t value_len)
{
    struct restoring *w = arg;

    if (section == DUMP_REGISTERS)
        return restore_register(w, key, key_len, value, value_len);
    if (section != DUMP_NAMESPACE)
        return 0;
    w->ret->pairs++;
    return w->rebuild == NULL ? 0 : dump_kv_in_pair(&w->names, key, key_len, value, value_len);
}

static int restore_read(struct restoring *w)
{
    VS_AUTO_FREE uint8_t *buf = malloc(READ_BYTES);
    struct dump_in in;
    ssize_t n = 1;
    int r = buf != NULL ? dump_in_init(&in) : -ENOMEM;

    if (r < 0)
        return r;
    w->ret->pairs = w->ret->registers = 0;
    for (off_t at = 0; r == 0 && n > 0; at += n) {
        n = pread(w->fd, buf, READ_BYTES, at);
        if (n < 0)
            r = -errno;
        else if (n > 0)
            r = dump_in_feed(&in, buf, (size_t)n, restore_pair, w);
    }
    if (r == 0)
        r = dump_in_done(&in);
    if (r == 0 && in.head.kind != DUMP_BACKUP)
        r = -VS_ECORRUPT;
    w->ret->cluster = in.head.cluster;
    w->ret->slot = in.head.slot;
    w->ret->made_ns = in.head.made_ns;
    dump_in_close(&in);
    return r;
}

/* Numbers go on where nobody has been. */
static int restore_gap(struct kv *ns)
{
    struct ns_key key = ns_key(NS_T_STATE);
    struct vs_buf value = { 0 };
    struct ns_state state;
    struct kv_batch *b = NULL;
    int r = kv_get(ns, key.b, key.len, &value);

    if (r == 0)
        r = ns_state_decode(value.data, value.len, &state);
    if (r == 0)
        r = kv_batch_new(&b);
    value.len = 0;
    if (r == 0) {
        state.next_ino += GAP;
        state.next_session += GAP;
        state.next_seq += GAP;
        r = ns_state_encode(&state, &value);
    }
    if (r == 0) {
        kv_batch_put(b, key.b, key.len, value.data, value.len);
        r = kv_write(ns, b, false);
    }
    kv_batch_free(b);
    vs_buf_close(&value);
    return r;
}

static int restore_make(struct restoring *w, const char *into, uint16_t id)
{
    struct meta_rebuild rebuild;
    int r = meta_rebuild_begin(&rebuild, into, id, meta_rebuild_pid(w->seen));

    if (r < 0)
        return r;
    w->rebuild = &rebuild;
    r = dump_kv_in_begin(&w->names, rebuild.ns);
    if (r == 0)
        r = restore_read(w);
    if (r == 0)
        r = dump_kv_in_end(&w->names);
    dump_kv_in_close(&w->names);
    if (r == 0)
        r = restore_gap(rebuild.ns);
    if (r == 0)
        r = meta_rebuild_end(&rebuild, "the metadata was restored from a backup");
    meta_rebuild_close(&rebuild);
    return r;
}

int meta_restore(const char *path, const char *into, uint16_t id, struct meta_restored *ret,
                 char why[META_RESTORE_WHY_BYTES])
{
    VS_AUTO_FREE struct restoring *w = calloc(1, sizeof(*w));
    VS_AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
    int r;

    *ret = (struct meta_restored){ 0 };
    if (w == NULL || fd < 0) {
        r = fd < 0 ? -errno : -ENOMEM;
        snprintf(why, META_RESTORE_WHY_BYTES, "%s: %s", path, vs_err_text(r));
        return r;
    }
    w->fd = fd;
    w->ret = ret;
    r = restore_read(w);
    if (r < 0) {
        snprintf(why, META_RESTORE_WHY_BYTES, "%s: %s; nothing was made: use another backup", path,
                 r == -VS_ECORRUPT ? "it is no whole backup" : vs_err_text(r));
        return r;
    }
    r = restore_make(w, into, id);
    if (r == -EEXIST)
        snprintf(why, META_RESTORE_WHY_BYTES,
                 "%s: is not empty; metadata that is there is not touched: move it away first",
                 into);
    else if (r < 0)
        snprintf(why, META_RESTORE_WHY_BYTES, "%s: %s", into, vs_err_text(r));
    return r;
}
