/* SPDX-License-Identifier: GPL-3.0-or-later */
/* op/linearization_cache.h: the primal quantities of training steps that sweeps of tangents pass
 * through.
 *
 * For a step t these are the state theta_t, the problem's linearisation there, and the optimizer's
 * coefficients.  Some steps are kept from one sweep to the next, as many as memory allows
 * (op/memory_split.h); the others are made again, a chunk of steps at a time, in every sweep.  What
 * is kept does not change a bit of what is computed.
 */
#ifndef STJ_OP_LINEARIZATION_CACHE_H
#define STJ_OP_LINEARIZATION_CACHE_H

#include <stdbool.h>

#include "train/given_step.h"
#include "trajectory/trajectory.h"

struct stj_linearization_cache;

/* Bytes that the primal quantities of a step take, and those of the work space for making the steps
 * of a chunk, for each of them. */
struct stj_linear_bytes {
    size_t step, work;
};
struct stj_linear_bytes stj_linearization_cache_bytes(const struct stj_problem *problem,
                                                      const struct stj_recipe *recipe);

/* *store <- for steps from .. to - 1, the first `kept` of them kept, and `chunk` made ready at
 * once, with the trajectory's states at hand within state_budget bytes (stj_trajectory_fit). */
enum stj_status stj_linearization_cache_create(
    const struct stj_problem *problem, const struct stj_recipe *recipe,
    struct stj_trajectory *trajectory, size_t from, size_t to, size_t chunk, size_t kept,
    size_t state_budget, struct stj_linearization_cache **store, struct stj_error *err);
void stj_linearization_cache_destroy(struct stj_linearization_cache *store); /* NULL is accepted */

/* *count <- steps that one call of `load` makes ready: a chunk, or if `all` may be, and are kept
 * with their states in memory, all. */
enum stj_status stj_linearization_cache_at_once(struct stj_linearization_cache *store, bool all,
                                                size_t *count, struct stj_error *err);

/* Make steps first .. first + count - 1 ready, count at most what can be at once. */
enum stj_status stj_linearization_cache_load(struct stj_linearization_cache *store, size_t first,
                                             size_t count, struct stj_error *err);

/* A step that is ready. */
struct stj_linear_step {
    const struct stj_step *at; /* by the number of the rule (train/recipe.h) */
    const real *point;         /* the parameters before the step, */
    const real *theta; /* and where its gradient is: there, or with sam where that climbs to */
    bool climbs;       /* the gradient of sam that climbs: its factor and unit, clip and unit */
    const real *lin;
    const real *coef[STJ_MAX_COEFS];      /* [n_params] each */
    const real *moved[1 + STJ_MAX_SLOTS]; /* by what the recipe is given (train/given_step.h) */
    const double *clip; /* where it is clipped: factor, of each tensor or of all; */
    const real *unit;   /* [n_params]: u of train/clip.h; NULL: it is not clipped */
};

/* The step with gradient number `gradient` of those that it takes (stj_recipe_n_gradients). */
struct stj_linear_step stj_linearization_cache_step(const struct stj_linearization_cache *store,
                                                    size_t t, size_t gradient);

#endif
