/* SPDX-License-Identifier: GPL-3.0-or-later */
/* op/training_jacobian.c: J(from -> to) = d theta_to / d theta_from as an operator. */
#include "op/training_jacobian.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/blas.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/progress.h"
#include "op/memory_split.h"
#include "op/operator.h"
#include "op/sweep.h"

struct training_jacobian {
    const struct stj_problem *problem;
    struct stj_problem *single; /* the same, whose products are in single precision; or NULL */
    const struct stj_recipe *recipe;
    struct stj_trajectory *trajectory;
    size_t from, to;
    size_t tile, memory_bytes;
    bool full_state;
    struct stj_linearization_cache *store;
    bool owns_store;
    struct stj_sweep *sweep;
    struct stj_storage storage; /* but for what replays find out */
};

static void jacobian_destroy(void *ctx)
{
    struct training_jacobian *self = ctx;
    if (!self)
        return;
    stj_sweep_destroy(self->sweep);
    if (self->owns_store) {
        stj_linearization_cache_destroy(self->store);
        stj_problem_destroy(self->single);
    }
    free(self);
}

/* What products are made with. */
static const struct stj_problem *maker(const struct training_jacobian *self)
{
    return self->single ? self->single : self->problem;
}

static enum stj_status jacobian_apply(void *ctx, enum stj_trans trans, size_t nvec, const double *x,
                                      size_t ldx, double *y, size_t ldy, struct stj_error *err)
{
    struct training_jacobian *self = ctx;
    const size_t n_slots = self->full_state ? stj_trajectory_n_slots(self->trajectory) : 0;
    const size_t n = self->problem->layout->n_params * (1 + n_slots);
    return stj_sweep_apply(self->sweep, trans, n, nvec, x, ldx, y, ldy, err);
}

static enum stj_status jacobian_prefix(void *ctx, double fraction, struct stj_op **prefix,
                                       struct stj_error *err);

/* The operator of a prepared self, which it takes over, also on failure. */
static enum stj_status make_jacobian(struct training_jacobian *self, struct stj_op **op,
                                     struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const size_t n_slots = self->full_state ? stj_trajectory_n_slots(self->trajectory) : 0;
    const double steps = (double)(self->to - self->from);
    const double n_steps = (double)stj_trajectory_n_steps(self->trajectory);
    const double lone = stj_problem_lone(self->problem);
    const bool single = self->single;
    size_t n = 0;
    STJ_TRY(stj_sweep_create(maker(self), self->recipe, self->store, self->from, self->to,
                             self->tile, &self->sweep, err));
    if (self->full_state)
        stj_sweep_carry_slots(self->sweep);
    STJ_TRY(stj_size_mul(self->problem->layout->n_params, 1 + n_slots, &n, err));
    STJ_TRY(stj_op_create(n, n, jacobian_apply, jacobian_destroy, self, op, err));
    self = NULL;
    stj_op_set_cost(*op, steps / n_steps);
    stj_op_set_rounding(*op, (single ? (double)FLT_EPSILON : DBL_EPSILON) * sqrt(steps));
    stj_op_set_prefix(*op, jacobian_prefix, 1 / steps);
    stj_op_set_lone(*op, lone);
out:
    jacobian_destroy(self);
    return st;
}

enum stj_status stj_check_steps(size_t from, size_t to, size_t n_steps, struct stj_error *err)
{
    STJ_NEED(err, to <= n_steps, STJ_EINVAL, "--to is %zu, but the run has %zu steps", to, n_steps);
    STJ_NEED(err, from < n_steps, STJ_EINVAL,
             "--from is %zu, but the run has %zu steps: the window must begin before the last",
             from, n_steps);
    STJ_NEED(err, from < to, STJ_EINVAL,
             "--from is %zu and --to is %zu: the window must begin before it ends", from, to);
    return STJ_OK;
}

static enum stj_status resolve(const struct stj_trajectory *trajectory,
                               const struct stj_training_jacobian_settings *settings, size_t *to,
                               struct stj_error *err)
{
    const size_t n_steps = stj_trajectory_n_steps(trajectory);
    *to = settings->to ? settings->to : n_steps;
    return stj_check_steps(settings->from, *to, n_steps, err);
}

enum stj_status stj_training_jacobian_predict(const struct stj_problem *problem,
                                              const struct stj_recipe *recipe,
                                              const struct stj_trajectory *trajectory,
                                              const struct stj_training_jacobian_settings *settings,
                                              size_t nvec, struct stj_storage *storage,
                                              struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct stj_memory_split split = {.chunk = 0};
    STJ_HELD(stj_problem_destroy_at) struct stj_problem *single = NULL;
    struct stj_sweep *sweep = NULL;
    size_t to = 0;
    STJ_TRY(resolve(trajectory, settings, &to, err));
    if (settings->single)
        STJ_TRY(stj_problem_single(problem, &single, err));
    problem = single ? single : problem;
    STJ_TRY(stj_memory_split(problem, recipe, trajectory, settings->from, to,
                             settings->memory_bytes, &split, err));
    STJ_TRY(
        stj_sweep_create(problem, recipe, NULL, settings->from, to, settings->tile, &sweep, err));
    split.storage.work_bytes = stj_sweep_bytes(sweep, nvec);
out:
    *storage = split.storage;
    stj_sweep_destroy(sweep);
    return st;
}

/* *store <- of a problem and recipe, within the window's memory, and how that is divided (NULL:
 * never mind). */
static enum stj_status make_store(const struct training_jacobian *self,
                                  const struct stj_problem *problem,
                                  const struct stj_recipe *recipe,
                                  struct stj_linearization_cache **store,
                                  struct stj_storage *storage, struct stj_error *err)
{
    struct stj_memory_split split = {.chunk = 0};
    STJ_MUST(stj_memory_split(problem, recipe, self->trajectory, self->from, self->to,
                              self->memory_bytes, &split, err));
    if (storage)
        *storage = split.storage;
    return stj_linearization_cache_create(problem, recipe, self->trajectory, self->from, self->to,
                                          split.chunk, split.storage.kept_steps, split.state_budget,
                                          store, err);
}

enum stj_status stj_training_jacobian_create(const struct stj_problem *problem,
                                             const struct stj_recipe *recipe,
                                             struct stj_trajectory *trajectory,
                                             const struct stj_training_jacobian_settings *settings,
                                             struct stj_op **op, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct training_jacobian *self = NULL;
    const size_t from = settings->from;
    size_t to = 0;
    /* 1. the window; 2. its memory, divided; 3. the store; 4. the operator over it */
    STJ_TRY(resolve(trajectory, settings, &to, err));
    STJ_TRY(stj_new(&self, 1, sizeof *self, err));
    *self = (struct training_jacobian){.problem = problem,
                                       .recipe = recipe,
                                       .trajectory = trajectory,
                                       .from = from,
                                       .to = to,
                                       .tile = settings->tile,
                                       .memory_bytes = settings->memory_bytes,
                                       .full_state = settings->full_state,
                                       .owns_store = true};
    if (settings->single)
        STJ_TRY(stj_problem_single(problem, &self->single, err));
    STJ_TRY(make_store(self, maker(self), recipe, &self->store, &self->storage, err));
    st = make_jacobian(self, op, err);
    self = NULL;
out:
    jacobian_destroy(self);
    return st;
}

/* J(from -> from + fraction (to - from)), over the same store. */
static enum stj_status jacobian_prefix(void *ctx, double fraction, struct stj_op **prefix,
                                       struct stj_error *err)
{
    const struct training_jacobian *whole = ctx;
    struct training_jacobian *self = NULL;
    STJ_NEED(err, fraction > 0 && fraction <= 1, STJ_EINVAL,
             "a window of %g of the steps: it must lie above 0 and be at most 1", fraction);
    STJ_MUST(stj_new(&self, 1, sizeof *self, err));
    *self = *whole;
    self->owns_store = false;
    self->sweep = NULL;
    self->to = whole->from + (size_t)ceil(fraction * (double)(whole->to - whole->from));
    return make_jacobian(self, prefix, err);
}

/* The Jacobian that `op` is, or is a block of; NULL for any other operator. */
static const struct training_jacobian *jacobian_of(const struct stj_op *op)
{
    const struct stj_op *inner = stj_op_restricted_inner(op);
    return stj_op_ctx(inner ? inner : op, jacobian_apply);
}

bool stj_training_jacobian_storage(const struct stj_op *op, struct stj_storage *storage)
{
    const struct training_jacobian *self = jacobian_of(op);
    if (!self)
        return false;
    *storage = self->storage;
    storage->work_bytes = stj_sweep_bytes(self->sweep, 1);
    stj_trajectory_divergence(self->trajectory, storage);
    return true;
}

bool stj_training_jacobian_window(const struct stj_op *op, struct stj_training_window *window)
{
    const struct training_jacobian *self = jacobian_of(op);
    if (self)
        *window = (struct stj_training_window){.problem = self->problem,
                                               .single = self->single != NULL,
                                               .recipe = self->recipe,
                                               .trajectory = self->trajectory,
                                               .from = self->from,
                                               .to = self->to,
                                               .full_state = self->full_state,
                                               .ranges = stj_op_restricted_ranges(op)};
    return self != NULL;
}

enum stj_status stj_training_jacobian_sweep(const struct stj_op *op,
                                            const struct stj_problem *problem,
                                            const struct stj_recipe *recipe,
                                            struct stj_linearization_cache **store,
                                            struct stj_sweep **sweep, struct stj_error *err)
{
    const struct training_jacobian *self = jacobian_of(op);
    STJ_NEED(err, self, STJ_EINVAL, "a sweep through a training needs its Jacobian");
    STJ_NEED(err, !self->single, STJ_EUNSUPPORTED,
             "this sweep has no single precision: take precision double");
    const bool other = problem || recipe;
    problem = problem ? problem : self->problem;
    recipe = recipe ? recipe : self->recipe;
    if (other)
        STJ_MUST(make_store(self, problem, recipe, store, NULL, err));
    return stj_sweep_create(problem, recipe, other ? *store : self->store, self->from, self->to,
                            self->tile, sweep, err);
}

/* norm[nvec] <- of the first n elements of the columns of a block of rows `ld`. */
static void column_norms(size_t n, size_t nvec, const double *block, size_t ld, double *norm)
{
    for (size_t j = 0; j < nvec; j++)
        norm[j] = stj_nrm2(n, block + j * ld);
}

/* Step k of the sweep of a block; every number must be finite. */
static enum stj_status grow_block(struct training_jacobian *self, size_t k, size_t nvec,
                                  const double *before, double *after, size_t ld,
                                  struct stj_error *err)
{
    stj_sweep_set_window(self->sweep, self->from + k, self->from + k + 1);
    STJ_MUST(stj_sweep_run(self->sweep, STJ_NO_TRANS, nvec, before, ld, after, ld, err));
    const size_t bad = stj_op_first_bad(ld, nvec, after, ld);
    if (bad == nvec)
        return STJ_OK;
    STJ_MUST(
        stj_sweep_explain(self->sweep, STJ_NO_TRANS, before + bad * ld, after + bad * ld, err));
    STJ_NEED(err, false, STJ_ENONFINITE,
             "a tangent of the training has a NaN or infinity, first after step %zu",
             self->from + k);
    return STJ_OK;
}

/* What the sweep of a block made of x [n][nvec]: products with the whole Jacobian, which are
 * checked as any others. work: of ld numbers. */
static enum stj_status note_growth(struct stj_op *jacobian, size_t n, size_t nvec, const double *x,
                                   const double *y, size_t ld, double *work, struct stj_error *err)
{
    enum { AT_A_TIME = 100 }; /* two of these between checks, which so cost 1 % at most */
    for (size_t j = 0; j < nvec; j += AT_A_TIME) {
        memset(work, 0, ld * sizeof *work);
        memcpy(work, x + j * n, n * sizeof *work);
        STJ_MUST(stj_op_note_products(jacobian, nvec - j < AT_A_TIME ? nvec - j : AT_A_TIME, work,
                                      y + j * ld, err));
    }
    return STJ_OK;
}

enum stj_status stj_training_jacobian_growth(struct stj_op *jacobian, size_t nvec, const double *x,
                                             double *norm, const struct stj_progress *progress,
                                             struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct training_jacobian *self = stj_op_ctx(jacobian, jacobian_apply);
    double *block = NULL; /* [2][n_state][nvec]: the tangents before and after a step */
    STJ_CHECK(err, self && self->full_state, STJ_EINVAL,
              "growth needs the training Jacobian of a full state");
    const size_t n = self->problem->layout->n_params;
    const size_t ld = stj_op_n_cols(jacobian);
    const size_t steps = self->to - self->from;
    /* 1. the vectors, with slots of zero */
    STJ_TRY(stj_new(&block, 2 * nvec, ld * sizeof *block, err));
    double *before = block;
    double *after = block + ld * nvec;
    for (size_t j = 0; j < nvec; j++)
        memcpy(before + j * ld, x + j * n, n * sizeof *x);
    column_norms(n, nvec, before, ld, norm);
    /* 2. one step after the other */
    for (size_t k = 0; k < steps; k++) {
        STJ_TRY(stj_progress_report(progress, "steps", (double)k, (double)steps, err));
        STJ_TRY(grow_block(self, k, nvec, before, after, ld, err));
        column_norms(n, nvec, after + stj_recipe_end(self->recipe) * n, ld, norm + (k + 1) * nvec);
        double *swap = before;
        before = after;
        after = swap;
    }
    /* 3. norms relative to the first; of that itself last, which the others are divided by */
    for (size_t k = steps + 1; k-- > 0;)
        for (size_t j = 0; j < nvec; j++)
            norm[k * nvec + j] /= norm[j];
    stj_sweep_set_window(self->sweep, self->from, self->to);
    /* 4. what came out are products with the whole Jacobian */
    STJ_TRY(note_growth(jacobian, n, nvec, x, before, ld, after, err));
out:
    if (self)
        stj_sweep_set_window(self->sweep, self->from, self->to);
    free(block);
    return st;
}
