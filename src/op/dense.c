/* SPDX-License-Identifier: GPL-3.0-or-later */
/* op/dense.c: a matrix as an operator, and an operator as a matrix. */
#include <spectraj/op.h>
#include <spectraj/progress.h>

#include <stdlib.h>
#include <string.h>

#include "base/blas.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/progress.h"
#include "op/operator.h"

struct dense {
    size_t n_rows, n_cols, ld;
    const double *a; /* borrowed */
};

static enum stj_status dense_apply(void *ctx, enum stj_trans trans, size_t nvec, const double *x,
                                   size_t ldx, double *y, size_t ldy, struct stj_error *err)
{
    (void)err;
    const struct dense *self = ctx;
    if (trans == STJ_NO_TRANS)
        stj_dgemm(STJ_BLAS_NO_TRANS, STJ_BLAS_NO_TRANS, self->n_rows, nvec, self->n_cols, 1,
                  self->a, self->ld, x, ldx, 0, y, ldy);
    else
        stj_dgemm(STJ_BLAS_TRANS, STJ_BLAS_NO_TRANS, self->n_cols, nvec, self->n_rows, 1, self->a,
                  self->ld, x, ldx, 0, y, ldy);
    return STJ_OK;
}

enum stj_status stj_op_create_dense(size_t n_rows, size_t n_cols, const double *a, size_t ld,
                                    struct stj_op **op, struct stj_error *err)
{
    STJ_FREED struct dense *self = NULL;
    STJ_NOT_NULL(err, a, op);
    STJ_NEED(err, ld >= n_rows, STJ_EINVAL,
             "leading dimension %zu of a matrix with %zu rows is too small", ld, n_rows);
    STJ_MUST(stj_blas_fits(ld, "the leading dimension of a dense operator", err));
    STJ_MUST(stj_blas_fits(n_cols, "the number of columns of a dense operator", err));
    STJ_MUST(stj_new(&self, 1, sizeof *self, err));
    *self = (struct dense){n_rows, n_cols, ld, a};
    STJ_MUST(stj_op_create(n_rows, n_cols, dense_apply, free, self, op, err));
    self = NULL;
    return STJ_OK;
}

enum stj_status stj_op_densify(struct stj_op *op, size_t block, double *a, size_t ld,
                               const struct stj_progress *progress, struct stj_error *err)
{
    STJ_NOT_NULL(err, op, a);
    const size_t n = stj_op_n_cols(op);
    STJ_FREED double *unit = NULL;
    size_t room = 0;
    if (block == 0)
        block = n < STJ_DENSIFY_BLOCK ? n : STJ_DENSIFY_BLOCK;
    STJ_MUST(stj_size_mul(n, block, &room, err));
    STJ_MUST(stj_new(&unit, room, sizeof *unit, err));
    for (size_t first = 0; first < n; first += block) {
        const size_t k = n - first < block ? n - first : block;
        STJ_MUST(stj_op_report(op, progress, "dense Jacobian", (double)first, (double)n, err));
        memset(unit, 0, room * sizeof *unit);
        for (size_t j = 0; j < k; j++)
            unit[j * n + first + j] = 1;
        STJ_MUST(stj_op_apply(op, STJ_NO_TRANS, k, unit, n, a + first * ld, ld, err));
    }
    return stj_progress_report(progress, "dense Jacobian", (double)n, (double)n, err);
}
