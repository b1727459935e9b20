/* SPDX-License-Identifier: GPL-3.0-or-later */
/* train/train.c: the training loop: for each step, g = grad L_t(theta), then the optimizer's update. */
#include "train/train.h"

#include <math.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/parallel.h"
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
    enum stj_status st = STJ_OK;
    STJ_CHECK(err, isfinite(loss), STJ_ENONFINITE,
              "training diverged: the loss at step %zu is %g; lower the learning rate or check the "
              "data",
              t, loss);
    size_t i = first_not_finite(n, theta);
    STJ_CHECK(err, i == n, STJ_ENONFINITE,
              "training diverged: after step %zu parameter %zu is %g; lower the learning rate or "
              "check the data",
              t, i, (double)theta[i < n ? i : 0]);
out:
    return st;
}

enum stj_status stj_train(const struct stj_problem *problem, const struct stj_recipe *recipe,
                          size_t from, size_t to, real *state, stj_state_fn sink, void *sink_ctx,
                          const struct stj_progress *progress, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const struct stj_optimizer_ops *optimizer = stj_recipe_optimizer(recipe);
    const size_t n = problem->layout->n_params;
    struct stj_update update = {.n = n, .theta = state};
    struct stj_gradient_work *work = NULL;
    struct stj_blas_guard guard = stj_blas_guard_take(1);
    real *g = NULL;
    double loss;
    for (size_t k = 0; k < optimizer->n_slots; k++)
        update.slot[k] = state + (k + 1) * n;
    STJ_TRY(stj_gradient_work_create(problem, &work, err));
    STJ_TRY(stj_new(&g, n, sizeof *g, err));
    for (size_t t = from; t < to; t++) {
        const struct stj_step at = {t, stj_schedule_eta(recipe->schedule, t, problem->n_steps)};
        STJ_TRY(stj_progress_report(progress, "training", (double)(t - from), (double)(to - from),
                                    err));
        STJ_TRY(stj_problem_gradient(problem, t, state, &loss, g, work, err));
        if (sink)
            STJ_TRY(sink(sink_ctx, t, state, loss, err));
        stj_clip(n, g, recipe->clip_norm, NULL);
        optimizer->step(recipe->optimizer->config, &at, &update, g);
        STJ_TRY(check_step(t, loss, n, state, err));
    }
    STJ_TRY(
        stj_progress_report(progress, "training", (double)(to - from), (double)(to - from), err));
    if (sink)
        STJ_TRY(sink(sink_ctx, to, state, NAN, err));
out:
    stj_blas_guard_give(guard);
    stj_gradient_work_destroy(work);
    free(g);
    return st;
}
