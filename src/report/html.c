/* SPDX-License-Identifier: GPL-3.0-or-later */
/* report/html.c: everything that is known of a run on one page, complete in itself. */
#include <spectraj/report.h>

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
#include "report/svg.h"
#include "run/folder/run_lock.h"

enum { PAIRS_MAX = 100, UNFOLDED_MAX = 25, CONFIG_BYTES = 1 << 20 };

/* What the page is made of. */
struct page {
    FILE *out;
    struct stj_run *run;
    struct stj_contents contents;
};

static void page_free(struct page *page)
{
    stj_contents_free(&page->contents);
}

static const char style[] =
    ":root{color-scheme:light "
    "dark;--paper:#fff;--ink:#1a1a1a;--soft:#777;--rule:#ddd;--band:#f5f5f2}\n"
    "@media (prefers-color-scheme:dark){:root{--paper:#16181b;--ink:#e6e6e3;--soft:#8d9196;"
    "--rule:#33373c;--band:#1e2125}}\n"
    "body{background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,sans-serif;margin:0 "
    "auto;"
    "max-width:60rem;padding:1.5rem 1rem 4rem}\n"
    "h1{font-size:1.7rem;line-height:1.2;margin:0 0 .2em}h2{font-size:1.25rem;margin:2.2em 0 .6em;"
    "border-bottom:1px solid var(--rule)}\n"
    ".lead{color:var(--soft);margin-top:0}.scroll{overflow-x:auto}\n"
    "table{border-collapse:collapse;font-variant-numeric:tabular-nums}"
    "th,td{padding:.25em .9em .25em 0;text-align:left;vertical-align:top}"
    "td.n,th.n{text-align:right}tbody tr:nth-child(even){background:var(--band)}"
    "thead th{border-bottom:1px solid var(--rule)}\n"
    "figure{margin:1em 0 "
    "2em;max-width:46rem;break-inside:avoid}figcaption{font-weight:600;margin-bottom:.4em}"
    "pre{background:var(--band);padding:.8em;overflow-x:auto;font-size:.85em}"
    "summary{cursor:pointer}\n"
    ".grid2{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,22rem),1fr));gap:0 "
    "2rem}\n"
    "@media "
    "print{body{max-width:none;padding:0;font-size:11pt}details{display:block}a{color:inherit}}\n";

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

static void write_training(const struct page *p)
{
    const struct stj_run_info *info = &p->contents.info;
    fputs("<h2>What was trained</h2>\n<div class=\"grid2\"><div class=\"scroll\"><table>\n",
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
    fputs("</table></div>\n<div class=\"scroll\"><table><thead><tr><th>layer</th><th>output</th>"
          "<th class=\"n\">parameters</th></tr></thead><tbody>\n",
          p->out);
    for (size_t i = 0; i < p->contents.n_layers; i++) {
        const struct stj_run_layer *layer = &p->contents.layer[i];
        fputs("<tr><td>", p->out);
        stj_html_text(p->out, layer->label ? layer->label : layer->type);
        fputs("</td><td>", p->out);
        stj_html_text(p->out, layer->shape);
        fprintf(p->out, "</td><td class=\"n\">%zu</td></tr>\n", layer->n_params);
    }
    fputs("</tbody></table></div></div>\n", p->out);
    const struct stj_training_remarks remarks = stj_run_remarks(info);
    fputs("<p><b>", p->out); /* numbers and words: nothing to escape */
    stj_print_remarks(p->out, &remarks);
    fputs("</b></p>\n", p->out);
}

/* ---- results ---- */

static void number_text(const struct stj_field *field, double x, char text[32])
{
    const bool whole = field->kind == STJ_FIELD_COUNT || field->kind == STJ_FIELD_FLAG ||
                       field->kind == STJ_FIELD_SEED;
    snprintf(text, 32, isfinite(x) ? whole ? "%.0f" : "%.10g" : "-", x);
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
        fprintf(p->out, "<details><summary>%zu along %s</summary>\n", n, dim);
    fprintf(p->out, "<div class=\"scroll\"><table><thead><tr><th class=\"n\">%s</th>", dim);
    for (const struct stj_field *f = first; f->name; f++)
        if (stj_field_is_column(f, dim))
            fprintf(p->out, "<th class=\"n\">%s</th>", stj_field_short_name(f));
    fputs("</tr></thead><tbody>\n", p->out);
    for (size_t i = 0; i < shown; i++) {
        if (first->dim[0].label)
            fprintf(p->out, "<tr><td>%s</td>", first->dim[0].label[i]);
        else
            fprintf(p->out, "<tr><td class=\"n\">%zu</td>", i + 1);
        for (const struct stj_field *f = first; f->name; f++)
            if (stj_field_is_column(f, dim)) {
                number_text(f, stj_field_number(f, r->data, i, 0), value);
                fprintf(p->out, "<td class=\"n\">%s</td>", value);
            }
        fputs("</tr>\n", p->out);
    }
    fputs("</tbody></table></div>\n", p->out);
    if (shown < n)
        fprintf(p->out, "<p>%zu more are in %s.</p>\n", n - shown, r->about.file);
    if (n > UNFOLDED_MAX)
        fputs("</details>\n", p->out);
}

static void write_result(const struct page *p, const struct stj_result *r)
{
    const struct stj_field *schema = r->analysis->schema;
    const struct stj_result_about *about = &r->about;
    fputs("<h2>", p->out);
    stj_html_text(p->out, about->file);
    fputs(": ", p->out);
    stj_html_text(p->out, r->analysis->info.doc);
    fprintf(p->out, "</h2>\n<p>J(%zu -> %zu)", about->part.from, about->part.to);
    if (about->part.layers) {
        fputs(" of ", p->out);
        stj_html_text(p->out, about->part.layers);
    }
    fprintf(p->out, "%s; %.6g products with J and %.6g with J', %.3g s; ",
            about->part.full_state ? ", full state" : "", about->spent.jvp, about->spent.vjp,
            about->seconds);
    stj_html_text(p->out, about->created ? about->created : "of an older version");
    fputs(".</p>\n", p->out);
    if (!stj_result_is_complete(r, NULL))
        fprintf(p->out, "<p><b>Not all that was asked for: %s.</b></p>\n",
                r->analysis->unconverged ? r->analysis->unconverged : "unfinished");
    fputs("<div class=\"scroll\"><table>\n", p->out);
    for (const struct stj_field *f = schema; f->name; f++)
        if (!f->dim[0].name && stj_field_in(f, STJ_FIELD_IN_JSON))
            write_single(p, f, r->data);
    fputs("</table></div>\n", p->out);
    for (const struct stj_field *f = schema; f->name; f++)
        if (stj_field_is_first_column(schema, f))
            write_columns(p, r, f);
}

/* Every stored result of an analysis. */
static enum stj_status write_results(const struct page *p, struct stj_error *err)
{
    STJ_HELD(stj_result_destroy_at) struct stj_result *result = NULL;
    for (size_t i = 0; i < p->contents.n_results; i++) {
        char name[256];
        const char *file = p->contents.result[i].name;
        if (strncmp(file, "study-", 6) == 0)
            continue;
        snprintf(name, sizeof name, "%.*s", (int)(strlen(file) - 3), file);
        STJ_MUST(stj_result_read(p->run, name, NULL, &result, err));
        if (result)
            write_result(p, result);
        stj_result_destroy(result);
        result = NULL;
    }
    return STJ_OK;
}

/* Every figure that the stored results can make. */
static enum stj_status write_figures(const struct page *p, struct stj_error *err)
{
    const char *name = NULL, *doc = NULL;
    for (size_t i = 0; stj_report_figure(i, &name, &doc); i++) {
        struct stj_chart chart = {.n_series = 0};
        bool made = false;
        STJ_MUST(stj_figure_if_stored(p->run, name, &chart, &made, err));
        if (made)
            stj_svg_chart(p->out, &chart);
        stj_chart_free(&chart);
    }
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
    fputs("<h2>To reproduce</h2>\n<pre>spectraj train config.yaml -o RUN\n", p->out);
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

static enum stj_status write_page(const struct page *p, struct stj_error *err)
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
    write_training(p);
    fputs("<h2>Spectrum</h2>\n", out);
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
