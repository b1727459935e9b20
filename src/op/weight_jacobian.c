/* SPDX-License-Identifier: GPL-3.0-or-later */
/* op/weight_jacobian.c: D = d theta_to / d w, by the sweep of op/sweep_weights.c. */
#include "op/weight_jacobian.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/blas.h"
#include "base/error.h"
#include "base/memory.h"
#include "op/operator.h"
#include "op/sweep.h"
#include "parallel/ranks.h"

struct weight_jacobian {
    struct stj_sweep *sweep;
    size_t n_params, n_samples;
};

static void weight_jacobian_destroy(void *ctx)
{
    struct weight_jacobian *self = ctx;
    if (self)
        stj_sweep_destroy(self->sweep);
    free(self);
}
STJ_HOLDS(struct weight_jacobian, weight_jacobian_destroy)

static enum stj_status weight_jacobian_apply(void *ctx, enum stj_trans trans, size_t nvec,
                                             const double *x, size_t ldx, double *y, size_t ldy,
                                             struct stj_error *err)
{
    struct weight_jacobian *self = ctx;
    const size_t n = trans == STJ_NO_TRANS ? self->n_params : self->n_samples;
    STJ_MUST(stj_sweep_run(self->sweep, trans, nvec, x, ldx, y, ldy, err));
    const size_t bad = stj_op_first_bad(n, nvec, y, ldy);
    return bad < nvec ? stj_sweep_explain(self->sweep, trans, x + bad * ldx, y + bad * ldy, err)
                      : STJ_OK;
}

/* *window <- of a Jacobian that has such an operator beside it. */
static enum stj_status find_window(const struct stj_op *jacobian,
                                   struct stj_training_window *window, struct stj_error *err)
{
    STJ_NEED(err, stj_training_jacobian_window(jacobian, window), STJ_EINVAL,
             "derivatives with respect to weights of samples need a training Jacobian");
    STJ_NEED(err, window->problem->ops->weigh, STJ_EUNSUPPORTED,
             "weights of samples need a problem that is a network and its data; this one's losses "
             "are the caller's");
    STJ_NEED(
        err, window->problem->ops->n_samples(window->problem->self) > 0, STJ_EUNSUPPORTED,
        "steps of several micro-batches (training.accumulate) have no derivatives with respect "
        "to weights of samples: train with batches as large as theirs together");
    STJ_NEED(err, !window->full_state && !window->ranges, STJ_EUNSUPPORTED,
             "derivatives with respect to weights of samples are of all parameters: leave out the "
             "full state and the choice of layers");
    STJ_NEED(err, stj_n_ranks() == 1, STJ_EUNSUPPORTED,
             "derivatives with respect to weights of samples are computed in one process, there "
             "are %zu ranks: start it without mpirun",
             stj_n_ranks());
    return STJ_OK;
}

bool stj_weight_jacobian_is_there(const struct stj_op *jacobian)
{
    struct stj_training_window window;
    return find_window(jacobian, &window, NULL) == STJ_OK;
}

enum stj_status stj_weight_jacobian_create(const struct stj_op *jacobian, struct stj_op **op,
                                           struct stj_error *err)
{
    STJ_HELD(weight_jacobian_destroy_at) struct weight_jacobian *self = NULL;
    struct stj_training_window w;
    STJ_MUST(find_window(jacobian, &w, err));
    STJ_MUST(stj_new(&self, 1, sizeof *self, err));
    self->n_params = w.problem->layout->n_params;
    self->n_samples = w.problem->ops->n_samples(w.problem->self);
    STJ_MUST(stj_training_jacobian_sweep(jacobian, &self->sweep, err));
    stj_sweep_weigh_samples(self->sweep);
    STJ_MUST(stj_op_create(self->n_params, self->n_samples, weight_jacobian_apply,
                           weight_jacobian_destroy, self, op, err));
    self = NULL;
    stj_op_set_cost(*op, stj_op_cost(jacobian));
    stj_op_set_rounding(*op, DBL_EPSILON * sqrt((double)(w.to - w.from)));
    return STJ_OK;
}

enum stj_status stj_weight_jacobian_train(const struct stj_op *jacobian, const double *weight,
                                          double *end, const struct stj_progress *progress,
                                          struct stj_error *err)
{
    struct stj_training_window w;
    struct stj_trajectory_view view;
    STJ_HELD(stj_problem_destroy_at) struct stj_problem *problem = NULL;
    STJ_FREED real *state = NULL;
    STJ_MUST(find_window(jacobian, &w, err));
    const size_t n = w.problem->layout->n_params;
    const size_t n_state = (1 + stj_trajectory_n_slots(w.trajectory)) * n;
    STJ_MUST(stj_problem_weigh(w.problem, weight, &problem, err));
    STJ_MUST(stj_new(&state, n_state, sizeof *state, err));
    STJ_MUST(stj_trajectory_visit(w.trajectory, w.from, 1, &view, err));
    memcpy(state, view.state, n_state * sizeof *state);
    STJ_MUST(stj_train(problem, w.recipe, w.from, w.to, state, NULL, NULL, progress, err));
    for (size_t i = 0; i < n; i++)
        end[i] = (double)state[stj_recipe_end(w.recipe) * n + i];
    return STJ_OK;
}
