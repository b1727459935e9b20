/* SPDX-License-Identifier: GPL-3.0-or-later */
/* trajectory/storage.c: choosing where the states of a window are kept, from a budget of memory.
 *
 * With W states in the window, K of them stored, the longest segment between stored ones L, chunks
 * of c, in this order, the first that fits:
 *
 *     memory              W states
 *     disk                c                   when all are stored
 *     memory and replay   K + L + c           the stored states in memory
 *     disk and replay     L + c               the stored states read when a segment begins
 *     memory and replay   W/s + s + c         every s-th in memory, s about sqrt W
 *     revolve             c + 1 + slots       binomial checkpoints, with whatever is left
 *
 * Ranks that share memory have a budget together, and in it one copy of the states of the first two
 * policies, and of those that replay one each.
 *
 * Replay of segments trains each step of the window once more in a sweep: equal spacing cannot be
 * beaten while one segment fits.  Below that, binomial checkpoints are optimal (A. Griewank and A.
 * Walther, Algorithm 799: revolve, ACM Transactions on Mathematical Software 26 (2000) 19-45).
 */
#include "trajectory/storage.h"

#include <math.h>

#include "parallel/ranks.h"

const char *stj_storage_text(enum stj_storage_policy policy)
{
    switch (policy) {
    case STJ_STORAGE_MEMORY:
        return "memory";
    case STJ_STORAGE_MEMORY_REPLAY:
        return "memory and replay";
    case STJ_STORAGE_DISK:
        return "disk";
    case STJ_STORAGE_DISK_REPLAY:
        return "disk and replay";
    case STJ_STORAGE_REVOLVE:
        return "revolve";
    case STJ_STORAGE_NONE:
        break;
    }
    return NULL;
}

/* Sizes of a choice. */
struct sizes {
    double state, work; /* bytes of a state, and of replay's work space */
    double copies;      /* of the states of policies that replay */
    size_t window;      /* states from the last stored one before the window to its end */
    bool all_stored;
};

static bool try_plan(struct stj_storage_plan *plan, const struct sizes *z, double bytes,
                     enum stj_storage_policy policy, double held, double extra_passes)
{
    const bool replays = extra_passes > 0 || !z->all_stored;
    const double needed =
        held * z->state * (extra_passes > 0 ? z->copies : 1) + (replays ? z->work : 0);
    plan->about.policy = policy;
    plan->about.held = (size_t)held;
    plan->about.state_bytes = (size_t)needed;
    plan->about.extra_passes = extra_passes;
    return needed <= bytes;
}

/* Every stored state is the beginning of a segment, in memory or read from disk. */
static bool try_stored(struct stj_storage_plan *plan, const struct stj_state_reader *source,
                       const struct sizes *z, double bytes)
{
    size_t longest = 0;
    plan->spacing = 0;
    const size_t n = stj_segments_count(source, plan, &longest, NULL);
    const double buffers = (double)longest + (double)plan->chunk;
    plan->about.every = longest;
    return try_plan(plan, z, bytes, STJ_STORAGE_MEMORY_REPLAY, (double)n + buffers, 1) ||
           try_plan(plan, z, bytes, STJ_STORAGE_DISK_REPLAY, buffers, 1);
}

/* Anchors of our own in memory, as few states as that can do with. */
static bool try_spaced(struct stj_storage_plan *plan, const struct stj_state_reader *source,
                       const struct sizes *z, double bytes)
{
    size_t longest = 0;
    const size_t root = (size_t)ceil(sqrt((double)z->window));
    plan->spacing = root > plan->chunk ? root : plan->chunk;
    const size_t n = stj_segments_count(source, plan, &longest, NULL);
    plan->about.every = longest;
    return try_plan(plan, z, bytes, STJ_STORAGE_MEMORY_REPLAY,
                    (double)n + (double)longest + (double)plan->chunk, 1);
}

/* The longest distance of stored states in the window: what revolve goes through at a time. */
static size_t longest_gap(const struct stj_state_reader *source,
                          const struct stj_storage_plan *plan)
{
    const struct stj_record *record = &source->record;
    size_t longest = 1;
    for (size_t k = stj_state_reader_before(source, plan->from);
         k < record->n_stored && stj_record_step(record, k) <= plan->to; k++) {
        const size_t next = k + 1 < record->n_stored && stj_record_step(record, k + 1) <= plan->to
                                ? stj_record_step(record, k + 1)
                                : plan->to + 1;
        longest = next - stj_record_step(record, k) > longest ? next - stj_record_step(record, k)
                                                              : longest;
    }
    return longest;
}

static bool try_revolve(struct stj_storage_plan *plan, const struct stj_state_reader *source,
                        const struct sizes *z, double bytes)
{
    const double least = (double)plan->chunk + 1;
    const double left = floor((bytes - z->work) / (z->state * z->copies) - least);
    const size_t gap = longest_gap(source, plan);
    const size_t leaves = (gap + plan->chunk - 1) / plan->chunk;
    plan->slots = left < 0 ? 0 : left < (double)leaves ? (size_t)left : leaves;
    plan->about.every = gap;
    const double advances = stj_revolve_advances(leaves, plan->slots + 1) + (double)leaves;
    return try_plan(plan, z, bytes, STJ_STORAGE_REVOLVE, least + (double)plan->slots,
                    advances / (double)leaves);
}

void stj_storage_choose(const struct stj_state_reader *source, const struct stj_replay *replay,
                        size_t from, size_t to, size_t chunk, size_t bytes,
                        struct stj_storage_plan *plan, bool *fits)
{
    const struct stj_record *record = &source->record;
    const size_t before = stj_state_reader_before(source, from);
    const size_t last = stj_state_reader_before(source, to);
    struct sizes z = {.state = (double)record->shape.n_state * sizeof(real),
                      .copies = (double)stj_group_sharers()};
    const double b = (double)bytes;
    *plan = (struct stj_storage_plan){.from = from, .to = to, .chunk = chunk};
    plan->about.states = to - from + 1;
    plan->about.stored = last - before + (stj_record_step(record, before) == from);
    plan->about.every = 1;
    z.window = to - stj_record_step(record, before) + 1;
    z.all_stored = plan->about.stored == plan->about.states;
    z.work = z.all_stored || !replay->problem
                 ? 0
                 : (double)stj_train_work_bytes(replay->problem, replay->recipe);
    *fits = try_plan(plan, &z, b, STJ_STORAGE_MEMORY, (double)z.window, 0);
    if (z.all_stored) {
        *fits = *fits || try_plan(plan, &z, b, STJ_STORAGE_DISK, (double)chunk, 0);
        plan->about.minimum = (size_t)(fmin((double)chunk, (double)z.window) * z.state);
    } else {
        *fits = *fits || try_stored(plan, source, &z, b) || try_spaced(plan, source, &z, b) ||
                try_revolve(plan, source, &z, b);
        plan->about.minimum =
            (size_t)(fmin(((double)chunk + 1) * z.copies, (double)z.window) * z.state + z.work);
    }
}
