/* SPDX-License-Identifier: GPL-3.0-or-later */
/* spectrum/trace/minus_identity.c: A - I as an operator; its products are counted by A. */

#include "base/blas.h"
#include "base/error.h"
#include "spectrum/trace/trace_method.h"

static enum stj_status minus_identity_apply(void *ctx, enum stj_trans trans, size_t nvec,
                                            const double *x, size_t ldx, double *y, size_t ldy,
                                            struct stj_error *err)
{
    struct stj_op *a = ctx;
    const size_t n = stj_op_n_cols(a);
    STJ_MUST(stj_op_apply(a, trans, nvec, x, ldx, y, ldy, err));
    for (size_t j = 0; j < nvec; j++)
        stj_axpy(n, -1, x + j * ldx, y + j * ldy);
    return STJ_OK;
}

enum stj_status stj_trace_minus_identity(struct stj_op *a, struct stj_op **op,
                                         struct stj_error *err)
{
    const size_t n = stj_op_n_cols(a);
    return stj_op_create(n, n, minus_identity_apply, NULL, a, op, err);
}
