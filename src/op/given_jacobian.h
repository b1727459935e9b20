/* SPDX-License-Identifier: GPL-3.0-or-later */
/* op/given_jacobian.h: D = d theta_to / d u, u being something that training was given: the weights
 * w_i = 1 of samples i in the loss, their inputs or targets; rates, momenta or weight decays of its
 * steps, or factors 1 of the rates of the training (the first) and of its groups. */
#ifndef STJ_OP_GIVEN_JACOBIAN_H
#define STJ_OP_GIVEN_JACOBIAN_H

#include "op/training_jacobian.h"

/* *op <- D for the window of a training Jacobian, from what that has at hand, which it must not
 * outlive; its products are not counted there.  N x samples (times inputs or targets of
 * one), N x steps of the window, or N x 1 + groups.
 *
 *     L_t(theta; w) = sum_i w_i l_i(theta) / m + penalty
 *
 * over the samples of the batch of step t, with m, the statistics of batches and the state at the
 * beginning of the window as they are; w_i acts wherever i is used, in the gradient of sam that
 * climbs as well.  Rates, momenta and decays of groups move in proportion.
 * STJ_EUNSUPPORTED, saying why, for a full state, some of the layers, and where a
 * problem does not know it. */
enum stj_status stj_given_jacobian_create(const struct stj_op *jacobian, enum stj_given given,
                                          struct stj_op **op, struct stj_error *err);

/* *n_given <- columns of D for a window (of which full_state and ranges are not looked at), *more <-
 * bytes that its products with blocks of nvec vectors take beyond those of J within memory_bytes (0:
 * the default).  Nothing is allocated that stays. */
enum stj_status stj_given_jacobian_predict(const struct stj_training_window *window,
                                           enum stj_given given, size_t memory_bytes, size_t nvec,
                                           size_t *n_given, size_t *more, struct stj_error *err);

/* Would that make one? */
bool stj_given_jacobian_is_there(const struct stj_op *jacobian, enum stj_given given);

/* end[n] <- where the window of that Jacobian ends when what was given is larger by these. */
enum stj_status stj_given_jacobian_train(const struct stj_op *jacobian, enum stj_given given,
                                         const double *shift, double *end,
                                         const struct stj_progress *progress,
                                         struct stj_error *err);

/* The size of its numbers, as a root of their mean square; 1 where they are all zero. */
double stj_given_jacobian_size(const struct stj_op *jacobian, enum stj_given given);

#endif
