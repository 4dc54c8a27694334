/* Rules of placement.h: forms, domains, load, and what moves when a node comes or goes. */
#include "meta/placement.h"

#include "common/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define CHUNKS 10000

static const struct vs_redundancy RS_3_2 = { VS_RED_RS, 3, 2 };
static const struct vs_redundancy COPIES_3 = { VS_RED_REPLICATE, 1, 2 };
static const struct vs_redundancy COPY_1 = { VS_RED_REPLICATE, 1, 0 };

static struct vs_id chunk(uint64_t seq)
{
    return vs_id_make(1, 1, seq, VS_ID_CHUNK);
}

/* Nodes 1 .. count, a domain each, all of one weight. */
struct cluster {
    struct placement_node nodes[PLACEMENT_NODES_MAX];
    char domains[PLACEMENT_NODES_MAX][16];
    unsigned count;
};

static void cluster_make(struct cluster *c, unsigned count)
{
    c->count = count;
    for (unsigned i = 0; i < count; i++) {
        snprintf(c->domains[i], sizeof(c->domains[i]), "d%u", i + 1);
        c->nodes[i] = (struct placement_node){ i + 1, c->domains[i], 1000, true };
    }
}

static void cluster_map(const struct cluster *c, struct placement_map *map)
{
    assert_int_equal(placement_init(map, c->nodes, c->count), 0);
}

static struct placement choose(const struct placement_map *map, uint64_t seq,
                               const struct vs_redundancy *asked)
{
    struct vs_id id = chunk(seq);
    struct placement p;

    assert_int_equal(placement_choose(map, &id, asked, &p), 0);
    assert_int_equal(p.count, p.red.k + p.red.m);
    return p;
}

static bool holds(const struct placement *p, uint32_t node)
{
    for (unsigned i = 0; i < p->count; i++) {
        if (p->node[i] == node)
            return true;
    }
    return false;
}

/* Fragments of CHUNKS chunks by node number. */
static void count_load(const struct placement_map *map, const struct vs_redundancy *asked,
                       unsigned load[])
{
    for (uint64_t seq = 0; seq < CHUNKS; seq++) {
        struct placement p = choose(map, seq, asked);

        for (unsigned i = 0; i < p.count; i++)
            load[p.node[i]]++;
    }
}

static void check_load_is_even(const struct vs_redundancy *asked)
{
    unsigned load[8] = { 0 }, least = UINT32_MAX, most = 0;
    struct placement_map map;
    struct cluster c;

    cluster_make(&c, 7);
    cluster_map(&c, &map);
    count_load(&map, asked, load);
    for (unsigned n = 1; n <= 7; n++) {
        least = load[n] < least ? load[n] : least;
        most = load[n] > most ? load[n] : most;
    }
    print_message("seven nodes, %u chunks: %u .. %u fragments each\n", CHUNKS, least, most);
    assert_true(most - least < least / 20); /* 5 % */
}

static void load_over_seven_equal_nodes_differs_by_less_than_5_percent(void **state)
{
    (void)state;
    check_load_is_even(&RS_3_2);
    check_load_is_even(&COPIES_3);
}

static void fragment_0_is_spread_as_evenly_as_all_are(void **state)
{
    unsigned first[8] = { 0 };
    struct placement_map map;
    struct cluster c;

    (void)state;
    cluster_make(&c, 7);
    cluster_map(&c, &map);
    for (uint64_t seq = 0; seq < CHUNKS; seq++)
        first[choose(&map, seq, &RS_3_2).node[0]]++;
    for (unsigned n = 1; n <= 7; n++) {
        assert_true(first[n] > CHUNKS / 7 * 9 / 10);
        assert_true(first[n] < CHUNKS / 7 * 11 / 10);
    }
}

static void a_node_of_twice_the_weight_gets_about_twice_the_single_copies(void **state)
{
    unsigned load[5] = { 0 };
    struct placement_map map;
    struct cluster c;

    (void)state;
    cluster_make(&c, 4);
    c.nodes[2].weight *= 2;
    cluster_map(&c, &map);
    count_load(&map, &COPY_1, load);
    for (unsigned n = 1; n <= 4; n++) {
        unsigned share = n == 3 ? CHUNKS * 2 / 5 : CHUNKS / 5;

        assert_true(load[n] > share * 94 / 100);
        assert_true(load[n] < share * 106 / 100);
    }
}

static void no_two_fragments_share_a_domain(void **state)
{
    struct placement_map map;
    struct cluster c;

    (void)state;
    cluster_make(&c, 20);
    for (unsigned i = 0; i < 20; i++)
        c.nodes[i].domain = c.domains[i % 6]; /* six domains of three or four nodes */
    cluster_map(&c, &map);
    assert_int_equal(map.domains_known, 6);
    for (uint64_t seq = 0; seq < 1000; seq++) {
        struct placement p = choose(&map, seq, &RS_3_2);
        unsigned seen = 0;

        assert_int_equal(p.verdict, PLACEMENT_AS_ASKED);
        for (unsigned i = 0; i < p.count; i++) {
            unsigned bit = 1u << (p.node[i] - 1) % 6;

            assert_false(seen & bit);
            seen |= bit;
        }
    }
}

static void the_form_follows_the_number_of_domains(void **state)
{
    static const struct {
        unsigned domains;
        struct vs_redundancy red;
        enum placement_verdict verdict;
    } rows[] = {
        { 7, { VS_RED_RS, 3, 2 }, PLACEMENT_AS_ASKED },
        { 5, { VS_RED_RS, 3, 2 }, PLACEMENT_AS_ASKED },
        { 4, { VS_RED_RS, 2, 2 }, PLACEMENT_DOWNGRADED },
        { 3, { VS_RED_REPLICATE, 1, 2 }, PLACEMENT_DOWNGRADED },
        { 2, { VS_RED_REPLICATE, 1, 1 }, PLACEMENT_DOWNGRADED },
        { 1, { VS_RED_REPLICATE, 1, 0 }, PLACEMENT_DOWNGRADED },
        { 0, { VS_RED_NONE, 0, 0 }, PLACEMENT_REFUSED },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct placement_map map;
        struct placement p;
        struct cluster c;

        cluster_make(&c, rows[i].domains);
        cluster_map(&c, &map);
        p = choose(&map, i, &RS_3_2);
        assert_int_equal(p.verdict, rows[i].verdict);
        assert_memory_equal(&p.red, &rows[i].red, sizeof(p.red));
    }
}

static void other_forms_give_way_to_what_the_domains_allow(void **state)
{
    static const struct {
        struct vs_redundancy asked;
        unsigned usable, known;
        struct vs_redundancy red;
    } rows[] = {
        { { VS_RED_RS, 8, 4 }, 11, 12, { VS_RED_RS, 3, 2 } },
        { { VS_RED_RS, 2, 1 }, 3, 3, { VS_RED_RS, 2, 1 } },
        { { VS_RED_RS, 2, 2 }, 3, 5, { VS_RED_REPLICATE, 1, 2 } },
        { { VS_RED_REPLICATE, 1, 4 }, 4, 4, { VS_RED_REPLICATE, 1, 3 } },
        { { VS_RED_REPLICATE, 1, 2 }, 2, 9, { VS_RED_REPLICATE, 1, 1 } },
        { { VS_RED_REPLICATE, 1, 2 }, 1, 2, { VS_RED_NONE, 0, 0 } },
        { { VS_RED_REPLICATE, 1, 0 }, 1, 9, { VS_RED_REPLICATE, 1, 0 } },
        { { VS_RED_REPLICATE, 1, 0 }, 0, 9, { VS_RED_NONE, 0, 0 } },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct vs_redundancy red = placement_form(&rows[i].asked, rows[i].usable, rows[i].known);

        assert_memory_equal(&red, &rows[i].red, sizeof(red));
    }
}

static void one_copy_is_refused_where_more_domains_are_known(void **state)
{
    char text[PLACEMENT_TEXT_BYTES_MAX];
    struct placement_map map;
    struct placement p;
    struct cluster c;

    (void)state;
    cluster_make(&c, 5);
    for (unsigned i = 1; i < 5; i++)
        c.nodes[i].usable = false;
    cluster_map(&c, &map);
    p = choose(&map, 1, &RS_3_2);
    assert_int_equal(p.verdict, PLACEMENT_REFUSED);
    assert_int_equal(p.count, 0);
    placement_to_text(&p, text);
    assert_non_null(strstr(text, "1 of 5 failure domains"));
    assert_non_null(strstr(text, "vstackfs node add"));
}

static void a_downgrade_is_a_sentence_that_says_what_to_do(void **state)
{
    char text[PLACEMENT_TEXT_BYTES_MAX];
    struct placement_map map;
    struct placement p;
    struct cluster c;

    (void)state;
    cluster_make(&c, 4);
    cluster_map(&c, &map);
    p = choose(&map, 1, &RS_3_2);
    placement_to_text(&p, text);
    assert_string_equal(text, "there are 4 failure domains, too few for rs:3+2: stored as rs:2+2. "
                              "Add a node in another domain with `vstackfs node add`");
    c.nodes[0].usable = false;
    cluster_map(&c, &map);
    p = choose(&map, 1, &RS_3_2);
    placement_to_text(&p, text);
    assert_non_null(strstr(text, "3 of 4 failure domains"));
    assert_non_null(strstr(text, "replicate:3"));
    p = choose(&map, 1, &COPIES_3);
    placement_to_text(&p, text);
    assert_string_equal(text, "");
}

static void unusable_and_weightless_nodes_get_nothing(void **state)
{
    unsigned load[9] = { 0 };
    struct placement_map map;
    struct cluster c;

    (void)state;
    cluster_make(&c, 8);
    c.nodes[1].usable = false;
    c.nodes[4].weight = 0;
    cluster_map(&c, &map);
    assert_int_equal(map.domains_known, 8);
    assert_int_equal(map.domains_usable, 6);
    count_load(&map, &RS_3_2, load);
    assert_int_equal(load[2], 0);
    assert_int_equal(load[5], 0);
    assert_true(load[1] > 0);
}

/* How many of the chunks' nodes differ; between the old nodes nothing may move. */
static unsigned count_moves(const struct placement_map *small, const struct placement_map *large,
                            uint32_t newcomer)
{
    unsigned moves = 0;

    for (uint64_t seq = 0; seq < CHUNKS; seq++) {
        struct placement without = choose(small, seq, &RS_3_2);
        struct placement with = choose(large, seq, &RS_3_2);
        unsigned lost = 0;

        for (unsigned i = 0; i < without.count; i++)
            lost += !holds(&with, without.node[i]);
        assert_int_equal(lost, holds(&with, newcomer) ? 1 : 0);
        moves += lost;
    }
    return moves;
}

static void a_node_that_joins_or_leaves_moves_its_own_share_only(void **state)
{
    struct placement_map small, large;
    struct cluster c;
    unsigned moves;

    (void)state;
    cluster_make(&c, 8);
    cluster_map(&c, &large);
    c.count = 7;
    cluster_map(&c, &small);
    /* Read as a join of node 8, and from right to left as its leaving. */
    moves = count_moves(&small, &large, 8);
    print_message("node 8 joins: %u of %u fragments move\n", moves, CHUNKS * 5);
    assert_true(moves > CHUNKS * 5 / 8 * 95 / 100);
    assert_true(moves < CHUNKS * 5 / 8 * 105 / 100);
}

static void refill_replaces_the_lost_fragments_and_no_other(void **state)
{
    struct placement_map map;
    struct cluster c;

    (void)state;
    cluster_make(&c, 8);
    c.nodes[7].domain = c.domains[0]; /* nodes 1 and 8 share one */
    cluster_map(&c, &map);
    for (uint64_t seq = 0; seq < 1000; seq++) {
        struct placement p = choose(&map, seq, &RS_3_2);
        uint32_t nodes[VS_EC_N_MAX];
        struct vs_id id = chunk(seq);

        memcpy(nodes, p.node, sizeof(nodes));
        nodes[1] = nodes[3] = 0;
        assert_int_equal(placement_refill(&map, &id, nodes, p.count), 0);
        for (unsigned i = 0; i < p.count; i++) {
            assert_true(nodes[i] != 0);
            if (i != 1 && i != 3)
                assert_int_equal(nodes[i], p.node[i]);
            for (unsigned j = 0; j < i; j++)
                assert_string_not_equal(c.nodes[nodes[i] - 1].domain, c.nodes[nodes[j] - 1].domain);
        }
    }
}

static void refill_of_what_the_choice_had_lost_restores_the_choice(void **state)
{
    struct placement_map map;
    struct cluster c;
    struct placement p;
    struct vs_id id = chunk(77);

    (void)state;
    cluster_make(&c, 9);
    cluster_map(&c, &map);
    p = choose(&map, 77, &RS_3_2);
    for (unsigned i = 0; i < p.count; i++) {
        uint32_t nodes[VS_EC_N_MAX];

        memcpy(nodes, p.node, sizeof(nodes));
        nodes[i] = 0;
        assert_int_equal(placement_refill(&map, &id, nodes, p.count), 0);
        assert_int_equal(nodes[i], p.node[i]);
    }
}

static void refill_without_a_spare_domain_leaves_the_fragment_lost(void **state)
{
    uint32_t nodes[5] = { 1, 2, 0, 4, 0 };
    struct placement_map map;
    struct cluster c;
    struct vs_id id = chunk(3);

    (void)state;
    cluster_make(&c, 5);
    c.nodes[2].usable = false;
    cluster_map(&c, &map);
    assert_int_equal(placement_refill(&map, &id, nodes, 5), 1);
    assert_true((nodes[2] == 5) != (nodes[4] == 5));
    nodes[0] = 99;
    assert_int_equal(placement_refill(&map, &id, nodes, 5), -EINVAL);
    assert_int_equal(placement_refill(&map, &id, nodes, VS_EC_N_MAX + 1), -EINVAL);
}

static void nonsense_is_refused(void **state)
{
    static const struct vs_redundancy none = { VS_RED_NONE, 0, 0 };
    struct placement_map map;
    struct placement p;
    struct cluster c;
    struct vs_id id = chunk(1);

    (void)state;
    cluster_make(&c, 3);
    c.nodes[1].node = 1;
    assert_int_equal(placement_init(&map, c.nodes, 3), -EINVAL);
    assert_int_equal(map.count, 0);
    c.nodes[1].node = 0;
    assert_int_equal(placement_init(&map, c.nodes, 3), -EINVAL);
    cluster_make(&c, 3);
    c.nodes[2].domain = "";
    assert_int_equal(placement_init(&map, c.nodes, 3), -EINVAL);
    assert_int_equal(placement_init(&map, c.nodes, PLACEMENT_NODES_MAX + 1), -EINVAL);
    cluster_make(&c, 3);
    cluster_map(&c, &map);
    assert_int_equal(placement_choose(&map, &id, &none, &p), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(load_over_seven_equal_nodes_differs_by_less_than_5_percent),
        cmocka_unit_test(fragment_0_is_spread_as_evenly_as_all_are),
        cmocka_unit_test(a_node_of_twice_the_weight_gets_about_twice_the_single_copies),
        cmocka_unit_test(no_two_fragments_share_a_domain),
        cmocka_unit_test(the_form_follows_the_number_of_domains),
        cmocka_unit_test(other_forms_give_way_to_what_the_domains_allow),
        cmocka_unit_test(one_copy_is_refused_where_more_domains_are_known),
        cmocka_unit_test(a_downgrade_is_a_sentence_that_says_what_to_do),
        cmocka_unit_test(unusable_and_weightless_nodes_get_nothing),
        cmocka_unit_test(a_node_that_joins_or_leaves_moves_its_own_share_only),
        cmocka_unit_test(refill_replaces_the_lost_fragments_and_no_other),
        cmocka_unit_test(refill_of_what_the_choice_had_lost_restores_the_choice),
        cmocka_unit_test(refill_without_a_spare_domain_leaves_the_fragment_lost),
        cmocka_unit_test(nonsense_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
