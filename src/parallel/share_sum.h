/* SPDX-License-Identifier: GPL-3.0-or-later */
/* parallel/share_sum.h: vectors that are sums of shares, one for each slice of a batch, which the
 * ranks of a group made.
 *
 * Each rank adds its range of all shares, in the order of the slices, and gives it to the others:
 * the same bits as on one rank, whoever made a share.
 */
#ifndef STJ_PARALLEL_SHARE_SUM_H
#define STJ_PARALLEL_SHARE_SUM_H

#include "parallel/ranks.h"
#include "parallel/shared_memory.h"
#include "base/real.h"

struct stj_share_sum {
    size_t n;              /* numbers of a share */
    size_t *begin;         /* [group size + 1] the ranks' ranges of them */
    struct stj_arena room; /* the sum that all see, or what comes in messages */
};

enum stj_status stj_share_sum_init(struct stj_share_sum *sum, size_t n, size_t most_parts,
                                   struct stj_error *err);
void stj_share_sum_free(struct stj_share_sum *sum);

/* The slices of n_parts that this rank makes: *first up to the value; begin[group size + 1] <- the
 * bounds of all the ranks'. */
size_t stj_own_parts(size_t n_parts, size_t *first);
void stj_part_bounds(size_t n_parts, size_t *begin);

/* what[n_parts] of `item` bytes, of which each rank has its own parts: complete it by messages. */
void stj_share_parts(size_t n_parts, size_t item, void *what);

/* y[n] <- the sum of n_parts shares, share[n_parts][n] with this rank's own written: memory of the
 * group where it is shared.  The shares may be written again after it. */
void stj_share_sum_run(struct stj_share_sum *sum, size_t n_parts, const real *share, real *y);

#endif
