/* SPDX-License-Identifier: GPL-3.0-or-later */
/* trajectory/trajectory.c: what all storage policies share: sizes, ranges, the loss curve. */
#include "trajectory/trajectory.h"

#include <stdlib.h>

#include "base/error.h"
#include "base/memory.h"
#include "parallel/ranks.h"
#include "trajectory/storage.h"

struct stj_trajectory {
    struct stj_trajectory_shape shape;
    const struct stj_trajectory_policy *policy;
    void *self;
    double *loss; /* [n_steps] */
    /* Of a file: */
    struct stj_state_reader source; /* of an outline: its record alone */
    struct stj_replay replay;
    struct stj_storage_plan plan;
    size_t fitted;   /* bytes that it was made for, */
    size_t division; /* division of the ranks, */
    bool shared;     /* and ranks that share memory */
    size_t outside_room;
    real *outside; /* [outside_room][n_state]: a visit that is not within the plan's window */
};

/* States that are not there. */
static enum stj_status outline_visit(void *self, const struct stj_trajectory_shape *shape,
                                     size_t first, size_t count, struct stj_trajectory_view *view,
                                     struct stj_error *err)
{
    (void)self;
    (void)shape;
    *view = (struct stj_trajectory_view){.state = NULL};
    return stj_error_set(err, STJ_EINTERNAL, __FILE__, __LINE__,
                         "states %zu to %zu of a training that did not take place", first,
                         first + count);
}

static void outline_destroy(void *self)
{
    free(self);
}

static const struct stj_trajectory_policy outline_policy = {
    .name = "outline", .visit = outline_visit, .destroy = outline_destroy};

static bool of_file(const struct stj_trajectory *trajectory)
{
    return trajectory->source.rows != NULL;
}

static bool is_outline(const struct stj_trajectory *trajectory)
{
    return trajectory->policy == &outline_policy;
}

enum stj_status stj_trajectory_shape_set(size_t n_params, size_t n_slots, size_t n_steps,
                                         struct stj_trajectory_shape *shape, struct stj_error *err)
{
    size_t total = 0;
    STJ_NEED(err, n_params > 0 && n_slots < STJ_MAX_VECTORS && n_steps < SIZE_MAX, STJ_EINVAL,
             "a trajectory of %zu parameters, %zu slots (at most %d) and %zu steps is impossible",
             n_params, n_slots, STJ_MAX_VECTORS - 1, n_steps);
    *shape = (struct stj_trajectory_shape){n_params, n_slots, n_steps, 0};
    STJ_MUST(stj_size_mul(1 + n_slots, n_params, &shape->n_state, err));
    STJ_MUST(stj_size_mul(shape->n_state, n_steps + 1, &total, err));
    return stj_size_mul(total, sizeof(real), &total, err);
}

enum stj_status stj_trajectory_wrap(const struct stj_trajectory_shape *shape,
                                    const struct stj_trajectory_policy *policy, void *self,
                                    struct stj_trajectory **trajectory, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct stj_trajectory *made = NULL;
    st = stj_new(&made, 1, sizeof *made, err);
    if (st != STJ_OK) {
        policy->destroy(self);
        goto out;
    }
    made->shape = *shape;
    made->policy = policy;
    made->self = self;
    STJ_TRY(stj_new(&made->loss, shape->n_steps, sizeof *made->loss, err));
out:
    if (st != STJ_OK) {
        stj_trajectory_destroy(made);
        made = NULL;
    }
    *trajectory = made;
    return st;
}

void stj_trajectory_destroy(struct stj_trajectory *trajectory)
{
    if (!trajectory)
        return;
    if (trajectory->self)
        trajectory->policy->destroy(trajectory->self);
    if (of_file(trajectory) || is_outline(trajectory))
        trajectory->loss = NULL; /* the source's */
    stj_replay_free(&trajectory->replay);
    stj_state_reader_close(&trajectory->source);
    free(trajectory->outside);
    free(trajectory->loss);
    free(trajectory);
}

enum stj_status stj_trajectory_record(void *trajectory, size_t t, const real *state, double loss,
                                      struct stj_error *err)
{
    struct stj_trajectory *self = trajectory;
    STJ_NEED(err, t <= self->shape.n_steps, STJ_EINVAL,
             "state %zu is outside a trajectory of %zu steps", t, self->shape.n_steps);
    STJ_NEED(err, self->policy->record, STJ_EINVAL, "a trajectory of a file takes no states");
    STJ_MUST(self->policy->record(self->self, &self->shape, t, state, err));
    if (t < self->shape.n_steps)
        self->loss[t] = loss;
    return STJ_OK;
}

/* States first .. first + count - 1 into a buffer of their own. */
static enum stj_status visit_outside(struct stj_trajectory *trajectory, size_t first, size_t count,
                                     struct stj_trajectory_view *view, struct stj_error *err)
{
    const size_t n = trajectory->shape.n_state;
    if (count > trajectory->outside_room) {
        STJ_MUST(stj_resize(&trajectory->outside, 0, count, n * sizeof *trajectory->outside, err));
        trajectory->outside_room = count;
    }
    for (size_t i = 0; i < count; i++)
        STJ_MUST(stj_replay_next(&trajectory->replay, first + i, i > 0, trajectory->outside + i * n,
                                 err));
    view->state = trajectory->outside;
    view->ld = n;
    return STJ_OK;
}

static enum stj_status visit_states(struct stj_trajectory *trajectory, size_t first, size_t count,
                                    bool together, struct stj_trajectory_view *view,
                                    struct stj_error *err)
{
    size_t n = trajectory->shape.n_steps + 1;
    STJ_NEED(err, first <= n && count <= n - first, STJ_EINVAL,
             "states %zu to %zu are outside a trajectory of %zu steps", first, first + count,
             trajectory->shape.n_steps);
    const bool others = trajectory->shared && trajectory->policy->common && !together;
    if (of_file(trajectory) &&
        (others || first < trajectory->plan.from || first + count > trajectory->plan.to + 1))
        return visit_outside(trajectory, first, count, view, err);
    return trajectory->policy->visit(trajectory->self, &trajectory->shape, first, count, view, err);
}

enum stj_status stj_trajectory_visit(struct stj_trajectory *trajectory, size_t first, size_t count,
                                     struct stj_trajectory_view *view, struct stj_error *err)
{
    return visit_states(trajectory, first, count, false, view, err);
}

bool stj_trajectory_is_whole(const struct stj_trajectory *trajectory)
{
    return trajectory->policy->whole;
}

enum stj_status stj_trajectory_visit_together(struct stj_trajectory *trajectory, size_t first,
                                              size_t count, struct stj_trajectory_view *view,
                                              struct stj_error *err)
{
    return visit_states(trajectory, first, count, true, view, err);
}

size_t stj_trajectory_n_params(const struct stj_trajectory *trajectory)
{
    return trajectory->shape.n_params;
}

size_t stj_trajectory_n_slots(const struct stj_trajectory *trajectory)
{
    return trajectory->shape.n_slots;
}

size_t stj_trajectory_n_steps(const struct stj_trajectory *trajectory)
{
    return trajectory->shape.n_steps;
}

const double *stj_trajectory_loss(const struct stj_trajectory *trajectory)
{
    return trajectory->loss;
}

bool stj_trajectory_imported(const struct stj_trajectory *trajectory,
                             struct stj_imported_states *imported)
{
    const struct stj_record *record = &trajectory->source.record;
    *imported = (struct stj_imported_states){0};
    if (!record->deviation)
        return false;
    for (size_t k = 0; k < record->n_stored; k++) {
        if (!stj_record_is_imported(record, k))
            continue;
        imported->n++;
        if (record->deviation[k] > imported->deviation) {
            imported->deviation = record->deviation[k];
            imported->step = record->step[k];
        }
    }
    return true;
}

bool stj_trajectory_has(const struct stj_trajectory *trajectory, size_t t)
{
    return !of_file(trajectory) || stj_state_reader_has(&trajectory->source, t);
}

bool stj_trajectory_is_imported(const struct stj_trajectory *trajectory, size_t t)
{
    const struct stj_state_reader *source = &trajectory->source;
    const size_t k = source->record.deviation ? stj_state_reader_before(source, t) : 0;
    return source->record.deviation && source->record.step[k] == t &&
           stj_record_is_imported(&source->record, k);
}

void stj_trajectory_set_training(struct stj_trajectory *trajectory,
                                 const struct stj_problem *problem, const struct stj_recipe *recipe)
{
    trajectory->replay.problem = problem;
    trajectory->replay.recipe = recipe;
}

bool stj_trajectory_storage(const struct stj_trajectory *trajectory, size_t from, size_t to,
                            size_t chunk, size_t bytes, struct stj_storage *storage)
{
    struct stj_storage_plan plan = {.about = {.policy = STJ_STORAGE_MEMORY,
                                              .states = to - from + 1,
                                              .stored = to - from + 1,
                                              .every = 1,
                                              .held = trajectory->shape.n_steps + 1}};
    bool fits = true;
    if (of_file(trajectory) || is_outline(trajectory))
        stj_storage_choose(&trajectory->source, &trajectory->replay, from, to, chunk, bytes, &plan,
                           &fits);
    *storage = plan.about;
    return fits;
}

/* What a policy is made with. */
static enum stj_status make_policy(struct stj_trajectory *trajectory, struct stj_error *err)
{
    const struct stj_state_reader *source = &trajectory->source;
    struct stj_replay *replay = &trajectory->replay;
    void **self = &trajectory->self;
    switch (trajectory->plan.about.policy) {
    case STJ_STORAGE_DISK:
        trajectory->policy = &stj_policy_disk;
        return stj_policy_disk_create(&trajectory->plan, source, replay, self, err);
    case STJ_STORAGE_MEMORY_REPLAY:
    case STJ_STORAGE_DISK_REPLAY:
        trajectory->policy = &stj_policy_segments;
        return stj_policy_segments_create(&trajectory->plan, source, replay, self, err);
    case STJ_STORAGE_REVOLVE:
        trajectory->policy = &stj_policy_revolve;
        return stj_policy_revolve_create(&trajectory->plan, source, replay, self, err);
    default:
        trajectory->policy = &stj_policy_all;
        return stj_policy_all_create(&trajectory->plan, source, replay, self, err);
    }
}

static void drop_policy(struct stj_trajectory *trajectory)
{
    if (trajectory->self)
        trajectory->policy->destroy(trajectory->self);
    trajectory->self = NULL;
    stj_replay_free(&trajectory->replay);
    free(trajectory->outside);
    trajectory->outside = NULL;
    trajectory->outside_room = 0;
}

static bool is_fitted(const struct stj_trajectory *trajectory, size_t from, size_t to, size_t chunk,
                      size_t bytes)
{
    return trajectory->self && from == trajectory->plan.from && to == trajectory->plan.to &&
           chunk == trajectory->plan.chunk && bytes == trajectory->fitted &&
           trajectory->division == stj_ranks_division() && trajectory->shared == stj_group_shares();
}

enum stj_status stj_trajectory_fit(struct stj_trajectory *trajectory, size_t from, size_t to,
                                   size_t chunk, size_t bytes, struct stj_error *err)
{
    struct stj_storage_plan plan;
    bool fits = true;
    STJ_NEED(err, from <= to && to <= trajectory->shape.n_steps && chunk > 0, STJ_EINVAL,
             "states %zu to %zu are outside a trajectory of %zu steps", from, to,
             trajectory->shape.n_steps);
    if (!of_file(trajectory) || is_fitted(trajectory, from, to, chunk, bytes))
        return STJ_OK;
    stj_storage_choose(&trajectory->source, &trajectory->replay, from, to, chunk, bytes, &plan,
                       &fits);
    STJ_NEED(err, fits, STJ_ENOMEM,
             "the states of the training need at least %zu bytes of memory, %zu are allowed",
             plan.about.minimum, bytes);
    drop_policy(trajectory);
    trajectory->fitted = bytes;
    trajectory->division = stj_ranks_division();
    trajectory->shared = stj_group_shares();
    trajectory->plan = plan;
    return make_policy(trajectory, err);
}

void stj_trajectory_divergence(const struct stj_trajectory *trajectory, struct stj_storage *storage)
{
    storage->diverged = trajectory->replay.diverged;
    storage->diverged_at = trajectory->replay.diverged_at;
    storage->compared_at = trajectory->replay.compared_at;
    storage->difference = trajectory->replay.difference;
}

enum stj_status stj_trajectory_crc(struct stj_trajectory *trajectory, size_t t, uint64_t *crc,
                                   struct stj_error *err)
{
    struct stj_trajectory_view view = {0};
    if (of_file(trajectory) && t <= trajectory->shape.n_steps) {
        *crc = trajectory->source.record.crc[t];
        return STJ_OK;
    }
    STJ_MUST(stj_trajectory_visit(trajectory, t, 1, &view, err));
    *crc = stj_state_crc(trajectory->shape.n_state, view.state);
    return STJ_OK;
}

size_t stj_trajectory_replayed(const struct stj_trajectory *trajectory)
{
    return trajectory->replay.steps;
}

enum stj_status stj_trajectory_outline(size_t n_params, size_t n_slots, size_t n_steps,
                                       size_t every, struct stj_trajectory **trajectory,
                                       struct stj_error *err)
{
    STJ_HELD(stj_trajectory_destroy_at) struct stj_trajectory *made = NULL;
    const size_t n_stored = 1 + n_steps / every + (n_steps % every != 0);
    STJ_MUST(stj_new(&made, 1, sizeof *made, err));
    made->policy = &outline_policy;
    STJ_MUST(stj_trajectory_shape_set(n_params, n_slots, n_steps, &made->shape, err));
    made->source.record =
        (struct stj_record){.shape = made->shape, .n_stored = n_stored, .every = every};
    *trajectory = made;
    made = NULL;
    return STJ_OK;
}

enum stj_status stj_trajectory_of_source(struct stj_state_reader *source,
                                         struct stj_trajectory **trajectory, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct stj_trajectory *made = NULL;
    *trajectory = NULL;
    STJ_TRY(stj_new(&made, 1, sizeof *made, err));
    made->source = *source;
    *source = (struct stj_state_reader){0};
    made->shape = made->source.record.shape;
    made->loss = made->source.record.loss;
    made->replay.source = &made->source;
    made->policy = &stj_policy_all;
    STJ_TRY(stj_trajectory_fit(made, 0, made->shape.n_steps, 1, SIZE_MAX, err));
    *trajectory = made;
    made = NULL;
out:
    stj_state_reader_close(source);
    stj_trajectory_destroy(made);
    return st;
}
