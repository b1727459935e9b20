/* SPDX-License-Identifier: GPL-3.0-or-later */
/* spectrum/regions.h: the three regions of singular values, their names and colours. */
#ifndef STJ_SPECTRUM_REGIONS_H
#define STJ_SPECTRUM_REGIONS_H

#include "base/chart.h"

enum stj_region { STJ_CHAOTIC, STJ_BULK, STJ_STABLE, STJ_N_REGIONS };

/* Chaotic above 1 + epsilon, stable below 1 - epsilon. */
enum stj_region stj_region_of(double sigma, double epsilon);
const char *stj_region_name(enum stj_region region);
enum stj_chart_colour stj_region_colour(enum stj_region region);

/* What a singular value of n that were decomposed together is known to: the columns come from
 * sweeps of `steps` steps, each rounded by eps sqrt(steps) of its length, and the decomposition, n
 * reflections that each round by eps sigma_1, adds errors that are independent of each other.  By
 * Weyl no value moves by more than both together,
 *
 *     eps (sqrt(steps) |J|_F + sqrt(n) sigma_1)
 *
 * and one that is not larger than that is rounding.  sigma descends. */
double stj_rounding_floor(size_t steps, size_t n, const double *sigma);

#endif
