/* SPDX-License-Identifier: GPL-3.0-or-later */
/* report/plot.h: figures as gnuplot scripts, from plain arrays. */
#ifndef STJ_REPORT_PLOT_H
#define STJ_REPORT_PLOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "report/gnuplot.h"

/* sigma[n], descending, the first n of n_params; limits of the regions at 1 +- epsilon. */
void stj_plot_spectrum(FILE *script, const struct stj_canvas *canvas, size_t n, const double *sigma,
                       size_t n_params, double epsilon);

/* loss[n]: the loss of each step's batch; with it its running mean over `window` steps. */
void stj_plot_loss(FILE *script, const struct stj_canvas *canvas, size_t n, const double *loss,
                   size_t window);

#endif
