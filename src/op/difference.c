/* SPDX-License-Identifier: GPL-3.0-or-later */
/* op/difference.c: products of the training Jacobian against differences of trainings.
 *
 *     whole trainings   |D_h - J x| / |J x|,   D_h = (Phi(theta + h x) - Phi(theta - h x)) / (2 h)
 *
 * with Phi the training from step `from` to `to`, the optimizer's slots at `from` held, and x a
 * seeded unit vector, on a ladder of steps h that falls by 8 from rung to rung.  Steps are powers
 * of two and the elements of x are rounded to what theta_i +- h x_i holds without rounding at the
 * last rung, so that the direction is the same at all of them.
 *
 * What D_h is good to is seen without J: D_h of neighbouring rungs differ by about the error of the
 * worse, whether it falls with h (truncation: as h^2 where training is smooth on the scale h, as h
 * where Adam's second moments are far below its eps) or grows as eps |theta| / h (rounding):
 *
 *     resolution(h) = max(min over the neighbours h' |D_h - D_h'|,   eps |theta_to| / h)
 *
 * J agrees where some |D_h - J x| is within the limit, or within a few times the best resolution,
 * where that is itself a small part of D_h.  Beyond, J is contradicted.
 *
 * Of a long training D_h may resolve nothing: where it contracts to below what rounding leaves of
 * theta_to, where it is chaotic, and where relu, max-pool or clipping switch within h of theta at
 * some step and sample.  (On either side of a switch D_h may settle on a value that is not the
 * derivative.)  A single step meets less of all this.  So then steps t spread over the window are
 * differenced one at a time, along the direction in which the window's own tangent arrives, x_t =
 * J(from -> t) x normalised: there the step's Hessian acts most.  A step is close to the identity,
 * which is known without any derivative, so its error is taken relative to what it adds:
 *
 *     single steps      |D_h - J_t x_t| / max(|J_t x_t - x_t|, |J_t x_t| / 1000)
 *
 * Where J x is nothing but rounding of x, errors are relative to |x|.
 */
#include "op/difference.h"

#include <float.h>
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
    RUNGS = 17,     /* of a ladder, at most */
    RATIO_BITS = 3, /* a step over the next */
    FIRST_BITS = 7, /* the first is 2^-7 of theta's size, or of 1 */
    LAST_BITS = 51  /* the last is 4 sqrt(n) times the rounding of theta's elements */
};
static const double resolved_part = 1e-3; /* differences known to less tell nothing */
static const double within = 4;           /* resolutions: what agrees */

/* One comparison and its work space. */
struct work {
    struct stj_training_window window;
    size_t memory_bytes; /* of further operators: states as for this one, a step's linearisation */
    size_t n, n_state;   /* n: of theta, or of the full state */
    uint64_t seed;
    bool single;                            /* a step, of which the identity is known */
    double first, last;                     /* rungs */
    double *x, *jx, *plus, *minus, *before; /* [n]; before: D of the rung before, if there is one */
    real *state;
};

/* A rung: D_h against J x, against the rung before, what D_h is (of a single step: adds), and the
 * rounding of both ends over h. */
struct rung {
    double h, distance, change, size, rounding;
};

static void work_free(struct work *w)
{
    free(w->x);
    free(w->jx);
    free(w->plus);
    free(w->minus);
    free(w->before);
    free(w->state);
}

static enum stj_status work_init(struct work *w, const struct stj_op *jacobian,
                                 struct stj_error *err)
{
    struct stj_storage storage;
    STJ_NEED(err, stj_training_jacobian_window(jacobian, &w->window), STJ_EINVAL,
             "finite differences need a training Jacobian");
    STJ_NEED(err, stj_training_jacobian_storage(jacobian, &storage), STJ_EINTERNAL,
             "a training Jacobian has no storage");
    w->memory_bytes = storage.state_bytes + storage.minimum;
    w->n = stj_trajectory_n_params(w->window.trajectory);
    w->n_state = (1 + stj_trajectory_n_slots(w->window.trajectory)) * w->n;
    if (w->window.full_state)
        w->n = w->n_state;
    STJ_MUST(stj_new(&w->x, w->n, sizeof *w->x, err));
    STJ_MUST(stj_new(&w->jx, w->n, sizeof *w->jx, err));
    STJ_MUST(stj_new(&w->plus, w->n, sizeof *w->plus, err));
    STJ_MUST(stj_new(&w->minus, w->n, sizeof *w->minus, err));
    STJ_MUST(stj_new(&w->before, w->n, sizeof *w->before, err));
    return stj_new(&w->state, w->n_state, sizeof *w->state, err);
}

/* end[n] <- theta_to, or its average, or the full state, when training starts from state_from + shift x. */
static enum stj_status train_shifted(struct work *w, double shift, double *end,
                                     struct stj_error *err)
{
    const struct stj_training_window *window = &w->window;
    struct stj_trajectory_view view;
    STJ_MUST(stj_trajectory_visit(window->trajectory, window->from, 1, &view, err));
    memcpy(w->state, view.state, w->n_state * sizeof *w->state);
    for (size_t i = 0; i < w->n; i++)
        w->state[i] += (real)(shift * w->x[i]);
    const size_t first = window->full_state ? 0
                                            : stj_recipe_end(window->recipe) *
                                                  stj_trajectory_n_params(window->trajectory);
    STJ_MUST(stj_train(window->problem, window->recipe, window->from, window->to, w->state, NULL,
                       NULL, NULL, err));
    for (size_t i = 0; i < w->n; i++)
        end[i] = (double)w->state[first + i];
    return STJ_OK;
}

/* Is element i of the full state a second moment?  These are moved by parts of themselves: below
 * zero there is no training, and at zero its root has no derivative. */
static bool is_square(const struct work *w, size_t i)
{
    const size_t vector = i / stj_trajectory_n_params(w->window.trajectory);
    return vector > 0 &&
           (stj_recipe_optimizer(w->window.recipe)->squares >> (vector - 1) & 1u) != 0;
}

/* x <- x rounded, and the rungs of its ladder: from a step that is short beside theta, or beside 1,
 * to one that moves the elements by a few times their rounding. */
static enum stj_status set_ladder(struct work *w, struct stj_error *err)
{
    struct stj_trajectory_view view;
    double moved = 0, size = 0;
    STJ_MUST(stj_trajectory_visit(w->window.trajectory, w->window.from, 1, &view, err));
    for (size_t i = 0; i < w->n; i++) {
        moved += w->x[i] != 0;
        size += w->x[i] != 0 ? fabs((double)view.state[i]) : 0;
    }
    size = moved > 0 ? size / moved : 0;
    w->first = exp2(ceil(log2(fmax(size, 1))) - FIRST_BITS);
    w->last = fmax(size > 0 ? exp2(ceil(log2(size * sqrt(moved))) - LAST_BITS) : 0,
                   ldexp(w->first, -RATIO_BITS * (RUNGS - 1)));
    for (size_t i = 0; i < w->n; i++) {
        int exponent;
        (void)frexp((double)view.state[i], &exponent);
        const double unit =
            ldexp(sizeof(real) == sizeof(double) ? DBL_EPSILON : FLT_EPSILON, exponent) / w->last;
        if (view.state[i] != 0 && !is_square(w, i))
            w->x[i] = rint(w->x[i] / unit) * unit;
    }
    return STJ_OK;
}

/* plus <- D_h; *rung <- what there is to say of it.  Infinite where a training diverged. */
static enum stj_status difference_at(struct work *w, double h, bool first, struct rung *rung,
                                     struct stj_error *err)
{
    struct stj_error failure = STJ_ERROR_INIT;
    enum stj_status st = train_shifted(w, h, w->plus, &failure);
    const double length = stj_nrm2(w->n, w->plus);
    if (st == STJ_OK)
        st = train_shifted(w, -h, w->minus, &failure);
    *rung = (struct rung){h, INFINITY, INFINITY, 0, DBL_EPSILON * (1 + length / h)};
    STJ_CHECK(err, st == STJ_OK || st == STJ_ENONFINITE, st,
              "a training from a shifted start failed: %s", failure.text);
    double distance = 0, change = 0, size = 0, added = 0;
    for (size_t i = 0; i < w->n; i++) {
        const double d = st == STJ_OK ? (w->plus[i] - w->minus[i]) / (2 * h) : (double)INFINITY;
        distance = hypot(distance, d - w->jx[i]);
        change = hypot(change, first ? (double)INFINITY : d - w->before[i]);
        size = hypot(size, d);
        added = hypot(added, d - w->x[i]);
        w->before[i] = d;
    }
    st = STJ_OK;
    if (isfinite(distance)) {
        rung->distance = distance;
        rung->change = isnan(change) ? (double)INFINITY : change;
        rung->size = w->single ? fmax(added, size / 1000) : size;
    }
out:
    return st;
}

/* How well rung k of n is known. */
static double resolution(const struct rung *rung, size_t n, size_t k)
{
    const double next = k + 1 < n ? rung[k + 1].change : (double)INFINITY;
    return fmax(fmin(rung[k].change, next), rung[k].rounding);
}

/* The verdict of a ladder, and the best rung, or the one that contradicts J; `scale` is what errors
 * are relative to. */
static void judge(const struct rung *rung, size_t n, double scale, double limit,
                  struct stj_difference *d)
{
    size_t best = 0, known = 0;
    for (size_t k = 1; k < n; k++) {
        best = rung[k].distance < rung[best].distance ? k : best;
        /* resolution / size, by cross-multiplication: sizes may be zero */
        if (resolution(rung, n, k) * rung[known].size < resolution(rung, n, known) * rung[k].size)
            known = k;
    }
    const bool exact = rung[best].distance <= limit * scale;
    const double known_to = resolution(rung, n, known);
    d->resolved = exact || known_to <= resolved_part * rung[known].size;
    d->agrees = exact || (d->resolved && rung[known].distance <= within * known_to);
    const size_t k = d->resolved && !d->agrees ? known : best;
    d->error = rung[k].distance / scale;
    d->step = rung[k].h;
    d->resolution = resolution(rung, n, k) / scale;
}

/* D_h on the ladder against J x of the work space, relative to `scale`; it ends early where J
 * agrees and the errors do not fall any more. */
static enum stj_status climb(struct work *w, double scale, double limit, struct stj_difference *d,
                             const struct stj_progress *progress, struct stj_error *err)
{
    struct rung rung[RUNGS];
    double best = INFINITY;
    bool done = false;
    size_t n = 0;
    for (double h = w->first; n < RUNGS && !done && h >= w->last; h = ldexp(h, -RATIO_BITS)) {
        STJ_MUST(stj_progress_report(progress, "finite differences", (double)n, RUNGS, err));
        STJ_MUST(difference_at(w, h, n == 0, &rung[n], err));
        done = best <= limit * scale && rung[n].distance >= best;
        best = fmin(best, rung[n++].distance);
    }
    judge(rung, n, scale, limit, d);
    return STJ_OK;
}

/* x <- a seeded unit vector, of the block's elements alone where the operator is a block. */
static enum stj_status draw_direction(struct work *w, uint64_t number, struct stj_error *err)
{
    const struct stj_ranges *ranges = w->window.ranges;
    struct stj_trajectory_view view;
    STJ_HELD(stj_rng_destroy_at) struct stj_rng *rng = NULL;
    STJ_MUST(stj_rng_create(w->seed, STJ_STREAM_CHECK, number, &rng, err));
    memset(w->x, 0, w->n * sizeof *w->x);
    if (!ranges)
        stj_rng_fill_normal(rng, w->n, w->x);
    for (size_t r = 0; ranges && r < ranges->n; r++)
        stj_rng_fill_normal(rng, ranges->range[r].count, w->x + ranges->range[r].first);
    STJ_MUST(stj_trajectory_visit(w->window.trajectory, w->window.from, 1, &view, err));
    for (size_t i = 0; i < w->n; i++)
        w->x[i] *= is_square(w, i) ? (double)view.state[i] : 1;
    stj_scal(w->n, 1 / stj_nrm2(w->n, w->x), w->x);
    return STJ_OK;
}

/* x <- J(from -> t) x, normalised; a new direction where nothing arrives but rounding. */
static enum stj_status carry_to(struct work *w, size_t t, struct stj_error *err)
{
    const struct stj_training_window *window = &w->window;
    const struct stj_training_jacobian_settings settings = {.from = window->from,
                                                            .to = t,
                                                            .memory_bytes = w->memory_bytes,
                                                            .full_state = window->full_state};
    STJ_HELD(stj_op_destroy_at) struct stj_op *op = NULL;
    if (t == window->from)
        return STJ_OK;
    STJ_MUST(stj_training_jacobian_create(window->problem, window->recipe, window->trajectory,
                                          &settings, &op, err));
    STJ_MUST(stj_op_apply(op, STJ_NO_TRANS, 1, w->x, w->n, w->jx, w->n, err));
    const double norm = stj_nrm2(w->n, w->jx);
    memcpy(w->x, w->jx, w->n * sizeof *w->x);
    w->window.from = t;
    if (norm > stj_identity_rounding)
        stj_scal(w->n, 1 / norm, w->x);
    else
        STJ_MUST(draw_direction(w, 2 + t, err));
    return STJ_OK;
}

/* Step t alone, for the unit vector x. */
static enum stj_status difference_step(struct work *w, size_t t, double limit,
                                       struct stj_difference *d,
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
    w->window.from = t;
    w->window.to = t + 1;
    STJ_TRY(set_ladder(w, err));
    /* 1. the product, and what it adds to x; 2. the differences, relative to that */
    STJ_TRY(stj_op_apply(op, STJ_NO_TRANS, 1, w->x, w->n, w->jx, w->n, err));
    for (size_t i = 0; i < w->n; i++)
        added = hypot(added, w->jx[i] - w->x[i]);
    STJ_TRY(climb(w, fmax(added, stj_nrm2(w->n, w->jx) / 1000), limit, d, progress, err));
out:
    w->window = window;
    stj_op_destroy(op);
    return st;
}

/* What agrees is better than what says nothing, and that than what contradicts J. */
static int severity(const struct stj_difference *d)
{
    return d->agrees ? 0 : d->resolved ? 2 : 1;
}

/* The worst of single steps spread over the window.
 * From one to the next the tangent is carried with the slots held at the start, which is as good a
 * direction as any. */
static enum stj_status difference_steps(struct work *w, double limit, struct stj_difference *worst,
                                        const struct stj_progress *progress, struct stj_error *err)
{
    const size_t from = w->window.from;
    const size_t last = w->window.to - 1 - from;
    const size_t count = last + 1 < SINGLE_STEPS ? last + 1 : SINGLE_STEPS;
    w->single = true;
    for (size_t k = 0; k < count; k++) {
        struct stj_difference d = {0};
        const size_t t = from + (count > 1 ? last * k / (count - 1) : 0);
        STJ_MUST(carry_to(w, t, err));
        STJ_MUST(difference_step(w, t, limit, &d, progress, err));
        const int worse = severity(&d) - severity(worst);
        if (k == 0 || worse > 0 || (worse == 0 && d.error > worst->error))
            *worst = d;
    }
    worst->n_steps = count;
    return STJ_OK;
}

/* Are single steps to be asked?  Not where J agrees, nor where a smooth training contradicts it. */
static bool is_decided(const struct stj_difference *d, double limit)
{
    return d->error <= limit || (d->resolved && !d->agrees && !d->may_switch);
}

enum stj_status stj_difference_check(struct stj_op *jacobian, uint64_t seed, double limit,
                                     struct stj_difference *difference,
                                     const struct stj_progress *progress, struct stj_error *err)
{
    STJ_HELD(work_free) struct work w = {.seed = seed};
    struct stj_difference whole = {0}, steps = {0};
    *difference = whole;
    STJ_MUST(work_init(&w, jacobian, err));
    STJ_MUST(draw_direction(&w, 1, err));
    STJ_MUST(set_ladder(&w, err));
    /* 1. J x: of a block's columns every row is compared */
    struct stj_op *inner = stj_op_restricted_inner(jacobian);
    STJ_MUST(stj_op_apply(inner ? inner : jacobian, STJ_NO_TRANS, 1, w.x, w.n, w.jx, w.n, err));
    const double length = stj_nrm2(w.n, w.jx);
    /* 2. differences of the whole window, 3. of single steps where those are not enough */
    STJ_MUST(climb(&w, length > stj_identity_rounding ? length : 1, limit, &whole, progress, err));
    whole.may_switch =
        stj_problem_may_switch(w.window.problem) || stj_recipe_clips(w.window.recipe);
    *difference = whole;
    if (!is_decided(&whole, limit)) {
        STJ_MUST(difference_steps(&w, limit, &steps, progress, err));
        *difference = severity(&steps) == 1 && whole.agrees ? whole : steps;
        difference->may_switch = whole.may_switch;
    }
    difference->whole_error = whole.error;
    difference->whole_resolution = whole.resolution;
    return stj_progress_report(progress, "finite differences", 1, 1, err);
}
