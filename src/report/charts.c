/* SPDX-License-Identifier: GPL-3.0-or-later */
/* report/charts.c: the chart of a training's losses. */
#include <stdlib.h>

#include "base/error.h"
#include "base/memory.h"
#include "report/plot.h"

/* mean[n - window + 1] <- the mean of `window` losses, at the middle of their steps. */
static void running_mean(size_t n, const double *loss, size_t window, double *step, double *mean)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum += loss[i];
        if (i >= window)
            sum -= loss[i - window];
        if (i + 1 < window)
            continue;
        step[i + 1 - window] = (double)i + 1.5 - (double)window / 2;
        mean[i + 1 - window] = sum / (double)window;
    }
}

enum stj_status stj_chart_loss(struct stj_chart *chart, size_t n, const double *loss, size_t window,
                               struct stj_error *err)
{
    STJ_FREED double *step = NULL, *mean = NULL;
    const bool has_mean = window > 1 && n >= 2 * window;
    stj_chart_title(chart, "Loss of each training step");
    stj_axis_name(&chart->x, "step", "step");
    stj_axis_name(&chart->y, "loss", "loss");
    chart->x.high = (double)n + 1;
    chart->y.log = n > 0;
    for (size_t i = 0; i < n; i++)
        chart->y.log = chart->y.log && loss[i] > 0;
    STJ_MUST(stj_chart_add(chart, STJ_CHART_LINE, STJ_CHART_SKY_BLUE, n, NULL, loss, err, "batch"));
    if (!has_mean)
        return STJ_OK;
    STJ_MUST(stj_new(&step, n, sizeof *step, err));
    STJ_MUST(stj_new(&mean, n, sizeof *mean, err));
    running_mean(n, loss, window, step, mean);
    STJ_MUST(stj_chart_add(chart, STJ_CHART_LINE, STJ_CHART_BLUE, n - window + 1, step, mean, err,
                           "mean of %zu steps", window));
    stj_chart_key(chart, "mean");
    return STJ_OK;
}
