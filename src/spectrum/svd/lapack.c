/* SPDX-License-Identifier: GPL-3.0-or-later */
/* spectrum/svd/lapack.c: the operator as a matrix, and its SVD by LAPACK's gesdd.
 *
 * The slow twin of the iterative methods: oracle, and the method for operators so small that a
 * basis would fill the space.  Cost: n_cols products with A; memory about 3 n_rows n_cols numbers.
 * Of several ranks the first decomposes the matrix and tells the others, which hold it once while
 * it is made.
 */
#include <float.h>
#include <stdlib.h>
#include <string.h>

#include "base/blas.h"
#include "base/error.h"
#include "base/memory.h"
#include "parallel/ranks.h"
#include "spectrum/svd/svd_method.h"

static const double most_of_limit = 0.9; /* beside it there is a product's work space */

/* The k pairs at one end of the decomposition, from the end inwards. */
static enum stj_status lapack_take(const double *u, const double *sigma, const double *vt, size_t m,
                                   size_t n, size_t k, bool smallest, struct stj_svd_basis *basis,
                                   struct stj_error *err)
{
    const size_t least = m < n ? m : n;
    STJ_MUST(stj_new(&basis->v, n, k * sizeof *basis->v, err));
    STJ_MUST(stj_new(&basis->u, m, k * sizeof *basis->u, err));
    STJ_MUST(stj_new(&basis->sigma, k, sizeof *basis->sigma, err));
    for (size_t j = 0; j < k; j++) {
        const size_t from = smallest ? least - 1 - j : j;
        basis->sigma[j] = sigma[from];
        memcpy(basis->u + j * m, u + from * m, m * sizeof *u);
        for (size_t i = 0; i < n; i++)
            basis->v[j * n + i] = vt[i * least + from];
    }
    basis->k = k;
    basis->sigma_1 = sigma[0];
    return STJ_OK;
}

/* How many pairs to take: the number wanted, or all beyond a threshold, or within rounding of it,
 * and one more, which shows it. */
static size_t lapack_wanted(const struct stj_svd_settings *s, bool smallest, size_t least,
                            const double *sigma)
{
    const double threshold = smallest ? s->below : s->above;
    const double rounding = 8 * DBL_EPSILON * sigma[0];
    size_t k = 0;
    if (threshold == 0)
        return smallest ? s->bottom : s->top;
    while (k < least &&
           (smallest ? sigma[least - 1 - k] < threshold : sigma[k] + rounding > threshold))
        k++;
    return k < least ? k + 1 : k;
}

/* basis <- the pairs that the settings want of a matrix, which is destroyed. */
static enum stj_status lapack_decompose(size_t m, size_t n, double *matrix,
                                        const struct stj_svd_settings *settings, bool smallest,
                                        struct stj_svd_basis *basis, struct stj_error *err)
{
    const size_t least = m < n ? m : n;
    STJ_FREED double *sigma = NULL;
    STJ_FREED double *u = NULL;
    STJ_FREED double *vt = NULL;
    STJ_MUST(stj_new(&sigma, least, sizeof *sigma, err));
    STJ_MUST(stj_new(&u, m, least * sizeof *u, err));
    STJ_MUST(stj_new(&vt, least, n * sizeof *vt, err));
    STJ_MUST(stj_gesdd(m, n, matrix, m, sigma, u, vt, err));
    const size_t k = lapack_wanted(settings, smallest, least, sigma);
    return lapack_take(u, sigma, vt, m, n, k, smallest, basis, err);
}

/* basis <- that of the first rank, on all of them. */
static enum stj_status lapack_tell(size_t m, size_t n, struct stj_svd_basis *basis,
                                   struct stj_error *err)
{
    stj_ranks_bcast(&basis->k, sizeof basis->k);
    stj_ranks_bcast(&basis->sigma_1, sizeof basis->sigma_1);
    if (stj_rank() > 0) {
        STJ_MUST(stj_new(&basis->v, n, basis->k * sizeof *basis->v, err));
        STJ_MUST(stj_new(&basis->u, m, basis->k * sizeof *basis->u, err));
        STJ_MUST(stj_new(&basis->sigma, basis->k, sizeof *basis->sigma, err));
    }
    stj_ranks_bcast(basis->v, n * basis->k * sizeof *basis->v);
    stj_ranks_bcast(basis->u, m * basis->k * sizeof *basis->u);
    stj_ranks_bcast(basis->sigma, basis->k * sizeof *basis->sigma);
    return STJ_OK;
}

static enum stj_status lapack_solve(struct stj_op *a, const struct stj_svd_budget *budget,
                                    bool smallest, struct stj_svd_basis *basis,
                                    struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const size_t m = stj_op_n_rows(a);
    const size_t n = stj_op_n_cols(a);
    double *matrix = NULL;
    size_t size = 0;
    basis->ncv = n;
    const size_t likely = smallest ? budget->settings->bottom : budget->settings->top;
    if (stj_svd_spent(budget, (double)(n + likely), &basis->stop))
        goto out;
    STJ_TRY(stj_size_mul(m, n, &size, err));
    STJ_TRY(stj_new(&matrix, size, sizeof *matrix, err));
    STJ_TRY(stj_op_densify(a, 0, matrix, m, &budget->settings->progress, err));
    if (stj_rank() == 0)
        st = lapack_decompose(m, n, matrix, budget->settings, smallest, basis, err);
    free(matrix);
    matrix = NULL;
    STJ_TRY(stj_ranks_agree(st, err));
    STJ_TRY(lapack_tell(m, n, basis, err));
    basis->products = (double)n;
    basis->sound = basis->k;
    basis->stop = STJ_STOP_CONVERGED;
out:
    free(matrix);
    return st;
}

static enum stj_status lapack_top(struct stj_op *a, const struct stj_svd_budget *budget,
                                  struct stj_svd_basis *basis, struct stj_error *err)
{
    return lapack_solve(a, budget, false, basis, err);
}

static enum stj_status lapack_bottom(struct stj_op *a, const struct stj_svd_budget *budget,
                                     struct stj_svd_basis *basis, struct stj_error *err)
{
    return lapack_solve(a, budget, true, basis, err);
}

/* Chosen only where its arrays take half of the free memory, or of a limit what vectors of the
 * smallest may have, which can be found with fewer; and all columns are within the budget. */
static enum stj_status lapack_predict(const struct stj_svd_settings *s, size_t m, size_t n,
                                      bool bottom, struct stj_prediction *p, struct stj_error *err)
{
    const double matrices = 3 * (double)m / (double)n;
    const double products = (double)(n + (bottom ? s->bottom : s->top));
    (void)err;
    stj_dense_predict(n, matrices, p);
    p->refused = stj_predict_peak(p) > (double)stj_memory_available() / 2 ||
                 (bottom && s->memory_bytes > 0 &&
                  stj_predict_peak(p) > most_of_limit * (double)s->memory_bytes) ||
                 (s->max_applications > 0 && products > s->max_applications - p->used);
    stj_predict_method(p, "dense");
    return STJ_OK;
}

const struct stj_svd_method stj_svd_lapack = {
    .info = {.name = "dense", .doc = "the whole matrix, decomposed by LAPACK's gesdd"},
    .top = lapack_top,
    .bottom = lapack_bottom,
    .predict = lapack_predict,
    .whole = true,
};
