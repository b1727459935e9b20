/* SPDX-License-Identifier: GPL-3.0-or-later */
/* bench/traces.c: the errors of the trace estimators at equal numbers of products, one line of JSON each.
 *
 * Diagonal matrices of known trace stand for all matrices of their spectrum, since Gaussian probes know no
 * preferred basis.  `error` is the root mean square over seeds of the relative error.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <spectraj.h>

enum { N = 1000, SEEDS = 20 };

/* Spectra: 0.8^i; 1/(1 + i); a bulk at 1 with one outlier in ten, from 10 down. */
static double fast_decay(size_t i)
{
    return pow(0.8, (double)i);
}

static double slow_decay(size_t i)
{
    return 1 / (1 + (double)i);
}

static double bulk(size_t i)
{
    return i < N / 10 ? pow(10, 1 - (double)i / (N / 10)) : 1;
}

static const struct {
    const char *name;
    double (*sigma)(size_t i);
} spectra[] = {{"fast-decay", fast_decay}, {"slow-decay", slow_decay}, {"bulk", bulk}};

static enum stj_status apply(void *ctx, enum stj_trans trans, size_t nvec, const double *x,
                             size_t ldx, double *y, size_t ldy, struct stj_error *err)
{
    const double *sigma = ctx;
    (void)trans;
    (void)err;
    for (size_t j = 0; j < nvec; j++)
        for (size_t i = 0; i < N; i++)
            y[j * ldy + i] = sigma[i] * x[j * ldx + i];
    return STJ_OK;
}

/* *error <- of one method at a number of products. */
static enum stj_status measure(struct stj_op *op, const char *method, size_t products, double truth,
                               double *error, struct stj_error *err)
{
    double square = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct stj_trace_settings settings = stj_trace_settings_default();
        struct stj_trace_result result;
        settings.method = method;
        settings.products = products;
        settings.seed = seed;
        const enum stj_status st = stj_trace_solve(op, &settings, &result, err);
        if (st != STJ_OK)
            return st;
        square += pow((result.value - truth) / truth, 2) / SEEDS;
    }
    *error = sqrt(square);
    return STJ_OK;
}

/* Every method of one spectrum; `gain` is Hutchinson's error over the method's. */
static enum stj_status run_spectrum(size_t which, size_t products, struct stj_error *err)
{
    double sigma[N];
    double truth = 0;
    double plain = NAN;
    struct stj_op *op = NULL;
    const char *name = NULL;
    const char *doc = NULL;
    for (size_t i = 0; i < N; i++)
        truth += sigma[i] = spectra[which].sigma(i);
    enum stj_status st = stj_op_create(N, N, apply, NULL, sigma, &op, err);
    if (st == STJ_OK)
        st = measure(op, "hutchinson", products, truth, &plain, err);
    for (size_t m = 0; st == STJ_OK && stj_trace_get_method(m, &name, &doc); m++) {
        double error = NAN;
        st = measure(op, name, products, truth, &error, err);
        if (st == STJ_OK)
            printf("{\"case\":\"trace-%s\",\"method\":\"%s\",\"products\":%zu,\"error\":%.3g,"
                   "\"gain\":%.3g}\n",
                   spectra[which].name, name, products, error, plain / error);
    }
    stj_op_destroy(op);
    return st;
}

int main(void)
{
    struct stj_error err = STJ_ERROR_INIT;
    for (size_t which = 0; which < sizeof spectra / sizeof spectra[0]; which++)
        for (size_t products = 30; products <= 120; products *= 2)
            if (run_spectrum(which, products, &err) != STJ_OK) {
                fprintf(stderr, "traces: %s\n", err.text);
                return EXIT_FAILURE;
            }
    return EXIT_SUCCESS;
}
