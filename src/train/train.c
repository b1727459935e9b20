/* SPDX-License-Identifier: GPL-3.0-or-later */
/* train/train.c: the training loop: for each step g = grad L_t(theta), then the update. */
#include "train/train.h"

#include <math.h>
#include <stdlib.h>

#include "base/blas.h"
#include "base/error.h"
#include "base/memory.h"
#include "parallel/parallel.h"
#include "base/progress.h"
#include "train/clip.h"

static size_t first_not_finite(size_t n, const real *x)
{
    for (size_t i = 0; i < n; i++)
        if (!isfinite(x[i]))
            return i;
    return n;
}

static enum stj_status check_step(size_t t, double loss, size_t n, const real *theta,
                                  struct stj_error *err)
{
    STJ_NEED(err, isfinite(loss), STJ_ENONFINITE,
             "training diverged: the loss at step %zu is %g; lower the learning rate or check the "
             "data",
             t, loss);
    size_t i = first_not_finite(n, theta);
    STJ_NEED(err, i == n, STJ_ENONFINITE,
             "training diverged: after step %zu parameter %zu is %g; lower the learning rate or "
             "check the data",
             t, i, (double)theta[i < n ? i : 0]);
    return STJ_OK;
}

void stj_subspace_point(const struct stj_subspace *subspace, size_t n_params, const real *z,
                        double *theta)
{
    for (size_t i = 0; i < n_params; i++)
        theta[i] = subspace->origin[i];
    for (size_t j = 0; j < subspace->k; j++)
        stj_axpy(n_params, (double)z[j], subspace->basis + j * n_params, theta);
}

/* What a training in a subspace needs beside the whole one. */
struct within {
    const struct stj_subspace *subspace; /* NULL: train everything */
    double *point;                       /* theta, then g, in double */
    double *reduced;                     /* B'g */
    real *theta;
};

static void within_free(struct within *w)
{
    free(w->point);
    free(w->reduced);
    free(w->theta);
}

static enum stj_status within_init(struct within *w, const struct stj_subspace *subspace, size_t n,
                                   struct stj_error *err)
{
    w->subspace = subspace;
    if (!subspace)
        return STJ_OK;
    STJ_MUST(stj_new(&w->point, n, sizeof *w->point, err));
    STJ_MUST(stj_new(&w->reduced, subspace->k, sizeof *w->reduced, err));
    return stj_new(&w->theta, n, sizeof *w->theta, err);
}

/* The parameters at the coordinates of the state. */
static const real *point_of(struct within *w, size_t n, const real *state)
{
    if (!w->subspace)
        return state;
    stj_subspace_point(w->subspace, n, state, w->point);
    for (size_t i = 0; i < n; i++)
        w->theta[i] = (real)w->point[i];
    return w->theta;
}

/* g <- the gradient in the coordinates, B'g. */
static void reduce_gradient(struct within *w, size_t n, real *g)
{
    if (!w->subspace)
        return;
    for (size_t i = 0; i < n; i++)
        w->point[i] = g[i];
    stj_gemv(STJ_BLAS_TRANS, n, w->subspace->k, 1, w->subspace->basis, n, w->point, 0, w->reduced);
    for (size_t j = 0; j < w->subspace->k; j++)
        g[j] = (real)w->reduced[j];
}

/* g <- the gradient at the coordinates of a state. */
static enum stj_status gradient_within(const struct stj_problem *problem, struct within *w,
                                       size_t t, const real *state, double *loss, real *g,
                                       struct stj_gradient_work *work, struct stj_error *err)
{
    const size_t n = problem->layout->n_params;
    STJ_MUST(stj_problem_gradient(problem, t, point_of(w, n, state), loss, g, work, err));
    reduce_gradient(w, n, g);
    return STJ_OK;
}

/* And that of the step: with sam, where it climbs to. */
static enum stj_status step_gradient(const struct stj_problem *problem,
                                     const struct stj_recipe *recipe, struct within *w, size_t t,
                                     const real *state, double *loss, real *g, real *climbed,
                                     struct stj_gradient_work *work, struct stj_error *err)
{
    const size_t n = w->subspace ? w->subspace->k : problem->layout->n_params;
    STJ_MUST(gradient_within(problem, w, t, state, loss, g, work, err));
    if (stj_recipe_n_gradients(recipe) == 1)
        return STJ_OK;
    (void)stj_climb(recipe, n, state, g, climbed, NULL);
    return gradient_within(problem, w, t, climbed, NULL, g, work, err);
}

enum stj_status stj_step_gradient(const struct stj_problem *problem,
                                  const struct stj_recipe *recipe, size_t t, const real *theta,
                                  double *loss, real *g, real *climbed,
                                  struct stj_gradient_work *work, struct stj_error *err)
{
    struct within whole = {.subspace = NULL};
    return step_gradient(problem, recipe, &whole, t, theta, loss, g, climbed, work, err);
}

struct stj_train_work {
    struct stj_gradient_work *gradient;
    real *g; /* [n_gradients][n_params]: the last, and where sam climbs to */
    real *climbed;
    real *update; /* [n_work][n_params] */
};

enum stj_status stj_train_work_create(const struct stj_problem *problem,
                                      const struct stj_recipe *recipe, struct stj_train_work **work,
                                      struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct stj_train_work *w = NULL;
    STJ_TRY(stj_new(&w, 1, sizeof *w, err));
    STJ_TRY(stj_gradient_work_create(problem, &w->gradient, err));
    STJ_TRY(stj_new(&w->g, stj_recipe_n_gradients(recipe) * problem->layout->n_params, sizeof *w->g,
                    err));
    w->climbed = w->g + (stj_recipe_n_gradients(recipe) - 1) * problem->layout->n_params;
    STJ_TRY(stj_new(&w->update, stj_recipe_optimizer(recipe)->n_work,
                    problem->layout->n_params * sizeof *w->update, err));
    *work = w;
    w = NULL;
out:
    stj_train_work_destroy(w);
    return st;
}

void stj_train_work_destroy(struct stj_train_work *work)
{
    if (!work)
        return;
    stj_gradient_work_destroy(work->gradient);
    free(work->g);
    free(work->update);
    free(work);
}

size_t stj_train_work_bytes(const struct stj_problem *problem, const struct stj_recipe *recipe)
{
    return stj_gradient_work_bytes(problem) +
           (stj_recipe_n_gradients(recipe) + stj_recipe_optimizer(recipe)->n_work) *
               problem->layout->n_params * sizeof(real);
}

/* Update a run of k coordinates: its part of each vector of the state. */
static void update_run(const struct stj_problem *problem, const struct stj_recipe *recipe,
                       struct stj_step at, size_t k, const struct stj_tensor_run *run, real *state,
                       struct stj_train_work *work)
{
    const struct stj_optimizer_ops *optimizer = stj_recipe_optimizer(recipe);
    struct stj_update update = {.n = run->n,
                                .theta = state + run->offset,
                                .tensor = &problem->layout->tensor[run->first],
                                .work = work->update};
    for (size_t i = 0; i < optimizer->n_slots; i++)
        update.slot[i] = state + (i + 1) * k + run->offset;
    optimizer->step(stj_recipe_rule(recipe, run->rule).optimizer->config, &at, &update,
                    work->g + run->offset);
}

/* The second half of a step: state t with gradient g becomes state t + 1.  k: coordinates of a
 * subspace, which know no tensors; 0: the parameters. */
static enum stj_status update_state(const struct stj_problem *problem,
                                    const struct stj_recipe *recipe, size_t k, size_t t,
                                    real *state, double loss, struct stj_train_work *work,
                                    struct stj_error *err)
{
    const size_t n = k ? k : problem->layout->n_params;
    struct stj_tensor_run run = {.n = k};
    stj_clip(recipe, problem->layout, n, t, problem->n_steps, work->g, NULL, NULL);
    if (k)
        update_run(problem, recipe, stj_recipe_step(recipe, 0, t, problem->n_steps), k, &run, state,
                   work);
    while (!k && stj_recipe_next_run(recipe, problem->layout, &run))
        update_run(problem, recipe, stj_recipe_step(recipe, run.rule, t, problem->n_steps), n, &run,
                   state, work);
    if (stj_recipe_averages(recipe))
        stj_average_update(n, stj_average_weight(recipe->average, t + 1), state,
                           state + stj_recipe_end(recipe) * n);
    return check_step(t, loss, n, state, err);
}

enum stj_status stj_train_step(const struct stj_problem *problem, const struct stj_recipe *recipe,
                               size_t t, real *state, double *loss, struct stj_train_work *work,
                               struct stj_error *err)
{
    STJ_HELD(stj_blas_guard_drop) struct stj_blas_guard guard = stj_blas_guard_take(1);
    double value = 0;
    stj_recipe_begin(recipe, problem->layout->n_params, t, state);
    STJ_MUST(stj_step_gradient(problem, recipe, t, state, &value, work->g, work->climbed,
                               work->gradient, err));
    STJ_MUST(update_state(problem, recipe, 0, t, state, value, work, err));
    if (loss)
        *loss = value;
    return STJ_OK;
}

enum stj_status stj_train_within(const struct stj_problem *problem, const struct stj_recipe *recipe,
                                 const struct stj_subspace *subspace, size_t from, size_t to,
                                 real *state, stj_state_fn sink, void *sink_ctx,
                                 const struct stj_progress *progress, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const size_t n = problem->layout->n_params, k = subspace ? subspace->k : 0;
    struct within within = {.subspace = NULL};
    struct stj_train_work *work = NULL;
    double loss;
    STJ_CHECK(err, !subspace || recipe->n_before == 0, STJ_EUNSUPPORTED,
              "the optimizer begins with what it had (init.slots), which has no coordinates in a "
              "subspace: only a training that begins at its step 0 can be restricted");
    STJ_CHECK(err,
              !subspace || (recipe->n_groups == 0 && recipe->clip_value == 0 &&
                            recipe->clip_tensor_norm == 0),
              STJ_EUNSUPPORTED,
              "directions of a subspace go across the tensors: only a training without "
              "training.groups, clip_value and clip_tensor_norm can be restricted");
    STJ_CHECK(err, !subspace || !stj_recipe_optimizer(recipe)->whole, STJ_EUNSUPPORTED,
              "the optimizer %s is by tensor, and directions of a subspace go across tensors: only "
              "an elementwise one can be restricted",
              recipe->optimizer->info->name);
    STJ_CHECK(
        err, !subspace || !recipe->sam_adaptive, STJ_EUNSUPPORTED,
        "an adaptive climb is scaled by each parameter, and directions of a subspace go across "
        "them: only a training without training.sam.adaptive can be restricted");
    STJ_TRY(stj_blas_prepare(err));
    STJ_TRY(stj_train_work_create(problem, recipe, &work, err));
    STJ_TRY(within_init(&within, subspace, n, err));
    for (size_t t = from; t < to; t++) {
        STJ_TRY(stj_progress_report(progress, "training", (double)(t - from), (double)(to - from),
                                    err));
        stj_recipe_begin(recipe, k ? k : n, t, state);
        STJ_TRY(step_gradient(problem, recipe, &within, t, state, &loss, work->g, work->climbed,
                              work->gradient, err));
        if (sink)
            STJ_TRY(sink(sink_ctx, t, state, loss, err));
        STJ_TRY(update_state(problem, recipe, k, t, state, loss, work, err));
    }
    STJ_TRY(
        stj_progress_report(progress, "training", (double)(to - from), (double)(to - from), err));
    if (sink)
        STJ_TRY(sink(sink_ctx, to, state, NAN, err));
out:
    within_free(&within);
    stj_train_work_destroy(work);
    return st;
}

enum stj_status stj_train(const struct stj_problem *problem, const struct stj_recipe *recipe,
                          size_t from, size_t to, real *state, stj_state_fn sink, void *sink_ctx,
                          const struct stj_progress *progress, struct stj_error *err)
{
    struct stj_blas_guard guard = stj_blas_guard_take(1);
    enum stj_status st =
        stj_train_within(problem, recipe, NULL, from, to, state, sink, sink_ctx, progress, err);
    stj_blas_guard_give(guard);
    return st;
}
