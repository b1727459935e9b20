/* SPDX-License-Identifier: GPL-3.0-or-later */
/* op/training_jacobian.c: J(from -> to) = d theta_to / d theta_from as an operator, and the check of
 * its products against differences of whole trainings.
 *
 *     central difference   (Phi(theta + h x) - Phi(theta - h x)) / (2 h)
 *
 * with Phi the training from step `from` to `to`, the optimizer's slots at `from` held.
 */
#include "op/training_jacobian.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/blas.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/progress.h"
#include "base/rng.h"
#include "op/operator.h"
#include "op/sweep.h"

struct training_jacobian {
    const struct stj_problem *problem;
    const struct stj_recipe *recipe;
    struct stj_trajectory *trajectory;
    size_t from, to;
    size_t tile;
    struct stj_linear_store *store;
    bool owns_store;
    struct stj_sweep *sweep;
};

static void jacobian_destroy(void *ctx)
{
    struct training_jacobian *self = ctx;
    if (!self)
        return;
    stj_sweep_destroy(self->sweep);
    if (self->owns_store)
        stj_linear_store_destroy(self->store);
    free(self);
}

static enum stj_status jacobian_apply(void *ctx, enum stj_trans trans, size_t nvec, const double *x,
                                      size_t ldx, double *y, size_t ldy, struct stj_error *err)
{
    struct training_jacobian *self = ctx;
    return stj_sweep_run(self->sweep, trans, nvec, x, ldx, y, ldy, err);
}

static enum stj_status jacobian_prefix(void *ctx, double fraction, struct stj_op **prefix,
                                       struct stj_error *err);

/* The operator of a prepared self, which it takes over, also on failure. */
static enum stj_status make_operator(struct training_jacobian *self, struct stj_op **op,
                                     struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const size_t n = self->problem->layout->n_params;
    const double steps = (double)(self->to - self->from);
    const double n_steps = (double)stj_trajectory_n_steps(self->trajectory);
    STJ_TRY(stj_sweep_create(self->problem, self->recipe, self->store, self->from, self->to,
                             self->tile, &self->sweep, err));
    STJ_TRY(stj_op_create(n, n, jacobian_apply, jacobian_destroy, self, op, err));
    self = NULL;
    stj_op_set_cost(*op, steps / n_steps);
    stj_op_set_rounding(*op, DBL_EPSILON * sqrt(steps));
    stj_op_set_prefix(*op, jacobian_prefix);
out:
    jacobian_destroy(self);
    return st;
}

enum stj_status stj_training_jacobian_create(const struct stj_problem *problem,
                                             const struct stj_recipe *recipe,
                                             struct stj_trajectory *trajectory,
                                             const struct stj_training_jacobian_settings *settings,
                                             struct stj_op **op, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct training_jacobian *self = NULL;
    const size_t n_steps = stj_trajectory_n_steps(trajectory);
    const size_t from = settings->from;
    const size_t to = settings->to ? settings->to : n_steps;
    STJ_CHECK(err, from < to && to <= n_steps, STJ_EINVAL,
              "a window from step %zu to %zu: it must hold 0 <= from < to <= %zu", from, to,
              n_steps);
    STJ_TRY(stj_new(&self, 1, sizeof *self, err));
    *self = (struct training_jacobian){.problem = problem,
                                       .recipe = recipe,
                                       .trajectory = trajectory,
                                       .from = from,
                                       .to = to,
                                       .tile = settings->tile,
                                       .owns_store = true};
    const size_t memory =
        settings->memory_bytes ? settings->memory_bytes : stj_memory_available() / 4;
    STJ_TRY(
        stj_linear_store_create(problem, recipe, trajectory, from, to, memory, &self->store, err));
    st = make_operator(self, op, err);
    self = NULL;
out:
    jacobian_destroy(self);
    return st;
}

/* J(from -> from + fraction (to - from)), over the same store. */
static enum stj_status jacobian_prefix(void *ctx, double fraction, struct stj_op **prefix,
                                       struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const struct training_jacobian *whole = ctx;
    struct training_jacobian *self = NULL;
    STJ_CHECK(err, fraction > 0 && fraction <= 1, STJ_EINVAL,
              "a window of %g of the steps: it must lie above 0 and be at most 1", fraction);
    STJ_TRY(stj_new(&self, 1, sizeof *self, err));
    *self = *whole;
    self->owns_store = false;
    self->sweep = NULL;
    self->to = whole->from + (size_t)ceil(fraction * (double)(whole->to - whole->from));
    st = make_operator(self, prefix, err);
out:
    return st;
}

/* end[n] <- theta_to when training starts from state_from + shift x. */
static enum stj_status train_shifted(const struct training_jacobian *self, double shift,
                                     const double *x, real *state, double *end,
                                     struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const size_t n = self->problem->layout->n_params;
    const size_t n_state = (1 + stj_trajectory_n_slots(self->trajectory)) * n;
    struct stj_trajectory_view view;
    STJ_TRY(stj_trajectory_visit(self->trajectory, self->from, 1, &view, err));
    memcpy(state, view.state, n_state * sizeof *state);
    for (size_t i = 0; i < n; i++)
        state[i] += (real)(shift * x[i]);
    STJ_TRY(
        stj_train(self->problem, self->recipe, self->from, self->to, state, NULL, NULL, NULL, err));
    for (size_t i = 0; i < n; i++)
        end[i] = (double)state[i];
out:
    return st;
}

/* *error <- |(plus - minus) / 2h - jx| / |jx|; infinite when a training diverged. */
static enum stj_status difference_error(const struct training_jacobian *self, double h,
                                        const double *x, const double *jx, real *state,
                                        double *plus, double *minus, double *error)
{
    const size_t n = self->problem->layout->n_params;
    struct stj_error diverged = STJ_ERROR_INIT;
    enum stj_status st = train_shifted(self, h, x, state, plus, &diverged);
    if (st == STJ_OK)
        st = train_shifted(self, -h, x, state, minus, &diverged);
    *error = INFINITY;
    if (st == STJ_ENONFINITE)
        return STJ_OK;
    if (st != STJ_OK)
        return st;
    for (size_t i = 0; i < n; i++)
        plus[i] = (plus[i] - minus[i]) / (2 * h) - jx[i];
    *error = stj_nrm2(n, plus) / stj_nrm2(n, jx);
    return STJ_OK;
}

enum stj_status stj_finite_difference_error(struct stj_op *jacobian, uint64_t seed, double *error,
                                            double *step_size, const struct stj_progress *progress,
                                            struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const struct training_jacobian *self = stj_op_ctx(jacobian, jacobian_apply);
    struct stj_rng *rng = NULL;
    double *x = NULL; /* [4][n]: x, J x, plus, minus */
    real *state = NULL;
    STJ_CHECK(err, self, STJ_EINVAL, "finite differences need a training Jacobian");
    const size_t n = self->problem->layout->n_params;
    STJ_TRY(stj_rng_create(seed, STJ_STREAM_CHECK, 1, &rng, err));
    STJ_TRY(stj_new(&x, 4 * n, sizeof *x, err));
    STJ_TRY(
        stj_new(&state, (1 + stj_trajectory_n_slots(self->trajectory)) * n, sizeof *state, err));
    stj_rng_fill_normal(rng, n, x);
    stj_scal(n, 1 / stj_nrm2(n, x), x);
    STJ_TRY(stj_op_apply(jacobian, STJ_NO_TRANS, 1, x, n, x + n, n, err));
    *error = INFINITY;
    for (int k = 2; k <= 9; k++) {
        const double h = pow(10, -k);
        double now = INFINITY;
        STJ_TRY(stj_progress_report(progress, "finite differences", k - 2, 8, err));
        STJ_TRY(difference_error(self, h, x, x + n, state, x + 2 * n, x + 3 * n, &now));
        if (now < *error) {
            *error = now;
            *step_size = h;
        }
    }
    STJ_TRY(stj_progress_report(progress, "finite differences", 8, 8, err));
out:
    stj_rng_destroy(rng);
    free(x);
    free(state);
    return st;
}
