/* SPDX-License-Identifier: GPL-3.0-or-later */
/* report/figures.h: the figures of a run as charts. */
#ifndef STJ_REPORT_FIGURES_H
#define STJ_REPORT_FIGURES_H

#include <spectraj/report.h>

#include "base/chart.h"

/* chart <- the figure of that name from the untagged results, and *made <- true; false where what
 * it needs is not stored. */
enum stj_status stj_figure_if_stored(struct stj_run *run, const char *figure,
                                     struct stj_chart *chart, bool *made, struct stj_error *err);

#endif
