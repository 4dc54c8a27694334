/* kv_rocks: the key-value vtable on RocksDB; the door to it.
 *
 * Happy path: one database directory, its options chosen for small memory, few files and little
 * preallocated room. Failure: codes say what kind; RocksDB's own words, which no code can carry,
 * go to the log as a warning. After an error of a write RocksDB refuses further writes: the caller
 * decides whether that ends the process (acceptor/) or the namespace. */
#include "common/err.h"
#include "common/list.h"
#include "common/log.h"
#include "meta/kv.h"
#include <rocksdb/c.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Two memtables and a block cache per database: two databases stay below 50 MiB of memory. */
#define KV_ROCKS_MEMTABLE_BYTES       (4u << 20)
#define KV_ROCKS_CACHE_BYTES          (8u << 20)
#define KV_ROCKS_OPEN_FILES_MAX       64
#define KV_ROCKS_INFO_LOG_BYTES_MAX   (128u << 10)
#define KV_ROCKS_INFO_LOGS_MAX        2
#define KV_ROCKS_MANIFEST_BYTES_MAX   (1u << 20)
#define KV_ROCKS_MANIFEST_STEP_BYTES  (64u << 10)
#define KV_ROCKS_FILE_BYTES           (8u << 20)
#define KV_ROCKS_BLOOM_BITS           10.0
#define KV_ROCKS_ACCEPTOR_BLOCK_BYTES (32u << 10)
#define KV_ROCKS_INFO_LOG_LEVEL_WARN  2
#define KV_ROCKS_RECOVER_TORN_TAIL    0 /* an error when anything but the very end is damaged */
#define KV_ROCKS_RECOVER_TO_FIRST_BAD 2 /* what is behind is replayed from the journal */

#ifdef __SANITIZE_THREAD__
/* RocksDB comes without the instrumentation, so its locks are not seen and everything it copies
 * looks like a race. Weak: a program that needs more lines defines its own, with these in it. */
const char *__tsan_default_suppressions(void);
__attribute__((weak)) const char *__tsan_default_suppressions(void)
{
    return "called_from_lib:librocksdb.so\nrace:librocksdb.so\n";
}
#endif

struct kv_rocks {
    struct kv kv;
    rocksdb_t *db;
    rocksdb_options_t *options;
    rocksdb_readoptions_t *read;
    rocksdb_writeoptions_t *write, *write_sync;
    rocksdb_flushoptions_t *flush;
    rocksdb_writebatch_t *batch; /* the one writer's */
};

/* RocksDB's error text, which is freed, as a code. */
static int kv_rocks_code(char *err, const char *doing)
{
    static const struct {
        const char *text;
        int code;
    } known[] = {
        { "lock hold by current process", -EAGAIN },
        { "While lock file", -EAGAIN },
        { "Corruption", -VS_ECORRUPT },
        { "No space left on device", -ENOSPC },
        { "Permission denied", -EACCES },
        { "Read-only file system", -EROFS },
        { "does not exist (create_if_missing is false)", -ENOENT },
    };
    int code = -EIO;

    if (err == NULL)
        return 0;
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (strstr(err, known[i].text) != NULL) {
            code = known[i].code;
            break;
        }
    }
    if (code != -EAGAIN && code != -ENOENT)
        vs_warn("metadata database: %s: %s", doing, err);
    rocksdb_free(err);
    return code;
}

static int kv_rocks_get(struct kv *kv, const void *key, size_t key_len, struct vs_buf *ret)
{
    struct kv_rocks *k = vs_container_of(kv, struct kv_rocks, kv);
    char *err = NULL;
    rocksdb_pinnableslice_t *slice = rocksdb_get_pinned(k->db, k->read, key, key_len, &err);
    const char *value;
    size_t value_len = 0;
    int r;

    if (err != NULL)
        return kv_rocks_code(err, "get");
    if (slice == NULL)
        return -ENOENT;
    value = rocksdb_pinnableslice_value(slice, &value_len);
    ret->len = 0;
    r = vs_buf_append(ret, value, value_len, KV_VALUE_BYTES_MAX);
    rocksdb_pinnableslice_destroy(slice);
    return r;
}

static int kv_rocks_scan(struct kv *kv, const void *from, size_t from_len, const void *to,
                         size_t to_len, kv_scan_fn *fn, void *arg)
{
    struct kv_rocks *k = vs_container_of(kv, struct kv_rocks, kv);
    rocksdb_readoptions_t *read = rocksdb_readoptions_create();
    rocksdb_iterator_t *it;
    char *err = NULL;
    int r = 0;

    if (to_len > 0)
        rocksdb_readoptions_set_iterate_upper_bound(read, to, to_len);
    it = rocksdb_create_iterator(k->db, read);
    for (rocksdb_iter_seek(it, from, from_len); rocksdb_iter_valid(it) && r == 0;
         rocksdb_iter_next(it)) {
        size_t key_len, value_len;
        const char *key = rocksdb_iter_key(it, &key_len);
        const char *value = rocksdb_iter_value(it, &value_len);

        r = fn(arg, (const uint8_t *)key, key_len, (const uint8_t *)value, value_len);
    }
    rocksdb_iter_get_error(it, &err);
    rocksdb_iter_destroy(it);
    rocksdb_readoptions_destroy(read);
    if (err != NULL) {
        int code = kv_rocks_code(err, "scan");

        return r != 0 ? r : code;
    }
    return r;
}

static int kv_rocks_add(void *arg, const uint8_t *key, size_t key_len, const uint8_t *value,
                        size_t value_len)
{
    rocksdb_writebatch_t *batch = arg;

    if (value == NULL)
        rocksdb_writebatch_delete(batch, (const char *)key, key_len);
    else
        rocksdb_writebatch_put(batch, (const char *)key, key_len, (const char *)value, value_len);
    return 0;
}

static int kv_rocks_write(struct kv *kv, struct kv_batch *b, bool sync)
{
    struct kv_rocks *k = vs_container_of(kv, struct kv_rocks, kv);
    char *err = NULL;

    rocksdb_writebatch_clear(k->batch);
    kv_batch_each(b, kv_rocks_add, k->batch);
    rocksdb_write(k->db, sync ? k->write_sync : k->write, k->batch, &err);
    return kv_rocks_code(err, "write");
}

static int kv_rocks_flush(struct kv *kv)
{
    struct kv_rocks *k = vs_container_of(kv, struct kv_rocks, kv);
    char *err = NULL;

    rocksdb_flush(k->db, k->flush, &err);
    return kv_rocks_code(err, "flush");
}

/* An iterator keeps what it was made on. */
struct kv_rocks_view {
    struct kv_view view;
    rocksdb_readoptions_t *read;
    rocksdb_iterator_t *it;
    bool is_at; /* it stands on the pair given last */
};

static int kv_rocks_view_seek(struct kv_view *view, const void *from, size_t from_len)
{
    struct kv_rocks_view *v = vs_container_of(view, struct kv_rocks_view, view);

    rocksdb_iter_seek(v->it, from_len > 0 ? from : "", from_len);
    v->is_at = false;
    return 0;
}

static int kv_rocks_view_next(struct kv_view *view, const uint8_t **key, size_t *key_len,
                              const uint8_t **value, size_t *value_len)
{
    struct kv_rocks_view *v = vs_container_of(view, struct kv_rocks_view, view);
    char *err = NULL;

    if (v->is_at && rocksdb_iter_valid(v->it))
        rocksdb_iter_next(v->it);
    v->is_at = true;
    if (!rocksdb_iter_valid(v->it)) {
        rocksdb_iter_get_error(v->it, &err);
        return kv_rocks_code(err, "view");
    }
    *key = (const uint8_t *)rocksdb_iter_key(v->it, key_len);
    *value = (const uint8_t *)rocksdb_iter_value(v->it, value_len);
    return 1;
}

static void kv_rocks_view_close(struct kv_view *view)
{
    struct kv_rocks_view *v = vs_container_of(view, struct kv_rocks_view, view);

    rocksdb_iter_destroy(v->it);
    rocksdb_readoptions_destroy(v->read);
    free(v);
}

static const struct kv_view_ops kv_rocks_view_ops = {
    .seek = kv_rocks_view_seek,
    .next = kv_rocks_view_next,
    .close = kv_rocks_view_close,
};

static int kv_rocks_view(struct kv *kv, struct kv_view **ret)
{
    struct kv_rocks *k = vs_container_of(kv, struct kv_rocks, kv);
    struct kv_rocks_view *v = calloc(1, sizeof(*v));

    if (v == NULL)
        return -ENOMEM;
    v->view.ops = &kv_rocks_view_ops;
    v->read = rocksdb_readoptions_create();
    rocksdb_readoptions_set_fill_cache(v->read, 0); /* read once: the cache is for others */
    v->it = rocksdb_create_iterator(k->db, v->read);
    rocksdb_iter_seek_to_first(v->it);
    *ret = &v->view;
    return 0;
}

static void kv_rocks_close(struct kv *kv)
{
    struct kv_rocks *k = vs_container_of(kv, struct kv_rocks, kv);

    if (k->db != NULL)
        rocksdb_close(k->db);
    rocksdb_writebatch_destroy(k->batch);
    rocksdb_flushoptions_destroy(k->flush);
    rocksdb_writeoptions_destroy(k->write);
    rocksdb_writeoptions_destroy(k->write_sync);
    rocksdb_readoptions_destroy(k->read);
    rocksdb_options_destroy(k->options);
    free(k);
}

static const struct kv_ops kv_rocks_ops = {
    .get = kv_rocks_get,
    .scan = kv_rocks_scan,
    .write = kv_rocks_write,
    .flush = kv_rocks_flush,
    .view = kv_rocks_view,
    .close = kv_rocks_close,
};

static rocksdb_options_t *kv_rocks_options(bool create, enum kv_kind kind)
{
    rocksdb_options_t *o = rocksdb_options_create();
    rocksdb_block_based_table_options_t *table = rocksdb_block_based_options_create();
    rocksdb_cache_t *cache = rocksdb_cache_create_lru(KV_ROCKS_CACHE_BYTES);

    rocksdb_options_set_create_if_missing(o, create);
    rocksdb_options_set_paranoid_checks(o, 1);
    rocksdb_options_set_recycle_log_file_num(o, 0);
    rocksdb_options_set_wal_recovery_mode(o, kind == KV_ACCEPTOR ? KV_ROCKS_RECOVER_TORN_TAIL
                                                                 : KV_ROCKS_RECOVER_TO_FIRST_BAD);
    rocksdb_options_set_write_buffer_size(o, KV_ROCKS_MEMTABLE_BYTES);
    rocksdb_options_set_max_write_buffer_number(o, 2);
    rocksdb_options_set_target_file_size_base(o, KV_ROCKS_FILE_BYTES);
    rocksdb_options_set_max_bytes_for_level_base(o, 4 * KV_ROCKS_FILE_BYTES);
    rocksdb_options_set_max_background_jobs(o, 2);
    rocksdb_options_set_max_open_files(o, KV_ROCKS_OPEN_FILES_MAX);
    rocksdb_options_set_max_file_opening_threads(o, 1);
    rocksdb_options_set_max_manifest_file_size(o, KV_ROCKS_MANIFEST_BYTES_MAX);
    rocksdb_options_set_manifest_preallocation_size(o, KV_ROCKS_MANIFEST_STEP_BYTES);
    rocksdb_options_set_info_log_level(o, KV_ROCKS_INFO_LOG_LEVEL_WARN);
    rocksdb_options_set_max_log_file_size(o, KV_ROCKS_INFO_LOG_BYTES_MAX);
    rocksdb_options_set_keep_log_file_num(o, KV_ROCKS_INFO_LOGS_MAX);
    rocksdb_options_set_stats_dump_period_sec(o, 0);
    rocksdb_options_set_stats_persist_period_sec(o, 0);
    /* The namespace holds ids, hashes and small files: hardly compressible. Half of a register is
     * what all have in common, or zero; large blocks bring the chunks of one film together. */
    rocksdb_options_set_compression(o, kind == KV_ACCEPTOR ? rocksdb_zstd_compression
                                                           : rocksdb_no_compression);
    if (kind == KV_ACCEPTOR)
        rocksdb_block_based_options_set_block_size(table, KV_ROCKS_ACCEPTOR_BLOCK_BYTES);

    rocksdb_block_based_options_set_block_cache(table, cache);
    rocksdb_block_based_options_set_filter_policy(
        table, rocksdb_filterpolicy_create_bloom_full(KV_ROCKS_BLOOM_BITS));
    rocksdb_options_set_block_based_table_factory(o, table);
    rocksdb_block_based_options_destroy(table);
    rocksdb_cache_destroy(cache);
    return o;
}

int kv_rocks_open(struct kv **ret, const char *dir, bool create, enum kv_kind kind)
{
    struct kv_rocks *k;
    char current[4096];
    char *err = NULL;
    int len = snprintf(current, sizeof(current), "%s/CURRENT", dir);

    if (len < 0 || (size_t)len >= sizeof(current))
        return -ENAMETOOLONG;
    /* RocksDB makes the directory even when it is told not to make a database. */
    if (!create && access(current, F_OK) != 0)
        return errno == ENOENT ? -ENOENT : -errno;
    k = calloc(1, sizeof(*k));
    if (k == NULL)
        return -ENOMEM;
    k->kv.ops = &kv_rocks_ops;
    k->options = kv_rocks_options(create, kind);
    k->read = rocksdb_readoptions_create();
    k->write = rocksdb_writeoptions_create();
    k->write_sync = rocksdb_writeoptions_create();
    rocksdb_writeoptions_set_sync(k->write_sync, 1);
    k->flush = rocksdb_flushoptions_create();
    rocksdb_flushoptions_set_wait(k->flush, 1);
    k->batch = rocksdb_writebatch_create();
    k->db = rocksdb_open(k->options, dir, &err);
    if (err != NULL) {
        kv_rocks_close(&k->kv);
        return kv_rocks_code(err, dir);
    }
    *ret = &k->kv;
    return 0;
}

int kv_rocks_remove(const char *dir)
{
    rocksdb_options_t *o;
    char *err = NULL;
    int r;

    if (access(dir, F_OK) != 0)
        return errno == ENOENT ? 0 : -errno;
    o = rocksdb_options_create();
    rocksdb_destroy_db(o, dir, &err);
    rocksdb_options_destroy(o);
    r = kv_rocks_code(err, dir);
    if (r == 0 && rmdir(dir) < 0 && errno != ENOENT)
        r = -errno;
    return r;
}
