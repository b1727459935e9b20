/* SPDX-License-Identifier: GPL-3.0-or-later */
/* op/weight_jacobian.h: D = d theta_to / d w, w_i being the weight of sample i in the loss, 1. */
#ifndef STJ_OP_WEIGHT_JACOBIAN_H
#define STJ_OP_WEIGHT_JACOBIAN_H

#include "op/training_jacobian.h"

/* *op <- D for the window of a training Jacobian, N x samples, from what that has at hand, which it
 * must not outlive; its products are not counted there.
 *
 *     L_t(theta; w) = sum_i w_i l_i(theta) / m + penalty
 *
 * over the samples of the batch of step t, with m, the statistics of batches and the state at the
 * beginning of the window as they are; w_i acts wherever i is used, in the gradient of sam that
 * climbs as well.  STJ_EUNSUPPORTED, saying why, for a full state, some of the layers, several ranks
 * and a problem whose samples are not known. */
enum stj_status stj_weight_jacobian_create(const struct stj_op *jacobian, struct stj_op **op,
                                           struct stj_error *err);

/* Would that make one? */
bool stj_weight_jacobian_is_there(const struct stj_op *jacobian);

/* end[n] <- where the window of that Jacobian ends when its samples have these weights. */
enum stj_status stj_weight_jacobian_train(const struct stj_op *jacobian, const double *weight,
                                          double *end, const struct stj_progress *progress,
                                          struct stj_error *err);

#endif
