/* SPDX-License-Identifier: GPL-3.0-or-later */
/* report/plot.h: charts as gnuplot scripts and as CSV, and the chart of losses. */
#ifndef STJ_REPORT_PLOT_H
#define STJ_REPORT_PLOT_H

#include <stdio.h>

#include "base/chart.h"
#include "report/gnuplot.h"

/* Text between single quotes of a script: only what gnuplot takes literally, and the markup of
 * charts. */
void stj_plot_text(FILE *script, const char *text);

/* The chart as a script for the canvas; errors of the stream are the caller's to look for. */
void stj_plot_chart(FILE *script, const struct stj_canvas *canvas, const struct stj_chart *chart);

enum { STJ_PLOT_HIDDEN_MAX = 64 };

/* text <- how many values of a log axis are below `low` and not drawn; false: none. */
bool stj_plot_hidden(const struct stj_chart *chart, double low, char text[STJ_PLOT_HIDDEN_MAX]);

/* Every number of the chart: a line of column names, then "series,x,y" with 17 digits; nan for a
 * gap, a band as two series KEY_low and KEY_high. */
void stj_plot_csv(FILE *out, const struct stj_chart *chart);

/* chart <- loss[n]: the loss of each step's batch; with it its running mean over `window` steps. */
enum stj_status stj_chart_loss(struct stj_chart *chart, size_t n, const double *loss, size_t window,
                               struct stj_error *err);

#endif
