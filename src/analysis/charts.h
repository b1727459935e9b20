/* SPDX-License-Identifier: GPL-3.0-or-later */
/* analysis/charts.h: the charts of spectra. */
#ifndef STJ_ANALYSIS_CHARTS_H
#define STJ_ANALYSIS_CHARTS_H

#include <spectraj/density.h>

#include "spectrum/regions.h"

/* chart <- sigma[n], descending, the first n of n_params; limits of the regions at 1 +- epsilon,
 * and a line at `rounding` where values that may be drawn lie below it. */
enum stj_status stj_chart_spectrum(struct stj_chart *chart, size_t n, const double *sigma,
                                   size_t n_params, double epsilon, double rounding,
                                   struct stj_error *err);

/* chart <- the density of the singular values on a log axis, and in the legend the regions' counts
 * with their intervals. */
enum stj_status stj_chart_density(struct stj_chart *chart, const struct stj_density_result *density,
                                  struct stj_error *err);

/* value[POINTS] <- singular values per unit of log10 sigma, smoothed by a Gaussian of that width,
 * at sigma[POINTS] (set): between a value below which there is nothing to see and one above the
 * largest. */
enum { STJ_DENSITY_POINTS = 180 };
extern const double stj_density_width; /* standard deviation in log10 sigma */
enum stj_status stj_density_draw(const struct stj_density_result *density, double *sigma,
                                 double *value, struct stj_error *err);

#endif
