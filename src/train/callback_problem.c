/* SPDX-License-Identifier: GPL-3.0-or-later */
/* train/callback_problem.c: the caller's own gradient and Hessian-vector product as a problem.
 *
 * Its parameters are one tensor of a single row, so a tile is a column-major block with leading
 * dimension N, which is what the callbacks take.  Without callbacks for rows a batch is one row,
 * which cannot be sliced.
 */
#include <stdlib.h>

#include "base/error.h"
#include "base/memory.h"
#include "parallel/parallel.h"
#include "train/problem.h"

struct callback_problem {
    struct stj_problem_callbacks callbacks;
    struct stj_tensor_shape tensor;
    struct stj_layout layout;
    pthread_mutex_t *turn; /* NULL: the callbacks may be in several threads */
};

static void callback_destroy(void *self)
{
    stj_turn_destroy(((struct callback_problem *)self)->turn);
    free(self);
}

static size_t callback_n_rows(const void *self, size_t step)
{
    const struct callback_problem *p = self;
    const struct stj_problem_callbacks *c = &p->callbacks;
    if (!c->n_rows)
        return 1;
    stj_turn_take(p->turn);
    const size_t n = c->n_rows(c->ctx, step);
    stj_turn_give(p->turn);
    return n;
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
    (void)lin;
    const struct callback_problem *p = self;
    const struct stj_problem_callbacks *c = &p->callbacks;
    double unused = 0;
    if (!loss && !g)
        return STJ_OK;
    loss = loss ? loss : &unused;
    g = g ? g : scratch;
    stj_turn_take(p->turn);
    const enum stj_status st =
        c->n_rows ? c->gradient_rows(c->ctx, step, slice.first, slice.n, theta, loss, g, err)
                  : c->gradient(c->ctx, step, theta, loss, g, err);
    stj_turn_give(p->turn);
    return st;
}

static enum stj_status callback_hvp(const void *self, size_t step, struct stj_slice slice,
                                    const real *theta, const real *lin, size_t nvec, const real *x,
                                    real *y, real *scratch, struct stj_error *err)
{
    (void)lin;
    (void)scratch;
    const struct callback_problem *p = self;
    const struct stj_problem_callbacks *c = &p->callbacks;
    const size_t n = c->n_params;
    stj_turn_take(p->turn);
    const enum stj_status st =
        c->n_rows ? c->hvp_rows(c->ctx, step, slice.first, slice.n, theta, nvec, x, n, y, n, err)
                  : c->hvp(c->ctx, step, theta, nvec, x, n, y, n, err);
    stj_turn_give(p->turn);
    return st;
}

static const struct stj_problem_ops callback_ops = {
    .destroy = callback_destroy,
    .n_rows = callback_n_rows,
    .n_linear = callback_n_linear,
    .n_scratch = callback_n_scratch,
    .linearize = callback_linearize,
    .hvp = callback_hvp,
};

/* Either the two for whole batches, or the three for rows with no batch larger than max_rows. */
static enum stj_status check_callbacks(const struct stj_problem_callbacks *c, struct stj_error *err)
{
    if (!c->n_rows) {
        STJ_NEED(err, c->gradient && c->hvp && !c->gradient_rows && !c->hvp_rows, STJ_EINVAL,
                 "a problem needs both callbacks, gradient and hvp, or n_rows, gradient_rows and "
                 "hvp_rows");
        return STJ_OK;
    }
    STJ_NEED(err, c->gradient_rows && c->hvp_rows, STJ_EINVAL,
             "a problem with n_rows needs gradient_rows and hvp_rows");
    for (size_t t = 0; t < c->n_steps; t++) {
        const size_t n = c->n_rows(c->ctx, t);
        STJ_NEED(err, n > 0 && n <= c->max_rows, STJ_EINVAL,
                 "n_rows of step %zu is %zu, expected 1 to max_rows, %zu", t, n, c->max_rows);
    }
    return STJ_OK;
}

enum stj_status stj_problem_create(const struct stj_problem_callbacks *callbacks,
                                   struct stj_problem **problem, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct stj_problem *p = NULL;
    struct callback_problem *self = NULL;
    STJ_GOOD_SETTINGS(err, callbacks);
    STJ_NOT_NULL(err, problem);
    STJ_CHECK(err, callbacks->n_params > 0, STJ_EINVAL, "a problem needs at least one parameter");
    STJ_TRY(check_callbacks(callbacks, err));
    STJ_TRY(stj_new(&p, 1, sizeof *p, err));
    STJ_TRY(stj_new(&self, 1, sizeof *self, err));
    if (callbacks->one_at_a_time)
        STJ_TRY(stj_turn_create(&self->turn, err));
    self->callbacks = *callbacks;
    self->tensor = (struct stj_tensor_shape){.rows = 1, .cols = callbacks->n_params};
    self->layout = (struct stj_layout){callbacks->n_params, 1, &self->tensor};
    *p = (struct stj_problem){.ops = &callback_ops,
                              .self = self,
                              .n_steps = callbacks->n_steps,
                              .max_rows = callbacks->n_rows ? callbacks->max_rows : 1,
                              .layout = &self->layout,
                              .least_rows = 1};
    self = NULL;
    *problem = p;
    p = NULL;
out:
    free(self);
    stj_problem_destroy(p);
    return st;
}
