/* SPDX-License-Identifier: GPL-3.0-or-later */
/* spectrum/density/sampling.h: what the mean mass of random probes says about a count. */
#ifndef STJ_SPECTRUM_DENSITY_SAMPLING_H
#define STJ_SPECTRUM_DENSITY_SAMPLING_H

#include <stddef.h>

/* Of n_values singular values, n lie in a region; the mean over n_probes Gaussian probes of its
 * mass (weighted by their squared lengths) was `mass`.  The smallest and the largest n that a
 * two-sided test at the level 1 - confidence accepts. */
double stj_count_low(double mass, size_t n_values, size_t n_probes, double confidence);
double stj_count_high(double mass, size_t n_values, size_t n_probes, double confidence);

/* P(X <= x) of the Beta(a, b) law, a, b > 0, for any size of a and b. */
double stj_beta_cdf(double x, double a, double b);

#endif
