/* SPDX-License-Identifier: GPL-3.0-or-later */
/* op/memory_split.h: the one place where the memory of a training Jacobian is divided between
 * states and kept linearisations, and predicted. */
#ifndef STJ_OP_MEMORY_SPLIT_H
#define STJ_OP_MEMORY_SPLIT_H

#include "op/linearization_cache.h"

struct stj_memory_split {
    struct stj_storage storage; /* all of it but what a replay finds out */
    size_t chunk;               /* steps that are made ready at once */
    size_t state_budget;        /* of the policy: for stj_trajectory_fit */
};

/* The budget when nothing is said: a quarter of what is free, for the ranks that share memory. */
size_t stj_memory_default(void);

/* split <- how the window from .. to of a trajectory is worked on within `budget` bytes (0: the
 * default) for states and linearisations, of all ranks of a group that share memory.  STJ_ENOMEM,
 * with the least that would do, when it is too little.  Nothing is allocated. */
enum stj_status stj_memory_split(const struct stj_problem *problem, const struct stj_recipe *recipe,
                                 const struct stj_trajectory *trajectory, size_t from, size_t to,
                                 size_t budget, struct stj_memory_split *split,
                                 struct stj_error *err);

#endif
