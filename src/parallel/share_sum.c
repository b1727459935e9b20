/* SPDX-License-Identifier: GPL-3.0-or-later */
/* parallel/share_sum.c: sums of shares, in one memory or by messages. */
#include "parallel/share_sum.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "parallel/ranks_internal.h"

enum stj_status stj_share_sum_init(struct stj_share_sum *sum, size_t n, size_t most_parts,
                                   struct stj_error *err)
{
    const size_t size = stj_group_size();
    size_t bytes = 0;
    *sum = (struct stj_share_sum){.n = n};
    if (size == 1)
        return STJ_OK;
    STJ_MUST(stj_new(&sum->begin, size + 1, sizeof *sum->begin, err));
    stj_part_bounds(n, sum->begin);
    const size_t range = n / size + 1;
    STJ_MUST(stj_size_mul(stj_group_shares() ? n : range * most_parts, sizeof(real), &bytes, err));
    return stj_arena_grow(&sum->room, bytes, err);
}

void stj_share_sum_free(struct stj_share_sum *sum)
{
    free(sum->begin);
    stj_arena_free(&sum->room);
}

size_t stj_own_parts(size_t n_parts, size_t *first)
{
    const size_t rank = stj_group_rank(), size = stj_group_size();
    *first = stj_share_begin(n_parts, rank, size);
    return stj_share_begin(n_parts, rank + 1, size);
}

void stj_part_bounds(size_t n_parts, size_t *begin)
{
    for (size_t r = 0; r <= stj_group_size(); r++)
        begin[r] = stj_share_begin(n_parts, r, stj_group_size());
}

void stj_share_parts(size_t n_parts, size_t item, void *what)
{
    static size_t begin[STJ_MOST_RANKS + 1]; /* one thread exchanges */
    if (!stj_group_sends())
        return;
    stj_part_bounds(n_parts, begin);
    stj_group_allgatherv(begin, item, what);
}

/* In one memory: each adds its range where all see it. */
static void add_in_common(struct stj_share_sum *sum, size_t n_parts, const real *share, real *y)
{
    real *common = sum->room.at;
    const size_t rank = stj_group_rank();
    const size_t at = sum->begin[rank];
    stj_group_barrier();
    stj_reduce(sum->begin[rank + 1] - at, n_parts, share + at, sum->n, common + at);
    stj_group_barrier();
    memcpy(y, common, sum->n * sizeof *y);
}

/* By messages: each gets its range of all shares, and gives its sum. */
static void add_by_messages(struct stj_share_sum *sum, size_t n_parts, const real *share, real *y)
{
    real *incoming = sum->room.at;
    const size_t at = sum->begin[stj_group_rank()];
    const size_t n = sum->begin[stj_group_rank() + 1] - at;
    size_t own = 0;
    (void)stj_own_parts(n_parts, &own);
    stj_group_alltoallv(n_parts, sum->begin, sizeof *y, share + own * sum->n, sum->n, incoming);
    stj_reduce(n, n_parts, incoming, n, y + at);
    stj_group_allgatherv(sum->begin, sizeof *y, y);
}

void stj_share_sum_run(struct stj_share_sum *sum, size_t n_parts, const real *share, real *y)
{
    if (stj_group_size() == 1)
        stj_reduce(sum->n, n_parts, share, sum->n, y);
    else if (stj_group_shares())
        add_in_common(sum, n_parts, share, y);
    else
        add_by_messages(sum, n_parts, share, y);
}
