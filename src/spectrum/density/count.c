/* SPDX-License-Identifier: GPL-3.0-or-later */
/* spectrum/density/count.c: counts of singular values by region, with two intervals.
 *
 * low .. high     two independent parts, added in squares: the sampling of few probes (the counts
 * that
 *                 the inverted Beta law accepts, spectrum/density/sampling.c) and the finite number
 *                 of steps (spectrum/density/quadrature.c, both edges of the region added).
 * enclosure       the bounds of the mass of each probe are rigorous; what remains is sampling,
 * taken at
 *                 99.9 %: the least count that the lower bound allows to the greatest that the
 *                 upper does. low .. high is cut to it.
 */
#include "spectrum/density/count.h"

#include <math.h>

#include "base/error.h"
#include "spectrum/density/sampling.h"

static const double enclosure_confidence = 0.999;
static const double rounding = 1e-10; /* of sums of weights */

const struct stj_edge stj_edge_bottom = {0, 0, 0, 0};
const struct stj_edge stj_edge_top = {1, 0, 1, 1};

static double clamp_mass(double x, double low, double high)
{
    return fmin(fmax(x, low), high);
}

enum stj_status stj_density_check(double epsilon, double confidence, struct stj_error *err)
{
    STJ_NEED(err, epsilon > 0 && epsilon < 1, STJ_EINVAL,
             "epsilon is %g, it must lie between 0 and 1, both excluded", epsilon);
    STJ_NEED(err, confidence > 0 && confidence < 1, STJ_EINVAL,
             "confidence is %g, it must lie between 0 and 1, both excluded", confidence);
    return STJ_OK;
}

void stj_density_count_between(const struct stj_density_result *result, const struct stj_edge *from,
                               const struct stj_edge *to, double known, double confidence,
                               struct stj_density_count *count)
{
    const size_t n = result->n_left;
    const size_t p = result->n_probes;
    const double left = (double)n;
    if (n == 0) {
        *count = (struct stj_density_count){known, known, known, known, known, 0, 0};
        return;
    }
    const double mass = clamp_mass(to->mass - from->mass, 0, 1);
    const double estimate = left * mass;
    const double below = fmax(estimate - stj_count_low(mass, n, p, confidence), 0);
    const double above = fmax(stj_count_high(mass, n, p, confidence) - estimate, 0);
    const double steps = left * (from->error + to->error);
    const double least = clamp_mass(to->low - from->high - rounding, 0, 1);
    const double most = clamp_mass(to->high - from->low + rounding, 0, 1);
    const double floor = fmin(stj_count_low(least, n, p, enclosure_confidence), estimate);
    const double ceiling = fmax(stj_count_high(most, n, p, enclosure_confidence), estimate);
    *count = (struct stj_density_count){
        .estimate = known + estimate,
        .low = known + fmax(estimate - hypot(below, steps), floor),
        .high = known + fmin(estimate + hypot(above, steps), ceiling),
        .enclosure_low = known + floor,
        .enclosure_high = known + ceiling,
        .sampling = (below + above) / 2,
        .finite_steps = steps,
    };
}

/* Known values in (from, to], the bottom included when from is 0. */
static double known_between(const struct stj_density_result *result, double from, double to)
{
    double n = 0;
    for (size_t i = 0; i < result->n_known; i++) {
        const double sigma = result->known[i];
        n += sigma <= to && (sigma > from || from == 0);
    }
    return n;
}

/* Known values by region, with the convention of stj_regions_count. */
static struct stj_regions known_regions(const struct stj_density_result *result, double epsilon)
{
    return stj_regions_count(result->n_known, result->known, epsilon);
}

enum stj_status stj_density_count_regions(const struct stj_density_result *result, double epsilon,
                                          double confidence, struct stj_density_counts *counts,
                                          struct stj_error *err)
{
    STJ_NOT_NULL(err, result, counts);
    const double c = confidence == 0 ? result->confidence : confidence;
    struct stj_edge lower = {0};
    struct stj_edge upper = {0};
    STJ_MUST(stj_density_check(epsilon, c, err));
    if (result->n_left > 0) {
        STJ_MUST(stj_edge_measure(result, 1 - epsilon, &lower, err));
        STJ_MUST(stj_edge_measure(result, 1 + epsilon, &upper, err));
        upper.mass = fmax(upper.mass, lower.mass); /* each is extrapolated by itself */
    }
    const struct stj_regions known = known_regions(result, epsilon);
    counts->epsilon = epsilon;
    stj_density_count_between(result, &upper, &stj_edge_top, (double)known.chaotic, c,
                              &counts->chaotic);
    stj_density_count_between(result, &lower, &upper, (double)known.bulk, c, &counts->bulk);
    stj_density_count_between(result, &stj_edge_bottom, &lower, (double)known.stable, c,
                              &counts->stable);
    return STJ_OK;
}

enum stj_status stj_density_curve(const struct stj_density_result *result, size_t n,
                                  const double *epsilon, double confidence,
                                  struct stj_density_counts *curve, struct stj_error *err)
{
    STJ_NOT_NULL(err, result, epsilon, curve);
    for (size_t i = 0; i < n; i++)
        STJ_MUST(stj_density_count_regions(result, epsilon[i], confidence, curve + i, err));
    return STJ_OK;
}

enum stj_status stj_density_check_edges(size_t n, const double *edge, struct stj_error *err)
{
    STJ_NOT_NULL(err, edge);
    STJ_NEED(err, n >= 2, STJ_EINVAL, "%zu edges make no region: give at least 2", n);
    STJ_NEED(err, edge[0] >= 0, STJ_EINVAL, "edge 1 is %g, singular values are not negative",
             edge[0]);
    for (size_t i = 1; i < n; i++)
        STJ_NEED(err, edge[i] > edge[i - 1], STJ_EINVAL,
                 "edge %zu is %g, not above edge %zu, %g: regions must not overlap", i + 1, edge[i],
                 i, edge[i - 1]);
    return STJ_OK;
}

enum stj_status stj_density_histogram(const struct stj_density_result *result, size_t n,
                                      const double *edge, double confidence,
                                      struct stj_density_count *count, struct stj_error *err)
{
    STJ_NOT_NULL(err, result, edge, count);
    const double c = confidence == 0 ? result->confidence : confidence;
    struct stj_edge from = stj_edge_bottom;
    STJ_MUST(stj_density_check_edges(n, edge, err));
    STJ_MUST(stj_density_check(0.5, c, err));
    if (edge[0] > 0 && result->n_left > 0)
        STJ_MUST(stj_edge_measure(result, edge[0], &from, err));
    for (size_t i = 1; i < n; i++) {
        struct stj_edge to = stj_edge_top;
        if (isfinite(edge[i]) && result->n_left > 0)
            STJ_MUST(stj_edge_measure(result, edge[i], &to, err));
        to.mass = fmax(to.mass, from.mass);
        stj_density_count_between(result, &from, &to, known_between(result, edge[i - 1], edge[i]),
                                  c, count + i - 1);
        from = to;
    }
    return STJ_OK;
}

/* Beyond the known values, on the side of 1 where they lie, nothing should be left. */
enum stj_status stj_density_find_missed(struct stj_density_result *result, struct stj_error *err)
{
    struct stj_density_missed above = {0};
    struct stj_density_missed below = {0};
    struct stj_density_count count;
    struct stj_edge edge;
    for (size_t i = 0; i < result->n_known; i++) {
        const double sigma = result->known[i];
        if (sigma > 1 && (!above.compared || sigma < above.sigma))
            above = (struct stj_density_missed){.compared = true, .sigma = sigma};
        if (sigma < 1 && (!below.compared || sigma > below.sigma))
            below = (struct stj_density_missed){.compared = true, .sigma = sigma};
    }
    if (above.compared && result->n_left > 0) {
        STJ_MUST(stj_edge_measure(result, above.sigma, &edge, err));
        stj_density_count_between(result, &edge, &stj_edge_top, 0, result->confidence, &count);
        above.estimate = count.estimate;
        above.low = count.low;
    }
    if (below.compared && below.sigma > 0 && result->n_left > 0) {
        STJ_MUST(stj_edge_measure(result, below.sigma, &edge, err));
        stj_density_count_between(result, &stj_edge_bottom, &edge, 0, result->confidence, &count);
        below.estimate = count.estimate;
        below.low = count.low;
    }
    result->missed_above = above;
    result->missed_below = below;
    return STJ_OK;
}
