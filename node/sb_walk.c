/* Walking one superblock file.
 *
 * Happy path: a good header says how long its record is; the next header follows.
 * Failure modes: a block that is no good header is stepped over, 4 KiB at a time, until one comes
 * that is, with a higher sequence number: the gap between is told. Payloads that do not check are
 * told with their record. What the disk cannot read counts as broken, not as the end. */
#include "node/sb_walk.h"

#include "common/crc.h"
#include "common/err.h"
#include "common/sha.h"

#include <stdlib.h>
#include <string.h>

#define WINDOW_BYTES (1u << 20)

/* Bytes [offset, offset + len) of the file, len <= WINDOW_BYTES, both multiples of 4 KiB. Good
 * until the next call. -VS_ECORRUPT behind the end of the file, I/O errors. */
static int walk_bytes(struct sb_walk *w, uint64_t offset, size_t len, const uint8_t **ret)
{
    size_t want = w->check == SB_WALK_HEADERS ? len : WINDOW_BYTES;
    int64_t n;

    if (offset >= w->to)
        return -VS_ECORRUPT;
    if (offset < w->window_at || offset + len > w->window_at + w->window_bytes) {
        if (want > w->to - offset)
            want = w->to - offset;
        if (want < len)
            return -VS_ECORRUPT;
        w->window_bytes = 0;
        n = vs_file_pread(w->f, w->window, want, offset);
        if (n < 0 && want > len) /* a bad sector: only those who need it are hurt */
            n = vs_file_pread(w->f, w->window, len, offset);
        if (n < 0)
            return (int)n;
        w->window_at = offset;
        w->window_bytes = (size_t)n;
        if ((size_t)n < len)
            return -VS_ECORRUPT;
    }
    *ret = w->window + (offset - w->window_at);
    return 0;
}

static size_t round_up_block(size_t n)
{
    return (n + SB_BLOCK_BYTES - 1) / SB_BLOCK_BYTES * SB_BLOCK_BYTES;
}

struct walk_sums {
    struct vs_sha *sha;
    bool good, zero;
};

/* One 64 KiB block of a payload, or less at its end; `bytes` with the padding. */
static void sum_block(struct walk_sums *sums, const struct sb_walk *w, const struct sb_record *rec,
                      unsigned i, const uint8_t *bytes)
{
    size_t left = rec->payload_bytes - (size_t)i * FRAG_BLOCK_BYTES;
    size_t len = left < FRAG_BLOCK_BYTES ? left : FRAG_BLOCK_BYTES;

    if (vs_crc32c(0, bytes, len) != rec->crc[i])
        sums->good = false;
    if (sums->zero && !sb_all_zero(bytes, round_up_block(len)))
        sums->zero = false;
    if (w->check != SB_WALK_ALL)
        return;
    vs_sha_update(sums->sha, bytes, len);
    if (!sb_all_zero(bytes + len, round_up_block(len) - len))
        sums->good = false;
}

/* Read and check a DATA payload. 0 also when it is not good; -ENOMEM. */
static int walk_payload(struct sb_walk *w, const struct sb_record *rec, struct walk_sums *sums)
{
    uint64_t at = rec->offset + SB_BLOCK_BYTES;
    uint8_t digest[FRAG_SHA256_BYTES];

    *sums = (struct walk_sums){ .good = true, .zero = true };
    if (w->check == SB_WALK_ALL && vs_sha_new(&sums->sha) < 0)
        return -ENOMEM;
    for (unsigned i = 0; i < frag_blocks(rec->payload_bytes); i++) {
        size_t left = rec->payload_bytes - (size_t)i * FRAG_BLOCK_BYTES;
        size_t len = round_up_block(left < FRAG_BLOCK_BYTES ? left : FRAG_BLOCK_BYTES);
        const uint8_t *bytes;

        if (walk_bytes(w, at, len, &bytes) < 0) {
            sums->good = sums->zero = false;
            break;
        }
        sum_block(sums, w, rec, i, bytes);
        at += len;
    }
    if (sums->sha != NULL) {
        vs_sha_final(sums->sha, digest);
        vs_sha_free(sums->sha);
        if (memcmp(digest, rec->sha256, sizeof(digest)) != 0)
            sums->good = false;
    }
    return 0;
}

/* Read the payload of a TOMB or SEAL into *payload when it is good. 0, -ENOMEM. */
static int walk_list(struct sb_walk *w, const struct sb_record *rec, struct vs_buf *payload)
{
    uint64_t at = rec->offset + SB_BLOCK_BYTES;
    uint8_t digest[FRAG_SHA256_BYTES];
    size_t padding = round_up_block(rec->payload_bytes) - rec->payload_bytes;
    bool good = true;
    int r;

    /* At least a byte, so that an empty list has an address, too. */
    r = vs_buf_reserve(payload, round_up_block(rec->payload_bytes) + 1, FRAG_BYTES_MAX + 1);
    if (r < 0)
        return -ENOMEM;
    for (unsigned i = 0; good && i < frag_blocks(rec->payload_bytes); i++) {
        size_t left = rec->payload_bytes - (size_t)i * FRAG_BLOCK_BYTES;
        size_t len = left < FRAG_BLOCK_BYTES ? left : FRAG_BLOCK_BYTES;
        const uint8_t *bytes;

        good = walk_bytes(w, at, round_up_block(len), &bytes) == 0 &&
               vs_crc32c(0, bytes, len) == rec->crc[i];
        if (!good)
            break;
        memcpy(payload->data + payload->len, bytes, round_up_block(len));
        payload->len += round_up_block(len);
        at += len;
    }
    if (good) {
        vs_sha256(payload->data, rec->payload_bytes, digest);
        good = memcmp(digest, rec->sha256, sizeof(digest)) == 0 &&
               sb_all_zero(payload->data + rec->payload_bytes, padding);
    }
    if (!good)
        vs_buf_close(payload);
    return 0;
}

/* A good header: its payload, the callback, the next place. */
static int walk_record(struct sb_walk *w, const struct sb_record *rec, uint32_t hdr_crc)
{
    struct sb_walk_record wr = { .rec = rec, .hdr_crc = hdr_crc, .good = true };
    struct vs_buf payload = { 0 };
    int r = 0;

    if (rec->type != SB_DATA) {
        r = walk_list(w, rec, &payload);
        wr.good = payload.data != NULL;
        wr.payload = payload.data;
    } else if (w->check != SB_WALK_HEADERS) {
        struct walk_sums sums;

        r = walk_payload(w, rec, &sums);
        wr.good = sums.good;
        wr.zero = sums.zero;
    }
    if (r == 0)
        r = w->record(w->arg, &wr);
    vs_buf_close(&payload);
    return r;
}

/* Does a good header, later than the last one, begin at `offset`? 1, 0, -VS_ENEWER. *ret_zero: the
 * block is all zero. */
static int walk_header(struct sb_walk *w, uint64_t offset, struct sb_record *rec, uint32_t *hdr_crc,
                       bool *ret_zero)
{
    const uint8_t *block;
    int r;

    *ret_zero = false;
    if (walk_bytes(w, offset, SB_BLOCK_BYTES, &block) < 0)
        return 0;
    r = sb_record_check_at(block, w->id, w->salt, offset, rec);
    if (r == -VS_ENEWER)
        return r;
    if (r < 0) {
        *ret_zero = sb_all_zero(block, SB_BLOCK_BYTES);
        return 0;
    }
    *hdr_crc = sb_block_crc(block);
    return rec->seq > w->last_seq || (rec->type == SB_SEAL && rec->seq == w->last_seq);
}

static int walk_all(struct sb_walk *w, struct sb_record *rec)
{
    uint64_t at = w->from, size;
    bool zero;
    int r;

    while (at + SB_BLOCK_BYTES <= w->to) {
        uint32_t hdr_crc;

        r = walk_header(w, at, rec, &hdr_crc, &zero);
        if (r < 0)
            return r;
        if (r == 0) {
            at += SB_BLOCK_BYTES;
            if (!zero)
                w->nonzero_end = at;
            continue;
        }
        if (at > w->end && w->gap != NULL) {
            r = w->gap(w->arg, w->end, at, w->last_seq);
            if (r != 0)
                return r;
        }
        size = (uint64_t)rec->total_blocks * SB_BLOCK_BYTES;
        w->last_seq = rec->seq;
        r = walk_record(w, rec, hdr_crc);
        if (r != 0)
            return r;
        at = size < w->to - at ? at + size : w->to;
        w->end = w->nonzero_end = at;
    }
    if (w->nonzero_end > w->end && w->gap != NULL)
        return w->gap(w->arg, w->end, w->nonzero_end, w->last_seq);
    return 0;
}

int sb_walk_run(struct sb_walk *w)
{
    struct sb_record *rec = malloc(sizeof(*rec));
    uint64_t bytes = w->to > w->from ? w->to - w->from : 1; /* no read is longer */
    int r = -ENOMEM;

    bytes = bytes < WINDOW_BYTES ? round_up_block((size_t)bytes) : WINDOW_BYTES;
    w->window = aligned_alloc(SB_BLOCK_BYTES, bytes);
    w->window_at = w->window_bytes = 0;
    w->end = w->nonzero_end = w->from;
    if (rec != NULL && w->window != NULL)
        r = walk_all(w, rec);
    free(rec);
    free(w->window);
    w->window = NULL;
    return r;
}
