/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/o-weights.c: D = d theta_to / d w, of the weights of samples in the loss.
 *
 * Differences: central ones of whole trainings with weights 1 +- h x, of an error of h^2 + eps / h of a map
 * whose curvature grows with each step: 1e-6 of the norm at the best h of a few.  Adjoints and sums: rounding,
 * as of the training Jacobian.
 */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "expect.h"
#include "op/operator.h"
#include "op/weight_jacobian.h"
#include "parallel/parallel.h"
#include "small_run.h"

enum { ROWS = 24, BATCH = 6, STEPS = 9 };

#define HIDDEN "{type: dense, units: 6, bias_init: {type: normal, stddev: 0.1}}, tanh, "
#define MLP "{input: [5], layers: [" HIDDEN "{type: dense, units: 3}], loss: softmax_cross_entropy}"
#define LOSS(loss)                                                                                 \
    "{input: [5], layers: [" HIDDEN "{type: dense, units: 3}], l2: 0.01, loss: " loss "}"
#define PLAIN "{type: sgd, momentum: 0.9}"

static const struct {
    const char *network, *optimizer, *average;
    double sam_rho, clip_norm;
} cases[] = {
    {MLP, "sgd", NULL, 0, 0},
    {MLP, "{type: sgd, momentum: 0.8, nesterov: true, weight_decay: 0.05}", NULL, 0, 0},
    {MLP, PLAIN, NULL, 0, 0.2},
    {MLP, "{type: adamw, eps: 1e-3, weight_decay: 0.1}", NULL, 0, 0.1},
    {MLP, "{type: adam, amsgrad: true, eps: 1e-3}", "{type: ema, decay: 0.7}", 0, 0},
    {MLP, "{type: lamb, eps: 1e-3}", NULL, 0, 0},
    {MLP, "muon", "polyak", 0, 0},
    {MLP, "{type: rmsprop, eps: 1e-3}", NULL, 0, 0},
    {MLP, "sgd", NULL, 0.05, 0},
    {MLP, "{type: adamw, eps: 1e-3}", NULL, 0.1, 0.1},
    {LOSS("mean_squared_error"), PLAIN, NULL, 0, 0},
    {LOSS("{type: softmax_cross_entropy, label_smoothing: 0.1, class_weights: [1, 2, 0.5]}"), PLAIN,
     NULL, 0, 0},
    {LOSS("{type: softmax_cross_entropy, reduction: sum}"), "{type: adam, eps: 1e-2}", NULL, 0, 0},
    {"{input: [5], layers: [" HIDDEN "batch_norm, {type: dropout, rate: 0.3}, {type: dense, units: "
     "3}], loss: softmax_cross_entropy}",
     PLAIN, NULL, 0, 0},
    {"{input: [6], layers: [{type: embedding, vocabulary: 9, width: 4}, positions, {type: dense, "
     "units: 5}, gelu, layer_norm, {type: dense, units: 9}], loss: softmax_cross_entropy}",
     "{type: adamw, eps: 1e-3}", NULL, 0, 0},
    {"{input: [5, 5, 2], layers: [{type: conv2d, filters: 3, kernel: 3, padding: same}, tanh, "
     "batch_norm, global_average_pool, {type: dense, units: 4}], loss: softmax_cross_entropy}",
     PLAIN, NULL, 0, 0},
};
enum { N_CASES = sizeof cases / sizeof cases[0] };

static struct small_run *make_run(size_t i)
{
    const struct small_spec spec = {.network = cases[i].network,
                                    .optimizer = cases[i].optimizer,
                                    .average = cases[i].average,
                                    .schedule = "{schedule: cosine, peak: 0.05}",
                                    .sam_rho = cases[i].sam_rho,
                                    .clip_norm = cases[i].clip_norm,
                                    .rows = ROWS,
                                    .batch = BATCH,
                                    .steps = STEPS,
                                    .seed = 70 + i};
    return small_run_create(&spec);
}

static struct stj_op *weights_of(struct stj_op *jacobian)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_op *op = NULL;
    EXPECT_OK(stj_weight_jacobian_create(jacobian, &op, &err), err);
    return op;
}

/* end <- of a training with weights 1 + shift x. */
static void train(struct stj_op *jacobian, double shift, const double *x, double *end)
{
    struct stj_error err = STJ_ERROR_INIT;
    double w[ROWS];
    for (size_t i = 0; i < ROWS; i++)
        w[i] = 1 + shift * x[i];
    EXPECT_OK(stj_weight_jacobian_train(jacobian, w, end, NULL, &err), err);
}

/* |difference - D x| / |D x|, the least of a few steps h. */
static double difference(struct stj_op *jacobian, struct stj_op *op, const double *x)
{
    struct stj_error err = STJ_ERROR_INIT;
    const size_t n = stj_op_n_rows(op);
    double *y = calloc(3 * n, sizeof *y), least = INFINITY;
    EXPECT_OK(stj_op_apply(op, STJ_NO_TRANS, 1, x, ROWS, y, n, &err), err);
    for (double h = 1e-2; h > 1e-7; h /= 8) {
        double error = 0, size = 0;
        train(jacobian, h, x, y + n);
        train(jacobian, -h, x, y + 2 * n);
        for (size_t i = 0; i < n; i++) {
            error += pow((y[n + i] - y[2 * n + i]) / (2 * h) - y[i], 2);
            size += y[i] * y[i];
        }
        ck_assert_double_gt(size, 0);
        least = fmin(least, sqrt(error / size));
    }
    free(y);
    return least;
}

START_TEST(adjoints_and_differences)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct small_run *run = make_run((size_t)_i);
    double *x = normal_numbers(ROWS, 5), adjoint = 1;
    for (size_t from = 0; from <= 3; from += 3) {
        struct stj_op *jacobian = small_run_jacobian(run, from, 0, 0, 0);
        struct stj_op *op = weights_of(jacobian);
        EXPECT_OK(stj_op_adjoint_error(op, 3, 11, &adjoint, &err), err);
        ck_assert_msg(adjoint <= 1e-12, "case %d: adjoint %g", _i, adjoint);
        const double error = difference(jacobian, op, x);
        ck_assert_msg(error <= 1e-6, "case %d from %zu: difference %g", _i, from, error);
        stj_op_destroy(op);
        stj_op_destroy(jacobian);
    }
    free(x);
    small_run_destroy(run);
}
END_TEST

/* Every column of the dense matrix alone, and both directions in blocks of several tiles. */
START_TEST(the_dense_matrix)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct small_run *run = make_run(3);
    struct stj_op *jacobian = small_run_jacobian(run, 0, 0, 0, 3);
    struct stj_op *op = weights_of(jacobian);
    const size_t n = run->n;
    double *d = calloc(n * ROWS, sizeof *d), *unit = calloc(n * n, sizeof *unit);
    double *trans = calloc(n * ROWS, sizeof *trans), *one = calloc(n * ROWS, sizeof *one);
    EXPECT_OK(stj_op_densify(op, 7, d, n, NULL, &err), err);
    for (size_t i = 0; i < n; i++)
        unit[i + i * n] = 1;
    EXPECT_OK(stj_op_apply(op, STJ_TRANS, n, unit, n, trans, ROWS, &err), err);
    for (size_t i = 0; i < ROWS; i++) {
        double e[ROWS] = {0};
        e[i] = 1;
        const double error = difference(jacobian, op, e);
        ck_assert_msg(error <= 1e-6, "column %zu: %g", i, error);
        for (size_t k = 0; k < n; k++)
            ck_assert_double_le(fabs(trans[i + k * ROWS] - d[k + i * n]), 1e-12);
    }
    stj_set_threads(1);
    EXPECT_OK(stj_op_densify(op, 7, one, n, NULL, &err), err);
    ck_assert_mem_eq(one, d, n * ROWS * sizeof *d);
    free(d);
    free(unit);
    free(trans);
    free(one);
    stj_op_destroy(op);
    stj_op_destroy(jacobian);
    small_run_destroy(run);
}
END_TEST

/* Plain gradient descent cannot tell a weight of all samples from a rate: the sum of D's columns is the
 * derivative with respect to the factor c of all rates, sum_t eta_t d theta_n / d eta_t. */
START_TEST(all_weights_are_a_rate)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct small_run *run = make_run(0);
    struct stj_op *jacobian = small_run_jacobian(run, 0, 0, 0, 0);
    struct stj_op *op = weights_of(jacobian);
    const size_t n = run->n;
    double ones[ROWS], *sum = calloc(2 * n, sizeof *sum);
    double *expected = sum + n, *g = calloc(n, sizeof *g), *next = calloc(n, sizeof *next);
    struct stj_gradient_work *work = NULL;
    EXPECT_OK(stj_gradient_work_create(run->problem, &work, &err), err);
    for (size_t i = 0; i < ROWS; i++)
        ones[i] = 1;
    EXPECT_OK(stj_op_apply(op, STJ_NO_TRANS, 1, ones, ROWS, sum, n, &err), err);
    /* d theta_n / d eta_t = -J(t + 1 -> n) g_t, one step at a time */
    for (size_t t = 0; t < STEPS; t++) {
        struct stj_trajectory_view view;
        struct stj_op *step = small_run_jacobian(run, t, t + 1, 0, 0);
        const double eta = stj_recipe_step(&run->recipe, 0, t, STEPS).eta;
        EXPECT_OK(stj_trajectory_visit(run->trajectory, t, 1, &view, &err), err);
        EXPECT_OK(stj_problem_gradient(run->problem, t, view.state, NULL, g, work, &err), err);
        EXPECT_OK(stj_op_apply(step, STJ_NO_TRANS, 1, expected, n, next, n, &err), err);
        for (size_t i = 0; i < n; i++)
            expected[i] = next[i] - eta * g[i];
        stj_op_destroy(step);
    }
    ck_assert_double_le(largest_difference(n, sum, expected), 1e-14);
    stj_gradient_work_destroy(work);
    free(sum);
    free(g);
    free(next);
    stj_op_destroy(op);
    stj_op_destroy(jacobian);
    small_run_destroy(run);
}
END_TEST

/* Two batches of six: the order of the rows is that of the data set. */
START_TEST(who_was_not_there_has_nothing)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct small_run *run = make_run(3);
    struct stj_op *jacobian = small_run_jacobian(run, 0, 2, 0, 0);
    struct stj_op *op = weights_of(jacobian);
    bool used[ROWS] = {false};
    size_t row[BATCH];
    double d[ROWS], *q = normal_numbers(run->n, 3);
    for (size_t t = 0; t < 2; t++) {
        EXPECT_OK(stj_batch_order_rows(run->order, t, 0, BATCH, row, &err), err);
        for (size_t i = 0; i < BATCH; i++)
            used[row[i]] = true;
    }
    EXPECT_OK(stj_op_apply(op, STJ_TRANS, 1, q, run->n, d, ROWS, &err), err);
    for (size_t i = 0; i < ROWS; i++)
        ck_assert((d[i] != 0) == used[i]);
    free(q);
    stj_op_destroy(op);
    stj_op_destroy(jacobian);
    small_run_destroy(run);
}
END_TEST

START_TEST(impossible_ones)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct small_run *run = make_run(1);
    struct stj_op *op = NULL, *full = NULL, *jacobian = small_run_jacobian(run, 0, 0, 0, 0);
    struct stj_ranges ranges = {0};
    const struct stj_training_jacobian_settings settings = {.full_state = true};
    EXPECT_OK(stj_training_jacobian_create(run->problem, &run->recipe, run->trajectory, &settings,
                                           &full, &err),
              err);
    EXPECT_FAIL(stj_weight_jacobian_create(full, &op, &err), STJ_EUNSUPPORTED, "all parameters",
                err);
    stj_op_destroy(full);
    EXPECT_OK(stj_ranges_add(&ranges, 0, 3, &err), err);
    EXPECT_OK(stj_op_create_restricted(jacobian, &ranges, &jacobian, &err), err);
    EXPECT_FAIL(stj_weight_jacobian_create(jacobian, &op, &err), STJ_EUNSUPPORTED, "layers", err);
    stj_op_destroy(jacobian);
    small_run_destroy(run);
    struct quadratic *q = quadratic_create(4, 3, 1, 1);
    struct stj_problem *problem = quadratic_problem(q), *weighted = NULL;
    const double w[1] = {1};
    EXPECT_FAIL(stj_problem_weigh(problem, w, &weighted, &err), STJ_EUNSUPPORTED, "the caller's",
                err);
    stj_problem_destroy(problem);
    quadratic_destroy(q);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("weights");
    TCase *tests = tcase_create("weights");
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, adjoints_and_differences, 0, N_CASES);
    tcase_add_test(tests, the_dense_matrix);
    tcase_add_test(tests, all_weights_are_a_rate);
    tcase_add_test(tests, who_was_not_there_has_nothing);
    tcase_add_test(tests, impossible_ones);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
