/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/o-repeated.c: the largest singular values where values repeat or nearly do.
 *
 * Operators are diagonal: Gaussian start vectors know no preferred basis, so a diagonal matrix
 * stands for all of its singular values.  An answer lacks a value where some sigma_i that was
 * returned is below the true one by more than 1e-8 sigma_1 (closer values are ties); such an answer
 * may be given, as what a budget allowed, but never be called converged.
 */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <spectraj/svd.h>

#include "base/memory.h"
#include "base/rng.h"
#include "expect.h"
#include "known_op.h"
#include "small_run.h"
#include "spectrum/svd/svd_method.h"

enum { SPECTRA = 200 };

static const double tie = 1e-8;

static int descending(const void *a, const void *b)
{
    const double x = *(const double *)a;
    const double y = *(const double *)b;
    return (x < y) - (x > y);
}

/* A value of one of five spectra: log-normal, even, a bulk of ones with a tail, clusters split by
 * 1e-3 to 1e-14, log-even. */
static double draw_value(struct stj_rng *rng, size_t kind)
{
    switch (kind) {
    case 0:
        return exp(stj_rng_normal(rng));
    case 1:
        return 3 * stj_rng_uniform(rng);
    case 2:
        return 1 + 0.3 * fmax(stj_rng_normal(rng), 0);
    case 3:
        return 1 + (double)stj_rng_index(rng, 4) +
               pow(10, -3 - 11 * stj_rng_uniform(rng)) * stj_rng_uniform(rng);
    default:
        return pow(10, 4 * stj_rng_uniform(rng) - 3);
    }
}

/* 1 mostly, up to 50. */
static size_t draw_multiplicity(struct stj_rng *rng)
{
    const double x = stj_rng_uniform(rng);
    return x < 0.7 ? 1 : x < 0.98 ? 2 + stj_rng_index(rng, 6) : 8 + stj_rng_index(rng, 43);
}

static void draw_spectrum(struct stj_rng *rng, size_t kind, size_t n, double *sigma)
{
    for (size_t i = 0; i < n;) {
        const double value = draw_value(rng, kind);
        for (size_t j = draw_multiplicity(rng); j > 0 && i < n; j--)
            sigma[i++] = value;
    }
    qsort(sigma, n, sizeof *sigma, descending);
}

/* By how much the worst of the first k lacks, of sigma_1; sigma is the truth, descending. */
static double lacking(const struct stj_svd_result *r, const double *sigma, size_t k)
{
    double worst = r->top.k < k ? 1 : 0;
    for (size_t i = 0; i < k && i < r->top.k; i++)
        worst = fmax(worst, (sigma[i] - r->top.sigma[i]) / sigma[0]);
    return worst;
}

static struct stj_svd_result *solve_op(struct stj_op *op, struct stj_svd_settings s)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_svd_result *r = NULL;
    EXPECT_OK(stj_svd_solve(op, &s, &r, &err), err);
    return r;
}

static struct stj_svd_result *solve(size_t n, const double *sigma, struct stj_svd_settings s)
{
    struct stj_op *op = diagonal_op(n, sigma);
    struct stj_svd_result *r = solve_op(op, s);
    stj_op_destroy(op);
    return r;
}

/* Of every spectrum by a number and by a threshold (between two values, or below a group). */
START_TEST(nothing_that_lacks_is_called_converged)
{
    static const char *const methods[] = {NULL, "arpack", "lanczos"};
    const bool by_threshold = _i >= 3;
    struct stj_error err = STJ_ERROR_INIT;
    size_t right = 0;
    const size_t seeds = test_seeds(SPECTRA / 4);
    for (size_t seed = 0; seed < seeds; seed++) {
        struct stj_rng *rng = NULL;
        double sigma[600];
        EXPECT_OK(stj_rng_create(seed, STJ_STREAM_CHECK, 7, &rng, &err), err);
        const size_t n = 100 + stj_rng_index(rng, 400);
        const size_t k = 2 + stj_rng_index(rng, 30);
        draw_spectrum(rng, seed % 5, n, sigma);
        stj_rng_destroy(rng);
        struct stj_svd_settings s = stj_svd_settings_default();
        s.method = methods[_i % 3];
        s.seed = seed;
        size_t wanted = k;
        if (by_threshold) {
            s.top = 0;
            s.above = sigma[k] * (1 - 1e-6);
            while (wanted < n && sigma[wanted] > s.above)
                wanted++;
        } else {
            s.top = k;
        }
        struct stj_svd_result *r = solve(n, sigma, s);
        const double worst = lacking(r, sigma, wanted);
        const bool converged = r->stop == STJ_STOP_CONVERGED;
        ck_assert_msg(worst <= tie || !converged,
                      "seed %zu, n %zu, %zu wanted: lacks %g of sigma_1 and is called converged",
                      seed, n, wanted, worst);
        ck_assert_msg(r->outside.missed == 0 || worst > 0,
                      "seed %zu, n %zu, %zu wanted: nothing lacks, but %zu are said to be missed",
                      seed, n, wanted, r->outside.missed);
        ck_assert_msg(!converged || r->converged == r->requested, "seed %zu: %zu of %zu", seed,
                      r->converged, r->requested);
        right += worst <= tie && converged;
        stj_svd_result_destroy(r);
    }
    ck_assert_msg(right >= floor(0.95 * (double)seeds), "%zu of %zu are right", right, seeds);
}
END_TEST

/* Networks whose Jacobians repeat values: as many times as there are outputs (linear and softmax
 * regression, heads that begin at zero), or because layers do not see each other. */
static const char *const networks[] = {
    "{input: [9], layers: [{type: dense, units: 10}], loss: mean_squared_error}",
    "{input: [6], layers: [{type: dense, units: 13}], loss: softmax_cross_entropy}",
    "{input: [5], layers: [{type: dense, units: 8}, tanh, {type: dense, units: 7, kernel_init: "
    "zeros}], loss: softmax_cross_entropy}",
    "{input: [8], layers: [{type: residual, layers: [{type: residual, layers: [{type: dense, "
    "units: "
    "8}]}]}, {type: dense, units: 3}], loss: softmax_cross_entropy}",
    "{input: [12], layers: [{type: dense, units: 6, bias: false, kernel_init: zeros}], loss: "
    "mean_squared_error}",
};
enum { N_NETWORKS = sizeof networks / sizeof networks[0], TRAININGS = 4 };

START_TEST(trainings_are_as_dense_says)
{
    static const size_t wanted[] = {3, 8, 20};
    const struct small_spec spec = {.network = networks[_i % N_NETWORKS],
                                    .optimizer = "{type: sgd, momentum: 0.9}",
                                    .schedule = "{schedule: constant, peak: 0.3}",
                                    .rows = 12,
                                    .batch = 6,
                                    .steps = 5,
                                    .seed = (uint64_t)_i};
    struct small_run *run = small_run_create(&spec);
    struct stj_op *op = small_run_jacobian(run, 0, run->n_steps, 0, 0);
    struct stj_svd_settings s = stj_svd_settings_default();
    s.method = "dense";
    s.top = run->n;
    struct stj_svd_result *dense = solve_op(op, s);
    const double *truth = dense->top.sigma;
    for (size_t i = 0; i < 6; i++) {
        const size_t k = wanted[i / 2];
        s = stj_svd_settings_default();
        s.method = "arpack";
        s.top = i % 2 ? 0 : k;
        s.above = i % 2 ? truth[k] + 1e-6 * truth[0] : 0;
        size_t above = 0;
        while (truth[above] > s.above)
            above++;
        struct stj_svd_result *r = solve_op(op, s);
        const double worst = lacking(r, truth, i % 2 ? above : k);
        ck_assert_msg(worst <= tie && r->stop == STJ_STOP_CONVERGED,
                      "training %d, %zu largest (%s): lacks %g of sigma_1, stop %s", _i, k,
                      i % 2 ? "threshold" : "number", worst, stj_stop_text(r->stop));
        stj_svd_result_destroy(r);
    }
    stj_svd_result_destroy(dense);
    stj_op_destroy(op);
    small_run_destroy(run);
}
END_TEST

/* The largest, or an inner value, so many times. */
START_TEST(multiplicities_up_to_50_are_found)
{
    static const size_t times[] = {1, 2, 3, 10, 13, 50};
    enum { N = 400 };
    for (size_t inner = 0; inner < 2; inner++) {
        double sigma[N];
        const size_t m = times[_i];
        struct stj_svd_settings s = stj_svd_settings_default();
        for (size_t i = 0; i < N; i++)
            sigma[i] = i < 3 * inner       ? 4 - 0.1 * (double)i
                       : i < 3 * inner + m ? 3
                                           : 2.9 * pow(0.97, (double)i);
        s.top = m + 5;
        s.method = "arpack";
        struct stj_svd_result *r = solve(N, sigma, s);
        ck_assert_msg(lacking(r, sigma, s.top) <= tie && r->stop == STJ_STOP_CONVERGED,
                      "%zu times, inner %zu: lacks %g, stop %s", m, inner, lacking(r, sigma, s.top),
                      stj_stop_text(r->stop));
        stj_svd_result_destroy(r);
    }
}
END_TEST

/* J = c I, and J = 0: every basis is one of singular vectors. */
START_TEST(multiples_of_the_identity_are_no_trouble)
{
    static const double scale[] = {1, 3, 1e-8, 1e8, 0};
    enum { N = 120 };
    double sigma[N];
    for (size_t i = 0; i < N; i++)
        sigma[i] = scale[_i];
    for (size_t k = 1; k <= 40; k += 13) {
        struct stj_svd_settings s = stj_svd_settings_default();
        s.top = k;
        s.method = "arpack";
        struct stj_svd_result *r = solve(N, sigma, s);
        ck_assert_msg(lacking(r, sigma, k) <= 1e-12 || scale[_i] == 0, "lacks %g",
                      lacking(r, sigma, k));
        ck_assert_msg(r->top.k == k && r->outside.missed == 0 && !r->outside.undecided,
                      "%zu of %zu pairs, %zu missed", r->top.k, k, r->outside.missed);
        stj_svd_result_destroy(r);
    }
}
END_TEST

/* The bound of a look holds for what lies outside, in all but 1e-3 of the seeds; a smaller delta
 * that is asked for is reached. */
START_TEST(bounds_hold)
{
    enum { N = 300, K = 10 };
    struct stj_error err = STJ_ERROR_INIT;
    double sigma[N];
    size_t held = 0;
    const size_t seeds = test_seeds(40);
    for (size_t i = 0; i < N; i++)
        sigma[i] = 5 * (1 - (double)i / N);
    for (size_t seed = 0; seed < seeds; seed++) {
        struct stj_svd_settings s = stj_svd_settings_default();
        struct stj_svd_outside outside = {0};
        struct stj_op *op = diagonal_op(N, sigma);
        double v[N * K] = {0};
        for (size_t j = 0; j < K; j++)
            v[j * N + j] = 1;
        s.seed = seed;
        s.certify = seed % 2 ? 1e-3 : 0;
        const struct stj_svd_budget budget = {
            .settings = &s, .a = op, .begin = stj_op_get_counts(op)};
        struct stj_svd_look look = {
            .k = K, .v = v, .level = sigma[K - 1], .sigma_1 = sigma[0], .products = 60};
        EXPECT_OK(stj_svd_look_outside(op, &budget, &look, &outside, &err), err);
        ck_assert_msg(outside.missed == 0 && outside.sigma <= sigma[K] * (1 + 1e-12),
                      "seed %zu: %zu missed, sigma %.17g", seed, outside.missed, outside.sigma);
        ck_assert_msg(s.certify == 0 || (outside.bound <= 1.001 * sigma[K - 1] * (1 + 1e-12) &&
                                         !outside.undecided),
                      "seed %zu: bound %g", seed, outside.bound);
        held += outside.bound >= sigma[K];
        stj_op_destroy(op);
    }
    ck_assert_uint_ge(held, least_successes(seeds, 1 - 1e-3));
}
END_TEST

/* A budget that ends the look makes the pairs "at least these". */
START_TEST(a_budget_that_ends_the_look_says_so)
{
    enum { N = 500 };
    double sigma[N];
    struct stj_svd_settings s = stj_svd_settings_default();
    for (size_t i = 0; i < N; i++)
        sigma[i] = 20 * pow(0.98, (double)i);
    s.top = 10;
    s.method = "arpack";
    struct stj_svd_result *whole = solve(N, sigma, s);
    ck_assert_int_eq(whole->stop, STJ_STOP_CONVERGED);
    s.max_applications = whole->counts.jvp + whole->counts.vjp - 6;
    struct stj_svd_result *r = solve(N, sigma, s);
    ck_assert_msg(r->converged == 10 && r->outside.undecided &&
                      r->stop == STJ_STOP_MAX_APPLICATIONS,
                  "%zu converged, undecided %d, stop %s", r->converged, r->outside.undecided,
                  stj_stop_text(r->stop));
    stj_svd_result_destroy(r);
    stj_svd_result_destroy(whole);
}
END_TEST

/* Where products with a method would exceed what the whole matrix takes, it is taken. */
START_TEST(the_whole_matrix_is_taken_where_it_is_cheaper)
{
    enum { N = 260, GROUPS = 13 };
    double sigma[N];
    struct stj_svd_settings s = stj_svd_settings_default();
    for (size_t i = 0; i < N; i++)
        sigma[i] = 1 - 0.01 * (double)(i / (N / GROUPS));
    s.top = 30;
    struct stj_svd_result *r = solve(N, sigma, s);
    ck_assert_msg(lacking(r, sigma, s.top) <= tie && r->stop == STJ_STOP_CONVERGED, "lacks %g",
                  lacking(r, sigma, s.top));
    ck_assert_str_eq(r->method, "dense");
    ck_assert_msg(r->counts.jvp + r->counts.vjp <= 2.5 * N, "%g products",
                  r->counts.jvp + r->counts.vjp);
    stj_svd_result_destroy(r);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("repeated singular values");
    TCase *tc = tcase_create("repeated");
    tcase_set_timeout(tc, 300 * fmax(1, test_multiplier()));
    tcase_add_loop_test(tc, nothing_that_lacks_is_called_converged, 0, 6);
    tcase_add_loop_test(tc, trainings_are_as_dense_says, 0, N_NETWORKS * TRAININGS);
    tcase_add_loop_test(tc, multiplicities_up_to_50_are_found, 0, 6);
    tcase_add_loop_test(tc, multiples_of_the_identity_are_no_trouble, 0, 5);
    tcase_add_test(tc, bounds_hold);
    tcase_add_test(tc, a_budget_that_ends_the_look_says_so);
    tcase_add_test(tc, the_whole_matrix_is_taken_where_it_is_cheaper);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
