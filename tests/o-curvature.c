/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/o-curvature.c: the Hessian of a loss and its Gauss-Newton matrix, against differences of gradients
 * and products of Jacobians of outputs.
 *
 * Central differences of the gradient have an error of h^2 |its third derivative| + eps / h: 1e-8 for h = 1e-4 and
 * numbers of size 1, and more where a batch of 12 is normalised.  Products of matrices differ by rounding.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "expect.h"
#include "op/curvature.h"
#include "op/function_jacobian.h"
#include "small_run.h"
#include "train/network_problem.h"

enum { ROWS = 150, BATCH = 12, STEPS = 3 }; /* more rows than a chunk has */

#define DENSE(units) "{type: dense, units: " units ", bias_init: {type: normal, stddev: 0.1}}"
static const char *const networks[] = {
    "{input: [5], layers: [" DENSE("4") ", tanh, " DENSE(
        "3") "], l2: 0.03, loss: softmax_cross_entropy}",
    "{input: [5], layers: [" DENSE("4") ", gelu, " DENSE(
        "3") "], l2: 0.03, loss: mean_squared_error}",
    "{input: [5], layers: [" DENSE("4") ", batch_norm, tanh, " DENSE(
        "3") "], loss: {type: "
             "softmax_cross_entropy, class_weights: [1, 2, 0.5]}}",
    "{input: [5], layers: [" DENSE("4") ", tanh, {type: dropout, rate: 0.3}, " DENSE(
        "3") "], loss: "
             "{type: softmax_cross_entropy, reduction: sum}}",
    "{input: [5], layers: [" DENSE("3") "], l2: 0.03, loss: softmax_cross_entropy}",
};
enum { N_NETWORKS = sizeof networks / sizeof networks[0], SQUARED = 1, LINEAR = 4 };

static struct small_run *make_run(size_t i)
{
    const struct small_spec spec = {.network = networks[i],
                                    .optimizer = "{type: sgd, momentum: 0.9}",
                                    .schedule = "{schedule: constant, peak: 0.05}",
                                    .rows = ROWS,
                                    .batch = BATCH,
                                    .steps = STEPS,
                                    .seed = 30 + i};
    return small_run_create(&spec);
}

/* The whole matrix, to be freed. */
static double *matrix_of(struct small_run *run, bool batch, bool gauss_newton, bool penalty)
{
    struct stj_error err = STJ_ERROR_INIT;
    const struct stj_curvature_settings s = {.problem = run->problem,
                                             .net = run->net,
                                             .data = batch ? NULL : run->data,
                                             .gauss_newton = gauss_newton,
                                             .penalty = penalty};
    struct stj_op *op = NULL;
    double *h = calloc(run->n * run->n, sizeof *h);
    EXPECT_OK(stj_curvature_create(&s, &op, &err), err);
    EXPECT_OK(stj_curvature_move(op, 1, run->state, &err), err);
    EXPECT_OK(stj_op_densify(op, 0, h, run->n, NULL, &err), err);
    stj_op_destroy(op);
    return h;
}

static void gradient(struct small_run *run, bool batch, const double *theta, double *g)
{
    struct stj_error err = STJ_ERROR_INIT;
    double loss = 0;
    if (!batch) {
        EXPECT_OK(stj_evaluate_gradient(run->net, run->data, 0, NULL, theta, &loss, g, &err), err);
        return;
    }
    struct stj_gradient_work *work = NULL;
    EXPECT_OK(stj_gradient_work_create(run->problem, &work, &err), err);
    EXPECT_OK(stj_problem_gradient(run->problem, 1, theta, &loss, g, work, &err), err);
    stj_gradient_work_destroy(work);
}

START_TEST(hessians_are_differences_of_gradients)
{
    static const double h = 1e-4;
    struct small_run *run = make_run((size_t)_i);
    const size_t n = run->n;
    double *theta = calloc(3 * n, sizeof *theta);
    memcpy(theta, run->state, n * sizeof *theta);
    for (int batch = 0; batch < 2; batch++) {
        double *matrix = matrix_of(run, batch, false, batch), worst = 0, size = 0;
        for (size_t j = 0; j < n; j++) {
            theta[j] = run->state[j] + h;
            gradient(run, batch, theta, theta + n);
            theta[j] = run->state[j] - h;
            gradient(run, batch, theta, theta + 2 * n);
            theta[j] = run->state[j];
            for (size_t i = 0; i < n; i++) {
                const double slope = (theta[n + i] - theta[2 * n + i]) / (2 * h);
                worst = fmax(worst, fabs(slope - matrix[j * n + i]));
                size = fmax(size, fabs(slope));
            }
        }
        ck_assert_msg(worst <= 3e-6 * fmax(size, 1), "network %d, batch %d: %g of %g", _i, batch,
                      worst, size);
        free(matrix);
    }
    free(theta);
    small_run_destroy(run);
}
END_TEST

/* Without the penalty the diagonal is smaller by lambda. */
START_TEST(the_penalty_is_a_multiple_of_the_identity)
{
    struct small_run *run = make_run(0);
    double *with = matrix_of(run, true, false, true), *without = matrix_of(run, true, false, false);
    for (size_t k = 0; k < run->n * run->n; k++)
        ck_assert_double_eq_tol(with[k] - without[k], k % (run->n + 1) ? 0 : 0.03, 1e-14);
    free(with);
    free(without);
    small_run_destroy(run);
}
END_TEST

/* Of a network that is linear in its parameters it is the Hessian; of squared errors a multiple of
 * G'G, whose trace says which. */
START_TEST(gauss_newton_is_the_product_of_its_factors)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct small_run *run = make_run(LINEAR);
    double *a = matrix_of(run, false, true, false), *b = matrix_of(run, false, false, false);
    ck_assert_double_lt(largest_difference(run->n * run->n, a, b), 1e-14);
    free(a);
    free(b);
    small_run_destroy(run);
    run = make_run(SQUARED);
    const size_t n = run->n;
    struct stj_op *g = NULL, *normal = NULL;
    double ratio[2] = {0}, size = 0;
    a = matrix_of(run, false, true, false);
    b = calloc(n * n, sizeof *b);
    EXPECT_OK(stj_function_jacobian_create(run->net, ROWS, run->data->inputs, run->state, &g, &err),
              err);
    EXPECT_OK(stj_op_create_normal(g, &normal, &err), err);
    EXPECT_OK(stj_op_densify(normal, 0, b, n, NULL, &err), err);
    for (size_t i = 0; i < n; i++) {
        ratio[0] += a[i * (n + 1)];
        ratio[1] += b[i * (n + 1)];
    }
    for (size_t k = 0; k < n * n; k++) {
        b[k] *= ratio[0] / ratio[1];
        size = fmax(size, fabs(a[k]));
    }
    ck_assert_double_gt(size, 0.01);
    ck_assert_double_lt(largest_difference(n * n, a, b), 1e-13 * fmax(size, 1));
    double *hessian = matrix_of(run, false, false, false);
    ck_assert_double_gt(largest_difference(n * n, a, hessian),
                        1e-4); /* and it is not the Hessian */
    free(hessian);
    free(a);
    free(b);
    stj_op_destroy(normal);
    stj_op_destroy(g);
    small_run_destroy(run);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("curvature");
    TCase *tests = tcase_create("curvature");
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, hessians_are_differences_of_gradients, 0, N_NETWORKS);
    tcase_add_test(tests, the_penalty_is_a_multiple_of_the_identity);
    tcase_add_test(tests, gauss_newton_is_the_product_of_its_factors);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
