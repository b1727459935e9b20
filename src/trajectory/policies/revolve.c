/* SPDX-License-Identifier: GPL-3.0-or-later */
/* trajectory/policies/revolve.c: the policy for few states in memory: binomial checkpoints.
 *
 * A. Griewank and A. Walther, Algorithm 799: revolve, ACM Transactions on Mathematical Software 26
 * (2000) 19-45: with s checkpoints, the one at the beginning included, and no step taken more than
 * r times, at most beta(s, r) = (s + r choose s) leaves can be reversed, and reversing l leaves
 * takes t(l, s) = r l - beta(s + 1, r - 1) advances, with the r for which beta(s, r - 1) < l <=
 * beta(s, r).
 *
 * A leaf is a chunk of steps.  Reversing is on line: a visit goes back to the last checkpoint
 * before it and forward to where it is, setting checkpoints on the way at the places where the
 * remaining leaves are best divided; those behind it are given up.  The checkpoint at the beginning
 * is the last stored state, on disk.  A sweep forward goes on from where it was, and sets none.
 */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "trajectory/storage.h"

size_t stj_revolve_beta(size_t slots, size_t reps)
{
    const size_t small = slots < reps ? slots : reps;
    const size_t large = slots < reps ? reps : slots;
    size_t beta = 1; /* (large + i choose i), exact at every i */
    for (size_t i = 1; i <= small; i++) {
        if (beta > SIZE_MAX / (large + i))
            return SIZE_MAX;
        beta = beta * (large + i) / i;
    }
    return beta;
}

/* The r with beta(slots, r - 1) < leaves <= beta(slots, r). */
static size_t repetitions(size_t leaves, size_t slots)
{
    size_t reps = 0;
    if (slots == 1) /* beta(1, r) = r + 1 */
        return leaves - 1;
    while (stj_revolve_beta(slots, reps) < leaves)
        reps++;
    return reps;
}

size_t stj_revolve_split(size_t leaves, size_t slots)
{
    if (slots <= 1)
        return leaves - 1; /* no checkpoint can be set: go to the last leaf */
    const size_t r = repetitions(leaves, slots);
    if (r <= 1)
        return 1;
    /* beta(s, r-2) <= m <= beta(s, r-1) and beta(s-1, r-1) <= leaves - m <= beta(s-1, r) */
    const size_t most = stj_revolve_beta(slots, r - 1);
    const size_t rest = stj_revolve_beta(slots - 1, r - 1);
    return leaves - rest < most ? leaves - rest : most;
}

double stj_revolve_advances(size_t leaves, size_t slots)
{
    if (leaves <= 1)
        return 0;
    const size_t r = repetitions(leaves, slots);
    return (double)r * (double)leaves - (r ? (double)stj_revolve_beta(slots + 1, r - 1) : 0);
}

struct revolve {
    const struct stj_state_reader *source;
    struct stj_replay *replay;
    size_t chunk, n_slots, n_used;
    size_t *step;  /* [n_slots]: of the checkpoints, increasing */
    real *slot;    /* [n_slots][n_state] */
    bool has_work; /* a state to go on from: */
    size_t at;
    real *work;
    size_t view_room;
    real *view;
};

static void revolve_destroy(void *self)
{
    struct revolve *r = self;
    if (!r)
        return;
    free(r->step);
    free(r->slot);
    free(r->work);
    free(r->view);
    free(r);
}
STJ_HOLDS(struct revolve, revolve_destroy)

enum stj_status stj_policy_revolve_create(const struct stj_storage_plan *plan,
                                          const struct stj_state_reader *source,
                                          struct stj_replay *replay, void **self,
                                          struct stj_error *err)
{
    STJ_HELD(revolve_destroy_at) struct revolve *r = NULL;
    STJ_MUST(stj_new(&r, 1, sizeof *r, err));
    r->source = source;
    r->replay = replay;
    r->chunk = plan->chunk;
    r->n_slots = plan->slots;
    STJ_MUST(stj_new(&r->step, r->n_slots, sizeof *r->step, err));
    *self = r;
    r = NULL;
    return STJ_OK;
}

static enum stj_status allocate_revolve(struct revolve *r, size_t n, size_t count,
                                        struct stj_error *err)
{
    if (!r->work) {
        STJ_MUST(stj_new(&r->slot, r->n_slots, n * sizeof *r->slot, err));
        STJ_MUST(stj_new(&r->work, n, sizeof *r->work, err));
    }
    if (count > r->view_room) {
        STJ_MUST(stj_resize(&r->view, 0, count, n * sizeof *r->view, err));
        r->view_room = count;
    }
    return STJ_OK;
}

/* The working state <- the last one at hand at or before t: itself, where a sweep forward goes on
 * from it, else a checkpoint, or a stored state.  *reversing: it was gone back to. */
static enum stj_status go_back(struct revolve *r, size_t n, size_t t, bool *reversing,
                               struct stj_error *err)
{
    const size_t k = stj_state_reader_before(r->source, t);
    const size_t stored = r->source->record.step[k];
    while (r->n_used > 0 && r->step[r->n_used - 1] > t)
        r->n_used--;
    const bool checkpoint = r->n_used > 0 && r->step[r->n_used - 1] >= stored;
    const size_t behind = checkpoint ? r->step[r->n_used - 1] : stored;
    *reversing = !(r->has_work && r->at <= t && t - r->at <= r->chunk && r->at >= behind);
    if (!*reversing)
        return STJ_OK;
    r->has_work = false;
    if (checkpoint)
        memcpy(r->work, r->slot + (r->n_used - 1) * n, n * sizeof *r->work);
    else
        STJ_MUST(stj_state_reader_read(r->source, k, r->work, err));
    r->at = behind;
    r->has_work = true;
    return STJ_OK;
}

static enum stj_status advance_to(struct revolve *r, size_t to, struct stj_error *err)
{
    r->has_work = r->at == to;
    for (; r->at < to; r->at++)
        STJ_MUST(stj_replay_step(r->replay, r->at, r->work, err));
    r->has_work = true;
    return STJ_OK;
}

/* Forward to t, with checkpoints on the way: at distances from t that are whole leaves. */
static enum stj_status approach(struct revolve *r, size_t n, size_t t, struct stj_error *err)
{
    while (r->n_used < r->n_slots) {
        const size_t leaves = (t - r->at + r->chunk - 1) / r->chunk + 1;
        const size_t split = leaves > 1 ? stj_revolve_split(leaves, r->n_slots - r->n_used + 1) : 0;
        if (split + 1 >= leaves)
            break;
        STJ_MUST(advance_to(r, t - (leaves - 1 - split) * r->chunk, err));
        memcpy(r->slot + r->n_used * n, r->work, n * sizeof *r->work);
        r->step[r->n_used++] = r->at;
    }
    return advance_to(r, t, err);
}

static enum stj_status revolve_visit(void *self, const struct stj_trajectory_shape *shape,
                                     size_t first, size_t count, struct stj_trajectory_view *view,
                                     struct stj_error *err)
{
    struct revolve *r = self;
    const size_t n = shape->n_state;
    bool reversing = false;
    STJ_MUST(allocate_revolve(r, n, count, err));
    STJ_MUST(go_back(r, n, first, &reversing, err));
    if (reversing)
        STJ_MUST(approach(r, n, first, err));
    for (size_t i = 0; i < count; i++) {
        STJ_MUST(advance_to(r, first + i, err));
        memcpy(r->view + i * n, r->work, n * sizeof *r->view);
    }
    view->state = r->view;
    view->ld = n;
    return STJ_OK;
}

const struct stj_trajectory_policy stj_policy_revolve = {
    .name = "revolve",
    .visit = revolve_visit,
    .destroy = revolve_destroy,
};
