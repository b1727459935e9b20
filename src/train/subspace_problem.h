/* SPDX-License-Identifier: GPL-3.0-or-later */
/* train/subspace_problem.h: a problem in the coordinates of a part of its parameters' space. */
#ifndef STJ_TRAIN_SUBSPACE_PROBLEM_H
#define STJ_TRAIN_SUBSPACE_PROBLEM_H

#include "train/train.h"

/* *problem <- the problem of z with theta = origin + B z: gradient B'g, Hessian B'HB, whose training
 * is stj_train_within.  Both are borrowed. */
enum stj_status stj_subspace_problem_create(const struct stj_problem *whole,
                                            const struct stj_subspace *subspace,
                                            struct stj_problem **problem, struct stj_error *err);

#endif
