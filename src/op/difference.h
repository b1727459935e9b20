/* SPDX-License-Identifier: GPL-3.0-or-later */
/* op/difference.h: products of the training Jacobian against differences of trainings. */
#ifndef STJ_OP_DIFFERENCE_H
#define STJ_OP_DIFFERENCE_H

#include <float.h>

#include "op/training_jacobian.h"

enum { STJ_DIFFERENCE_TRAININGS = 16 }; /* of the whole window, usually; at most 34 */

/* |J x| of a unit vector that is nothing but rounding: steps are close to the identity, and a sum
 * that cancels leaves some eps. */
static const double stj_identity_rounding = 16 * DBL_EPSILON;

struct stj_difference {
    double error;      /* |difference - J x|, relative; of single steps, the largest of these */
    double step;       /* the h where it is reached */
    double resolution; /* what the difference is good to, by its neighbours on the ladder */
    bool resolved;     /* it tells something */
    bool agrees;       /* within the limit, or within what is resolved */
    bool may_switch;   /* relu, max-pool, clipping, or a problem of callbacks */
    size_t n_steps;    /* steps that were differenced one at a time; 0: whole trainings were */
    double whole_error, whole_resolution; /* of whole trainings */
};

/* Compare J x for a seeded unit x with central differences of whole trainings of the window, some
 * 16 trainings and one product.  Where they do not come within `limit`, nor a smooth training
 * contradicts J, single steps are differenced instead, at most 8 of the window, 34 steps of
 * training and less than two products each; see difference.c. */
struct stj_progress;
enum stj_status stj_difference_check(struct stj_op *jacobian, uint64_t seed, double limit,
                                     struct stj_difference *difference,
                                     const struct stj_progress *progress, struct stj_error *err);

#endif
