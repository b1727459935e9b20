/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/o-quadratic.c: training Jacobians that are known in closed form.
 *
 * On a quadratic loss the Hessian H is constant, and with H = W diag(lambda) W':
 *
 *     gradient descent   J = W diag((1 - eta lambda)^n) W'
 *     heavy ball         J = W diag(p_n) W',  (theta, m)_{t+1} = M (theta, m)_t for each lambda,
 *                        M = [[1 - eta lambda, -eta mu], [lambda, mu]],   p_n = (M^n)_11
 *
 * (m <- mu m + lambda theta, theta <- theta - eta m, so theta' = (1 - eta lambda) theta - eta mu m.)
 * With Hessians that do not commute, J is the product of the steps' matrices, multiplied out here.
 *
 * Tolerance: each step rounds by a few eps times N |H| eta + 1, so n steps of growth at most G stay
 * within 10 n N eps G; it is stated where it is used.
 */
#include <float.h>
#include <lapacke.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "expect.h"
#include "small_run.h"
#include "train/optimizers.h"

enum { N = 13, STEPS = 40 };

static const double eta = 0.05;

/* Parts that the Jacobian borrows. */
struct fixture {
    struct quadratic *q;
    struct stj_problem *problem;
    struct stj_plugin optimizer, schedule;
    struct stj_recipe recipe;
    struct stj_trajectory *trajectory;
    struct stj_op *op;
    double momentum;
};

static void fixture_init(struct fixture *f, size_t n_matrices, double mu, uint64_t seed)
{
    struct stj_error err = STJ_ERROR_INIT;
    double state[2 * N] = {0};
    char text[64];
    f->q = quadratic_create(N, STEPS, n_matrices, seed);
    f->problem = quadratic_problem(f->q);
    f->momentum = mu;
    snprintf(text, sizeof text, "{type: sgd, momentum: %.17g}", mu);
    parse_plugin(&stj_optimizers, text, &f->optimizer);
    snprintf(text, sizeof text, "{schedule: constant, peak: %.17g}", eta);
    parse_plugin(&stj_schedules, text, &f->schedule);
    f->recipe = (struct stj_recipe){.optimizer = &f->optimizer, .schedule = &f->schedule};
    EXPECT_OK(stj_trajectory_create(N, 1, STEPS, &f->trajectory, &err), err);
    EXPECT_OK(stj_train(f->problem, &f->recipe, 0, STEPS, state, stj_trajectory_record,
                        f->trajectory, NULL, &err),
              err);
    const struct stj_training_jacobian_settings settings = {0};
    EXPECT_OK(stj_training_jacobian_create(f->problem, &f->recipe, f->trajectory, &settings, &f->op,
                                           &err),
              err);
}

static void fixture_free(struct fixture *f)
{
    stj_op_destroy(f->op);
    stj_trajectory_destroy(f->trajectory);
    stj_problem_destroy(f->problem);
    quadratic_destroy(f->q);
    stj_plugin_free(&f->optimizer);
    stj_plugin_free(&f->schedule);
}

/* expected <- W diag(p(lambda)) W' for the fixture's one matrix; returns max |p|. */
static double spectral_function(const struct fixture *f, double (*p)(double lambda, double mu),
                                double *expected)
{
    double w[N * N];
    double lambda[N];
    double most = 1;
    memcpy(w, f->q->a, sizeof w);
    ck_assert_int_eq(LAPACKE_dsyev(LAPACK_COL_MAJOR, 'V', 'U', N, w, N, lambda), 0);
    memset(expected, 0, N * N * sizeof *expected);
    for (size_t k = 0; k < N; k++) {
        const double value = p(lambda[k], f->momentum);
        most = fmax(most, fabs(value));
        for (size_t i = 0; i < N; i++)
            for (size_t j = 0; j < N; j++)
                expected[j * N + i] += value * w[k * N + i] * w[k * N + j];
    }
    return most;
}

static double gradient_descent(double lambda, double mu)
{
    (void)mu;
    return pow(1 - eta * lambda, STEPS);
}

static double heavy_ball(double lambda, double mu)
{
    double theta = 1;
    double m = 0;
    for (size_t t = 0; t < STEPS; t++) {
        m = mu * m + lambda * theta;
        theta -= eta * m;
    }
    return theta;
}

static void check_matrix(struct stj_op *op, enum stj_trans trans, const double *expected,
                         double scale)
{
    struct stj_error err = STJ_ERROR_INIT;
    double unit[N * N] = {0};
    double j[N * N];
    for (size_t i = 0; i < N; i++)
        unit[i * N + i] = 1;
    EXPECT_OK(stj_op_apply(op, trans, N, unit, N, j, N, &err), err);
    const double bound = 10.0 * STEPS * N * DBL_EPSILON * scale;
    const double error = largest_difference((size_t)N * N, j, expected);
    ck_assert_msg(error <= bound, "trans %d: error %g, bound %g", (int)trans, error, bound);
}

START_TEST(one_hessian_has_a_spectral_jacobian)
{
    const double momentum = _i == 0 ? 0 : 0.9;
    struct fixture f = {0};
    double expected[N * N];
    fixture_init(&f, 1, momentum, 11 + (uint64_t)_i);
    const double scale =
        spectral_function(&f, momentum > 0 ? heavy_ball : gradient_descent, expected);
    check_matrix(f.op, STJ_NO_TRANS, expected, scale);
    check_matrix(f.op, STJ_TRANS, expected, scale); /* symmetric */
    fixture_free(&f);
}
END_TEST

/* The 2N x 2N step matrices multiplied out; returns the largest |entry| seen on the way. */
static double multiply_steps(const struct fixture *f, double *jacobian)
{
    double p[2 * N][2 * N] = {0}; /* rows theta, m; columns theta_0, m_0 */
    double most = 1;
    for (size_t i = 0; i < 2 * N; i++)
        p[i][i] = 1;
    for (size_t t = 0; t < STEPS; t++) {
        const double *h = f->q->a + t % f->q->n_matrices * N * N;
        for (size_t c = 0; c < 2 * N; c++) {
            double g[N] = {0};
            for (size_t i = 0; i < N; i++)
                for (size_t j = 0; j < N; j++)
                    g[i] += h[i * N + j] * p[j][c];
            for (size_t i = 0; i < N; i++) {
                p[N + i][c] = f->momentum * p[N + i][c] + g[i];
                p[i][c] -= eta * p[N + i][c];
                most = fmax(most, fmax(fabs(p[i][c]), fabs(p[N + i][c])));
            }
        }
    }
    for (size_t i = 0; i < N; i++)
        for (size_t j = 0; j < N; j++)
            jacobian[j * N + i] = p[i][j];
    return most;
}

START_TEST(changing_hessians_multiply_out)
{
    struct fixture f = {0};
    double j[N * N];
    double jt[N * N];
    fixture_init(&f, 3, 0.8, 23);
    const double scale = multiply_steps(&f, j);
    for (size_t r = 0; r < N; r++)
        for (size_t c = 0; c < N; c++)
            jt[c * N + r] = j[r * N + c];
    check_matrix(f.op, STJ_NO_TRANS, j, scale);
    check_matrix(f.op, STJ_TRANS, jt, scale);
    fixture_free(&f);
}
END_TEST

START_TEST(products_are_counted_and_windows_cost_their_share)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct fixture f = {0};
    struct stj_op *window = NULL;
    double *x = normal_numbers((size_t)N * 3, 5);
    double y[N * 3];
    fixture_init(&f, 1, 0.9, 31);
    EXPECT_OK(stj_op_apply(f.op, STJ_NO_TRANS, 3, x, N, y, N, &err), err);
    EXPECT_OK(stj_op_apply(f.op, STJ_TRANS, 2, x, N, y, N, &err), err);
    ck_assert_double_eq(stj_op_get_counts(f.op).jvp, 3);
    ck_assert_double_eq(stj_op_get_counts(f.op).vjp, 2);
    const struct stj_training_jacobian_settings settings = {.from = 10, .to = 20};
    EXPECT_OK(
        stj_training_jacobian_create(f.problem, &f.recipe, f.trajectory, &settings, &window, &err),
        err);
    EXPECT_OK(stj_op_apply(window, STJ_NO_TRANS, 1, x, N, y, N, &err), err);
    ck_assert_double_eq(stj_op_get_counts(window).jvp, 0.25);
    stj_op_destroy(window);
    const struct stj_training_jacobian_settings bad = {.from = 20, .to = 20};
    EXPECT_FAIL(
        stj_training_jacobian_create(f.problem, &f.recipe, f.trajectory, &bad, &window, &err),
        STJ_EINVAL, "--from is 20 and --to is 20", err);
    EXPECT_FAIL(stj_op_apply(f.op, STJ_NO_TRANS, 1, x, N - 1, y, N, &err), STJ_EINVAL,
                "leading dimensions", err);
    free(x);
    fixture_free(&f);
}
END_TEST

START_TEST(a_diverging_training_names_its_step)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct fixture f = {0};
    double state[2 * N];
    fixture_init(&f, 1, 0.9, 31);
    stj_plugin_free(&f.schedule);
    parse_plugin(&stj_schedules, "{schedule: constant, peak: 1e60}", &f.schedule);
    for (size_t i = 0; i < 2 * N; i++)
        state[i] = i < N;
    EXPECT_FAIL(stj_train(f.problem, &f.recipe, 0, STEPS, state, NULL, NULL, NULL, &err),
                STJ_ENONFINITE, "diverged", err);
    fixture_free(&f);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("closed-form Jacobians");
    TCase *tc = tcase_create("quadratic");
    tcase_add_loop_test(tc, one_hessian_has_a_spectral_jacobian, 0, 2);
    tcase_add_test(tc, changing_hessians_multiply_out);
    tcase_add_test(tc, products_are_counted_and_windows_cost_their_share);
    tcase_add_test(tc, a_diverging_training_names_its_step);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
