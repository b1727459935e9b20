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
    return (((const struct callback_problem *)self)->callbacks.linear_bytes + sizeof(real) - 1) /
           sizeof(real);
}

/* A gradient's place when the caller of linearize wants the loss alone. */
static size_t callback_n_scratch(const void *self, size_t n_rows, size_t nvec)
{
    (void)n_rows;
    (void)nvec;
    return ((const struct callback_problem *)self)->layout.n_params;
}

static enum stj_status callback_gradient(const struct stj_problem_callbacks *c, size_t step,
                                         struct stj_slice slice, const real *theta, double *loss,
                                         real *g, struct stj_error *err)
{
    return c->n_rows ? c->gradient_rows(c->ctx, step, slice.first, slice.n, theta, loss, g, err)
                     : c->gradient(c->ctx, step, theta, loss, g, err);
}

static enum stj_status callback_linearize(const void *self, size_t step, struct stj_slice slice,
                                          const real *theta, real *lin, double *loss, real *g,
                                          real *scratch, struct stj_error *err)
{
    const struct callback_problem *p = self;
    const struct stj_problem_callbacks *c = &p->callbacks;
    enum stj_status st = STJ_OK;
    double unused = 0;
    stj_turn_take(p->turn);
    if (loss || g)
        st = callback_gradient(c, step, slice, theta, loss ? loss : &unused, g ? g : scratch, err);
    if (st == STJ_OK && !loss &&
        c->linearize) /* a training, which asks for losses, has no products */
        st = c->linearize(c->ctx, step, slice.first, slice.n, theta, lin, err);
    stj_turn_give(p->turn);
    return st;
}

static enum stj_status callback_hvp(const void *self, size_t step, struct stj_slice slice,
                                    const real *theta, const real *lin, size_t nvec, const real *x,
                                    real *y, real *scratch, struct stj_error *err)
{
    (void)scratch;
    const struct callback_problem *p = self;
    const struct stj_problem_callbacks *c = &p->callbacks;
    const size_t n = c->n_params;
    STJ_MUST(stj_slice_check(&slice, false, err));
    stj_turn_take(p->turn);
    const enum stj_status st =
        c->linearize
            ? c->hvp_linear(c->ctx, step, slice.first, slice.n, theta, lin, nvec, x, n, y, n, err)
        : c->n_rows ? c->hvp_rows(c->ctx, step, slice.first, slice.n, theta, nvec, x, n, y, n, err)
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

/* Either the two for whole batches, or the three for rows with no batch larger than max_rows; a pair
 * takes the place of the products. */
static enum stj_status check_callbacks(const struct stj_problem_callbacks *c, struct stj_error *err)
{
    STJ_NEED(err, !c->linearize == !c->hvp_linear && !c->linearize == !c->linear_bytes, STJ_EINVAL,
             "linearize, hvp_linear and linear_bytes go together: give all of them, or none");
    if (!c->n_rows) {
        STJ_NEED(err, c->gradient && (c->hvp || c->linearize) && !c->gradient_rows && !c->hvp_rows,
                 STJ_EINVAL,
                 "a problem needs both callbacks, gradient and hvp, or n_rows, gradient_rows and "
                 "hvp_rows");
        return STJ_OK;
    }
    STJ_NEED(err, c->gradient_rows && (c->hvp_rows || c->linearize), STJ_EINVAL,
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

enum stj_status stj_callback_problem_loss(const struct stj_problem *problem, const double *theta,
                                          double *loss, struct stj_error *err)
{
    const struct callback_problem *p = problem->self;
    STJ_HELD(stj_gradient_work_destroy_at) struct stj_gradient_work *work = NULL;
    STJ_FREED double *g = NULL;
    if (p->callbacks.loss) {
        stj_turn_take(p->turn);
        const enum stj_status st = p->callbacks.loss(p->callbacks.ctx, theta, loss, err);
        stj_turn_give(p->turn);
        return st;
    }
    STJ_MUST(stj_gradient_work_create(problem, &work, err));
    STJ_MUST(stj_new(&g, problem->layout->n_params, sizeof *g, err));
    return stj_problem_gradient(problem, problem->n_steps - 1, theta, loss, g, work, err);
}

/* ---- the same with tensors ---- */

struct placed {
    const struct stj_problem *of;
    const struct stj_layout *layout;
};

static size_t placed_n_rows(const void *self, size_t step)
{
    const struct placed *p = self;
    return p->of->ops->n_rows(p->of->self, step);
}

static size_t placed_n_linear(const void *self)
{
    const struct placed *p = self;
    return p->of->ops->n_linear(p->of->self);
}

/* Beside the problem's own: its two blocks. */
static size_t placed_n_scratch(const void *self, size_t n_rows, size_t nvec)
{
    const struct placed *p = self;
    return p->of->ops->n_scratch(p->of->self, n_rows, nvec) + 2 * nvec * p->layout->n_params;
}

static enum stj_status placed_linearize(const void *self, size_t step, struct stj_slice slice,
                                        const real *theta, real *lin, double *loss, real *g,
                                        real *scratch, struct stj_error *err)
{
    const struct placed *p = self;
    return p->of->ops->linearize(p->of->self, step, slice, theta, lin, loss, g, scratch, err);
}

static enum stj_status placed_hvp(const void *self, size_t step, struct stj_slice slice,
                                  const real *theta, const real *lin, size_t nvec, const real *x,
                                  real *y, real *scratch, struct stj_error *err)
{
    const struct placed *p = self;
    const size_t n = p->layout->n_params;
    real *in = scratch, *out = scratch + n * nvec;
    stj_block_unpack(p->layout, nvec, x, in, n);
    STJ_MUST(p->of->ops->hvp(p->of->self, step, slice, theta, lin, nvec, in, out,
                             scratch + 2 * n * nvec, err));
    stj_block_pack(p->layout, nvec, out, n, y);
    return STJ_OK;
}

static const struct stj_problem_ops placed_ops = {
    .destroy = free,
    .n_rows = placed_n_rows,
    .n_linear = placed_n_linear,
    .n_scratch = placed_n_scratch,
    .linearize = placed_linearize,
    .hvp = placed_hvp,
};

enum stj_status stj_callback_problem_place(const struct stj_problem *problem,
                                           const struct stj_layout *layout, size_t n_steps,
                                           struct stj_problem **placed, struct stj_error *err)
{
    STJ_FREED struct placed *self = NULL;
    STJ_MUST(stj_new(&self, 1, sizeof *self, err));
    STJ_MUST(stj_new(placed, 1, sizeof **placed, err));
    *self = (struct placed){problem, layout};
    **placed = *problem;
    (*placed)->ops = &placed_ops;
    (*placed)->self = self;
    (*placed)->layout = layout;
    (*placed)->n_steps = n_steps;
    self = NULL;
    return STJ_OK;
}
