/* SPDX-License-Identifier: GPL-3.0-or-later */
/* report/gnuplot.h: run gnuplot on a script. */
#ifndef STJ_REPORT_GNUPLOT_H
#define STJ_REPORT_GNUPLOT_H

#include <stdbool.h>
#include <stdio.h>

#include <spectraj/status.h>

/* Where a drawing goes, and the `set terminal` line for it. */
struct stj_canvas {
    const char *path; /* NULL: text */
    char terminal[160];
    size_t kind;     /* of the file */
    bool small;      /* of one column of a paper: thinner lines, fewer words in a row */
    bool unicode;    /* a text may have characters of UTF-8 */
    size_t columns;  /* of a text */
    char title[160]; /* of an SVG, for who cannot see it */
};

/* The canvas of a file by its ending, or the text canvas for `out` when path is NULL: as large as
 * the terminal that `out` is, else 79 x 24. */
enum stj_status stj_canvas_of(const char *path, FILE *out, struct stj_canvas *canvas,
                              struct stj_error *err);

/* Another size for the canvas of a file, in pixels of an SVG, and of the letters. */
void stj_canvas_resize(struct stj_canvas *canvas, size_t width, size_t height, size_t font);

/* Another size, in cm and points; 0: of what there is, in proportion. */
void stj_canvas_measure(struct stj_canvas *canvas, double width, double height, double font);

/* Is it a PDF, whose letters have a size on paper? */
bool stj_canvas_is_print(const struct stj_canvas *canvas);

/* *script <- an anonymous temporary file for commands and data, to be closed with fclose. */
enum stj_status stj_gnuplot_script(FILE **script, struct stj_error *err);

/* Run gnuplot on the script; what it draws goes to canvas->path (whole or absent), else to `out`.
 * The script must hold nothing that a user typed: no name, no title. */
enum stj_status stj_gnuplot_draw(FILE *script, const struct stj_canvas *canvas, FILE *out,
                                 struct stj_error *err);

#endif
