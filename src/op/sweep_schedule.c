/* SPDX-License-Identifier: GPL-3.0-or-later */
/* op/sweep_schedule.c: which thread does what of a chunk of steps, and when.
 *
 *     by tile    each thread takes a tile through all steps of a chunk; no waiting between steps
 *     by slice   all threads work on one tile: slices of the product, then parts of the update
 *
 * A tile is taken through the steps by a *team*: one thread alone, or all threads of a region, on
 * all ranks of the group, which wait for each other between phases.  The same work in both, equal
 * in every bit.
 */
#include "base/error.h"
#include "op/sweep_internal.h"

struct team {
    const struct stj_sweep *sweep;
    struct stj_sweep_tile tile;
    struct stj_barrier own;
    struct stj_barrier *barrier; /* own, or that of the group's threads; NULL: of one thread */
    struct stj_error failure;
};

static void keep_error(struct stj_error *err, const struct stj_error *mine)
{
#pragma omp critical(stj_sweep_error)
    stj_error_pass(mine, err);
}

/* Until all threads of the team are here. */
static void wait_for_team(struct team *team)
{
    if (team->barrier)
        stj_barrier_wait(team->barrier);
}

/* Of those that share the memory, the one thread that adds in it. */
static bool is_first(const struct team *team)
{
    const bool own = !stj_group_shares() || stj_group_rank() == 0;
    return !team->barrier || (own && stj_thread_number() == 0);
}

/* The calling thread's share of the items 0 .. n - 1: *from .. its end. */
static size_t share_of(const struct team *team, size_t n, size_t *from)
{
    size_t begin = 0;
    *from = 0;
    if (!team->barrier)
        return n;
    const size_t thread = stj_thread_number(), size = stj_team_size();
    const size_t end = stj_own_parts(n, &begin);
    *from = begin + (end - begin) * thread / size;
    return begin + (end - begin) * (thread + 1) / size;
}

/* One phase over the parts, which all threads have finished on return. */
static void run_parts(struct team *team, const struct stj_linear_step *step, stj_sweep_phase *phase)
{
    size_t p = 0;
    for (const size_t end = share_of(team, team->sweep->n_parts, &p); p < end; p++)
        phase(team->sweep, &team->tile, step, p);
    wait_for_team(team);
}

/* By messages: is this the thread that speaks?  The others wait for it at its end. */
static bool begin_exchange(void)
{
    return stj_group_sends() && stj_thread_number() == 0;
}

static void end_exchange(struct team *team)
{
    if (stj_group_sends())
        wait_for_team(team);
}

/* One phase of clipping, which needs the dots of all parts. */
static void run_clip(struct team *team, const struct stj_linear_step *step, stj_sweep_phase *phase)
{
    if (!step->unit)
        return;
    if (begin_exchange())
        stj_sweep_exchange_dots(team->sweep, &team->tile);
    end_exchange(team);
    run_parts(team, step, phase);
}

/* Numbers of the tile that the next phase reads whole. */
static void complete_tile(struct team *team, real *numbers)
{
    if (begin_exchange())
        stj_sweep_exchange_tile(team->sweep, numbers);
    end_exchange(team);
}

/* A stage of this thread's slices, which all threads have finished on return. */
static void run_product_stage(struct team *team, const struct stj_linear_step *step,
                              const struct stj_sweep_slices *slices, size_t stage)
{
    struct stj_error mine = STJ_ERROR_INIT;
    size_t s = 0, own = 0;
    (void)stj_own_parts(slices->n, &own);
    const size_t elsewhere = stj_group_sends() ? own : 0;
    for (const size_t end = share_of(team, slices->n, &s); s < end; s++)
        if (stj_sweep_product(team->sweep, &team->tile, step, slices, s, stage, s - elsewhere,
                              &mine) != STJ_OK)
            keep_error(&team->failure, &mine);
    wait_for_team(team);
}

/* The product with H_t in its stages, then `after` for this thread's parts. */
static void run_product(struct team *team, const struct stj_linear_step *step)
{
    const struct stj_sweep *sweep = team->sweep;
    struct stj_sweep_slices slices;
    stj_sweep_step_slices(sweep, step->at->index, &slices);
    for (size_t stage = 0; stage < slices.n_stages; stage++) {
        if (stage > 0 && begin_exchange())
            stj_sweep_exchange_records(sweep, &team->tile, &slices, stage - 1);
        if (stage > 0)
            end_exchange(team);
        run_product_stage(team, step, &slices, stage);
    }
    if (stj_sweep_is_of_samples(sweep) && is_first(team))
        stj_sweep_give_back(sweep, &team->tile, step, &slices);
    if (begin_exchange())
        stj_sweep_exchange_shares(sweep, &team->tile, slices.n);
    end_exchange(team);
    size_t p = 0;
    for (const size_t end = share_of(team, sweep->n_parts, &p); p < end; p++)
        stj_sweep_after(sweep, &team->tile, step, p, slices.n);
}

/* A step, or what one of its gradients has to do with. */
static void run_gradient(struct team *team, size_t t, size_t gradient)
{
    const struct stj_linear_step step =
        stj_linearization_cache_step(team->sweep->store, t, gradient);
    if (team->sweep->trans == STJ_TRANS) {
        run_parts(team, &step, step.climbs ? stj_sweep_climb_before : stj_sweep_before);
        if (step.moved[0] && is_first(team))
            stj_sweep_sum_given(team->sweep, &team->tile, &step);
        run_clip(team, &step, stj_sweep_clip_before);
        complete_tile(team, team->tile.g);
        run_product(team, &step);
        return; /* what follows is the `before` of the same parts by the same thread */
    }
    run_product(team, &step);
    wait_for_team(team);
    run_clip(team, &step, stj_sweep_clip_after);
    complete_tile(team, team->tile.theta);
}

/* One step of the team: every thread calls it. */
static void run_step(struct team *team, size_t t)
{
    const size_t n = team->sweep->n_gradients;
    for (size_t i = 0; i < n; i++)
        run_gradient(team, t, team->sweep->trans == STJ_NO_TRANS ? i : n - 1 - i);
}

/* Steps first .. first + count - 1 in the order of the sweep's direction: the k-th of them. */
static size_t kth_step(const struct stj_sweep *sweep, size_t first, size_t count, size_t k)
{
    return sweep->trans == STJ_NO_TRANS ? first + k : first + count - 1 - k;
}

/* One thread takes one tile through the steps of a chunk. */
static enum stj_status run_alone(const struct stj_sweep *sweep, size_t tile, size_t number,
                                 size_t first, size_t count, struct stj_error *err)
{
    struct team team = {
        .sweep = sweep, .tile = stj_sweep_tile(sweep, tile, number), .failure = STJ_ERROR_INIT};
    for (size_t k = 0; k < count && team.failure.code == STJ_OK; k++)
        run_step(&team, kth_step(sweep, first, count, k));
    return stj_error_pass(&team.failure, err);
}

/* The threads of a group's ranks take a tile each, in turn. */
enum stj_status stj_sweep_by_tile(const struct stj_sweep *sweep, size_t first, size_t count,
                                  struct stj_error *err)
{
    struct stj_error failure = STJ_ERROR_INIT;
    const size_t n_threads = stj_group_shares() ? stj_threads() : sweep->n_teams;
    const size_t n_teams = n_threads * stj_group_size(), mine = n_threads * stj_group_rank();
#pragma omp parallel for schedule(static, 1) num_threads((int)n_threads)
    for (size_t team = mine; team < mine + n_threads; team++)
        for (size_t tile = team; tile < sweep->n_tiles; tile += n_teams) {
            struct stj_error error = STJ_ERROR_INIT;
            if (run_alone(sweep, tile, team, first, count, &error) != STJ_OK)
                keep_error(&failure, &error);
        }
    return stj_error_pass(&failure, err);
}

/* All threads take one tile through the steps of a chunk: to the end, as the group's others do. */
static enum stj_status run_together(const struct stj_sweep *sweep, size_t tile, size_t first,
                                    size_t count, struct stj_error *err)
{
    struct team team = {
        .sweep = sweep, .tile = stj_sweep_tile(sweep, tile, 0), .failure = STJ_ERROR_INIT};
    stj_barrier_init(&team.own, false);
    if (stj_ranks_crowded())
        team.own.spins = 0;
    team.barrier = stj_group_shares() ? sweep->barrier.at : &team.own;
    stj_sweep_set_ranges(sweep, team.tile.nvec);
    /* More than there are parts and slices would wait, and be waited for, at every phase. */
    const size_t most = sweep->n_parts > sweep->max_slices ? sweep->n_parts : sweep->max_slices;
    const size_t n_threads = stj_group_shares() || stj_threads() < most ? stj_threads() : most;
#pragma omp parallel num_threads((int)n_threads)
    {
#pragma omp single
        team.own.n_threads = stj_team_size();
        for (size_t k = 0; k < count; k++)
            run_step(&team, kth_step(sweep, first, count, k));
    }
    stj_barrier_destroy(&team.own);
    return stj_error_pass(&team.failure, err);
}

enum stj_status stj_sweep_by_slice(const struct stj_sweep *sweep, size_t first, size_t count,
                                   struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    for (size_t tile = 0; tile < sweep->n_tiles; tile++) {
        const enum stj_status mine = run_together(sweep, tile, first, count, err);
        st = st == STJ_OK ? mine : st;
    }
    return st;
}
