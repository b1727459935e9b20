/* SPDX-License-Identifier: GPL-3.0-or-later */
/* op/check.c: the adjoint identity <A x, y> = <x, A'y> on random vectors. */
#include <spectraj/op.h>

#include <math.h>
#include <stdlib.h>

#include "base/blas.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/rng.h"
#include "op/operator.h"

enum stj_status stj_op_adjoint_error(struct stj_op *op, size_t pairs, uint64_t seed, double *error,
                                     struct stj_error *err)
{
    double largest;
    STJ_NOT_NULL(err, op, error);
    return stj_op_adjoint_check(op, pairs, seed, 0, error, &largest, err);
}

enum stj_status stj_op_adjoint_check(struct stj_op *op, size_t pairs, uint64_t seed,
                                     double rounding, double *error, double *largest,
                                     struct stj_error *err)
{
    const size_t m = stj_op_n_rows(op);
    const size_t n = stj_op_n_cols(op);
    STJ_HELD(stj_rng_destroy_at) struct stj_rng *rng = NULL;
    STJ_FREED double *x = NULL; /* [n][pairs], as y, Ax and A'y */
    STJ_FREED double *y = NULL, *ax = NULL;
    STJ_FREED double *aty = NULL;
    STJ_MUST(stj_rng_create(seed, STJ_STREAM_CHECK, 0, &rng, err));
    STJ_MUST(stj_new(&x, n * pairs, sizeof *x, err));
    STJ_MUST(stj_new(&y, m * pairs, sizeof *y, err));
    STJ_MUST(stj_new(&ax, m * pairs, sizeof *ax, err));
    STJ_MUST(stj_new(&aty, n * pairs, sizeof *aty, err));
    stj_rng_fill_normal(rng, n * pairs, x);
    stj_rng_fill_normal(rng, m * pairs, y);
    STJ_MUST(stj_op_apply(op, STJ_NO_TRANS, pairs, x, n, ax, m, err));
    STJ_MUST(stj_op_apply(op, STJ_TRANS, pairs, y, m, aty, n, err));
    *error = *largest = 0;
    for (size_t p = 0; p < pairs; p++) {
        const double left = stj_dot(m, ax + p * m, y + p * m);
        const double right = stj_dot(n, x + p * n, aty + p * n);
        const double of_x = stj_nrm2(n, x + p * n);
        const double of_y = stj_nrm2(m, y + p * m);
        const double stretch =
            fmax(stj_nrm2(m, ax + p * m) / of_x, stj_nrm2(n, aty + p * n) / of_y);
        const double scale = (stretch > rounding ? stretch : 1) * of_x * of_y;
        *error = fmax(*error, fabs(left - right) / scale);
        *largest = fmax(*largest, stretch);
    }
    return STJ_OK;
}
