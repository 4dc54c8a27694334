/* The checker of registers' histories, on histories known to be good and bad. */
#include "tests/sim/sim_history.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct reg_history h;
static void (*story)(void); /* of the running test */

static struct px_ballot at(uint64_t round, uint32_t pid)
{
    return (struct px_ballot){ .round = round, .pid = pid, .inc = pid > 0 };
}

static const struct px_ballot nothing;

/* Ballot (round, pid), made from `parent`. */
static void proposed(uint64_t round, uint32_t pid, struct px_ballot parent, uint64_t version,
                     uint32_t tag, uint64_t op)
{
    struct reg_value value = { .state = tag == 0 ? REG_TOMB : REG_LIVE, .tag = tag };
    struct px_accepted next = { .version = version,
                                .last_op[0] = { { 100, 1, op }, version },
                                .value = (const uint8_t *)&value,
                                .value_len = sizeof(value) };
    struct px_ballot b = at(round, pid);

    history_proposed(&h, 0, &b, &parent, &next);
}

static void decided(struct px_ballot b, struct px_ballot floor)
{
    history_decided(&h, 0, &b, &floor);
}

static void acknowledged(enum px_phase phase, struct px_ballot b)
{
    struct px_answer a = { .phase = (uint8_t)phase, .word = PX_SAYS_OK, .ballot = b };

    history_acknowledged(&h, 0, 2, &a);
}

static void restarted(struct px_ballot promised, struct px_ballot accepted)
{
    struct px_reg reg = { .promised = promised, .ballot = accepted };

    history_restarted(&h, 0, 2, &reg);
}

/* ---- a world that tells one story ---- */

static void *teller_new(void)
{
    return &h;
}

static void teller_free(void *sys)
{
    (void)sys;
}

static void teller_setup(void *sys, struct sim_world *w)
{
    (void)sys;
    h.w = w;
    world_proc_add(w, "teller", 0);
    history_key_reset(&h, 0);
    story();
}

static bool teller_done(void *sys)
{
    (void)sys;
    return true;
}

static void teller_check(void *sys, bool quiet)
{
    (void)sys;
    (void)quiet;
}

static const struct sim_system teller = { .name = "teller",
                                          .msg_bytes_max = 8,
                                          .new = teller_new,
                                          .free = teller_free,
                                          .setup = teller_setup,
                                          .done = teller_done,
                                          .check = teller_check };

/* NULL: it passes. */
static const char *judge(void (*what)(void))
{
    static struct world_result r;
    struct sim_world *w = sim_world_new(&teller);

    assert_non_null(w);
    story = what;
    sim_world_run(w, 1, false, &r);
    sim_world_free(w);
    return r.violated ? r.text : NULL;
}

static void is_bad(void (*what)(void), const char *word)
{
    const char *text = judge(what);

    assert_non_null(text);
    assert_non_null(strstr(text, word));
}

/* ---- stories ---- */

static void good(void)
{
    proposed(0, 1, nothing, 1, 7, 1);
    proposed(0, 1, nothing, 1, 7, 1); /* sent again */
    decided(at(0, 1), nothing);
    proposed(1, 2, at(0, 1), 2, 8, 2);
    proposed(1, 3, at(0, 1), 2, 9, 3); /* never chosen */
    decided(at(1, 2), at(0, 1));
    proposed(2, 3, at(1, 2), 2, 8, 2); /* written back */
    decided(at(2, 3), at(1, 2));
    decided(at(2, 3), at(2, 3));
    acknowledged(PX_PREPARE, at(4, 1));
    restarted(at(4, 1), nothing);
}

static void two_values(void)
{
    proposed(0, 1, nothing, 1, 7, 1);
    proposed(0, 1, nothing, 1, 8, 1);
}

static void two_branches(void)
{
    proposed(0, 1, nothing, 1, 7, 1);
    proposed(1, 2, at(0, 1), 2, 8, 2);
    proposed(2, 3, at(0, 1), 2, 9, 3); /* went past ballot 1 */
    decided(at(1, 2), nothing);
    decided(at(2, 3), at(1, 2));
}

static void two_branches_told_late(void)
{
    proposed(0, 1, nothing, 1, 7, 1);
    proposed(1, 2, at(0, 1), 2, 8, 2);
    proposed(2, 3, at(0, 1), 2, 9, 3);
    decided(at(2, 3), nothing);
    decided(at(1, 2), nothing);
}

static void going_back(void)
{
    proposed(0, 1, nothing, 1, 7, 1);
    proposed(1, 2, at(0, 1), 2, 8, 2);
    decided(at(1, 2), nothing);
    decided(at(0, 1), at(1, 2));
}

static void absent_again(void)
{
    proposed(0, 1, nothing, 1, 7, 1);
    decided(nothing, at(0, 1));
}

static void forgotten_promise(void)
{
    acknowledged(PX_PREPARE, at(4, 1));
    restarted(at(3, 1), nothing);
}

static void forgotten_value(void)
{
    acknowledged(PX_ACCEPT, at(4, 1));
    restarted(at(4, 1), at(2, 1));
}

static void back_to_life(void)
{
    proposed(0, 1, nothing, 1, 0, 1); /* a TOMB */
    proposed(1, 2, at(0, 1), 2, 8, 2);
}

static void version_jumps(void)
{
    proposed(0, 1, nothing, 1, 7, 1);
    proposed(1, 2, at(0, 1), 3, 8, 2);
}

static void refused_though_done(void)
{
    struct px_op op = { 100, 1, 2 };
    struct px_ballot now = at(2, 3);

    proposed(0, 1, nothing, 1, 7, 1);
    proposed(1, 2, at(0, 1), 2, 8, 2);
    proposed(2, 3, at(1, 2), 3, 9, 3);
    decided(at(1, 2), nothing);
    decided(at(2, 3), nothing);
    history_refused(&h, 0, &op, &now, 3);
}

static void refused_and_not_done(void)
{
    struct px_op op = { 100, 1, 4 };
    struct px_ballot now = at(1, 2);

    proposed(0, 1, nothing, 1, 7, 1);
    proposed(1, 2, at(0, 1), 2, 8, 2);
    proposed(1, 3, at(0, 1), 2, 9, 4); /* never chosen */
    decided(at(1, 2), nothing);
    history_refused(&h, 0, &op, &now, 2);
}

static void good_histories_pass(void **state)
{
    (void)state;
    assert_null(judge(good));
    assert_null(judge(refused_and_not_done));
}

static void bad_histories_are_found(void **state)
{
    (void)state;
    is_bad(two_values, "I1");
    is_bad(two_branches, "I2");
    is_bad(two_branches_told_late, "I2");
    is_bad(going_back, "I5");
    is_bad(absent_again, "I5");
    is_bad(forgotten_promise, "I3");
    is_bad(forgotten_value, "I3");
    is_bad(back_to_life, "I7");
    is_bad(version_jumps, "version");
    is_bad(refused_though_done, "refused");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_histories_pass),
        cmocka_unit_test(bad_histories_are_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
