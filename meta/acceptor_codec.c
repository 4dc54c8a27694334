/* acceptor_codec: see the header. Happy path: fields in a row, checksum last. Failure: anything
 * that is not exactly one record is -VS_ECORRUPT. */
#include "meta/acceptor_codec.h"
#include "common/codec.h"
#include "common/crc.h"
#include "common/err.h"
#include <string.h>

#define CRC_BYTES 4

static struct vs_wr record_begin(struct vs_buf *ret)
{
    struct vs_wr w = vs_wr_init(ret, ACCEPTOR_RECORD_BYTES_MAX);

    ret->len = 0;
    vs_wr_u8(&w, ACCEPTOR_FORMAT);
    return w;
}

static int record_end(struct vs_wr *w)
{
    if (w->err == 0)
        vs_wr_u32(w, vs_crc32c(0, w->buf->data, w->buf->len));
    return w->err;
}

/* Checksum and version; `ret` reads what is between them. */
static int record_open(const void *bytes, size_t len, struct vs_rd *ret)
{
    struct vs_rd crc;

    if (len < 1 + CRC_BYTES || len > ACCEPTOR_RECORD_BYTES_MAX)
        return -VS_ECORRUPT;
    crc = vs_rd_init((const uint8_t *)bytes + len - CRC_BYTES, CRC_BYTES);
    if (vs_rd_u32(&crc) != vs_crc32c(0, bytes, len - CRC_BYTES))
        return -VS_ECORRUPT;
    *ret = vs_rd_init(bytes, len - CRC_BYTES);
    if (vs_rd_u8(ret) > ACCEPTOR_FORMAT)
        return -VS_ENEWER;
    return 0;
}

static void wr_ballot(struct vs_wr *w, const struct px_ballot *b)
{
    vs_wr_be64(w, b->round);
    vs_wr_be32(w, b->pid);
    vs_wr_be32(w, b->inc);
}

static struct px_ballot rd_ballot(struct vs_rd *r)
{
    struct px_ballot b;

    b.round = vs_rd_be64(r);
    b.pid = vs_rd_be32(r);
    b.inc = vs_rd_be32(r);
    return b;
}

void acceptor_reg_key(const struct vs_id *id, uint8_t key[ACCEPTOR_REG_KEY_BYTES])
{
    key[0] = 'r';
    memcpy(key + 1, id->b, VS_ID_BYTES);
}

int acceptor_reg_key_decode(const uint8_t *key, size_t len, struct vs_id *ret)
{
    if (len != ACCEPTOR_REG_KEY_BYTES || key[0] != 'r')
        return -VS_ECORRUPT;
    memcpy(ret->b, key + 1, VS_ID_BYTES);
    return 0;
}

void acceptor_slot_key(uint64_t slot, uint8_t key[ACCEPTOR_SLOT_KEY_BYTES])
{
    key[0] = 's';
    for (unsigned i = 0; i < 8; i++)
        key[1 + i] = (uint8_t)(slot >> (56 - 8 * i));
}

int acceptor_slot_key_decode(const uint8_t *key, size_t len, uint64_t *ret)
{
    struct vs_rd r = vs_rd_init(key, len);

    if (vs_rd_u8(&r) != 's')
        return -VS_ECORRUPT;
    *ret = vs_rd_be64(&r);
    return vs_rd_done(&r);
}

int acceptor_identity_encode(const struct acceptor_identity *id, struct vs_buf *ret)
{
    struct vs_wr w = record_begin(ret);

    vs_wr_bytes(&w, id->cluster.b, VS_ID_BYTES);
    vs_wr_be32(&w, id->pid);
    vs_wr_be32(&w, id->inc);
    return record_end(&w);
}

int acceptor_identity_decode(const void *bytes, size_t len, struct acceptor_identity *ret)
{
    struct acceptor_identity id;
    struct vs_rd r;
    int err = record_open(bytes, len, &r);

    if (err < 0)
        return err;
    vs_rd_bytes(&r, id.cluster.b, VS_ID_BYTES);
    id.pid = vs_rd_be32(&r);
    id.inc = vs_rd_be32(&r);
    if (vs_rd_done(&r) < 0 || id.pid == 0 || id.pid > UINT16_MAX)
        return -VS_ECORRUPT;
    *ret = id;
    return 0;
}

int acceptor_count_encode(uint64_t count, struct vs_buf *ret)
{
    struct vs_wr w = record_begin(ret);

    vs_wr_be64(&w, count);
    return record_end(&w);
}

int acceptor_count_decode(const void *bytes, size_t len, uint64_t *ret)
{
    uint64_t count;
    struct vs_rd r;
    int err = record_open(bytes, len, &r);

    if (err < 0)
        return err;
    count = vs_rd_be64(&r);
    err = vs_rd_done(&r);
    if (err == 0)
        *ret = count;
    return err;
}

int acceptor_journal_encode(const struct acceptor_journal *j, struct vs_buf *ret)
{
    struct vs_wr w = record_begin(ret);

    wr_ballot(&w, &j->promised);
    vs_wr_be64(&w, j->first);
    return record_end(&w);
}

int acceptor_journal_decode(const void *bytes, size_t len, struct acceptor_journal *ret)
{
    struct acceptor_journal j;
    struct vs_rd r;
    int err = record_open(bytes, len, &r);

    if (err < 0)
        return err;
    j.promised = rd_ballot(&r);
    j.first = vs_rd_be64(&r);
    if (vs_rd_done(&r) < 0 || j.first == 0)
        return -VS_ECORRUPT;
    *ret = j;
    return 0;
}

int acceptor_members_encode(const struct acceptor_members *m, struct vs_buf *ret)
{
    struct vs_wr w = record_begin(ret);
    int r;

    vs_wr_u8(&w, (uint8_t)m->stand);
    vs_wr_u8(&w, m->whole);
    vs_wr_u8(&w, (uint8_t)m->begin);
    r = w.err < 0 ? w.err : member_set_encode(&m->set, ret);
    return r < 0 ? r : record_end(&w);
}

int acceptor_members_decode(const void *bytes, size_t len, struct acceptor_members *ret)
{
    struct acceptor_members m = { 0 };
    uint8_t stand, whole;
    struct vs_rd r;
    int err = record_open(bytes, len, &r);

    if (err < 0)
        return err;
    stand = vs_rd_u8(&r);
    whole = vs_rd_u8(&r);
    m.begin = vs_rd_u8(&r);
    if (r.err < 0 || stand < ACCEPTOR_VOTES || stand > ACCEPTOR_JOINING || whole > 1)
        return -VS_ECORRUPT;
    m.stand = (enum acceptor_stand)stand;
    m.whole = whole == 1;
    err = member_set_decode(r.pos, vs_rd_left(&r), &m.set);
    if (err == 0 && m.begin >> m.set.count != 0)
        err = -VS_ECORRUPT;
    if (err == 0)
        *ret = m;
    return err;
}

int acceptor_reg_encode(const struct px_reg *reg, struct vs_buf *ret)
{
    const struct px_accepted *a = &reg->accepted;
    struct vs_wr w = record_begin(ret);

    if (a->value_len > PX_VALUE_BYTES_MAX)
        return -EMSGSIZE;
    wr_ballot(&w, &reg->promised);
    wr_ballot(&w, &reg->ballot);
    vs_wr_be64(&w, a->version);
    for (unsigned i = 0; i < PX_OPS_KEPT; i++) {
        vs_wr_be32(&w, a->last_op[i].op.pid);
        vs_wr_be32(&w, a->last_op[i].op.inc);
        vs_wr_be64(&w, a->last_op[i].op.seq);
        vs_wr_be64(&w, a->last_op[i].version);
    }
    vs_wr_blob(&w, a->value, a->value_len);
    return record_end(&w);
}

int acceptor_reg_decode(const void *bytes, size_t len, struct px_reg *ret)
{
    struct px_reg reg = { 0 };
    struct px_accepted *a = &reg.accepted;
    struct vs_rd r;
    int err = record_open(bytes, len, &r);

    if (err < 0)
        return err;
    reg.promised = rd_ballot(&r);
    reg.ballot = rd_ballot(&r);
    a->version = vs_rd_be64(&r);
    for (unsigned i = 0; i < PX_OPS_KEPT; i++) {
        a->last_op[i].op.pid = vs_rd_be32(&r);
        a->last_op[i].op.inc = vs_rd_be32(&r);
        a->last_op[i].op.seq = vs_rd_be64(&r);
        a->last_op[i].version = vs_rd_be64(&r);
    }
    a->value = vs_rd_blob(&r, PX_VALUE_BYTES_MAX, &a->value_len);
    if (vs_rd_done(&r) < 0 || px_ballot_cmp(&reg.ballot, &reg.promised) > 0)
        return -VS_ECORRUPT;
    *ret = reg;
    return 0;
}

int acceptor_slot_encode(const struct px_ballot *b, const void *entry, size_t entry_len,
                         struct vs_buf *ret)
{
    struct vs_wr w = record_begin(ret);

    wr_ballot(&w, b);
    vs_wr_blob(&w, entry, entry_len);
    return record_end(&w);
}

int acceptor_slot_decode(const void *bytes, size_t len, struct px_ballot *ret_ballot,
                         const uint8_t **ret_entry, size_t *ret_entry_len)
{
    struct px_ballot b;
    const uint8_t *entry;
    size_t entry_len;
    struct vs_rd r;
    int err = record_open(bytes, len, &r);

    if (err < 0)
        return err;
    b = rd_ballot(&r);
    entry = vs_rd_blob(&r, ACCEPTOR_RECORD_BYTES_MAX, &entry_len);
    err = vs_rd_done(&r);
    if (err < 0)
        return err;
    *ret_ballot = b;
    *ret_entry = entry;
    *ret_entry_len = entry_len;
    return 0;
}
