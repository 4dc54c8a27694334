/* PUT of a fragment. */
#include "common/err.h"
#include "common/hex.h"
#include "tests/support/node_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define BYTES 100000u

/* PUT of fragment 1 with these headers and BYTES bytes of sync_bytes(seed). */
static int put(struct node_rig *rig, uint64_t seed, const char *headers, struct raw_answer *a)
{
    uint8_t *data = sync_bytes(seed, BYTES);
    int fd = raw_connect(rig->port, 0);
    char key[FRAG_KEY_TEXT_BYTES];

    node_rig_key(1, key);
    raw_say(fd, "PUT /chunk/%s HTTP/1.1\r\nHost: h\r\nContent-Length: %u\r\n%s\r\n", key, BYTES,
            headers);
    (void)raw_send(fd, data, BYTES);
    raw_read(fd, false, a);
    close(fd);
    free(data);
    return a->status;
}

static void sha_header(uint64_t seed, char text[128])
{
    uint8_t *data = sync_bytes(seed, BYTES), sha[VS_SHA256_BYTES];
    char hex[FRAG_SHA_TEXT_BYTES];

    vs_sha256(data, BYTES, sha);
    free(data);
    vs_hex(sha, sizeof(sha), hex);
    snprintf(text, 128, "X-Vstack-SHA256: %s\r\n", hex);
}

static bool nothing_is_stored(struct node_rig *rig)
{
    struct store_health h;

    chunk_store_health(rig->node.store, &h);
    return h.fragments == 0;
}

static void a_put_is_answered_with_its_receipt(void **state)
{
    struct node_rig *rig = *state;
    char sha[128], table[FRAG_CRCS_TEXT_BYTES];
    uint8_t *data = sync_bytes(1, BYTES);
    uint32_t crc[FRAG_BLOCKS_MAX], sum;
    struct raw_answer a;

    frag_crc_table(data, BYTES, crc);
    free(data);
    sha_header(1, sha);
    assert_int_equal(put(rig, 1, sha, &a), 201);
    assert_string_equal(a.body, "{\"stored\":true,\"bytes\":100000}\n");
    frag_crcs_to_text(crc, 2, table);
    assert_string_equal(raw_header(&a, "X-Vstack-CRC32C"), table);
    sum = frag_table_crc(crc, 2);
    frag_crcs_to_text(&sum, 1, table);
    assert_string_equal(raw_header(&a, "X-Vstack-Table-CRC32C"), table);
    raw_answer_close(&a);
    assert_int_equal(put(rig, 1, sha, &a), 200); /* the same again */
    raw_answer_close(&a);
    sha_header(2, sha);
    assert_int_equal(put(rig, 2, sha, &a), 409);
    raw_answer_close(&a);
    assert_int_equal(sync_check(&(struct sync_store){ .s = rig->node.store },
                                &(struct frag_key){ .chunk = sync_key(1).chunk, .generation = 1 },
                                1, BYTES),
                     0);
}

static void what_the_record_says_is_kept(void **state)
{
    struct node_rig *rig = *state;
    struct sync_store ss = { .s = rig->node.store };
    struct frag_key key = sync_key(1);
    char headers[512], sha[128];
    struct store_stat st;
    struct raw_answer a;

    sha_header(1, sha);
    snprintf(headers, sizeof(headers),
             "%sX-Vstack-Record: kind=rs;k=3;m=2;chunk=300000;session=5;inode=6;seq=7;offset=8;"
             "name=a%%20b\r\n",
             sha);
    assert_int_equal(put(rig, 1, headers, &a), 201);
    raw_answer_close(&a);
    assert_int_equal(sync_stat(&ss, &key, &st), 0);
    assert_int_equal(st.note.red.k, 3);
    assert_int_equal(st.note.chunk_bytes, 300000);
    assert_int_equal(st.note.session, 5);
    assert_int_equal(st.note.file_offset, 8);
    assert_memory_equal(st.note.name, "a b", 3);
}

static void wrong_headers_store_nothing(void **state)
{
    static const char *const notes[] = {
        "nonsense", "kind=rs;k=3", /* no parity */
        "kind=rs;k=200;m=2",       /* beyond the limits */
        "kind=replicate;k=2;m=1",  /* two halves are no copy */
    };
    struct node_rig *rig = *state;
    char headers[512], sha[128];
    struct raw_answer a;

    assert_int_equal(put(rig, 1, "", &a), 400);
    assert_non_null(strstr(a.body, "X-Vstack-SHA256 must be"));
    assert_non_null(strstr(a.body, "it is missing"));
    raw_answer_close(&a);
    assert_int_equal(put(rig, 1, "X-Vstack-SHA256: abc\r\n", &a), 400);
    raw_answer_close(&a);
    sha_header(1, sha);
    for (unsigned i = 0; i < sizeof(notes) / sizeof(notes[0]); i++) {
        snprintf(headers, sizeof(headers), "%sX-Vstack-Record: %s\r\n", sha, notes[i]);
        assert_int_equal(put(rig, 1, headers, &a), 400);
        assert_string_equal(raw_header(&a, "X-Vstack-Error"), "invalid");
        raw_answer_close(&a);
    }
    assert_true(nothing_is_stored(rig));
}

static void a_body_that_is_not_what_its_hash_says_is_not_stored(void **state)
{
    struct node_rig *rig = *state;
    struct raw_answer a;
    char sha[128];

    sha_header(2, sha);
    assert_int_equal(put(rig, 1, sha, &a), 400);
    assert_non_null(strstr(a.body, "was changed on its way, send it again"));
    raw_answer_close(&a);
    assert_true(nothing_is_stored(rig));
}

static void a_client_that_goes_away_stores_nothing(void **state)
{
    struct node_rig *rig = *state;
    char key[FRAG_KEY_TEXT_BYTES], sha[128];
    uint8_t *data = sync_bytes(1, BYTES);
    int fd = raw_connect(rig->port, 0);

    sha_header(1, sha);
    node_rig_key(1, key);
    raw_say(fd, "PUT /chunk/%s HTTP/1.1\r\nHost: h\r\nContent-Length: %u\r\n%s\r\n", key, BYTES,
            sha);
    assert_true(raw_send(fd, data, BYTES - 1));
    close(fd);
    free(data);
    for (unsigned i = 0; i < 1000 && vs_counter_get(&rig->node.metrics.op[NODE_OP_PUT].lost) == 0;
         i++)
        usleep(5000);
    assert_true(nothing_is_stored(rig));
    assert_int_equal(vs_counter_get(&rig->node.metrics.op[NODE_OP_PUT].lost), 1);
}

static void an_empty_fragment_is_stored(void **state)
{
    struct node_rig *rig = *state;
    struct raw_answer a;

    assert_int_equal(node_rig_put(rig, 1, 0), 201);
    assert_int_equal(node_rig_get(rig, 1, "", &a), 200);
    assert_int_equal(a.body_bytes, 0);
    assert_null(raw_header(&a, "X-Vstack-CRC32C"));
    assert_non_null(raw_header(&a, "X-Vstack-Table-CRC32C"));
    raw_answer_close(&a);
}

int main(void)
{
#define T(t) cmocka_unit_test_setup_teardown(t, node_rig_setup_disk, node_rig_teardown)
    const struct CMUnitTest tests[] = {
        T(a_put_is_answered_with_its_receipt),
        T(what_the_record_says_is_kept),
        T(wrong_headers_store_nothing),
        T(a_body_that_is_not_what_its_hash_says_is_not_stored),
        T(a_client_that_goes_away_stores_nothing),
        T(an_empty_fragment_is_stored),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
