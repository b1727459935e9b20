/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/o-given.c: D = d theta_to / d u, of what training was given: weights, inputs and
 * targets of samples, rates, momenta and decays of steps, scales of rates.
 *
 * Differences: central ones of whole trainings, shifted by +- h x, of an error of h^2 + eps / h of a map
 * whose curvature grows with each step: 1e-6 of the norm at the best h of a few.  Adjoints and sums: rounding,
 * as of the training Jacobian.
 */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <spectraj/svd.h>

#include "base/blas.h"
#include "expect.h"
#include "op/operator.h"
#include "op/given_jacobian.h"
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
    enum stj_given without; /* refused */
} cases[] = {
    {MLP, "sgd", NULL, 0, 0, 0},
    {MLP, "{type: sgd, momentum: 0.8, nesterov: true, weight_decay: 0.05}", NULL, 0, 0, 0},
    {MLP, PLAIN, NULL, 0, 0.2, 0},
    {MLP, "{type: adamw, eps: 1e-3, weight_decay: 0.1}", NULL, 0, 0.1, 0},
    {MLP, "{type: adam, amsgrad: true, eps: 1e-3}", "{type: ema, decay: 0.7}", 0, 0, 0},
    {MLP, "{type: lamb, eps: 1e-3}", NULL, 0, 0, 0},
    {MLP, "muon", "polyak", 0, 0, 0},
    {MLP, "{type: rmsprop, eps: 1e-3}", NULL, 0, 0, 0},
    {MLP, "{type: adagrad, eps: 1e-3, weight_decay: 0.1}", NULL, 0, 0, 0},
    {MLP, "{type: nadam, eps: 1e-3, weight_decay: 0.1}", NULL, 0, 0, 0},
    {MLP, "{type: lars, momentum: 0.5}", NULL, 0, 0, 0},
    {MLP, "sgd", NULL, 0.05, 0, 0},
    {MLP, "{type: adamw, eps: 1e-3}", NULL, 0.1, 0.1, 0},
    {LOSS("mean_squared_error"), PLAIN, NULL, 0, 0, 0},
    {LOSS("{type: softmax_cross_entropy, label_smoothing: 0.1, class_weights: [1, 2, 0.5]}"), PLAIN,
     NULL, 0, 0, STJ_GIVEN_TARGETS},
    {LOSS("{type: softmax_cross_entropy, reduction: sum}"), "{type: adam, eps: 1e-2}", NULL, 0, 0,
     0},
    {"{input: [5], layers: [" HIDDEN "batch_norm, {type: dropout, rate: 0.3}, {type: dense, units: "
     "3}], loss: softmax_cross_entropy}",
     PLAIN, NULL, 0, 0, 0},
    {"{input: [6], layers: [{type: embedding, vocabulary: 9, width: 4}, positions, {type: dense, "
     "units: 5}, gelu, layer_norm, {type: dense, units: 9}], loss: softmax_cross_entropy}",
     "{type: adamw, eps: 1e-3}", NULL, 0, 0, STJ_GIVEN_INPUTS},
    {LOSS("{type: softmax_cross_entropy, class_weights: [1, 2, 0.5], reduction: sum}"),
     "{type: adam, eps: 1e-2}", NULL, 0, 0, 0},
    {LOSS("binary_cross_entropy"), PLAIN, NULL, 0, 0, 0},
    {LOSS("{type: huber, delta: 3}"), PLAIN, NULL, 0, 0, 0},
    {LOSS("{type: smooth_l1, beta: 4}"), PLAIN, NULL, 0, 0, 0},
    {LOSS("{type: hinge, p: 2}"), PLAIN, NULL, 0, 0, STJ_GIVEN_TARGETS},
    {"{inputs: {a: [3], b: [2, 4], w: [1]}, layers: [{type: flatten, input: b, name: flat}, {type: "
     "concat, inputs: [a, flat]}, {type: dense, units: 4}, tanh, {type: dense, units: 3}], loss: "
     "{type: softmax_cross_entropy, sample_weights: w}}",
     PLAIN, NULL, 0, 0, STJ_GIVEN_INPUTS},
    {"{inputs: {a: [3], b: [2, 4]}, layers: [{type: flatten, input: b, name: flat}, {type: "
     "concat, inputs: [a, flat]}, {type: dense, units: 4}, tanh, {type: dense, units: 3}], loss: "
     "softmax_cross_entropy}",
     PLAIN, NULL, 0, 0, 0},
    {"{input: [5, 5, 2], layers: [batch_norm, {type: residual, layers: [{type: conv2d, filters: 2, "
     "kernel: 3, padding: same}, tanh]}, {type: average_pool, window: 2}, flatten, {type: dense, "
     "units: "
     "3}], loss: softmax_cross_entropy}",
     PLAIN, NULL, 0.05, 0.3, 0},
    {"{input: [5, 5, 2], layers: [{type: conv2d, filters: 3, kernel: 3, padding: same}, tanh, "
     "batch_norm, global_average_pool, {type: dense, units: 4}], loss: softmax_cross_entropy}",
     PLAIN, NULL, 0, 0, 0},
};
enum { N_CASES = sizeof cases / sizeof cases[0] };

/* And how many numbers they are of a sample of the first cases. */
static const enum stj_given kinds[] = {STJ_GIVEN_WEIGHTS, STJ_GIVEN_INPUTS,  STJ_GIVEN_TARGETS,
                                       STJ_GIVEN_RATES,   STJ_GIVEN_MOMENTA, STJ_GIVEN_DECAYS,
                                       STJ_GIVEN_SCALES};
static const size_t numbers[] = {1, 5, 3};
enum { N_KINDS = sizeof kinds / sizeof kinds[0], WIDEST = 5 };

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

/* By momenta above 0 of sgd and adam alone, by decays of those whose decay is plain. */
static bool is_refused(size_t i, enum stj_given given)
{
    const char *optimizer = cases[i].optimizer;
    const bool neither = strstr(optimizer, "lamb") || strstr(optimizer, "muon") ||
                         strstr(optimizer, "nadam") || strstr(optimizer, "lars");
    const bool no_momentum = strcmp(optimizer, "sgd") == 0 || strstr(optimizer, "amsgrad") ||
                             strstr(optimizer, "rmsprop") || strstr(optimizer, "adagrad");
    return (given == STJ_GIVEN_MOMENTA && (neither || no_momentum)) ||
           (given == STJ_GIVEN_DECAYS && neither) || cases[i].without == given;
}

static struct stj_op *given_of(struct stj_op *jacobian, enum stj_given given)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_op *op = NULL;
    EXPECT_OK(stj_given_jacobian_create(jacobian, given, &op, &err), err);
    return op;
}

/* end <- of a training with what was given shifted by h x. */
static void train(struct stj_op *jacobian, enum stj_given given, size_t n, double h,
                  const double *x, double *end)
{
    struct stj_error err = STJ_ERROR_INIT;
    double *shift = calloc(n, sizeof *shift);
    for (size_t i = 0; i < n; i++)
        shift[i] = h * x[i];
    EXPECT_OK(stj_given_jacobian_train(jacobian, given, shift, end, NULL, &err), err);
    free(shift);
}

/* |difference - D x| / |D x| (where D x is zero, by itself), the least of a few steps h. */
static double difference(struct stj_op *jacobian, enum stj_given given, struct stj_op *op,
                         const double *x)
{
    struct stj_error err = STJ_ERROR_INIT;
    const size_t n = stj_op_n_rows(op), n_given = stj_op_n_cols(op);
    double *y = calloc(3 * n, sizeof *y), least = INFINITY;
    EXPECT_OK(stj_op_apply(op, STJ_NO_TRANS, 1, x, n_given, y, n, &err), err);
    for (double h = 1e-2 * stj_given_jacobian_size(jacobian, given), k = 0; k < 6; h /= 8, k++) {
        double error = 0, size = 0;
        train(jacobian, given, n_given, h, x, y + n);
        train(jacobian, given, n_given, -h, x, y + 2 * n);
        for (size_t i = 0; i < n; i++) {
            error += pow((y[n + i] - y[2 * n + i]) / (2 * h) - y[i], 2);
            size += y[i] * y[i];
        }
        least = fmin(least, sqrt(error / (size > 0 ? size : 1)));
    }
    free(y);
    return least;
}

START_TEST(adjoints_and_differences)
{
    struct stj_error err = STJ_ERROR_INIT;
    const size_t number = (size_t)_i / N_KINDS;
    struct small_run *run = make_run(number);
    const enum stj_given given = kinds[_i % N_KINDS];
    double adjoint = 1;
    for (size_t from = 0; from <= 3; from += 3) {
        struct stj_op *jacobian = small_run_jacobian(run, from, 0, 0, 0);
        ck_assert(stj_given_jacobian_is_there(jacobian, given) == !is_refused(number, given));
        if (is_refused(number, given)) {
            stj_op_destroy(jacobian);
            continue;
        }
        struct stj_op *op = given_of(jacobian, given);
        double *x = normal_numbers(stj_op_n_cols(op), 5);
        EXPECT_OK(stj_op_adjoint_error(op, 3, 11, &adjoint, &err), err);
        ck_assert_msg(adjoint <= 1e-12, "case %d: adjoint %g", _i, adjoint);
        const double error = difference(jacobian, given, op, x);
        ck_assert_double_gt(error, 0); /* D x is not zero */
        ck_assert_msg(error <= 1e-6, "case %d from %zu: difference %g", _i, from, error);
        free(x);
        stj_op_destroy(op);
        stj_op_destroy(jacobian);
    }
    small_run_destroy(run);
}
END_TEST

/* Every layer of the registry takes tangents of the network's input, and gives its adjoints: as the first
 * of a network, its input a token in the one that has tokens alone. */
START_TEST(inputs_of_every_layer)
{
    struct stj_error err = STJ_ERROR_INIT;
    const struct stj_layer_ops *layer = (const struct stj_layer_ops *)stj_layers.list[_i / 4];
    char text[2048] = "{input: [5], layers: [", tail[] =
                                                    ", flatten, {type: dense, units: 3}], loss: "
                                                    "mean_squared_error}";
    struct stj_rng *rng = NULL;
    double adjoint = 1;
    EXPECT_OK(stj_rng_create((uint64_t)_i, STJ_STREAM_CHECK, 9, &rng, &err), err);
    if (layer->sample)
        layer->sample(rng, text, sizeof text - sizeof tail);
    else
        snprintf(text, sizeof text, "{input: [2, 5], layers: [%s]}", layer->info.name);
    stj_rng_destroy(rng);
    char *end = strrchr(text, ']');
    memcpy(end, tail, sizeof tail);
    const struct small_spec spec = {.network = text,
                                    .optimizer = PLAIN,
                                    .schedule = "{schedule: constant, peak: 0.02}",
                                    .rows = 6,
                                    .batch = 3,
                                    .steps = 3,
                                    .seed = 5};
    struct small_run *run = small_run_create(&spec);
    struct stj_op *jacobian = small_run_jacobian(run, 0, 0, 0, 0);
    const bool tokens = stj_network_n_ids(run->net) > 0;
    ck_assert(stj_given_jacobian_is_there(jacobian, STJ_GIVEN_INPUTS) == !tokens);
    if (!tokens) {
        struct stj_op *op = given_of(jacobian, STJ_GIVEN_INPUTS);
        double *x = normal_numbers(stj_op_n_cols(op), 5);
        EXPECT_OK(stj_op_adjoint_error(op, 3, 11, &adjoint, &err), err);
        ck_assert_msg(adjoint <= 1e-12, "%s: adjoint %g", text, adjoint);
        const double error = stj_problem_may_switch(run->problem)
                                 ? 0
                                 : difference(jacobian, STJ_GIVEN_INPUTS, op, x);
        ck_assert_msg(error <= 1e-6, "%s: difference %g", text, error);
        free(x);
        stj_op_destroy(op);
    }
    stj_op_destroy(jacobian);
    small_run_destroy(run);
}
END_TEST

/* Every column of the dense matrix alone, and both directions in blocks of several tiles. */
START_TEST(the_dense_matrix)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct small_run *run = make_run(3);
    struct stj_op *jacobian = small_run_jacobian(run, 0, 0, 0, 3);
    const enum stj_given given = kinds[_i];
    struct stj_op *op = given_of(jacobian, given);
    const size_t n = run->n, m = stj_op_n_cols(op);
    double *d = calloc(n * m, sizeof *d), *unit = calloc(n * n, sizeof *unit);
    double *trans = calloc(n * m, sizeof *trans), *one = calloc(n * m, sizeof *one);
    ck_assert_uint_eq(m, given == STJ_GIVEN_SCALES ? 1 : _i > 2 ? STEPS : ROWS * numbers[_i]);
    EXPECT_OK(stj_op_densify(op, 7, d, n, NULL, &err), err);
    for (size_t i = 0; i < n; i++)
        unit[i + i * n] = 1;
    EXPECT_OK(stj_op_apply(op, STJ_TRANS, n, unit, n, trans, m, &err), err);
    for (size_t i = 0; i < m; i++) {
        double e[ROWS * WIDEST] = {0};
        e[i] = 1;
        const double error = difference(jacobian, given, op, e);
        ck_assert_msg(error <= 1e-6, "column %zu: %g", i, error);
        for (size_t k = 0; k < n; k++)
            ck_assert_double_le(fabs(trans[i + k * m] - d[k + i * n]),
                                1e-12 * (1 + fabs(d[k + i * n])));
    }
    stj_set_threads(1);
    EXPECT_OK(stj_op_densify(op, 7, one, n, NULL, &err), err);
    ck_assert_mem_eq(one, d, n * m * sizeof *d);
    free(d);
    free(unit);
    free(trans);
    free(one);
    stj_op_destroy(op);
    stj_op_destroy(jacobian);
    small_run_destroy(run);
}
END_TEST

/* The largest singular values by products alone. */
START_TEST(top_values_are_those_of_the_matrix)
{
    enum { TOP = 5 };
    struct stj_error err = STJ_ERROR_INIT;
    struct small_run *run = make_run(3);
    struct stj_op *jacobian = small_run_jacobian(run, 0, 0, 0, 0),
                  *op = given_of(jacobian, kinds[_i]);
    const size_t n = run->n, m = stj_op_n_cols(op);
    double *d = calloc(n * m, sizeof *d), *sigma = calloc(n + m, sizeof *sigma);
    struct stj_svd_settings settings = stj_svd_settings_default();
    struct stj_svd_result *result = NULL;
    settings.top = m < TOP ? m : TOP;
    settings.bottom = 0;
    EXPECT_OK(stj_op_densify(op, 0, d, n, NULL, &err), err);
    EXPECT_OK(stj_gesdd(n, m, d, n, sigma, NULL, NULL, &err), err);
    EXPECT_OK(stj_svd_solve(op, &settings, &result, &err), err);
    ck_assert_uint_eq(result->top.k, m < TOP ? m : TOP);
    for (size_t i = 0; i < result->top.k; i++)
        ck_assert_double_le(fabs(result->top.sigma[i] - sigma[i]), 1e-10 * sigma[0]);
    stj_svd_result_destroy(result);
    free(d);
    free(sigma);
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
    struct stj_op *weights = given_of(jacobian, STJ_GIVEN_WEIGHTS);
    struct stj_op *rates = given_of(jacobian, STJ_GIVEN_RATES);
    const size_t n = run->n;
    double ones[ROWS], eta[STEPS], *sum = calloc(2 * n, sizeof *sum);
    for (size_t i = 0; i < ROWS; i++)
        ones[i] = 1;
    for (size_t t = 0; t < STEPS; t++)
        eta[t] = stj_recipe_step(&run->recipe, 0, t, STEPS).eta;
    EXPECT_OK(stj_op_apply(weights, STJ_NO_TRANS, 1, ones, ROWS, sum, n, &err), err);
    EXPECT_OK(stj_op_apply(rates, STJ_NO_TRANS, 1, eta, STEPS, sum + n, n, &err), err);
    ck_assert_double_gt(fabs(sum[0]), 1e-6);
    ck_assert_double_le(largest_difference(n, sum, sum + n), 1e-14);
    free(sum);
    stj_op_destroy(weights);
    stj_op_destroy(rates);
    stj_op_destroy(jacobian);
    small_run_destroy(run);
}
END_TEST

/* Gradient descent on a quadratic: theta_{t+1} = (1 - eta A) theta_t + eta b, so that
 * d theta_n / d eta_t = (1 - eta A)^(n - 1 - t) (b - A theta_t). */
START_TEST(rates_of_a_quadratic)
{
    enum { N = 6, T = 5 };
    const double eta = 0.05;
    struct stj_error err = STJ_ERROR_INIT;
    struct quadratic *q = quadratic_create(N, T, 1, 3);
    struct stj_problem *problem = quadratic_problem(q);
    struct stj_plugin optimizer, schedule;
    parse_plugin(&stj_optimizers, "sgd", &optimizer);
    parse_plugin(&stj_schedules, "{schedule: constant, peak: 0.05}", &schedule);
    const struct stj_recipe recipe = {.optimizer = &optimizer, .schedule = &schedule};
    struct stj_trajectory *trajectory = NULL;
    struct stj_op *jacobian = NULL;
    const struct stj_training_jacobian_settings settings = {.from = 0};
    double theta[T + 1][N], g[N], column[N], next[N], d[N * T];
    double *start = normal_numbers(N, 2);
    memcpy(theta[0], start, sizeof theta[0]);
    for (size_t t = 0; t < T; t++)
        for (size_t i = 0; i < N; i++) {
            g[i] = -q->b[i];
            for (size_t k = 0; k < N; k++)
                g[i] += q->a[i * N + k] * theta[t][k];
            theta[t + 1][i] = theta[t][i] - eta * g[i];
        }
    double state[2 * N] = {0};
    memcpy(state, start, sizeof theta[0]);
    EXPECT_OK(stj_trajectory_create(N, 1, T, &trajectory, &err), err);
    EXPECT_OK(
        stj_train(problem, &recipe, 0, T, state, stj_trajectory_record, trajectory, NULL, &err),
        err);
    EXPECT_OK(
        stj_training_jacobian_create(problem, &recipe, trajectory, &settings, &jacobian, &err),
        err);
    struct stj_op *op = given_of(jacobian, STJ_GIVEN_RATES);
    EXPECT_OK(stj_op_densify(op, 0, d, N, NULL, &err), err);
    for (size_t t = 0; t < T; t++) {
        for (size_t i = 0; i < N; i++)
            column[i] = (theta[t + 1][i] - theta[t][i]) / eta;
        for (size_t s = t + 1; s < T; s++) {
            for (size_t i = 0; i < N; i++) {
                next[i] = column[i];
                for (size_t k = 0; k < N; k++)
                    next[i] -= eta * q->a[i * N + k] * column[k];
            }
            memcpy(column, next, sizeof column);
        }
        ck_assert_double_le(largest_difference(N, column, d + t * N), 1e-13);
    }
    stj_op_destroy(op);
    stj_op_destroy(jacobian);
    stj_trajectory_destroy(trajectory);
    free(start);
    stj_plugin_free(&optimizer);
    stj_plugin_free(&schedule);
    stj_problem_destroy(problem);
    quadratic_destroy(q);
}
END_TEST

/* Two batches of six: the order of the rows is that of the data set. */
START_TEST(who_was_not_there_has_nothing)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct small_run *run = make_run(3);
    struct stj_op *jacobian = small_run_jacobian(run, 0, 2, 0, 0);
    struct stj_op *op = given_of(jacobian, STJ_GIVEN_WEIGHTS);
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
    EXPECT_FAIL(stj_given_jacobian_create(full, STJ_GIVEN_RATES, &op, &err), STJ_EUNSUPPORTED,
                "all parameters", err);
    stj_op_destroy(full);
    EXPECT_OK(stj_ranges_add(&ranges, 0, 3, &err), err);
    EXPECT_OK(stj_op_create_restricted(jacobian, &ranges, &jacobian, &err), err);
    EXPECT_FAIL(stj_given_jacobian_create(jacobian, STJ_GIVEN_WEIGHTS, &op, &err), STJ_EUNSUPPORTED,
                "layers", err);
    stj_op_destroy(jacobian);
    small_run_destroy(run);
    struct quadratic *q = quadratic_create(4, 3, 1, 1);
    struct stj_problem *problem = quadratic_problem(q), *weighted = NULL;
    const double w[1] = {1};
    EXPECT_FAIL(stj_problem_vary(problem, STJ_GIVEN_WEIGHTS, w, &weighted, &err), STJ_EUNSUPPORTED,
                "the caller's", err);
    stj_problem_destroy(problem);
    quadratic_destroy(q);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("given");
    TCase *tests = tcase_create("given");
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, adjoints_and_differences, 0, N_KINDS * N_CASES);
    int n_layers = 0;
    while (stj_layers.list[n_layers])
        n_layers++;
    tcase_add_loop_test(tests, inputs_of_every_layer, 0, 4 * n_layers);
    tcase_add_loop_test(tests, the_dense_matrix, 0, N_KINDS);
    tcase_add_loop_test(tests, top_values_are_those_of_the_matrix, 0, N_KINDS);
    tcase_add_test(tests, rates_of_a_quadratic);
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
