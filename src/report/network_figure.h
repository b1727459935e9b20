/* SPDX-License-Identifier: GPL-3.0-or-later */
/* report/network_figure.h: the graph of a network as a drawing. */
#ifndef STJ_REPORT_NETWORK_FIGURE_H
#define STJ_REPORT_NETWORK_FIGURE_H

#include <spectraj/run.h>

#include "report/gnuplot.h"

/* The network as a gnuplot script for the canvas of a file, which gets the size that it needs. */
enum stj_status stj_network_figure(FILE *script, const struct stj_run *run,
                                   struct stj_canvas *canvas, struct stj_error *err);

/* The same as an SVG of its own size within a page, which has its colours (report/svg.h). */
enum stj_status stj_network_svg(FILE *out, const struct stj_run *run, struct stj_error *err);

#endif
