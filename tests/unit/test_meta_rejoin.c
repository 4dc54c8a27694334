/* What a replica that is started finds in its directory, and had better not touch. How one that was
 * left behind votes again: test_meta_join. */
#include "meta/acceptor_store.h"
#include "meta/kv.h"
#include "meta/meta_rejoin.h"
#include "tests/support/trio.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

struct rejoin_fixture {
    struct trio *t;
    _Atomic int is_stopping;
};

static int setup(void **state)
{
    struct rejoin_fixture *f = calloc(1, sizeof(*f));

    f->t = trio_new(3, true);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct rejoin_fixture *f = *state;

    trio_free(f->t);
    free(f);
    return 0;
}

/* What is in the place of replica 3's directory: of this cluster, or of another one. */
struct foreign {
    char dir[TEMP_DIR_BYTES + 16], path[TEMP_DIR_BYTES + 32];
    struct vs_io *io;
    struct kv *kv;
    struct acceptor_store *store;
};

static void foreign_open(struct foreign *d)
{
    assert_int_equal(vs_io_posix_new(&d->io, d->dir), 0);
    assert_int_equal(kv_rocks_open(&d->kv, d->path, false, KV_ACCEPTOR), 0);
    assert_int_equal(acceptor_store_open_member(&d->store, d->kv, d->io), 0);
}

static void foreign_close(struct foreign *d)
{
    acceptor_store_close(d->store);
    kv_close(d->kv);
    vs_io_free(d->io);
}

/* One that has left its first epoch, whose place there is in doubt, with one register. */
static void foreign_make(struct rejoin_fixture *f, struct foreign *d, uint8_t cluster)
{
    struct acceptor_members left = {
        .stand = ACCEPTOR_LEFT,
        .set = { .epoch = 1, .count = 3, .member = { { 1, "" }, { 2, "" }, { 3, "" } } }
    };
    struct px_reg reg = { .promised = { 1, 1, 1 }, .ballot = { 1, 1, 1 } };
    struct vs_id of, id = vs_id_make(1, 1, 1, VS_ID_CHUNK);

    snprintf(d->dir, sizeof(d->dir), "%s/foreign", f->t->home);
    snprintf(d->path, sizeof(d->path), "%s/acceptor", d->dir);
    assert_int_equal(mkdir(d->dir, 0700), 0);
    memset(of.b, cluster, VS_ID_BYTES);
    assert_int_equal(kv_rocks_open(&d->kv, d->path, true, KV_ACCEPTOR), 0);
    assert_int_equal(acceptor_store_create(d->kv, &of, 3, "first", 5), 0);
    kv_close(d->kv);
    foreign_open(d);
    reg.accepted.version = 1;
    reg.accepted.value = (const uint8_t *)"value";
    reg.accepted.value_len = 5;
    assert_int_equal(acceptor_reg_store(d->store, &id, &reg), 0);
    assert_int_equal(acceptor_members_put(d->store, &left), 0);
    acceptor_commit(d->store);
    acceptor_batch_begin(d->store);
}

static int foreign_rejoin(struct rejoin_fixture *f, const struct foreign *d)
{
    struct meta_join_config config = { .dir = d->dir,
                                       .pid = 3,
                                       .peer_count = 2,
                                       .peer = { { 1, "" }, { 2, "" } },
                                       .link = link_mem_of(f->t->link, 3),
                                       .clock = &vs_clock_system,
                                       .is_stopping = &f->is_stopping };

    memset(config.cluster.b, 7, VS_ID_BYTES);
    return meta_rejoin(&config);
}

static void the_directory_of_another_cluster_is_left_as_it_is(void **state)
{
    struct rejoin_fixture *f = *state;
    struct foreign d;
    struct vs_id none = { 0 }, id;

    trio_leader(f->t, 0);
    trio_stop(f->t, 3);
    foreign_make(f, &d, 8);
    foreign_close(&d);
    assert_int_equal(foreign_rejoin(f, &d), 0);
    foreign_open(&d);
    assert_int_equal(acceptor_members(d.store)->stand, ACCEPTOR_LEFT);
    assert_int_equal(acceptor_reg_list(d.store, &none, &id, 1), 1);
    foreign_close(&d);
}

/* Another process has it: whoever opens it says so; asking again and again would not. */
static void what_cannot_be_opened_is_left_to_who_opens_it(void **state)
{
    struct rejoin_fixture *f = *state;
    struct foreign d;

    foreign_make(f, &d, 7);
    f->is_stopping = 1; /* it had better not wait */
    assert_int_equal(foreign_rejoin(f, &d), 0);
    foreign_close(&d);
}

#define REJOIN_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        REJOIN_TEST(the_directory_of_another_cluster_is_left_as_it_is),
        REJOIN_TEST(what_cannot_be_opened_is_left_to_who_opens_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
