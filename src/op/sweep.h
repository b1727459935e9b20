/* SPDX-License-Identifier: GPL-3.0-or-later */
/* op/sweep.h: carrying a block of tangents or adjoints through a window of training steps. */
#ifndef STJ_OP_SWEEP_H
#define STJ_OP_SWEEP_H

#include <spectraj/op.h>

#include "base/memory.h"
#include "op/linearization_cache.h"

struct stj_sweep;

/* *sweep <- the engine for steps from .. to - 1; parts are borrowed.  tile: tangents of a tile, 0:
 * chosen from the number of parameters. */
enum stj_status stj_sweep_create(const struct stj_problem *problem, const struct stj_recipe *recipe,
                                 struct stj_linearization_cache *store, size_t from, size_t to,
                                 size_t tile, struct stj_sweep **sweep, struct stj_error *err);
void stj_sweep_destroy(struct stj_sweep *sweep); /* NULL is accepted */
STJ_HOLDS(struct stj_sweep, stj_sweep_destroy)

/* Work space that a block of nvec vectors takes, with the threads of now. */
size_t stj_sweep_bytes(const struct stj_sweep *sweep, size_t nvec);

/* From now on sweeps go through steps from .. to - 1, some of the store's. */
void stj_sweep_set_window(struct stj_sweep *sweep, size_t from, size_t to);

/* From now on vectors are of the whole state: theta, then the optimizer's slots. */
void stj_sweep_carry_slots(struct stj_sweep *sweep);

/* From now on vectors are of n_given numbers that training was given where they were of theta at the
 * beginning, which does not move (op/given_jacobian.h): what the problem's samples are given, of that
 * shape; what steps are given, which the recipe says too, `width` 1. */
enum stj_status stj_sweep_set_given(struct stj_sweep *sweep, enum stj_given given,
                                    const struct stj_given_shape *shape, struct stj_error *err);

/* y <- J x (STJ_NO_TRANS) or J'x for nvec columns; the optimizer's slots start at zero and are left
 * out at the end, unless they are carried. */
enum stj_status stj_sweep_run(struct stj_sweep *sweep, enum stj_trans trans, size_t nvec,
                              const double *x, size_t ldx, double *y, size_t ldy,
                              struct stj_error *err);

/* The same by all ranks: every group makes its share of the columns of y, of n numbers, and gets
 * the others'.  What is not finite there is explained. */
enum stj_status stj_sweep_apply(struct stj_sweep *sweep, enum stj_trans trans, size_t n,
                                size_t nvec, const double *x, size_t ldx, double *y, size_t ldy,
                                struct stj_error *err);

/* After a product of x that came out with a NaN or infinity: the same again, STJ_ENONFINITE naming
 * the step and the layer in which the first one arose; y is its work space.  STJ_OK: nowhere in the
 * products with the Hessians. */
enum stj_status stj_sweep_explain(struct stj_sweep *sweep, enum stj_trans trans, const double *x,
                                  double *y, struct stj_error *err);

#endif
