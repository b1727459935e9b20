/* SPDX-License-Identifier: GPL-3.0-or-later */
/* train/callback_problem.c: the caller's own gradient and Hessian-vector product as a problem.
 *
 * Its parameters are one tensor of a single row, so a tile is a column-major block with leading
 * dimension N, which is what the callbacks take.  A batch is one row: it cannot be sliced.
 */
#include <stdlib.h>

#include "base/error.h"
#include "base/memory.h"
#include "train/problem.h"

struct callback_problem {
    struct stj_problem_callbacks callbacks;
    struct stj_tensor_shape tensor;
    struct stj_layout layout;
};

static void callback_destroy(void *self)
{
    free(self);
}

static size_t callback_n_rows(const void *self, size_t step)
{
    (void)self;
    (void)step;
    return 1;
}

static size_t callback_n_linear(const void *self)
{
    (void)self;
    return 0;
}

/* A gradient's place when the caller of linearize wants the loss alone. */
static size_t callback_n_scratch(const void *self, size_t n_rows, size_t nvec)
{
    (void)n_rows;
    (void)nvec;
    return ((const struct callback_problem *)self)->layout.n_params;
}

static enum stj_status callback_linearize(const void *self, size_t step, struct stj_slice slice,
                                          const real *theta, real *lin, double *loss, real *g,
                                          real *scratch, struct stj_error *err)
{
    (void)slice;
    (void)lin;
    const struct callback_problem *p = self;
    double unused;
    if (!loss && !g)
        return STJ_OK;
    return p->callbacks.gradient(p->callbacks.ctx, step, theta, loss ? loss : &unused,
                                 g ? g : scratch, err);
}

static enum stj_status callback_hvp(const void *self, size_t step, struct stj_slice slice,
                                    const real *theta, const real *lin, size_t nvec, const real *x,
                                    real *y, real *scratch, struct stj_error *err)
{
    (void)slice;
    (void)lin;
    (void)scratch;
    const struct callback_problem *p = self;
    return p->callbacks.hvp(p->callbacks.ctx, step, theta, nvec, x, p->layout.n_params, y,
                            p->layout.n_params, err);
}

static const struct stj_problem_ops callback_ops = {
    .destroy = callback_destroy,
    .n_rows = callback_n_rows,
    .n_linear = callback_n_linear,
    .n_scratch = callback_n_scratch,
    .linearize = callback_linearize,
    .hvp = callback_hvp,
};

enum stj_status stj_problem_create(const struct stj_problem_callbacks *callbacks,
                                   struct stj_problem **problem, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct stj_problem *p = NULL;
    struct callback_problem *self = NULL;
    STJ_CHECK(err, callbacks->n_params > 0, STJ_EINVAL, "a problem needs at least one parameter");
    STJ_CHECK(err, callbacks->gradient && callbacks->hvp, STJ_EINVAL,
              "a problem needs both callbacks, gradient and hvp");
    STJ_TRY(stj_new(&p, 1, sizeof *p, err));
    STJ_TRY(stj_new(&self, 1, sizeof *self, err));
    self->callbacks = *callbacks;
    self->tensor = (struct stj_tensor_shape){.rows = 1, .cols = callbacks->n_params};
    self->layout = (struct stj_layout){callbacks->n_params, 1, &self->tensor};
    *p = (struct stj_problem){&callback_ops, self, callbacks->n_steps, 1, &self->layout, 1};
    self = NULL;
    *problem = p;
    p = NULL;
out:
    free(self);
    stj_problem_destroy(p);
    return st;
}
