/* SPDX-License-Identifier: GPL-3.0-or-later */
/* report/svg.h: a chart as inline SVG, coloured by the style sheet of the page around it. */
#ifndef STJ_REPORT_SVG_H
#define STJ_REPORT_SVG_H

#include <stdio.h>

#include "base/chart.h"

/* <figure> with title, drawing, legend and notes, which the caller ends; errors of the stream are the caller's to look for. */
void stj_svg_chart(FILE *out, const struct stj_chart *chart);

/* The rules that the drawing needs, for light and dark: series c0 .. c7, axes, grid. */
void stj_svg_style(FILE *out);

/* Text with what HTML takes as its own escaped. */
void stj_html_text(FILE *out, const char *text);

#endif
