/* SPDX-License-Identifier: GPL-3.0-or-later */
/* spectrum/density/gap.c: where the spectrum around 1 is thinnest.
 *
 * The number in the bulk, n(epsilon), is followed over epsilon on a logarithmic grid.  Its slope
 * dn / d log epsilon is the density of |sigma - 1| on a logarithmic axis; a gap is where it falls
 * well below what it was at some smaller epsilon and rises again at a larger one, by more than what
 * the number of steps leaves in doubt.
 */
#include <math.h>

#include <spectraj/density.h>

#include "base/error.h"

enum { POINTS = 40 };

static const double least_epsilon = 1e-3;
static const double most_epsilon = 0.9;
static const double depth_of_a_gap = 0.5; /* of the slope, to the lesser of the slopes beside it */

static double gap_grid(double i)
{
    return least_epsilon * pow(most_epsilon / least_epsilon, i / (POINTS - 1));
}

/* slope[POINTS - 1] <- numbers of singular values that enter the bulk between points; doubt[..]:
 * what a finite number of steps may hide there. */
static enum stj_status gap_slopes(const struct stj_density_result *result, double *slope,
                                  double *doubt, struct stj_error *err)
{
    struct stj_density_count before = {0};
    for (size_t i = 0; i < POINTS; i++) {
        struct stj_density_counts counts;
        STJ_MUST(stj_density_count_regions(result, gap_grid((double)i), 0, &counts, err));
        if (i > 0) {
            slope[i - 1] = fmax(counts.bulk.estimate - before.estimate, 0);
            doubt[i - 1] = hypot(counts.bulk.finite_steps, before.finite_steps);
        }
        before = counts.bulk;
    }
    return STJ_OK;
}

enum stj_status stj_density_find_gap(const struct stj_density_result *result,
                                     struct stj_density_gap *gap, struct stj_error *err)
{
    STJ_NOT_NULL(err, result, gap);
    double slope[POINTS - 1];
    double doubt[POINTS - 1];
    double left[POINTS - 1] = {0}; /* largest slope before a point */
    double right[POINTS - 1] = {0};
    size_t best = 0;
    double least = depth_of_a_gap;
    *gap = (struct stj_density_gap){0};
    STJ_MUST(gap_slopes(result, slope, doubt, err));
    struct stj_density_counts first;
    STJ_MUST(stj_density_count_regions(result, least_epsilon, 0, &first, err));
    left[0] = first.bulk.estimate; /* what lies closer to 1 than the grid begins */
    for (size_t i = 1; i < POINTS - 1; i++)
        left[i] = fmax(left[i - 1], slope[i - 1]);
    struct stj_density_counts last;
    STJ_MUST(stj_density_count_regions(result, most_epsilon, 0, &last, err));
    right[POINTS - 2] = (double)result->n_params - last.bulk.estimate; /* and beyond its end */
    for (size_t i = POINTS - 2; i-- > 0;)
        right[i] = fmax(right[i + 1], slope[i + 1]);
    for (size_t i = 0; i < POINTS - 1; i++) {
        const double beside = fmin(left[i], right[i]);
        const double depth = beside > 0.5 ? (slope[i] + doubt[i]) / beside : 1;
        if (depth < least) {
            least = depth;
            best = i;
            gap->found = true;
        }
    }
    if (!gap->found)
        return STJ_OK;
    size_t end = best; /* the middle of an empty stretch */
    while (end + 2 < POINTS && slope[end + 1] <= 1.5 * slope[best] + 0.5)
        end++;
    gap->epsilon = gap_grid(((double)best + (double)end + 1) / 2);
    gap->depth = least;
    return stj_density_count_regions(result, gap->epsilon, 0, &gap->counts, err);
}
