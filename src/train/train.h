/* SPDX-License-Identifier: GPL-3.0-or-later */
/* train/train.h: the training loop. */
#ifndef STJ_TRAIN_TRAIN_H
#define STJ_TRAIN_TRAIN_H

#include <spectraj/progress.h>

#include "train/problem.h"
#include "train/recipe.h"
#include "train/schedule.h"

/* Receives the state before step t = from .. to, and after the last step with t = to: theta and
 * the slots one after another, (1 + n_slots) * n_params reals.  loss is that of step t at this
 * state (NaN after the last step). */
typedef enum stj_status (*stj_state_fn)(void *ctx, size_t t, const real *state, double loss,
                                        struct stj_error *err);

/* Train from step `from` to `to`, in place in state[(1 + n_slots) * n_params].  A loss or parameter
 * that is not finite: STJ_ENONFINITE naming the step.  sink and progress may be NULL.
 * Deterministic: the same bits for any number of threads. */
enum stj_status stj_train(const struct stj_problem *problem, const struct stj_recipe *recipe,
                          size_t from, size_t to, real *state, stj_state_fn sink, void *sink_ctx,
                          const struct stj_progress *progress, struct stj_error *err);

/* Coordinates of a part of the parameters' space:  theta = origin + B z,  B'B = 1. */
struct stj_subspace {
    size_t k;             /* coordinates */
    const double *basis;  /* [n_params][k], column-major; borrowed */
    const double *origin; /* [n_params]; borrowed */
};

/* Train in the coordinates of a subspace: the gradient is B'g, and it is z that the optimizer
 * updates and keeps its slots for; state[(1 + n_slots) * k].  subspace NULL: as stj_train.  For
 * callers that hold the BLAS guard with one thread, and may call this from several threads at once;
 * progress is then called from those. */
enum stj_status stj_train_within(const struct stj_problem *problem, const struct stj_recipe *recipe,
                                 const struct stj_subspace *subspace, size_t from, size_t to,
                                 real *state, stj_state_fn sink, void *sink_ctx,
                                 const struct stj_progress *progress, struct stj_error *err);

/* theta[n_params] <- origin + B z. */
void stj_subspace_point(const struct stj_subspace *subspace, size_t n_params, const real *z,
                        double *theta);

/* What training works in, for those who train a few steps at a time. */
struct stj_train_work;
enum stj_status stj_train_work_create(const struct stj_problem *problem,
                                      const struct stj_recipe *recipe, struct stj_train_work **work,
                                      struct stj_error *err);
void stj_train_work_destroy(struct stj_train_work *work); /* NULL is accepted */
STJ_HOLDS(struct stj_train_work, stj_train_work_destroy)
size_t stj_train_work_bytes(const struct stj_problem *problem, const struct stj_recipe *recipe);

/* g[n_params] <- the gradient that step t updates theta with, before it is clipped: at theta, or
 * with sam where that climbs to, climbed[n_params]; *loss (may be NULL) <- at theta. */
struct stj_gradient_work;
enum stj_status stj_step_gradient(const struct stj_problem *problem,
                                  const struct stj_recipe *recipe, size_t t, const real *theta,
                                  double *loss, real *g, real *climbed,
                                  struct stj_gradient_work *work, struct stj_error *err);

/* One step of a training, in place: state t becomes state t + 1.  *loss (may be NULL) <- that at
 * state t. */
enum stj_status stj_train_step(const struct stj_problem *problem, const struct stj_recipe *recipe,
                               size_t t, real *state, double *loss, struct stj_train_work *work,
                               struct stj_error *err);

#endif
