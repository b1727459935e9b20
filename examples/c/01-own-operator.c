/* SPDX-License-Identifier: GPL-3.0-or-later */
/* examples/c/01-own-operator.c: singular values of a linear operator of your own.
 *
 *   cc 01-own-operator.c $(pkg-config --cflags --libs spectraj) -lm -o 01-own-operator
 *   ./01-own-operator
 *
 * The operator takes differences of neighbours, (A x)_i = x_(i+1) - x_i, n - 1 rows and n columns.
 * It is never formed, and its singular values are known: 2 sin(k pi / 2n), k = 1 .. n - 1, and 0.
 */
#include <math.h>
#include <spectraj.h>
#include <stdio.h>
#include <stdlib.h>

enum { N = 400, PAIRS = 5 };

/* Y <- A X, or A'Y, for a block of vectors. */
static enum stj_status differences(void *ctx, enum stj_trans trans, size_t nvec, const double *x,
                                   size_t ldx, double *y, size_t ldy, struct stj_error *err)
{
    (void)ctx;
    (void)err;
    for (size_t b = 0; b < nvec; b++) {
        const double *u = x + b * ldx;
        double *v = y + b * ldy;
        if (trans == STJ_NO_TRANS)
            for (size_t i = 0; i + 1 < N; i++)
                v[i] = u[i + 1] - u[i];
        else
            for (size_t i = 0; i < N; i++)
                v[i] = (i > 0 ? u[i - 1] : 0) - (i + 1 < N ? u[i] : 0);
    }
    return STJ_OK;
}

static double exact(size_t k)
{
    return 2 * sin((double)k * acos(-1.0) / (2.0 * N));
}

/* Singular values above 1 + epsilon. */
static size_t exactly_above(double epsilon)
{
    size_t count = 0;
    for (size_t k = 1; k < N; k++)
        count += exact(k) > 1 + epsilon;
    return count;
}

int main(void)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_op *op = NULL;
    struct stj_svd_result *pairs = NULL;
    struct stj_density_result *counts = NULL;
    struct stj_svd_settings svd = stj_svd_settings_default();
    struct stj_density_settings density = stj_density_settings_default();
    double adjoint_error = 1;
    double worst = 1;
    svd.top = PAIRS;
    stj_set_threads(1);

    if (stj_op_create(N - 1, N, differences, NULL, NULL, &op, &err) == STJ_OK &&
        stj_op_adjoint_error(op, 5, 0, &adjoint_error, &err) == STJ_OK &&
        stj_svd_solve(op, &svd, &pairs, &err) == STJ_OK &&
        stj_density_solve(op, &density, &counts, &err) == STJ_OK) {
        const struct stj_density_count *above = &counts->regions.chaotic;
        printf("adjoint error %.1e\n", adjoint_error);
        worst = 0;
        for (size_t i = 0; i < pairs->top.k; i++) {
            printf("sigma_%zu %.12f  exactly %.12f\n", i + 1, pairs->top.sigma[i],
                   exact(N - 1 - i));
            worst = fmax(worst, fabs(pairs->top.sigma[i] - exact(N - 1 - i)));
        }
        printf("above %.1f: %.1f of %d, between %.1f and %.1f; exactly %zu\n", 1 + counts->epsilon,
               above->estimate, N, above->low, above->high, exactly_above(counts->epsilon));
    }
    if (err.code != STJ_OK)
        fprintf(stderr, "01-own-operator: %s\n", err.text);
    stj_density_result_destroy(counts);
    stj_svd_result_destroy(pairs);
    stj_op_destroy(op);
    /* Values are certified by residuals of 1e-10 sigma_1; they are far better than that. */
    return worst < 1e-9 && adjoint_error < 1e-14 ? EXIT_SUCCESS : EXIT_FAILURE;
}
