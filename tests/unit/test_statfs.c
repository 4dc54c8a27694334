/* How much film still fits: the formula held against its definition and against placing chunks one
 * by one; and what df is told. */
#include "common/rand.h"
#include "fs/statfs.h"
#include "tests/support/store_twist.h"
#include "tests/support/wfile_rig.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* A device, and how many failure domains have their one store on it. */
struct device {
    uint64_t device, free_bytes;
    unsigned stores;
};

static uint64_t film_bytes(const struct device *d, unsigned count, unsigned up, unsigned total)
{
    struct statfs_store stores[STORE_SET_MAX];
    unsigned n = 0;

    for (unsigned i = 0; i < count; i++)
        for (unsigned k = 0; k < d[i].stores; k++, n++)
            stores[n] = (struct statfs_store){ n, d[i].device, d[i].free_bytes };
    return statfs_film_bytes(stores, n, up, total);
}

struct form {
    unsigned k, n;
};

/* Of so many stores that take puts (docs: 3+2, 2+2, three copies, two). */
static struct form form_of(unsigned up)
{
    static const struct form forms[] = { { 0, 0 }, { 1, 1 }, { 1, 2 }, { 1, 3 }, { 2, 4 } };

    return up >= 5 ? (struct form){ 3, 5 } : forms[up];
}

/* The definition: the largest S with  sum of min(free, n_d * S) >= n * S;  k * S more fit. */
static uint64_t by_definition(const struct device *d, unsigned count, struct form f)
{
    uint64_t s = 0;

    for (;;) {
        uint64_t sum = 0, next = s + 1;

        for (unsigned i = 0; i < count; i++)
            sum += d[i].free_bytes < d[i].stores * next ? d[i].free_bytes : d[i].stores * next;
        if (sum < f.n * next)
            return f.k * s;
        s = next;
    }
}

/* Place chunks of one byte per fragment while they fit, each on stores of its own, where there is
 * the most room per store that is left to use. */
static uint64_t by_placing(const struct device *d, unsigned count, struct form f)
{
    uint64_t room[STORE_SET_MAX], chunks = 0;

    for (unsigned i = 0; i < count; i++)
        room[i] = d[i].free_bytes;
    for (;;) {
        unsigned used[STORE_SET_MAX] = { 0 }, placed = 0;

        for (; placed < f.n; placed++) {
            unsigned best = count;

            for (unsigned i = 0; i < count; i++)
                if (used[i] < d[i].stores && room[i] > 0 &&
                    (best == count || room[i] * d[best].stores > room[best] * d[i].stores))
                    best = i;
            if (best == count)
                break;
            used[best]++;
            room[best]--;
        }
        if (placed < f.n)
            return f.k * chunks;
        chunks++;
    }
}

static void check_devices(const struct device *d, unsigned count)
{
    unsigned up = 0;
    uint64_t got;

    for (unsigned i = 0; i < count; i++)
        up += d[i].stores;
    got = film_bytes(d, count, up, up);
    assert_int_equal(got, by_definition(d, count, form_of(up)));
    assert_int_equal(got, by_placing(d, count, form_of(up)));
}

static void it_is_what_can_be_placed(void **state)
{
    struct vs_rand r;

    (void)state;
    vs_rand_init(&r, 17);
    for (unsigned round = 0; round < 3000; round++) {
        struct device d[8];
        unsigned count = 1 + (unsigned)vs_rand_below(&r, 8);

        for (unsigned i = 0; i < count; i++)
            d[i] = (struct device){ i, vs_rand_below(&r, 200), 1 + (unsigned)vs_rand_below(&r, 3) };
        check_devices(d, count);
    }
}

static void one_disk_gives_three_fifths_of_what_is_free(void **state)
{
    const struct device d = { 1, UINT64_C(10) << 40, 5 };

    (void)state;
    assert_int_equal(film_bytes(&d, 1, 5, 5), (UINT64_C(10) << 40) / 5 * 3);
}

static void equal_disks_give_three_fifths_of_all(void **state)
{
    struct device d[10];

    (void)state;
    for (unsigned i = 0; i < 10; i++)
        d[i] = (struct device){ i, UINT64_C(1000000000), 1 };
    assert_int_equal(film_bytes(d, 5, 5, 5), UINT64_C(3000000000));
    assert_int_equal(film_bytes(d, 10, 10, 10), UINT64_C(6000000000));
    assert_int_equal(film_bytes(d, 4, 4, 5), UINT64_C(2000000000));
    assert_int_equal(film_bytes(d, 3, 3, 5), UINT64_C(1000000000));
    assert_int_equal(film_bytes(d, 2, 2, 5), UINT64_C(1000000000));
}

/* What one disk has more than the others is of no use to 3+2 on five. */
static void the_smallest_of_five_disks_is_the_limit(void **state)
{
    struct device d[5];

    (void)state;
    for (unsigned i = 0; i < 5; i++)
        d[i] = (struct device){ i, 1000 * (i + 1), 1 };
    assert_int_equal(film_bytes(d, 5, 5, 5), 3000);
}

static void nothing_fits_when_uploads_would_fail(void **state)
{
    const struct device d = { 1, 1000000, 1 };

    (void)state;
    assert_int_equal(film_bytes(&d, 0, 0, 5), 0);
    assert_int_equal(film_bytes(&d, 1, 1, 5), 0);       /* one copy is not taken */
    assert_int_equal(film_bytes(&d, 1, 1, 1), 1000000); /* unless there is no more */
}

/* ---- domains with several disks ---- */

static void the_disks_of_one_domain_take_one_fragment_of_a_chunk(void **state)
{
    /* three machines with three disks each */
    struct statfs_store machines[9];
    /* five, of which one has a second, large disk */
    const struct statfs_store uneven[] = { { 1, 1, 1000 }, { 2, 2, 1000 }, { 3, 3, 1000 },
                                           { 4, 4, 1000 }, { 5, 5, 1000 }, { 5, 6, 9000 } };
    /* and four small ones besides a large one */
    const struct statfs_store small[] = { { 1, 1, 300 },  { 2, 2, 1000 }, { 3, 3, 1000 },
                                          { 4, 4, 1000 }, { 5, 5, 1000 }, { 1, 6, 200 } };

    (void)state;
    for (unsigned i = 0; i < 9; i++)
        machines[i] = (struct statfs_store){ 1 + i / 3, i, 1000 };
    assert_int_equal(statfs_film_bytes(machines, 9, 3, 3), 3000); /* three copies */
    assert_int_equal(statfs_film_bytes(uneven, 6, 5, 5), 3000);
    assert_int_equal(statfs_film_bytes(small, 6, 5, 5), 1500);
}

static void a_disk_that_domains_share_is_counted_once(void **state)
{
    /* 2 has nothing but the disk that 1 has as well; 1 has another one */
    const struct statfs_store stores[] = { { 1, 1, 100 }, { 1, 2, 60 }, { 2, 2, 60 } };
    const struct statfs_store more[] = { { 1, 1, 40 }, { 1, 2, 60 }, { 2, 2, 60 } };

    (void)state;
    assert_int_equal(statfs_film_bytes(stores, 3, 2, 2), 60);
    assert_int_equal(statfs_film_bytes(more, 3, 2, 2), 50); /* 10 of 1 beside the 50 of 2 */
}

/* ---- df ---- */

struct disk {
    uint64_t device, free_bytes;
    enum store_state state;
};

static void say_disk(void *arg, struct store_health *h)
{
    const struct disk *disk = arg;

    h->device = disk->device;
    h->free_bytes = disk->free_bytes;
    h->state = disk->state;
    h->why[0] = disk->state == STORE_UP ? '\0' : '!';
    h->why[1] = '\0';
}

static void set_disks(struct rig *r, struct disk *disks)
{
    for (unsigned i = 0; i < RIG_STORES; i++) {
        const struct store_twist twist = { .arg = &disks[i], .healthy = say_disk };

        store_twist_set(store_twist_entry(&r->fs.stores, i), &twist);
    }
}

static void df_shows_what_is_stored_and_what_fits(void **state)
{
    struct rig *r = *state;
    struct disk disks[RIG_STORES];
    struct statvfs st;

    for (unsigned i = 0; i < RIG_STORES; i++)
        disks[i] =
            (struct disk){ 7, (4900 + 25 * i) * 4096, STORE_UP }; /* one disk, seen 5 times */
    set_disks(r, disks);
    assert_int_equal(statfs_fill(&r->fs, &st), 0);
    assert_int_equal(st.f_bsize, 4096);
    assert_int_equal(st.f_frsize, 4096);
    assert_int_equal(st.f_namemax, 255);
    assert_int_equal(st.f_bavail, 3000);
    assert_int_equal(st.f_bfree, 3000);
    assert_int_equal(st.f_blocks, 3000);
    rig_store(r, NS_INO_ROOT, "film", r->bytes, 1000000);
    assert_int_equal(statfs_fill(&r->fs, &st), 0);
    assert_int_equal(st.f_bavail, 3000);
    assert_int_equal(st.f_blocks - st.f_bfree, (1000000 + 4095) / 4096); /* "used" */
    assert_true(st.f_files > st.f_ffree);
    for (unsigned i = 0; i < RIG_STORES; i++)
        disks[i].device = i;
    assert_int_equal(statfs_fill(&r->fs, &st), 0);
    assert_int_equal(st.f_bavail, 14700); /* the smallest of them is the limit */
}

static void df_counts_stores_that_take_puts(void **state)
{
    struct rig *r = *state;
    struct disk disks[RIG_STORES];
    static const uint64_t want[] = { 15000, 10000, 5000, 5000, 0, 0 };
    struct statvfs st;

    for (unsigned i = 0; i < RIG_STORES; i++)
        disks[i] = (struct disk){ i, 5000 * 4096, STORE_UP };
    set_disks(r, disks);
    for (unsigned down = 0; down <= RIG_STORES; down++) {
        if (down > 0)
            disks[down - 1].state = down % 2 == 0 ? STORE_DOWN : STORE_READONLY;
        assert_int_equal(statfs_fill(&r->fs, &st), 0);
        assert_int_equal(st.f_bavail, want[down]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_what_can_be_placed),
        cmocka_unit_test(one_disk_gives_three_fifths_of_what_is_free),
        cmocka_unit_test(equal_disks_give_three_fifths_of_all),
        cmocka_unit_test(the_smallest_of_five_disks_is_the_limit),
        cmocka_unit_test(nothing_fits_when_uploads_would_fail),
        cmocka_unit_test(the_disks_of_one_domain_take_one_fragment_of_a_chunk),
        cmocka_unit_test(a_disk_that_domains_share_is_counted_once),
        RIG_TEST(df_shows_what_is_stored_and_what_fits),
        RIG_TEST(df_counts_stores_that_take_puts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
