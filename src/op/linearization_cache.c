/* SPDX-License-Identifier: GPL-3.0-or-later */
/* op/linearization_cache.c: making and keeping the primal quantities of steps.
 *
 * Slots of memory: steps from .. from + kept - 1 have one each; the others share the last `chunk`
 * slots in turn.  A step is sliced as for its gradient, whatever the memory, so that its
 * linearisation has the same bits whether it was kept or made again.
 */
#include "op/linearization_cache.h"

#include <stdbool.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/memory.h"
#include "parallel/share_sum.h"
#include "train/clip.h"

enum { CLIMBED, CLIMB_UNIT, N_CLIMB }; /* vectors of a step with sam */

STJ_HOLDS(struct stj_linearization_cache, stj_linearization_cache_destroy)

struct stj_linearization_cache {
    const struct stj_problem *problem;
    const struct stj_recipe *recipe;
    const struct stj_optimizer_ops *optimizer;
    struct stj_trajectory *trajectory;
    size_t from, to;
    size_t chunk, kept;
    size_t state_budget;
    size_t n_params, n_linear;
    size_t n_moved;      /* vectors of the derivative by what the recipe is given */
    size_t n_vectors;    /* n_coef, n_moved, and one more with clipping: u of train/clip.h */
    size_t n_work;       /* of the optimizer, and slots of which only theta is kept */
    size_t n_gradients;  /* of a step */
    size_t n_slices;     /* most of any step */
    struct stj_step *at; /* [kept + chunk][1 + n_groups] */
    size_t n_factors;    /* of a clipped gradient */
    double *clip;        /* [kept + chunk][n_factors] */
    bool *clipped;       /* [kept + chunk] */
    double *climb;       /* [kept + chunk]: factors of the gradients by which sam climbs */
    bool *ready;         /* [kept]: the slot holds its step */
    size_t n_scratch;
    real *
        lin; /* [kept + chunk][n_gradients][n_linear]; without shared memory this rank's slices' rows */
    real *coef;    /* [kept + chunk][n_vectors][n_params] */
    real *scratch; /* [chunk * n_slices][n_scratch] */
    real *g;       /* [chunk * n_slices][n_params], where coefficients need gradients */
    struct stj_arena lin_room, coef_room, scratch_room, g_room; /* where they lie */
    struct stj_arena record_room; /* [chunk] of the records of a step's slices, where they meet */
    size_t n_records;             /* numbers of one step's */
    struct stj_share_sum sum;
    real *work;  /* [n_work][n_params] */
    real *total; /* [n_params]: the gradient of a step; NULL: in the place of its first share */
    struct stj_trajectory_view view; /* of the chunk that was loaded last */
    size_t view_first;
};

static size_t slot_of(const struct stj_linearization_cache *store, size_t t)
{
    size_t k = t - store->from;
    return k < store->kept ? k : store->kept + (k - store->kept) % store->chunk;
}

/* Sizes of a store, in reals: of a step, and of the work of one in a chunk. */
static void set_sizes(struct stj_linearization_cache *store)
{
    const struct stj_problem *problem = store->problem;
    store->n_params = problem->layout->n_params;
    store->n_linear = problem->ops->n_linear(problem->self);
    store->n_slices = stj_problem_most_slices(problem, 1, 0, &store->n_scratch);
    store->n_gradients = stj_recipe_n_gradients(store->recipe);
    store->n_moved = stj_given_step_vectors(store->recipe);
    store->n_vectors = store->optimizer->n_coef + N_CLIMB * (store->n_gradients - 1) +
                       store->n_moved + stj_recipe_clips(store->recipe);
    store->n_work =
        store->optimizer->n_work + (store->n_moved == 1 ? store->optimizer->n_slots : 0);
    store->n_factors = store->recipe->clip_tensor_norm > 0 ? store->problem->layout->n_tensors : 1;
    store->n_records = stj_problem_n_records(problem, store->n_slices, 0);
}

struct stj_linear_bytes stj_linearization_cache_bytes(const struct stj_problem *problem,
                                                      const struct stj_recipe *recipe)
{
    struct stj_linearization_cache s = {
        .problem = problem, .recipe = recipe, .optimizer = stj_recipe_optimizer(recipe)};
    set_sizes(&s);
    return (struct stj_linear_bytes){
        .step = sizeof(real) * (s.n_gradients * s.n_linear + s.n_vectors * s.n_params),
        .work = sizeof(real) * (s.n_slices * (s.n_scratch + (s.n_vectors ? s.n_params : 0)) +
                                s.n_records + s.n_work * s.n_params),
    };
}

static enum stj_status allocate_cache(struct stj_linearization_cache *store, struct stj_error *err)
{
    const size_t n_slots = store->kept + (store->kept < store->to - store->from ? store->chunk : 0);
    const size_t n_items = store->chunk * store->n_slices;
    STJ_MUST(stj_arena_reals(&store->lin_room, n_slots * store->n_gradients, store->n_linear, err));
    STJ_MUST(stj_arena_reals(&store->coef_room, n_slots * store->n_vectors, store->n_params, err));
    STJ_MUST(stj_new(&store->at, n_slots * (1 + store->recipe->n_groups), sizeof *store->at, err));
    STJ_MUST(stj_new(&store->work, store->n_work, store->n_params * sizeof(real), err));
    STJ_MUST(stj_new(&store->clip, n_slots * store->n_factors, sizeof *store->clip, err));
    STJ_MUST(stj_new(&store->clipped, n_slots, sizeof *store->clipped, err));
    STJ_MUST(stj_new(&store->climb, n_slots, sizeof *store->climb, err));
    STJ_MUST(stj_arena_reals(&store->scratch_room, n_items, store->n_scratch, err));
    STJ_MUST(stj_arena_reals(&store->record_room, store->chunk, store->n_records, err));
    if (store->n_vectors) {
        STJ_MUST(stj_arena_reals(&store->g_room, n_items, store->n_params, err));
        if (stj_group_size() > 1)
            STJ_MUST(stj_new(&store->total, store->n_params, sizeof *store->total, err));
        STJ_MUST(stj_share_sum_init(&store->sum, store->n_params, store->n_slices, err));
    }
    store->lin = store->lin_room.at;
    store->coef = store->coef_room.at;
    store->scratch = store->scratch_room.at;
    store->g = store->g_room.at;
    STJ_MUST(stj_new(&store->ready, 1 + store->kept, sizeof *store->ready, err));
    return STJ_OK;
}

enum stj_status stj_linearization_cache_create(
    const struct stj_problem *problem, const struct stj_recipe *recipe,
    struct stj_trajectory *trajectory, size_t from, size_t to, size_t chunk, size_t kept,
    size_t state_budget, struct stj_linearization_cache **store, struct stj_error *err)
{
    STJ_HELD(stj_linearization_cache_destroy_at) struct stj_linearization_cache *s = NULL;
    STJ_MUST(stj_new(&s, 1, sizeof *s, err));
    *s = (struct stj_linearization_cache){.problem = problem,
                                          .recipe = recipe,
                                          .optimizer = stj_recipe_optimizer(recipe),
                                          .trajectory = trajectory,
                                          .from = from,
                                          .to = to,
                                          .chunk = chunk,
                                          .kept = kept,
                                          .state_budget = state_budget};
    set_sizes(s);
    *store = s;
    s = NULL;
    return STJ_OK;
}

static void free_cache(struct stj_linearization_cache *store)
{
    stj_arena_free(&store->lin_room);
    stj_arena_free(&store->coef_room);
    stj_arena_free(&store->scratch_room);
    stj_arena_free(&store->g_room);
    stj_arena_free(&store->record_room);
    stj_share_sum_free(&store->sum);
    free(store->total);
    free(store->at);
    free(store->work);
    free(store->clip);
    free(store->clipped);
    free(store->climb);
    free(store->ready);
    store->sum = (struct stj_share_sum){.n = 0};
    store->total = NULL;
    store->at = NULL;
    store->work = NULL;
    store->clip = store->climb = NULL;
    store->clipped = store->ready = NULL;
}

void stj_linearization_cache_destroy(struct stj_linearization_cache *store)
{
    if (store)
        free_cache(store);
    free(store);
}

/* Where the rules are at step t. */
static struct stj_step *steps_at(const struct stj_linearization_cache *store, size_t t)
{
    return store->at + slot_of(store, t) * (1 + store->recipe->n_groups);
}

static bool is_ready(const struct stj_linearization_cache *store, size_t t)
{
    return slot_of(store, t) < store->kept && store->ready[slot_of(store, t)];
}

/* Slices of a step. */
static size_t step_slices(const struct stj_linearization_cache *store, size_t t,
                          struct stj_slice *slice)
{
    const struct stj_problem *problem = store->problem;
    return stj_problem_slices(problem, problem->ops->n_rows(problem->self, t), 1, slice);
}

/* Where the n slices of step t in the chunk that begins at `first` meet. */
static struct stj_slice_sync meeting_of(const struct stj_linearization_cache *store, size_t first,
                                        size_t t, size_t n, size_t stage)
{
    return (struct stj_slice_sync){
        .n_slices = n,
        .stage = stage,
        .size = stj_problem_n_record(store->problem, 0),
        .record = (real *)store->record_room.at + (t - first) * store->n_records};
}

/* Vector k of a slot: the optimizer's coefficients; with sam where it climbs to, and the direction
 * there; the derivative by what the recipe is given; then the direction of a clipped gradient. */
static real *vector_of(const struct stj_linearization_cache *store, size_t slot, size_t k)
{
    return store->coef + (slot * store->n_vectors + k) * store->n_params;
}

static real *climb_of(const struct stj_linearization_cache *store, size_t slot, size_t k)
{
    return vector_of(store, slot, store->optimizer->n_coef + k);
}

static real *moved_of(const struct stj_linearization_cache *store, size_t slot, size_t k)
{
    return climb_of(store, slot, N_CLIMB * (store->n_gradients - 1) + k);
}

/* Where gradient number `gradient` of step t is, and its linearisation, of the chunk in the view that
 * begins at step `first`. */
static const real *gradient_point(const struct stj_linearization_cache *store, size_t first,
                                  size_t t, size_t gradient)
{
    return gradient ? climb_of(store, slot_of(store, t), CLIMBED)
                    : store->view.state + (t - first) * store->view.ld;
}

static real *linearization_of(const struct stj_linearization_cache *store, size_t t,
                              size_t gradient)
{
    return store->lin + (slot_of(store, t) * store->n_gradients + gradient) * store->n_linear;
}

/* A stage of one slice of one step: item i of the chunk that begins at step `first`. */
static enum stj_status linearize_item(struct stj_linearization_cache *store, size_t first, size_t i,
                                      size_t gradient, size_t stage, struct stj_error *err)
{
    const struct stj_problem *problem = store->problem;
    const size_t t = first + i / store->n_slices;
    const size_t s = i % store->n_slices;
    struct stj_slice slice[STJ_MAX_SLICES];
    if (is_ready(store, t))
        return STJ_OK;
    const size_t n = step_slices(store, t, slice);
    size_t first_own = 0;
    const size_t end_own = stj_own_parts(n, &first_own);
    if (s < first_own || s >= end_own || stage >= stj_problem_n_stages(problem, n))
        return STJ_OK;
    slice[s].meeting = meeting_of(store, first, t, n, stage);
    slice[s].meeting.slice = s;
    return problem->ops->linearize(problem->self, t, slice[s],
                                   gradient_point(store, first, t, gradient),
                                   linearization_of(store, t, gradient), NULL,
                                   store->g ? store->g + i * store->n_params : NULL,
                                   store->scratch + i * store->n_scratch, err);
}

/* The derivative of step t by what the recipe is given, of a run of tensors. */
static void move_run(const struct stj_linearization_cache *store, size_t t,
                     const struct stj_tensor_run *run, const struct stj_update *before,
                     const real *g, real *const *coef)
{
    const size_t n = store->n_params, slot = slot_of(store, t);
    struct stj_update moved = *before;
    if (store->n_moved == 0)
        return;
    moved.theta = moved_of(store, slot, 0) + run->offset;
    for (size_t k = 0; k < store->optimizer->n_slots; k++)
        moved.slot[k] = store->n_moved > 1
                            ? moved_of(store, slot, 1 + k) + run->offset
                            : store->work + (store->optimizer->n_work + k) * n + run->offset;
    stj_given_step(store->recipe, run->rule, &steps_at(store, t)[run->rule],
                   store->problem->n_steps, before, g, coef, &moved);
}

/* The optimizer's coefficients of step t from its gradient, of all tensors. */
static enum stj_status linearize_update(const struct stj_linearization_cache *store, size_t t,
                                        const real *state, const real *g, struct stj_error *err)
{
    struct stj_tensor_run run = {0};
    while (stj_recipe_next_run(store->recipe, store->problem->layout, &run)) {
        const struct stj_rule rule = stj_recipe_rule(store->recipe, run.rule);
        struct stj_update before = {.n = run.n,
                                    .theta = (real *)state + run.offset,
                                    .tensor = &store->problem->layout->tensor[run.first],
                                    .work = store->work};
        real *coef[STJ_MAX_COEFS] = {NULL};
        for (size_t k = 0; k < store->optimizer->n_slots; k++)
            before.slot[k] = (real *)state + (k + 1) * store->n_params + run.offset;
        for (size_t k = 0; k < store->optimizer->n_coef; k++)
            coef[k] = vector_of(store, slot_of(store, t), k) + run.offset;
        if (store->optimizer->n_coef > 0)
            STJ_MUST(store->optimizer->linearize(rule.optimizer->config,
                                                 &steps_at(store, t)[run.rule], &before,
                                                 g + run.offset, run.offset, coef, err));
        move_run(store, t, &run, &before, g + run.offset, coef);
    }
    return STJ_OK;
}

/* The gradient of step t from its shares. */
static real *sum_gradient(struct stj_linearization_cache *store, size_t first, size_t t)
{
    struct stj_slice slice[STJ_MAX_SLICES];
    real *g = store->g + (t - first) * store->n_slices * store->n_params;
    real *total = store->total ? store->total : g;
    stj_share_sum_run(&store->sum, step_slices(store, t, slice), g, total);
    return total;
}

/* Of those that share the memory, one writes into it what step t needs. */
static bool writes(size_t t)
{
    return !stj_group_shares() || t % stj_group_size() == stj_group_rank();
}

/* Where step t climbs to. */
static void make_climb(struct stj_linearization_cache *store, size_t first, size_t t)
{
    const size_t slot = slot_of(store, t);
    if (is_ready(store, t))
        return;
    const real *g = sum_gradient(store, first, t);
    store->climb[slot] =
        stj_climb(store->recipe, store->n_params, gradient_point(store, first, t, 0), g,
                  writes(t) ? climb_of(store, slot, CLIMBED) : NULL,
                  writes(t) ? climb_of(store, slot, CLIMB_UNIT) : NULL);
}

/* The optimizer's coefficients of step t, and the clipping, from the shares of its gradient. */
static enum stj_status make_coefficients(struct stj_linearization_cache *store, size_t first,
                                         size_t t, struct stj_error *err)
{
    const size_t n = store->n_params;
    const size_t slot = slot_of(store, t);
    const real *state = store->view.state + (t - first) * store->view.ld;
    if (is_ready(store, t))
        return STJ_OK;
    /* 1. the gradient, clipped; 2. the optimizer's coefficients there */
    real *total = sum_gradient(store, first, t);
    real *unit = stj_recipe_clips(store->recipe) && writes(t)
                     ? vector_of(store, slot, store->n_vectors - 1)
                     : NULL;
    store->clipped[slot] =
        stj_clip(store->recipe, store->problem->layout, n, t, store->problem->n_steps, total,
                 store->clip + slot * store->n_factors, unit);
    if ((store->optimizer->n_coef == 0 && store->n_moved == 0) || !writes(t))
        return STJ_OK;
    return linearize_update(store, t, state, total, err);
}

/* All ranks of the group know what the slices left at the end of a stage. */
static void exchange_records(struct stj_linearization_cache *store, size_t first, size_t count,
                             size_t stage)
{
    struct stj_slice slice[STJ_MAX_SLICES];
    if (stj_group_shares())
        stj_group_barrier();
    for (size_t t = first; stj_group_sends() && t < first + count; t++) {
        const size_t n = step_slices(store, t, slice);
        const struct stj_slice_sync m = meeting_of(store, first, t, n, stage);
        if (!is_ready(store, t) && !stj_slice_sync_alone(&m))
            stj_share_parts(n, m.size * sizeof(real), stj_slice_sync_records(&m, stage));
    }
}

/* The linearisations of the steps that are not there, at one of their gradients. */
static enum stj_status linearize_chunk(struct stj_linearization_cache *store, size_t first,
                                       size_t count, size_t gradient, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const size_t n_stages = stj_problem_n_stages(store->problem, store->n_slices);
    for (size_t stage = 0; stage < n_stages; stage++) {
        if (stage > 0)
            exchange_records(store, first, count, stage - 1);
#pragma omp parallel for schedule(dynamic) num_threads((int)stj_threads())
        for (size_t i = 0; i < count * store->n_slices; i++) {
            struct stj_error mine = STJ_ERROR_INIT;
            if (linearize_item(store, first, i, gradient, stage, &mine) != STJ_OK)
#pragma omp critical
                st = stj_error_pass(&mine, err);
        }
    }
    return st;
}

static bool all_ready(const struct stj_linearization_cache *store, size_t first, size_t count)
{
    for (size_t t = first; t < first + count; t++)
        if (!is_ready(store, t))
            return false;
    return true;
}

/* Other operators share the trajectory, each in its own way; without them this changes nothing. */
static enum stj_status fit_states(struct stj_linearization_cache *store, struct stj_error *err)
{
    return stj_trajectory_fit(store->trajectory, store->from, store->to, store->chunk,
                              store->state_budget, err);
}

enum stj_status stj_linearization_cache_at_once(struct stj_linearization_cache *store, bool all,
                                                size_t *count, struct stj_error *err)
{
    const size_t n_steps = store->to - store->from;
    *count = store->chunk;
    if (!all || !store->ready || store->kept < n_steps || !all_ready(store, store->from, n_steps))
        return STJ_OK;
    STJ_MUST(fit_states(store, err));
    if (stj_trajectory_is_whole(store->trajectory))
        *count = n_steps;
    return STJ_OK;
}

enum stj_status stj_linearization_cache_load(struct stj_linearization_cache *store, size_t first,
                                             size_t count, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    /* 1. Memory: an operator that no product is made with takes none. */
    if (!store->ready)
        st = allocate_cache(store, err);
    if (st != STJ_OK)
        free_cache(store);
    STJ_TRY(stj_group_agree(st, err));
    /* 2. the states */
    STJ_TRY(fit_states(store, err));
    st = stj_trajectory_visit_together(store->trajectory, first, count, &store->view, err);
    STJ_TRY(stj_group_agree(st, err));
    store->view_first = first;
    /* 3. the linearisations of steps that are not kept, with their gradients' shares */
    if (all_ready(store, first, count))
        goto out;
    for (size_t t = first; t < first + count; t++)
        for (size_t r = 0; r <= store->recipe->n_groups; r++)
            steps_at(store, t)[r] = stj_recipe_step(store->recipe, r, t, store->problem->n_steps);
    for (size_t i = 0; i < store->n_gradients; i++) {
        for (size_t t = first; i > 0 && t < first + count; t++)
            make_climb(store, first, t);
        if (i > 0)
            STJ_TRY(stj_group_agree(st, err));
        st = linearize_chunk(store, first, count, i, err);
        STJ_TRY(stj_group_agree(st, err));
    }
    /* 4. what the optimizer needs of the gradients */
    for (size_t t = first; store->n_vectors && t < first + count; t++) {
        const enum stj_status mine = make_coefficients(store, first, t, err);
        st = st == STJ_OK ? mine : st; /* on to the end, as the others of the group go */
    }
    /* 5. from now on they are there */
    STJ_TRY(stj_group_agree(st, err));
    for (size_t t = first; t < first + count; t++)
        if (slot_of(store, t) < store->kept)
            store->ready[slot_of(store, t)] = true;
out:
    return st;
}

struct stj_linear_step stj_linearization_cache_step(const struct stj_linearization_cache *store,
                                                    size_t t, size_t gradient)
{
    const size_t slot = slot_of(store, t);
    struct stj_linear_step step = {
        .at = steps_at(store, t),
        .point = gradient_point(store, store->view_first, t, 0),
        .theta = gradient_point(store, store->view_first, t, gradient),
        .lin = linearization_of(store, t, gradient),
        .climbs = gradient + 1 < store->n_gradients,
        .clip = store->clip + slot * store->n_factors,
    };
    if (step.climbs) {
        step.clip = &store->climb[slot];
        step.unit = climb_of(store, slot, CLIMB_UNIT);
        return step;
    }
    for (size_t k = 0; k < store->optimizer->n_coef; k++)
        step.coef[k] = vector_of(store, slot, k);
    for (size_t k = 0; k < store->n_moved; k++)
        step.moved[k] = moved_of(store, slot, k);
    if (store->clipped[slot])
        step.unit = vector_of(store, slot, store->n_vectors - 1);
    return step;
}
