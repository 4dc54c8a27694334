/* acceptor_codec: records of acceptor/ as bytes: identity, count, journal state, registers, slots.
 *
 * Every record begins with its format version and ends with the CRC-32C of all bytes before, in
 * every version to come. Decoders are bounded and total; what they return points into the input.
 * docs/FORMAT.md has every byte.
 *
 * Pure. Encoders replace the contents of `ret`: -ENOMEM, -EMSGSIZE. Decoders: -VS_ECORRUPT,
 * -VS_ENEWER. */
#ifndef VS_META_ACCEPTOR_CODEC_H
#define VS_META_ACCEPTOR_CODEC_H

#include "common/buf.h"
#include "common/member_set.h"
#include "meta/px.h"

#define ACCEPTOR_FORMAT           1
#define ACCEPTOR_RECORD_BYTES_MAX (8u << 20)

#define ACCEPTOR_KEY_IDENTITY "i"
#define ACCEPTOR_KEY_COUNT    "n"
#define ACCEPTOR_KEY_JOURNAL  "j"
#define ACCEPTOR_KEY_MEMBERS  "c"
#define ACCEPTOR_KEY_BYTES    1 /* of the four above */

#define ACCEPTOR_REG_KEY_BYTES  (1 + VS_ID_BYTES)
#define ACCEPTOR_SLOT_KEY_BYTES (1 + 8)

struct acceptor_identity {
    struct vs_id cluster; /* uuid */
    uint32_t pid;         /* proposer id of this replica */
    uint32_t inc;         /* incarnation: how often it was started */
};

struct acceptor_journal {
    struct px_ballot promised; /* one for all slots */
    uint64_t first;            /* lowest slot kept */
};

/* Where this acceptor stands in a change of membership (meta/px_fence.h). */
enum acceptor_stand {
    ACCEPTOR_VOTES = 1,   /* in set.epoch */
    ACCEPTOR_LEFT = 2,    /* the epoch before; it does not vote in set.epoch yet */
    ACCEPTOR_JOINING = 3, /* a newcomer that has not everything yet: nothing here counts */
};

struct acceptor_members {
    enum acceptor_stand stand;
    bool whole;     /* LEFT: it voted in the epoch before, so its records are of that */
    uint32_t begin; /* VOTES: bit i: member i may vote with the records it has: the newcomers
                       that had everything, and F */
    struct member_set set;
};

/* 'r' and the id; 's' and the slot, big-endian: both sort as they should. */
void acceptor_reg_key(const struct vs_id *id, uint8_t key[ACCEPTOR_REG_KEY_BYTES]);
void acceptor_slot_key(uint64_t slot, uint8_t key[ACCEPTOR_SLOT_KEY_BYTES]);
/* -VS_ECORRUPT when it is not such a key. */
int acceptor_reg_key_decode(const uint8_t *key, size_t len, struct vs_id *ret);
int acceptor_slot_key_decode(const uint8_t *key, size_t len, uint64_t *ret);

int acceptor_identity_encode(const struct acceptor_identity *id, struct vs_buf *ret);
int acceptor_identity_decode(const void *bytes, size_t len, struct acceptor_identity *ret);

int acceptor_count_encode(uint64_t count, struct vs_buf *ret);
int acceptor_count_decode(const void *bytes, size_t len, uint64_t *ret);

int acceptor_journal_encode(const struct acceptor_journal *j, struct vs_buf *ret);
int acceptor_journal_decode(const void *bytes, size_t len, struct acceptor_journal *ret);

int acceptor_members_encode(const struct acceptor_members *m, struct vs_buf *ret);
int acceptor_members_decode(const void *bytes, size_t len, struct acceptor_members *ret);

int acceptor_reg_encode(const struct px_reg *reg, struct vs_buf *ret);
int acceptor_reg_decode(const void *bytes, size_t len, struct px_reg *ret);

int acceptor_slot_encode(const struct px_ballot *b, const void *entry, size_t entry_len,
                         struct vs_buf *ret);
int acceptor_slot_decode(const void *bytes, size_t len, struct px_ballot *ret_ballot,
                         const uint8_t **ret_entry, size_t *ret_entry_len);

#endif
