/* SPDX-License-Identifier: GPL-3.0-or-later */
/* analysis/charts.h: the charts of spectra. */
#ifndef STJ_ANALYSIS_CHARTS_H
#define STJ_ANALYSIS_CHARTS_H

#include <spectraj/density.h>

#include "spectrum/regions.h"

/* chart <- sigma[n], descending, the first n of n_columns; limits of the regions at 1 +- epsilon,
 * and a line at `rounding` where values that may be drawn lie below it.  Of D, the derivative with
 * respect to `of` (NULL: of J), there are no regions. */
enum stj_status stj_chart_spectrum(struct stj_chart *chart, size_t n, const double *sigma,
                                   size_t n_columns, const char *of, double epsilon,
                                   double rounding, struct stj_error *err);

/* point[*n], *n <= POINTS, <- the density as a figure shows it: numbers of values in windows that are
 * *width wide in log10 sigma, over it, with their intervals at the result's confidence. */
enum { STJ_DENSITY_POINTS = 180 };
enum stj_status stj_density_draw(const struct stj_density_result *density, double *width, size_t *n,
                                 struct stj_density_point *point, struct stj_error *err);

/* chart <- these points on a log axis with the band, shaded below them, and in the legend the regions'
 * counts with their intervals. */
enum stj_status stj_chart_density(struct stj_chart *chart, const struct stj_density_result *density,
                                  double width, size_t n, const struct stj_density_point *point,
                                  struct stj_error *err);

/* A band from low[n] to high[n] at sigma[n], as densities are drawn, of the series `of`; of the only
 * one ("") the legend has it with the confidence. */
enum stj_status stj_chart_band(struct stj_chart *chart, enum stj_chart_colour colour, size_t n,
                               const double *sigma, const double *low, const double *high,
                               double confidence, const char *of, struct stj_error *err);

#endif
