/* Pending changes of a file, and what a power cut makes of them.
 *
 * The model of a cut: each sector of the disk holds what the page cache held in it at some moment
 * since the last sync, and that moment is another one for each sector. So changes are lost, torn at
 * sectors and reordered in any way, but two writes into the same sector are never undone out of
 * order: the page that carried the later one carried the earlier one too. Sizes, allocation and
 * holes are metadata and come or go per change. */
#include "tests/support/sim_file.h"

#include "common/assert.h"
#include "common/file_io.h"

#include <stdlib.h>
#include <string.h>

struct sim_op {
    struct vs_list link;
    enum sim_change kind;
    bool direct;
    uint64_t offset; /* SIM_CHANGE_TRUNCATE: the new size */
    uint64_t len;
    uint8_t data[]; /* SIM_CHANGE_WRITE */
};

struct sim_file *sim_file_new(void)
{
    struct sim_file *f = calloc(1, sizeof(*f));

    VS_ASSERT(f != NULL);
    vs_list_init(&f->link);
    vs_list_init(&f->pending);
    return f;
}

static void pending_clear(struct sim_file *f)
{
    struct vs_list *pos, *tmp;

    vs_list_for_each (pos, tmp, &f->pending) {
        vs_list_del(pos);
        free(vs_container_of(pos, struct sim_op, link));
    }
}

void sim_file_free(struct sim_file *f)
{
    pending_clear(f);
    sim_image_close(&f->cache);
    sim_image_close(&f->disk);
    free(f);
}

static void op_apply(const struct sim_op *op, struct sim_image *img)
{
    switch (op->kind) {
    case SIM_CHANGE_WRITE:
        sim_image_write(img, op->data, op->len, op->offset);
        break;
    case SIM_CHANGE_TRUNCATE:
        sim_image_truncate(img, op->offset);
        break;
    case SIM_CHANGE_ALLOCATE:
        sim_image_allocate(img, op->len, op->offset);
        break;
    case SIM_CHANGE_PUNCH:
        sim_image_punch(img, op->len, op->offset);
        break;
    }
}

void sim_file_change(struct sim_file *f, enum sim_change kind, const void *data, uint64_t len,
                     uint64_t offset, bool direct)
{
    size_t data_bytes = kind == SIM_CHANGE_WRITE ? (size_t)len : 0;
    struct sim_op *op = malloc(sizeof(*op) + data_bytes);

    VS_ASSERT(op != NULL);
    *op = (struct sim_op){ .kind = kind, .direct = direct, .offset = offset, .len = len };
    if (data_bytes > 0)
        memcpy(op->data, data, data_bytes);
    op_apply(op, &f->cache);
    vs_list_add_tail(&f->pending, &op->link);
}

/* The bytes of [offset, offset+len) that lie within the op, as a range relative to offset. */
static bool op_overlap(const struct sim_op *op, uint64_t len, uint64_t offset, uint64_t *ret_from,
                       uint64_t *ret_to)
{
    uint64_t op_end = op->kind == SIM_CHANGE_TRUNCATE ? UINT64_MAX : op->offset + op->len;
    uint64_t from = op->offset > offset ? op->offset : offset;
    uint64_t to = op_end < offset + len ? op_end : offset + len;

    if (from >= to)
        return false;
    *ret_from = from - offset;
    *ret_to = to - offset;
    return true;
}

void sim_file_read_direct(const struct sim_file *f, void *dst, size_t len, uint64_t offset)
{
    const struct vs_list *pos;
    uint8_t *bytes = dst;
    uint64_t from, to;

    sim_image_read(&f->disk, dst, len, offset);
    for (pos = f->pending.next; pos != &f->pending; pos = pos->next) {
        const struct sim_op *op = vs_container_of(pos, struct sim_op, link);

        if (op->kind == SIM_CHANGE_ALLOCATE || !op_overlap(op, len, offset, &from, &to))
            continue;
        if (op->kind != SIM_CHANGE_WRITE) /* metadata: seen at once by everybody */
            memset(bytes + from, 0, to - from);
        else if (op->direct)
            memcpy(bytes + from, op->data + (offset + from - op->offset), to - from);
    }
}

void sim_file_sync(struct sim_file *f)
{
    struct vs_list *pos, *tmp;

    vs_list_for_each (pos, tmp, &f->pending)
        op_apply(vs_container_of(pos, struct sim_op, link), &f->disk);
    pending_clear(f);
}

void sim_file_lose(struct sim_file *f)
{
    f->diverged = f->diverged || !vs_list_empty(&f->pending);
    pending_clear(f);
}

static bool range_is_dirty(const struct sim_file *f, uint64_t len, uint64_t offset)
{
    const struct vs_list *pos;
    uint64_t from, to;

    for (pos = f->pending.next; pos != &f->pending; pos = pos->next)
        if (op_overlap(vs_container_of(pos, struct sim_op, link), len, offset, &from, &to))
            return true;
    return false;
}

void sim_file_drop_cache(struct sim_file *f, uint64_t len, uint64_t offset)
{
    uint64_t end = offset + len < f->cache.bytes ? offset + len : f->cache.bytes;
    uint8_t block[VS_IO_BLOCK_BYTES], cached[VS_IO_BLOCK_BYTES];

    if (!f->diverged)
        return;
    offset -= offset % sizeof(block);
    for (; offset < end; offset += sizeof(block)) {
        uint64_t size = f->cache.bytes;

        if (range_is_dirty(f, sizeof(block), offset))
            continue;
        sim_image_read(&f->disk, block, sizeof(block), offset);
        sim_image_read(&f->cache, cached, sizeof(cached), offset);
        if (memcmp(block, cached, sizeof(block)) == 0)
            continue;
        sim_image_write(&f->cache, block, sizeof(block), offset);
        sim_image_truncate(&f->cache, size); /* the size is the inode's, not the page's */
    }
}

/* ---- power cut ---------------------------------------------------------------------------------
 */

enum sim_fate { FATE_LOST, FATE_TORN, FATE_DONE };

/* With many changes, choosing for each would hardly ever lose or keep them all. */
enum sim_mood { MOOD_ALL_LOST, MOOD_ALL_DONE, MOOD_EACH, MOOD_COUNT = 5 };

struct settle {
    struct sim_file *file;
    struct vs_rand *rand;
    enum sim_mood mood;
    size_t sector_count;
    int32_t *last; /* per sector: the number of the change whose page it holds; -1: none */
    uint64_t size; /* of the file, as far as changes are settled */
};

static void settle_sectors(const struct settle *s, const struct sim_op *op, size_t *ret_from,
                           size_t *ret_to)
{
    uint64_t end = op->kind == SIM_CHANGE_TRUNCATE ? UINT64_MAX : op->offset + op->len;
    size_t to = end / SIM_SECTOR_BYTES + (end % SIM_SECTOR_BYTES != 0);
    size_t from = op->offset / SIM_SECTOR_BYTES;

    *ret_to = to < s->sector_count ? to : s->sector_count;
    *ret_from = from < *ret_to ? from : *ret_to;
    if (op->kind == SIM_CHANGE_ALLOCATE) /* changes no bytes */
        *ret_from = *ret_to;
}

static void settle_size(struct settle *s, const struct sim_op *op, enum sim_fate fate,
                        uint64_t torn_end)
{
    uint64_t end = op->offset + op->len;

    if (op->kind == SIM_CHANGE_PUNCH)
        return;
    if (op->kind == SIM_CHANGE_TRUNCATE) {
        if (fate == FATE_DONE)
            s->size = op->offset;
        return;
    }
    /* The size may be on disk although the bytes are not: they read as zeros then. */
    if (fate == FATE_TORN && vs_rand_below(s->rand, 2) == 0)
        end = torn_end;
    if (fate == FATE_LOST && (s->mood == MOOD_ALL_LOST || op->kind != SIM_CHANGE_WRITE ||
                              vs_rand_below(s->rand, 4) != 0))
        end = 0;
    if (end > s->size)
        s->size = end;
}

static enum sim_fate settle_fate(const struct settle *s, const struct sim_op *op)
{
    enum sim_fate fate = (enum sim_fate)vs_rand_below(s->rand, 3);

    if (s->mood == MOOD_ALL_LOST)
        return FATE_LOST;
    if (s->mood == MOOD_ALL_DONE)
        return FATE_DONE;
    if (op->kind != SIM_CHANGE_WRITE && fate == FATE_TORN) /* metadata is not torn */
        return vs_rand_below(s->rand, 2) == 0 ? FATE_LOST : FATE_DONE;
    return fate;
}

static void settle_choose(struct settle *s, const struct sim_op *op, int32_t number)
{
    enum sim_fate fate = settle_fate(s, op);
    uint64_t torn_end = 0;
    size_t from, to;

    settle_sectors(s, op, &from, &to);
    for (size_t i = from; fate != FATE_LOST && i < to; i++) {
        if (fate == FATE_TORN && vs_rand_below(s->rand, 2) == 0)
            continue;
        s->last[i] = number;
        torn_end = (uint64_t)(i + 1) * SIM_SECTOR_BYTES;
    }
    if (torn_end > op->offset + op->len)
        torn_end = op->offset + op->len;
    settle_size(s, op, fate, torn_end);
    if (op->kind == SIM_CHANGE_ALLOCATE && fate == FATE_DONE)
        sim_image_allocate(&s->file->disk, op->len, op->offset);
}

/* Bring the sectors whose page was written after this change to include it. */
static void settle_apply(struct settle *s, const struct sim_op *op, int32_t number)
{
    struct sim_image *disk = &s->file->disk;
    size_t from, to;

    settle_sectors(s, op, &from, &to);
    for (size_t i = from; i < to; i++) {
        uint64_t sector = (uint64_t)i * SIM_SECTOR_BYTES;
        uint64_t first, end;

        if (s->last[i] < number || !op_overlap(op, SIM_SECTOR_BYTES, sector, &first, &end))
            continue;
        if (op->kind == SIM_CHANGE_WRITE)
            sim_image_write(disk, op->data + (sector + first - op->offset), end - first,
                            sector + first);
        else
            sim_image_zero(disk, end - first, sector + first);
    }
}

/* Give back the blocks of which a punch was the last thing that reached the disk. */
static void settle_holes(struct settle *s, const struct sim_op *op, int32_t number)
{
    const size_t per_block = VS_IO_BLOCK_BYTES / SIM_SECTOR_BYTES;
    size_t from, to;

    if (op->kind != SIM_CHANGE_PUNCH)
        return;
    from = (op->offset + VS_IO_BLOCK_BYTES - 1) / VS_IO_BLOCK_BYTES;
    to = (op->offset + op->len) / VS_IO_BLOCK_BYTES;
    for (size_t block = from; block < to && (block + 1) * per_block <= s->sector_count; block++) {
        size_t same = 0;

        while (same < per_block && s->last[block * per_block + same] == number)
            same++;
        if (same == per_block)
            sim_image_punch(&s->file->disk, VS_IO_BLOCK_BYTES, (uint64_t)block * VS_IO_BLOCK_BYTES);
    }
}

typedef void settle_fn(struct settle *s, const struct sim_op *op, int32_t number);

static void settle_each(struct settle *s, settle_fn *fn)
{
    struct vs_list *pos;
    int32_t number = 0;

    for (pos = s->file->pending.next; pos != &s->file->pending; pos = pos->next)
        fn(s, vs_container_of(pos, struct sim_op, link), number++);
}

/* End of the furthest byte that any change touches. */
static uint64_t settle_end(const struct sim_file *f)
{
    const struct vs_list *pos;
    uint64_t end = 0;

    for (pos = f->pending.next; pos != &f->pending; pos = pos->next) {
        const struct sim_op *op = vs_container_of(pos, struct sim_op, link);
        uint64_t op_end = op->offset + op->len;

        if (op->kind == SIM_CHANGE_TRUNCATE)
            op_end = f->disk.bytes;
        if (op->kind != SIM_CHANGE_ALLOCATE && op_end > end)
            end = op_end;
    }
    return end;
}

void sim_file_settle(struct sim_file *f, struct vs_rand *rand)
{
    struct settle s = { .file = f, .rand = rand, .size = f->disk.bytes };
    uint64_t mood = vs_rand_below(rand, MOOD_COUNT);

    s.mood = mood < MOOD_EACH ? (enum sim_mood)mood : MOOD_EACH;
    if (!vs_list_empty(&f->pending)) {
        s.sector_count = settle_end(f) / SIM_SECTOR_BYTES + VS_IO_BLOCK_BYTES / SIM_SECTOR_BYTES;
        s.last = malloc(s.sector_count * sizeof(*s.last));
        VS_ASSERT(s.last != NULL);
        memset(s.last, 0xff, s.sector_count * sizeof(*s.last)); /* all -1 */
        settle_each(&s, settle_choose);
        settle_each(&s, settle_apply);
        settle_each(&s, settle_holes);
        sim_image_truncate(&f->disk, s.size);
        free(s.last);
        pending_clear(f);
    }
    f->diverged = false;
    sim_image_copy(&f->cache, &f->disk);
}
