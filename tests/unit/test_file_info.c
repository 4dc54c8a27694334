/* What is known of a file, and whether all of it is still there: by what the stores list, not by
 * what is hoped of them. */
#include "common/err.h"
#include "fs/file_info.h"
#include "fs/inode_table.h"
#include "tests/support/chunk_rig.h"
#include "tests/support/wfile_rig.h"
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#define ALL (FILE_INFO_CHUNKS | FILE_INFO_PLACES)

/* ---- files made of chunks by hand ---- */

struct fixture {
    struct chunk_rig *f;
    struct vsfs fs;
};

static int set_up(void **state)
{
    struct fixture *x = calloc(1, sizeof(*x));
    void *rig = NULL;

    assert_non_null(x);
    assert_int_equal(chunk_rig_setup(&rig), 0);
    x->f = rig;
    x->fs.meta = &x->f->meta;
    x->fs.stores = x->f->stores;
    x->fs.clock = &vs_clock_system;
    *state = x;
    return inode_table_new(&x->fs.inodes, &x->fs);
}

static int tear_down(void **state)
{
    struct fixture *x = *state;
    void *rig = x->f;

    inode_table_free(x->fs.inodes);
    chunk_rig_teardown(&rig);
    free(x);
    return 0;
}

static struct file_info load(struct fixture *x, unsigned file, unsigned want)
{
    struct file_info i;

    assert_int_equal(file_info_load(&x->fs, 100 + file, want, &i), 0);
    assert_int_equal(i.attr.ino, 100 + file);
    return i;
}

static void check_state(struct fixture *x, unsigned file, const char *want)
{
    struct file_info i = load(x, file, ALL);

    assert_string_equal(file_info_state(&i), want);
    file_info_close(&i);
    file_info_close(&i); /* forgives */
}

static void check_stored_as(struct fixture *x, unsigned file, const char *want)
{
    struct file_info i = load(x, file, FILE_INFO_CHUNKS);

    assert_string_equal(i.stored_as, want);
    file_info_close(&i);
}

static void the_form_is_told_of_what_is_stored(void **state)
{
    struct fixture *x = *state;
    const int64_t lens[] = { 100, -50, 200 }, hole[] = { -4000 };

    check_stored_as(x, chunk_rig_file(x->f, lens, 3, rs32), "rs:3+2");
    check_stored_as(x, chunk_rig_file(x->f, lens, 3, rs22), "rs:2+2");
    check_stored_as(x, chunk_rig_file(x->f, lens, 3, three), "replicate:3");
    check_stored_as(x, chunk_rig_file(x->f, hole, 1, rs32), "metadata"); /* nothing is stored */
    check_stored_as(x, chunk_rig_inline_file(x->f, 10), "metadata");
}

static void chunks_of_two_forms_are_mixed(void **state)
{
    struct fixture *x = *state;
    unsigned file = chunk_rig_file(x->f, (const int64_t[]){ 100, 100 }, 2, rs32);
    unsigned reg = chunk_rig_segment(x->f, file, 0);
    struct mf_chunk chunks[MF_SEGMENT_CHUNKS];
    struct vs_buf value = { 0 };

    assert_int_equal(mf_segment_decode(x->f->at[reg].value.data, x->f->at[reg].value.len, chunks),
                     2);
    chunks[1].red = three;
    assert_int_equal(mf_segment_encode(chunks, 2, &value), 0);
    chunk_rig_set_value(x->f, reg, value.data, value.len);
    vs_buf_close(&value);
    check_stored_as(x, file, "mixed");
}

static void stored_degraded_or_lost_by_what_is_left(void **state)
{
    struct fixture *x = *state;
    const int64_t lens[] = { 100, -50, 200 };
    unsigned file = chunk_rig_file(x->f, lens, 3, rs32), small = chunk_rig_inline_file(x->f, 10);
    unsigned copies = chunk_rig_file(x->f, lens, 1, two);

    check_state(x, file, "stored");
    check_state(x, copies, "degraded"); /* survives the loss of one store only */
    for (unsigned mask = 1; mask < 32; mask++) {
        chunk_rig_down(x->f, mask);
        check_state(x, file, __builtin_popcount(mask) <= 2 ? "degraded" : "lost");
        check_state(x, small, "stored");
    }
    chunk_rig_down(x->f, 0);
    check_state(x, file, "stored");
}

/* A store that is up and has lost what it held, as after `node replace`. */
static void hide_all(void *arg, struct store_list *l)
{
    (void)arg;
    l->keys_count = 0;
}

static void a_store_that_is_up_and_empty_counts_as_empty(void **state)
{
    struct fixture *x = *state;
    const struct store_twist twist = { .listed = hide_all };
    unsigned file = chunk_rig_file(x->f, (const int64_t[]){ 100 }, 1, rs32);

    for (unsigned n = 0; n < 5; n++) {
        store_twist_set(x->f->twist[n], &twist);
        check_state(x, file, n < 2 ? "degraded" : "lost");
    }
}

static void what_no_register_places_is_lost(void **state)
{
    struct fixture *x = *state;
    unsigned file = chunk_rig_file(x->f, (const int64_t[]){ 100, 100 }, 2, rs32);
    const struct place_value tomb = { .state = PLACE_TOMB, .session = 1, .generation = 2 };
    struct file_info i;

    chunk_rig_set_place(x->f, 1, &tomb);
    i = load(x, file, ALL);
    assert_int_equal(i.lost, 1);
    assert_int_equal(i.places[0].state, PLACE_LIVE);
    assert_int_equal(i.places[1].state, PLACE_TOMB);
    file_info_close(&i);
    chunk_rig_set_value(x->f, 0, "\x01\x01nonsense", 10);
    i = load(x, file, ALL);
    assert_int_equal(i.lost, 2);
    file_info_close(&i);
}

/* More chunks than are asked for at once, with holes between: every place is beside its chunk. */
static void places_stand_beside_their_chunks(void **state)
{
    struct fixture *x = *state;
    int64_t lens[1500];
    unsigned file, placed = 0;
    struct file_info i;

    for (int n = 0; n < 1500; n++)
        lens[n] = n % 3 == 1 ? -5 : 5;
    file = chunk_rig_file(x->f, lens, 1500, one);
    i = load(x, file, ALL);
    assert_int_equal(i.chunk_count, 1500);
    assert_int_equal(i.head.chunk_count, 1500);
    for (unsigned n = 0; n < 1500; n++) {
        if (vs_id_is_zero(&i.chunks[n].id)) {
            assert_int_equal(i.places[n].state, 0);
            continue;
        }
        assert_int_equal(i.places[n].state, PLACE_LIVE);
        assert_int_equal(i.places[n].frag[0].node,
                         vs_id_seq(&i.chunks[n].id) % 5 == 0 ? 5 : vs_id_seq(&i.chunks[n].id) % 5);
        placed++;
    }
    assert_int_equal(placed, 1000);
    assert_int_equal(i.lost, 0);
    file_info_close(&i);
}

static void only_what_is_wanted_is_read(void **state)
{
    struct fixture *x = *state;
    unsigned file = chunk_rig_file(x->f, (const int64_t[]){ 100, 100 }, 2, rs32);
    struct file_info i = load(x, file, 0);

    assert_int_equal(x->f->register_reads, 0);
    assert_int_equal(i.head.chunk_count, 2);
    assert_null(i.chunks);
    file_info_close(&i);
    i = load(x, file, FILE_INFO_CHUNKS);
    assert_int_equal(x->f->register_reads, 1); /* the segment */
    file_info_close(&i);
}

struct swap {
    struct fixture *x;
    unsigned file, to;
    enum meta_op behind; /* replaced when the first such answer is on its way */
    bool done;
};

static void swap_under_the_look(void *arg, struct meta_req *r)
{
    struct swap *s = arg;

    if (r->op == s->behind && !s->done) {
        s->done = true;
        chunk_rig_swap(s->x->f, s->file, s->to);
    }
}

/* Its old chunks are going while it is looked at: that is no loss, and no error. */
static void a_file_that_is_replaced_meanwhile_is_looked_at_again(void **state)
{
    struct fixture *x = *state;
    const enum meta_op behind[] = { META_CONTENT, META_REG_READ }; /* head, segment */

    for (unsigned n = 0; n < 2; n++) {
        struct swap s = { .x = x, .behind = behind[n] };
        struct file_info i;

        s.file = chunk_rig_file(x->f, (const int64_t[]){ 100, 100 }, 2, rs32);
        s.to = chunk_rig_file(x->f, (const int64_t[]){ 300 }, 1, rs32);
        x->f->arg = &s;
        x->f->answering = swap_under_the_look;
        i = load(x, s.file, ALL);
        x->f->answering = NULL;
        assert_true(s.done);
        assert_string_equal(file_info_state(&i), "stored");
        assert_int_equal(i.attr.size, 300);
        assert_int_equal(i.chunk_count, 1);
        file_info_close(&i);
    }
}

static void what_is_no_file_has_no_info(void **state)
{
    struct fixture *x = *state;
    unsigned dir = chunk_rig_inline_file(x->f, 0), link = chunk_rig_inline_file(x->f, 7);
    struct file_info i;

    x->f->file[dir].attr.mode = S_IFDIR | 0755;
    x->f->file[dir].attr.content = NS_CONTENT_NONE;
    x->f->file[dir].attr.size = 3; /* names */
    assert_int_equal(file_info_load(&x->fs, 100 + dir, ALL, &i), -EISDIR);
    x->f->file[link].attr.mode = S_IFLNK | 0777;
    assert_int_equal(file_info_load(&x->fs, 100 + link, ALL, &i), -ENODATA);
    assert_int_equal(file_info_load(&x->fs, 99, ALL, &i), -ENOENT);
}

/* ---- files that are written ---- */

static uint64_t member(const struct vs_json *j, const char *key)
{
    uint64_t v;

    if (vs_json_get_u64(j, key, &v) < 0)
        fail_msg("no number %s", key);
    return v;
}

static void a_stored_file_says_all_of_itself(void **state)
{
    struct rig *r = *state;
    const size_t len = 9u << 20;
    struct file_info i;
    struct vs_json *j;
    char sha[2 * VS_SHA256_BYTES + 1];
    uint8_t digest[VS_SHA256_BYTES];

    rig_store(r, NS_INO_ROOT, "film", r->bytes, len);
    assert_int_equal(file_info_load(&r->fs, rig_stored_attr(r, NS_INO_ROOT, "film").ino, ALL, &i),
                     0);
    j = file_info_json(&r->fs, &i);
    assert_int_equal(member(j, "size"), len);
    assert_int_equal(member(j, "inode"), i.attr.ino);
    assert_int_equal(member(j, "chunks"), 3); /* 4 + 4 + 1 MiB */
    assert_int_equal(member(j, "chunks_degraded"), 0);
    assert_int_equal(member(j, "chunks_lost"), 0);
    assert_true(member(j, "stored_bytes") >= len * 5 / 3 &&
                member(j, "stored_bytes") < len * 7 / 4);
    assert_string_equal(vs_json_get_text(j, "state"), "stored");
    assert_string_equal(vs_json_get_text(j, "stored_as"), "rs:3+2");
    assert_int_equal(member(vs_json_get(j, "cuts"), "interior"),
                     member(vs_json_get(j, "cuts"), "at_keyframe") +
                         member(vs_json_get(j, "cuts"), "by_size"));
    vs_sha256(r->bytes, len, digest);
    for (unsigned n = 0; n < VS_SHA256_BYTES; n++)
        snprintf(sha + 2 * n, 3, "%02x", digest[n]);
    assert_string_equal(vs_json_get_text(j, "sha256"), sha);
    assert_null(vs_json_get_text(j, "container")); /* nobody has looked at it */
    vs_json_free(j);
    file_info_close(&i);
}

static void small_files_know_their_hash(void **state)
{
    struct rig *r = *state;
    uint8_t digest[VS_SHA256_BYTES];
    struct file_info i;

    for (size_t len = 0; len <= 5000; len += 5000) {
        const char *name = len == 0 ? "empty" : "small";

        rig_store(r, NS_INO_ROOT, name, r->bytes, len);
        assert_int_equal(file_info_load(&r->fs, rig_stored_attr(r, NS_INO_ROOT, name).ino, ALL, &i),
                         0);
        vs_sha256(r->bytes, len, digest);
        assert_true(i.has_sha);
        assert_memory_equal(i.sha256, digest, sizeof(digest));
        assert_string_equal(i.stored_as, "metadata");
        assert_string_equal(file_info_state(&i), "stored");
        file_info_close(&i);
    }
}

static void what_is_not_committed_is_uploading(void **state)
{
    struct rig *r = *state;
    struct inode *i = rig_create(r, NS_INO_ROOT, "film");
    struct file_info info;
    uint64_t ino = i->ino;

    rig_write_all(r, i, 0, r->bytes, 100000);
    assert_int_equal(file_info_load(&r->fs, ino, ALL, &info), 0);
    assert_string_equal(file_info_state(&info), "uploading");
    assert_false(info.has_sha);
    file_info_close(&info);
    assert_int_equal(rig_release(r, i), 0);
    assert_int_equal(file_info_load(&r->fs, ino, ALL, &info), 0);
    assert_string_equal(file_info_state(&info), "stored");
    file_info_close(&info);
    i = rig_open_file(r, NS_INO_ROOT, "film", false); /* and written again */
    rig_write_all(r, i, 100000, r->other, 10);
    assert_int_equal(file_info_load(&r->fs, ino, ALL, &info), 0);
    assert_string_equal(file_info_state(&info), "uploading");
    assert_int_equal(info.attr.size, 100000); /* of what is stored */
    file_info_close(&info);
    assert_int_equal(rig_release(r, i), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_form_is_told_of_what_is_stored),
        TEST(chunks_of_two_forms_are_mixed),
        TEST(stored_degraded_or_lost_by_what_is_left),
        TEST(a_store_that_is_up_and_empty_counts_as_empty),
        TEST(what_no_register_places_is_lost),
        TEST(places_stand_beside_their_chunks),
        TEST(only_what_is_wanted_is_read),
        TEST(a_file_that_is_replaced_meanwhile_is_looked_at_again),
        TEST(what_is_no_file_has_no_info),
        RIG_TEST(a_stored_file_says_all_of_itself),
        RIG_TEST(small_files_know_their_hash),
        RIG_TEST(what_is_not_committed_is_uploading),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
