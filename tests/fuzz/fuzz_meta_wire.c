/* Fuzz target: questions to the metadata and answers to them. The first byte says which, and of
 * which operation the answer is; the checksum is put right, or nothing else would be tried. A
 * question that is understood is asked again in the same bytes. */
#include "common/assert.h"
#include "common/crc.h"
#include "meta/meta_wire.h"

#include <stdlib.h>
#include <string.h>

#define ROOM 8

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void put_right(uint8_t *bytes, size_t size)
{
    uint32_t crc;

    if (size < META_WIRE_CRC_BYTES)
        return;
    crc = vs_crc32c(0, bytes, size - META_WIRE_CRC_BYTES);
    for (unsigned i = 0; i < 4; i++)
        bytes[size - META_WIRE_CRC_BYTES + i] = (uint8_t)(crc >> 8 * i);
}

static void try_ask(const uint8_t *bytes, size_t size)
{
    struct meta_wire_asked q;
    struct vs_buf again = { 0 };

    if (meta_wire_asked(bytes, size, &q) < 0)
        return;
    if (!q.hello) {
        VS_ASSERT(meta_wire_ask(&q.req, &q.cluster, &again) == 0);
        VS_ASSERT(again.len == size && memcmp(again.data, bytes, size) == 0);
    }
    vs_buf_close(&again);
    meta_wire_asked_close(&q);
}

static void try_answer(const uint8_t *bytes, size_t size, unsigned kind)
{
    static struct ns_dirent dirents[ROOM];
    static struct health_now now[ROOM];
    static struct ns_node nodes[ROOM];
    static uint64_t u64s[ROOM];
    static struct vs_id ids[ROOM];
    struct meta_reg regs[ROOM] = { 0 };
    struct meta_req r = { .op = (enum meta_op)(kind % META_OPS),
                          .with_attr = kind & 32,
                          .dirents = dirents,
                          .dirents_max = ROOM,
                          .nodes = nodes,
                          .nodes_now = now,
                          .nodes_max = ROOM,
                          .regs = regs,
                          .reg_count = kind / 32,
                          .scan = kind & 32 ? META_SCAN_REGISTERS : META_SCAN_ORPHANS,
                          .scan_u64 = u64s,
                          .scan_ids = ids,
                          .scan_max = ROOM };
    struct vs_buf again = { 0 };

    if (meta_wire_answered(bytes, size, &r) == 0) {
        VS_ASSERT(meta_wire_answer(&r, &again) == 0);
        VS_ASSERT(again.len == size && memcmp(again.data, bytes, size) == 0);
    }
    vs_buf_close(&again);
    vs_buf_close(&r.bytes);
    for (unsigned i = 0; i < ROOM; i++)
        vs_buf_close(&regs[i].current);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct meta_wire_hello hello;
    uint8_t *bytes;

    if (size < 2)
        return 0;
    bytes = malloc(size - 1); /* exactly: a look beyond is seen */
    VS_ASSERT(bytes != NULL);
    memcpy(bytes, data + 1, size - 1);
    put_right(bytes, size - 1);
    if (data[0] & 128)
        try_ask(bytes, size - 1);
    else
        try_answer(bytes, size - 1, data[0] & 127);
    (void)meta_wire_answered_hello(bytes, size - 1, &hello);
    free(bytes);
    return 0;
}
