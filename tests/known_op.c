/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/known_op.c: operators of known singular values. */
#include "known_op.h"

#include <gsl/gsl_cdf.h>
#include <gsl/gsl_randist.h>
#include <math.h>
#include <stdlib.h>

#include "base/blas.h"
#include "expect.h"
#include "small_run.h"

struct diagonal {
    size_t n;
    const double *sigma;
};

static enum stj_status diagonal_apply(void *ctx, enum stj_trans trans, size_t nvec, const double *x,
                                      size_t ldx, double *y, size_t ldy, struct stj_error *err)
{
    (void)trans;
    (void)err;
    const struct diagonal *d = ctx;
    for (size_t j = 0; j < nvec; j++)
        for (size_t i = 0; i < d->n; i++)
            y[j * ldy + i] = d->sigma[i] * x[j * ldx + i];
    return STJ_OK;
}

struct stj_op *diagonal_op(size_t n, const double *sigma)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_op *op = NULL;
    struct diagonal *d = malloc(sizeof *d);
    *d = (struct diagonal){n, sigma};
    EXPECT_OK(stj_op_create(n, n, diagonal_apply, free, d, &op, &err), err);
    return op;
}

struct known_matrix *known_matrix_create(size_t m, size_t n, const double *sigma, uint64_t seed)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct known_matrix *k = calloc(1, sizeof *k);
    *k = (struct known_matrix){.m = m, .n = n, .least = m < n ? m : n};
    k->a = calloc(m * n, sizeof *k->a);
    k->u = normal_numbers(m * k->least, seed);
    k->v = normal_numbers(n * k->least, seed + 1);
    EXPECT_OK(stj_qr(m, k->least, k->u, m, NULL, &err), err);
    EXPECT_OK(stj_qr(n, k->least, k->v, n, NULL, &err), err);
    for (size_t i = 0; i < k->least; i++)
        for (size_t c = 0; c < n; c++)
            stj_axpy(m, sigma[i] * k->v[i * n + c], k->u + i * m, k->a + c * m);
    return k;
}

void known_matrix_free(struct known_matrix *k)
{
    free(k->a);
    free(k->u);
    free(k->v);
    free(k);
}

struct stj_op *known_matrix_op(struct known_matrix *k)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_op *op = NULL;
    EXPECT_OK(stj_op_create_dense(k->m, k->n, k->a, k->m, &op, &err), err);
    return op;
}

/* A number in [0, 1) that looks random and is the same everywhere. */
static double scatter(size_t i)
{
    const double x = (double)i * 0.6180339887498949;
    const double y = sin((double)(i + 1) * 12.9898) * 43758.5453;
    return fmod(x + (y - floor(y)), 1);
}

static double share(size_t i, size_t n)
{
    return ((double)i + 0.5) / (double)n;
}

static double bulk_at_one(size_t i, size_t n)
{
    const double p = share(i, n);
    if (p < 0.15)
        return 1 + pow(10, -3 + 4 * p / 0.15);
    return p < 0.75 ? 1 : 1 - pow(10, -4 + 4 * (p - 0.75) / 0.25);
}

static double clusters(size_t i, size_t n)
{
    static const double value[] = {5, 3, 2, 1.2, 1.15, 1, 0.95, 0.8, 0.5, 0};
    return value[i * 10 / n];
}

static double rank_deficient(size_t i, size_t n)
{
    return i < n / 2 ? 0 : -1.2 * log(1 - scatter(i));
}

static double six_decades(size_t i, size_t n)
{
    const double p = share(i, n);
    if (p < 0.03)
        return pow(10, 1 + 5 * p / 0.03);
    return p < 0.8 ? 1 + 0.3 * (scatter(i) - 0.5) : scatter(i);
}

static double identity(size_t i, size_t n)
{
    (void)i;
    (void)n;
    return 1;
}

static double dense_at_the_edge(size_t i, size_t n)
{
    const double p = share(i, n);
    return p < 0.5 ? 1.05 + 0.2 * p : p < 0.98 ? 0.2 + 1.56 * (p - 0.5) : 2 + 900 * (p - 0.98);
}

static double gap_at_the_edge(size_t i, size_t n)
{
    const double p = share(i, n);
    return p < 0.8 ? 0.9001 + 0.2498 * p : p < 0.85 ? 1.2 + 600 * (p - 0.8) : 5 * (p - 0.85);
}

static double spread(size_t i, size_t n)
{
    return 2 * share(i, n);
}

static double few_outside(size_t i, size_t n)
{
    return i < 3    ? 2.4 + 0.3 * (double)i
           : i < 10 ? 0.07 * (double)(i - 3)
                    : 1 + 0.1 * (share(i, n) - 0.5);
}

static double unresolved(size_t i, size_t n)
{
    return pow(10, -5 + 8 * share(i, n));
}

const struct known_spectrum known_spectra[] = {
    {"bulk exactly at 1", 400, 50, bulk_at_one},
    {"ten clusters", 400, 20, clusters},
    {"rank deficient", 400, 50, rank_deficient},
    {"sigma_1 = 1e6", 400, 60, six_decades},
    {"J = I", 400, 20, identity},
    {"N = 1", 1, 20, identity},
    {"more steps than N", 20, 50, spread},
    {"all of the N steps", 30, 30, rank_deficient},
    {"dense at the edge", 400, 40, dense_at_the_edge},
    {"gap at the edge", 400, 50, gap_at_the_edge},
    {"spread evenly", 400, 40, spread},
    {"few outside the bulk", 400, 30, few_outside},
    {"eight decades, unresolved", 400, 40, unresolved},
};
const size_t n_known_spectra = sizeof known_spectra / sizeof known_spectra[0];

double test_multiplier(void)
{
    const char *text = getenv("STJ_TEST_MULTIPLIER");
    const double x = text ? strtod(text, NULL) : 1;
    return x > 0 ? x : 1;
}

size_t test_seeds(size_t n)
{
    enum { LEAST = 8 }; /* a mean and its error */
    return (size_t)fmax(LEAST, (double)n * test_multiplier());
}

size_t least_successes(size_t n, double p)
{
    size_t k = 0;
    while (k < n && gsl_cdf_binomial_P((unsigned)k, p, (unsigned)n) < 1e-3)
        k++;
    return k;
}
