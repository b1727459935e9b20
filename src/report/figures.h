/* SPDX-License-Identifier: GPL-3.0-or-later */
/* report/figures.h: the figures of a run as charts. */
#ifndef STJ_REPORT_FIGURES_H
#define STJ_REPORT_FIGURES_H

#include <stdbool.h>
#include <stdio.h>

#include <spectraj/report.h>

#include "base/chart.h"

/* chart <- the figure of that name from the untagged results, and *made <- true; false where what
 * it needs is not stored. */
enum stj_status stj_figure_if_stored(struct stj_run *run, const char *figure,
                                     struct stj_chart *chart, bool *made, struct stj_error *err);

/* Is it a figure of the run itself, or of its windows? */
bool stj_figure_of_run(const char *figure);

/* A run's result to be drawn with others. */
struct stj_figure_source {
    struct stj_run *run;
    const char *tag, *label;
    size_t colour; /* its number */
    bool unlisted; /* it is not in the legend */
};

/* chart (all zeros) <- the figure of each, in its colour; as it is of one alone.  data: each series has
 * a name, for who reads the numbers. */
enum stj_status stj_figure_overlay(struct stj_chart *chart, size_t n,
                                   const struct stj_figure_source *source, const char *figure,
                                   bool data, struct stj_error *err);

/* What a chart becomes: a drawing in the file `path`, or with characters on `out`; or, as data, its
 * numbers there.  A file is reported on `out` under the figure's name. */
struct stj_chart_target {
    FILE *out;
    enum stj_report_format format;
    const char *path;
    bool data;
    const struct stj_plot_settings *how; /* NULL: as ever */
};
enum stj_status stj_chart_put(const struct stj_chart_target *target, const struct stj_chart *chart,
                              const char *figure, struct stj_error *err);

#endif
