/* GET and HEAD of a fragment, sent from its file or through memory. */
#include "common/err.h"
#include "tests/support/node_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define BYTES (3 * FRAG_BLOCK_BYTES + 1234)

static void ranges_are_exact(struct node_rig *rig)
{
    static const struct {
        const char *range;
        uint32_t first, bytes;
    } rows[] = {
        { "0-0", 0, 1 },
        { "0-65535", 0, 65536 },
        { "65535-65536", 65535, 2 },
        { "1-", 1, BYTES - 1 },
        { "-1", BYTES - 1, 1 },
        { "196608-", 196608, 1234 },
        { "100-99999999", 100, BYTES - 100 },
    };
    uint8_t *data = sync_bytes(1, BYTES);

    assert_int_equal(node_rig_put(rig, 1, BYTES), 201);
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char header[64], want[64];
        struct raw_answer a;

        snprintf(header, sizeof(header), "Range: bytes=%s\r\n", rows[i].range);
        assert_int_equal(node_rig_get(rig, 1, header, &a), 206);
        assert_int_equal(a.body_bytes, rows[i].bytes);
        assert_memory_equal(a.body, data + rows[i].first, rows[i].bytes);
        snprintf(want, sizeof(want), "bytes %u-%u/%u", rows[i].first,
                 rows[i].first + rows[i].bytes - 1, BYTES);
        assert_string_equal(raw_header(&a, "Content-Range"), want);
        raw_answer_close(&a);
    }
    free(data);
}

static void ranges_are_exact_from_the_file(void **state)
{
    ranges_are_exact(*state);
}

static void ranges_are_exact_through_memory(void **state)
{
    ranges_are_exact(*state);
}

static void a_range_that_is_none_is_416_with_the_length_and_the_table(void **state)
{
    static const char *const bad[] = { "229999999-", "5-4", "x", "0-1,4-5", "-0", "" };
    struct node_rig *rig = *state;

    assert_int_equal(node_rig_put(rig, 1, BYTES), 201);
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char header[64], want[64];
        struct raw_answer a;

        snprintf(header, sizeof(header), "Range: bytes=%s\r\n", bad[i]);
        assert_int_equal(node_rig_get(rig, 1, header, &a), 416);
        snprintf(want, sizeof(want), "bytes */%u", BYTES);
        assert_string_equal(raw_header(&a, "Content-Range"), want);
        assert_int_equal(strlen(raw_header(&a, "X-Vstack-CRC32C")), 4 * 9 - 1);
        assert_non_null(strstr(a.body, "bytes=FIRST-LAST"));
        raw_answer_close(&a);
    }
    assert_int_equal(node_rig_get(rig, 1, "Range: frames=1-2\r\n", NULL), 200);
}

static void the_answer_says_all_that_the_record_says(void **state)
{
    struct node_rig *rig = *state;
    uint8_t *data = sync_bytes(1, BYTES);
    uint32_t crc[FRAG_BLOCKS_MAX], got[FRAG_BLOCKS_MAX];
    char key[FRAG_KEY_TEXT_BYTES], table_crc[16];
    struct raw_answer a, head;

    frag_crc_table(data, BYTES, crc);
    assert_int_equal(node_rig_put(rig, 1, BYTES), 201);
    assert_int_equal(node_rig_get(rig, 1, "", &a), 200);
    assert_int_equal(a.body_bytes, BYTES);
    assert_memory_equal(a.body, data, BYTES);
    assert_int_equal(frag_crcs_from_text(raw_header(&a, "X-Vstack-CRC32C"), got), 4);
    assert_memory_equal(got, crc, 4 * sizeof(crc[0]));
    assert_int_equal(strlen(raw_header(&a, "X-Vstack-SHA256")), 64);
    snprintf(table_crc, sizeof(table_crc), "%s", raw_header(&a, "X-Vstack-Table-CRC32C"));

    node_rig_key(1, key);
    assert_int_equal(raw_ask(rig->port, &head, "HEAD /chunk/%s HTTP/1.1\r\nHost: h\r\n\r\n", key),
                     200);
    assert_int_equal(strtoul(raw_header(&head, "Content-Length"), NULL, 10), BYTES);
    assert_string_equal(raw_header(&head, "X-Vstack-Table-CRC32C"), table_crc);
    assert_non_null(raw_header(&head, "X-Vstack-Record"));
    assert_int_equal(raw_ask(rig->port, NULL, "HEAD /chunk/%s9 HTTP/1.1\r\nHost: h\r\n\r\n", key),
                     404);
    raw_answer_close(&a);
    raw_answer_close(&head);
    free(data);
}

/* A connection that began with a ping is served by threads that never touch a disk: the same bytes
 * come through memory. */
static void the_quick_threads_send_through_memory(void **state)
{
    struct node_rig *rig = *state;
    int fd = raw_connect(rig->port, 0);
    char key[FRAG_KEY_TEXT_BYTES];
    uint8_t *data = sync_bytes(1, BYTES);
    struct raw_answer a;

    assert_int_equal(node_rig_put(rig, 1, BYTES), 201);
    raw_say(fd, "GET /ping HTTP/1.1\r\nHost: h\r\n\r\n");
    raw_read(fd, false, &a);
    assert_string_equal(a.body, "ok\n");
    raw_answer_close(&a);
    node_rig_key(1, key);
    raw_say(fd, "GET /chunk/%s HTTP/1.1\r\nHost: h\r\n\r\n", key);
    raw_read(fd, false, &a);
    assert_int_equal(a.status, 200);
    assert_int_equal(a.body_bytes, BYTES);
    assert_memory_equal(a.body, data, BYTES);
    raw_answer_close(&a);
    close(fd);
    free(data);
}

#define LARGE  FRAG_BYTES_MAX /* more than the sockets hold */
#define QUEUED (1u << 20)     /* what the server hands to its socket at once */

/* The reader has not read when the fragment is deleted; its bytes stay until it has. */
static void arrives_whole(struct node_rig *rig, uint32_t bytes)
{
    struct sync_store ss = { .s = rig->node.store };
    struct frag_key key = sync_key(1);
    uint8_t *data = sync_bytes(1, bytes);
    int fd = raw_connect(rig->port, 4096);
    char text[FRAG_KEY_TEXT_BYTES];
    struct raw_answer a;
    char byte;

    assert_int_equal(node_rig_put(rig, 1, bytes), 201);
    node_rig_key(1, text);
    raw_say(fd, "GET /chunk/%s HTTP/1.1\r\nHost: h\r\n\r\n", text);
    assert_int_equal(recv(fd, &byte, 1, MSG_PEEK), 1); /* it is being sent */
    assert_int_equal(sync_del(&ss, &key), 0);
    assert_int_equal(node_rig_get(rig, 1, "", NULL), 404);
    usleep(1200000); /* two ticks of the store, which punches at each */
    raw_read(fd, false, &a);
    assert_int_equal(a.body_bytes, bytes);
    assert_memory_equal(a.body, data, bytes);
    raw_answer_close(&a);
    close(fd);
    free(data);
}

static void a_fragment_deleted_on_its_way_arrives_whole(void **state)
{
    arrives_whole(*state, LARGE);
}

/* The server has nothing left to send, but its socket has. */
static void a_fragment_deleted_in_the_socket_arrives_whole(void **state)
{
    arrives_whole(*state, QUEUED);
}

/* The largest table beside the longest description and a long request. */
static void the_longest_headers_have_room(void **state)
{
    struct node_rig *rig = *state;
    struct sync_store ss = { .s = rig->node.store };
    struct frag_note note = { .red = { VS_RED_REPLICATE, 1, 2 },
                              .name_bytes = FRAG_NAME_BYTES_MAX };
    struct frag_key key = sync_key(1);
    uint8_t *data = sync_bytes(1, LARGE);
    char headers[4096], filler[3000];
    struct raw_answer a;

    memset(note.name, ' ', sizeof(note.name));
    note.session = note.inode = note.file_offset = UINT64_MAX;
    note.chunk_seq = note.chunk_bytes = UINT32_MAX;
    assert_int_equal(sync_put(&ss, &key, &note, data, LARGE), 0);
    memset(filler, 'f', sizeof(filler));
    snprintf(headers, sizeof(headers), "Range: bytes=5-5\r\nX-Filler: %.*s\r\n",
             (int)sizeof(filler), filler);
    assert_int_equal(node_rig_get(rig, 1, headers, &a), 206);
    assert_int_equal((uint8_t)a.body[0], data[5]);
    assert_int_equal(strlen(raw_header(&a, "X-Vstack-CRC32C")), FRAG_CRCS_TEXT_BYTES - 2);
    assert_true(strlen(raw_header(&a, "X-Vstack-Record")) > 3 * FRAG_NAME_BYTES_MAX);
    raw_answer_close(&a);
    free(data);
}

int main(void)
{
#define DISK(t) cmocka_unit_test_setup_teardown(t, node_rig_setup_disk, node_rig_teardown)
#define MEM(t)  cmocka_unit_test_setup_teardown(t, node_rig_setup_mem, node_rig_teardown)
    const struct CMUnitTest tests[] = {
        DISK(ranges_are_exact_from_the_file),
        MEM(ranges_are_exact_through_memory),
        DISK(a_range_that_is_none_is_416_with_the_length_and_the_table),
        DISK(the_answer_says_all_that_the_record_says),
        DISK(the_quick_threads_send_through_memory),
        DISK(a_fragment_deleted_on_its_way_arrives_whole),
        DISK(a_fragment_deleted_in_the_socket_arrives_whole),
        DISK(the_longest_headers_have_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
