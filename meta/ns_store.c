/* ns_store: see the header. Names change in two steps, old away and new in, each durable before the
 * next: every file system can do that. Between them there is no namespace/, and the next start
 * takes the first step back. */
#include "meta/ns_store.h"
#include "common/cleanup.h"
#include "common/codec.h"
#include "common/err.h"
#include "meta/kv_swap.h"
#include "meta/ns_record.h"
#include "meta/ns_schema.h"
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define NAME_USED "namespace"
#define NAME_NEW  "namespace.new"
#define NAME_OLD  "namespace.old"

#define PATH_BYTES (NS_STORE_PATH_MAX + 32)

static void store_path(const struct ns_store *s, const char *name, char path[PATH_BYTES])
{
    snprintf(path, PATH_BYTES, "%s/%s", s->dir, name);
}

static bool is_there(const struct ns_store *s, const char *name)
{
    char path[PATH_BYTES];

    store_path(s, name, path);
    return access(path, F_OK) == 0;
}

static int store_remove(const struct ns_store *s, const char *name)
{
    char path[PATH_BYTES];

    store_path(s, name, path);
    return kv_rocks_remove(path);
}

static int store_rename(const struct ns_store *s, const char *from, const char *to)
{
    char old[PATH_BYTES], new[PATH_BYTES];
    VS_AUTO_FD int fd = open(s->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    store_path(s, from, old);
    store_path(s, to, new);
    if (fd < 0 || rename(old, new) < 0 || fsync(fd) < 0)
        return -errno;
    return 0;
}

static int open_used(const struct ns_store *s, bool create, struct kv **ret)
{
    char path[PATH_BYTES];

    store_path(s, NAME_USED, path);
    return kv_rocks_open(ret, path, create, KV_NAMESPACE);
}

/* What a process that died left over. */
static int store_tidy(const struct ns_store *s)
{
    int r = 0;

    if (!is_there(s, NAME_USED) && is_there(s, NAME_OLD))
        r = store_rename(s, NAME_OLD, NAME_USED);
    if (r == 0)
        r = store_remove(s, NAME_OLD);
    if (r == 0)
        r = store_remove(s, NAME_NEW);
    return r;
}

int ns_store_open(struct ns_store *s, const char *dir, bool create)
{
    struct kv *kv = NULL;
    int r, len = 0;

    *s = (struct ns_store){ .in_memory = dir == NULL };
    if (dir != NULL)
        len = snprintf(s->dir, sizeof(s->dir), "%s", dir);
    if (len < 0 || (size_t)len >= sizeof(s->dir))
        return -ENAMETOOLONG;
    if (s->in_memory) {
        r = kv_mem_new(&kv);
    } else {
        r = store_tidy(s);
        if (r == 0)
            r = open_used(s, create, &kv);
    }
    if (r == 0)
        r = kv_swap_new(&s->kv, kv);
    if (r < 0)
        kv_close(kv);
    return r;
}

void ns_store_close(struct ns_store *s)
{
    ns_store_drop(s);
    kv_close(s->kv);
    s->kv = NULL;
}

int ns_store_fresh(struct ns_store *s)
{
    char path[PATH_BYTES];

    ns_store_drop(s);
    if (s->in_memory)
        return kv_mem_new(&s->fresh);
    store_path(s, NAME_NEW, path);
    return kv_rocks_open(&s->fresh, path, true, KV_NAMESPACE);
}

void ns_store_drop(struct ns_store *s)
{
    kv_close(s->fresh);
    s->fresh = NULL;
    if (!s->in_memory && s->dir[0] != '\0')
        (void)store_remove(s, NAME_NEW); /* else the next start does */
}

/* Nobody is inside. RocksDB makes its files by path, so both are closed while the names change. */
static int take_change(void *arg, struct kv **inner)
{
    struct ns_store *s = arg;
    int r, back;

    if (s->in_memory) {
        kv_close(*inner);
        *inner = s->fresh;
        s->fresh = NULL;
        return 0;
    }
    kv_close(s->fresh);
    s->fresh = NULL;
    kv_close(*inner);
    *inner = NULL;
    r = is_there(s, NAME_USED) ? store_rename(s, NAME_USED, NAME_OLD) : 0;
    if (r == 0)
        r = store_rename(s, NAME_NEW, NAME_USED);
    if (r == 0)
        r = open_used(s, false, inner);
    if (r < 0) {
        /* What cannot be opened now cannot be later: the old one again. */
        if (is_there(s, NAME_OLD) && is_there(s, NAME_USED))
            (void)store_rename(s, NAME_USED, NAME_NEW);
        back = store_tidy(s);
        if (back == 0)
            (void)open_used(s, false, inner);
        return r;
    }
    (void)store_remove(s, NAME_OLD); /* else the next start does */
    return 0;
}

int ns_store_take(struct ns_store *s)
{
    return kv_swap_change(s->kv, take_change, s);
}

int ns_store_base(struct kv *kv, uint64_t *ret_slot)
{
    struct ns_key key = ns_key(NS_T_BASE);
    struct vs_buf bytes = { 0 };
    int r = kv_get(kv, key.b, key.len, &bytes);

    *ret_slot = 0;
    if (r == 0)
        r = ns_u64_decode(bytes.data, bytes.len, ret_slot);
    vs_buf_close(&bytes);
    return r == -ENOENT ? 0 : r;
}

int ns_store_set_base(struct kv *kv, uint64_t slot)
{
    struct ns_key key = ns_key(NS_T_BASE);
    struct vs_buf bytes = { 0 };
    struct kv_batch *b;
    int r = kv_batch_new(&b);

    if (r < 0)
        return r;
    r = ns_u64_encode(slot, &bytes);
    if (r == 0) {
        kv_batch_put(b, key.b, key.len, bytes.data, bytes.len);
        r = kv_write(kv, b, false);
    }
    vs_buf_close(&bytes);
    kv_batch_free(b);
    return r;
}
