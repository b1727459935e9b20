/* SPDX-License-Identifier: GPL-3.0-or-later */
/* study/retrain.h: many trainings of a run's recipe from other starting points, side by side.
 *
 * Copies are spread over the threads of all ranks, each computed by one of them, so that a copy has
 * the same bits whatever their number.  The final parameters of a finished copy go into a record
 * log: an interrupted batch, begun again, trains only what is not there.
 */
#ifndef STJ_STUDY_RETRAIN_H
#define STJ_STUDY_RETRAIN_H

#include <stdbool.h>

#include "base/memory.h"
#include "io/log.h"
#include "train/train.h"

/* Where a copy starts. */
struct stj_copy {
    double *theta; /* [n_params], to be filled in */
    size_t k;      /* 0: everything is trained; else only theta + span(B) */
    double
        *basis; /* B, [n_params][k] column-major, orthonormal; allocated by `begin`, then owned by
                      the batch */
};

struct stj_retraining {
    const struct stj_problem *problem;
    const struct stj_recipe *recipe;
    size_t from;       /* copies begin before this step */
    const real *slots; /* [n_slots][n_params]: what they start with beside theta; NULL: zeros */
    size_t n_copies;
    const size_t *columns; /* [n_copies]: the k of each, which its cost follows; NULL: all 0 */
    size_t memory_bytes;   /* for bases; 0: half of what is free */

    /* Fill in a copy.  Never called by two threads at a time; of several ranks, by the one that
     * trains it, apart from the others. */
    enum stj_status (*begin)(void *ctx, size_t copy, struct stj_copy *start, struct stj_error *err);
    void *ctx;

    struct stj_log *log; /* borrowed; must stay open while the result is read */
    const struct stj_progress *progress;
};

struct stj_retrained;

/* *done <- all copies, trained or found in the log.  STJ_EINTERRUPTED when progress asks to stop:
 * what is finished stays in the log. */
enum stj_status stj_retrain(const struct stj_retraining *work, struct stj_retrained **done,
                            struct stj_error *err);
void stj_retrained_destroy(struct stj_retrained *done); /* NULL is accepted */
STJ_HOLDS(struct stj_retrained, stj_retrained_destroy)

/* theta[n_params] <- the final parameters of a copy; *finite <- false when its training left the
 * finite numbers, and theta is zero then. */
enum stj_status stj_retrained_theta(struct stj_retrained *done, size_t copy, double *theta,
                                    bool *finite, struct stj_error *err);

#endif
