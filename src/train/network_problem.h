/* SPDX-License-Identifier: GPL-3.0-or-later */
/* train/network_problem.h: a network, a data set and an order of batches as a problem. */
#ifndef STJ_TRAIN_NETWORK_PROBLEM_H
#define STJ_TRAIN_NETWORK_PROBLEM_H

#include "data/batch_order.h"
#include "data/dataset.h"
#include "net/network.h"
#include "train/problem.h"

/* Does the data set fit the network's input, output and loss?  Errors name what does not (input
 * width, token ids, class numbers, target values). */
enum stj_status stj_network_check_data(const struct stj_network *net,
                                       const struct stj_dataset *data, struct stj_error *err);

/* *problem <- a problem over borrowed parts, which must outlive it and pass
 * stj_network_check_data.  Data without inputs (NULL) make one that can be asked for sizes alone.
 * */
enum stj_status stj_network_problem_create(const struct stj_network *net,
                                           const struct stj_dataset *data,
                                           struct stj_batch_order *order, size_t n_steps,
                                           struct stj_problem **problem, struct stj_error *err);

struct stj_evaluation {
    double loss;     /* mean over the data set, without the L2 penalty */
    double accuracy; /* share of items whose largest output is their label; NaN without labels */
};

/* *loss <- the mean loss of n rows of a data set (row NULL: of all) at theta, and gradient[n_params]
 * (may be NULL) <- its gradient, both as stj_evaluate has it.  Where the network couples samples,
 * these rows are the batch. */
enum stj_status stj_evaluate_gradient(const struct stj_network *net, const struct stj_dataset *data,
                                      size_t n, const size_t *row, const double *theta,
                                      double *loss, double *gradient, struct stj_error *err);

/* Work space of stj_evaluate. */
size_t stj_evaluation_bytes(const struct stj_network *net, const struct stj_dataset *data);

/* Evaluate a network on a whole data set at theta.  Nothing is dropped; statistics of a batch
 * (batch_norm) are those of the whole data set. */
enum stj_status stj_evaluate(const struct stj_network *net, const struct stj_dataset *data,
                             const double *theta, struct stj_evaluation *result,
                             struct stj_error *err);

#endif
