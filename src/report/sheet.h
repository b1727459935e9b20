/* SPDX-License-Identifier: GPL-3.0-or-later */
/* report/sheet.h: the pictures of a chart with their captions: a contact sheet. */
#ifndef STJ_REPORT_SHEET_H
#define STJ_REPORT_SHEET_H

#include <stdio.h>

#include "base/chart.h"
#include "report/gnuplot.h"

/* The canvas of a file, as large as the sheet needs. */
void stj_sheet_resize(struct stj_canvas *canvas, const struct stj_chart *chart);

/* As a script, and as an SVG with the pictures in it. */
void stj_sheet_plot(FILE *script, const struct stj_canvas *canvas, const struct stj_chart *chart);
void stj_sheet_svg(FILE *out, const struct stj_chart *chart);

#endif
