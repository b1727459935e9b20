/* SPDX-License-Identifier: GPL-3.0-or-later */
/* report/vector_figure.h: a tensor of a singular vector as images or as a heat map. */
#ifndef STJ_REPORT_VECTOR_FIGURE_H
#define STJ_REPORT_VECTOR_FIGURE_H

#include <spectraj/report.h>

#include "report/gnuplot.h"

struct stj_vector_figure;

/* *figure <- the part of a stored singular vector; to be freed with stj_vector_figure_destroy. */
enum stj_status stj_vector_figure_create(struct stj_run *run, const struct stj_report_vector *which,
                                         struct stj_vector_figure **figure, struct stj_error *err);
void stj_vector_figure_destroy(struct stj_vector_figure *figure); /* NULL is accepted */

/* As a gnuplot script for a file; as characters for a terminal; all its numbers, "row,column,value"
 * with the tensor's last axis as columns. */
void stj_vector_figure_plot(FILE *script, struct stj_canvas *canvas,
                            const struct stj_vector_figure *figure);
void stj_vector_figure_text(FILE *out, const struct stj_vector_figure *figure);
void stj_vector_figure_csv(FILE *out, const struct stj_vector_figure *figure);

#endif
