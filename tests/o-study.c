/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/o-study.c: what studies are made of, against closed forms and direct computation: batches of
 * trainings, training in a subspace, principal angles, the Jacobian of a network's outputs. */
#include <check.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/blas.h"
#include "io/log.h"
#include "base/rng.h"
#include "expect.h"
#include "op/function_jacobian.h"
#include "small_run.h"
#include "study/retrain.h"
#include "study/subspace.h"
#include "temp_files.h"

static struct stj_error err;

enum { N = 12, STEPS = 30, COPIES = 7 };

/* ---- batches of trainings ---- */

/* A quadratic problem, trained by SGD with momentum. */
struct fixture {
    struct quadratic *q;
    struct stj_problem *problem;
    struct stj_plugin optimizer, schedule;
    struct stj_recipe recipe;
    double *start; /* [COPIES][N] */
    double *basis; /* [N][N], orthonormal */
    size_t k;      /* columns of the bases of odd copies; 0: none */
    double peak;
    char *path;
    struct stj_log *log;
};

static void fixture_init(struct fixture *f, const char *schedule)
{
    *f = (struct fixture){.q = quadratic_create(N, STEPS, 3, 5)};
    f->problem = quadratic_problem(f->q);
    parse_plugin(&stj_optimizers, "{type: sgd, momentum: 0.9}", &f->optimizer);
    parse_plugin(&stj_schedules, schedule, &f->schedule);
    f->recipe = (struct stj_recipe){.optimizer = &f->optimizer, .schedule = &f->schedule};
    f->start = normal_numbers(COPIES * N, 6);
    f->basis = normal_numbers(N * N, 7);
    EXPECT_OK(stj_qr(N, N, f->basis, N, NULL, &err), err);
    f->path = strdup(temp_path("copies.log"));
    EXPECT_OK(stj_log_open(f->path, "test", &f->log, &err), err);
}

static void fixture_free(struct fixture *f)
{
    stj_log_close(f->log);
    free(f->path);
    free(f->start);
    free(f->basis);
    stj_plugin_free(&f->optimizer);
    stj_plugin_free(&f->schedule);
    stj_problem_destroy(f->problem);
    quadratic_destroy(f->q);
}

static enum stj_status begin(void *ctx, size_t copy, struct stj_copy *start, struct stj_error *e)
{
    const struct fixture *f = ctx;
    (void)e;
    memcpy(start->theta, f->start + copy * N, N * sizeof(double));
    if (f->k == 0 || copy % 2 == 0)
        return STJ_OK;
    start->k = f->k;
    start->basis = malloc(N * f->k * sizeof(double));
    memcpy(start->basis, f->basis, N * f->k * sizeof(double));
    return STJ_OK;
}

static enum stj_status retrain(struct fixture *f, const struct stj_progress *progress,
                               struct stj_retrained **done)
{
    static const size_t columns[COPIES] = {0, 4, 0, 4, 0, 4, 0};
    const struct stj_retraining work = {.problem = f->problem,
                                        .recipe = &f->recipe,
                                        .n_copies = COPIES,
                                        .columns = f->k ? columns : NULL,
                                        .begin = begin,
                                        .ctx = f,
                                        .log = f->log,
                                        .progress = progress};
    return stj_retrain(&work, done, &err);
}

static void read_all(struct stj_retrained *done, double *theta)
{
    for (size_t i = 0; i < COPIES; i++) {
        bool finite = false;
        EXPECT_OK(stj_retrained_theta(done, i, theta + i * N, &finite, &err), err);
        ck_assert(finite);
    }
}

/* The same trainings, one after another. */
static void train_alone(struct fixture *f, size_t copy, double *theta)
{
    real state[2 * N] = {0};
    for (size_t i = 0; i < N; i++)
        state[i] = (real)f->start[copy * N + i];
    EXPECT_OK(stj_train(f->problem, &f->recipe, 0, STEPS, state, NULL, NULL, NULL, &err), err);
    for (size_t i = 0; i < N; i++)
        theta[i] = (double)state[i];
}

START_TEST(copies_have_the_bits_of_trainings_alone)
{
    struct fixture f;
    struct stj_retrained *done = NULL;
    double theta[COPIES * N], alone[N];
    fixture_init(&f, "{schedule: constant, peak: 0.01}");
    stj_set_threads((size_t)_i + 1);
    EXPECT_OK(retrain(&f, NULL, &done), err);
    read_all(done, theta);
    for (size_t i = 0; i < COPIES; i++) {
        train_alone(&f, i, alone);
        ck_assert_msg(memcmp(alone, theta + i * N, sizeof alone) == 0,
                      "copy %zu differs with %d threads", i, _i + 1);
    }
    stj_retrained_destroy(done);
    stj_set_threads(0);
    fixture_free(&f);
}
END_TEST

/* Stops after so many calls; counts them. */
static int stop_after(void *ctx, const char *what, double done, double total)
{
    int *left = ctx;
    (void)what;
    ck_assert(done >= 0 && done <= total * (1 + 1e-12));
    return (*left)-- <= 0;
}

START_TEST(an_interrupted_batch_goes_on_with_the_same_bits)
{
    struct fixture f, g;
    struct stj_retrained *done = NULL;
    double whole[COPIES * N], theta[COPIES * N];
    fixture_init(&g, "{schedule: constant, peak: 0.01}");
    g.k = 4;
    EXPECT_OK(retrain(&g, NULL, &done), err);
    read_all(done, whole);
    stj_retrained_destroy(done);
    stj_log_close(g.log);
    g.log = NULL;
    ck_assert_int_eq(remove(g.path), 0);
    fixture_free(&g);

    fixture_init(&f, "{schedule: constant, peak: 0.01}");
    f.k = 4;
    size_t before = 0, starts = 0;
    enum stj_status st = STJ_EINTERRUPTED;
    for (; st == STJ_EINTERRUPTED && starts < 1000; starts++) {
        int left = 3 * STEPS; /* calls of the thread that reports: some copies are finished */
        const struct stj_progress progress = {.fn = stop_after, .ctx = &left};
        stj_set_threads(
            starts == 0 ? 1 : 2); /* one thread certainly stops in its third or fourth copy */
        st = retrain(&f, &progress, &done);
        if (st == STJ_EINTERRUPTED) {
            ck_assert_msg(strstr(err.text, "interrupted"), "%s", err.text);
            stj_error_clear(&err);
        }
        ck_assert_uint_ge(stj_log_n_records(f.log), before);
        ck_assert(starts > 0 || (st == STJ_EINTERRUPTED && stj_log_n_records(f.log) > 0));
        before = stj_log_n_records(f.log);
        stj_log_close(f.log); /* as by a process that ended */
        EXPECT_OK(stj_log_open(f.path, "test", &f.log, &err), err);
        if (st == STJ_OK) {
            stj_retrained_destroy(done);
            EXPECT_OK(retrain(&f, NULL, &done), err);
        }
    }
    EXPECT_OK(st, err);
    ck_assert_uint_gt(starts, 1);
    ck_assert_uint_eq(stj_log_n_records(f.log), COPIES);
    read_all(done, theta);
    ck_assert(memcmp(whole, theta, sizeof whole) == 0);
    stj_retrained_destroy(done);
    stj_set_threads(0);
    fixture_free(&f);
}
END_TEST

START_TEST(a_copy_that_diverges_is_a_result)
{
    struct fixture f;
    struct stj_retrained *done = NULL;
    double theta[N];
    bool finite = true;
    fixture_init(&f, "{schedule: constant, peak: 0.01}");
    for (size_t i = 0; i < N; i++)
        f.start[2 * N + i] = 1e308;
    EXPECT_OK(retrain(&f, NULL, &done), err);
    for (size_t i = 0; i < COPIES; i++) {
        EXPECT_OK(stj_retrained_theta(done, i, theta, &finite, &err), err);
        ck_assert_int_eq(finite, i != 2);
    }
    stj_retrained_destroy(done);
    fixture_free(&f);
}
END_TEST

static enum stj_status refuse_third(void *ctx, size_t copy, struct stj_copy *start,
                                    struct stj_error *e)
{
    if (copy == 2)
        return stj_error_set(e, STJ_EIO, __FILE__, __LINE__, "copy 2 cannot begin");
    return begin(ctx, copy, start, e);
}

START_TEST(an_error_of_a_copy_is_that_of_the_batch)
{
    struct fixture f;
    struct stj_retrained *done = NULL;
    fixture_init(&f, "{schedule: constant, peak: 0.01}");
    const struct stj_retraining work = {.problem = f.problem,
                                        .recipe = &f.recipe,
                                        .n_copies = COPIES,
                                        .begin = refuse_third,
                                        .ctx = &f,
                                        .log = f.log};
    EXPECT_FAIL(stj_retrain(&work, &done, &err), STJ_EIO, "copy 2 cannot begin", err);
    ck_assert_ptr_null(done);
    fixture_free(&f);
}
END_TEST

/* ---- training in a subspace ---- */

/* For L = theta' A theta / 2 - b' theta, training theta_0 + B z is training z on the quadratic with
 * B'A B and B'(b - A theta_0); so it is done here with plain loops. */
START_TEST(a_subspace_trains_the_reduced_problem)
{
    enum { K = 4 };
    struct fixture f;
    real state[2 * K] = {0};
    double z[K] = {0}, m[K] = {0}, theta[N], g[N], wanted[N];
    fixture_init(&f, "{schedule: cosine, peak: 0.02}");
    const struct stj_subspace subspace = {K, f.basis, f.start};
    EXPECT_OK(
        stj_train_within(f.problem, &f.recipe, &subspace, 0, STEPS, state, NULL, NULL, NULL, &err),
        err);
    for (size_t t = 0; t < STEPS; t++) {
        const double *a = f.q->a + t % 3 * N * N;
        const double eta = stj_schedule_eta(&f.schedule, t, STEPS);
        for (size_t i = 0; i < N; i++) {
            theta[i] = f.start[i];
            for (size_t j = 0; j < K; j++)
                theta[i] += f.basis[j * N + i] * z[j];
        }
        for (size_t i = 0; i < N; i++) {
            g[i] = -f.q->b[i];
            for (size_t j = 0; j < N; j++)
                g[i] += a[i * N + j] * theta[j];
        }
        for (size_t j = 0; j < K; j++) {
            m[j] = 0.9 * m[j] + stj_dot(N, f.basis + j * N, g);
            z[j] -= eta * m[j];
        }
    }
    stj_subspace_point(&subspace, N, state, theta);
    for (size_t i = 0; i < N; i++) {
        wanted[i] = f.start[i];
        for (size_t j = 0; j < K; j++)
            wanted[i] += f.basis[j * N + i] * z[j];
    }
    /* 30 steps of sums of 12 products each, of numbers of order 10. */
    const double most = largest_difference(N, theta, wanted);
    ck_assert_msg(most <= 1e4 * DBL_EPSILON, "theta differs by %.3g", most);
    ck_assert_msg(largest_difference(N, theta, f.start) > 1e-2, "nothing was trained");
    fixture_free(&f);
}
END_TEST

/* ---- subspaces ---- */

START_TEST(principal_angles_of_known_planes)
{
    /* A = span(e1, e2), B = span(cos 0.3 e1 + sin 0.3 e3, cos 1.1 e2 + sin 1.1 e4), C = e1 alone */
    const double a[10] = {1, 0, 0, 0, 0, 0, 1, 0, 0, 0};
    const double b[10] = {cos(0.3), 0, sin(0.3), 0, 0, 0, cos(1.1), 0, sin(1.1), 0};
    double cosine[2], mean = 0;
    EXPECT_OK(stj_subspace_compare(5, 2, a, 2, b, cosine, &mean, &err), err);
    ck_assert_double_eq_tol(acos(cosine[0]), 0.3, 1e-14);
    ck_assert_double_eq_tol(acos(cosine[1]), 1.1, 1e-14);
    ck_assert_double_eq_tol(mean, (cos(0.3) * cos(0.3) + cos(1.1) * cos(1.1)) / 2, 1e-15);
    EXPECT_OK(stj_subspace_compare(5, 2, b, 1, a, cosine, &mean, &err), err);
    ck_assert_double_eq_tol(mean, cos(0.3) * cos(0.3), 1e-15);
    EXPECT_OK(stj_subspace_compare(5, 0, a, 2, b, cosine, &mean, &err), err);
    ck_assert(isnan(mean));
}
END_TEST

/* The mean over random subspaces is max(a, b) / n; over 200 draws its standard error is below 0.005. */
START_TEST(random_subspaces_overlap_as_is_said)
{
    enum { DIM = 20, A = 6, B = 9, DRAWS = 200 };
    double sum = 0;
    for (uint64_t i = 0; i < DRAWS; i++) {
        double *a = normal_numbers(DIM * A, 100 + i), *b = normal_numbers(DIM * B, 10000 + i);
        double mean = 0;
        EXPECT_OK(stj_qr(DIM, A, a, DIM, NULL, &err), err);
        EXPECT_OK(stj_qr(DIM, B, b, DIM, NULL, &err), err);
        EXPECT_OK(stj_subspace_compare(DIM, A, a, B, b, NULL, &mean, &err), err);
        sum += mean;
        free(a);
        free(b);
    }
    ck_assert_double_eq_tol(sum / DRAWS, (double)B / DIM, 0.025);
}
END_TEST

/* Known are 0 to 2 and 8, 9 of 10. */
static double few_sigma[10] = {3, 1.05, 1.05 + 1e-14, NAN, NAN, NAN, NAN, NAN, 0.95, 0.5};

static enum stj_status fetch(void *ctx, enum stj_side side, size_t first, size_t count, double *x,
                             struct stj_error *e)
{
    (void)ctx;
    (void)e;
    for (size_t k = 0; k < count; k++)
        for (size_t i = 0; i < 10; i++)
            x[k * 10 + i] = (side == STJ_LEFT ? 100 : 0) + (double)(first + k) + (double)i / 10;
    return STJ_OK;
}

static enum stj_status note_visit(void *ctx, size_t i, const double *u, const double *v,
                                  struct stj_error *e)
{
    char *seen = ctx;
    (void)e;
    ck_assert_double_eq(u[0], 100 + (double)i);
    ck_assert_ptr_null(v);
    seen[strlen(seen)] = (char)('0' + i);
    return STJ_OK;
}

START_TEST(directions_that_are_known_in_part)
{
    const struct stj_directions d = {.n = 10,
                                     .top = 3,
                                     .bottom = 2,
                                     .sigma = few_sigma,
                                     .rounding = 1e-12,
                                     .source = "svd.h5",
                                     .fetch = fetch};
    char text[STJ_DIRECTIONS_TEXT_MAX], seen[16] = "";
    double x[50];
    size_t *item = NULL, n = 0;
    stj_directions_text(&d, text);
    ck_assert_str_eq(text, "1 to 3 and 9 to 10 of 10, from svd.h5");
    ck_assert(!stj_directions_degenerate(&d, 0) && stj_directions_degenerate(&d, 1) &&
              stj_directions_degenerate(&d, 2) && !stj_directions_degenerate(&d, 8));
    EXPECT_OK(stj_directions_visit(&d, true, false, note_visit, seen, &err), err);
    ck_assert_str_eq(seen, "01289");
    const size_t wanted[] = {8, 1, 2};
    EXPECT_OK(stj_directions_gather(&d, STJ_RIGHT, 3, wanted, x, &err), err);
    ck_assert(x[0] == 8 && x[10] == 1 && x[20] == 2);
    EXPECT_FAIL(stj_directions_fetch(&d, STJ_LEFT, 2, 2, x, &err), STJ_EINVAL,
                "direction 4 was not computed: known are 1 to 3 and 9 to 10", err);
    EXPECT_FAIL(stj_directions_fetch(&d, STJ_LEFT, 10, 1, x, &err), STJ_EINVAL, "direction 11",
                err);
    EXPECT_OK(stj_subspace_list(&d, STJ_BULK, 0.1, 0, &item, &n, &err), err);
    ck_assert(n == 3 && item[0] == 1 && item[1] == 2 && item[2] == 8);
    free(item);
    EXPECT_OK(stj_subspace_list(&d, STJ_STABLE, 0.1, 5, &item, &n, &err), err);
    ck_assert(n == 1 && item[0] == 9);
    free(item);
}
END_TEST

/* ---- the Jacobian of a network's outputs ---- */

static const char *const networks[] = {
    "{input: [5], layers: [{type: dense, units: 4}, {type: gelu}, {type: dense, units: 3}],"
    " loss: softmax_cross_entropy}",
    "{input: [6, 6, 2], layers: [{type: conv2d, filters: 3, kernel: 3}, {type: tanh}, "
    "{type: average_pool, window: 2}, {type: flatten}, {type: dense, units: 2}], "
    "loss: softmax_cross_entropy}",
    "{input: [4], layers: [{type: dense, units: 5}, {type: batch_norm}, {type: sigmoid},"
    " {type: dense, units: 3}], loss: softmax_cross_entropy}",
    "{input: [3, 4], layers: [{type: layer_norm}, {type: residual, layers: [{type: dense, units: "
    "4},"
    " {type: silu}]}, {type: dense, units: 3}], loss: softmax_cross_entropy}",
};
enum { N_NETWORKS = sizeof networks / sizeof networks[0] };

struct function {
    struct small_run *run;
    real *x;
    double *theta;
    size_t n_rows, n_out;
};

static void function_init(struct function *f, const char *network, size_t n_rows)
{
    const struct small_spec spec = {.network = network,
                                    .optimizer = "{type: sgd}",
                                    .schedule = "{schedule: constant, peak: 0.1}",
                                    .rows = n_rows,
                                    .batch = n_rows,
                                    .steps = 1,
                                    .seed = 8};
    *f = (struct function){.run = small_run_create(&spec), .n_rows = n_rows};
    const size_t n_in = f->run->data->n_features;
    f->n_out = stj_shape_size(stj_network_output(f->run->net));
    f->theta = normal_numbers(f->run->n, 9);
    f->x = malloc(n_rows * n_in * sizeof *f->x);
    for (size_t i = 0; i < n_rows * n_in; i++)
        f->x[i] = (real)f->run->data->inputs[i];
}

static void function_free(struct function *f)
{
    small_run_destroy(f->run);
    free(f->x);
    free(f->theta);
}

/* z <- all outputs at theta, as one batch. */
static void outputs(const struct function *f, const double *theta, double *z)
{
    const struct stj_network *net = f->run->net;
    const struct stj_batch b = {
        .whole = f->n_rows, .batch = f->n_rows, .evaluate = true, .x = f->x};
    real *point = malloc(f->run->n * sizeof *point);
    real *lin = calloc(stj_network_n_linear(net, f->n_rows), sizeof *lin);
    real *scratch = calloc(stj_network_n_scratch(net, f->n_rows, 0) + 1, sizeof *scratch);
    real *out = malloc(f->n_rows * f->n_out * sizeof *out);
    for (size_t i = 0; i < f->run->n; i++)
        point[i] = (real)theta[i];
    stj_network_predict(net, &b, point, lin, out, scratch);
    for (size_t i = 0; i < f->n_rows * f->n_out; i++)
        z[i] = (double)out[i];
    free(point);
    free(lin);
    free(scratch);
    free(out);
}

/* Central differences with h = 1e-5 are off by h^2 z''' / 6 + eps z / h, some 1e-9 of outputs of order
 * 10; more than one chunk of rows, and a block wider than a tile. */
START_TEST(function_jacobians_are_the_slopes_of_outputs)
{
    enum { NVEC = 19 };
    const double h = 1e-5;
    struct function f;
    struct stj_op *op = NULL;
    function_init(&f, networks[_i], 130);
    const size_t n = f.run->n, m = f.n_rows * f.n_out;
    EXPECT_OK(stj_function_jacobian_create(f.run->net, f.n_rows, f.x, f.theta, &op, &err), err);
    ck_assert_uint_eq(stj_op_n_rows(op), m);
    double *x = normal_numbers(n * NVEC, 10), *y = calloc(m * NVEC, sizeof *y);
    double *side[2] = {malloc(m * sizeof(double)), malloc(m * sizeof(double))};
    double *theta = malloc(n * sizeof *theta);
    EXPECT_OK(stj_op_apply(op, STJ_NO_TRANS, NVEC, x, n, y, m, &err), err);
    const size_t column = NVEC - 1;
    for (int s = 0; s < 2; s++) {
        for (size_t i = 0; i < n; i++)
            theta[i] = f.theta[i] + (s ? -h : h) * x[column * n + i];
        outputs(&f, theta, side[s]);
    }
    double most = 0, norm = 0;
    for (size_t i = 0; i < m; i++) {
        most = fmax(most, fabs((side[0][i] - side[1][i]) / (2 * h) - y[column * m + i]));
        norm = fmax(norm, fabs(y[column * m + i]));
    }
    ck_assert_msg(most <= 1e-7 * norm, "network %d: off by %.3g of %.3g", _i, most, norm);
    double adjoint = 0;
    EXPECT_OK(stj_op_adjoint_error(op, 5, 11, &adjoint, &err), err);
    ck_assert_msg(adjoint <= 1e-13, "network %d: adjoint error %.3g", _i, adjoint);
    stj_op_destroy(op);
    free(x);
    free(y);
    free(side[0]);
    free(side[1]);
    free(theta);
    function_free(&f);
}
END_TEST

START_TEST(function_jacobians_have_the_same_bits_with_any_threads)
{
    struct function f;
    struct stj_op *op = NULL;
    function_init(&f, networks[_i], 150);
    const size_t n = f.run->n, m = f.n_rows * f.n_out;
    double *y = normal_numbers(m, 12), *g[3];
    EXPECT_OK(stj_function_jacobian_create(f.run->net, f.n_rows, f.x, f.theta, &op, &err), err);
    for (size_t t = 0; t < 3; t++) {
        g[t] = calloc(n, sizeof *g[t]);
        stj_set_threads(t + 1);
        EXPECT_OK(stj_op_apply(op, STJ_TRANS, 1, y, m, g[t], n, &err), err);
        ck_assert_msg(memcmp(g[0], g[t], n * sizeof *y) == 0, "network %d, %zu threads", _i, t + 1);
    }
    stj_set_threads(0);
    for (size_t t = 0; t < 3; t++)
        free(g[t]);
    stj_op_destroy(op);
    free(y);
    function_free(&f);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("study");
    TCase *tc = tcase_create("study");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, temp_setup, temp_teardown);
    tcase_add_loop_test(tc, copies_have_the_bits_of_trainings_alone, 0, 3);
    tcase_add_test(tc, an_interrupted_batch_goes_on_with_the_same_bits);
    tcase_add_test(tc, a_copy_that_diverges_is_a_result);
    tcase_add_test(tc, an_error_of_a_copy_is_that_of_the_batch);
    tcase_add_test(tc, a_subspace_trains_the_reduced_problem);
    tcase_add_test(tc, principal_angles_of_known_planes);
    tcase_add_test(tc, random_subspaces_overlap_as_is_said);
    tcase_add_test(tc, directions_that_are_known_in_part);
    tcase_add_loop_test(tc, function_jacobians_are_the_slopes_of_outputs, 0, N_NETWORKS);
    tcase_add_loop_test(tc, function_jacobians_have_the_same_bits_with_any_threads, 0, N_NETWORKS);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
