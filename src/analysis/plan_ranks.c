/* SPDX-License-Identifier: GPL-3.0-or-later */
/* analysis/plan_ranks.c: what several ranks change in the cost of an analysis.
 *
 * P ranks in P/R groups; a batch has s slices, of which a rank of a group of R makes at most
 * ceil(s/R). With b = 8 N bytes for a vector, a rank sends
 *
 *     a step      (s/R + 1) b (1 - 1/R)          its shares to those who add them, its range to all
 *     a step      k (s/R) (R - 1) 8 r            where slices meet: k records of r numbers
 *     a product   b (1 - 1/P) + b (P/R - 1) R/P  rows of a divided basis, and columns to the other groups
 *
 * per vector.  The time of a step falls as s / ceil(s/R); states are read once by the ranks of a
 * group that share memory, else by each rank for itself.
 */
#include "analysis/plan_ranks.h"

#include "parallel/ranks.h"
#include "run/run_internal.h"

struct stj_plan_division stj_plan_divide(const struct stj_run *run,
                                         const struct stj_plan_ranks *ranks, size_t columns)
{
    struct stj_plan_division d = {.n = 1, .groups = 1, .per_product = 1, .speed = 1};
    if (ranks->n <= 1)
        return d;
    const double b = 8 * (double)stj_network_n_params(run->net);
    d.n = ranks->n;
    d.groups = ranks->per_product ? d.n / ranks->per_product : stj_groups_for(d.n, columns);
    d.per_product = d.n / d.groups;
    const double P = (double)d.n, R = (double)d.per_product, G = (double)d.groups;
    const size_t slices = stj_problem_n_slices(run->problem, d.per_product);
    const double s = (double)slices;
    d.speed = s / (double)((slices + d.per_product - 1) / d.per_product);
    const double records = (double)(stj_problem_n_stages(run->problem, slices) - 1) *
                           (double)stj_problem_n_record(run->problem, 1);
    if (d.per_product > 1)
        d.bytes_per_step =
            (double)stj_recipe_n_gradients(&run->recipe) *
            ((s / R + 1) * b * (1 - 1 / R) + records * s / R * (R - 1) * sizeof(real));
    d.bytes_per_product = b * (G - 1) / G;
    if (stj_rows_divide(stj_network_n_params(run->net), d.n))
        d.bytes_per_product += b * (1 - 1 / P);
    d.bytes_per_second = ranks->bytes_per_second;
    return d;
}

size_t stj_plan_columns(const struct stj_plan_division *d, size_t block)
{
    return (block + d->groups - 1) / d->groups;
}

double stj_plan_message_seconds(const struct stj_plan_division *d, double steps, size_t block)
{
    const double bytes = steps * d->bytes_per_step * (double)stj_plan_columns(d, block) +
                         d->bytes_per_product * (double)block;
    return d->bytes_per_second > 0 ? bytes / d->bytes_per_second : 0;
}
