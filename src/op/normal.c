/* SPDX-License-Identifier: GPL-3.0-or-later */
/* op/normal.c: A'A, composed of one product with A and one with A'. */
#include <spectraj/op.h>

#include <stdlib.h>

#include "base/error.h"
#include "base/memory.h"

struct normal {
    struct stj_op *a; /* borrowed */
    size_t nvec;      /* columns that `between` has room for */
    double *between;  /* A x */
};

static void normal_destroy(void *ctx)
{
    struct normal *self = ctx;
    free(self->between);
    free(self);
}

static enum stj_status normal_apply(void *ctx, enum stj_trans trans, size_t nvec, const double *x,
                                    size_t ldx, double *y, size_t ldy, struct stj_error *err)
{
    (void)trans; /* symmetric */
    enum stj_status st = STJ_OK;
    struct normal *self = ctx;
    const size_t n_rows = stj_op_n_rows(self->a);
    size_t room = 0;
    if (nvec > self->nvec) {
        STJ_TRY(stj_size_mul(n_rows, nvec, &room, err));
        STJ_TRY(stj_resize(&self->between, 0, room, sizeof *self->between, err));
        self->nvec = nvec;
    }
    STJ_TRY(stj_op_apply(self->a, STJ_NO_TRANS, nvec, x, ldx, self->between, n_rows, err));
    STJ_TRY(stj_op_apply(self->a, STJ_TRANS, nvec, self->between, n_rows, y, ldy, err));
out:
    return st;
}

enum stj_status stj_op_create_normal(struct stj_op *a, struct stj_op **op, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct normal *self = NULL;
    STJ_NOT_NULL(err, a, op);
    STJ_TRY(stj_new(&self, 1, sizeof *self, err));
    self->a = a;
    STJ_TRY(stj_op_create(stj_op_n_cols(a), stj_op_n_cols(a), normal_apply, normal_destroy, self,
                          op, err));
    self = NULL;
out:
    free(self);
    return st;
}
