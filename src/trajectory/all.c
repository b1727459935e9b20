/* SPDX-License-Identifier: GPL-3.0-or-later */
/* trajectory/all.c: the policy that holds every state of the window in memory, read or replayed when it
 * is first visited. */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/parallel.h"
#include "trajectory/storage.h"

struct all {
    const struct stj_source *source;
    struct stj_replay *replay;
    size_t begin, end; /* states begin .. end - 1; begin is stored */
    real *states;
    bool *ready;
};

static void all_destroy(void *self)
{
    struct all *a = self;
    if (!a)
        return;
    free(a->states);
    free(a->ready);
    free(a);
}

enum stj_status stj_policy_all_create(const struct stj_storage_plan *plan,
                                      const struct stj_source *source, struct stj_replay *replay,
                                      void **self, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct all *a = NULL;
    STJ_TRY(stj_new(&a, 1, sizeof *a, err));
    a->source = source;
    a->replay = replay;
    a->begin = source->record.step[stj_source_before(source, plan->from)];
    a->end = plan->to + 1;
    STJ_TRY(stj_new(&a->ready, a->end - a->begin, sizeof *a->ready, err));
    *self = a;
    a = NULL;
out:
    all_destroy(a);
    return st;
}

/* Read the stored states among first .. first + count - 1 that are not there yet. */
static enum stj_status read_stored(struct all *a, size_t n, size_t first, size_t count,
                                   struct stj_error *err)
{
    struct stj_error failure = STJ_ERROR_INIT;
#pragma omp parallel for schedule(static) num_threads((int)stj_threads())
    for (size_t t = first; t < first + count; t++) {
        struct stj_error mine = STJ_ERROR_INIT;
        const size_t k = stj_source_before(a->source, t);
        if (a->ready[t - a->begin] || a->source->record.step[k] != t)
            continue;
        if (stj_source_read(a->source, k, a->states + (t - a->begin) * n, &mine) == STJ_OK)
            a->ready[t - a->begin] = true;
        else
#pragma omp critical(stj_read_error)
            stj_error_set(&failure, mine.code, mine.file, mine.line, "%s", mine.text);
    }
    return failure.code == STJ_OK
               ? STJ_OK
               : stj_error_set(err, failure.code, failure.file, failure.line, "%s", failure.text);
}

/* Replay from the last state before t that is there, or stored, to t. */
static enum stj_status replay_to(struct all *a, size_t n, size_t t, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    size_t s = t;
    while (!a->ready[s - a->begin] && !stj_source_has(a->source, s))
        s--;
    STJ_TRY(read_stored(a, n, s, 1, err));
    for (; s < t; s++) {
        real *state = a->states + (s - a->begin) * n;
        memcpy(state + n, state, n * sizeof *state);
        STJ_TRY(stj_replay_step(a->replay, s, state + n, err));
        a->ready[s + 1 - a->begin] = true;
    }
out:
    return st;
}

static enum stj_status all_visit(void *self, const struct stj_trajectory_shape *shape, size_t first,
                                 size_t count, struct stj_trajectory_view *view,
                                 struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct all *a = self;
    const size_t n = shape->n_state;
    if (!a->states)
        STJ_TRY(stj_new(&a->states, a->end - a->begin, n * sizeof *a->states, err));
    STJ_TRY(read_stored(a, n, first, count, err));
    for (size_t t = first; t < first + count; t++)
        if (!a->ready[t - a->begin])
            STJ_TRY(replay_to(a, n, t, err));
    view->state = a->states + (first - a->begin) * n;
    view->ld = n;
out:
    return st;
}

const struct stj_trajectory_policy stj_policy_all = {
    .name = "memory",
    .visit = all_visit,
    .destroy = all_destroy,
};
