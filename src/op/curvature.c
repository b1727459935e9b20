/* SPDX-License-Identifier: GPL-3.0-or-later */
/* op/curvature.c: products with H = d^2 L / d theta^2, or with G' H_loss G, G = d outputs / d theta.
 *
 * L is the loss of a batch, in slices as training cuts it, or the mean over a data set, in chunks of
 * rows.  A piece, either of them, is linearised when the point moves, or, of a data set whose
 * linearisations would not fit the memory, in every product.  Products of pieces are independent of
 * each other, and are added in the order of the pieces, whatever the number of threads.  Where
 * samples depend on each other there is one piece.
 *
 * Of several ranks each has all pieces, and makes its share of the columns of a block as if alone.
 */
#include "op/curvature.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "parallel/parallel.h"
#include "parallel/ranks.h"

enum { CHUNK_ROWS = 64, TILE = 16 };

struct curvature {
    struct stj_curvature_settings s;
    struct stj_curvature how;
    const struct stj_layout *layout;
    size_t step, n_pieces, n_in, n_scratch, n_lin; /* n_lin: reals of a piece's; batch: of all */
    size_t *row;                                   /* of a data set: 0, 1, ... */
    real weight;                                   /* of its samples in the mean */
    bool keeps, moved; /* it has the linearisations of all pieces; it is at a point */
    real *x, *theta, *zero, *lin;
    struct stj_slice slice[STJ_MAX_SLICES]; /* of a batch */
};

/* What one thread works with. */
struct desk {
    real *scratch, *share, *tile, *lin;
    enum stj_status st;
    struct stj_error err;
};

static void curvature_destroy(void *ctx)
{
    struct curvature *self = ctx;
    if (!self)
        return;
    free(self->row);
    free(self->x);
    free(self->theta);
    free(self->zero);
    free(self->lin);
    free(self);
}
STJ_HOLDS(struct curvature, curvature_destroy)

static struct stj_batch chunk_of(const struct curvature *self, size_t c)
{
    const struct stj_dataset *data = self->s.data;
    const bool one = stj_network_couples_samples(self->s.net);
    const size_t first = c * CHUNK_ROWS, left = data->n_rows - first;
    const size_t n = one || left < CHUNK_ROWS ? left : CHUNK_ROWS;
    return (struct stj_batch){
        .whole = n,
        .batch = n,
        .evaluate = true,
        .x = self->x + first * self->n_in,
        .targets = {.row = self->row + first, .label = data->labels, .value = data->targets},
        .weight = self->weight,
        .curvature = &self->how};
}

/* The linearisation of chunk c. */
static real *lin_of(const struct curvature *self, size_t c, const struct desk *d)
{
    return self->keeps ? self->lin + c * self->n_lin : d->lin;
}

static enum stj_status linearize_piece(const struct curvature *self, size_t c, struct desk *d)
{
    const struct stj_problem *p = self->s.problem;
    double loss = 0;
    if (!self->s.data) /* where a loss is wanted, callbacks take it for training's work */
        return p->ops->linearize(p->self, self->step, self->slice[c], self->theta, self->lin, NULL,
                                 NULL, d->scratch, &d->err);
    const struct stj_batch b = chunk_of(self, c);
    stj_network_linearize(self->s.net, &b, self->theta, lin_of(self, c, d), &loss, d->share,
                          d->scratch);
    return STJ_OK;
}

static enum stj_status multiply_piece(const struct curvature *self, size_t c, size_t nvec,
                                      struct desk *d)
{
    const struct stj_problem *p = self->s.problem;
    if (!self->s.data)
        return p->ops->hvp(p->self, self->step, self->slice[c], self->theta, self->lin, nvec,
                           d->tile, d->share, d->scratch, &d->err);
    const struct stj_batch b = chunk_of(self, c);
    if (!self->keeps)
        (void)linearize_piece(self, c, d);
    stj_network_hvp(self->s.net, &b, self->theta, lin_of(self, c, d), nvec, d->tile, d->share,
                    d->scratch);
    return STJ_OK;
}

static void desks_free(size_t n, struct desk *desk)
{
    for (size_t i = 0; desk && i < n; i++) {
        free(desk[i].scratch);
        free(desk[i].share);
        free(desk[i].lin);
    }
    free(desk);
}

/* All read the same tile. */
static enum stj_status desks_create(const struct curvature *self, size_t n, size_t nvec, real *tile,
                                    struct desk **desk, struct stj_error *err)
{
    STJ_MUST(stj_new(desk, n, sizeof **desk, err));
    for (size_t i = 0; i < n; i++) {
        (*desk)[i].tile = tile;
        (*desk)[i].err = (struct stj_error)STJ_ERROR_INIT;
        STJ_MUST(stj_new(&(*desk)[i].scratch, self->n_scratch, sizeof(real), err));
        if (!self->keeps)
            STJ_MUST(stj_new(&(*desk)[i].lin, self->n_lin, sizeof(real), err));
        STJ_MUST(stj_new(&(*desk)[i].share, self->layout->n_params, nvec * sizeof(real), err));
    }
    return STJ_OK;
}

static size_t n_threads(const struct curvature *self)
{
    const size_t n = stj_threads();
    return n < self->n_pieces ? n : self->n_pieces;
}

/* All pieces, so many at a time: linearised (sum NULL), or sum <- their products with a tile. */
static enum stj_status visit_pieces(const struct curvature *self, size_t nvec, size_t threads,
                                    struct desk *desk, real *sum, struct stj_error *err)
{
    const size_t size = self->layout->n_params * nvec;
    for (size_t first = 0; first < self->n_pieces; first += threads) {
        const size_t left = self->n_pieces - first, n = left < threads ? left : threads;
#pragma omp parallel for schedule(static, 1) num_threads((int)threads)
        for (size_t i = 0; i < n; i++)
            desk[i].st = sum ? multiply_piece(self, first + i, nvec, &desk[i])
                             : linearize_piece(self, first + i, &desk[i]);
        for (size_t i = 0; i < n; i++) {
            STJ_NEED(err, desk[i].st == STJ_OK, desk[i].st, "%s", desk[i].err.text);
            for (size_t k = 0; sum && k < size; k++)
                sum[k] += desk[i].share[k];
        }
    }
    return STJ_OK;
}

static enum stj_status run_pieces(const struct curvature *self, size_t nvec, real *tile, real *sum,
                                  struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const size_t threads = n_threads(self);
    struct desk *desk = NULL;
    STJ_TRY(desks_create(self, threads, nvec, tile, &desk, err));
    STJ_TRY(visit_pieces(self, nvec, threads, desk, sum, err));
out:
    desks_free(threads, desk);
    return st;
}

static enum stj_status curvature_multiply(const struct curvature *self, size_t nvec,
                                          const double *x, size_t ldx, double *y, size_t ldy,
                                          struct stj_error *err)
{
    const size_t n = self->layout->n_params;
    STJ_HELD(stj_blas_guard_drop) struct stj_blas_guard guard = stj_blas_guard_take(1);
    STJ_FREED real *tile = NULL;
    STJ_NEED(err, self->moved, STJ_EINTERNAL, "a Hessian without a point was multiplied");
    STJ_MUST(stj_new(&tile, 2 * TILE * n, sizeof *tile, err));
    for (size_t j = 0; j < nvec; j += TILE) {
        const size_t k = nvec - j < TILE ? nvec - j : TILE;
        real *sum = tile + k * n;
        stj_block_pack(self->layout, k, x + j * ldx, ldx, tile);
        for (size_t i = 0; i < k * n; i++)
            sum[i] = (real)self->s.shift * tile[i];
        STJ_MUST(run_pieces(self, k, tile, sum, err));
        stj_block_unpack(self->layout, k, sum, y + j * ldy, ldy);
    }
    return STJ_OK;
}

static enum stj_status curvature_apply(void *ctx, enum stj_trans trans, size_t nvec,
                                       const double *x, size_t ldx, double *y, size_t ldy,
                                       struct stj_error *err)
{
    const struct curvature *self = ctx;
    const size_t n_ranks = stj_n_ranks(), first = stj_share_begin(nvec, stj_rank(), n_ranks);
    const size_t mine = stj_share_begin(nvec, stj_rank() + 1, n_ranks) - first;
    (void)trans; /* symmetric */
    stj_ranks_apart();
    const enum stj_status st =
        curvature_multiply(self, mine, x + first * ldx, ldx, y + first * ldy, ldy, err);
    stj_ranks_together();
    STJ_MUST(stj_ranks_agree(st, err));
    for (size_t r = 0; r < n_ranks; r++)
        for (size_t j = stj_share_begin(nvec, r, n_ranks);
             j < stj_share_begin(nvec, r + 1, n_ranks); j++)
            stj_ranks_bcast_from(r, y + j * ldy, self->layout->n_params * sizeof *y);
    return STJ_OK;
}

/* self->slice <- of the batch of self->step: one, where slices would have to meet. */
static void cut_batch(struct curvature *self)
{
    const struct stj_problem *p = self->s.problem;
    const size_t n_rows = p->ops->n_rows(p->self, self->step);
    const bool meet = p->ops->n_stages && p->ops->n_stages(p->self) > 1;
    self->n_pieces = meet ? 1 : stj_problem_slices(p, n_rows, 1, self->slice);
    if (meet)
        self->slice[0] = (struct stj_slice){.n = n_rows};
    for (size_t i = 0; i < self->n_pieces; i++)
        self->slice[i].curvature = &self->how;
    for (size_t i = 0; i < self->n_pieces; i++) {
        const size_t need = p->ops->n_scratch(p->self, self->slice[i].n, TILE);
        self->n_scratch = need > self->n_scratch ? need : self->n_scratch;
    }
}

static enum stj_status curvature_place(struct curvature *self, size_t step, const real *theta,
                                       struct stj_error *err)
{
    STJ_HELD(stj_blas_guard_drop) struct stj_blas_guard guard = stj_blas_guard_take(1);
    STJ_MUST(stj_blas_prepare(err));
    memcpy(self->theta, theta, self->layout->n_params * sizeof *theta);
    self->step = step;
    if (!self->s.data)
        cut_batch(self);
    self->moved = true;
    if (!self->lin && self->keeps)
        STJ_MUST(stj_new(&self->lin, self->s.data ? self->n_pieces : 1, self->n_lin * sizeof(real),
                         err));
    return self->keeps ? run_pieces(self, 1, NULL, NULL, err) : STJ_OK;
}

enum stj_status stj_curvature_move(struct stj_op *op, size_t step, const real *theta,
                                   struct stj_error *err)
{
    struct curvature *self = stj_op_ctx(op, curvature_apply);
    STJ_NEED(err, self, STJ_EINTERNAL, "only a Hessian moves to a point");
    stj_ranks_apart();
    const enum stj_status st = curvature_place(self, step, theta, err);
    stj_ranks_together();
    return stj_ranks_agree(st, err);
}

/* Inputs, rows and weight of a data set. */
static enum stj_status take_data(struct curvature *self, struct stj_error *err)
{
    const struct stj_dataset *data = self->s.data;
    const struct stj_network *net = self->s.net;
    const struct stj_loss_ops *loss = stj_network_loss(net);
    const void *config = stj_network_loss_config(net);
    const struct stj_shape *out = stj_network_output(net);
    const bool one = stj_network_couples_samples(net) || data->n_rows < CHUNK_ROWS;
    const size_t n = data->n_rows, rows = one ? n : CHUNK_ROWS;
    const struct stj_targets targets = {.label = data->labels, .value = data->targets};
    size_t numbers = 0;
    double mass = (double)n;
    self->n_pieces = one ? 1 : (n + rows - 1) / rows;
    self->n_lin = stj_network_n_linear(net, rows);
    self->n_scratch = stj_network_n_scratch(net, rows, TILE);
    self->keeps = (double)self->n_pieces * (double)self->n_lin * sizeof(real) <=
                  (double)stj_memory_available() / 4;
    STJ_MUST(stj_size_mul(n, data->n_features, &numbers, err));
    STJ_MUST(stj_new(&self->x, numbers, sizeof *self->x, err));
    for (size_t i = 0; i < numbers; i++)
        self->x[i] = (real)data->inputs[i];
    STJ_MUST(stj_new(&self->row, n, sizeof *self->row, err));
    for (size_t i = 0; i < n; i++)
        self->row[i] = i;
    struct stj_targets all = targets;
    all.row = self->row;
    if (stj_loss_has_mass(loss, config, &all))
        mass = loss->mass(config, out, n, &all);
    STJ_NEED(err, mass > 0, STJ_EINVAL, "no label of the data counts: their mean loss is 0 / 0");
    self->weight = stj_loss_weight(loss, config, out, n, mass);
    return STJ_OK;
}

enum stj_status stj_curvature_create(const struct stj_curvature_settings *settings,
                                     struct stj_op **op, struct stj_error *err)
{
    STJ_HELD(curvature_destroy_at) struct curvature *self = NULL;
    const struct stj_problem *problem = settings->problem;
    STJ_MUST(stj_new(&self, 1, sizeof *self, err));
    self->s = *settings;
    self->layout = problem->layout;
    self->how.no_penalty = !settings->penalty;
    STJ_MUST(stj_new(&self->theta, self->layout->n_params, sizeof(real), err));
    if (settings->gauss_newton)
        STJ_MUST(stj_new(&self->zero, TILE * self->layout->n_params, sizeof(real), err));
    self->how.zero = self->zero;
    self->n_in = settings->data ? settings->data->n_features : 0;
    self->n_lin = problem->ops->n_linear(problem->self);
    self->keeps = true;
    if (settings->data)
        STJ_MUST(take_data(self, err));
    STJ_MUST(stj_op_create(self->layout->n_params, self->layout->n_params, curvature_apply,
                           curvature_destroy, self, op, err));
    self = NULL;
    return STJ_OK;
}
