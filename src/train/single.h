/* SPDX-License-Identifier: GPL-3.0-or-later */
/* train/single.h: a network's problem in single precision, for callers in double.
 *
 * The same network, made of the same config by the same sources (base/real.h), which keeps float
 * linearisations and makes products of float tangents.  Points, tangents, adjoints and gradients of
 * its callers are double: they are rounded on their way in.  Memory is counted in doubles.
 *
 * What a product loses: every number is rounded to 24 bits, 6e-8 of it, and sums of many terms to
 * as much of their terms; activations that switch (relu, max-pool) may take the other branch where
 * they are as near to it as that.
 */
#ifndef STJ_TRAIN_SINGLE_H
#define STJ_TRAIN_SINGLE_H

#include "data/batch_order.h"
#include "data/dataset.h"
#include "parallel/slice_sync.h"
#include "train/problem.h"

struct stj_network_config;
struct stj_single;

/* *single <- borrows the config, the data and the order; frozen: values of what is not trained. */
enum stj_status stj_single_create(const struct stj_network_config *config, const double *frozen,
                                  const struct stj_dataset *data, struct stj_batch_order *order,
                                  size_t n_steps, struct stj_single **single,
                                  struct stj_error *err);

/* Those of struct stj_problem_ops. */
void stj_single_destroy(void *self);
size_t stj_single_n_rows(const void *self, size_t step);
size_t stj_single_n_linear(const void *self);
size_t stj_single_n_scratch(const void *self, size_t n_rows, size_t nvec);
size_t stj_single_n_stages(const void *self);
size_t stj_single_n_record(const void *self, size_t nvec);
enum stj_status stj_single_linearize(const void *self, size_t step, struct stj_slice slice,
                                     const double *theta, double *lin, double *loss, double *g,
                                     double *scratch, struct stj_error *err);
enum stj_status stj_single_hvp(const void *self, size_t step, struct stj_slice slice,
                               const double *theta, const double *lin, size_t nvec, const double *x,
                               double *y, double *scratch, struct stj_error *err);
const char *stj_single_suspect(const void *self, struct stj_slice slice, const double *y,
                               const double *scratch);
bool stj_single_switches(const void *self);

#endif
