/* SPDX-License-Identifier: GPL-3.0-or-later */
/* base/chart.c: a figure as data. */
#include "base/chart.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"

static const char markup[] = "_^{}\\";

void stj_chart_quote(const char *name, char *text, size_t room)
{
    size_t n = 0;
    for (const char *c = name; *c && n + 2 < room; c++) {
        if (strchr(markup, *c))
            text[n++] = '\\';
        text[n++] = *c;
    }
    text[n] = '\0';
}

void stj_chart_plain(const char *text, char plain[STJ_CHART_TEXT_MAX])
{
    size_t n = 0;
    for (const char *c = text; *c && n + 1 < STJ_CHART_TEXT_MAX; c++) {
        if (*c == '\\' && c[1])
            c++;
        else if (*c == '{' || *c == '}')
            continue;
        plain[n++] = *c;
    }
    plain[n] = '\0';
}

void stj_chart_title(struct stj_chart *chart, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(chart->title, sizeof chart->title, format, args);
    va_end(args);
}

void stj_axis_name(struct stj_axis *axis, const char *name, const char *label)
{
    snprintf(axis->name, sizeof axis->name, "%s", name);
    snprintf(axis->label, sizeof axis->label, "%s", label);
}

enum stj_status stj_axis_add_tick(struct stj_axis *axis, const char *name, struct stj_error *err)
{
    STJ_MUST(stj_resize(&axis->tick, axis->n_ticks, axis->n_ticks + 1, sizeof *axis->tick, err));
    snprintf(axis->tick[axis->n_ticks++], sizeof *axis->tick, "%s", name);
    return STJ_OK;
}

enum stj_status stj_chart_add(struct stj_chart *chart, enum stj_chart_style style,
                              enum stj_chart_colour colour, size_t n, const double *x,
                              const double *y, struct stj_error *err, const char *name, ...)
{
    va_list args;
    STJ_MUST(stj_resize(&chart->series, chart->n_series, chart->n_series + 1, sizeof *chart->series,
                        err));
    struct stj_series *s = &chart->series[chart->n_series++];
    *s = (struct stj_series){.style = style, .colour = colour};
    va_start(args, name);
    vsnprintf(s->name, sizeof s->name, name, args);
    va_end(args);
    STJ_MUST(stj_new(&s->x, n, sizeof *s->x, err));
    STJ_MUST(stj_new(&s->y, n, sizeof *s->y, err));
    s->n = n;
    for (size_t i = 0; i < n; i++) {
        s->x[i] = x ? x[i] : (double)(i + 1);
        s->y[i] = y[i];
    }
    return STJ_OK;
}

void stj_chart_key(struct stj_chart *chart, const char *key)
{
    snprintf(chart->series[chart->n_series - 1].key, STJ_CHART_NAME_MAX, "%s", key);
}

void stj_series_key(const struct stj_series *s, char key[STJ_CHART_NAME_MAX])
{
    memcpy(key, s->key[0] ? s->key : s->name, STJ_CHART_NAME_MAX);
    if (!s->key[0] && key[0]) /* what stands behind a colon or in brackets are numbers */
        key[1 + strcspn(key + 1, ":(")] = '\0';
    while (key[0] && key[strlen(key) - 1] == ' ')
        key[strlen(key) - 1] = '\0';
}

enum stj_status stj_chart_add_band(struct stj_chart *chart, enum stj_chart_colour colour, size_t n,
                                   const double *x, const double *low, const double *high,
                                   const char *key, const char *name, struct stj_error *err)
{
    STJ_MUST(stj_chart_add(chart, STJ_CHART_BAND, colour, n, x, low, err, "%s", name));
    struct stj_series *s = &chart->series[chart->n_series - 1];
    stj_chart_key(chart, key);
    STJ_MUST(stj_new(&s->top, n, sizeof *s->top, err));
    if (n > 0)
        memcpy(s->top, high, n * sizeof *high);
    return STJ_OK;
}

size_t stj_chart_drop_below(size_t n, double *x, double *y, double least)
{
    size_t left = 0;
    for (size_t i = 0; i < n; i++) {
        const bool there = y[i] >= least;
        if (!there && (left == 0 || isnan(y[left - 1])))
            continue;
        x[left] = x[i];
        y[left++] = there ? y[i] : (double)NAN;
    }
    return left;
}

void stj_chart_limit(struct stj_chart *chart, double y)
{
    if (chart->n_limits < STJ_CHART_LIMITS_MAX)
        chart->limit[chart->n_limits++] = y;
}

void stj_chart_free(struct stj_chart *chart)
{
    for (size_t i = 0; i < chart->n_series; i++) {
        free(chart->series[i].x);
        free(chart->series[i].y);
        free(chart->series[i].top);
    }
    free(chart->series);
    free(chart->x.tick);
    free(chart->y.tick);
    free(chart->pictures.pixels);
    free(chart->pictures.caption);
    *chart = (struct stj_chart){.n_series = 0};
}
