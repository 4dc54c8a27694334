/* chaos_values: registers and file contents: values with versions, changed by compare-and-set.
 *
 * Each value that is written is another number. A register has it in the field of its session, and
 * its generation is the version; a file has it as its content, and the version is the content's.
 * Half of the places are registers. A value that was changed often, or became a TOMB, gives its
 * place to a new one. Failure modes: a register's refusal that may hide a success (it was changed
 * again since) is written down as unknown, with a read of what was seen. */
#include "common/cleanup.h"
#include "common/err.h"
#include "meta/place_value.h"
#include "tests/chaos/chaos.h"
#include "tests/lin/lin_check.h"

#include <stdlib.h>
#include <string.h>

struct value_step {
    struct chaos_client *k;
    unsigned place;
    struct chaos_value v; /* a copy */
    int64_t call;
};

static bool is_register(const struct chaos_value *v)
{
    return !vs_id_is_zero(&v->id);
}

static void value_record(const struct value_step *s, const char *op, bool answered, bool refused,
                         uint64_t expect, uint64_t value, uint64_t version)
{
    chaos_record(s->k->c, &(struct chaos_event){ .key = s->v.key,
                                                 .op = op,
                                                 .call = s->call,
                                                 .ret = answered ? chaos_now() : 0,
                                                 .is_refused = refused,
                                                 .expect = expect,
                                                 .value = value,
                                                 .version = version });
}

static uint64_t token_new(struct chaos_client *k)
{
    return (uint64_t)(k->number + 1) * 1000000000 + ++k->next_token;
}

static void value_seen(struct value_step *s, uint64_t token, uint64_t version)
{
    struct chaos_seen *seen = &s->k->seen[s->place];

    memcpy(seen->key, s->v.key, sizeof(seen->key));
    seen->token = token;
    seen->version = version;
}

/* ---- registers ------------------------------------------------------------------------------- */

static void reg_encode(struct vs_buf *ret, uint64_t token, uint32_t generation, bool tomb)
{
    struct place_value v = { .state = tomb ? PLACE_TOMB : PLACE_LIVE,
                             .session = token,
                             .generation = generation,
                             .chunk_bytes = 1000,
                             .red = { VS_RED_REPLICATE, 1, 1 },
                             .frag = { { .node = 1, .generation = generation },
                                       { .node = 2, .generation = generation } } };

    ret->len = 0;
    if (place_value_encode(&v, ret) < 0)
        abort();
}

/* What a register's answer holds: absent is all zero. */
static void reg_decode(struct value_step *s, const struct vs_buf *bytes, struct place_value *ret)
{
    *ret = (struct place_value){ 0 };
    if (bytes->len > 0 && place_value_decode(bytes->data, bytes->len, ret) < 0)
        chaos_violation(s->k->c, "%s holds what is no placement", s->v.key);
}

static void reg_create(struct value_step *s)
{
    struct meta_reg reg = { .id = s->v.id };
    struct meta_req r = { .op = META_REG_CREATE, .regs = &reg, .reg_count = 1 };
    uint64_t token = token_new(s->k);
    bool answered;
    int status;

    reg_encode(&s->k->value, token, 1, false);
    reg.value = s->k->value.data;
    reg.value_len = s->k->value.len;
    status = meta_call(s->k->meta, &r);
    /* Something else is there: it was made, and changed before its answer was repeated. */
    answered = chaos_answered(s->k, status, -VS_EEXISTS_OTHER, 0) && status == 0;
    value_record(s, "cas", answered, false, 0, token, answered ? 1 : LIN_NO_VERSION);
    vs_buf_close(&reg.current);
}

static void reg_read(struct value_step *s)
{
    struct meta_reg reg = { .id = s->v.id };
    struct meta_req r = { .op = META_REG_READ, .regs = &reg, .reg_count = 1 };
    int status = meta_call(s->k->meta, &r);
    struct place_value v;

    if (chaos_answered(s->k, status < 0 ? status : reg.status, -ENOENT, 0)) {
        reg_decode(s, &reg.current, &v);
        value_record(s, "read", true, false, 0, v.session, v.generation);
        value_seen(s, v.session, v.generation);
    }
    vs_buf_close(&reg.current);
}

static void reg_refused(struct value_step *s, const struct meta_reg *reg, uint64_t expect,
                        uint64_t token, uint32_t generation)
{
    struct place_value v;

    reg_decode(s, &reg->current, &v);
    /* Above the generation that this change would have made: it may have been made. */
    if (v.generation > generation)
        value_record(s, "cas", false, false, expect, token, LIN_NO_VERSION);
    else if (v.session != expect)
        value_record(s, "cas", true, true, expect, v.session, v.generation);
    else if (v.state != PLACE_TOMB) /* nothing follows a TOMB */
        chaos_violation(s->k->c, "%s: refused although the value was as expected", s->v.key);
    value_record(s, "read", true, false, 0, v.session, v.generation);
    value_seen(s, v.session, v.generation);
}

static void reg_change(struct value_step *s, bool tomb)
{
    const struct chaos_seen *seen = &s->k->seen[s->place];
    uint64_t expect = seen->token, token = token_new(s->k);
    uint32_t generation = (uint32_t)seen->version + 1;
    struct meta_reg reg = { .id = s->v.id, .expect_generation = generation - 1 };
    struct meta_req r = { .op = META_REG_CHANGE, .regs = &reg, .reg_count = 1 };
    int status;

    reg_encode(&s->k->value, token, generation, tomb);
    reg.value = s->k->value.data;
    reg.value_len = s->k->value.len;
    status = meta_call(s->k->meta, &r);
    status = status < 0 ? status : reg.status;
    if (!chaos_answered(s->k, status, -ESTALE, 0)) {
        value_record(s, "cas", false, false, expect, token, LIN_NO_VERSION);
    } else if (status == -ESTALE) {
        reg_refused(s, &reg, expect, token, generation);
    } else {
        value_record(s, "cas", true, false, expect, token, generation);
        value_seen(s, token, generation);
    }
    vs_buf_close(&reg.current);
}

/* ---- files ------------------------------------------------------------------------------------
 */

static size_t token_text(uint64_t token, char text[24])
{
    return (size_t)snprintf(text, 24, "%llu", (unsigned long long)token);
}

static bool file_create(struct value_step *s)
{
    struct ns_entry e = chaos_create_entry(s->k, s->v.key, s->v.ino);
    uint64_t token = token_new(s->k);
    struct ns_answer a;
    char text[24];
    int status;

    e.content = (struct ns_new_content){ .kind = NS_CONTENT_INLINE,
                                         .bytes = text,
                                         .bytes_len = token_text(token, text) };
    e.content.size = e.content.data_bytes = e.content.stored_bytes = e.content.bytes_len;
    status = chaos_change(s->k, &e, &a);
    if (!chaos_answered(s->k, status, 0, 0))
        return false; /* nobody else knows this name */
    value_record(s, "cas", true, false, 0, token, a.attr.version);
    return true;
}

static void file_read(struct value_step *s)
{
    struct meta_req r = { .op = META_CONTENT, .ino = s->v.ino };
    char text[24] = "";
    uint64_t token;

    if (chaos_answered(s->k, meta_call(s->k->meta, &r), 0, 0) && r.bytes.len < sizeof(text)) {
        memcpy(text, r.bytes.data, r.bytes.len);
        token = strtoull(text, NULL, 10);
        value_record(s, "read", true, false, 0, token, r.attr.version);
        value_seen(s, token, r.attr.version);
    }
    vs_buf_close(&r.bytes);
}

static void file_swap(struct value_step *s)
{
    const struct chaos_seen *seen = &s->k->seen[s->place];
    uint64_t expect = seen->token, token = token_new(s->k);
    struct ns_entry e = {
        .kind = NS_E_SWAP, .now = chaos_time(), .ino = s->v.ino, .base_version = seen->version
    };
    struct ns_answer a;
    char text[24];
    int status;

    e.content = (struct ns_new_content){ .kind = NS_CONTENT_INLINE,
                                         .bytes = text,
                                         .bytes_len = token_text(token, text) };
    e.content.size = e.content.data_bytes = e.content.stored_bytes = e.content.bytes_len;
    status = chaos_change(s->k, &e, &a);
    if (!chaos_answered(s->k, status, -ESTALE, 0)) {
        value_record(s, "cas", false, false, expect, token, LIN_NO_VERSION);
    } else if (status == -ESTALE) {
        value_record(s, "cas", true, true, expect, 0, LIN_NO_VERSION);
        s->k->seen[s->place].key[0] = '\0'; /* look again */
    } else {
        if (a.attr.version != seen->version + 1)
            chaos_violation(s->k->c, "%s: version %llu follows %llu", s->v.key,
                            (unsigned long long)a.attr.version, (unsigned long long)seen->version);
        value_record(s, "cas", true, false, expect, token, a.attr.version);
        value_seen(s, token, a.attr.version);
    }
}

/* ---- whose turn ------------------------------------------------------------------------------ */

static void value_publish(struct value_step *s)
{
    struct chaos *c = s->k->c;
    VS_LOCK_SCOPE(&c->values_lock);

    c->values[s->place] = s->v;
    if (c->old_count < CHAOS_OLD_MAX)
        c->old[c->old_count++] = s->v;
}

/* A new one for this place. A register is known to all before it is made: whether that came to pass
 * is for its reads to say. */
static void value_renew(struct value_step *s)
{
    struct chaos_client *k = s->k;

    s->v = (struct chaos_value){ 0 };
    snprintf(s->v.key, sizeof(s->v.key), "value-%u-%llu", k->number,
             (unsigned long long)k->next_name++);
    if (s->place % 2 == 0) {
        if (!chaos_need_id(k, &s->v.id))
            return;
        value_publish(s);
        s->call = chaos_now();
        reg_create(s);
    } else {
        if (!chaos_need_ino(k, &s->v.ino))
            return;
        s->call = chaos_now();
        if (file_create(s))
            value_publish(s);
    }
}

static bool value_take(struct value_step *s)
{
    struct chaos *c = s->k->c;
    VS_LOCK_SCOPE(&c->values_lock);

    s->v = c->values[s->place];
    return s->v.key[0] != '\0' && ++c->values[s->place].ops <= CHAOS_KEY_OPS;
}

static void value_read(struct value_step *s)
{
    if (is_register(&s->v))
        reg_read(s);
    else
        file_read(s);
}

void chaos_values_step(struct chaos_client *k)
{
    struct value_step s = { .k = k, .place = (unsigned)vs_rand_below(&k->rand, CHAOS_VALUES) };
    uint64_t what = vs_rand_below(&k->rand, 100);
    const struct chaos_seen *seen = &k->seen[s.place];

    if (!value_take(&s)) {
        if (!k->reads_only)
            value_renew(&s);
        else if (s.v.key[0] == '\0')
            chaos_names_step(k); /* nothing is there yet */
        return;
    }
    if (k->reads_only)
        what = 0;
    s.call = chaos_now();
    if (what < 40 || strcmp(seen->key, s.v.key) != 0 || seen->version == 0)
        value_read(&s);
    else if (is_register(&s.v))
        reg_change(&s, what >= 98);
    else
        file_swap(&s);
}

void chaos_values_last(struct chaos_client *k)
{
    struct chaos *c = k->c;

    for (unsigned i = 0; i < c->old_count; i++) {
        struct value_step s = { .k = k, .v = c->old[i], .call = chaos_now() };

        k->seen[s.place].token = 0;
        value_read(&s);
        c->old[i].last = k->seen[s.place].token;
    }
}
