/* SPDX-License-Identifier: GPL-3.0-or-later */
/* trajectory/policies/all.c: the policy that holds every state of the window in memory, read or
 * replayed when it is first visited.  Ranks that share memory have them once. */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "parallel/ranks.h"
#include "parallel/shared_memory.h"
#include "trajectory/storage.h"

struct all {
    const struct stj_state_reader *source;
    struct stj_replay *replay;
    size_t begin, end; /* states begin .. end - 1; begin is stored */
    struct stj_arena room;
    real *states; /* in it */
    real *work;   /* [n_state]: what replay steps in, where states are not this rank's alone */
    bool *ready;
};

static void all_destroy(void *self)
{
    struct all *a = self;
    if (!a)
        return;
    stj_arena_free(&a->room);
    free(a->work);
    free(a->ready);
    free(a);
}
STJ_HOLDS(struct all, all_destroy)

enum stj_status stj_policy_all_create(const struct stj_storage_plan *plan,
                                      const struct stj_state_reader *source,
                                      struct stj_replay *replay, void **self, struct stj_error *err)
{
    STJ_HELD(all_destroy_at) struct all *a = NULL;
    STJ_MUST(stj_new(&a, 1, sizeof *a, err));
    a->source = source;
    a->replay = replay;
    a->begin = source->record.step[stj_state_reader_before(source, plan->from)];
    a->end = plan->to + 1;
    STJ_MUST(stj_new(&a->ready, a->end - a->begin, sizeof *a->ready, err));
    *self = a;
    a = NULL;
    return STJ_OK;
}

static enum stj_status allocate_all(struct all *a, size_t n, struct stj_error *err)
{
    if (a->states)
        return STJ_OK;
    if (stj_group_shares() && !a->work)
        STJ_MUST(stj_new(&a->work, n, sizeof *a->work, err));
    STJ_MUST(stj_arena_reals(&a->room, a->end - a->begin, n, err));
    a->states = a->room.at;
    return STJ_OK;
}

/* Are states first .. first + count - 1 there? */
static bool has(const struct all *a, size_t first, size_t count)
{
    for (size_t t = first; t < first + count; t++)
        if (!a->ready[t - a->begin])
            return false;
    return true;
}

/* Read the stored states among first .. first + count - 1 that are not there yet. */
static enum stj_status read_stored(struct all *a, size_t n, size_t first, size_t count,
                                   struct stj_error *err)
{
    bool *ready = a->ready + (first - a->begin);
    if (has(a, first, count))
        return STJ_OK;
    STJ_MUST(stj_state_reader_read_range(a->source, first, count, ready,
                                         a->states + (first - a->begin) * n, err));
    for (size_t i = 0; i < count; i++)
        ready[i] = ready[i] || stj_state_reader_has(a->source, first + i);
    return STJ_OK;
}

/* State s, which is there, makes the next one: in its place, or where ranks share that, in the
 * place of each, from where one of them takes it. */
static enum stj_status replay_one(struct all *a, size_t n, size_t s, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const real *from = a->states + (s - a->begin) * n;
    real *next = a->states + (s + 1 - a->begin) * n;
    real *state = stj_group_shares() ? a->work : next;
    memcpy(state, from, n * sizeof *state);
    st = stj_replay_step(a->replay, s, state, err);
    if (stj_group_shares()) {
        if (st == STJ_OK && stj_group_rank() == 0)
            memcpy(next, state, n * sizeof *next);
        st = stj_group_agree(st, err);
    }
    if (st == STJ_OK)
        a->ready[s + 1 - a->begin] = true;
    return st;
}

/* Replay from the last state before t that is there, or stored, to t. */
static enum stj_status replay_to(struct all *a, size_t n, size_t t, struct stj_error *err)
{
    size_t s = t;
    while (!a->ready[s - a->begin] && !stj_state_reader_has(a->source, s))
        s--;
    STJ_MUST(read_stored(a, n, s, 1, err));
    for (; s < t; s++)
        STJ_MUST(replay_one(a, n, s, err));
    return STJ_OK;
}

static enum stj_status all_visit(void *self, const struct stj_trajectory_shape *shape, size_t first,
                                 size_t count, struct stj_trajectory_view *view,
                                 struct stj_error *err)
{
    struct all *a = self;
    const size_t n = shape->n_state;
    STJ_MUST(allocate_all(a, n, err));
    STJ_MUST(read_stored(a, n, first, count, err));
    for (size_t t = first; t < first + count; t++)
        if (!a->ready[t - a->begin])
            STJ_MUST(replay_to(a, n, t, err));
    view->state = a->states + (first - a->begin) * n;
    view->ld = n;
    return STJ_OK;
}

const struct stj_trajectory_policy stj_policy_all = {
    .name = "memory",
    .whole = true,
    .common = true,
    .visit = all_visit,
    .destroy = all_destroy,
};
