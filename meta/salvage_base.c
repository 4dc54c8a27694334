/* What a salvage begins with: the newest copy of the metadata that the stores have, or an empty
 * namespace.
 *
 * Happy path: the copy is read twice, to know that all of it checks, and to fill the namespace.
 * Failure: a copy that does not check is left for the one before, which the stores may still hold.
 */
#include "common/assert.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/err.h"
#include "meta/dump_kv.h"
#include "meta/ns_read.h"
#include "meta/ns_schema.h"
#include "meta/salvage_impl.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- the copy ---- */

struct base_reading {
    struct salvage *s;
    struct dump_in in;
    struct dump_kv_in kv; /* kv NULL: only look */
};

static int base_pair(void *arg, uint8_t section, const uint8_t *key, size_t key_len,
                     const uint8_t *value, size_t value_len)
{
    struct base_reading *b = arg;

    if (section != DUMP_NAMESPACE || b->kv.kv == NULL)
        return 0;
    return dump_kv_in_pair(&b->kv, key, key_len, value, value_len);
}

static int base_feed(struct base_reading *b, const struct mf_head *head)
{
    VS_AUTO_FREE struct mf_chunk *chunks = NULL;
    VS_AUTO_FREE uint8_t *bytes = malloc(MF_CHUNK_BYTES_MAX);
    size_t count;
    int r = salvage_head_chunks(b->s, head, &chunks, &count);

    if (bytes == NULL)
        return -ENOMEM;
    for (size_t i = 0; r == 0 && i < count; i++) {
        if (vs_id_is_zero(&chunks[i].id))
            return -VS_ECORRUPT;
        r = salvage_chunk_read(b->s, &chunks[i], bytes);
        if (r == 0)
            r = dump_in_feed(&b->in, bytes, (size_t)chunks[i].bytes, base_pair, b);
    }
    return r < 0 ? r : dump_in_done(&b->in);
}

/* Read a copy; into `kv` unless that is NULL. */
static int base_read(struct salvage *s, const struct file_about *about, struct kv *kv)
{
    struct base_reading b = { .s = s };
    struct mf_head head;
    int r = mf_head_decode(about->head, about->head_len, &head);

    if (r < 0)
        return r;
    r = dump_in_init(&b.in);
    if (r == 0 && kv != NULL)
        r = dump_kv_in_begin(&b.kv, kv);
    if (r == 0)
        r = base_feed(&b, &head);
    if (r == 0 &&
        (b.in.head.kind != DUMP_BACKUP || vs_id_cmp(&b.in.head.cluster, &s->cluster) != 0))
        r = -VS_ECORRUPT;
    if (r == 0 && kv != NULL)
        r = dump_kv_in_end(&b.kv);
    if (r == 0) {
        s->result->copy_slot = b.in.head.slot;
        s->result->copy_ns = b.in.head.made_ns;
    }
    dump_kv_in_close(&b.kv);
    dump_in_close(&b.in);
    mf_head_close(&head);
    return r;
}

/* The newest copy below that session; NULL: none. */
static const struct file_about *base_next(const struct salvage *s, uint64_t below)
{
    const struct file_about *best = NULL;

    for (size_t i = 0; i < s->note_count; i++) {
        const struct segment_note *n = &s->notes[i].note;

        if (n->has_about && n->about.ino == NS_INO_COPY && n->about.session < below &&
            (best == NULL || n->about.session > best->session))
            best = &n->about;
    }
    return best;
}

/* Counters as those of an empty namespace, and its first entry. */
static int base_empty(struct salvage *s)
{
    struct ns_entry e = { .kind = NS_E_CLUSTER,
                          .cluster = s->cluster,
                          .attr = { .mode = S_IFDIR | 0755, .uid = getuid(), .gid = getgid() } };
    struct ns_apply *apply;
    struct ns_answer answer;
    int r = ns_apply_new(&apply, s->rebuild.ns);

    if (r < 0)
        return r;
    r = ns_apply_entry(apply, 1, &e, &answer);
    ns_apply_free(apply);
    return r < 0 ? r : answer.status;
}

int salvage_base_load(struct salvage *s)
{
    const struct file_about *about;
    uint64_t below = UINT64_MAX;
    int r;

    while ((about = base_next(s, below)) != NULL) {
        below = about->session;
        r = base_read(s, about, NULL);
        if (r == -ENOMEM)
            return r;
        if (r == 0) {
            s->result->has_copy = true;
            return base_read(s, about, s->rebuild.ns);
        }
        salvage_say(s, SALVAGE_LOST,
                    "a copy of the metadata is not whole on these stores, so an older one is used: "
                    "small files, folders, renames and removals since then may be missing; give "
                    "all stores that there are");
    }
    salvage_say(s, SALVAGE_LOST,
                "no copy of the metadata is on these stores: folders, small files, renames and "
                "attributes are not known; give all stores that there are");
    return base_empty(s);
}

/* ---- ready to take entries ---- */

static int state_get(struct salvage *s, struct ns_state *ret)
{
    struct ns_key key = ns_key(NS_T_STATE);
    struct vs_buf value = { 0 };
    int r = kv_get(s->rebuild.ns, key.b, key.len, &value);

    if (r == 0)
        r = ns_state_decode(value.data, value.len, ret);
    vs_buf_close(&value);
    return r;
}

static void batch_key(struct kv_batch *b, const struct ns_key *key, const struct vs_buf *value)
{
    kv_batch_put(b, key->b, key->len, value->data, value->len);
}

static int numbers_drop(void *arg, const uint8_t *key, size_t key_len, const uint8_t *value,
                        size_t value_len)
{
    (void)value;
    (void)value_len;
    kv_batch_del(arg, key, key_len);
    return 0;
}

/* Ranges of reserved inode numbers: those of former mounts go; `last`: all below count as reserved
 * while files are put in under their own numbers. */
static int numbers_set(struct salvage *s, struct kv_batch *b, uint64_t last)
{
    struct ns_key from = ns_key(NS_T_NUMBERS), to = ns_key_end(&from);
    struct vs_buf value = { 0 };
    struct ns_key key;
    int r = kv_scan(s->rebuild.ns, from.b, from.len, to.b, to.len, numbers_drop, b);

    if (r == 0 && last >= NS_INO_FIRST) {
        key = ns_key_u64(NS_T_NUMBERS, last);
        r = ns_u64_encode(NS_INO_FIRST, &value);
        batch_key(b, &key, &value);
    }
    vs_buf_close(&value);
    return r;
}

static uint64_t at_least(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* No number that any record has seen is given out again. */
static void state_raise(const struct salvage *s, struct ns_state *state)
{
    for (size_t i = 0; i < s->note_count; i++) {
        const struct segment_note *n = &s->notes[i].note;

        if (n->has_about) {
            state->next_ino = at_least(state->next_ino, n->about.ino + 1);
            state->next_session = at_least(state->next_session, n->about.session + 1);
        }
    }
    if (s->inode_count > 0)
        state->next_ino = at_least(state->next_ino, s->inodes[s->inode_count - 1] + 1);
    for (unsigned i = 0; i < s->store_count; i++)
        for (uint64_t k = 0; k < s->stores[i].scan.count; k++) {
            const struct sb_scan_frag *f = &s->stores[i].scan.frags[k];

            state->next_session = at_least(state->next_session, f->session + 1);
            state->next_seq = at_least(state->next_seq, vs_id_seq(&f->key.chunk) + 1);
        }
}

static int base_prepare(struct salvage *s)
{
    struct ns_key key = ns_key(NS_T_STATE);
    struct ns_state state;
    struct vs_buf value = { 0 };
    struct kv_batch *b;
    int r = state_get(s, &state);

    if (r < 0)
        return r;
    s->base = state;
    if (!s->result->has_copy)
        s->base.slot = s->base.next_session = 0;
    state_raise(s, &state);
    r = kv_batch_new(&b);
    if (r < 0)
        return r;
    r = numbers_set(s, b, state.next_ino - 1);
    if (r == 0)
        r = ns_state_encode(&state, &value);
    batch_key(b, &key, &value);
    if (r == 0)
        r = kv_write(s->rebuild.ns, b, false);
    kv_batch_free(b);
    vs_buf_close(&value);
    return r;
}

int salvage_apply(struct salvage *s, struct ns_entry *e, struct ns_answer *ret)
{
    struct ns_answer answer = { 0 };
    int64_t now_ns = s->result->as_of_ns; /* the same for every replica that is made */
    int r;

    if (e->now.s == 0 && e->now.ns == 0)
        e->now = (struct ns_time){ now_ns / VS_NS_PER_S, (uint32_t)(now_ns % VS_NS_PER_S) };
    r = ns_apply_entry(s->apply, ns_apply_slot(s->apply) + 1, e, &answer);
    if (ret != NULL)
        *ret = answer;
    return r < 0 ? -EIO : answer.status;
}

/* ---- nodes ---- */

/* A store that the copy does not know gets a number and a name. */
static int node_add(struct salvage *s, struct salvage_store *st)
{
    const char *base = strrchr(st->path, '/');
    struct ns_entry e = { .kind = NS_E_NODE_PUT,
                          .node = { .node = s->node_last + 1, .uuid = st->scan.node } };
    int r;

    base = base != NULL && base[1] != '\0' ? base + 1 : st->path;
    snprintf(e.node.name, sizeof(e.node.name), "%.63s", base);
    snprintf(e.node.domain, sizeof(e.node.domain), "%.63s", base);
    snprintf(e.node.path, sizeof(e.node.path), "%.255s", st->path);
    r = salvage_apply(s, &e, NULL);
    if (r == -EEXIST) { /* the name is taken */
        snprintf(e.node.name, sizeof(e.node.name), "s%u", s->node_last + 1);
        memcpy(e.node.domain, e.node.name, sizeof(e.node.domain));
        r = salvage_apply(s, &e, NULL);
    }
    if (r == 0)
        st->node = ++s->node_last;
    return r;
}

static int nodes_number(struct salvage *s)
{
    struct ns_node nodes[STORE_SET_MAX];
    struct meta_req req = { .op = META_NODES, .nodes = nodes, .nodes_max = STORE_SET_MAX };
    int r = ns_read(s->rebuild.ns, &req);

    for (uint32_t n = 0; r == 0 && n < req.nodes_count; n++) {
        bool given = false;

        if (nodes[n].node > s->node_last)
            s->node_last = nodes[n].node;
        for (unsigned i = 0; i < s->store_count; i++)
            if (vs_id_cmp(&s->stores[i].scan.node, &nodes[n].uuid) == 0) {
                s->stores[i].node = nodes[n].node;
                given = true;
            }
        if (!given)
            s->absent[s->absent_count++] = nodes[n].node;
    }
    for (unsigned i = 0; r == 0 && i < s->store_count; i++)
        if (s->stores[i].node == 0)
            r = node_add(s, &s->stores[i]);
    return r;
}

int salvage_base_ready(struct salvage *s)
{
    int r = base_prepare(s);

    if (r == 0)
        r = ns_apply_new(&s->apply, s->rebuild.ns);
    return r < 0 ? r : nodes_number(s);
}

int salvage_base_end(struct salvage *s)
{
    struct kv_batch *b;
    int r = kv_batch_new(&b);

    if (r < 0)
        return r;
    r = numbers_set(s, b, 0);
    if (r == 0)
        r = kv_write(s->rebuild.ns, b, false);
    kv_batch_free(b);
    return r;
}
