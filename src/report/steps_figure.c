/* SPDX-License-Identifier: GPL-3.0-or-later */
/* report/steps_figure.c: the charts of windows of the training against where they end or begin.
 *
 * Windows are those of untagged results in the run's folder: of dense where there is one, else of
 * svd, or of density for the regions.
 */
#include "report/steps_figure.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/analyses.h"
#include "base/error.h"
#include "base/memory.h"
#include "spectrum/regions.h"

enum { N_ENDS = 3 }; /* an estimate, and from where to where it may be */

/* What is known at a step. */
struct window {
    size_t t, n;
    double *sigma;                       /* [n], owned */
    double smallest;                     /* NaN: not known */
    double count[STJ_N_REGIONS][N_ENDS]; /* NaN: not known */
};

struct windows {
    struct stj_run *run;
    bool regions, to_end;
    size_t n_steps, n;
    struct window *item;
};

static void windows_free(struct windows *w)
{
    for (size_t i = 0; i < w->n; i++)
        free(w->item[i].sigma);
    free(w->item);
}

/* ---- reading ---- */

static enum stj_status read_sigma(const struct stj_result *result, bool dense, struct window *w,
                                  struct stj_error *err)
{
    STJ_FREED double *small = NULL;
    size_t n = 0;
    STJ_MUST(stj_result_numbers(result, dense ? "sigma" : "top.sigma", &w->sigma, &w->n, err));
    w->smallest = dense && w->n ? w->sigma[w->n - 1] : (double)NAN;
    if (!dense)
        STJ_MUST(stj_result_numbers(result, "bottom.sigma_bound", &small, &n, err));
    if (n > 0)
        w->smallest = small[0];
    return STJ_OK;
}

static void read_counts(const struct stj_result *result, bool dense, struct window *w)
{
    const struct stj_density_count none = {(double)NAN, (double)NAN, (double)NAN, 0, 0, 0, 0};
    char name[64];
    for (enum stj_region g = STJ_CHAOTIC; g < STJ_N_REGIONS; g++) {
        struct stj_density_count c = none;
        if (!dense) {
            const struct stj_density_counts *r = &stj_analysis_density_of(result)->regions;
            c = g == STJ_CHAOTIC ? r->chaotic : g == STJ_BULK ? r->bulk : r->stable;
        } else { /* it has no doubt */
            snprintf(name, sizeof name, "regions.%s", stj_region_name(g));
            c.estimate = c.low = c.high = stj_result_number(result, name);
        }
        w->count[g][0] = c.estimate;
        w->count[g][1] = c.low;
        w->count[g][2] = c.high;
    }
}

/* Add what is stored of the window at t, if anything is. */
static enum stj_status read_window(struct windows *w, size_t t, struct stj_error *err)
{
    const struct stj_run_part part = {.from = w->to_end ? t : 0, .to = w->to_end ? w->n_steps : t};
    STJ_HELD(stj_result_destroy_at) struct stj_result *result = NULL;
    STJ_MUST(stj_result_of_part(w->run, "dense", &part, &result, err));
    const bool dense = result != NULL;
    if (!dense)
        STJ_MUST(stj_result_of_part(w->run, w->regions ? "density" : "svd", &part, &result, err));
    if (!result)
        return STJ_OK;
    STJ_MUST(stj_resize(&w->item, w->n, w->n + 1, sizeof *w->item, err));
    struct window *item = &w->item[w->n++];
    *item = (struct window){.t = t, .smallest = (double)NAN};
    if (!w->regions)
        return read_sigma(result, dense, item, err);
    read_counts(result, dense, item);
    return STJ_OK;
}

/* The step that a file's name gives its window; false: it is of no such window. */
static bool step_of_name(const struct windows *w, const char *name, size_t *t)
{
    static const char *const analysis[] = {"dense", "svd", "density"};
    size_t from = 0, to = 0;
    for (size_t i = 0; i < sizeof analysis / sizeof analysis[0]; i++) {
        const size_t length = strlen(analysis[i]);
        int end = 0;
        if (strncmp(name, analysis[i], length) != 0 ||
            sscanf(name + length, "-%zu-%zu%n", &from, &to, &end) != 2 ||
            strcmp(name + length + end, ".h5") != 0)
            continue;
        *t = w->to_end ? from : to;
        return w->to_end ? to == w->n_steps && from > 0 : from == 0 && to < w->n_steps;
    }
    return false;
}

static int by_step(const void *a, const void *b)
{
    const size_t x = *(const size_t *)a, y = *(const size_t *)b;
    return x < y ? -1 : x > y;
}

static enum stj_status read_windows(struct windows *w, const char *dir, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    size_t *step = NULL, n = 0, t = 0;
    DIR *folder = opendir(dir);
    STJ_CHECK(err, folder, STJ_EIO, "%s: %s", dir, strerror(errno));
    STJ_TRY(stj_new(&step, 1, sizeof *step, err));
    step[n++] = w->to_end ? 0 : w->n_steps; /* the whole training */
    for (const struct dirent *entry = readdir(folder); entry; entry = readdir(folder)) {
        if (!step_of_name(w, entry->d_name, &t))
            continue;
        STJ_TRY(stj_resize(&step, n, n + 1, sizeof *step, err));
        step[n++] = t;
    }
    qsort(step, n, sizeof *step, by_step);
    for (size_t i = 0; i < n; i++)
        if (i == 0 || step[i] != step[i - 1])
            STJ_TRY(read_window(w, step[i], err));
out:
    if (folder)
        closedir(folder);
    free(step);
    return st;
}

/* ---- drawing ---- */

/* The i-th singular value (from 1; 0: the smallest) against the step. */
static enum stj_status add_value(const struct windows *w, size_t i, enum stj_chart_colour colour,
                                 const double *t, double *y, struct stj_chart *chart,
                                 struct stj_error *err)
{
    size_t known = 0;
    char name[32] = "smallest, or its bound";
    for (size_t k = 0; k < w->n; k++) {
        const struct window *item = &w->item[k];
        y[k] = i == 0 ? item->smallest : i <= item->n ? item->sigma[i - 1] : (double)NAN;
        known += isnan(y[k]) ? 0 : 1;
    }
    if (i > 0)
        snprintf(name, sizeof name, "sigma_%zu", i);
    if (known > 1)
        STJ_MUST(stj_chart_add(chart, i == 0 ? STJ_CHART_BROKEN : STJ_CHART_BOTH, colour, w->n, t,
                               y, err, "%s", name));
    return STJ_OK;
}

static enum stj_status add_values(const struct windows *w, const double *t, double *y,
                                  struct stj_chart *chart, struct stj_error *err)
{
    static const size_t first[] = {1, 2, 5, 10, 20, 50, 100, 200, 500};
    stj_chart_title(chart,
                    w->to_end ? "Singular values of J(t -> n)" : "Singular values of J(0 -> t)");
    stj_axis_name(&chart->y, "sigma", "singular value");
    chart->y.floor = 1e-4;
    stj_chart_limit(chart, 1.1);
    stj_chart_limit(chart, 0.9);
    for (size_t i = 0; i < sizeof first / sizeof first[0]; i++)
        STJ_MUST(
            add_value(w, first[i], (enum stj_chart_colour)(i % STJ_CHART_BLACK), t, y, chart, err));
    return add_value(w, 0, STJ_CHART_BLACK, t, y, chart, err);
}

static enum stj_status add_counts(const struct windows *w, const double *t, double *y,
                                  struct stj_chart *chart, struct stj_error *err)
{
    static const char *const end[N_ENDS] = {"", ", from", ", to"};
    stj_chart_title(chart, "Singular values of %s by region",
                    w->to_end ? "J(t -> n)" : "J(0 -> t)");
    stj_axis_name(&chart->y, "count", "singular values");
    for (enum stj_region g = STJ_CHAOTIC; g < STJ_N_REGIONS; g++)
        for (size_t e = 0; e < N_ENDS; e++) {
            for (size_t k = 0; k < w->n; k++)
                y[k] = w->item[k].count[g][e];
            for (size_t k = 0; k < w->n; k++) /* a log axis has no place for an end at 0 */
                chart->y.log = chart->y.log && !(y[k] <= 0);
            STJ_MUST(stj_chart_add(chart, e == 0 ? STJ_CHART_BOTH : STJ_CHART_DASHED,
                                   stj_region_colour(g), w->n, t, y, err, "%s%s",
                                   stj_region_name(g), end[e]));
        }
    return STJ_OK;
}

enum stj_status stj_chart_over_steps(struct stj_run *run, bool regions, bool to_end,
                                     struct stj_chart *chart, struct stj_error *err)
{
    struct stj_run_info info;
    stj_run_get_info(run, &info);
    STJ_HELD(windows_free)
    struct windows w = {.run = run, .regions = regions, .to_end = to_end, .n_steps = info.n_steps};
    STJ_FREED double *t = NULL, *y = NULL;
    STJ_MUST(read_windows(&w, info.dir, err));
    STJ_NEED(err, w.n > 1, STJ_EINVAL,
             "%s holds %zu spectra of %s without a tag, and a figure over t needs two: run "
             "'spectraj %s %s --at STEP,STEP,...%s' first",
             info.dir, w.n, to_end ? "J(t -> n)" : "J(0 -> t)", regions ? "density" : "svd",
             info.dir, to_end ? " --to-end" : "");
    STJ_MUST(stj_new(&t, w.n, sizeof *t, err));
    STJ_MUST(stj_new(&y, w.n, sizeof *y, err));
    for (size_t k = 0; k < w.n; k++)
        t[k] = (double)w.item[k].t;
    stj_axis_name(&chart->x, "step", "step t");
    chart->y.log = true;
    return regions ? add_counts(&w, t, y, chart, err) : add_values(&w, t, y, chart, err);
}
