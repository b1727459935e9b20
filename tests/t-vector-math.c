/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/t-vector-math.c: the functions of net/vector_math.h against extended precision, over the
 * whole range, in units in the last place; and that an element's bits do not depend on its place. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/target_clones.h"
#include "net/vector_math.h"

enum { N = 200000 };

/* Loops as layers have them. */
#define LOOP(name, expression)                                                                     \
    STJ_CLONES static void loop_##name(size_t n, const double *restrict x, double *restrict y)     \
    {                                                                                              \
        for (size_t i = 0; i < n; i++)                                                             \
            y[i] = expression;                                                                     \
    }

LOOP(exp, stj_exp(x[i]))
LOOP(tanh, stj_tanh(x[i]))
LOOP(logistic, stj_logistic(x[i]).value)
LOOP(complement, stj_logistic(x[i]).complement)
LOOP(log1p, stj_log1p_unit(x[i]))
LOOP(softplus, stj_softplus(x[i]))
LOOP(erfc, stj_erfc(x[i]))

static long double logistic(long double x)
{
    return 1 / (1 + expl(-x));
}

static long double complement(long double x)
{
    return 1 / (1 + expl(x));
}

static long double softplus(long double x)
{
    return x > 0 ? x + log1pl(expl(-x)) : log1pl(expl(x));
}

static const struct {
    const char *name;
    void (*loop)(size_t n, const double *x, double *y);
    long double (*exact)(long double x);
    double from, to;
    double ulp; /* as the header states */
} functions[] = {
    {"exp", loop_exp, expl, -708, 709.78, 2},
    {"tanh", loop_tanh, tanhl, -30, 30, 5},
    {"logistic", loop_logistic, logistic, -700, 700, 3},
    {"complement", loop_complement, complement, -700, 700, 3},
    {"log1p", loop_log1p, log1pl, 0, 1, 3},
    {"softplus", loop_softplus, softplus, -700, 700, 4},
    {"erfc", loop_erfc, erfcl, 0, 26, 8},
};

enum { N_FUNCTIONS = sizeof functions / sizeof functions[0] };

/* Half the numbers evenly over the range, half with even exponents from 2^-40 up, of both signs where
 * the range has both. */
static double *numbers(double from, double to)
{
    double *x = malloc(N * sizeof *x);
    srand(1);
    for (int i = 0; i < N; i++) {
        const double u = rand() / (double)RAND_MAX;
        const double size = exp2(-40 + (40 + log2(to)) * u);
        x[i] = i % 2 ? from + (to - from) * u : i % 4 && from < 0 ? fmax(-size, from) : size;
    }
    return x;
}

START_TEST(errors_are_as_stated)
{
    double *x = numbers(functions[_i].from, functions[_i].to);
    double *y = malloc(N * sizeof *y);
    functions[_i].loop(N, x, y);
    for (int i = 0; i < N; i++) {
        const long double exact = functions[_i].exact((long double)x[i]);
        const double near = fabs((double)exact);
        const double ulp = nextafter(near, INFINITY) - near;
        const double error = (double)fabsl((long double)y[i] - exact) / ulp;
        ck_assert_msg(error <= functions[_i].ulp, "%s(%.17g) = %.17g, off by %g ulp > %g",
                      functions[_i].name, x[i], y[i], error, functions[_i].ulp);
    }
    free(x);
    free(y);
}
END_TEST

START_TEST(bits_do_not_depend_on_the_place)
{
    enum { LENGTH = 41 };
    double *x = numbers(functions[_i].from, functions[_i].to);
    double whole[LENGTH];
    double part[LENGTH];
    functions[_i].loop(LENGTH, x, whole);
    for (size_t first = 0; first < LENGTH; first++)
        for (size_t n = 1; first + n <= LENGTH; n++) {
            functions[_i].loop(n, x + first, part);
            ck_assert_msg(memcmp(part, whole + first, n * sizeof *part) == 0, "%s: %zu from %zu on",
                          functions[_i].name, n, first);
        }
    free(x);
}
END_TEST

START_TEST(extreme_arguments_have_limits)
{
    ck_assert_double_eq(stj_exp(0), 1);
    ck_assert_double_eq(stj_exp(-709), 0);
    ck_assert_double_eq(stj_exp(-INFINITY), 0);
    ck_assert_double_eq(stj_exp(710), INFINITY);
    ck_assert_double_eq(stj_exp(INFINITY), INFINITY);
    for (double x = 30; x <= 1e300; x *= 1e30) {
        ck_assert_double_eq(stj_tanh(x), 1);
        ck_assert_double_eq(stj_tanh(-x), -1);
    }
    ck_assert_double_eq(stj_tanh(INFINITY), 1);
    ck_assert(signbit(stj_tanh(-0.0)));
    ck_assert_double_eq(stj_tanh(0), 0);
    ck_assert_double_eq(stj_tanh(1e-300), 1e-300);
    ck_assert_double_eq(stj_logistic(0).value, 0.5);
    ck_assert_double_eq(stj_logistic(INFINITY).value, 1);
    ck_assert_double_lt(stj_logistic(-INFINITY).value, 1e-300);
    ck_assert_double_eq(stj_softplus(1e300), 1e300);
    ck_assert_double_eq(stj_softplus(INFINITY), INFINITY);
    ck_assert_double_lt(stj_softplus(-INFINITY), 1e-300);
    ck_assert_double_lt(stj_erfc(INFINITY), 1e-300);
    const double nans[] = {
        stj_exp(NAN),      stj_tanh(NAN), stj_logistic(NAN).value, stj_logistic(NAN).complement,
        stj_softplus(NAN), stj_erfc(NAN)};
    for (size_t i = 0; i < sizeof nans / sizeof nans[0]; i++)
        ck_assert_msg(isnan(nans[i]), "function %zu of NaN is %g", i, nans[i]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("vector math");
    TCase *tc = tcase_create("functions");
    tcase_add_loop_test(tc, errors_are_as_stated, 0, N_FUNCTIONS);
    tcase_add_loop_test(tc, bits_do_not_depend_on_the_place, 0, N_FUNCTIONS);
    tcase_add_test(tc, extreme_arguments_have_limits);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
