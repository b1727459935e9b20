/* SPDX-License-Identifier: GPL-3.0-or-later */
/* base/chart.h: a figure as data: axes and series, made by whoever has the numbers.
 *
 * report/plot.c draws a chart through gnuplot and writes its numbers as CSV, so that a figure and
 * the table behind it cannot differ.  All texts are copied and cut to their room.
 *
 * Title and labels may have sub- and superscripts: theta_0, v_{12}, 10^{-3}.  What the user named
 * goes into them through stj_chart_quote, and stays as it is.
 */
#ifndef STJ_BASE_CHART_H
#define STJ_BASE_CHART_H

#include <stdbool.h>
#include <stddef.h>

#include <spectraj/status.h>

enum { STJ_CHART_TEXT_MAX = 160, STJ_CHART_NAME_MAX = 64, STJ_CHART_LIMITS_MAX = 4 };

enum stj_chart_style {
    STJ_CHART_LINE,
    STJ_CHART_DASHED,
    STJ_CHART_POINTS, /* dots where there are many */
    STJ_CHART_BOTH,   /* points joined by a line */
    STJ_CHART_BROKEN, /* points joined by a dashed line */
    STJ_CHART_BAND,   /* the area between y and top */
};

/* Okabe and Ito's colours, which people with any kind of colour vision tell apart. */
enum stj_chart_colour {
    STJ_CHART_VERMILLION,
    STJ_CHART_GREEN,
    STJ_CHART_BLUE,
    STJ_CHART_SKY_BLUE,
    STJ_CHART_ORANGE,
    STJ_CHART_PURPLE,
    STJ_CHART_BLACK,
    STJ_CHART_GREY,
    STJ_CHART_N_COLOURS
};

struct stj_axis {
    char name[STJ_CHART_NAME_MAX];  /* head of the CSV column: "index" */
    char label[STJ_CHART_TEXT_MAX]; /* with the unit where there is one */
    bool log;                       /* values that are not positive have no place */
    double low, high;               /* the range; low >= high: that of the values */
    double floor; /* log: what is smaller is not drawn, and the figure says so; 0: none */
    size_t n_ticks;
    char (*tick)[STJ_CHART_NAME_MAX]; /* names of 1 .. n_ticks in their place; NULL: numbers */
};

struct stj_series {
    char name[STJ_CHART_NAME_MAX]; /* in the legend; empty: not there */
    char key
        [STJ_CHART_NAME_MAX]; /* in CSV, the same for every result; empty: `name` up to a colon */
    enum stj_chart_style style;
    enum stj_chart_colour colour;
    size_t n;
    double *x, *y; /* [n]; a value that is not finite is a gap */
    double *top;   /* [n] of a band; NULL: none */
};

/* Pictures of the points of all series, in their order: a contact sheet, which drawings show in the
 * place of axes. */
enum { STJ_PICTURE_MOST = 64 }; /* pixels of a side */
struct stj_pictures {
    size_t height, width, channels; /* of each; 1: grey, or 3 */
    unsigned char *pixels;          /* [points][height][width][channels]; NULL: there are none */
    char (*caption)[STJ_CHART_NAME_MAX]; /* [points]: two lines */
};

struct stj_chart {
    char title[STJ_CHART_TEXT_MAX];
    struct stj_axis x, y;
    size_t n_series;
    struct stj_series *series;
    size_t n_limits;
    double limit[STJ_CHART_LIMITS_MAX]; /* horizontal lines */
    double shade;                       /* left of this x nothing is known; 0: none */
    char note[STJ_CHART_TEXT_MAX];      /* said below the axes */
    struct stj_pictures pictures;
};

/* text <- `name` with a backslash before what would be markup, cut to `room` bytes. */
void stj_chart_quote(const char *name, char *text, size_t room);

/* plain <- `text` without markup, for where nothing is raised or lowered: v_12. */
void stj_chart_plain(const char *text, char plain[STJ_CHART_TEXT_MAX]);

void stj_chart_title(struct stj_chart *chart, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void stj_axis_name(struct stj_axis *axis, const char *name, const char *label);

/* The name of the next whole number on an axis; figures in files and CSV have it. */
enum stj_status stj_axis_add_tick(struct stj_axis *axis, const char *name, struct stj_error *err);

/* A new series with copies of x and y; x NULL: 1, 2, ...  n may be 0. */
enum stj_status stj_chart_add(struct stj_chart *chart, enum stj_chart_style style,
                              enum stj_chart_colour colour, size_t n, const double *x,
                              const double *y, struct stj_error *err, const char *name, ...)
    __attribute__((format(printf, 8, 9)));

/* The series that was added last is called `key` in CSV. */
void stj_chart_key(struct stj_chart *chart, const char *key);

/* key <- what a series is called in CSV: without what its legend adds after a colon or in brackets. */
void stj_series_key(const struct stj_series *s, char key[STJ_CHART_NAME_MAX]);

/* A band from low to high of x, its `key` ending in _low and _high in CSV. */
enum stj_status stj_chart_add_band(struct stj_chart *chart, enum stj_chart_colour colour, size_t n,
                                   const double *x, const double *low, const double *high,
                                   const char *key, const char *name, struct stj_error *err);

/* Keep the points whose y is `least` or more, and one gap between two pieces; the number that is left.  In place. */
size_t stj_chart_drop_below(size_t n, double *x, double *y, double least);

void stj_chart_limit(struct stj_chart *chart, double y);

void stj_chart_free(struct stj_chart *chart);

#endif
