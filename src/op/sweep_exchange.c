/* SPDX-License-Identifier: GPL-3.0-or-later */
/* op/sweep_exchange.c: what the ranks of a group send each other in a sweep.
 *
 * Each rank has its slices and its parts; two exchanges a step complete what others need, the
 * shares of a product and the tile that the next one is made of.  Clipping adds one of the dots,
 * and slices that meet one after each stage.  Adjoints of what training was given are added at the
 * end, in the order of the ranks.
 */
#include "op/sweep_internal.h"

void stj_sweep_set_ranges(const struct stj_sweep *sweep, size_t nvec)
{
    const struct stj_layout *layout = sweep->problem->layout;
    for (size_t r = 0; r <= stj_group_size(); r++) {
        const size_t p = sweep->part_bounds[r];
        sweep->range_bounds[r] =
            nvec * (p < sweep->n_parts ? sweep->part[p].offset : layout->n_params);
    }
}

void stj_sweep_exchange_tile(const struct stj_sweep *sweep, real *numbers)
{
    stj_group_allgatherv(sweep->range_bounds, sizeof *numbers, numbers);
}

void stj_sweep_exchange_dots(const struct stj_sweep *sweep, const struct stj_sweep_tile *tile)
{
    stj_group_allgatherv(sweep->part_bounds, tile->nvec * sizeof *tile->dot, tile->dot);
}

void stj_sweep_exchange_shares(const struct stj_sweep *sweep, const struct stj_sweep_tile *tile,
                               size_t n_slices)
{
    stj_group_alltoallv(n_slices, sweep->range_bounds, sizeof *tile->share, tile->share,
                        sweep->tile_size, sweep->room[STJ_ROOM_INCOMING].at);
}

void stj_sweep_exchange_records(const struct stj_sweep *sweep, const struct stj_sweep_tile *tile,
                                const struct stj_sweep_slices *slices, size_t stage)
{
    const struct stj_slice_sync m = stj_sweep_meeting(sweep, tile, slices, 0, stage);
    stj_share_parts(slices->n, m.size * sizeof *m.record, stj_slice_sync_records(&m, stage));
}

void stj_sweep_exchange_given(const struct stj_sweep *sweep, const struct stj_sweep_tile *tile)
{
    const size_t n = sweep->n_given * tile->nvec, size = stj_group_size(),
                 *begin = sweep->range_bounds;
    double *incoming = sweep->room[STJ_ROOM_GIVEN_IN].at;
    for (size_t done = 0; done < n; done += STJ_GIVEN_AT_ONCE) {
        double *given = tile->given + done;
        stj_part_bounds(n - done < STJ_GIVEN_AT_ONCE ? n - done : STJ_GIVEN_AT_ONCE,
                        sweep->range_bounds);
        const size_t at = begin[stj_group_rank()], own = begin[stj_group_rank() + 1] - at;
        stj_group_alltoallv(size, begin, sizeof *given, given, 0, incoming);
        stj_reduce(own, size, incoming, own, given + at);
        stj_group_allgatherv(begin, sizeof *given, given);
    }
}
