/* SPDX-License-Identifier: GPL-3.0-or-later */
/* trajectory/policies/policy.h: the contract of a storage policy: where states are kept. */
#ifndef STJ_TRAJECTORY_POLICIES_POLICY_H
#define STJ_TRAJECTORY_POLICIES_POLICY_H

#include "trajectory/trajectory.h"

/* Sizes of a trajectory, fixed when it is created. */
struct stj_trajectory_shape {
    size_t n_params, n_slots, n_steps;
    size_t n_state; /* reals of a state: (1 + n_slots) n_params */
};

/* The ranges are checked by the callers of these. */
struct stj_trajectory_policy {
    const char *name;
    bool common; /* states in the memory that ranks of a group share: all visit together */
    bool whole;  /* all states lie in memory, one after another */
    /* NULL: the states come from elsewhere. */
    enum stj_status (*record)(void *self, const struct stj_trajectory_shape *shape, size_t t,
                              const real *state, struct stj_error *err);
    enum stj_status (*visit)(void *self, const struct stj_trajectory_shape *shape, size_t first,
                             size_t count, struct stj_trajectory_view *view, struct stj_error *err);
    void (*destroy)(void *self);
};

/* *trajectory <- one kept by `policy`, which owns `self`; self is destroyed on failure too. */
enum stj_status stj_trajectory_wrap(const struct stj_trajectory_shape *shape,
                                    const struct stj_trajectory_policy *policy, void *self,
                                    struct stj_trajectory **trajectory, struct stj_error *err);

/* *trajectory <- the states of a file, which is taken over, also on failure. */
struct stj_state_reader;
enum stj_status stj_trajectory_of_source(struct stj_state_reader *source,
                                         struct stj_trajectory **trajectory, struct stj_error *err);

/* shape <- the sizes, checked for overflow. */
enum stj_status stj_trajectory_shape_set(size_t n_params, size_t n_slots, size_t n_steps,
                                         struct stj_trajectory_shape *shape, struct stj_error *err);

#endif
