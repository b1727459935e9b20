/* SPDX-License-Identifier: GPL-3.0-or-later */
/* op/difference.h: products of the training Jacobian against differences of trainings. */
#ifndef STJ_OP_DIFFERENCE_H
#define STJ_OP_DIFFERENCE_H

#include "op/training_jacobian.h"

enum { STJ_DIFFERENCE_TRAININGS = 16 }; /* of the whole window: one on either side for each h */

struct stj_difference {
    double error;   /* the smallest over h = 1e-2 .. 1e-9; of single steps, the largest of these */
    double step;    /* the h where it is reached */
    size_t n_steps; /* steps that were differenced one at a time; 0: whole trainings were */
};

/* Compare J x for a seeded unit x with central differences of whole trainings of the window, 16
 * trainings and one product.  Where the error stays above `limit`, single steps are differenced
 * instead, at most 8 of the window, 16 steps of training and less than two products each; see
 * difference.c. */
struct stj_progress;
enum stj_status stj_difference_check(struct stj_op *jacobian, uint64_t seed, double limit,
                                     struct stj_difference *difference,
                                     const struct stj_progress *progress, struct stj_error *err);

#endif
