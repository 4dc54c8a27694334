/* Fuzz target: frames between metadata replicas. Bit 0 of the first byte: length and checksum are
 * put right first, or nothing but checksums would be tried. Whatever decodes encodes to the same
 * bytes, so there is one way to write each. */
#include "common/assert.h"
#include "common/crc.h"
#include "meta/px_msg.h"
#include "meta/px_msg_move.h"
#include "meta/px_msg_snap.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void entry_free(struct journal_entry *e)
{
    free(e);
}

static struct journal_entry *make(void *arg, const uint8_t *bytes, uint32_t len)
{
    struct journal_entry *e = malloc(sizeof(*e) + len);

    (void)arg;
    VS_ASSERT(e != NULL);
    if (len > 0)
        memcpy(e + 1, bytes, len);
    *e = (struct journal_entry){ 1, len, (uint8_t *)(e + 1), entry_free };
    return e;
}

static void put_right(uint8_t *bytes, size_t size)
{
    uint32_t crc;

    if (size < PX_FRAME_HEAD_BYTES + PX_FRAME_CRC_BYTES)
        return;
    for (unsigned i = 0; i < 4; i++)
        bytes[8 + i] = (uint8_t)(size >> 8 * i);
    crc = vs_crc32c(0, bytes, size - PX_FRAME_CRC_BYTES);
    for (unsigned i = 0; i < 4; i++)
        bytes[size - PX_FRAME_CRC_BYTES + i] = (uint8_t)(crc >> 8 * i);
}

/* What the bytes decode to, encoded again: true, or false when they are refused. */
static bool registers_again(const uint8_t *bytes, size_t size, struct vs_buf *ret)
{
    struct px_head asked_by = { 0 };
    struct px_answer answer;
    struct px_msg_out out;
    struct px_msg_in in;
    struct px_ask ask;

    if (px_msg_open(bytes, size, &in) < 0)
        return false;
    asked_by.pid = in.pid;
    asked_by.inc = in.inc;
    if (in.kind == PX_FRAME_ASKS)
        VS_ASSERT(px_msg_begin_asks(&out, ret, &in.head) == 0);
    else
        VS_ASSERT(px_msg_begin_answers(&out, ret, &in.head, &asked_by) == 0);
    while (px_msg_next_ask(&in, &ask))
        VS_ASSERT(px_msg_add_ask(&out, &ask) == 0);
    while (px_msg_next_answer(&in, &answer))
        VS_ASSERT(px_msg_add_answer(&out, &answer) == 0);
    VS_ASSERT(px_msg_end(&out) == 0);
    return true;
}

static bool journal_again(const uint8_t *bytes, size_t size, struct vs_buf *ret)
{
    struct journal_item items[JOURNAL_ITEMS_MAX];
    struct journal_msg m;
    struct px_head head;

    if (px_msg_journal_decode(bytes, size, &head, &m, items, make, NULL) < 0)
        return false;
    VS_ASSERT(px_msg_journal_encode(&head, &m, ret) == 0);
    px_msg_journal_put(&m);
    return true;
}

static bool move_again(const uint8_t *bytes, size_t size, struct vs_buf *ret)
{
    struct px_move_out out;
    struct px_move_in in;
    struct px_reg reg;
    struct vs_id id;

    if (px_move_open(bytes, size, &in) < 0)
        return false;
    VS_ASSERT(px_move_begin(&out, ret, &in.head, &in.move) == 0);
    while (px_move_next(&in, &id, &reg))
        VS_ASSERT(px_move_add(&out, &id, &reg) == 0);
    VS_ASSERT(px_move_end(&out, in.move.more) == 0);
    return true;
}

static bool snap_again(const uint8_t *bytes, size_t size, struct vs_buf *ret)
{
    struct px_head head;
    struct px_snap m;

    if (px_snap_decode(bytes, size, &head, &m) < 0)
        return false;
    VS_ASSERT(px_snap_encode(&head, &m, ret) == 0);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct vs_buf buf = { 0 };
    uint8_t *bytes;

    if (size < 1)
        return 0;
    bytes = malloc(size);
    VS_ASSERT(bytes != NULL);
    memcpy(bytes, data + 1, --size);
    if (data[0] & 1)
        put_right(bytes, size);
    (void)px_frame_length(bytes, size);
    if (registers_again(bytes, size, &buf) || journal_again(bytes, size, &buf) ||
        move_again(bytes, size, &buf) || snap_again(bytes, size, &buf)) {
        VS_ASSERT(buf.len == size);
        VS_ASSERT(memcmp(buf.data, bytes, size) == 0);
    }
    free(bytes);
    vs_buf_close(&buf);
    return 0;
}
