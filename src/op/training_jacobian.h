/* SPDX-License-Identifier: GPL-3.0-or-later */
/* op/training_jacobian.h: J(from -> to) = d theta_to / d theta_from as an operator. */
#ifndef STJ_OP_TRAINING_JACOBIAN_H
#define STJ_OP_TRAINING_JACOBIAN_H

#include <stdbool.h>

#include "op/operator.h"
#include "op/restrict.h"
#include "op/sweep.h"
#include "trajectory/trajectory.h"

struct stj_training_jacobian_settings {
    size_t from, to;     /* window of steps; to = 0: n_steps */
    size_t memory_bytes; /* for states and linearisations; 0: a quarter of what is free */
    size_t tile;         /* tangents of a tile, at most 32; 0: chosen from N */
    bool full_state;     /* of (theta, slots) with respect to (theta, slots) */
    bool single;         /* linearisations and tangents in single precision (train/single.h) */
};

/* Steps from < to of the n_steps that there are?  The message names them as the command does. */
enum stj_status stj_check_steps(size_t from, size_t to, size_t n_steps, struct stj_error *err);

/* *op <- the Jacobian; N x N, or (1 + n_slots) N of the full state, which composes:
 * J(s -> u) = J(t -> u) J(s -> t), step counters held; cost (to - from) / n_steps.  The parts are
 * borrowed and must outlive it.  Without the full state the optimizer's slots at step `from` are
 * held fixed.  STJ_NO_TRANS is one sweep of tangents through the stored steps, STJ_TRANS one sweep
 * of adjoints; a block shares the primal work. */
enum stj_status stj_training_jacobian_create(const struct stj_problem *problem,
                                             const struct stj_recipe *recipe,
                                             struct stj_trajectory *trajectory,
                                             const struct stj_training_jacobian_settings *settings,
                                             struct stj_op **op, struct stj_error *err);

/* *storage <- how such an operator would have its states at hand, with work space for blocks of
 * nvec vectors.  Nothing is allocated that stays. */
enum stj_status stj_training_jacobian_predict(const struct stj_problem *problem,
                                              const struct stj_recipe *recipe,
                                              const struct stj_trajectory *trajectory,
                                              const struct stj_training_jacobian_settings *settings,
                                              size_t nvec, struct stj_storage *storage,
                                              struct stj_error *err);

/* *storage <- how an operator made here, or a block of one, has its states at hand, and what its
 * replays found out; false for any other operator. */
bool stj_training_jacobian_storage(const struct stj_op *op, struct stj_storage *storage);

/* norm[(to - from + 1) nvec] <- |theta_dot_t| of nvec tangents at t = from .. to, each divided by
 * |x|, for the whole Jacobian of a full state and columns x [n_params][nvec] of theta at `from`:
 * one sweep, a step at a time, whose products count and are checked as those of stj_op_apply.
 * progress may be NULL. */
struct stj_progress;
enum stj_status stj_training_jacobian_growth(struct stj_op *jacobian, size_t nvec, const double *x,
                                             double *norm, const struct stj_progress *progress,
                                             struct stj_error *err);

/* What the operator is the derivative of: training from step `from` to `to`. */
struct stj_training_window {
    const struct stj_problem *problem; /* in double, */
    bool single;                       /* whatever products are made in */
    const struct stj_recipe *recipe;
    struct stj_trajectory *trajectory;
    size_t from, to;
    bool full_state;
    const struct stj_ranges *ranges; /* of the state's elements, where it is a block; else NULL */
};

/* *window <- the parts that a training Jacobian, or a block of one, borrows; else false. */
bool stj_training_jacobian_window(const struct stj_op *op, struct stj_training_window *window);

/* *sweep <- a sweep of the same window through the same store, which must outlive it; or, of another
 * problem or recipe (NULL: the window's) that is trained alike, through *store, which is made and
 * owned by the caller. */
enum stj_status stj_training_jacobian_sweep(const struct stj_op *op,
                                            const struct stj_problem *problem,
                                            const struct stj_recipe *recipe,
                                            struct stj_linearization_cache **store,
                                            struct stj_sweep **sweep, struct stj_error *err);

#endif
