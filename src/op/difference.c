/* SPDX-License-Identifier: GPL-3.0-or-later */
/* op/difference.c: products of the training Jacobian against differences of trainings.
 *
 *     whole trainings   |D_h - J x| / |J x|,   D_h = (Phi(theta + h x) - Phi(theta - h x)) / (2 h)
 *
 * with Phi the training from step `from` to `to`, the optimizer's slots at `from` held, x a seeded
 * unit vector, and h the best of 1e-2 .. 1e-9.
 *
 * Where relu or max-pool switch within h of theta at some step and sample, the difference of a long
 * training is not near any derivative, whatever h.  A single step meets fewer switches.  So then
 * steps t spread over the window are differenced one at a time, along the direction in which the
 * window's own tangent arrives, x_t = J(from -> t) x normalised: there the step's Hessian acts
 * most.  A step is close to the identity, which is known without any derivative, so its error is
 * taken relative to what it adds:
 *
 *     single steps      |D_h - J_t x_t| / max(|J_t x_t - x_t|, |J_t x_t| / 1000)
 *
 * (theta_t+1 is rounded to eps |theta|, which over h = 1e-5 leaves about 1e-10: hence the floor.)
 */
#include "op/difference.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/blas.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/progress.h"
#include "base/rng.h"

enum {
    SINGLE_STEPS = 8,
    FIRST_POWER = 2,
    LAST_POWER = FIRST_POWER + STJ_DIFFERENCE_TRAININGS / 2 - 1
};

/* One comparison and its work space. */
struct work {
    struct stj_training_window window;
    size_t memory_bytes; /* of further operators: states as for this one, a step's linearisation */
    size_t n, n_state;   /* n: of theta, or of the full state */
    double *x, *jx, *plus, *minus; /* [n] */
    real *state;
};

static void work_free(struct work *w)
{
    free(w->x);
    free(w->jx);
    free(w->plus);
    free(w->minus);
    free(w->state);
}

static enum stj_status work_init(struct work *w, const struct stj_op *jacobian,
                                 struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct stj_storage storage;
    STJ_CHECK(err, stj_training_jacobian_window(jacobian, &w->window), STJ_EINVAL,
              "finite differences need a training Jacobian");
    STJ_CHECK(err, stj_training_jacobian_storage(jacobian, &storage), STJ_EINTERNAL,
              "a training Jacobian has no storage");
    w->memory_bytes = storage.state_bytes + storage.minimum;
    w->n = stj_trajectory_n_params(w->window.trajectory);
    w->n_state = (1 + stj_trajectory_n_slots(w->window.trajectory)) * w->n;
    if (w->window.full_state)
        w->n = w->n_state;
    STJ_TRY(stj_new(&w->x, w->n, sizeof *w->x, err));
    STJ_TRY(stj_new(&w->jx, w->n, sizeof *w->jx, err));
    STJ_TRY(stj_new(&w->plus, w->n, sizeof *w->plus, err));
    STJ_TRY(stj_new(&w->minus, w->n, sizeof *w->minus, err));
    STJ_TRY(stj_new(&w->state, w->n_state, sizeof *w->state, err));
out:
    return st;
}

/* end[n] <- theta_to, or the full state, when training starts from state_from + shift x. */
static enum stj_status train_shifted(struct work *w, double shift, double *end,
                                     struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const struct stj_training_window *window = &w->window;
    struct stj_trajectory_view view;
    STJ_TRY(stj_trajectory_visit(window->trajectory, window->from, 1, &view, err));
    memcpy(w->state, view.state, w->n_state * sizeof *w->state);
    for (size_t i = 0; i < w->n; i++)
        w->state[i] += (real)(shift * w->x[i]);
    STJ_TRY(stj_train(window->problem, window->recipe, window->from, window->to, w->state, NULL,
                      NULL, NULL, err));
    for (size_t i = 0; i < w->n; i++)
        end[i] = (double)w->state[i];
out:
    return st;
}

/* *distance <- |D_h - J x|; infinite when a training diverged. */
static enum stj_status distance_at(struct work *w, double h, double *distance,
                                   struct stj_error *err)
{
    struct stj_error failure = STJ_ERROR_INIT;
    enum stj_status st = train_shifted(w, h, w->plus, &failure);
    if (st == STJ_OK)
        st = train_shifted(w, -h, w->minus, &failure);
    *distance = INFINITY;
    if (st == STJ_ENONFINITE)
        return STJ_OK;
    STJ_CHECK(err, st == STJ_OK, st, "a training from a shifted start failed: %s", failure.text);
    for (size_t i = 0; i < w->n; i++)
        w->plus[i] = (w->plus[i] - w->minus[i]) / (2 * h) - w->jx[i];
    *distance = stj_nrm2(w->n, w->plus);
out:
    return st;
}

/* The best h for x and J x of the work space, relative to `scale`. */
static enum stj_status best_difference(struct work *w, double scale, struct stj_difference *best,
                                       const struct stj_progress *progress, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    best->error = INFINITY;
    for (int k = FIRST_POWER; k <= LAST_POWER; k++) {
        const double h = pow(10, -k);
        double distance = INFINITY;
        STJ_TRY(stj_progress_report(progress, "finite differences", k - FIRST_POWER,
                                    LAST_POWER + 1 - FIRST_POWER, err));
        STJ_TRY(distance_at(w, h, &distance, err));
        if (distance / scale < best->error) {
            best->error = distance / scale;
            best->step = h;
        }
    }
out:
    return st;
}

/* x <- J(from -> t) x, normalised. */
static enum stj_status carry_to(struct work *w, size_t t, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const struct stj_training_window *window = &w->window;
    const struct stj_training_jacobian_settings settings = {.from = window->from,
                                                            .to = t,
                                                            .memory_bytes = w->memory_bytes,
                                                            .full_state = window->full_state};
    struct stj_op *op = NULL;
    if (t == window->from)
        goto out;
    STJ_TRY(stj_training_jacobian_create(window->problem, window->recipe, window->trajectory,
                                         &settings, &op, err));
    STJ_TRY(stj_op_apply(op, STJ_NO_TRANS, 1, w->x, w->n, w->jx, w->n, err));
    const double norm = stj_nrm2(w->n, w->jx);
    memcpy(w->x, w->jx, w->n * sizeof *w->x);
    stj_scal(w->n, norm > 0 ? 1 / norm : 0, w->x);
    w->window.from = t;
out:
    stj_op_destroy(op);
    return st;
}

/* Step t alone, for the unit vector x. */
static enum stj_status difference_step(struct work *w, size_t t, struct stj_difference *best,
                                       const struct stj_progress *progress, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const struct stj_training_window window = w->window;
    const struct stj_training_jacobian_settings settings = {
        .from = t, .to = t + 1, .memory_bytes = w->memory_bytes, .full_state = window.full_state};
    struct stj_op *op = NULL;
    double added = 0;
    STJ_TRY(stj_training_jacobian_create(window.problem, window.recipe, window.trajectory,
                                         &settings, &op, err));
    /* 1. the product, and what it adds to x; 2. the differences, relative to that */
    STJ_TRY(stj_op_apply(op, STJ_NO_TRANS, 1, w->x, w->n, w->jx, w->n, err));
    for (size_t i = 0; i < w->n; i++)
        added = hypot(added, w->jx[i] - w->x[i]);
    w->window.from = t;
    w->window.to = t + 1;
    st = best_difference(w, fmax(added, stj_nrm2(w->n, w->jx) / 1000), best, progress, err);
    w->window = window;
out:
    stj_op_destroy(op);
    return st;
}

/* The worst of single steps spread over the window.  From one to the next the tangent is carried
 * with the slots held at the start, which is as good a direction as any. */
static enum stj_status difference_steps(struct work *w, struct stj_difference *worst,
                                        const struct stj_progress *progress, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const size_t from = w->window.from;
    const size_t last = w->window.to - 1 - from;
    const size_t count = last + 1 < SINGLE_STEPS ? last + 1 : SINGLE_STEPS;
    *worst = (struct stj_difference){.n_steps = count};
    for (size_t k = 0; k < count; k++) {
        struct stj_difference best = {0};
        const size_t t = from + (count > 1 ? last * k / (count - 1) : 0);
        STJ_TRY(carry_to(w, t, err));
        STJ_TRY(difference_step(w, t, &best, progress, err));
        if (k == 0 || best.error > worst->error) {
            worst->error = best.error;
            worst->step = best.step;
        }
    }
out:
    return st;
}

/* x <- a seeded unit vector, of the block's elements alone where the operator is a block. */
static enum stj_status draw_direction(struct work *w, uint64_t seed, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const struct stj_ranges *ranges = w->window.ranges;
    struct stj_rng *rng = NULL;
    STJ_TRY(stj_rng_create(seed, STJ_STREAM_CHECK, 1, &rng, err));
    if (!ranges)
        stj_rng_fill_normal(rng, w->n, w->x);
    for (size_t r = 0; ranges && r < ranges->n; r++)
        stj_rng_fill_normal(rng, ranges->range[r].count, w->x + ranges->range[r].first);
    stj_scal(w->n, 1 / stj_nrm2(w->n, w->x), w->x);
out:
    stj_rng_destroy(rng);
    return st;
}

enum stj_status stj_difference_check(struct stj_op *jacobian, uint64_t seed, double limit,
                                     struct stj_difference *difference,
                                     const struct stj_progress *progress, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct work w = {0};
    *difference = (struct stj_difference){0};
    STJ_TRY(work_init(&w, jacobian, err));
    STJ_TRY(draw_direction(&w, seed, err));
    /* 1. J x: of a block's columns every row is compared */
    struct stj_op *inner = stj_op_restricted_inner(jacobian);
    STJ_TRY(stj_op_apply(inner ? inner : jacobian, STJ_NO_TRANS, 1, w.x, w.n, w.jx, w.n, err));
    /* 2. differences of the whole window, 3. of single steps where those say nothing */
    STJ_TRY(best_difference(&w, stj_nrm2(w.n, w.jx), difference, progress, err));
    if (!(difference->error <= limit))
        STJ_TRY(difference_steps(&w, difference, progress, err));
    STJ_TRY(stj_progress_report(progress, "finite differences", 1, 1, err));
out:
    work_free(&w);
    return st;
}
