/* Loading a checkpoint.
 *
 * Happy path: the newest file is read twice: all its checksums first, then its contents.
 * Failure modes: a file that does not check is passed over for the one before; without any, the
 * superblock files tell everything themselves. */
#include "node/sb_checkpoint.h"

#include "common/cleanup.h"
#include "common/crc.h"
#include "common/err.h"

#include <string.h>

#define CANDIDATES_MAX 8u
#define CKPT_BYTES_MAX (UINT64_C(1) << 37)
#define READ_BYTES     SB_CKPT_CRC_UNIT_BYTES
#define CRC_BYTES      4u

struct ckpt_in {
    struct sb_store *s;
    struct vs_file *f;
    uint64_t bytes, body_bytes;
    uint64_t entry_count;
    struct sb_ckpt_head head;
};

/* ---- does it check? ---------------------------------------------------------------------------
 */

/* Header and tail: the lengths must fit each other. */
static int in_measure(struct ckpt_in *in)
{
    uint8_t block[SB_BLOCK_BYTES], tail[8];
    struct vs_rd rd = vs_rd_init(tail, sizeof(tail));
    int r;

    r = vs_file_size(in->f, &in->bytes);
    if (r < 0)
        return r;
    if (in->bytes < SB_BLOCK_BYTES + SB_CKPT_TAIL_BYTES || in->bytes > CKPT_BYTES_MAX)
        return -VS_ECORRUPT;
    r = vs_file_pread_full(in->f, block, sizeof(block), 0);
    if (r == 0)
        r = sb_ckpt_decode_head(block, &in->head);
    if (r == 0)
        r = vs_file_pread_full(in->f, tail, sizeof(tail), in->bytes - SB_CKPT_TAIL_BYTES);
    if (r < 0)
        return r;
    in->entry_count = vs_rd_u64(&rd);
    if (in->entry_count > SB_CKPT_ENTRIES_MAX ||
        sb_ckpt_total_bytes(&in->head, in->entry_count) != in->bytes ||
        vs_id_cmp(&in->head.cluster, &in->s->config.cluster) != 0 ||
        vs_id_cmp(&in->head.node, &in->s->config.node) != 0)
        return -VS_ECORRUPT;
    in->body_bytes = sb_ckpt_body_bytes(&in->head, in->entry_count);
    return 0;
}

/* One unit of the body against its checksum in the table. */
static int check_unit(struct ckpt_in *in, uint64_t at, uint8_t *unit, size_t len)
{
    uint64_t entry = in->body_bytes + at / SB_CKPT_CRC_UNIT_BYTES * CRC_BYTES;
    uint8_t le[CRC_BYTES];
    struct vs_rd rd = vs_rd_init(le, sizeof(le));
    int r;

    r = vs_file_pread_full(in->f, unit, len, at);
    if (r == 0)
        r = vs_file_pread_full(in->f, le, sizeof(le), entry);
    if (r < 0)
        return r;
    return vs_rd_u32(&rd) == vs_crc32c(0, unit, len) ? 0 : -VS_ECORRUPT;
}

static int check_all(struct ckpt_in *in, uint8_t *unit, struct vs_sha *sha)
{
    uint64_t hashed = in->bytes - FRAG_SHA256_BYTES, at;
    uint8_t digest[FRAG_SHA256_BYTES], told[FRAG_SHA256_BYTES];
    int r = 0;

    for (at = 0; at < hashed; at += SB_CKPT_CRC_UNIT_BYTES) {
        uint64_t left = at < in->body_bytes ? in->body_bytes - at : 0;
        size_t len = left < SB_CKPT_CRC_UNIT_BYTES ? left : SB_CKPT_CRC_UNIT_BYTES;

        if (len > 0)
            r = check_unit(in, at, unit, len);
        if (r < 0)
            return r;
        vs_sha_update(sha, unit, len);
        if (at + SB_CKPT_CRC_UNIT_BYTES >= in->body_bytes)
            break;
    }
    for (at = in->body_bytes; at < hashed; at += READ_BYTES) {
        size_t len = hashed - at < READ_BYTES ? hashed - at : READ_BYTES;

        r = vs_file_pread_full(in->f, unit, len, at);
        if (r < 0)
            return r;
        vs_sha_update(sha, unit, len);
    }
    r = vs_file_pread_full(in->f, told, sizeof(told), hashed);
    vs_sha_final(sha, digest);
    if (r < 0)
        return r;
    return memcmp(told, digest, sizeof(digest)) == 0 ? 0 : -VS_ECORRUPT;
}

static int in_check(struct ckpt_in *in)
{
    uint8_t *unit = malloc(READ_BYTES);
    struct vs_sha *sha = NULL;
    int r = -ENOMEM;

    if (unit != NULL && vs_sha_new(&sha) == 0)
        r = check_all(in, unit, sha);
    vs_sha_free(sha);
    free(unit);
    return r;
}

/* ---- its contents -----------------------------------------------------------------------------
 */

static int load_entry(struct sb_store *s, const struct sb_ckpt_entry *c)
{
    struct sb_entry *e;
    int r;

    r = sb_index_insert(&s->index, &c->key, &e);
    if (r < 0)
        return r == -EEXIST ? -VS_ECORRUPT : r;
    e->sb = (uint32_t)c->sb;
    e->offset_block = c->offset_block;
    e->payload_bytes = c->payload_bytes;
    e->flags = SB_LIVE | ((c->flags & SB_ENTRY_BAD) != 0 ? SB_BAD : 0);
    sb_entry_set_birth(e, c->birth);
    return 0;
}

/* Item `i` of the files, the dead ranges and the entries, in this order. */
static int load_item(struct ckpt_in *in, struct sb_ckpt_files *files, uint64_t i, struct vs_rd *rd)
{
    struct sb_ckpt_entry entry;
    struct sb_ckpt_dead dead;
    int r;

    if (i < in->head.file_count) {
        r = sb_ckpt_get_file(rd, &files->v[i]);
        files->count = (uint32_t)(i + 1);
        return r;
    }
    if (i < (uint64_t)in->head.file_count + in->head.dead_count) {
        r = sb_ckpt_get_dead(rd, &dead);
        if (r == 0)
            sb_dead_range(in->s, dead.sb, dead.offset, dead.bytes);
        return r;
    }
    r = sb_ckpt_get_entry(rd, &entry);
    return r < 0 ? r : load_entry(in->s, &entry);
}

static size_t item_bytes(const struct ckpt_in *in, uint64_t i)
{
    if (i < in->head.file_count)
        return SB_CKPT_FILE_BYTES;
    return i < (uint64_t)in->head.file_count + in->head.dead_count ? SB_CKPT_DEAD_BYTES
                                                                   : SB_CKPT_ENTRY_BYTES;
}

static int load_items(struct ckpt_in *in, struct sb_ckpt_files *files, uint8_t *buf)
{
    uint64_t items = in->head.file_count + in->head.dead_count + in->entry_count, at;
    size_t have = 0, pos = 0;
    int r;

    at = SB_BLOCK_BYTES;
    for (uint64_t i = 0; i < items; i++) {
        size_t len = item_bytes(in, i);
        struct vs_rd rd;

        if (have - pos < len) {
            size_t want = READ_BYTES - (have - pos);

            memmove(buf, buf + pos, have - pos);
            have -= pos;
            pos = 0;
            want = want < in->body_bytes - at ? want : in->body_bytes - at;
            r = vs_file_pread_full(in->f, buf + have, want, at);
            if (r < 0)
                return r;
            at += want;
            have += want;
        }
        rd = vs_rd_init(buf + pos, len);
        r = load_item(in, files, i, &rd);
        if (r < 0)
            return r;
        pos += len;
    }
    return 0;
}

static int in_load(struct ckpt_in *in, struct sb_ckpt_files *files)
{
    VS_AUTO_FREE uint8_t *buf = malloc(READ_BYTES);

    files->v = malloc((in->head.file_count + 1) * sizeof(files->v[0]));
    if (buf == NULL || files->v == NULL)
        return -ENOMEM;
    return load_items(in, files, buf);
}

static int in_open(struct ckpt_in *in, uint64_t number)
{
    char name[SB_CKPT_NAME_BYTES];

    sb_ckpt_name(number, name);
    return vs_io_open(in->s->io, name, VS_IO_READ, &in->f);
}

/* One checkpoint file. On error nothing of it stays. */
static int load_one(struct sb_store *s, uint64_t number, struct sb_ckpt_head *ret_head,
                    struct sb_ckpt_files *files)
{
    struct ckpt_in in = { .s = s };
    int r;

    r = in_open(&in, number);
    if (r < 0)
        return r;
    r = in_measure(&in);
    if (r == 0)
        r = in_check(&in);
    if (r == 0)
        r = in_load(&in, files);
    vs_file_close(in.f);
    if (r < 0) {
        sb_index_close(&s->index);
        s->dead_count = 0;
        free(files->v);
        *files = (struct sb_ckpt_files){ 0 };
        return r;
    }
    *ret_head = in.head;
    return 0;
}

/* ---- which one --------------------------------------------------------------------------------
 */

struct candidates {
    uint64_t numbers[CANDIDATES_MAX]; /* descending */
    unsigned count;
};

static int candidate_add(void *arg, const char *name, uint64_t file_bytes)
{
    struct candidates *c = arg;
    uint64_t number = sb_ckpt_name_parse(name);
    unsigned at = 0;

    (void)file_bytes;
    if (number == 0)
        return 0;
    while (at < c->count && c->numbers[at] > number)
        at++;
    if (at == CANDIDATES_MAX)
        return 0;
    if (c->count < CANDIDATES_MAX)
        c->count++;
    memmove(&c->numbers[at + 1], &c->numbers[at], (c->count - 1 - at) * sizeof(c->numbers[0]));
    c->numbers[at] = number;
    return 0;
}

int sb_checkpoint_load(struct sb_store *s, struct sb_ckpt_head *ret_head,
                       struct sb_ckpt_files *ret_files, uint64_t *ret_number)
{
    struct candidates c = { 0 };
    int r;

    r = vs_io_list(s->io, candidate_add, &c);
    if (r < 0)
        return r;
    *ret_number = c.count > 0 ? c.numbers[0] : 0;
    for (unsigned i = 0; i < c.count; i++) {
        r = load_one(s, c.numbers[i], ret_head, ret_files);
        if (r == 0) {
            s->ckpt_good = c.numbers[i];
            return 1;
        }
        if (r == -ENOMEM || r == -VS_ENEWER)
            return r;
    }
    return 0;
}

/* What is on the disk, not what is in the cache. */
static int check_one(struct sb_store *s, uint64_t number)
{
    struct ckpt_in in = { .s = s };
    int r;

    r = in_open(&in, number);
    if (r < 0)
        return r;
    r = vs_file_size(in.f, &in.bytes);
    if (r == 0)
        vs_file_drop_cache(in.f, 0, in.bytes);
    if (r == 0)
        r = in_measure(&in);
    if (r == 0)
        r = in_check(&in);
    vs_file_close(in.f);
    return r;
}

int sb_checkpoint_mend(struct sb_store *s, unsigned *bad)
{
    struct candidates c = { 0 };
    unsigned writes = 0;
    int r;

    r = vs_io_list(s->io, candidate_add, &c);
    for (unsigned i = 0; r == 0 && i < c.count; i++) {
        r = check_one(s, c.numbers[i]);
        if (r == -ENOMEM || r == -EMFILE || r == -ENFILE)
            return -ENOMEM;
        if (r < 0 && r != -ENOENT) {
            (*bad)++;
            writes = i == 0 ? 2 : writes > 0 ? writes : 1; /* the last one and its new one stay */
        }
        r = 0;
    }
    for (; r == 0 && writes > 0; writes--) {
        VS_LOCK_SCOPE(&s->maint_lock);
        r = sb_checkpoint_write(s, false);
    }
    if (sb_store_is_down(s))
        return -VS_EDOWN;
    return r == -ENOMEM ? r : 0;
}

const struct sb_ckpt_file *sb_ckpt_files_find(const struct sb_ckpt_files *files, uint64_t sb)
{
    for (uint32_t low = 0, high = files->count; low < high;) {
        uint32_t mid = low + (high - low) / 2;

        if (files->v[mid].sb == sb)
            return &files->v[mid];
        if (files->v[mid].sb < sb)
            low = mid + 1;
        else
            high = mid;
    }
    return NULL;
}
