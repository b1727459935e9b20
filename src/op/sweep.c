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
#include "op/operator.h"
#include "op/sweep_internal.h"

enum stj_status stj_sweep_create(const struct stj_problem *problem, const struct stj_recipe *recipe,
                                 struct stj_linearization_cache *store, size_t from, size_t to,
                                 size_t tile, struct stj_sweep **sweep, struct stj_error *err)
{
    STJ_HELD(stj_sweep_destroy_at) struct stj_sweep *s = NULL;
    STJ_MUST(stj_new(&s, 1, sizeof *s, err));
    *s = (struct stj_sweep){.problem = problem,
                            .recipe = recipe,
                            .optimizer = stj_recipe_optimizer(recipe),
                            .n_gradients = stj_recipe_n_gradients(recipe),
                            .n_slots = stj_recipe_n_slots(recipe),
                            .end = stj_recipe_end(recipe),
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

enum stj_status stj_sweep_set_given(struct stj_sweep *sweep, enum stj_given given,
                                    const struct stj_given_shape *shape, struct stj_error *err)
{
    sweep->given = given;
    sweep->shape = *shape;
    return stj_size_mul(shape->n_samples, shape->width, &sweep->n_given, err);
}

/* The first vector of a state that a block has, and the one past the last: all where slots are
 * carried; else theta at the beginning of the steps, and at their end the end point. */
static size_t first_vector(const struct stj_sweep *sweep, bool end)
{
    return end && !sweep->carries_slots ? sweep->end : 0;
}

static size_t past_vectors(const struct stj_sweep *sweep, bool end)
{
    if (!end && sweep->n_given > 0)
        return 0;
    return 1 + (sweep->carries_slots ? sweep->n_slots : first_vector(sweep, end));
}

/* Tiles <- columns of x; what these have not <- 0. */
static void load_block(const struct stj_sweep *sweep, const double *x, size_t ldx)
{
    const struct stj_layout *layout = sweep->problem->layout;
    const size_t n_ranks = stj_group_sharers();
    const bool end = sweep->trans == STJ_TRANS;
    const size_t first = first_vector(sweep, end), past = past_vectors(sweep, end);
    for (size_t tile = stj_group_rank() % n_ranks; tile < sweep->n_tiles; tile += n_ranks) {
        const struct stj_sweep_tile f = stj_sweep_tile(sweep, tile, 0);
        const double *columns = x + stj_sweep_tile_first(sweep, tile) * ldx;
        for (size_t k = 0; k <= sweep->n_slots; k++)
            if (first <= k && k < past)
                stj_block_pack(layout, f.nvec, columns + (k - first) * layout->n_params, ldx,
                               stj_sweep_vector(&f, k));
            else
                memset(stj_sweep_vector(&f, k), 0, sweep->tile_size * sizeof(real));
        if (sweep->n_given > 0)
            stj_sweep_load_given(sweep, &f, columns, ldx);
    }
}

static void store_block(const struct stj_sweep *sweep, double *y, size_t ldy)
{
    const struct stj_layout *layout = sweep->problem->layout;
    const bool end = sweep->trans == STJ_NO_TRANS;
    const size_t first = first_vector(sweep, end), past = past_vectors(sweep, end);
    for (size_t tile = 0; tile < sweep->n_tiles; tile++) {
        const struct stj_sweep_tile f = stj_sweep_tile(sweep, tile, 0);
        double *columns = y + stj_sweep_tile_first(sweep, tile) * ldy;
        if (sweep->n_given > 0)
            stj_sweep_store_given(sweep, &f, columns, ldy);
        if (stj_group_sends())
            stj_sweep_set_ranges(sweep, f.nvec);
        for (size_t k = first; k < past; k++) {
            real *numbers = stj_sweep_vector(&f, k);
            /* By messages, each rank has a range; of theta all, after a step forward. */
            if (stj_group_sends() && (k > 0 || !end))
                stj_sweep_exchange_tile(sweep, numbers);
            stj_block_unpack(layout, f.nvec, numbers, columns + (k - first) * layout->n_params,
                             ldy);
        }
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
    size_t chunk = 0;
    const struct stj_blas_guard guard = stj_blas_guard_take(1);
    /* 1. tiles, and room for them */
    st = stj_sweep_prepare(sweep, trans, nvec, err);
    STJ_TRY(stj_group_agree(st, err)); /* nobody reads the last block any more */
    /* 2. the columns of x */
    load_block(sweep, x, ldx);
    if (stj_group_shares())
        stj_group_barrier();
    /* 3. through the steps, forward or backward: at once where a team has one tile, as otherwise
     * the second finds a chunk's linearisations in the cache */
    st = stj_linearization_cache_at_once(sweep->store, sweep->n_tiles <= sweep->n_teams, &chunk,
                                         err);
    STJ_TRY(stj_group_agree(st, err));
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

/* All columns of y but for whether they are finite. */
static enum stj_status divided_product(struct stj_sweep *sweep, enum stj_trans trans, size_t n,
                                       size_t nvec, const double *x, size_t ldx, double *y,
                                       size_t ldy, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const size_t n_groups = stj_n_groups();
    const size_t first = stj_share_begin(nvec, stj_group(), n_groups);
    const size_t mine = stj_share_begin(nvec, stj_group() + 1, n_groups) - first;
    if (mine > 0)
        st = stj_sweep_run(sweep, trans, mine, x + first * ldx, ldx, y + first * ldy, ldy, err);
    STJ_MUST(stj_ranks_agree(st, err));
    for (size_t g = 0; g < n_groups; g++)
        for (size_t j = stj_share_begin(nvec, g, n_groups);
             j < stj_share_begin(nvec, g + 1, n_groups); j++)
            stj_ranks_bcast_group(g, n, y + j * ldy);
    return STJ_OK;
}

enum stj_status stj_sweep_apply(struct stj_sweep *sweep, enum stj_trans trans, size_t n,
                                size_t nvec, const double *x, size_t ldx, double *y, size_t ldy,
                                struct stj_error *err)
{
    STJ_MUST(divided_product(sweep, trans, n, nvec, x, ldx, y, ldy, err));
    const size_t bad = stj_op_first_bad(n, nvec, y, ldy);
    if (bad == nvec)
        return STJ_OK;
    return stj_ranks_agree(stj_sweep_explain(sweep, trans, x + bad * ldx, y + bad * ldy, err), err);
}
