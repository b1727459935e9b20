/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/o-part.c: parts of the training Jacobian: blocks of rows and columns, and the full state.
 *
 * The full-state Jacobian is a product of its steps', so it composes over windows; the theta-theta blocks
 * alone do not (momentum carries the past), which is shown too.  Tolerance: a sweep of n steps rounds each
 * of its elementary results by eps, errors grow no faster than the products themselves, so with a factor 100
 * for the length of the inner sums they stay within 100 n eps |J| |x|.
 */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "expect.h"
#include "op/operator.h"
#include "op/restrict.h"
#include "small_run.h"

enum { STEPS = 24, S = 3, T = 11, U = 20 };

#define NETWORK                                                                                    \
    "{input: [5], layers: [{type: dense, units: 6}, tanh, {type: dense, units: 3}], "              \
    "loss: softmax_cross_entropy}"

static const struct small_spec specs[] = {
    {.network = NETWORK,
     .optimizer = "{type: sgd, momentum: 0.9}",
     .schedule = "{schedule: cosine, peak: 0.2}",
     .rows = 24,
     .batch = 8,
     .steps = STEPS,
     .seed = 1},
    {.network = NETWORK,
     .optimizer = "{type: sgd, momentum: 0.8, nesterov: true, weight_decay: 0.01}",
     .schedule = "{schedule: constant, peak: 0.1}",
     .rows = 24,
     .batch = 8,
     .steps = STEPS,
     .seed = 2},
    {.network = NETWORK,
     .optimizer = "{type: adam, eps_root: 1.0e-8}",
     .schedule = "{schedule: constant, peak: 0.02}",
     .clip_norm = 0.5,
     .rows = 24,
     .batch = 8,
     .steps = STEPS,
     .seed = 3},
};
enum { N_SPECS = sizeof specs / sizeof specs[0] };

static struct stj_op *full_jacobian(struct small_run *run, size_t from, size_t to)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_op *op = NULL;
    const struct stj_training_jacobian_settings settings = {
        .from = from, .to = to, .full_state = true};
    EXPECT_OK(stj_training_jacobian_create(run->problem, &run->recipe, run->trajectory, &settings,
                                           &op, &err),
              err);
    return op;
}

static void apply(struct stj_op *op, enum stj_trans trans, const double *x, double *y)
{
    struct stj_error err = STJ_ERROR_INIT;
    const size_t n = stj_op_n_rows(op);
    EXPECT_OK(stj_op_apply(op, trans, 1, x, n, y, n, &err), err);
}

static double norm(size_t n, const double *x)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum = hypot(sum, x[i]);
    return sum;
}

START_TEST(the_full_state_composes)
{
    struct small_run *run = small_run_create(&specs[_i]);
    struct stj_op *first = full_jacobian(run, S, T);
    struct stj_op *second = full_jacobian(run, T, U);
    struct stj_op *both = full_jacobian(run, S, U);
    const size_t n = stj_op_n_rows(both);
    ck_assert_uint_eq(n, (1 + stj_trajectory_n_slots(run->trajectory)) * run->n);
    double *x = normal_numbers(n, 40 + (uint64_t)_i);
    double *y = calloc(3 * n, sizeof *y);
    for (int trans = 0; trans < 2; trans++) {
        const enum stj_trans way = trans ? STJ_TRANS : STJ_NO_TRANS;
        apply(trans ? second : first, way, x, y);
        apply(trans ? first : second, way, y, y + n);
        apply(both, way, x, y + 2 * n);
        const double bound = 100 * (U - S) * DBL_EPSILON * fmax(norm(n, y), norm(n, y + 2 * n));
        const double error = largest_difference(n, y + n, y + 2 * n);
        ck_assert_msg(error <= bound, "optimizer %d, trans %d: error %g, bound %g", _i, trans,
                      error, bound);
    }
    stj_op_destroy(first);
    stj_op_destroy(second);
    stj_op_destroy(both);
    free(x);
    free(y);
    small_run_destroy(run);
}
END_TEST

/* With the slots' part zero, and left out: the Jacobian of theta, bit by bit; and that one does not
 * compose. */
START_TEST(theta_is_its_first_block)
{
    struct small_run *run = small_run_create(&specs[_i]);
    struct stj_op *full = full_jacobian(run, S, U);
    struct stj_op *theta = small_run_jacobian(run, S, U, 0, 0);
    struct stj_op *first = small_run_jacobian(run, S, T, 0, 0);
    struct stj_op *second = small_run_jacobian(run, T, U, 0, 0);
    const size_t n = run->n;
    const size_t n_full = stj_op_n_rows(full);
    double *x = normal_numbers(n, 50);
    double *padded = calloc(n_full, sizeof *padded);
    double *y = calloc(n_full + 2 * n, sizeof *y);
    double *z = y + n_full;
    memcpy(padded, x, n * sizeof *x);
    for (int trans = 0; trans < 2; trans++) {
        apply(full, trans ? STJ_TRANS : STJ_NO_TRANS, padded, y);
        apply(theta, trans ? STJ_TRANS : STJ_NO_TRANS, x, z);
        ck_assert_mem_eq(y, z, n * sizeof *y);
    }
    apply(theta, STJ_NO_TRANS, x, z);
    apply(first, STJ_NO_TRANS, x, y);
    apply(second, STJ_NO_TRANS, y, z + n);
    ck_assert(largest_difference(n, z, z + n) > 1e-6 * norm(n, z));
    stj_op_destroy(full);
    stj_op_destroy(theta);
    stj_op_destroy(first);
    stj_op_destroy(second);
    free(x);
    free(padded);
    free(y);
    small_run_destroy(run);
}
END_TEST

START_TEST(the_full_state_has_its_adjoint)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct small_run *run = small_run_create(&specs[_i]);
    struct stj_op *full = full_jacobian(run, 0, 0);
    double error = 1;
    EXPECT_OK(stj_op_adjoint_error(full, 5, 60, &error, &err), err);
    ck_assert_msg(error <= 1e-12, "%g", error);
    stj_op_destroy(full);
    small_run_destroy(run);
}
END_TEST

/* |theta_dot_t| along one sweep is |J(from -> t) x|. */
START_TEST(growth_is_that_of_the_windows)
{
    enum { NVEC = 3 };
    struct stj_error err = STJ_ERROR_INIT;
    struct small_run *run = small_run_create(&specs[_i]);
    struct stj_op *full = full_jacobian(run, S, U);
    const size_t n = run->n;
    double *x = normal_numbers(n * NVEC, 70);
    double *y = calloc(n, sizeof *y);
    double got[(U - S + 1) * NVEC];
    EXPECT_OK(stj_training_jacobian_growth(full, NVEC, x, got, NULL, &err), err);
    for (size_t t = S; t <= U; t++)
        for (size_t j = 0; j < NVEC; j++) {
            double want = 1;
            if (t > S) {
                struct stj_op *window = small_run_jacobian(run, S, t, 0, 0);
                apply(window, STJ_NO_TRANS, x + j * n, y);
                want = norm(n, y) / norm(n, x + j * n);
                stj_op_destroy(window);
            }
            ck_assert_double_eq_tol(got[(t - S) * NVEC + j], want,
                                    100 * (U - S) * DBL_EPSILON * want);
        }
    stj_op_destroy(full);
    full = small_run_jacobian(run, S, U, 0, 0);
    EXPECT_FAIL(stj_training_jacobian_growth(full, 1, x, got, NULL, &err), STJ_EINVAL,
                "of a full state", err);
    stj_op_destroy(full);
    free(x);
    free(y);
    small_run_destroy(run);
}
END_TEST

/* The matrix of an operator, column-major; to be freed. */
static double *matrix_of(struct stj_op *op)
{
    struct stj_error err = STJ_ERROR_INIT;
    const size_t n = stj_op_n_rows(op);
    double *a = calloc(n * n, sizeof *a);
    EXPECT_OK(stj_op_densify(op, 1, a, n, NULL, &err), err);
    return a;
}

static struct stj_op *block_of(struct stj_op *inner)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_ranges ranges = {0};
    struct stj_op *op = NULL;
    EXPECT_OK(stj_ranges_add(&ranges, 2, 3, &err), err);
    EXPECT_OK(stj_ranges_add(&ranges, 5, 1, &err), err); /* joins it */
    EXPECT_OK(stj_ranges_add(&ranges, 30, 7, &err), err);
    ck_assert_uint_eq(ranges.n, 2);
    EXPECT_OK(stj_op_create_restricted(inner, &ranges, &op, &err), err);
    ck_assert_uint_eq(stj_op_n_rows(op), 11);
    return op;
}

static void expect_block(struct stj_op *op, const double *whole, size_t n)
{
    static const size_t index[] = {2, 3, 4, 5, 30, 31, 32, 33, 34, 35, 36};
    const size_t k = sizeof index / sizeof index[0];
    double *a = matrix_of(op);
    for (size_t j = 0; j < k; j++)
        for (size_t i = 0; i < k; i++)
            ck_assert(a[j * k + i] == whole[index[j] * n + index[i]]);
    free(a);
}

START_TEST(a_block_is_picked_from_the_whole)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct small_run *run = small_run_create(&specs[0]);
    struct stj_op *whole = small_run_jacobian(run, 0, 0, 0, 0);
    struct stj_op *block = block_of(small_run_jacobian(run, 0, 0, 0, 0));
    struct stj_op *whole_prefix = NULL;
    struct stj_op *prefix = NULL;
    double error = 1;
    double *a = matrix_of(whole);
    expect_block(block, a, run->n);
    EXPECT_OK(stj_op_adjoint_error(block, 3, 8, &error, &err), err);
    ck_assert_msg(error <= 1e-12, "%g", error);
    free(a);
    EXPECT_OK(stj_op_create_prefix(whole, 0.5, &whole_prefix, &err), err);
    EXPECT_OK(stj_op_create_prefix(block, 0.5, &prefix, &err), err);
    a = matrix_of(whole_prefix);
    expect_block(prefix, a, run->n);
    ck_assert_double_eq(stj_op_get_counts(prefix).jvp, 11 * 0.5);
    free(a);
    stj_op_destroy(prefix);
    stj_op_destroy(whole_prefix);
    stj_op_destroy(block);
    stj_op_destroy(whole);
    small_run_destroy(run);
}
END_TEST

START_TEST(impossible_blocks)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct small_run *run = small_run_create(&specs[0]);
    struct stj_ranges ranges = {0};
    struct stj_op *op = NULL;
    EXPECT_FAIL(stj_op_create_restricted(small_run_jacobian(run, 0, 0, 0, 0), &ranges, &op, &err),
                STJ_EINVAL, "must be some of them", err);
    EXPECT_OK(stj_ranges_add(&ranges, run->n - 2, 3, &err), err);
    EXPECT_FAIL(stj_op_create_restricted(small_run_jacobian(run, 0, 0, 0, 0), &ranges, &op, &err),
                STJ_EINVAL, "must be some of them", err);
    EXPECT_OK(stj_ranges_add(&ranges, 5, 1, &err), err);
    EXPECT_FAIL(stj_ranges_add(&ranges, 4, 1, &err), STJ_EINTERNAL, "must increase", err);
    stj_ranges_free(&ranges);
    small_run_destroy(run);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("parts");
    TCase *tests = tcase_create("parts");
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, the_full_state_composes, 0, N_SPECS);
    tcase_add_loop_test(tests, theta_is_its_first_block, 0, N_SPECS);
    tcase_add_loop_test(tests, the_full_state_has_its_adjoint, 0, N_SPECS);
    tcase_add_loop_test(tests, growth_is_that_of_the_windows, 0, N_SPECS);
    tcase_add_test(tests, a_block_is_picked_from_the_whole);
    tcase_add_test(tests, impossible_blocks);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
