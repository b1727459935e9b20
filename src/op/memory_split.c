/* SPDX-License-Identifier: GPL-3.0-or-later */
/* op/memory_split.c: how the memory of a training Jacobian is divided.
 *
 *     budget  =  states and replay's work  +  a chunk of linearisations and its work  +  kept ones
 *
 * States come first: with all of them in memory none is read or replayed.  What they leave keeps
 * linearisations between sweeps.  Chunks are of 8 steps, or of fewer where that fits, or spares
 * replay.  A sweep's own work space, which grows with the block of vectors, is beside the budget.
 */
#include "op/memory_split.h"

#include "base/error.h"
#include "base/memory.h"
#include "base/number.h"
#include "parallel/ranks.h"

enum { CHUNK = 8 };

/* The split for chunks of a size; false: it does not fit. */
static bool try_chunk(const struct stj_trajectory *trajectory, struct stj_linear_bytes linear,
                      size_t from, size_t to, size_t chunk, size_t budget,
                      struct stj_memory_split *split)
{
    struct stj_storage *storage = &split->storage;
    const size_t n_steps = to - from;
    const size_t least = chunk * (linear.step + linear.work);
    split->chunk = chunk;
    split->state_budget = budget > least ? budget - least : 0;
    const bool fits =
        stj_trajectory_storage(trajectory, from, to, chunk, split->state_budget, storage);
    storage->budget = budget;
    storage->minimum += least;
    if (!fits || least > budget)
        return false;
    const size_t left = split->state_budget - storage->state_bytes;
    const size_t all = n_steps - chunk; /* beside the chunk, whose place is not needed then */
    const size_t kept = linear.step ? left / linear.step : all;
    storage->kept_steps = kept >= all ? n_steps : kept;
    storage->linear_bytes = least + (kept >= all ? all : kept) * linear.step;
    return true;
}

/* Less replay, or as much by simpler means: policies are in that order. */
static bool is_better(const struct stj_storage *a, const struct stj_storage *b)
{
    return a->extra_passes < b->extra_passes ||
           (a->extra_passes == b->extra_passes && a->policy < b->policy);
}

size_t stj_memory_default(void)
{
    return stj_memory_available() / 4 * stj_group_sharers();
}

enum stj_status stj_memory_split(const struct stj_problem *problem, const struct stj_recipe *recipe,
                                 const struct stj_trajectory *trajectory, size_t from, size_t to,
                                 size_t budget, struct stj_memory_split *split,
                                 struct stj_error *err)
{
    const struct stj_linear_bytes linear = stj_linearization_cache_bytes(problem, recipe);
    const size_t bytes = budget ? budget : stj_memory_default();
    struct stj_memory_split other = {.chunk = 0};
    bool fits = false;
    for (size_t chunk = CHUNK < to - from ? CHUNK : to - from; chunk > 0; chunk /= 2) {
        const bool good = try_chunk(trajectory, linear, from, to, chunk, bytes, &other);
        if (!fits || (good && is_better(&other.storage, &split->storage)))
            *split = other;
        fits = fits || good;
    }
    split->storage.minimum = other.storage.minimum; /* of single steps */
    char had[STJ_REAL_TEXT_MAX], least[STJ_REAL_TEXT_MAX];
    stj_number_print_bytes(budget ? bytes : bytes >> 20 << 20, had);
    stj_number_print_need((double)split->storage.minimum + 1, least);
    STJ_NEED(err, fits, STJ_ENOMEM,
             "%s%s is too little to go through this training: the states and linearisations of a "
             "step need at least --memory %s",
             budget ? "--memory " : "a quarter of the free memory, ", had, least);
    return STJ_OK;
}
