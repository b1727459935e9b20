/* SPDX-License-Identifier: GPL-3.0-or-later */
/* op/curvature.h: the Hessian of a loss, or the Gauss-Newton matrix in its place, as an operator. */
#ifndef STJ_OP_CURVATURE_H
#define STJ_OP_CURVATURE_H

#include "data/dataset.h"
#include "net/network.h"
#include "op/operator.h"
#include "train/problem.h"

/* Of which loss; all borrowed. */
struct stj_curvature_settings {
    const struct stj_problem
        *problem; /* of a step's batch, as training has it; where data is NULL */
    const struct stj_network *net;
    const struct stj_dataset *data; /* of the mean over it, as stj_evaluate has it */
    bool gauss_newton;              /* of a network alone */
    bool penalty;                   /* of a batch's Hessian: with the network's L2 penalty */
    double shift;                   /* times the identity is added */
};

/* *op <- the operator, N x N and symmetric, without a point: stj_curvature_move comes first. */
enum stj_status stj_curvature_create(const struct stj_curvature_settings *settings,
                                     struct stj_op **op, struct stj_error *err);

/* From now on it is at theta[n_params] and, of a batch, at that of a step. */
enum stj_status stj_curvature_move(struct stj_op *op, size_t step, const real *theta,
                                   struct stj_error *err);

#endif
