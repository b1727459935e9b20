/* SPDX-License-Identifier: GPL-3.0-or-later */
/* train/subspace_problem.c: a problem in the coordinates of a part of its parameters' space.
 *
 *     theta = origin + B z       g_z = B'g       H_z z_dot = B' H B z_dot
 *
 * A batch is one slice, for what is done in theta is done once a step: products are spread over the
 * tiles alone.  A linearisation is that of the whole problem with theta behind it.
 */
#include "train/subspace_problem.h"

#include <stdlib.h>

#include "base/blas.h"
#include "base/error.h"
#include "base/memory.h"

struct subspace_problem {
    const struct stj_problem *whole;
    struct stj_subspace subspace;
    struct stj_tensor_shape tensor;
    struct stj_layout layout;
};

static size_t n_whole(const struct subspace_problem *p)
{
    return p->whole->layout->n_params;
}

static size_t one_row(const void *self, size_t step)
{
    (void)self;
    (void)step;
    return 1;
}

static size_t n_linear(const void *self)
{
    const struct subspace_problem *p = self;
    return p->whole->ops->n_linear(p->whole->self) + n_whole(p);
}

/* Scratch: doubles [N][m] and [k], then reals [2][N][m], then the whole problem's; m is nvec, or 1. */
struct room {
    double *point, *reduced;
    real *x, *y, *rest;
};

/* Reals that hold n doubles. */
static size_t reals_of(size_t n)
{
    return n * (sizeof(double) / sizeof(real));
}

static struct room room_of(const struct subspace_problem *p, size_t m, real *scratch)
{
    const size_t n = n_whole(p) * m;
    struct room r = {.point = (double *)(void *)scratch};
    r.reduced = r.point + n;
    r.x = scratch + reals_of(n + p->subspace.k);
    r.y = r.x + n;
    r.rest = r.y + n;
    return r;
}

static size_t n_scratch(const void *self, size_t n_rows, size_t nvec)
{
    const struct subspace_problem *p = self;
    const size_t n = n_whole(p) * (nvec ? nvec : 1);
    (void)n_rows;
    return reals_of(n + p->subspace.k) + 2 * n +
           p->whole->ops->n_scratch(p->whole->self, p->whole->max_rows, nvec);
}

static struct stj_slice whole_batch(const struct subspace_problem *p, size_t step,
                                    struct stj_slice slice)
{
    return (struct stj_slice){.n = p->whole->ops->n_rows(p->whole->self, step),
                              .meeting = {.n_slices = 1},
                              .curvature = slice.curvature,
                              .transposed = slice.transposed};
}

/* z <- B'x of a vector in theta. */
static void reduce(const struct subspace_problem *p, const double *x, double *reduced, real *z)
{
    const struct stj_subspace *s = &p->subspace;
    stj_gemv(STJ_BLAS_TRANS, n_whole(p), s->k, 1, s->basis, n_whole(p), x, 0, reduced);
    for (size_t j = 0; j < s->k; j++)
        z[j] = (real)reduced[j];
}

static enum stj_status linearize(const void *self, size_t step, struct stj_slice slice,
                                 const real *z, real *lin, double *loss, real *g, real *scratch,
                                 struct stj_error *err)
{
    const struct subspace_problem *p = self;
    const struct room r = room_of(p, 1, scratch);
    real *theta = lin + p->whole->ops->n_linear(p->whole->self);
    stj_subspace_point(&p->subspace, n_whole(p), z, r.point);
    for (size_t i = 0; i < n_whole(p); i++)
        theta[i] = (real)r.point[i];
    STJ_MUST(p->whole->ops->linearize(p->whole->self, step, whole_batch(p, step, slice), theta, lin,
                                      loss, g ? r.y : NULL, r.rest, err));
    for (size_t i = 0; g && i < n_whole(p); i++)
        r.point[i] = (double)r.y[i];
    if (g)
        reduce(p, r.point, r.reduced, g);
    return STJ_OK;
}

/* Of coordinates there is one tensor, so that vector j of a tile is z + j k. */
static enum stj_status hvp(const void *self, size_t step, struct stj_slice slice, const real *z,
                           const real *lin, size_t nvec, const real *z_dot, real *z_bar_dot,
                           real *scratch, struct stj_error *err)
{
    const struct subspace_problem *p = self;
    const struct stj_subspace *s = &p->subspace;
    const size_t n = n_whole(p), k = s->k;
    const struct room r = room_of(p, nvec, scratch);
    const real *theta = lin + p->whole->ops->n_linear(p->whole->self);
    (void)z;
    STJ_NEED(err, !slice.given, STJ_EUNSUPPORTED,
             "within a few directions there are no derivatives with respect to %s",
             stj_given_name(slice.given->given));
    for (size_t v = 0; v < nvec; v++) {
        for (size_t j = 0; j < k; j++)
            r.reduced[j] = (double)z_dot[v * k + j];
        stj_gemv(STJ_BLAS_NO_TRANS, n, k, 1, s->basis, n, r.reduced, 0, r.point + v * n);
    }
    stj_block_pack(p->whole->layout, nvec, r.point, n, r.x);
    STJ_MUST(p->whole->ops->hvp(p->whole->self, step, whole_batch(p, step, slice), theta, lin, nvec,
                                r.x, r.y, r.rest, err));
    stj_block_unpack(p->whole->layout, nvec, r.y, r.point, n);
    for (size_t v = 0; v < nvec; v++)
        reduce(p, r.point + v * n, r.reduced, z_bar_dot + v * k);
    return STJ_OK;
}

static bool switches(const void *self)
{
    return stj_problem_may_switch(((const struct subspace_problem *)self)->whole);
}

static const struct stj_problem_ops subspace_ops = {
    .destroy = free,
    .n_rows = one_row,
    .n_linear = n_linear,
    .n_scratch = n_scratch,
    .linearize = linearize,
    .hvp = hvp,
    .switches = switches,
};

enum stj_status stj_subspace_problem_create(const struct stj_problem *whole,
                                            const struct stj_subspace *subspace,
                                            struct stj_problem **problem, struct stj_error *err)
{
    STJ_HELD(stj_problem_destroy_at) struct stj_problem *made = NULL;
    struct subspace_problem *p = NULL;
    STJ_MUST(stj_new(&made, 1, sizeof *made, err));
    STJ_MUST(stj_new(&p, 1, sizeof *p, err));
    *p = (struct subspace_problem){
        .whole = whole, .subspace = *subspace, .tensor = {.rows = 1, .cols = subspace->k}};
    p->layout = (struct stj_layout){subspace->k, 1, &p->tensor};
    *made = (struct stj_problem){.ops = &subspace_ops,
                                 .self = p,
                                 .n_steps = whole->n_steps,
                                 .max_rows = 1,
                                 .layout = &p->layout};
    *problem = made;
    made = NULL;
    return STJ_OK;
}
