/* SPDX-License-Identifier: GPL-3.0-or-later */
/* op/normal.c: A'A, composed of one product with A and one with A'. */
#include <spectraj/op.h>

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/blas.h"
#include "base/error.h"
#include "base/memory.h"
#include "op/operator.h"

struct normal {
    struct stj_op *a; /* borrowed */
    double unit;      /* the operator is unit^2 A'A; 0: not chosen yet */
    size_t nvec;      /* columns that `between` has room for */
    double *between;  /* A x */
};

static void normal_destroy(void *ctx)
{
    struct normal *self = ctx;
    free(self->between);
    free(self);
}

/* The unit of an operator whose first product stretches x to y: 1 where squares are far from the
 * ends of the range of doubles, else a power of two that takes A there. */
static double choose_unit(size_t n, const double *x, size_t m, const double *y)
{
    const double stretch = stj_nrm2(m, y) / stj_nrm2(n, x);
    const bool harmless = stretch > 1e-100 && stretch < 1e100;
    return harmless || !(stretch > 0 && isfinite(stretch)) ? 1 : ldexp(1, -ilogb(stretch));
}

static enum stj_status normal_apply(void *ctx, enum stj_trans trans, size_t nvec, const double *x,
                                    size_t ldx, double *y, size_t ldy, struct stj_error *err)
{
    (void)trans; /* symmetric */
    struct normal *self = ctx;
    const size_t n_rows = stj_op_n_rows(self->a);
    size_t room = 0;
    if (nvec > self->nvec) {
        STJ_MUST(stj_size_mul(n_rows, nvec, &room, err));
        STJ_MUST(stj_resize(&self->between, 0, room, sizeof *self->between, err));
        self->nvec = nvec;
    }
    STJ_MUST(stj_op_apply(self->a, STJ_NO_TRANS, nvec, x, ldx, self->between, n_rows, err));
    if (self->unit == 0)
        self->unit = choose_unit(stj_op_n_cols(self->a), x, n_rows, self->between);
    if (self->unit != 1)
        stj_scal(n_rows * nvec, self->unit, self->between);
    STJ_MUST(stj_op_apply(self->a, STJ_TRANS, nvec, self->between, n_rows, y, ldy, err));
    for (size_t j = 0; self->unit != 1 && j < nvec; j++)
        stj_scal(stj_op_n_cols(self->a), self->unit, y + j * ldy);
    return STJ_OK;
}

static enum stj_status create(struct stj_op *a, double unit, struct stj_op **op,
                              struct stj_error *err)
{
    STJ_FREED struct normal *self = NULL;
    STJ_MUST(stj_new(&self, 1, sizeof *self, err));
    self->a = a;
    self->unit = unit;
    STJ_MUST(stj_op_create(stj_op_n_cols(a), stj_op_n_cols(a), normal_apply, normal_destroy, self,
                           op, err));
    self = NULL;
    return STJ_OK;
}

double stj_op_normal_unit(const struct stj_op *op)
{
    const struct normal *self = stj_op_ctx(op, normal_apply);
    return self && self->unit != 0 ? self->unit : 1;
}

enum stj_status stj_op_create_normal(struct stj_op *a, struct stj_op **op, struct stj_error *err)
{
    STJ_NOT_NULL(err, a, op);
    return create(a, 1, op, err);
}

enum stj_status stj_op_create_scaled_normal(struct stj_op *a, struct stj_op **op,
                                            struct stj_error *err)
{
    return create(a, 0, op, err);
}
