/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/o-trace.c: stochastic traces against matrices that are known. */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <spectraj/trace.h>

#include "expect.h"
#include "known_op.h"

static const char *const methods[] = {"xtrace", "hutch++", "hutchinson"};
enum { N_METHODS = sizeof methods / sizeof methods[0], N = 200 };

static struct stj_trace_result solve(struct stj_op *op, const char *method,
                                     enum stj_trace_function function, size_t products,
                                     uint64_t seed)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_trace_settings s = stj_trace_settings_default();
    struct stj_trace_result r;
    s.method = method;
    s.function = function;
    s.products = products;
    s.seed = seed;
    EXPECT_OK(stj_trace_solve(op, &s, &r, &err), err);
    return r;
}

/* What a function of a matrix is, from its entries. */
static double truth(const struct known_matrix *k, enum stj_trace_function function)
{
    double sum = 0;
    for (size_t j = 0; j < k->n; j++)
        for (size_t i = 0; i < k->m; i++) {
            const double x = k->a[j * k->m + i];
            const double shifted = x - (i == j && function == STJ_TRACE_DEVIATION);
            sum += function != STJ_TRACE_TRACE ? shifted * shifted : i == j ? x : 0;
        }
    return sum;
}

/* Root mean square error over seeds, relative. */
static double error_of(struct stj_op *op, const char *method, size_t products, double want)
{
    double square = 0;
    const size_t seeds = 20;
    for (uint64_t seed = 1; seed <= seeds; seed++) {
        const struct stj_trace_result r = solve(op, method, STJ_TRACE_TRACE, products, seed);
        square += pow((r.value - want) / want, 2) / (double)seeds;
    }
    return sqrt(square);
}

START_TEST(fast_decay_is_what_xtrace_is_for)
{
    double sigma[N];
    double want = 0;
    for (size_t i = 0; i < N; i++) {
        sigma[i] = pow(0.8, (double)i);
        want += sigma[i];
    }
    struct stj_op *op = diagonal_op(N, sigma);
    double error[N_METHODS];
    for (size_t i = 0; i < N_METHODS; i++) {
        error[i] = error_of(op, methods[i], 60, want);
        printf("fast decay, 60 products: %-10s relative error %.3g\n", methods[i], error[i]);
    }
    ck_assert_msg(error[0] <= error[2] / 10, "xtrace %g, hutchinson %g", error[0], error[2]);
    ck_assert_msg(error[0] <= error[1], "xtrace %g, hutch++ %g", error[0], error[1]);
    stj_op_destroy(op);
}
END_TEST

/* The Student intervals cover at 95 %: their coverage is asked to be at least 0.90, since the error
 * of exchangeable samples is estimated, and the estimates are unbiased: their mean over the seeds
 * is within four of its standard deviations. */
START_TEST(intervals_are_calibrated)
{
    const char *method = methods[_i];
    const size_t seeds = test_seeds(60);
    double sigma[N];
    for (size_t i = 0; i < N; i++)
        sigma[i] = i < 20 ? 5.0 / (1 + (double)i) : 1 - 0.004 * (double)i;
    struct known_matrix *k = known_matrix_create(N, N, sigma, 4);
    struct stj_op *op = known_matrix_op(k);
    for (enum stj_trace_function f = STJ_TRACE_TRACE; f <= STJ_TRACE_DEVIATION; f++) {
        const double want = truth(k, f);
        size_t covered = 0;
        double mean = 0;
        double square = 0;
        for (uint64_t seed = 1; seed <= seeds; seed++) {
            const struct stj_trace_result r = solve(op, method, f, 48, seed);
            ck_assert(r.products == 48 && r.error > 0 && r.low < r.value && r.value < r.high);
            covered += r.low <= want && want <= r.high;
            mean += (r.value - want) / (double)seeds;
            square += pow(r.value - want, 2) / (double)seeds;
        }
        printf("%-10s %-10s coverage %.3f\n", method, stj_trace_function_text(f),
               (double)covered / (double)seeds);
        ck_assert_msg(covered >= least_successes(seeds, 0.90), "%s %s: %zu of %zu covered", method,
                      stj_trace_function_text(f), covered, seeds);
        ck_assert_msg(fabs(mean) <= 4 * sqrt(square / (double)seeds),
                      "%s %s: bias %g, deviation %g", method, stj_trace_function_text(f), mean,
                      sqrt(square));
    }
    stj_op_destroy(op);
    known_matrix_free(k);
}
END_TEST

/* Rank 3: what spans the range is found, and nothing is left to chance.  Rounding: 2 x 20 products
 * of N terms. */
START_TEST(low_rank_is_exact)
{
    double sigma[N] = {3, 2, 1};
    struct known_matrix *k = known_matrix_create(N, N, sigma, 5);
    struct stj_op *op = known_matrix_op(k);
    for (size_t i = 0; i < 2; i++) {
        const struct stj_trace_result r = solve(op, methods[i], STJ_TRACE_FROBENIUS, 30, 7);
        ck_assert_msg(fabs(r.value - 14) <= 40 * N * DBL_EPSILON * 14 * N, "%s: %.17g", methods[i],
                      r.value);
        ck_assert_msg(r.error <= 1e-8, "%s: error %g", methods[i], r.error);
    }
    stj_op_destroy(op);
    known_matrix_free(k);
}
END_TEST

START_TEST(identity_and_zero_have_no_variance)
{
    double sigma[N];
    for (int one = 0; one < 2; one++) {
        for (size_t i = 0; i < N; i++)
            sigma[i] = one;
        struct stj_op *op = diagonal_op(N, sigma);
        for (size_t m = 0; m < N_METHODS; m++)
            for (enum stj_trace_function f = STJ_TRACE_TRACE; f <= STJ_TRACE_DEVIATION; f++) {
                const struct stj_trace_result r = solve(op, methods[m], f, 20, 7);
                const double want = (f == STJ_TRACE_DEVIATION) != one ? 200 : 0;
                ck_assert_msg(fabs(r.value - want) <= 1e-9 && r.error <= 1e-9 && isfinite(r.low),
                              "%s %s of %d: %.17g +- %g", methods[m], stj_trace_function_text(f),
                              one, r.value, r.error);
            }
        stj_op_destroy(op);
    }
}
END_TEST

/* As many products as columns: unit vectors, no error, whatever the method; N = 1 among them. */
START_TEST(enough_products_are_exact)
{
    for (size_t n = 1; n <= 40; n += 13) {
        double sigma[40];
        for (size_t i = 0; i < n; i++)
            sigma[i] = 1 + (double)i;
        struct known_matrix *k = known_matrix_create(n, n, sigma, 9);
        struct stj_op *op = known_matrix_op(k);
        for (enum stj_trace_function f = STJ_TRACE_TRACE; f <= STJ_TRACE_DEVIATION; f++) {
            const struct stj_trace_result r = solve(op, NULL, f, n, 1);
            const double want = truth(k, f);
            ck_assert_str_eq(r.method, "exact");
            ck_assert_msg(fabs(r.value - want) <= 100 * DBL_EPSILON * pow((double)n, 3),
                          "%s: %.17g for %.17g", stj_trace_function_text(f), r.value, want);
            ck_assert(r.error == 0 && r.low == r.value);
        }
        stj_op_destroy(op);
        known_matrix_free(k);
    }
}
END_TEST

/* |A|_F^2 of an operator that is not square; Hutchinson takes no products with A'. */
START_TEST(costs_are_what_they_should_be)
{
    struct stj_error err = STJ_ERROR_INIT;
    double sigma[50];
    for (size_t i = 0; i < 50; i++)
        sigma[i] = 1 / (1 + (double)i);
    struct known_matrix *k = known_matrix_create(50, 90, sigma, 10);
    struct stj_op *op = known_matrix_op(k);
    const double want = truth(k, STJ_TRACE_FROBENIUS);
    for (size_t m = 0; m < N_METHODS; m++) {
        const struct stj_trace_result r = solve(op, methods[m], STJ_TRACE_FROBENIUS, 36, 3);
        ck_assert_msg(fabs(r.value - want) <= 5 * r.error, "%s: %g +- %g for %g", methods[m],
                      r.value, r.error, want);
        ck_assert_double_eq(r.counts.jvp, 36);
        ck_assert_double_eq(r.counts.vjp, strcmp(methods[m], "hutchinson") == 0 ? 0 : 36);
    }
    struct stj_trace_settings s = stj_trace_settings_default();
    struct stj_trace_result r;
    EXPECT_FAIL(stj_trace_solve(op, &s, &r, &err), STJ_EINVAL, "square", err);
    s.function = STJ_TRACE_FROBENIUS;
    s.products = 3;
    EXPECT_FAIL(stj_trace_solve(op, &s, &r, &err), STJ_EINVAL, "at least 4", err);
    s.products = 30;
    s.confidence = 0;
    EXPECT_FAIL(stj_trace_solve(op, &s, &r, &err), STJ_EINVAL, "confidence is 0", err);
    s.confidence = 0.9;
    s.method = "xtrase";
    EXPECT_FAIL(stj_trace_solve(op, &s, &r, &err), STJ_ECONFIG, "xtrace", err);
    stj_op_destroy(op);
    known_matrix_free(k);
}
END_TEST

static int always(void *ctx, const char *what, double done, double total)
{
    (void)ctx;
    (void)what;
    (void)done;
    (void)total;
    return 1;
}

START_TEST(an_interrupt_ends_it)
{
    struct stj_error err = STJ_ERROR_INIT;
    double sigma[N] = {1};
    struct stj_op *op = diagonal_op(N, sigma);
    struct stj_trace_settings s = stj_trace_settings_default();
    struct stj_trace_result r;
    s.progress = (struct stj_progress){.fn = always};
    EXPECT_FAIL(stj_trace_solve(op, &s, &r, &err), STJ_EINTERRUPTED, "interrupted", err);
    stj_op_destroy(op);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("traces of known operators");
    TCase *tc = tcase_create("trace");
    tcase_set_timeout(tc, 120 * fmax(1, test_multiplier()));
    tcase_add_test(tc, fast_decay_is_what_xtrace_is_for);
    tcase_add_loop_test(tc, intervals_are_calibrated, 0, N_METHODS);
    tcase_add_test(tc, low_rank_is_exact);
    tcase_add_test(tc, identity_and_zero_have_no_variance);
    tcase_add_test(tc, enough_products_are_exact);
    tcase_add_test(tc, costs_are_what_they_should_be);
    tcase_add_test(tc, an_interrupt_ends_it);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
