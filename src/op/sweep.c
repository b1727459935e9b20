/* SPDX-License-Identifier: GPL-3.0-or-later */
/* op/sweep.c: tangents forward, adjoints backward, through the steps of training.
 *
 *     STJ_NO_TRANS, t = from .. to - 1       g_dot = H_t theta_dot
 *                                            (theta_dot, slots_dot) <- tangent of the update
 *     STJ_TRANS, t = to - 1 .. from          g_bar, slots_bar, theta_bar <- adjoint of the update
 *                                            theta_bar <- theta_bar + H_t g_bar
 *
 * The block is cut into tiles, and H_t's batch into slices, by the shape of the problem and of the
 * block alone.  A product with H_t gives one *share* per slice, and the shares are added in the
 * order of the slices, so the bits do not depend on the threads: which of them does what,
 * sweep_schedule.c decides.
 *
 * Where the ranks of a group share memory, their threads are as those of one process.  Where they
 * do not, each rank has its slices and its parts, and they send each other the rest
 * (sweep_exchange.c).
 */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "op/sweep_internal.h"

STJ_HOLDS(struct stj_sweep, stj_sweep_destroy)

enum stj_status stj_sweep_create(const struct stj_problem *problem, const struct stj_recipe *recipe,
                                 struct stj_linearization_cache *store, size_t from, size_t to,
                                 size_t tile, struct stj_sweep **sweep, struct stj_error *err)
{
    STJ_HELD(stj_sweep_destroy_at) struct stj_sweep *s = NULL;
    STJ_MUST(stj_new(&s, 1, sizeof *s, err));
    *s = (struct stj_sweep){.problem = problem,
                            .recipe = recipe,
                            .optimizer = stj_recipe_optimizer(recipe),
                            .store = store,
                            .from = from,
                            .to = to};
    STJ_MUST(stj_sweep_divide_layout(s, tile, err));
    *sweep = s;
    s = NULL;
    return STJ_OK;
}

void stj_sweep_destroy(struct stj_sweep *sweep)
{
    if (!sweep)
        return;
    stj_sweep_free_memory(sweep);
    free(sweep);
}

void stj_sweep_set_window(struct stj_sweep *sweep, size_t from, size_t to)
{
    sweep->from = from;
    sweep->to = to;
}

void stj_sweep_carry_slots(struct stj_sweep *sweep)
{
    sweep->carries_slots = true;
}

/* Tiles <- columns of x; slots <- 0, or theirs. */
static void load_block(const struct stj_sweep *sweep, const double *x, size_t ldx)
{
    const struct stj_layout *layout = sweep->problem->layout;
    const size_t n_ranks = stj_group_sharers();
    for (size_t tile = stj_group_rank() % n_ranks; tile < sweep->n_tiles; tile += n_ranks) {
        const struct stj_sweep_tile f = stj_sweep_tile(sweep, tile, 0);
        const double *columns = x + stj_sweep_tile_first(sweep, tile) * ldx;
        stj_block_pack(layout, f.nvec, columns, ldx, f.theta);
        for (size_t k = 0; k < sweep->optimizer->n_slots; k++)
            if (sweep->carries_slots)
                stj_block_pack(layout, f.nvec, columns + (k + 1) * layout->n_params, ldx,
                               f.slot[k]);
            else
                memset(f.slot[k], 0, sweep->tile_size * sizeof(real));
    }
}

/* By messages: complete what each rank has a range of. */
static void complete_ranges(const struct stj_sweep *sweep, const struct stj_sweep_tile *f)
{
    if (!stj_group_sends())
        return;
    stj_sweep_set_ranges(sweep, f->nvec);
    if (sweep->trans == STJ_TRANS)
        stj_sweep_exchange_tile(sweep, f->theta);
    for (size_t k = 0; sweep->carries_slots && k < sweep->optimizer->n_slots; k++)
        stj_sweep_exchange_tile(sweep, f->slot[k]);
}

static void store_block(const struct stj_sweep *sweep, double *y, size_t ldy)
{
    const struct stj_layout *layout = sweep->problem->layout;
    for (size_t tile = 0; tile < sweep->n_tiles; tile++) {
        const struct stj_sweep_tile f = stj_sweep_tile(sweep, tile, 0);
        double *columns = y + stj_sweep_tile_first(sweep, tile) * ldy;
        complete_ranges(sweep, &f);
        stj_block_unpack(layout, f.nvec, f.theta, columns, ldy);
        for (size_t k = 0; sweep->carries_slots && k < sweep->optimizer->n_slots; k++)
            stj_block_unpack(layout, f.nvec, f.slot[k], columns + (k + 1) * layout->n_params, ldy);
    }
}

static enum stj_status run_chunk(struct stj_sweep *sweep, size_t first, size_t count,
                                 struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    STJ_TRY(stj_linearization_cache_load(sweep->store, first, count, err));
    st = sweep->n_teams > 1 ? stj_sweep_by_tile(sweep, first, count, err)
                            : stj_sweep_by_slice(sweep, first, count, err);
    STJ_TRY(stj_group_agree(st, err));
out:
    return st;
}

enum stj_status stj_sweep_run(struct stj_sweep *sweep, enum stj_trans trans, size_t nvec,
                              const double *x, size_t ldx, double *y, size_t ldy,
                              struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const size_t n_steps = sweep->to - sweep->from;
    const size_t chunk = stj_linearization_cache_chunk(sweep->store);
    const struct stj_blas_guard guard = stj_blas_guard_take(1);
    /* 1. tiles, and room for them */
    st = stj_sweep_prepare(sweep, trans, nvec, err);
    STJ_TRY(stj_group_agree(st, err)); /* nobody reads the last block any more */
    /* 2. the columns of x */
    load_block(sweep, x, ldx);
    if (stj_group_shares())
        stj_group_barrier();
    /* 3. through the steps, forward or backward */
    for (size_t done = 0; done < n_steps; done += chunk) {
        const size_t count = n_steps - done < chunk ? n_steps - done : chunk;
        const size_t first = trans == STJ_NO_TRANS ? sweep->from + done : sweep->to - done - count;
        STJ_TRY(run_chunk(sweep, first, count, err));
    }
    /* 4. the columns of y */
    store_block(sweep, y, ldy);
out:
    stj_blas_guard_give(guard);
    return st;
}

enum stj_status stj_sweep_explain(struct stj_sweep *sweep, enum stj_trans trans, const double *x,
                                  double *y, struct stj_error *err)
{
    sweep->searching = true;
    const enum stj_status st = stj_sweep_run(sweep, trans, 1, x, 0, y, 0, err);
    sweep->searching = false;
    return st;
}
