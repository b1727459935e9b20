/* SPDX-License-Identifier: GPL-3.0-or-later */
/* report/charts.c: the charts of a spectrum and of a training's losses. */
#include <stdlib.h>

#include "base/error.h"
#include "base/memory.h"
#include "report/plot.h"
#include "spectrum/regions.h"

enum { POINTS_MAX = 120 }; /* values that are drawn as points each */

/* What is smaller presses the rest of a spectrum into one line. */
static const double spectrum_floor = 1e-4;

/* One series per region: index and value. */
static enum stj_status add_region(struct stj_chart *chart, enum stj_region region, size_t n,
                                  const double *sigma, size_t n_params, double epsilon,
                                  struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const enum stj_chart_style style = n <= POINTS_MAX ? STJ_CHART_POINTS : STJ_CHART_LINE;
    char share[32] = "";
    double *x = NULL, *y = NULL;
    size_t count = 0;
    STJ_TRY(stj_new(&x, n, sizeof *x, err));
    STJ_TRY(stj_new(&y, n, sizeof *y, err));
    for (size_t i = 0; i < n; i++)
        if (stj_region_of(sigma[i], epsilon) == region) {
            x[count] = (double)(i + 1);
            y[count++] = sigma[i];
        }
    if (n == n_params && n > 0)
        snprintf(share, sizeof share, " (%.1f %%)", 100 * (double)count / (double)n);
    STJ_TRY(stj_chart_add(chart, style, stj_region_colour(region), count, x, y, err, "%s: %zu%s",
                          stj_region_name(region), count, share));
out:
    free(x);
    free(y);
    return st;
}

enum stj_status stj_chart_spectrum(struct stj_chart *chart, size_t n, const double *sigma,
                                   size_t n_params, double epsilon, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    stj_chart_title(chart, "%s singular values of the training Jacobian, N = %zu",
                    n == n_params ? "All" : "Largest", n_params);
    stj_axis_name(&chart->x, "index", "index");
    stj_axis_name(&chart->y, "sigma", "singular value");
    chart->x.high = (double)n + 1;
    chart->y.log = true;
    chart->y.floor = spectrum_floor;
    stj_chart_limit(chart, 1 + epsilon);
    stj_chart_limit(chart, 1 - epsilon);
    for (enum stj_region r = STJ_CHAOTIC; r < STJ_N_REGIONS; r++)
        STJ_TRY(add_region(chart, r, n, sigma, n_params, epsilon, err));
out:
    return st;
}

/* mean[n - window + 1] <- the mean of the last `window` losses up to each step. */
static void running_mean(size_t n, const double *loss, size_t window, double *step, double *mean)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum += loss[i];
        if (i >= window)
            sum -= loss[i - window];
        if (i + 1 < window)
            continue;
        step[i + 1 - window] = (double)(i + 1);
        mean[i + 1 - window] = sum / (double)window;
    }
}

enum stj_status stj_chart_loss(struct stj_chart *chart, size_t n, const double *loss, size_t window,
                               struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    double *step = NULL, *mean = NULL;
    const bool has_mean = window > 1 && n >= 2 * window;
    stj_chart_title(chart, "Loss of each training step");
    stj_axis_name(&chart->x, "step", "step");
    stj_axis_name(&chart->y, "loss", "loss");
    chart->x.high = (double)n + 1;
    chart->y.log = n > 0;
    for (size_t i = 0; i < n; i++)
        chart->y.log = chart->y.log && loss[i] > 0;
    STJ_TRY(stj_chart_add(chart, STJ_CHART_LINE, STJ_CHART_SKY_BLUE, n, NULL, loss, err, "batch"));
    if (!has_mean)
        goto out;
    STJ_TRY(stj_new(&step, n, sizeof *step, err));
    STJ_TRY(stj_new(&mean, n, sizeof *mean, err));
    running_mean(n, loss, window, step, mean);
    STJ_TRY(stj_chart_add(chart, STJ_CHART_LINE, STJ_CHART_BLUE, n - window + 1, step, mean, err,
                          "mean of %zu steps", window));
out:
    free(step);
    free(mean);
    return st;
}
