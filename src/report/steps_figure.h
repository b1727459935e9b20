/* SPDX-License-Identifier: GPL-3.0-or-later */
/* report/steps_figure.h: the charts of windows of the training against where they end or begin. */
#ifndef STJ_REPORT_STEPS_FIGURE_H
#define STJ_REPORT_STEPS_FIGURE_H

#include <spectraj/run.h>

#include "base/chart.h"

/* chart <- the stored spectra of J(0 -> t), with to_end of J(t -> n), over t: singular values, or
 * with `regions` how many lie in each.  STJ_EINVAL, naming the command, where less than two are
 * stored. */
enum stj_status stj_chart_over_steps(struct stj_run *run, bool regions, bool to_end,
                                     struct stj_chart *chart, struct stj_error *err);

#endif
