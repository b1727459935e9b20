/* SPDX-License-Identifier: GPL-3.0-or-later */
/* spectrum/regions.c: chaotic, bulk and stable singular values. */
#include "spectrum/regions.h"

#include <float.h>
#include <math.h>

#include <spectraj/svd.h>

enum stj_region stj_region_of(double sigma, double epsilon)
{
    return sigma > 1 + epsilon ? STJ_CHAOTIC : sigma < 1 - epsilon ? STJ_STABLE : STJ_BULK;
}

const char *stj_region_name(enum stj_region region)
{
    static const char *const name[STJ_N_REGIONS] = {"chaotic", "bulk", "stable"};
    return name[region];
}

enum stj_chart_colour stj_region_colour(enum stj_region region)
{
    static const enum stj_chart_colour colour[STJ_N_REGIONS] = {STJ_CHART_VERMILLION,
                                                                STJ_CHART_GREEN, STJ_CHART_BLUE};
    return colour[region];
}

struct stj_regions stj_regions_count(size_t n, const double *sigma, double epsilon)
{
    size_t count[STJ_N_REGIONS] = {0};
    for (size_t i = 0; sigma && i < n; i++)
        count[stj_region_of(sigma[i], epsilon)]++;
    return (struct stj_regions){
        .chaotic = count[STJ_CHAOTIC], .bulk = count[STJ_BULK], .stable = count[STJ_STABLE]};
}

double stj_rounding_floor(size_t steps, size_t n, const double *sigma)
{
    double frobenius = 0;
    for (size_t i = 0; i < n; i++)
        frobenius = hypot(frobenius, sigma[i]);
    return n == 0 ? 0
                  : DBL_EPSILON * (sqrt((double)steps) * frobenius + sqrt((double)n) * sigma[0]);
}
