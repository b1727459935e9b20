/* SPDX-License-Identifier: GPL-3.0-or-later */
/* spectrum/svd/finish.c: from a basis to certified singular triplets.
 *
 *     1. V = Q R                         Householder QR
 *     2. A Q = U diag(sigma) Z'          k products with A, then gesdd
 *     3. V <- Q Z
 *     4. residual_i = |A'u_i - sigma_i v_i|          k products with A'
 *
 * A v_i = sigma_i u_i holds to rounding by construction, so the residual of A' is the whole error.
 * U and V are whole on every rank: there are few of them beside the vectors of the basis that they
 * were found in, which is given back before.  At most 3 k vectors at once.
 *
 * Small sigmas are as accurate as A Q, not limited to sqrt(eps) sigma_1 as eigenvalues of A'A are.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/blas.h"
#include "base/error.h"
#include "base/memory.h"
#include "spectrum/svd/svd_method.h"

/* All but u and v. */
static enum stj_status pairs_init(struct stj_pairs *pairs, size_t k, size_t n_rows, size_t n_cols,
                                  struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    *pairs = (struct stj_pairs){.k = k, .n_rows = n_rows, .n_cols = n_cols};
    STJ_TRY(stj_new(&pairs->sigma, k, sizeof(double), err));
    STJ_TRY(stj_new(&pairs->residual, k, sizeof(double), err));
    STJ_TRY(stj_new(&pairs->cosine, k, sizeof(double), err));
out:
    if (st != STJ_OK)
        stj_pairs_free(pairs);
    return st;
}

void stj_pairs_free(struct stj_pairs *pairs)
{
    free(pairs->sigma);
    free(pairs->residual);
    free(pairs->cosine);
    free(pairs->u);
    free(pairs->v);
    memset(pairs, 0, sizeof *pairs);
}

enum stj_status stj_pairs_copy(const struct stj_pairs *from, size_t k, struct stj_pairs *pairs,
                               struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    STJ_TRY(pairs_init(pairs, k, from->n_rows, from->n_cols, err));
    STJ_TRY(stj_new(&pairs->u, from->n_rows, k * sizeof(double), err));
    STJ_TRY(stj_new(&pairs->v, from->n_cols, k * sizeof(double), err));
    memcpy(pairs->sigma, from->sigma, k * sizeof(double));
    memcpy(pairs->residual, from->residual, k * sizeof(double));
    memcpy(pairs->cosine, from->cosine, k * sizeof(double));
    memcpy(pairs->u, from->u, from->n_rows * k * sizeof(double));
    memcpy(pairs->v, from->v, from->n_cols * k * sizeof(double));
out:
    if (st != STJ_OK)
        stj_pairs_free(pairs);
    return st;
}

void stj_pairs_cut(struct stj_pairs *pairs, double above, double rounding, size_t *straddling)
{
    size_t k = 0;
    *straddling = 0;
    for (; k < pairs->k && pairs->sigma[k] + fmax(pairs->residual[k], rounding) > above; k++)
        *straddling += pairs->sigma[k] - fmax(pairs->residual[k], rounding) <= above;
    pairs->k = k;
}

void stj_svd_basis_free(struct stj_svd_basis *basis)
{
    free(basis->v);
    free(basis->u);
    free(basis->sigma);
    free(basis->ritz);
}

/* residual and cosine of every pair; *vectors (may be NULL) <- A'u - sigma v.  *defect <- max |v'A'u - sigma|: A v = sigma u,
 * so this is how far A' is from being the adjoint of A. */
static enum stj_status measure_residuals(struct stj_op *a, struct stj_pairs *p, double *defect,
                                         double **vectors, struct stj_error *err)
{
    const size_t n = p->n_cols;
    STJ_FREED double *work = NULL;
    STJ_MUST(stj_new(&work, n, p->k * sizeof *work, err));
    STJ_MUST(stj_op_apply(a, STJ_TRANS, p->k, p->u, p->n_rows, work, n, err));
    for (size_t j = 0; j < p->k; j++) {
        stj_axpy(n, -p->sigma[j], p->v + j * n, work + j * n);
        *defect = fmax(*defect, fabs(stj_dot(n, p->v + j * n, work + j * n)));
        p->residual[j] = stj_nrm2(n, work + j * n);
        p->cosine[j] = p->n_rows == n ? stj_dot(n, p->u + j * n, p->v + j * n) : NAN;
    }
    if (vectors) {
        *vectors = work;
        work = NULL;
    }
    return STJ_OK;
}

enum stj_status stj_svd_adopt(struct stj_op *a, struct stj_svd_basis *basis,
                              struct stj_pairs *pairs, double *defect, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    STJ_TRY(pairs_init(pairs, basis->k, stj_op_n_rows(a), stj_op_n_cols(a), err));
    if (basis->k == 0)
        goto out;
    memcpy(pairs->sigma, basis->sigma, basis->k * sizeof *pairs->sigma);
    pairs->u = basis->u;
    pairs->v = basis->v;
    basis->u = basis->v = NULL;
    STJ_TRY(measure_residuals(a, pairs, defect, NULL, err));
out:
    if (st != STJ_OK)
        stj_pairs_free(pairs);
    return st;
}

enum stj_status stj_svd_finish(struct stj_op *a, size_t k, double **v, struct stj_pairs *pairs,
                               struct stj_error *err)
{
    return stj_svd_finish_with(a, k, v, pairs, NULL, err);
}

enum stj_status stj_svd_finish_with(struct stj_op *a, size_t k, double **v, struct stj_pairs *pairs,
                                    double **residuals, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const size_t m = stj_op_n_rows(a);
    const size_t n = stj_op_n_cols(a);
    double defect = 0;
    double *av = NULL;
    double *zt = NULL;
    STJ_TRY(pairs_init(pairs, k, m, n, err));
    if (k == 0)
        goto out;
    STJ_TRY(stj_new(&av, m, k * sizeof *av, err));
    STJ_TRY(stj_new(&zt, k, k * sizeof *zt, err));
    STJ_TRY(stj_qr(n, k, *v, n, NULL, err));
    STJ_TRY(stj_op_apply(a, STJ_NO_TRANS, k, *v, n, av, m, err));
    STJ_TRY(stj_new(&pairs->u, m, k * sizeof *pairs->u, err));
    STJ_TRY(stj_gesdd(m, k, av, m, pairs->sigma, pairs->u, zt, err));
    free(av);
    av = NULL;
    STJ_TRY(stj_new(&pairs->v, n, k * sizeof *pairs->v, err));
    stj_dgemm(STJ_BLAS_NO_TRANS, STJ_BLAS_TRANS, n, k, k, 1, *v, n, zt, k, 0, pairs->v, n);
    free(*v);
    *v = NULL;
    STJ_TRY(measure_residuals(a, pairs, &defect, residuals, err));
out:
    if (st != STJ_OK)
        stj_pairs_free(pairs);
    free(av);
    free(zt);
    return st;
}
