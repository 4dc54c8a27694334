/* Sorted leaves below one array of their first keys.
 *
 * Happy path: binary search among the first keys, binary search in the leaf. A full leaf gives to
 * a neighbour that has room; if none has, it is split in the middle, or left full and followed by
 * a new one when the key goes behind its last, so that ascending keys fill leaves to the brim.
 * Three neighbours that fit into two leaves with some room to spare do.
 * Failure modes: out of memory leaves the index as it was. Removing cannot fail. */
#include "node/sb_index.h"

#include "common/assert.h"
#include "common/err.h"

#include <stdlib.h>
#include <string.h>

#define LEAF_ENTRIES_MAX 128u
#define LEAF_ROOM_MIN    16u /* of a neighbour that takes some */
#define LEAF_JOINED_ROOM 4u  /* of leaves that were joined: on average 82 of 128 are in use then */
#define SLOTS_FIRST      16u

struct sb_leaf {
    uint32_t count; /* > 0 */
    struct sb_entry entries[LEAF_ENTRIES_MAX];
};

struct sb_index_slot {
    struct frag_key first; /* no key in the leaf is less; none before it is greater or equal */
    struct sb_leaf *leaf;
};

static int entry_cmp(const struct sb_entry *e, const struct frag_key *key)
{
    int r = memcmp(e->chunk.b, key->chunk.b, VS_ID_BYTES);

    if (r != 0)
        return r;
    if (e->fragment != key->fragment)
        return e->fragment < key->fragment ? -1 : 1;
    if (e->generation != key->generation)
        return e->generation < key->generation ? -1 : 1;
    return 0;
}

/* Index of the slot that holds `key` or would; the index is not empty. */
static uint32_t slot_of(const struct sb_index *x, const struct frag_key *key)
{
    uint32_t low = 0, high = x->slots_count; /* the answer is in [low, high) */

    while (high - low > 1) {
        uint32_t mid = low + (high - low) / 2;

        if (frag_key_cmp(&x->slots[mid].first, key) <= 0)
            low = mid;
        else
            high = mid;
    }
    return low;
}

/* Position of the first entry >= key, or count. */
static uint32_t leaf_lower(const struct sb_leaf *leaf, const struct frag_key *key)
{
    uint32_t low = 0, high = leaf->count;

    while (low < high) {
        uint32_t mid = low + (high - low) / 2;

        if (entry_cmp(&leaf->entries[mid], key) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

struct sb_entry *sb_index_find(const struct sb_index *x, const struct frag_key *key)
{
    struct sb_leaf *leaf;
    uint32_t pos;

    if (x->slots_count == 0)
        return NULL;
    leaf = x->slots[slot_of(x, key)].leaf;
    pos = leaf_lower(leaf, key);
    if (pos == leaf->count || entry_cmp(&leaf->entries[pos], key) != 0)
        return NULL;
    return &leaf->entries[pos];
}

/* ---- inserting --------------------------------------------------------------------------------
 */

/* A new empty leaf as slot `at`. */
static int slot_add(struct sb_index *x, uint32_t at, const struct frag_key *first,
                    struct sb_leaf **ret)
{
    struct sb_leaf *leaf = calloc(1, sizeof(*leaf));

    if (leaf == NULL)
        return -ENOMEM;
    if (x->slots_count == x->slots_cap) {
        uint32_t cap = x->slots_cap == 0 ? SLOTS_FIRST : 2 * x->slots_cap;
        struct sb_index_slot *slots = realloc(x->slots, (size_t)cap * sizeof(*slots));

        if (slots == NULL) {
            free(leaf);
            return -ENOMEM;
        }
        x->slots = slots;
        x->slots_cap = cap;
    }
    memmove(&x->slots[at + 1], &x->slots[at], (x->slots_count - at) * sizeof(x->slots[0]));
    x->slots[at] = (struct sb_index_slot){ *first, leaf };
    x->slots_count++;
    *ret = leaf;
    return 0;
}

static void slot_remove(struct sb_index *x, uint32_t at)
{
    free(x->slots[at].leaf);
    x->slots_count--;
    memmove(&x->slots[at], &x->slots[at + 1], (x->slots_count - at) * sizeof(x->slots[0]));
}

/* Make the leaves of slots `at` and `at` + 1 hold `left` entries and the rest. */
static void leaf_share(struct sb_index *x, uint32_t at, uint32_t left)
{
    struct sb_leaf *a = x->slots[at].leaf, *b = x->slots[at + 1].leaf;
    uint32_t n;

    VS_ASSERT(left <= LEAF_ENTRIES_MAX && a->count + b->count - left <= LEAF_ENTRIES_MAX);
    if (a->count > left) {
        n = a->count - left;
        memmove(b->entries + n, b->entries, b->count * sizeof(b->entries[0]));
        memcpy(b->entries, a->entries + left, n * sizeof(b->entries[0]));
        a->count -= n;
        b->count += n;
    } else {
        n = left - a->count;
        memcpy(a->entries + a->count, b->entries, n * sizeof(a->entries[0]));
        a->count += n;
        b->count -= n;
        memmove(b->entries, b->entries + n, b->count * sizeof(b->entries[0]));
    }
    if (b->count > 0)
        x->slots[at + 1].first = sb_entry_key(&b->entries[0]);
}

static bool leaf_has_room(const struct sb_index *x, uint32_t at)
{
    return x->slots[at].leaf->count + LEAF_ROOM_MIN <= LEAF_ENTRIES_MAX;
}

/* Make room for `key`, which belongs to position `pos` of the full leaf of slot `at`. The caller
 * looks for its place again. */
static int leaf_relieve(struct sb_index *x, uint32_t at, const struct frag_key *key, uint32_t pos)
{
    struct sb_leaf *leaf = x->slots[at].leaf, *fresh;
    bool behind = pos == leaf->count;
    struct frag_key first;
    int r;

    if (at + 1 < x->slots_count && leaf_has_room(x, at + 1)) {
        leaf_share(x, at, (leaf->count + x->slots[at + 1].leaf->count) / 2);
        return 0;
    }
    if (!behind && at > 0 && leaf_has_room(x, at - 1)) {
        leaf_share(x, at - 1, (leaf->count + x->slots[at - 1].leaf->count) / 2);
        return 0;
    }
    first = behind ? *key : sb_entry_key(&leaf->entries[leaf->count / 2]);
    r = slot_add(x, at + 1, &first, &fresh);
    if (r == 0 && !behind)
        leaf_share(x, at, leaf->count / 2);
    return r;
}

int sb_index_insert(struct sb_index *x, const struct frag_key *key, struct sb_entry **ret)
{
    struct sb_leaf *leaf;
    uint32_t at = 0, pos = 0;
    int r = 0;

    if (x->count >= SB_INDEX_ENTRIES_MAX)
        return -ENOSPC;
    if (x->slots_count == 0) {
        r = slot_add(x, 0, key, &leaf);
    } else {
        at = slot_of(x, key);
        leaf = x->slots[at].leaf;
        pos = leaf_lower(leaf, key);
        if (pos < leaf->count && entry_cmp(&leaf->entries[pos], key) == 0)
            return -EEXIST;
        if (leaf->count == LEAF_ENTRIES_MAX) {
            r = leaf_relieve(x, at, key, pos);
            if (r < 0)
                return r;
            leaf = x->slots[slot_of(x, key)].leaf;
            pos = leaf_lower(leaf, key);
        }
    }
    if (r < 0)
        return r;
    VS_ASSERT(leaf->count < LEAF_ENTRIES_MAX && pos <= leaf->count);
    memmove(&leaf->entries[pos + 1], &leaf->entries[pos],
            (leaf->count - pos) * sizeof(leaf->entries[0]));
    leaf->entries[pos] = (struct sb_entry){
        .chunk = key->chunk,
        .generation = key->generation,
        .fragment = key->fragment,
    };
    leaf->count++;
    x->count++;
    *ret = &leaf->entries[pos];
    return 0;
}

/* ---- removing ---------------------------------------------------------------------------------
 */

/* The leaf of slot `at` has lost an entry: it and its neighbours may fit into one leaf less. */
static void leaf_join(struct sb_index *x, uint32_t at)
{
    uint32_t low = at > 0 ? at - 1 : at, high = at + 1 < x->slots_count ? at + 1 : at, sum = 0;

    for (uint32_t i = low; i <= high; i++)
        sum += x->slots[i].leaf->count;
    if (low == high || sum > (high - low) * (LEAF_ENTRIES_MAX - LEAF_JOINED_ROOM))
        return;
    if (high - low == 2) { /* the middle one goes to both sides */
        uint32_t left = sum / 2;

        if (left < x->slots[low].leaf->count)
            left = x->slots[low].leaf->count;
        if (left > x->slots[low].leaf->count + x->slots[at].leaf->count)
            left = x->slots[low].leaf->count + x->slots[at].leaf->count;
        leaf_share(x, low, left);
        low = at;
    }
    leaf_share(x, low, x->slots[low].leaf->count + x->slots[high].leaf->count);
    x->slots[low].first = sb_entry_key(&x->slots[low].leaf->entries[0]);
    slot_remove(x, high);
}

bool sb_index_remove(struct sb_index *x, const struct frag_key *key)
{
    struct sb_leaf *leaf;
    uint32_t at, pos;

    if (x->slots_count == 0)
        return false;
    at = slot_of(x, key);
    leaf = x->slots[at].leaf;
    pos = leaf_lower(leaf, key);
    if (pos == leaf->count || entry_cmp(&leaf->entries[pos], key) != 0)
        return false;
    leaf->count--;
    x->count--;
    memmove(&leaf->entries[pos], &leaf->entries[pos + 1],
            (leaf->count - pos) * sizeof(leaf->entries[0]));
    if (leaf->count == 0)
        slot_remove(x, at);
    else
        leaf_join(x, at);
    return true;
}

void sb_index_close(struct sb_index *x)
{
    for (uint32_t i = 0; i < x->slots_count; i++)
        free(x->slots[i].leaf);
    free(x->slots);
    *x = (struct sb_index){ 0 };
}

/* ---- in order ---------------------------------------------------------------------------------
 */

uint32_t sb_index_page(const struct sb_index *x, const struct frag_key *key, struct sb_entry *dst,
                       uint32_t max)
{
    uint32_t at = 0, pos = 0, count = 0;

    if (key != NULL && x->slots_count > 0) {
        const struct sb_leaf *leaf;

        at = slot_of(x, key);
        leaf = x->slots[at].leaf;
        pos = leaf_lower(leaf, key);
        if (pos < leaf->count && entry_cmp(&leaf->entries[pos], key) == 0)
            pos++;
    }
    for (; at < x->slots_count && count < max; at++, pos = 0) {
        const struct sb_leaf *leaf = x->slots[at].leaf;
        uint32_t n = leaf->count - pos < max - count ? leaf->count - pos : max - count;

        memcpy(dst + count, leaf->entries + pos, n * sizeof(dst[0]));
        count += n;
    }
    return count;
}

struct sb_entry *sb_index_after(const struct sb_index *x, const struct frag_key *key)
{
    uint32_t at, pos;

    if (x->slots_count == 0)
        return NULL;
    if (key == NULL)
        return &x->slots[0].leaf->entries[0];
    at = slot_of(x, key);
    pos = leaf_lower(x->slots[at].leaf, key);
    if (pos < x->slots[at].leaf->count && entry_cmp(&x->slots[at].leaf->entries[pos], key) == 0)
        pos++;
    if (pos < x->slots[at].leaf->count)
        return &x->slots[at].leaf->entries[pos];
    return at + 1 < x->slots_count ? &x->slots[at + 1].leaf->entries[0] : NULL;
}

uint64_t sb_index_bytes(const struct sb_index *x)
{
    return (uint64_t)x->slots_count * sizeof(struct sb_leaf) +
           (uint64_t)x->slots_cap * sizeof(struct sb_index_slot);
}
