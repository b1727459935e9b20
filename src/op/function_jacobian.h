/* SPDX-License-Identifier: GPL-3.0-or-later */
/* op/function_jacobian.h: G = d outputs / d theta of a network on given inputs, as an operator. */
#ifndef STJ_OP_FUNCTION_JACOBIAN_H
#define STJ_OP_FUNCTION_JACOBIAN_H

#include "net/network.h"
#include "op/operator.h"

/* *op <- G at theta[n_params]: n_rows * outputs x n_params, the outputs of the first row of x
 * first.  The network is borrowed, x [n_rows][in] and theta are copied.  Nothing is dropped; where
 * the network couples samples, all rows are one batch. */
enum stj_status stj_function_jacobian_create(const struct stj_network *net, size_t n_rows,
                                             const real *x, const double *theta, struct stj_op **op,
                                             struct stj_error *err);

#endif
