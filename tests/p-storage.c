/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/p-storage.c: products with the training Jacobian have the same bits wherever the states are:
 * all in memory, on disk, replayed in segments, or from binomial checkpoints, one state at the least.
 *
 * A digits-like and a convolutional network, with Adam, momentum, dropout and clipping, from files with
 * every state, every few and only the first and the last, under budgets from the least to plenty. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <spectraj/progress.h>

#include "expect.h"
#include "op/memory_split.h"
#include "scratch.h"
#include "small_run.h"
#include "trajectory/storage.h"

enum { STEPS = 75, EACH = 8 }; /* one of so many budgets for the same policy */

static const struct small_spec specs[] = {
    {.network = "{input: [64], layers: [{type: dense, units: 16}, gelu, {type: dense, units: 10}], "
                "loss: softmax_cross_entropy}",
     .optimizer = "{type: sgd, momentum: 0.9}",
     .schedule = "{schedule: cosine, peak: 0.1}",
     .rows = 128,
     .batch = 16,
     .steps = STEPS,
     .seed = 11},
    {.network = "{input: [8, 8, 2], layers: [{type: conv2d, filters: 3, kernel: 3}, tanh, "
                "{type: average_pool, window: 2}, {type: dropout, rate: 0.2}, flatten, "
                "{type: dense, units: 4}], loss: softmax_cross_entropy}",
     .optimizer = "{type: adam, eps_root: 1.0e-8}",
     .schedule = "{schedule: constant, peak: 0.01}",
     .clip_norm = 0.4,
     .rows = 40,
     .batch = 4,
     .steps = STEPS,
     .seed = 12},
};

static struct small_run *open_thin(int network, size_t every)
{
    struct small_run *run = small_run_create(&specs[network]);
    small_run_write(run, every, scratch_path("t.h5"));
    small_run_read(run, scratch_path("t.h5"));
    return run;
}

/* J x and J'x, one after the other. */
static void products(struct stj_op *op, size_t nvec, const double *x, double *y)
{
    struct stj_error err = STJ_ERROR_INIT;
    const size_t n = stj_op_n_rows(op);
    EXPECT_OK(stj_op_apply(op, STJ_NO_TRANS, nvec, x, n, y, n, &err), err);
    EXPECT_OK(stj_op_apply(op, STJ_TRANS, nvec, x, n, y + nvec * n, n, &err), err);
}

/* A budget that leads to a policy: the least, the most, or what so many states take. */
static struct stj_memory_split split_at(struct small_run *run, size_t from, size_t to, size_t bytes)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_memory_split split;
    EXPECT_OK(stj_memory_split(run->problem, &run->recipe, run->trajectory, from, to, bytes, &split,
                               &err),
              err);
    ck_assert_uint_le(split.storage.state_bytes + split.storage.linear_bytes, bytes);
    return split;
}

/* Every policy that budgets between the least and plenty lead to; a bit mask of those met. */
static unsigned same_bits(int network, size_t every, size_t from, size_t to)
{
    enum { NVEC = 3 };
    struct small_run *whole = small_run_create(&specs[network]);
    struct small_run *run = open_thin(network, every);
    const size_t n = whole->n;
    double *x = normal_numbers(n * NVEC, specs[network].seed);
    double *want = calloc(2 * n * NVEC, sizeof *want);
    double *got = calloc(2 * n * NVEC, sizeof *got);
    unsigned met[STJ_STORAGE_REVOLVE + 1] = {0};
    unsigned mask = 0;
    struct stj_op *reference = small_run_jacobian(whole, from, to, 0, 0);
    products(reference, NVEC, x, want);
    const size_t least = small_run_least_memory(run, from, to);
    for (double bytes = (double)least; bytes < 400.0 * (double)least; bytes *= 1.1) {
        const struct stj_memory_split split = split_at(run, from, to, (size_t)bytes);
        if (met[split.storage.policy]++ % EACH != 0)
            continue;
        stj_set_threads(1 + (size_t)bytes % 2);
        struct stj_op *op = small_run_jacobian(run, from, to, (size_t)bytes, 0);
        for (int again = 0; again < 2; again++) {
            products(op, NVEC, x, got);
            ck_assert_msg(memcmp(want, got, 2 * n * NVEC * sizeof *got) == 0,
                          "network %d, every %zu, from %zu to %zu, %.0f bytes: %s, product %d",
                          network, every, from, to, bytes, stj_storage_text(split.storage.policy),
                          again);
        }
        mask |= 1u << split.storage.policy;
        stj_op_destroy(op);
    }
    stj_op_destroy(reference);
    free(x);
    free(want);
    free(got);
    small_run_destroy(run);
    small_run_destroy(whole);
    return mask;
}

enum {
    ALL = 1 << STJ_STORAGE_MEMORY,
    ALL_REPLAY = 1 << STJ_STORAGE_MEMORY_REPLAY,
    DISK = 1 << STJ_STORAGE_DISK,
    DISK_REPLAY = 1 << STJ_STORAGE_DISK_REPLAY,
    REVOLVE = 1 << STJ_STORAGE_REVOLVE,
};

START_TEST(the_same_bits_wherever_the_states_are)
{
    ck_assert_uint_eq(same_bits(_i, 1, 0, STEPS), ALL | DISK);
    ck_assert_uint_eq(same_bits(_i, 10, 0, STEPS), ALL | ALL_REPLAY | DISK_REPLAY | REVOLVE);
    ck_assert_uint_eq(same_bits(_i, 3, 0, STEPS), ALL | ALL_REPLAY | DISK_REPLAY | REVOLVE);
    ck_assert_uint_eq(same_bits(_i, STEPS, 0, STEPS) & (ALL | ALL_REPLAY | REVOLVE),
                      ALL | ALL_REPLAY | REVOLVE);
}
END_TEST

START_TEST(windows_have_the_same_bits)
{
    same_bits(_i, 10, 23, 58);
    same_bits(_i, STEPS, 40, 47);
    same_bits(_i, 1, 74, 75);
    same_bits(_i, 7, 0, 1);
}
END_TEST

/* Steps that are replayed by one product with J', once what is kept is in place. */
static size_t replayed_by_adjoint(struct small_run *run, size_t bytes)
{
    struct stj_error err = STJ_ERROR_INIT;
    const size_t n = run->n;
    double *x = normal_numbers(n, 3);
    double *y = calloc(n, sizeof *y);
    struct stj_op *op = small_run_jacobian(run, 0, 0, bytes, 0);
    EXPECT_OK(stj_op_apply(op, STJ_TRANS, 1, x, n, y, n, &err), err);
    const size_t before = stj_trajectory_replayed(run->trajectory);
    EXPECT_OK(stj_op_apply(op, STJ_TRANS, 1, x, n, y, n, &err), err);
    const size_t steps = stj_trajectory_replayed(run->trajectory) - before;
    stj_op_destroy(op);
    free(x);
    free(y);
    return steps;
}

/* A product with J' replays each step at most once while segments fit, and in all no more than was
 * predicted; in memory and from disk none. */
START_TEST(replay_costs_what_was_predicted)
{
    static const size_t every[] = {1, 3, 10, STEPS};
    for (size_t e = 0; e < sizeof every / sizeof every[0]; e++) {
        struct small_run *run = open_thin(_i, every[e]);
        const size_t least = small_run_least_memory(run, 0, 0);
        unsigned met[STJ_STORAGE_REVOLVE + 1] = {0};
        for (double bytes = (double)least; bytes < 300.0 * (double)least; bytes *= 1.1) {
            const struct stj_memory_split split = split_at(run, 0, STEPS, (size_t)bytes);
            if (met[split.storage.policy]++ % (EACH / 2) != 0)
                continue;
            const size_t steps = replayed_by_adjoint(run, (size_t)bytes);
            const double most = split.storage.extra_passes * (STEPS + 1);
            ck_assert_msg((double)steps <= most, "every %zu, %.0f bytes, %s: %zu steps, not %g",
                          every[e], bytes, stj_storage_text(split.storage.policy), steps, most);
            if (split.storage.policy != STJ_STORAGE_REVOLVE)
                ck_assert_uint_le(steps, STEPS);
            if (split.storage.policy == STJ_STORAGE_MEMORY ||
                split.storage.policy == STJ_STORAGE_DISK)
                ck_assert_uint_eq(steps, 0);
        }
        small_run_destroy(run);
    }
}
END_TEST

/* Visits in any order and of any length find the states of the training. */
START_TEST(any_visit_finds_its_states)
{
    static const size_t every[] = {1, 4, 20, STEPS};
    static const double shares[] = {1, 1.5, 3, 8, 100};
    struct stj_error err = STJ_ERROR_INIT;
    struct small_run *whole = small_run_create(&specs[_i]);
    for (size_t e = 0; e < sizeof every / sizeof every[0]; e++)
        for (size_t k = 0; k < sizeof shares / sizeof shares[0]; k++) {
            struct small_run *run = open_thin(_i, every[e]);
            const size_t least = small_run_least_memory(run, 10, 60);
            const struct stj_memory_split split =
                split_at(run, 10, 60, (size_t)(shares[k] * (double)least));
            EXPECT_OK(
                stj_trajectory_fit(run->trajectory, 10, 60, split.chunk, split.state_budget, &err),
                err);
            for (size_t i = 0; i < 60; i++) {
                const size_t first = i * 37 % (STEPS + 1);
                const size_t most = STEPS + 1 - first;
                const size_t count = 1 + i * 11 % (most < 25 ? most : 25);
                struct stj_trajectory_view a;
                struct stj_trajectory_view b;
                EXPECT_OK(stj_trajectory_visit(whole->trajectory, first, count, &a, &err), err);
                EXPECT_OK(stj_trajectory_visit(run->trajectory, first, count, &b, &err), err);
                for (size_t t = 0; t < count; t++)
                    ck_assert_msg(
                        memcmp(a.state + t * a.ld, b.state + t * b.ld, a.ld * sizeof *a.state) == 0,
                        "every %zu, %s: state %zu of a visit of %zu from %zu", every[e],
                        stj_storage_text(split.storage.policy), first + t, count, first);
            }
            small_run_destroy(run);
        }
    small_run_destroy(whole);
}
END_TEST

/* Griewank and Walther's t(l, s), by its recursion: the cheapest way to divide l leaves. */
START_TEST(revolve_is_optimal)
{
    enum { LEAVES = 60, SLOTS = 6 };
    static double best[LEAVES + 1][SLOTS + 1];
    for (size_t s = 1; s <= SLOTS; s++) {
        best[1][s] = 0;
        for (size_t l = 2; l <= LEAVES; l++) {
            best[l][s] = (double)(l * (l - 1) / 2);
            for (size_t m = 1; s > 1 && m < l; m++)
                best[l][s] = fmin(best[l][s], (double)m + best[l - m][s - 1] + best[m][s]);
            ck_assert_double_eq(stj_revolve_advances(l, s), best[l][s]);
            const size_t m = stj_revolve_split(l, s);
            ck_assert(m >= 1 && m < l);
            if (s > 1)
                ck_assert_double_eq((double)m + best[l - m][s - 1] + best[m][s], best[l][s]);
        }
    }
    ck_assert_uint_eq(stj_revolve_beta(3, 2), 10);
    ck_assert_uint_eq(stj_revolve_beta(60, 60), SIZE_MAX);
}
END_TEST

START_TEST(too_little_memory_says_how_much)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct small_run *run = open_thin(0, 10);
    struct stj_op *op = NULL;
    const size_t least = small_run_least_memory(run, 0, 0);
    struct stj_training_jacobian_settings settings = {.memory_bytes = least - 1};
    char phrase[64];
    snprintf(phrase, sizeof phrase, "--memory %zuK", least / 1024 + 1);
    EXPECT_FAIL(stj_training_jacobian_create(run->problem, &run->recipe, run->trajectory, &settings,
                                             &op, &err),
                STJ_ENOMEM, phrase, err);
    settings.memory_bytes = least;
    EXPECT_OK(stj_training_jacobian_create(run->problem, &run->recipe, run->trajectory, &settings,
                                           &op, &err),
              err);
    stj_op_destroy(op);
    small_run_destroy(run);
}
END_TEST

/* Replay with another learning rate leaves the record at the first state that it makes: it is noted, with
 * the difference at the next stored state, and every segment begins at a stored state again. */
START_TEST(a_replay_that_leaves_the_record_is_noticed)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_storage storage = {0};
    struct stj_trajectory_view a;
    struct stj_trajectory_view b;
    struct small_run *whole = small_run_create(&specs[0]);
    struct small_run *run = open_thin(0, 10);
    stj_plugin_free(&run->schedule);
    parse_plugin(&stj_schedules, "{schedule: cosine, peak: 0.1001}", &run->schedule);
    EXPECT_OK(stj_trajectory_fit(run->trajectory, 0, STEPS, 1, SIZE_MAX, &err), err);
    EXPECT_OK(stj_trajectory_visit(run->trajectory, 40, 1, &b, &err), err);
    stj_trajectory_divergence(run->trajectory, &storage);
    ck_assert(!storage.diverged);
    EXPECT_OK(stj_trajectory_visit(run->trajectory, 37, 1, &b, &err), err);
    stj_trajectory_divergence(run->trajectory, &storage);
    ck_assert(storage.diverged && storage.diverged_at == 31 && storage.compared_at == 40);
    ck_assert_msg(storage.difference > 1e-7 && storage.difference < 1e-2, "%g", storage.difference);
    EXPECT_OK(stj_trajectory_visit(run->trajectory, 0, STEPS + 1, &b, &err), err);
    EXPECT_OK(stj_trajectory_visit(whole->trajectory, 0, STEPS + 1, &a, &err), err);
    stj_trajectory_divergence(run->trajectory, &storage);
    ck_assert(storage.diverged && storage.diverged_at == 1 && storage.compared_at == 10);
    for (size_t t = 0; t <= STEPS; t++) {
        const bool same =
            memcmp(a.state + t * a.ld, b.state + t * b.ld, a.ld * sizeof *a.state) == 0;
        ck_assert_msg(same == (t % 10 == 0 || t == STEPS), "state %zu", t);
    }
    small_run_destroy(run);
    small_run_destroy(whole);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("storage");
    TCase *tests = tcase_create("storage");
    tcase_set_timeout(tests, 120);
    tcase_add_checked_fixture(tests, scratch_begin, scratch_end);
    tcase_add_loop_test(tests, the_same_bits_wherever_the_states_are, 0, 2);
    tcase_add_loop_test(tests, windows_have_the_same_bits, 0, 2);
    tcase_add_loop_test(tests, replay_costs_what_was_predicted, 0, 2);
    tcase_add_loop_test(tests, any_visit_finds_its_states, 0, 2);
    tcase_add_test(tests, revolve_is_optimal);
    tcase_add_test(tests, too_little_memory_says_how_much);
    tcase_add_test(tests, a_replay_that_leaves_the_record_is_noticed);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
