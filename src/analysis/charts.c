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
    if (chart->n_series > STJ_N_REGIONS)
        stj_chart_key(chart, "rounding");
    return STJ_OK;
}

/* A density is drawn as numbers of values in windows of a tenth of a decade, one every half of that,
 * for numbers between two edges are what the rules give intervals of (spectrum/density/count.c).  It
 * begins where the steps resolve anything, and reaches over 5 decades, or as many as show a decade
 * below the bulk; beyond 9 decades the windows are wider. */
enum { DENSITY_POINTS = STJ_DENSITY_POINTS };
static const double density_window = 0.1, density_decades = 5;
static const double least_density = 1; /* less than one value per unit of log10 is drawn as none */

/* Where values begin to be told apart. */
static enum stj_status resolved_from(const struct stj_density_result *density, double *floor,
                                     struct stj_error *err)
{
    struct stj_density_functionals f;
    *floor = density->floor;
    if (density->n_probes > 0)
        STJ_MUST(stj_density_find_functionals(density, 0, 0, &f, err));
    *floor = density->n_probes > 0 ? f.floor : density->floor;
    return STJ_OK;
}

/* The windows from number `first` on, each next to the one before, `shift` of a window further; their
 * places in point[0], point[2], ... */
static enum stj_status count_windows(const struct stj_density_result *density, double first,
                                     double shift, size_t n, double width,
                                     struct stj_density_point *point, struct stj_error *err)
{
    double edge[DENSITY_POINTS + 1] = {0};
    struct stj_density_count count[DENSITY_POINTS];
    for (size_t i = 0; i <= n; i++)
        edge[i] = pow(10, width * (first + shift + (double)i));
    STJ_MUST(stj_density_histogram(density, n + 1, edge, 0, count, err));
    for (size_t i = 0; i < n; i++)
        point[2 * i] =
            (struct stj_density_point){.sigma = pow(10, width * (first + shift + (double)i + 0.5)),
                                       .density = count[i].estimate / width,
                                       .low = count[i].low / width,
                                       .high = count[i].high / width};
    return STJ_OK;
}

/* Where nodes are further apart than a window the estimate is the mean over what they resolve; it
 * stays within the band. */
static enum stj_status smooth_windows(const struct stj_density_result *density, size_t n,
                                      double width, struct stj_density_point *point,
                                      struct stj_error *err)
{
    double at[DENSITY_POINTS] = {0}, own[DENSITY_POINTS] = {0};
    struct stj_density_point rough[DENSITY_POINTS];
    for (size_t i = 0; i < n; i++) {
        at[i] = log10(point[i].sigma);
        own[i] = point[i].density;
    }
    STJ_MUST(stj_density_smooth_band(density, n, at, width / 2, 0, rough, err));
    for (size_t i = 0; i < n; i++) {
        const double reach = fmin(rough[i].resolution, density_decades) - width / 2;
        double sum = 0, many = 0;
        for (size_t j = 0; j < n; j++)
            if (j == i || fabs(at[j] - at[i]) <= reach) {
                sum += own[j];
                many++;
            }
        point[i].resolution = rough[i].resolution;
        point[i].density = fmin(fmax(sum / many, point[i].low), point[i].high);
    }
    return STJ_OK;
}

enum stj_status stj_density_draw(const struct stj_density_result *density, double *width, size_t *n,
                                 struct stj_density_point *point, struct stj_error *err)
{
    double least = 0;
    STJ_MUST(resolved_from(density, &least, err));
    const double high = log10(fmax(density->sigma_1, 1 + density->epsilon));
    const double bulk = log10(1 - density->epsilon) - 1;
    const double low = fmax(fmin(high - density_decades, bulk), log10(fmax(least, 1e-300)));
    *width = fmax(density_window, (high - low) / (DENSITY_POINTS / 2 - 3));
    const double first = ceil(low / *width - 1e-9);
    const double last = fmax(floor(high / *width) + 2, first + 1);
    const size_t windows = (size_t)(last - first);
    STJ_MUST(count_windows(density, first, 0, windows, *width, point, err));
    if (windows > 1)
        STJ_MUST(count_windows(density, first, 0.5, windows - 1, *width, point + 1, err));
    *n = 2 * windows - 1;
    return smooth_windows(density, *n, *width, point, err);
}

enum stj_status stj_chart_band(struct stj_chart *chart, enum stj_chart_colour colour, size_t n,
                               const double *sigma, const double *low, const double *high,
                               double confidence, const char *of, struct stj_error *err)
{
    char key[STJ_CHART_NAME_MAX], name[STJ_CHART_NAME_MAX] = "";
    snprintf(key, sizeof key, "%s%sband", of, of[0] ? "_" : "");
    if (!of[0])
        snprintf(name, sizeof name, "%.4g %% band", 100 * confidence);
    chart->y.floor = least_density;
    return stj_chart_add_band(chart, colour, n, sigma, low, high, key, name, err);
}

/* The part of the curve in one region, with gaps where there is nothing. */
static enum stj_status add_density(struct stj_chart *chart, enum stj_region region, double epsilon,
                                   const struct stj_density_count *count, size_t n_points,
                                   const struct stj_density_point *point, struct stj_error *err)
{
    double x[DENSITY_POINTS], y[DENSITY_POINTS];
    size_t n = 0;
    for (size_t i = 0; i < n_points; i++) {
        /* The point before the region joins the curves. */
        const bool inside =
            stj_region_of(point[i].sigma, epsilon) == region ||
            (i + 1 < n_points && stj_region_of(point[i + 1].sigma, epsilon) == region);
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

/* The band; and what lies below the first window is a number and no curve. */
static enum stj_status add_doubt(struct stj_chart *chart, const struct stj_density_result *density,
                                 double width, size_t n, const struct stj_density_point *point,
                                 struct stj_error *err)
{
    double sigma[DENSITY_POINTS] = {0}, low[DENSITY_POINTS] = {0}, high[DENSITY_POINTS] = {0};
    struct stj_density_count below;
    for (size_t i = 0; i < n; i++) {
        sigma[i] = point[i].sigma;
        low[i] = point[i].low;
        high[i] = point[i].high;
    }
    STJ_MUST(
        stj_chart_band(chart, STJ_CHART_GREY, n, sigma, low, high, density->confidence, "", err));
    chart->shade = sigma[0] * pow(10, -width / 2);
    STJ_MUST(stj_density_histogram(density, 2, (const double[]){0, chart->shade}, 0, &below, err));
    chart->x.low = chart->shade * pow(10, -0.4);
    chart->x.high = sigma[n - 1] * pow(10, width / 2);
    snprintf(chart->note, sizeof chart->note, "shaded, below %.2g: %s, %.0f values (%.0f to %.0f)",
             chart->shade, density->floor >= chart->shade / 2 ? "rounding" : "not resolved",
             below.estimate, below.low, below.high);
    return STJ_OK;
}

enum stj_status stj_chart_density(struct stj_chart *chart, const struct stj_density_result *density,
                                  double width, size_t n, const struct stj_density_point *point,
                                  struct stj_error *err)
{
    const struct stj_density_counts *regions = &density->regions;
    stj_chart_title(chart, "Density of %zu singular values, from %zu probes of %zu steps",
                    density->n_params, density->n_probes, density->steps);
    stj_axis_name(&chart->x, "sigma", "singular value");
    stj_axis_name(&chart->y, "density", "singular values per decade");
    chart->x.log = chart->y.log = true;
    STJ_MUST(add_doubt(chart, density, width, n, point, err));
    STJ_MUST(add_density(chart, STJ_CHAOTIC, density->epsilon, &regions->chaotic, n, point, err));
    STJ_MUST(add_density(chart, STJ_BULK, density->epsilon, &regions->bulk, n, point, err));
    return add_density(chart, STJ_STABLE, density->epsilon, &regions->stable, n, point, err);
}
