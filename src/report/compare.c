/* SPDX-License-Identifier: GPL-3.0-or-later */
/* report/compare.c: runs beside each other, as tables, as a JSON object and as figures. */
#include <spectraj/report.h>

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/text.h"
#include "io/file.h"
#include "report/comparison.h"
#include "report/figures.h"
#include "report/json.h"

enum { CELL_BYTES = 64, LABEL_BYTES = 160, LABEL_KEYS = 3, ROW_WIDTH = 100, SERIES_MAX = 8 };

static const char by[] = "by-";

/* ---- words ---- */

static const char *last_word(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot ? dot + 1 : name;
}

/* text <- a value of a config. */
static void write_value(const json_t *value, char text[CELL_BYTES])
{
    char *whole = NULL;
    if (!value)
        snprintf(text, CELL_BYTES, "-");
    else if (json_is_real(value))
        snprintf(text, CELL_BYTES, "%.6g", json_number_value(value));
    else if (json_is_string(value))
        snprintf(text, CELL_BYTES, "%.60s", json_string_value(value));
    else if ((whole = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT)))
        snprintf(text, CELL_BYTES, "%.60s", whole);
    free(whole);
}

/* text <- what the runs of a group have in common and others have not, besides one key: "peak=0.3";
 * where that is too much, the name of the first run. */
static void label_group(const struct stj_comparison *c, size_t group,
                        const struct stj_compared_key *besides, char text[LABEL_BYTES])
{
    size_t n = 0;
    const size_t first = c->group[group].first;
    text[0] = '\0';
    for (size_t k = 0; k < c->n_keys; k++) {
        char value[CELL_BYTES];
        if (c->key[k].is_seed || &c->key[k] == besides)
            continue;
        write_value(c->key[k].value[first], value);
        const size_t used = strlen(text);
        snprintf(text + used, LABEL_BYTES - used, "%s%s=%s", n++ ? ", " : "",
                 last_word(c->key[k].name), value);
    }
    if (n > LABEL_KEYS || (n == 0 && !besides))
        snprintf(text, LABEL_BYTES, "%s", c->run[first].label);
}

static bool is_shared(const struct stj_comparison *c, const struct stj_quantity *q)
{
    size_t n = 0;
    for (size_t i = 0; i < c->n; i++)
        n += isfinite(q->value[i]);
    return n > 1;
}

static bool differs(const struct stj_comparison *c, const struct stj_quantity *q)
{
    for (size_t i = 1; i < c->n; i++)
        if (q->value[i] != q->value[0] && !(isnan(q->value[i]) && isnan(q->value[0])))
            return true;
    return false;
}

static bool is_bounded(const struct stj_comparison *c, const struct stj_quantity *q)
{
    for (size_t i = 0; i < c->n; i++)
        if (isfinite(q->low[i]))
            return true;
    return false;
}

/* Is it one that lists show, or with an interval, or of a study? */
static bool is_told(const struct stj_comparison *c, const struct stj_quantity *q)
{
    return is_shared(c, q) && differs(c, q) &&
           (q->headline || is_bounded(c, q) || !q->request || strncmp(q->name, "study-", 6) == 0);
}

/* ---- tables ---- */

struct table {
    size_t n_rows;
    const char *(*name)(const struct stj_comparison *c, size_t row); /* NULL: the row is left out */
    void (*cell)(const struct stj_comparison *c, size_t row, size_t group, char text[CELL_BYTES]);
};

static const char *key_name(const struct stj_comparison *c, size_t row)
{
    return c->key[row].is_seed && c->n_groups < c->n ? NULL : c->key[row].name;
}

static void key_cell(const struct stj_comparison *c, size_t row, size_t group,
                     char text[CELL_BYTES])
{
    write_value(c->key[row].value[c->group[group].first], text);
}

static const char *quantity_name(const struct stj_comparison *c, size_t row)
{
    return is_told(c, &c->quantity[row]) ? c->quantity[row].name : NULL;
}

static void quantity_cell(const struct stj_comparison *c, size_t row, size_t group,
                          char text[CELL_BYTES])
{
    const struct stj_group_mean m = stj_compare_mean(c, &c->quantity[row], group);
    if (!isfinite(m.mean))
        snprintf(text, CELL_BYTES, "-");
    else if (isfinite(m.low))
        snprintf(text, CELL_BYTES, "%.5g [%.4g, %.4g]", m.mean, m.low, m.high);
    else
        snprintf(text, CELL_BYTES, "%.6g", m.mean);
}

static size_t column_width(const struct stj_comparison *c, const struct table *t, size_t group)
{
    size_t width = 4;
    for (size_t r = 0; r < t->n_rows; r++) {
        char text[CELL_BYTES] = "";
        if (t->name(c, r))
            t->cell(c, r, group, text);
        width = strlen(text) > width ? strlen(text) : width;
    }
    return width;
}

/* Columns from `begin` as far as they have room; returns the first that has none. */
static size_t print_columns(FILE *out, const struct stj_comparison *c, const struct table *t,
                            size_t begin, size_t names)
{
    size_t end = begin, width = names + 2;
    for (; end < c->n_groups; end++) {
        width += column_width(c, t, end) + 2;
        if (end > begin && width > ROW_WIDTH)
            break;
    }
    fprintf(out, "  %-*s", (int)names, "");
    for (size_t g = begin; g < end; g++)
        fprintf(out, "  %-*zu", g + 1 < end ? (int)column_width(c, t, g) : 0, g + 1);
    fputc('\n', out);
    for (size_t r = 0; r < t->n_rows; r++) {
        if (!t->name(c, r))
            continue;
        fprintf(out, "  %-*s", (int)names, t->name(c, r));
        for (size_t g = begin; g < end; g++) {
            char text[CELL_BYTES] = "";
            t->cell(c, r, g, text);
            fprintf(out, "  %-*s", g + 1 < end ? (int)column_width(c, t, g) : 0, text);
        }
        fputc('\n', out);
    }
    return end;
}

static void print_table(FILE *out, const char *title, const struct stj_comparison *c,
                        const struct table *t)
{
    size_t names = 0;
    for (size_t r = 0; r < t->n_rows; r++)
        if (t->name(c, r) && strlen(t->name(c, r)) > names)
            names = strlen(t->name(c, r));
    if (names == 0)
        return;
    fprintf(out, "\n%s\n", title);
    for (size_t g = 0; g < c->n_groups;)
        g = print_columns(out, c, t, g, names);
}

static void print_runs(FILE *out, const struct stj_comparison *c)
{
    for (size_t g = 0; g < c->n_groups; g++)
        for (size_t i = 0; i < c->n; i++)
            if (c->run[i].group == g)
                fprintf(out, "%-3zu %s\n", g + 1, c->run[i].info.dir);
    for (size_t i = 0; i < c->n_left_out; i++)
        fprintf(out, "left out: %s\n", c->left_out[i]);
    if (c->n_groups < c->n)
        fprintf(out, "Runs with the same number differ in seeds alone: of several, means over them "
                     "with 95 %% intervals.\n");
    if (c->n_keys == 0)
        fprintf(out, "Their configs are the same.\n");
}

static void print_comparison(FILE *out, const struct stj_comparison *c)
{
    const struct table keys = {c->n_keys, key_name, key_cell};
    const struct table quantities = {c->n_quantities, quantity_name, quantity_cell};
    size_t more = 0;
    print_runs(out, c);
    print_table(out, "configs:", c, &keys);
    print_table(out, "numbers:", c, &quantities);
    for (size_t i = 0; i < c->n_quantities; i++) {
        const struct stj_quantity *q = &c->quantity[i];
        more += is_shared(c, q) && differs(c, q) && !is_told(c, q);
        if (is_told(c, q) && q->other_request && q->headline)
            fprintf(out, "%s: the runs were asked differently (spectraj info says what)\n",
                    q->name);
    }
    if (more)
        fprintf(out, "and %zu more that differ (--json)\n", more);
}

/* ---- JSON ---- */

static json_t *json_of_keys(const struct stj_comparison *c)
{
    json_t *all = json_array();
    for (size_t k = 0; k < c->n_keys; k++) {
        json_t *values = json_array();
        for (size_t i = 0; i < c->n; i++)
            json_array_append(values, c->key[k].value[i] ? c->key[k].value[i] : json_null());
        json_array_append_new(all,
                              json_pack("{s:s, s:o}", "key", c->key[k].name, "values", values));
    }
    return all;
}

static json_t *json_of_quantity(const struct stj_comparison *c, const struct stj_quantity *q)
{
    json_t *mean = json_array(), *low = json_array(), *high = json_array();
    for (size_t g = 0; g < c->n_groups; g++) {
        const struct stj_group_mean m = stj_compare_mean(c, q, g);
        json_array_append_new(mean, stj_json_of_real(m.mean));
        json_array_append_new(low, stj_json_of_real(m.low));
        json_array_append_new(high, stj_json_of_real(m.high));
    }
    return json_pack("{s:s, s:s?, s:b, s:o, s:o, s:o, s:o, s:o, s:o}", "name", q->name, "request",
                     q->request, "same_request", !q->other_request, "values",
                     stj_json_of_numbers(c->n, q->value, stj_json_of_real), "low",
                     stj_json_of_numbers(c->n, q->low, stj_json_of_real), "high",
                     stj_json_of_numbers(c->n, q->high, stj_json_of_real), "mean", mean, "mean_low",
                     low, "mean_high", high);
}

/* *object <- all of it; figure[n]: paths. */
static enum stj_status json_of_comparison(const struct stj_comparison *c, const char *key,
                                          json_t *figures, json_t **object, struct stj_error *err)
{
    json_t *runs = json_array(), *quantities = json_array(), *left_out = json_array();
    for (size_t i = 0; i < c->n; i++)
        json_array_append_new(
            runs, json_pack("{s:o, s:o, s:i}", "dir", stj_json_of_text(c->run[i].info.dir), "label",
                            stj_json_of_text(c->run[i].label), "group", (int)c->run[i].group));
    for (size_t i = 0; i < c->n_quantities; i++)
        if (is_shared(c, &c->quantity[i]))
            json_array_append_new(quantities, json_of_quantity(c, &c->quantity[i]));
    for (size_t i = 0; i < c->n_left_out; i++)
        json_array_append_new(left_out, stj_json_of_text(c->left_out[i]));
    *object = json_pack("{s:i, s:o, s:o, s:o, s:o, s:s?, s:O}", "schema", STJ_JSON_SCHEMA, "runs",
                        runs, "left_out", left_out, "differs", json_of_keys(c), "quantities",
                        quantities, "by", key, "figures", figures);
    STJ_NEED(err, *object, STJ_ENOMEM, "out of memory for the JSON report");
    return STJ_OK;
}

/* ---- figures ---- */

/* "svd.top.sigma" of "svd.top.sigma[0]"; of a number with an interval in an object of several, that:
 * "density.regions". */
static void family_of(const struct stj_comparison *c, const struct stj_quantity *q,
                      char text[LABEL_BYTES])
{
    const char *dot = strrchr(q->name, '.');
    const bool several = is_bounded(c, q) && dot && strchr(q->name, '.') < dot;
    const size_t n = several ? (size_t)(dot - q->name) : strcspn(q->name, "[");
    snprintf(text, LABEL_BYTES, "%.*s", (int)n, q->name);
}

static bool in_family(const struct stj_comparison *c, const struct stj_quantity *q,
                      const char *name)
{
    char family[LABEL_BYTES];
    family_of(c, q, family);
    return is_shared(c, q) && (strcmp(q->name, name) == 0 || strcmp(family, name) == 0);
}

static double key_number(const struct stj_compared_key *key, size_t run)
{
    return json_number_value(key->value[run]);
}

/* group[*n] <- the groups that are like one in all but the key, by its numbers. */
static void order_groups(const struct stj_comparison *c, const struct stj_compared_key *key,
                         size_t like, size_t *group, size_t *n)
{
    *n = 0;
    for (size_t g = 0; g < c->n_groups; g++) {
        const size_t first = c->group[g].first;
        if (!stj_compare_same(c, c->group[like].first, first, key))
            continue;
        size_t k = (*n)++;
        for (; k > 0 && key_number(key, c->group[group[k - 1]].first) > key_number(key, first); k--)
            group[k] = group[k - 1];
        group[k] = g;
    }
}

/* Mean and interval of a quantity against the key, as one more curve. */
static enum stj_status add_curve(struct stj_chart *chart, const struct stj_comparison *c,
                                 const struct stj_quantity *q, const struct stj_compared_key *key,
                                 size_t n, const size_t *group, const char *label,
                                 struct stj_error *err)
{
    STJ_FREED double *number = NULL;
    STJ_MUST(stj_new(&number, 4 * n, sizeof *number, err));
    double *x = number, *mean = x + n, *low = mean + n, *high = low + n;
    const enum stj_chart_colour colour =
        (enum stj_chart_colour)(chart->n_series / 3 % STJ_CHART_N_COLOURS);
    for (size_t k = 0; k < n; k++) {
        const struct stj_group_mean m = stj_compare_mean(c, q, group[k]);
        x[k] = key_number(key, c->group[group[k]].first);
        mean[k] = m.mean;
        low[k] = m.low;
        high[k] = m.high;
    }
    STJ_MUST(stj_chart_add(chart, STJ_CHART_BOTH, colour, n, x, mean, err, "%s", label));
    STJ_MUST(stj_chart_add(chart, STJ_CHART_DASHED, colour, n, x, low, err, "%s", ""));
    return stj_chart_add(chart, STJ_CHART_DASHED, colour, n, x, high, err, "%s", "");
}

/* An axis of values of which the largest is so many times the smallest, and that is positive. */
static void choose_scale(const struct stj_chart *chart, bool of_y, double times,
                         struct stj_axis *axis)
{
    double low = HUGE_VAL, high = -HUGE_VAL;
    for (size_t i = 0; i < chart->n_series; i++)
        for (size_t k = 0; k < chart->series[i].n; k++) {
            const double v = of_y ? chart->series[i].y[k] : chart->series[i].x[k];
            low = isfinite(v) && v < low ? v : low;
            high = isfinite(v) && v > high ? v : high;
        }
    axis->log = low > 0 && high > times * low;
}

/* chart <- a quantity, or those of a family, against the key. */
static enum stj_status chart_by(struct stj_chart *chart, const struct stj_comparison *c,
                                const char *name, const struct stj_compared_key *key,
                                struct stj_error *err)
{
    STJ_FREED size_t *group = NULL;
    char quoted[LABEL_BYTES], label[LABEL_BYTES], whole[2 * LABEL_BYTES];
    size_t n = 0, members = 0;
    bool bounded = false;
    STJ_MUST(stj_new(&group, c->n_groups, sizeof *group, err));
    for (size_t i = 0; i < c->n_quantities; i++)
        members += in_family(c, &c->quantity[i], name);
    for (size_t i = 0; i < c->n_quantities; i++)
        bounded =
            bounded || (in_family(c, &c->quantity[i], name) && is_bounded(c, &c->quantity[i]));
    for (size_t i = 0; i < c->n_quantities; i++)
        for (size_t g = 0; g < c->n_groups && in_family(c, &c->quantity[i], name); g++) {
            order_groups(c, key, g, group, &n);
            size_t least = g;
            for (size_t k = 0; k < n; k++)
                least = group[k] < least ? group[k] : least;
            if (least != g) /* it is on the curve of a group before it */
                continue;
            label_group(c, g, key, label);
            snprintf(whole, sizeof whole, "%s%s%s",
                     members > 1 ? last_word(c->quantity[i].name) : "",
                     members > 1 && label[0] ? ", " : "", label);
            STJ_MUST(add_curve(chart, c, &c->quantity[i], key, n, group,
                               whole[0] ? whole : last_word(name), err));
        }
    STJ_NEED(err, chart->n_series > 0, STJ_EINVAL,
             "no two of the runs have a number '%s' (--json lists those that they have)", name);
    stj_chart_quote(key->name, quoted, sizeof quoted);
    stj_axis_name(&chart->x, key->name, quoted);
    stj_chart_quote(name, quoted, sizeof quoted);
    stj_axis_name(&chart->y, name, quoted);
    stj_chart_title(chart, "%s%s", quoted,
                    c->n_groups < c->n ? ": means over seeds, 95 % intervals"
                    : bounded          ? ", with intervals"
                                       : "");
    choose_scale(chart, false, 20, &chart->x);
    choose_scale(chart, true, 1000, &chart->y);
    return STJ_OK;
}

/* chart <- a figure of those runs that have what it needs; of less than two *made is false. */
static enum stj_status chart_overlay(struct stj_chart *chart, const struct stj_comparison *c,
                                     const char *figure, bool data, bool *made,
                                     struct stj_error *err)
{
    STJ_FREED struct stj_figure_source *source = NULL;
    STJ_FREED char(*label)[LABEL_BYTES] = NULL;
    STJ_FREED bool *seen = NULL;
    size_t n = 0;
    STJ_MUST(stj_new(&source, c->n, sizeof *source, err));
    STJ_MUST(stj_new(&label, c->n_groups, sizeof *label, err));
    STJ_MUST(stj_new(&seen, c->n_groups, sizeof *seen, err));
    for (size_t i = 0; i < c->n; i++) {
        STJ_HELD(stj_chart_free) struct stj_chart one = {.n_series = 0};
        const size_t g = c->run[i].group;
        STJ_MUST(stj_figure_if_stored(c->run[i].run, figure, &one, made, err));
        if (!*made)
            continue;
        label_group(c, g, NULL, label[g]);
        source[n++] = (struct stj_figure_source){
            .run = c->run[i].run, .label = label[g], .colour = g, .unlisted = seen[g]};
        seen[g] = true;
    }
    *made = n > 1;
    return n > 1 ? stj_figure_overlay(chart, n, source, figure, data, err) : STJ_OK;
}

static bool is_figure(const char *name)
{
    const char *known = NULL, *doc = NULL;
    for (size_t i = 0; stj_report_figure(i, &known, &doc); i++)
        if (strcmp(known, name) == 0)
            return true;
    return false;
}

/* One figure by its name. */
static enum stj_status put_figure(const struct stj_comparison *c, const char *name,
                                  const struct stj_compared_key *key,
                                  const struct stj_chart_target *target, bool *made,
                                  struct stj_error *err)
{
    STJ_HELD(stj_chart_free) struct stj_chart chart = {.n_series = 0};
    *made = true;
    if (strncmp(name, by, strlen(by)) == 0) {
        STJ_NEED(err, key, STJ_EINVAL,
                 "the runs differ in no number of their configs that '%s' could be drawn against",
                 name);
        STJ_MUST(chart_by(&chart, c, name + strlen(by), key, err));
    } else {
        STJ_NEED(
            err, is_figure(name), STJ_EINVAL,
            "there is no figure '%s' (spectraj plot RUN help lists those of a run; by-QUANTITY "
            "is one of several)",
            name);
        STJ_MUST(chart_overlay(&chart, c, name, target->data, made, err));
    }
    return *made ? stj_chart_put(target, &chart, name, err) : STJ_OK;
}

/* ---- all of the figures, in a folder ---- */

struct gallery {
    const struct stj_comparison *c;
    const struct stj_compared_key *key;
    const char *dir;
    FILE *out; /* NULL: paths are listed in `paths` alone */
    json_t *paths;
};

static enum stj_status put_into(struct gallery *g, const char *name, struct stj_error *err)
{
    STJ_FREED char *path = NULL;
    char file[LABEL_BYTES];
    bool made = false;
    struct stj_text_output text;
    snprintf(file, sizeof file, "%.140s.svg", name);
    STJ_MUST(stj_path_join(g->dir, file, &path, err));
    STJ_HELD(stj_text_drop) struct stj_text_output nowhere = {0};
    STJ_MUST(stj_text_open(&nowhere, err));
    const struct stj_chart_target target = {nowhere.file, STJ_REPORT_TEXT, path, false, NULL};
    STJ_MUST(put_figure(g->c, name, g->key, &target, &made, err));
    if (!made)
        return STJ_OK;
    STJ_NEED(err, json_array_append_new(g->paths, stj_json_of_text(path)) == 0, STJ_ENOMEM,
             "out of memory for a list of figures");
    if (!g->out)
        return STJ_OK;
    if (stj_text_begin(&text))
        fprintf(text.file, "%s\n", path);
    return stj_text_end(&text, g->out, err);
}

static enum stj_status put_gallery(struct gallery *g, struct stj_error *err)
{
    const char *name = NULL, *doc = NULL;
    char family[LABEL_BYTES], last[LABEL_BYTES] = "", figure[LABEL_BYTES + sizeof by];
    STJ_NEED(err, mkdir(g->dir, 0777) == 0 || errno == EEXIST, STJ_EIO,
             "%s: cannot be made a folder: %s", g->dir, strerror(errno));
    for (size_t i = 0; g->key && i < g->c->n_quantities; i++) {
        const struct stj_quantity *q = &g->c->quantity[i];
        family_of(g->c, q, family);
        if (!q->headline || !is_told(g->c, q) || strcmp(family, last) == 0)
            continue;
        memcpy(last, family, sizeof last);
        snprintf(figure, sizeof figure, "%s%s", by, family);
        STJ_MUST(put_into(g, figure, err));
    }
    for (size_t i = 0; stj_report_figure(i, &name, &doc);
         i++) /* those that are no charts are not */
        STJ_MUST(put_into(g, name, err));
    return STJ_OK;
}

enum stj_status stj_report_compare(FILE *out, enum stj_report_format format, size_t n,
                                   char *const *dir, const struct stj_compare_settings *settings,
                                   struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    bool made = false;
    struct stj_text_output text;
    json_t *object = NULL;
    STJ_NOT_NULL(err, out, dir);
    STJ_GOOD_SETTINGS(err, settings);
    STJ_HELD(stj_comparison_free) struct stj_comparison c = {.n = 0};
    struct gallery g = {.c = &c, .dir = settings->path};
    STJ_TRY(stj_compare_runs(n, dir, &c, err));
    STJ_TRY(stj_compare_choose_key(&c, settings->by, &g.key, err));
    if (settings->figure) {
        const struct stj_chart_target target = {out, format, settings->path, settings->data, NULL};
        STJ_TRY(put_figure(&c, settings->figure, g.key, &target, &made, err));
        STJ_CHECK(err, made, STJ_EINVAL, "less than two of the runs have what '%s' is drawn from",
                  settings->figure);
        goto out;
    }
    g.paths = json_array();
    g.out = format != STJ_REPORT_JSON ? out : NULL;
    if (g.out && stj_text_begin(&text))
        print_comparison(text.file, &c);
    if (g.out)
        STJ_TRY(stj_text_end(&text, out, err));
    if (settings->path)
        STJ_TRY(put_gallery(&g, err));
    if (!g.out)
        STJ_TRY(json_of_comparison(&c, g.key ? g.key->name : NULL, g.paths, &object, err));
    if (!g.out)
        STJ_TRY(stj_json_print(out, object, err));
out:
    json_decref(object);
    json_decref(g.paths);
    return st;
}
