/* SPDX-License-Identifier: GPL-3.0-or-later */
/* report/html.c: everything that is known of a run on one page, complete in itself. */
#include <spectraj/report.h>

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/analysis.h"
#include "analysis/print.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"
#include "io/file.h"
#include "report/contents.h"
#include "report/figures.h"
#include "report/network_figure.h"
#include "report/plot.h"
#include "report/svg.h"
#include "run/folder/run_lock.h"
#include "study/study.h"

enum { PAIRS_MAX = 100, UNFOLDED_MAX = 25, CONFIG_BYTES = 1 << 20 };

/* What the page is made of. */
struct page {
    FILE *out;
    struct stj_run *run;
    struct stj_contents contents;
    size_t data_bytes; /* of numbers to download: the page stays small */
};

static void page_free(struct page *page)
{
    stj_contents_free(&page->contents);
}

/* Text has a contrast of 4.5:1 on all its grounds, light and dark: tests/page.py. */
static const char style[] =
    ":root{color-scheme:light dark;--paper:#fff;--ink:#1a1a1a;--soft:#5f5f5f;--rule:#ddd;"
    "--band:#f5f5f2;--trained:#cfe6f5;--source:#f7e6c4}\n"
    "@media (prefers-color-scheme:dark){:root{--paper:#16181b;--ink:#e6e6e3;--soft:#a9adb2;"
    "--rule:#33373c;--band:#1e2125;--trained:#17384d;--source:#453817}}\n"
    "body{background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,sans-serif;"
    "margin:0 auto;max-width:60rem;padding:1.5rem 1rem 4rem}\n"
    "h1{font-size:1.7rem;line-height:1.2;margin:0 0 .2em}\n"
    "h2{font-size:1.25rem;margin:2.2em 0 .6em;border-bottom:1px solid var(--rule)}\n"
    ".lead{color:var(--soft);margin-top:0}.scroll{overflow-x:auto}a{color:inherit}\n"
    ":focus-visible{outline:2px solid var(--c3);outline-offset:2px}\n"
    "table{border-collapse:collapse;font-variant-numeric:tabular-nums;margin:.5em 0}\n"
    "th,td{padding:.25em .9em .25em 0;text-align:left;vertical-align:top}"
    "td.n,th.n{text-align:right}td.n{white-space:nowrap}thead th{border-bottom:1px solid "
    "var(--rule)}\n"
    "tbody tr:nth-child(even){background:var(--band)}\n"
    "figure{margin:1em 0 2em;max-width:46rem;break-inside:avoid}"
    "figcaption{font-weight:600;margin-bottom:.4em}.how{font-size:.95em;margin:.3em 0}\n"
    "pre{background:var(--band);padding:.8em;overflow-x:auto;font-size:.85em}"
    "summary{cursor:pointer;margin:.5em 0}\n"
    ".grid2{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,22rem),1fr));"
    "gap:0 2rem}\n"
    "@media (max-width:600px){.fields tr{display:grid;grid-template-columns:1fr auto}"
    ".fields td+td{grid-column:1/3;padding-left:1em}.fields th{overflow-wrap:anywhere}}\n"
    "@page{size:auto;margin:14mm}\n"
    "@media print{body{max-width:none;padding:0;font-size:9pt}.data,.more{display:none}"
    "details::details-content{content-visibility:visible;display:block}"
    "h1{font-size:15pt}h2{font-size:11.5pt;margin:1.4em 0 .4em}h2,.about{break-after:avoid}"
    "p{margin:.4em 0}table{font-size:7.5pt}th,td{padding:.1em .6em .1em 0}"
    "figure{max-width:none;margin:0 0 3mm}svg{max-width:85mm}svg text{font-size:17px}"
    "tr,thead{break-inside:avoid}.graph svg{max-height:240mm}pre{white-space:pre-wrap}}\n";

static void row_text(const struct page *p, const char *name, const char *value)
{
    fputs("<tr><th>", p->out);
    stj_html_text(p->out, name);
    fputs("</th><td>", p->out);
    stj_html_text(p->out, value);
    fputs("</td></tr>\n", p->out);
}

static void row_number(const struct page *p, const char *name, double value, const char *unit)
{
    char text[96];
    if (isfinite(value)) {
        snprintf(text, sizeof text, "%.6g%s%s", value, unit[0] ? " " : "", unit);
        row_text(p, name, text);
    }
}

/* Its graph, whose label reads the layers to those who do not see it. */
static enum stj_status write_network(const struct page *p, struct stj_error *err)
{
    const bool folded = p->contents.n_layers > UNFOLDED_MAX;
    fputs(folded ? "<details><summary>The network</summary>\n" : "", p->out);
    fputs("<figure class=\"graph scroll\"><figcaption>The network</figcaption>\n", p->out);
    STJ_MUST(stj_network_svg(p->out, p->run, err));
    fputs("<p class=\"how\">Each layer with its type, the shape of its output and its number of "
          "parameters; blue layers are trained, and a line at the right leads around layers that "
          "do not read it.</p></figure>\n",
          p->out);
    fputs(folded ? "</details>\n" : "", p->out);
    return STJ_OK;
}

static enum stj_status write_training(const struct page *p, struct stj_error *err)
{
    const struct stj_run_info *info = &p->contents.info;
    fputs("<h2 id=\"trained\">What was trained</h2>\n<div class=\"grid2\"><div "
          "class=\"scroll\"><table>\n",
          p->out);
    row_number(p, "parameters N", (double)info->n_params, "");
    row_number(p, "steps", (double)info->n_steps, "");
    row_number(p, "rows of a step", (double)info->batch_size, "");
    row_number(p, "training set", (double)info->train_rows, "rows");
    row_number(p, "test set", (double)info->test_rows, "rows");
    row_text(p, "optimizer", info->optimizer);
    row_text(p, "loss", info->loss);
    if (info->average)
        row_text(p, "end point: the average of states", info->average);
    row_number(p, "training loss at the end", info->train_loss, "");
    row_number(p, "test loss", info->test_loss, "");
    row_number(p, "test accuracy", info->test_accuracy, "");
    row_number(p, "time of the training", info->seconds, "s");
    fputs("</table></div>\n", p->out);
    STJ_MUST(write_network(p, err));
    fputs("</div>\n", p->out);
    const struct stj_training_remarks remarks = stj_run_remarks(info);
    fputs("<p><b>", p->out); /* numbers and words: nothing to escape */
    stj_print_remarks(p->out, &remarks);
    fputs("</b></p>\n", p->out);
    return STJ_OK;
}

/* ---- results ---- */

static void number_text(const struct stj_field *field, double x, char text[32])
{
    const bool whole = field->kind == STJ_FIELD_COUNT || field->kind == STJ_FIELD_FLAG ||
                       field->kind == STJ_FIELD_SEED;
    /* Singular values have more digits than other numbers, most of which are estimates or errors. */
    const bool sigma = strcmp(stj_field_short_name(field), "sigma") == 0;
    snprintf(text, 32, isfinite(x) ? whole ? "%.0f" : sigma ? "%.10g" : "%.6g" : "-", x);
}

static void write_single(const struct page *p, const struct stj_field *field, const void *data)
{
    char value[32], text[256];
    const char *word = stj_field_text(field, data);
    if (!stj_field_is_there(field, data))
        return;
    number_text(field, stj_field_number(field, data, 0, 0), value);
    snprintf(text, sizeof text, "%s%s%s", word ? word : value, field->unit ? " " : "",
             field->unit ? field->unit : "");
    fputs("<tr><th>", p->out);
    stj_html_text(p->out, field->name);
    fputs("</th><td>", p->out);
    stj_html_text(p->out, text);
    fputs("</td><td>", p->out);
    stj_html_text(p->out, field->doc);
    fputs("</td></tr>\n", p->out);
}

/* Has the result this column of a table, with a number in it? */
static bool has_column(const struct stj_result *r, const struct stj_field *f, const char *dim)
{
    bool any = false;
    if (!stj_field_is_column(f, dim) || !stj_field_is_there(f, r->data))
        return false;
    for (size_t i = 0; i < stj_field_view(f, r->data).n[0] && !any; i++)
        any = isfinite(stj_field_number(f, r->data, i, 0));
    return any;
}

/* Of column f: the last word of its name, or all of it where a column before has that word.  It may
 * be broken into its parts. */
static void write_head(const struct page *p, const struct stj_field *first,
                       const struct stj_field *f)
{
    const char *name = stj_field_short_name(f);
    for (const struct stj_field *g = first; g != f; g++)
        if (stj_field_is_column(g, first->dim[0].name) &&
            strcmp(stj_field_short_name(g), stj_field_short_name(f)) == 0)
            name = f->name;
    fputs("<th class=\"n\">", p->out);
    for (; *name; name++)
        fprintf(p->out, "%c%s", *name, *name == '_' || *name == '.' ? "<wbr>" : "");
    fputs("</th>", p->out);
}

/* The arrays along one dimension as columns; *first: the first of them. */
static void write_columns(const struct page *p, const struct stj_result *r,
                          const struct stj_field *first)
{
    char value[32];
    const char *dim = first->dim[0].name;
    const size_t n = stj_field_view(first, r->data).n[0];
    const size_t shown = n < PAIRS_MAX ? n : PAIRS_MAX;
    if (n == 0)
        return;
    if (n > UNFOLDED_MAX)
        fprintf(p->out,
                "<details class=\"more\"><summary>Table of %zu rows, one per %s</summary>\n", n,
                dim);
    fprintf(p->out, "<div class=\"scroll\"><table><thead><tr><th class=\"n\">%s</th>", dim);
    for (const struct stj_field *f = first; f->name; f++)
        if (has_column(r, f, dim))
            write_head(p, first, f);
    fputs("</tr></thead><tbody>\n", p->out);
    for (size_t i = 0; i < shown; i++) {
        if (first->dim[0].label)
            fprintf(p->out, "<tr><td>%s</td>", first->dim[0].label[i]);
        else
            fprintf(p->out, "<tr><td class=\"n\">%zu</td>", i + !first->dim[0].from_zero);
        for (const struct stj_field *f = first; f->name; f++)
            if (has_column(r, f, dim)) {
                number_text(f, stj_field_number(f, r->data, i, 0), value);
                fprintf(p->out, "<td class=\"n\">%s</td>", value);
            }
        fputs("</tr>\n", p->out);
    }
    fputs("</tbody></table></div>\n", p->out);
    if (shown < n) {
        fprintf(p->out, "<p>%zu more are in ", n - shown);
        stj_html_text(p->out, r->about.file);
        fputs(".</p>\n", p->out);
    }
    if (n > UNFOLDED_MAX)
        fputs("</details>\n", p->out);
}

/* The numbers of a figure in the page itself, where they are not too many. */
static enum stj_status write_data(struct page *p, const struct stj_chart *chart, const char *name,
                                  struct stj_error *err)
{
    enum { ONE_MAX = 300000, ALL_MAX = 900000 };
    STJ_HELD(stj_text_drop) struct stj_text_output csv = {0};
    STJ_FREED char *text = NULL;
    STJ_MUST(stj_text_open(&csv, err));
    stj_plot_csv(csv.file, chart);
    STJ_MUST(stj_text_take(&csv, &text, err));
    const size_t bytes = strlen(text);
    if (bytes > ONE_MAX || p->data_bytes + bytes > ALL_MAX) {
        fprintf(p->out, "<p class=\"data\">Its numbers: spectraj plot RUN %s --data</p>\n", name);
        return STJ_OK;
    }
    p->data_bytes += bytes;
    fprintf(p->out, "<p class=\"data\"><a download=\"%s.csv\" href=\"data:text/csv,", name);
    for (const unsigned char *c = (const unsigned char *)text; *c; c++)
        fprintf(p->out, strchr(" %#\"<>&'\n", *c) || *c < ' ' || *c > '~' ? "%%%02X" : "%c", *c);
    fputs("\">its numbers as CSV</a></p>\n", p->out);
    return STJ_OK;
}

/* How figures are read; of the others their line of doc says what they show. */
static const char *how_to_read(const char *name, const char *doc)
{
    static const char *const how[][2] = {
        {"spectrum", "Each value is drawn at its rank: above the upper dashed line perturbations "
                     "of the start grow, below the lower one they shrink, between them they stay."},
        {"density", "How many values lie around each sigma, with the interval of the estimate; the "
                    "shaded part is not resolved."},
        {"loss", "The loss of each batch before its step; the darker line is its mean over an "
                 "epoch."},
        {"spectrum-at", "Each line follows one singular value as the training grows longer."},
        {"regions-at",
         "How many values are chaotic, bulk and stable, as the training grows longer."},
        {NULL, NULL}};
    for (size_t i = 0; how[i][0]; i++)
        if (strcmp(how[i][0], name) == 0)
            return how[i][1];
    return doc;
}

static enum stj_status write_figure(struct page *p, const struct stj_chart *chart, const char *name,
                                    const char *doc, struct stj_error *err)
{
    stj_svg_chart(p->out, chart);
    fputs("<p class=\"how\">", p->out);
    stj_html_text(p->out, how_to_read(name, doc));
    fputs("</p>\n", p->out);
    STJ_MUST(write_data(p, chart, name, err));
    fputs("</figure>\n", p->out);
    return STJ_OK;
}

/* The figures of the run itself and of its windows. */
static enum stj_status write_figures(struct page *p, struct stj_error *err)
{
    const char *name = NULL, *doc = NULL;
    for (size_t i = 0; stj_report_figure(i, &name, &doc); i++) {
        STJ_HELD(stj_chart_free) struct stj_chart chart = {.n_series = 0};
        bool made = false;
        if (!stj_figure_of_run(name))
            continue;
        STJ_MUST(stj_figure_if_stored(p->run, name, &chart, &made, err));
        if (made)
            STJ_MUST(write_figure(p, &chart, name, doc, err));
    }
    return STJ_OK;
}

/* What a number of this result is: exact or an estimate. */
static const char *kind_of(const char *analysis)
{
    static const char *const kind[][2] = {
        {"dense",
         "Exact: all singular values were computed, up to rounding, and counts of them are "
         "counts."},
        {"svd",
         "Converged singular values, each with a residual that bounds its error; values "
         "beyond them were not computed, so counts of regions are not known from them alone."},
        {"density",
         "Estimates: counts come from random probes, each with an interval that contains "
         "the true count as often as the confidence says."},
        {"trace", "Estimates from random vectors, each with its interval."},
        {NULL, NULL}};
    for (size_t i = 0; kind[i][0]; i++)
        if (strcmp(kind[i][0], analysis) == 0)
            return kind[i][1];
    return NULL;
}

/* The number of a result that lists show, too, after the words `lead`. */
static void write_found(const struct page *p, const struct stj_headline *h, const char *lead)
{
    if (!h->field || !isfinite(h->value))
        return;
    fputs(lead, p->out);
    stj_html_text(p->out, stj_headline_name(h));
    fprintf(p->out, " %.6g", h->value);
    if (isfinite(h->low) && isfinite(h->high))
        fprintf(p->out, ", an estimate (%.6g to %.6g)", h->low, h->high);
}

static void write_heading(const struct page *p, size_t number, const char *doc)
{
    fprintf(p->out, "<h2 id=\"r%zu\">", number);
    stj_html_text(p->out, p->contents.result[number].name);
    fputs(": ", p->out);
    stj_html_text(p->out, doc);
    fputs("</h2>\n", p->out);
}

static void write_about(const struct page *p, size_t number, const struct stj_result *r)
{
    const struct stj_result_about *about = &r->about;
    fprintf(p->out, "<p class=\"about\">J(%zu -> %zu)", about->part.from, about->part.to);
    if (about->part.layers) {
        fputs(" of ", p->out);
        stj_html_text(p->out, about->part.layers);
    }
    fputs(about->part.full_state ? ", full state; " : "; ", p->out);
    if (isfinite(about->spent.jvp) && isfinite(about->seconds)) /* as older files do not say */
        fprintf(p->out, "%.6g products with J and %.6g with J', %.3g s; ", about->spent.jvp,
                about->spent.vjp, about->seconds);
    stj_html_text(p->out, about->created ? about->created : "of an older version");
    write_found(p, &p->contents.result[number].headline, "; found: ");
    fputs(".</p>\n", p->out);
    if (!stj_result_is_complete(r, NULL))
        fprintf(p->out, "<p class=\"about\"><b>Not all that was asked for: %s.</b></p>\n",
                r->analysis->unconverged ? r->analysis->unconverged : "unfinished");
    if (kind_of(r->analysis->info.name))
        fprintf(p->out, "<p class=\"about\">%s</p>\n", kind_of(r->analysis->info.name));
}

static enum stj_status write_result(struct page *p, size_t number, const struct stj_result *r,
                                    struct stj_error *err)
{
    const struct stj_field *schema = r->analysis->schema;
    write_heading(p, number, r->analysis->info.doc);
    write_about(p, number, r);
    for (const struct stj_analysis_figure *f = r->analysis->figures; f && f->doc; f++) {
        STJ_HELD(stj_chart_free) struct stj_chart chart = {.n_series = 0};
        struct stj_error none = STJ_ERROR_INIT; /* not of this result: a spectrum without pairs */
        const enum stj_status st = f->make(r, &chart, &none);
        if (st == STJ_OK)
            STJ_MUST(write_figure(p, &chart, f->name, f->doc, err));
        stj_error_clear(&none);
    }
    for (const struct stj_field *f = schema; f->name; f++)
        if (stj_field_is_first_column(schema, f))
            write_columns(p, r, f);
    fputs("<details class=\"fields more\"><summary>All single numbers of ", p->out);
    stj_html_text(p->out, r->about.file);
    fputs("</summary>\n<table>\n", p->out);
    for (const struct stj_field *f = schema; f->name; f++)
        if (!f->dim[0].name && stj_field_in(f, STJ_FIELD_IN_JSON))
            write_single(p, f, r->data);
    fputs("</table></details>\n", p->out);
    return STJ_OK;
}

/* "study-NAME-TAG": its plug-in, and *tag <- its tag, NULL without one. */
static const struct stj_study_ops *study_of(const char *stem, const char **tag)
{
    for (size_t i = 0; stj_studies.list[i]; i++) {
        const char *name = stj_studies.list[i]->name;
        const size_t n = strlen(name);
        const char *rest = stem + strlen("study-") + n;
        if (strncmp(stem + strlen("study-"), name, n) == 0 && (!*rest || *rest == '-')) {
            *tag = *rest ? rest + 1 : NULL;
            return (const struct stj_study_ops *)stj_studies.list[i];
        }
    }
    return NULL;
}

/* A study as the command prints it, and the figures that its result can make. */
static enum stj_status write_study(struct page *p, size_t number, const char *stem,
                                   struct stj_error *err)
{
    STJ_HELD(stj_study_result_destroy_at) struct stj_study_result *result = NULL;
    STJ_HELD(stj_text_drop) struct stj_text_output text = {0};
    STJ_FREED char *table = NULL;
    const char *tag = NULL;
    const struct stj_study_ops *ops = study_of(stem, &tag);
    if (ops)
        STJ_MUST(stj_result_read_study(p->run, ops->info.name, tag, &result, err));
    if (!result)
        return STJ_OK;
    write_heading(p, number, ops->info.doc);
    for (const struct stj_study_figure *f = ops->figures; f->doc; f++) {
        STJ_HELD(stj_chart_free) struct stj_chart chart = {.n_series = 0};
        struct stj_error none = STJ_ERROR_INIT; /* not of this result */
        if (f->make(result, &chart, &none) == STJ_OK)
            STJ_MUST(write_figure(p, &chart, f->name, f->doc, err));
        stj_error_clear(&none);
    }
    STJ_MUST(stj_text_open(&text, err));
    STJ_MUST(stj_report_study(text.file, STJ_REPORT_TEXT, result, err));
    STJ_MUST(stj_text_take(&text, &table, err));
    fputs("<pre>", p->out);
    stj_html_text(p->out, table);
    fputs("</pre>\n", p->out);
    return STJ_OK;
}

/* Every stored result. */
static enum stj_status write_results(struct page *p, struct stj_error *err)
{
    for (size_t i = 0; i < p->contents.n_results; i++) {
        STJ_HELD(stj_result_destroy_at) struct stj_result *result = NULL;
        char name[256];
        const char *file = p->contents.result[i].name;
        snprintf(name, sizeof name, "%.*s", (int)(strlen(file) - 3), file);
        if (strncmp(file, "study-", 6) == 0) {
            STJ_MUST(write_study(p, i, name, err));
            continue;
        }
        STJ_MUST(stj_result_read(p->run, name, NULL, &result, err));
        if (result)
            STJ_MUST(write_result(p, i, result, err));
    }
    return STJ_OK;
}

/* ---- the beginning ---- */

static void write_links(const struct page *p)
{
    fputs("<nav aria-label=\"Contents and what was found\"><ul>\n<li><a href=\"#trained\">What was "
          "trained</a></li>\n",
          p->out);
    for (size_t i = 0; i < p->contents.n_results; i++) {
        fprintf(p->out, "<li><a href=\"#r%zu\">", i);
        stj_html_text(p->out, p->contents.result[i].name);
        fputs("</a>", p->out);
        write_found(p, &p->contents.result[i].headline, ": ");
        fputs("</li>\n", p->out);
    }
    fputs("<li><a href=\"#again\">To reproduce</a></li></ul></nav>\n", p->out);
}

/* "sgd (momentum 0.9, ...)": what the config says of one of its plug-ins. */
static void write_settings(const struct page *p, const json_t *object)
{
    const json_t *name = json_object_get(object, "type");
    const char *sep = " (", *key = NULL;
    const json_t *value = NULL;
    if (!json_is_string(name))
        name = json_object_get(object, "schedule");
    if (json_is_string(name))
        stj_html_text(p->out, json_string_value(name));
    json_object_foreach((json_t *)object, key, value)
    {
        if (value == name || !(json_is_number(value) || json_is_boolean(value)))
            continue;
        fprintf(p->out, "%s%s ", sep, key);
        if (json_is_number(value))
            fprintf(p->out, "%.6g", json_number_value(value));
        else
            fputs(json_is_true(value) ? "yes" : "no", p->out);
        sep = ", ";
    }
    if (sep[0] == ',')
        fputc(')', p->out);
}

static void write_trained(const struct page *p, const json_t *config)
{
    const struct stj_run_info *info = &p->contents.info;
    const json_t *training = json_object_get(config, "training");
    const json_t *train = json_object_get(json_object_get(config, "data"), "train");
    const char *file = json_string_value(json_object_get(train, "file"));
    const json_t *seed = json_object_get(training, "seed");
    char when[STJ_LISTED_DATE_MAX];
    fprintf(p->out,
            "<p>A network of %zu layers with %zu trained parameters was trained on %zu rows",
            info->n_layers, info->n_params, info->train_rows);
    if (file) {
        const char *slash = strrchr(file, '/');
        fputs(" of ", p->out);
        stj_html_text(p->out, slash ? slash + 1 : file);
    }
    stj_contents_when(info->dir, when);
    fprintf(p->out, "%s%.10s for %zu steps of %zu rows, by ", when[0] ? " on " : "", when,
            info->n_steps, info->batch_size);
    if (json_is_object(json_object_get(training, "optimizer")))
        write_settings(p, json_object_get(training, "optimizer"));
    else
        stj_html_text(p->out, info->optimizer);
    if (json_is_object(json_object_get(training, "learning_rate"))) {
        fputs(", learning rate ", p->out);
        write_settings(p, json_object_get(training, "learning_rate"));
    }
    if (json_is_integer(seed))
        fprintf(p->out, ", seed %" JSON_INTEGER_FORMAT, json_integer_value(seed));
    if (info->version) {
        fputs(", with spectraj ", p->out);
        stj_html_text(p->out, info->version);
    }
    if (isfinite(info->train_loss))
        fprintf(p->out, "; its training loss at the end is %.6g", info->train_loss);
    if (p->contents.n_results == 0)
        fputs(". No analysis is stored yet", p->out);
    fputs(".</p>\n", p->out);
}

static enum stj_status write_beginning(const struct page *p, struct stj_error *err)
{
    STJ_FREED char *text = NULL;
    STJ_MUST(stj_run_config_json(p->run, &text, err));
    json_t *config = json_loads(text, 0, NULL);
    write_trained(p, config);
    json_decref(config);
    write_links(p);
    return STJ_OK;
}

static int by_time(const void *a, const void *b)
{
    const struct stj_contents_result *const *x = a;
    const struct stj_contents_result *const *y = b;
    const int order =
        strcmp((*x)->created ? (*x)->created : "", (*y)->created ? (*y)->created : "");
    return order ? order : strcmp((*x)->name, (*y)->name);
}

/* `length` characters of it; -1: all. */
static void write_command(const struct page *p, const char *command, int length)
{
    char line[4096];
    snprintf(line, sizeof line, "%.*s", length, command ? command : "");
    stj_html_text(p->out, line);
    if (line[0])
        fputc('\n', p->out);
}

/* The second run of a study.  Another one than the last takes its place. */
static void write_other_run(const struct page *p, const char *config,
                            const struct stj_contents_source *source, const char *last)
{
    if (!config) {
        fputs("# RUN2, a training of its own, was ", p->out);
        write_command(p, source->command, (int)source->command_length);
        return;
    }
    if (last && strcmp(config, last) == 0)
        return;
    fputs("cat > RUN2.yaml << 'END_OF_CONFIG'\n", p->out);
    stj_html_text(p->out, config);
    fprintf(p->out, "END_OF_CONFIG\nspectraj train RUN2.yaml -o RUN2%s\n", last ? " --force" : "");
}

/* What the result was made with: other results, and "RUN2 FINGERPRINT DIR" of another run. */
static void write_sources(const struct page *p, const struct stj_contents_result *result,
                          const char **last)
{
    struct stj_contents_source source;
    for (const char *lines = result->source; stj_contents_next_source(&lines, &source);)
        if (strncmp(source.file, "RUN2 ", 5) == 0) {
            write_other_run(p, result->config2, &source, *last);
            *last = result->config2 ? result->config2 : *last;
        } else if (source.command_length > 0) {
            write_command(p, source.command, (int)source.command_length);
        }
}

/* A script that makes the same numbers: what a result was made with comes before it, as it was
 * then, and may be replaced by a larger answer after it. */
static enum stj_status write_commands(const struct page *p, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const struct stj_contents *c = &p->contents;
    const struct stj_contents_result **order = NULL;
    const char *config2 = NULL; /* of the RUN2 that the script has at this point */
    STJ_TRY(stj_new(&order, c->n_results, sizeof *order, err));
    for (size_t i = 0; i < c->n_results; i++)
        order[i] = &c->result[i];
    if (c->n_results > 1)
        qsort(order, c->n_results, sizeof *order, by_time);
    fputs("<h2 id=\"again\">To reproduce</h2>\n<pre>spectraj train config.yaml -o RUN\n", p->out);
    for (size_t i = 0; i < c->n_results; i++) {
        write_sources(p, order[i], &config2);
        write_command(p, order[i]->command, -1);
    }
    fputs("spectraj report RUN\n</pre>\n<div class=\"scroll\"><table>\n", p->out);
    row_text(p, "fingerprint", c->info.fingerprint);
    row_text(p, "trained by", c->info.version);
    row_text(p, "BLAS", c->info.blas);
    fputs("</table></div>\n<p>Stored results:", p->out);
    for (size_t i = 0; i < c->n_results; i++) {
        fputs(i ? ", " : " ", p->out);
        stj_html_text(p->out, c->result[i].name);
    }
    fputs(c->n_results ? ".</p>\n" : " none yet.</p>\n", p->out);
out:
    free(order);
    return st;
}

static enum stj_status write_config(const struct page *p, struct stj_error *err)
{
    STJ_FREED char *path = NULL;
    STJ_FREED char *text = NULL;
    STJ_MUST(stj_path_join(p->contents.info.dir, "config.yaml", &path, err));
    STJ_MUST(stj_file_read_text(path, CONFIG_BYTES, &text, err));
    fputs("<details><summary>config.yaml, with all defaults filled in</summary>\n<pre>", p->out);
    stj_html_text(p->out, text);
    fputs("</pre></details>\n", p->out);
    return STJ_OK;
}

static enum stj_status write_page(struct page *p, struct stj_error *err)
{
    FILE *out = p->out;
    fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
          "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
          "<link rel=\"icon\" href=\"data:,\">\n<title>Training Jacobian of ",
          out);
    stj_html_text(out, p->contents.info.dir);
    fprintf(out, "</title>\n<style>\n%s", style);
    stj_svg_style(out);
    fputs("</style>\n</head>\n<body>\n<h1>Training Jacobian of ", out);
    stj_html_text(out, p->contents.info.dir);
    fprintf(out,
            "</h1>\n<p class=\"lead\">J = d theta_n / d theta_0: %zu parameters, %zu steps of "
            "%s.</p>\n",
            p->contents.info.n_params, p->contents.info.n_steps, p->contents.info.optimizer);
    STJ_MUST(write_beginning(p, err));
    STJ_MUST(write_training(p, err));
    STJ_MUST(write_figures(p, err));
    STJ_MUST(write_results(p, err));
    STJ_MUST(write_commands(p, err));
    STJ_MUST(write_config(p, err));
    fputs("</body>\n</html>\n", out);
    return STJ_OK;
}

enum stj_status stj_report_html(struct stj_run *run, const char *path, struct stj_error *err)
{
    STJ_NOT_NULL(err, run);
    STJ_HELD(page_free) struct page p = {.run = run};
    STJ_HELD(stj_text_drop) struct stj_text_output out = {0};
    STJ_FREED char *text = NULL, *own_path = NULL;
    STJ_HELD(stj_lock_release_at) struct stj_lock *lock = NULL;
    STJ_MUST(stj_contents_of(run, &p.contents, err));
    STJ_MUST(stj_text_open(&out, err));
    p.out = out.file;
    STJ_MUST(write_page(&p, err));
    STJ_MUST(stj_text_take(&out, &text, err));
    if (!path)
        STJ_MUST(stj_path_join(p.contents.info.dir, "report.html", &own_path, err));
    if (!path)
        STJ_MUST(stj_run_lock(run, own_path, NULL, &lock, err));
    return stj_file_write_text(path ? path : own_path, text, err);
}
