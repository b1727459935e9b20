/* SPDX-License-Identifier: GPL-3.0-or-later */
/* trajectory/replay.h: training again from a stored state, each step compared with the record. */
#ifndef STJ_TRAJECTORY_REPLAY_H
#define STJ_TRAJECTORY_REPLAY_H

#include <spectraj/storage.h>

#include "trajectory/state_reader.h"

struct stj_replay {
    const struct stj_problem *problem; /* borrowed, as is the recipe */
    const struct stj_recipe *recipe;
    const struct stj_state_reader *source;
    struct stj_train_work *work; /* made with the first step, */
    size_t division;             /* for this division of the ranks */
    size_t steps;                /* replayed so far */
    bool diverged;               /* as in struct stj_storage */
    size_t diverged_at, compared_at;
    double difference;
};

/* Leaves the problem and the recipe in place, and frees the rest. */
void stj_replay_free(struct stj_replay *replay);

/* state[n_state]: state t becomes state t + 1.  One that does not have its checksum is noted, and
 * replaced by the stored one where there is one. */
enum stj_status stj_replay_step(struct stj_replay *replay, size_t t, real *state,
                                struct stj_error *err);

/* state[n_state] <- state t, read or replayed: from state t - 1, which lies in front of `state`
 * (follows), or from the last stored one. */
enum stj_status stj_replay_next(struct stj_replay *replay, size_t t, bool follows, real *state,
                                struct stj_error *err);

#endif
