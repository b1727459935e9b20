/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/p-whole-runs.c: the training Jacobian of networks that people train, with each of the common
 * optimizers: the adjoint identity, and differences of trainings. */
#include <stdlib.h>

#include "expect.h"
#include "op/difference.h"
#include "small_run.h"

#define LENET                                                                                      \
    "{input: [28, 28, 1], layers: [{type: conv2d, filters: 6, kernel: 5, padding: same}, relu, "   \
    "{type: average_pool, window: 2}, {type: conv2d, filters: 16, kernel: 5}, relu, "              \
    "{type: average_pool, window: 2}, flatten, {type: dense, units: 120}, relu, {type: dense, "    \
    "units: 84}, relu, {type: dense, units: 10}], loss: softmax_cross_entropy}"
#define CONV_BLOCK                                                                                 \
    "{type: residual, layers: [{type: conv2d, filters: 8, kernel: 3, padding: same}, batch_norm, " \
    "relu, {type: conv2d, filters: 8, kernel: 3, padding: same}, batch_norm]}, relu, "
#define ATTENTION_BLOCK                                                                            \
    "{type: residual, layers: [layer_norm, {type: attention, heads: 4, causal: true}]}, "          \
    "{type: residual, layers: [layer_norm, {type: dense, units: 64}, gelu, {type: dense, units: "  \
    "32}]}, "

static const struct {
    const char *name, *network;
    size_t batch;
} networks[] = {
    {"mlp",
     "{input: [64], layers: [{type: dense, units: 256}, gelu, {type: dense, units: 256}, gelu, "
     "{type: dense, units: 10}], loss: softmax_cross_entropy}",
     64},
    {"lenet-5", LENET, 20},
    {"residual conv net",
     "{input: [12, 12, 3], layers: [{type: conv2d, filters: 8, kernel: 3, padding: same}, "
     "batch_norm, relu, " CONV_BLOCK CONV_BLOCK "global_average_pool, {type: dense, units: 10}], "
     "loss: softmax_cross_entropy}",
     16},
    {"transformer",
     "{input: [16], layers: [{type: embedding, vocabulary: 32, width: 32}, "
     "positions, " ATTENTION_BLOCK ATTENTION_BLOCK "layer_norm, {type: dense, units: 32}], "
     "loss: softmax_cross_entropy}",
     12},
};
static const struct {
    const char *optimizer, *schedule;
} methods[] = {
    {"{type: sgd, momentum: 0.9}", "{schedule: cosine, peak: 0.05}"},
    {"{type: adam, eps_root: 1e-6}", "{schedule: cosine, peak: 0.001}"},
    {"{type: adamw, weight_decay: 0.05, eps_root: 1e-6}", "{schedule: cosine, peak: 0.001}"},
};

enum {
    N_METHODS = sizeof methods / sizeof methods[0],
    N_RUNS = N_METHODS * sizeof networks / sizeof networks[0]
};

/* Rounding: a product is a sum of n_steps Hessian products, each of them sums of at most some thousands of
 * terms whose errors add like a random walk: sqrt(1e4) eps = 2e-14 of the norms, and 1e-11 leaves room for
 * what one step amplifies. Differences: h^2 + eps / h of a map whose curvature grows with each step. */
START_TEST(jacobian_of_a_whole_run)
{
    struct stj_error err = STJ_ERROR_INIT;
    const size_t network = (size_t)_i / N_METHODS;
    const size_t method = (size_t)_i % N_METHODS;
    const struct small_spec spec = {.network = networks[network].network,
                                    .optimizer = methods[method].optimizer,
                                    .schedule = methods[method].schedule,
                                    .rows = 3 * networks[network].batch,
                                    .batch = networks[network].batch,
                                    .steps = 6,
                                    .seed = 40 + (uint64_t)_i};
    struct small_run *run = small_run_create(&spec);
    struct stj_op *op = small_run_jacobian(run, 0, 0, 0, 0);
    struct stj_difference difference = {.error = 1};
    double adjoint = 1;
    EXPECT_OK(stj_op_adjoint_error(op, 2, spec.seed, &adjoint, &err), err);
    EXPECT_OK(stj_difference_check(op, spec.seed, 1e-5, &difference, NULL, &err), err);
    ck_assert_msg(adjoint <= 1e-11, "%s, %s, seed %zu: adjoint error %g", networks[network].name,
                  spec.optimizer, (size_t)spec.seed, adjoint);
    ck_assert_msg(difference.error <= 1e-5, "%s, %s, seed %zu: difference %g at h = %g, %zu single",
                  networks[network].name, spec.optimizer, (size_t)spec.seed, difference.error,
                  difference.step, difference.n_steps);
    printf("%s, %s: N %zu, adjoint %.1e, difference %.1e at h = %.0e%s\n", networks[network].name,
           spec.optimizer, run->n, adjoint, difference.error, difference.step,
           difference.n_steps ? ", single steps" : "");
    stj_op_destroy(op);
    small_run_destroy(run);
}
END_TEST

/* Small networks with every kind of tensor, whose biases are not zero. */
#define BIAS ", bias_init: {type: normal, stddev: 0.1}}, "
#define SMALL                                                                                      \
    "{input: [5, 5, 2], layers: [{type: conv2d, filters: 3, kernel: 3" BIAS                        \
    "tanh, flatten, {type: dense, units: 7" BIAS "tanh, {type: dense, units: 4" BIAS               \
    "tanh, {type: dense, units: 3" BIAS "identity], loss: softmax_cross_entropy}"

static const struct {
    const char *optimizer, *average;
    double sam_rho, clip_norm;
    bool adaptive;
} others[] = {
    {"{type: lars, trust_coefficient: 0.1, weight_decay: 0.01, nesterov: true}", NULL, 0, 0, false},
    {"{type: lamb, eps: 1e-3}", NULL, 0, 0, false},
    {"muon", NULL, 0, 0, false},
    {"{type: muon, momentum: 0.8, nesterov: false, mean: false, weight_decay: 0.1, adamw_eps: "
     "1e-3}",
     NULL, 0, 0, false},
    {"{type: nadam, eps: 1e-3}", NULL, 0, 0, false},
    {"{type: adagrad, eps: 1e-3}", NULL, 0, 0, false},
    {"{type: adam, amsgrad: true, eps: 1e-3}", NULL, 0, 0, false},
    {"sgd", "ema", 0, 0, false},
    {"{type: adamw, eps: 1e-3}", "{type: ema, decay: 0.8, start: 3, every: 2}", 0, 0, false},
    {"{type: sgd, momentum: 0.9}", "{type: ema, decay: 0.5, start: 0}", 0, 0, false},
    {"{type: sgd, momentum: 0.9}", "{type: swa, start: 2, every: 3}", 0, 0, false},
    {"{type: muon, momentum: 0.8}", "polyak", 0, 0, false},
    {"{type: adam, amsgrad: true, eps: 1e-3}", "{type: polyak, start: 9}", 0, 0, false},
    {"sgd", NULL, 0.05, 0, false},
    {"{type: sgd, momentum: 0.9, nesterov: true, weight_decay: 0.1}", "polyak", 0.3, 0.1, false},
    {"{type: adamw, eps: 1e-3}", NULL, 0.1, 0, false},
    {"muon", NULL, 0.05, 0, false},
    {"{type: lamb, eps: 1e-3}", "{type: ema, decay: 0.7}", 0.02, 0, false},
    {"{type: sgd, momentum: 0.9}", NULL, 0.5, 0, true},
    {"{type: lars, trust_coefficient: 0.1}", "polyak", 1, 0.1, true},
};
enum { N_OTHERS = sizeof others / sizeof others[0] };

static void product(struct stj_op *op, enum stj_trans trans, size_t nvec, const double *x,
                    double *y)
{
    struct stj_error err = STJ_ERROR_INIT;
    const size_t n = stj_op_n_cols(op);
    EXPECT_OK(stj_op_apply(op, trans, nvec, x, n, y, n, &err), err);
}

/* The same bits at any number of threads, for any division of a block. */
static void expect_same_bits(struct small_run *run, struct stj_op *op, const char *optimizer)
{
    enum { K = 5 };
    const size_t n = run->n;
    double *x = normal_numbers(n * K, 9);
    double *y = calloc(2 * n * K, sizeof *y), *z = y + n * K;
    for (int trans = 0; trans < 2; trans++) {
        stj_set_threads(1);
        product(op, (enum stj_trans)trans, K, x, y);
        stj_set_threads(3);
        product(op, (enum stj_trans)trans, K, x, z);
        ck_assert_msg(memcmp(y, z, n * K * sizeof *y) == 0, "%s: threads change bits", optimizer);
        for (size_t j = 0; j < K; j++)
            product(op, (enum stj_trans)trans, 1, x + j * n, z + j * n);
        ck_assert_msg(largest_difference(n * K, y, z) <= 1e-12, "%s: columns differ", optimizer);
    }
    stj_set_threads(0);
    free(x);
    free(y);
}

START_TEST(optimizers_of_every_form)
{
    struct stj_error err = STJ_ERROR_INIT;
    const struct small_spec spec = {.network = SMALL,
                                    .optimizer = others[_i].optimizer,
                                    .average = others[_i].average,
                                    .sam_rho = others[_i].sam_rho,
                                    .sam_adaptive = others[_i].adaptive,
                                    .clip_norm = others[_i].clip_norm,
                                    .schedule = "{schedule: constant, peak: 0.02}",
                                    .rows = 24,
                                    .batch = 8,
                                    .steps = 9,
                                    .seed = 70 + (uint64_t)_i};
    struct small_run *run = small_run_create(&spec);
    struct stj_op *op = small_run_jacobian(run, 0, 0, 0, 0);
    struct stj_difference difference = {.error = 1};
    double adjoint = 1;
    EXPECT_OK(stj_op_adjoint_error(op, 2, spec.seed, &adjoint, &err), err);
    EXPECT_OK(stj_difference_check(op, spec.seed, 1e-6, &difference, NULL, &err), err);
    ck_assert_msg(adjoint <= 1e-13, "%s: adjoint error %g", spec.optimizer, adjoint);
    ck_assert_msg(difference.error <= 1e-6 && difference.n_steps == 0, "%s: difference %g",
                  spec.optimizer, difference.error);
    expect_same_bits(run, op, spec.optimizer);
    stj_op_destroy(op);
    small_run_destroy(run);
}
END_TEST

/* ---- averages of states ---- */

/* y <- the end point's part of the product of the steps' matrices of full states and (x, 0). */
static void step_by_step(struct small_run *run, size_t from, size_t to, const double *x, double *y)
{
    struct stj_error err = STJ_ERROR_INIT;
    const size_t n_state = (1 + stj_recipe_n_slots(&run->recipe)) * run->n;
    double *before = calloc(2 * n_state, sizeof *before), *after = before + n_state;
    memcpy(before, x, run->n * sizeof *x);
    for (size_t t = from; t < to; t++) {
        const struct stj_training_jacobian_settings one = {
            .from = t, .to = t + 1, .full_state = true};
        struct stj_op *op = NULL;
        EXPECT_OK(stj_training_jacobian_create(run->problem, &run->recipe, run->trajectory, &one,
                                               &op, &err),
                  err);
        product(op, STJ_NO_TRANS, 1, before, after);
        memcpy(before, after, n_state * sizeof *before);
        stj_op_destroy(op);
    }
    memcpy(y, before + stj_recipe_end(&run->recipe) * run->n, run->n * sizeof *y);
    free(before);
}

/* The average as it is defined: of the recorded parameters of the states that count. */
static void recompute_average(struct small_run *run, size_t last, double *average)
{
    struct stj_error err = STJ_ERROR_INIT;
    const struct stj_average_config *c = run->average.common;
    const bool ema = strcmp(run->average.info->name, "ema") == 0;
    size_t counted = 0;
    for (size_t s = 0; s <= last; s++) {
        struct stj_trajectory_view view;
        EXPECT_OK(stj_trajectory_visit(run->trajectory, s, 1, &view, &err), err);
        const bool counts = s >= c->start && (s - c->start) % c->every == 0;
        const double keep = !counted ? 0 : ema ? 0.8 : (double)counted / (double)(counted + 1);
        for (size_t i = 0; i < run->n && (counts || s < c->start); i++)
            average[i] = keep * average[i] + (1 - keep) * view.state[i];
        counted += counts;
    }
}

static const char *const averages[] = {
    "{type: ema, decay: 0.8, start: 2}",
    "{type: ema, decay: 0.8, start: 0, every: 2}",
    "{type: swa, start: 4, every: 2}",
    "polyak",
};
enum { N_AVERAGES = sizeof averages / sizeof averages[0] };

/* A mean of at most 10 numbers of about 1, and products of 9 steps. */
START_TEST(averages_are_of_the_states_that_count)
{
    struct stj_error err = STJ_ERROR_INIT;
    const struct small_spec spec = {.network = SMALL,
                                    .optimizer = "{type: sgd, momentum: 0.9}",
                                    .schedule = "{schedule: constant, peak: 0.1}",
                                    .average = averages[_i],
                                    .rows = 24,
                                    .batch = 8,
                                    .steps = 9,
                                    .seed = 90 + (uint64_t)_i};
    struct small_run *run = small_run_create(&spec);
    double *x = normal_numbers(run->n, 5);
    double *y = calloc(2 * run->n, sizeof *y), *z = y + run->n;
    for (size_t t = 0; t <= run->n_steps; t++) {
        struct stj_trajectory_view view;
        recompute_average(run, t, y);
        EXPECT_OK(stj_trajectory_visit(run->trajectory, t, 1, &view, &err), err);
        ck_assert_msg(largest_difference(run->n, y, view.state + 2 * run->n) <= 1e-14,
                      "%s: the average of state %zu", averages[_i], t);
    }
    for (size_t from = 0; from < run->n_steps; from++)
        for (size_t to = from + 1; to <= run->n_steps; to++) {
            struct stj_op *op = small_run_jacobian(run, from, to, 0, 0);
            product(op, STJ_NO_TRANS, 1, x, y);
            step_by_step(run, from, to, x, z);
            ck_assert_msg(largest_difference(run->n, y, z) <= 1e-12, "%s: steps %zu to %zu",
                          averages[_i], from, to);
            stj_op_destroy(op);
        }
    free(x);
    free(y);
    small_run_destroy(run);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("whole runs");
    TCase *tc = tcase_create("training Jacobian");
    tcase_set_timeout(tc, 300);
    tcase_add_loop_test(tc, jacobian_of_a_whole_run, 0, N_RUNS);
    tcase_add_loop_test(tc, optimizers_of_every_form, 0, N_OTHERS);
    tcase_add_loop_test(tc, averages_are_of_the_states_that_count, 0, N_AVERAGES);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
