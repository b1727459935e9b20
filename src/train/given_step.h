/* SPDX-License-Identifier: GPL-3.0-or-later */
/* train/given_step.h: the derivative of one step with respect to its rate, momentum or decay. */
#ifndef STJ_TRAIN_GIVEN_STEP_H
#define STJ_TRAIN_GIVEN_STEP_H

#include "train/recipe.h"

/* Vectors of it for the recipe's `given`: of theta, of momenta and decays also of the slots; 0: it
 * holds none. */
size_t stj_given_step_vectors(const struct stj_recipe *recipe);

/* Is it known for steps from .. to - 1?  STJ_EUNSUPPORTED naming the optimizer and why. */
enum stj_status stj_given_step_check(const struct stj_recipe *recipe, enum stj_given given,
                                     size_t from, size_t to, size_t n_steps, struct stj_error *err);

/* moved <- the derivative of the step `at` of rule `number` for a run of parameters; g is the clipped
 * gradient, coef the optimizer's linearisation.  Of rates and scales, its slots are work space. */
void stj_given_step(const struct stj_recipe *recipe, size_t number, const struct stj_step *at,
                    size_t n_steps, const struct stj_update *before, const real *g,
                    real *const *coef, const struct stj_update *moved);

#endif
