/* SPDX-License-Identifier: GPL-3.0-or-later */
/* analysis/charts.c: the charts of spectra. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/memory.h"
#include "analysis/charts.h"
#include "spectrum/regions.h"

enum { POINTS_MAX = 120 }; /* values that are drawn as points each */

/* What is smaller presses the rest of a spectrum into one line. */
static const double spectrum_floor = 1e-4;

/* One series per region: index and value.  STJ_N_REGIONS: all of them. */
static enum stj_status add_region(struct stj_chart *chart, enum stj_region region, size_t n,
                                  const double *sigma, size_t n_params, double epsilon,
                                  struct stj_error *err)
{
    const enum stj_chart_style style = n <= POINTS_MAX ? STJ_CHART_POINTS : STJ_CHART_LINE;
    char share[32] = "";
    STJ_FREED double *x = NULL, *y = NULL;
    size_t count = 0;
    STJ_MUST(stj_new(&x, n, sizeof *x, err));
    STJ_MUST(stj_new(&y, n, sizeof *y, err));
    for (size_t i = 0; i < n; i++)
        if (region == STJ_N_REGIONS || stj_region_of(sigma[i], epsilon) == region) {
            x[count] = (double)(i + 1);
            y[count++] = sigma[i];
        }
    if (region == STJ_N_REGIONS)
        return stj_chart_add(chart, style, STJ_CHART_BLACK, count, x, y, err, "%s", "");
    if (n == n_params && n > 0)
        snprintf(share, sizeof share, " (%.1f %%)", 100 * (double)count / (double)n);
    return stj_chart_add(chart, style, stj_region_colour(region), count, x, y, err, "%s: %zu%s",
                         stj_region_name(region), count, share);
}

enum stj_status stj_chart_spectrum(struct stj_chart *chart, size_t n, const double *sigma,
                                   size_t n_columns, const char *of, double epsilon,
                                   double rounding, struct stj_error *err)
{
    stj_chart_title(chart, "%s singular values of the %s%s, %s = %zu",
                    n == n_columns ? "All" : "Largest",
                    of ? "derivative with respect to the " : "training Jacobian", of ? of : "",
                    of ? "columns" : "N", n_columns);
    stj_axis_name(&chart->x, "index", "index");
    stj_axis_name(&chart->y, "sigma", "singular value");
    chart->x.high = (double)n + 1;
    chart->y.log = true;
    if (of)
        return add_region(chart, STJ_N_REGIONS, n, sigma, n_columns, epsilon, err);
    chart->y.floor = spectrum_floor;
    stj_chart_limit(chart, 1 + epsilon);
    stj_chart_limit(chart, 1 - epsilon);
    for (enum stj_region r = STJ_CHAOTIC; r < STJ_N_REGIONS; r++)
        STJ_MUST(add_region(chart, r, n, sigma, n_columns, epsilon, err));
    if (rounding >= spectrum_floor && n > 0 && sigma[n - 1] <= rounding)
        STJ_MUST(stj_chart_add(chart, STJ_CHART_DASHED, STJ_CHART_BLACK, 2,
                               (const double[]){1, (double)n}, (const double[]){rounding, rounding},
                               err, "below this: rounding"));
    return STJ_OK;
}

/* A density is drawn over 5 decades, or as many as show the bulk and a decade below it, but no more
 * than one below the floor of rounding; over more decades it is smoothed more. */
enum { DENSITY_POINTS = STJ_DENSITY_POINTS };
static const double density_width = 0.05, density_decades = 5;
static const double least_density = 1; /* less than one value per unit is the foot of a Gaussian */

enum stj_status stj_density_draw(const struct stj_density_result *density, double *width,
                                 struct stj_density_point *point, struct stj_error *err)
{
    double at[DENSITY_POINTS];
    const double high = log10(fmax(density->sigma_1, 1 + density->epsilon)) + 4 * density_width;
    const double bulk = log10(1 - density->epsilon) - 1;
    const double floor = log10(fmax(density->floor, 1e-300)) - 1;
    const double low = fmax(fmin(high - density_decades, bulk), floor);
    *width = density_width * fmax((high - low) / density_decades, 1);
    for (size_t i = 0; i < DENSITY_POINTS; i++)
        at[i] = low + (high - low) * (double)i / (DENSITY_POINTS - 1);
    return stj_density_smooth_band(density, DENSITY_POINTS, at, *width, 0, point, err);
}

/* One border of a band. */
static enum stj_status add_border(struct stj_chart *chart, enum stj_chart_colour colour, size_t n,
                                  const double *sigma, const double *border, const char *name,
                                  struct stj_error *err)
{
    STJ_FREED double *x = NULL, *y = NULL;
    size_t left = 0;
    STJ_MUST(stj_new(&x, n, sizeof *x, err));
    STJ_MUST(stj_new(&y, n, sizeof *y, err));
    for (size_t i = 0; i < n; i++) {
        x[i] = sigma[i];
        y[i] = border[i];
    }
    left = stj_chart_drop_below(n, x, y, least_density);
    return stj_chart_add(chart, STJ_CHART_DASHED, colour, left, x, y, err, "%s", name);
}

enum stj_status stj_chart_band(struct stj_chart *chart, enum stj_chart_colour colour, size_t n,
                               const double *sigma, const double *low, const double *high,
                               double confidence, const char *name, struct stj_error *err)
{
    char text[STJ_CHART_NAME_MAX];
    snprintf(text, sizeof text, "%s%.4g %% band, from", name, 100 * confidence);
    STJ_MUST(add_border(chart, colour, n, sigma, low, text, err));
    snprintf(text, sizeof text, "%s%.4g %% band, to", name, 100 * confidence);
    return add_border(chart, colour, n, sigma, high, text, err);
}

/* The part of the curve in one region, with gaps where there is nothing. */
static enum stj_status add_density(struct stj_chart *chart, enum stj_region region, double epsilon,
                                   const struct stj_density_count *count,
                                   const struct stj_density_point *point, struct stj_error *err)
{
    double x[DENSITY_POINTS], y[DENSITY_POINTS];
    size_t n = 0;
    for (size_t i = 0; i < DENSITY_POINTS; i++) {
        /* The point before the region joins the curves. */
        const bool inside =
            stj_region_of(point[i].sigma, epsilon) == region ||
            (i + 1 < DENSITY_POINTS && stj_region_of(point[i + 1].sigma, epsilon) == region);
        if (!inside)
            continue;
        x[n] = point[i].sigma;
        y[n++] = point[i].density;
    }
    n = stj_chart_drop_below(n, x, y, least_density);
    return stj_chart_add(chart, STJ_CHART_LINE, stj_region_colour(region), n, x, y, err,
                         "%s: %.0f (%.0f to %.0f)", stj_region_name(region), count->estimate,
                         count->low, count->high);
}

/* The band, and an upright line at the floor of rounding where the figure goes so far. */
static enum stj_status add_doubt(struct stj_chart *chart, const struct stj_density_result *density,
                                 const struct stj_density_point *point, struct stj_error *err)
{
    double sigma[DENSITY_POINTS], low[DENSITY_POINTS], high[DENSITY_POINTS], most = 10;
    for (size_t i = 0; i < DENSITY_POINTS; i++) {
        sigma[i] = point[i].sigma;
        low[i] = point[i].low;
        high[i] = point[i].high;
        most = fmax(most, point[i].density);
    }
    STJ_MUST(stj_chart_band(chart, STJ_CHART_GREY, DENSITY_POINTS, sigma, low, high,
                            density->confidence, "", err));
    if (density->floor >= sigma[0])
        STJ_MUST(stj_chart_add(chart, STJ_CHART_DASHED, STJ_CHART_BLACK, 2,
                               (const double[]){density->floor, density->floor},
                               (const double[]){least_density, most}, err, "below this: rounding"));
    return STJ_OK;
}

enum stj_status stj_chart_density(struct stj_chart *chart, const struct stj_density_result *density,
                                  const struct stj_density_point *point, struct stj_error *err)
{
    const struct stj_density_counts *regions = &density->regions;
    stj_chart_title(chart, "Density of %zu singular values, from %zu probes of %zu steps",
                    density->n_params, density->n_probes, density->steps);
    stj_axis_name(&chart->x, "sigma", "singular value");
    stj_axis_name(&chart->y, "density", "singular values per unit of log_{10} sigma");
    chart->x.log = chart->y.log = true;
    STJ_MUST(add_density(chart, STJ_CHAOTIC, density->epsilon, &regions->chaotic, point, err));
    STJ_MUST(add_density(chart, STJ_BULK, density->epsilon, &regions->bulk, point, err));
    STJ_MUST(add_density(chart, STJ_STABLE, density->epsilon, &regions->stable, point, err));
    return add_doubt(chart, density, point, err);
}
