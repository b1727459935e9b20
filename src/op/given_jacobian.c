/* SPDX-License-Identifier: GPL-3.0-or-later */
/* op/given_jacobian.c: D = d theta_to / d u, by the sweep of op/sweep_given.c. */
#include "op/given_jacobian.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/blas.h"
#include "base/error.h"
#include "base/memory.h"
#include "op/memory_split.h"
#include "op/operator.h"
#include "op/sweep.h"
#include "train/given_step.h"
#include "train/train.h"

struct given_jacobian {
    struct stj_sweep *sweep;
    size_t n_params, n_given;
    struct stj_problem *problem; /* of inputs: the same with their tangents; */
    struct stj_recipe recipe;    /* of steps: the same, of which linearisations hold more; */
    struct stj_linearization_cache *store; /* and their linearisations */
};

static void given_jacobian_destroy(void *ctx)
{
    struct given_jacobian *self = ctx;
    if (!self)
        return;
    stj_sweep_destroy(self->sweep);
    stj_linearization_cache_destroy(self->store);
    stj_problem_destroy(self->problem);
    free(self);
}
STJ_HOLDS(struct given_jacobian, given_jacobian_destroy)

static enum stj_status given_jacobian_apply(void *ctx, enum stj_trans trans, size_t nvec,
                                            const double *x, size_t ldx, double *y, size_t ldy,
                                            struct stj_error *err)
{
    struct given_jacobian *self = ctx;
    const size_t n = trans == STJ_NO_TRANS ? self->n_params : self->n_given;
    return stj_sweep_apply(self->sweep, trans, n, nvec, x, ldx, y, ldy, err);
}

/* The root of the mean square of what a window's steps are given. */
static double size_of_steps(const struct stj_training_window *w, enum stj_given given)
{
    double sum = 0, value = 0;
    for (size_t t = w->from; t < w->to; t++)
        if (stj_recipe_value(w->recipe, given, t, w->problem->n_steps, &value))
            sum += value * value;
    return sqrt(sum / (double)(w->to - w->from));
}

/* *shape <- of what a window of training was given. */
static enum stj_status find_shape(const struct stj_training_window *window, enum stj_given given,
                                  struct stj_given_shape *shape, struct stj_error *err)
{
    if (!stj_given_is_of_steps(given))
        return stj_problem_given(window->problem, given, shape, err);
    STJ_MUST(stj_given_step_check(window->recipe, given, window->from, window->to,
                                  window->problem->n_steps, err));
    *shape = (struct stj_given_shape){.n_samples = given == STJ_GIVEN_SCALES
                                                       ? 1 + window->recipe->n_groups
                                                       : window->to - window->from,
                                      .width = 1,
                                      .cols = 1,
                                      .size = size_of_steps(window, given)};
    return STJ_OK;
}

/* *window, *shape <- of a Jacobian that has such an operator beside it. */
static enum stj_status find_window(const struct stj_op *jacobian, enum stj_given given,
                                   struct stj_training_window *window,
                                   struct stj_given_shape *shape, struct stj_error *err)
{
    STJ_NEED(err, stj_training_jacobian_window(jacobian, window), STJ_EINVAL,
             "derivatives with respect to %s need a training Jacobian", stj_given_name(given));
    STJ_MUST(find_shape(window, given, shape, err));
    STJ_NEED(err, !window->full_state && !window->ranges, STJ_EUNSUPPORTED,
             "derivatives with respect to %s are of all parameters: leave out the full state and "
             "the choice of layers",
             stj_given_name(given));
    return STJ_OK;
}

/* The recipe whose steps are given something else: how much more of it; NULL: their derivative. */
static struct stj_recipe recipe_with(const struct stj_recipe *recipe, enum stj_given given,
                                     const double *shift)
{
    struct stj_recipe r = *recipe;
    if (stj_given_is_of_steps(given)) {
        r.given = given;
        r.shift = shift;
    }
    return r;
}

bool stj_given_jacobian_is_there(const struct stj_op *jacobian, enum stj_given given)
{
    struct stj_training_window window;
    struct stj_given_shape shape;
    return find_window(jacobian, given, &window, &shape, NULL) == STJ_OK;
}

enum stj_status stj_given_jacobian_create(const struct stj_op *jacobian, enum stj_given given,
                                          struct stj_op **op, struct stj_error *err)
{
    STJ_HELD(given_jacobian_destroy_at) struct given_jacobian *self = NULL;
    struct stj_training_window w;
    struct stj_given_shape shape;
    STJ_MUST(find_window(jacobian, given, &w, &shape, err));
    STJ_MUST(stj_new(&self, 1, sizeof *self, err));
    self->n_params = w.problem->layout->n_params;
    STJ_MUST(stj_size_mul(shape.n_samples, shape.width, &self->n_given, err));
    if (given == STJ_GIVEN_INPUTS)
        STJ_MUST(stj_problem_vary(w.problem, given, NULL, &self->problem, err));
    self->recipe = recipe_with(w.recipe, given, NULL);
    STJ_MUST(stj_training_jacobian_sweep(jacobian, self->problem,
                                         stj_given_is_of_steps(given) ? &self->recipe : NULL,
                                         &self->store, &self->sweep, err));
    STJ_MUST(stj_sweep_set_given(self->sweep, given, &shape, err));
    STJ_MUST(stj_op_create(self->n_params, self->n_given, given_jacobian_apply,
                           given_jacobian_destroy, self, op, err));
    self = NULL;
    stj_op_cost_as(*op, jacobian);
    stj_op_set_rounding(*op, DBL_EPSILON * sqrt((double)(w.to - w.from)));
    return STJ_OK;
}

/* Linearisations that are kept, and work space: of D where given is not STJ_GIVEN_START. */
static enum stj_status predict_bytes(const struct stj_training_window *w, enum stj_given given,
                                     const struct stj_given_shape *shape, size_t memory_bytes,
                                     size_t nvec, size_t *bytes, struct stj_error *err)
{
    STJ_HELD(stj_problem_destroy_at) struct stj_problem *moving = NULL;
    STJ_HELD(stj_sweep_destroy_at) struct stj_sweep *sweep = NULL;
    struct stj_memory_split split;
    if (given == STJ_GIVEN_INPUTS)
        STJ_MUST(stj_problem_vary(w->problem, given, NULL, &moving, err));
    const struct stj_problem *problem = moving ? moving : w->problem;
    const struct stj_recipe recipe = recipe_with(w->recipe, given, NULL);
    STJ_MUST(stj_memory_split(problem, &recipe, w->trajectory, w->from, w->to, memory_bytes, &split,
                              err));
    STJ_MUST(stj_sweep_create(problem, &recipe, NULL, w->from, w->to, 0, &sweep, err));
    if (given != STJ_GIVEN_START)
        STJ_MUST(stj_sweep_set_given(sweep, given, shape, err));
    *bytes = split.storage.linear_bytes + stj_sweep_bytes(sweep, nvec);
    return STJ_OK;
}

enum stj_status stj_given_jacobian_predict(const struct stj_training_window *window,
                                           enum stj_given given, size_t memory_bytes, size_t nvec,
                                           size_t *n_given, size_t *more, struct stj_error *err)
{
    struct stj_given_shape shape = {.width = 1};
    size_t of_jacobian = 0;
    STJ_MUST(find_shape(window, given, &shape, err));
    STJ_MUST(stj_size_mul(shape.n_samples, shape.width, n_given, err));
    STJ_MUST(predict_bytes(window, STJ_GIVEN_START, &shape, memory_bytes, nvec, &of_jacobian, err));
    STJ_MUST(predict_bytes(window, given, &shape, memory_bytes, nvec, more, err));
    *more -= *more < of_jacobian ? *more : of_jacobian;
    return STJ_OK;
}

double stj_given_jacobian_size(const struct stj_op *jacobian, enum stj_given given)
{
    struct stj_training_window w;
    struct stj_given_shape shape;
    return find_window(jacobian, given, &w, &shape, NULL) == STJ_OK && shape.size > 0 ? shape.size
                                                                                      : 1;
}

/* Train with a recipe and a problem like the window's. */
static enum stj_status train_window(const struct stj_training_window *w,
                                    const struct stj_problem *problem,
                                    const struct stj_recipe *recipe, double *end,
                                    const struct stj_progress *progress, struct stj_error *err)
{
    struct stj_trajectory_view view;
    STJ_FREED real *state = NULL;
    const size_t n = problem->layout->n_params;
    const size_t n_state = (1 + stj_trajectory_n_slots(w->trajectory)) * n;
    STJ_MUST(stj_new(&state, n_state, sizeof *state, err));
    STJ_MUST(stj_trajectory_visit(w->trajectory, w->from, 1, &view, err));
    memcpy(state, view.state, n_state * sizeof *state);
    STJ_MUST(stj_train(problem, recipe, w->from, w->to, state, NULL, NULL, progress, err));
    for (size_t i = 0; i < n; i++)
        end[i] = (double)state[stj_recipe_end(recipe) * n + i];
    return STJ_OK;
}

static enum stj_status train_with_steps(const struct stj_training_window *w, enum stj_given given,
                                        const double *shift, double *end,
                                        const struct stj_progress *progress, struct stj_error *err)
{
    STJ_FREED double *shifts = NULL;
    STJ_MUST(stj_new(&shifts, w->problem->n_steps, sizeof *shifts, err));
    const bool by_step = given != STJ_GIVEN_SCALES;
    if (by_step)
        memcpy(shifts + w->from, shift, (w->to - w->from) * sizeof *shifts);
    const struct stj_recipe recipe = recipe_with(w->recipe, given, by_step ? shifts : shift);
    return train_window(w, w->problem, &recipe, end, progress, err);
}

static enum stj_status train_varied(const struct stj_training_window *w, enum stj_given given,
                                    const double *shift, double *end,
                                    const struct stj_progress *progress, struct stj_error *err)
{
    STJ_HELD(stj_problem_destroy_at) struct stj_problem *problem = NULL;
    STJ_MUST(stj_problem_vary(w->problem, given, shift, &problem, err));
    return train_window(w, problem, w->recipe, end, progress, err);
}

enum stj_status stj_given_jacobian_train(const struct stj_op *jacobian, enum stj_given given,
                                         const double *shift, double *end,
                                         const struct stj_progress *progress, struct stj_error *err)
{
    struct stj_training_window w;
    struct stj_given_shape shape;
    STJ_MUST(find_window(jacobian, given, &w, &shape, err));
    return stj_given_is_of_steps(given) ? train_with_steps(&w, given, shift, end, progress, err)
                                        : train_varied(&w, given, shift, end, progress, err);
}
