/* SPDX-License-Identifier: GPL-3.0-or-later */
/* report/html.c: everything that is known of a run on one page, complete in itself. */
#include <spectraj/report.h>

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "io/file.h"
#include "report/command.h"
#include "report/contents.h"
#include "report/figures.h"
#include "report/svg.h"
#include "run/folder/run_lock.h"

enum { PAIRS_MAX = 100, CONFIG_BYTES = 1 << 20 };

/* What the page is made of. */
struct page {
    FILE *out;
    struct stj_run *run;
    struct stj_contents contents;
    struct stj_dense_result *dense;
    struct stj_svd_result *svd;
    struct stj_density_result *density;
};

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
}

static void write_count(const struct page *p, const char *name, const struct stj_density_count *c)
{
    fprintf(p->out,
            "<tr><td>%s</td><td class=\"n\">%.1f</td><td class=\"n\">%.1f to %.1f</td>"
            "<td class=\"n\">%.1f to %.1f</td></tr>\n",
            name, c->estimate, c->low, c->high, c->enclosure_low, c->enclosure_high);
}

static void write_regions(const struct page *p)
{
    if (p->dense) {
        const struct stj_regions *r = &p->dense->regions;
        fprintf(
            p->out,
            "<p>All singular values: <b>%zu</b> above %.6g (chaotic), <b>%zu</b> within %.6g of 1 "
            "(bulk), <b>%zu</b> below %.6g (stable).</p>\n",
            r->chaotic, 1 + p->dense->epsilon, r->bulk, p->dense->epsilon, r->stable,
            1 - p->dense->epsilon);
    }
    if (!p->density)
        return;
    const struct stj_density_result *d = p->density;
    fprintf(p->out,
            "<p>Counts by stochastic quadrature: %zu probes of %zu steps, bulk within %.6g of 1, "
            "seed %llu.</p>\n<div class=\"scroll\"><table><thead><tr><th>region</th><th "
            "class=\"n\">estimate</th><th class=\"n\">%.4g %% interval</th><th "
            "class=\"n\">enclosure</th></tr></thead><tbody>\n",
            d->n_probes, d->steps, d->epsilon, (unsigned long long)d->seed, 100 * d->confidence);
    write_count(p, "chaotic", &d->regions.chaotic);
    write_count(p, "bulk", &d->regions.bulk);
    write_count(p, "stable", &d->regions.stable);
    fputs("</tbody></table></div>\n", p->out);
}

static void write_pairs(const struct page *p, const char *title, const char *sigma,
                        const struct stj_pairs *pairs)
{
    const size_t shown = pairs->k < PAIRS_MAX ? pairs->k : PAIRS_MAX;
    if (pairs->k == 0)
        return;
    fprintf(p->out,
            "<h2>%s</h2>\n<div class=\"scroll\"><table><thead><tr><th class=\"n\">i</th><th "
            "class=\"n\">%s</th><th class=\"n\">residual</th><th class=\"n\">cosine of u and "
            "v</th></tr>"
            "</thead><tbody>\n",
            title, sigma);
    for (size_t i = 0; i < shown; i++)
        fprintf(
            p->out,
            "<tr><td class=\"n\">%zu</td><td class=\"n\">%.10g</td><td class=\"n\">%.2e</td><td "
            "class=\"n\">%.5f</td></tr>\n",
            i + 1, pairs->sigma[i], pairs->residual[i], pairs->cosine[i]);
    fputs("</tbody></table></div>\n", p->out);
    if (shown < pairs->k)
        fprintf(p->out, "<p>%zu more are in svd.h5.</p>\n", pairs->k - shown);
}

static void write_ends(const struct page *p)
{
    const struct stj_svd_result *r = p->svd;
    if (!r)
        return;
    write_pairs(p, "Largest singular values", "sigma", &r->top);
    if (r->outside.missed)
        fprintf(p->out,
                "<p><b>At least %zu values above the smallest of these were missed.</b></p>\n",
                r->outside.missed);
    write_pairs(p, "Smallest singular values, as upper bounds", "bound", &r->bottom);
    fprintf(
        p->out,
        "<p>Converged: %zu of %zu of the largest, %zu of %zu of the smallest, to residuals of %.3g "
        "sigma_1; stop: %s.</p>\n",
        r->converged, r->requested, r->bottom_converged, r->bottom_requested, r->tol,
        stj_stop_text(r->stop));
}

/* Every figure that the stored results can make. */
static enum stj_status write_figures(const struct page *p, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const char *name = NULL, *doc = NULL;
    for (size_t i = 0; stj_report_figure(i, &name, &doc); i++) {
        struct stj_chart chart = {.n_series = 0};
        bool made = false;
        STJ_TRY(stj_figure_if_stored(p->run, name, &chart, &made, err));
        if (made)
            stj_svg_chart(p->out, &chart);
        stj_chart_free(&chart);
    }
out:
    return st;
}

static void write_cost(const struct page *p)
{
    fputs("<h2>Cost</h2>\n<div class=\"scroll\"><table>\n", p->out);
    if (p->svd) {
        row_number(p, "svd: products with J'J of the largest", p->svd->products, "");
        row_number(p, "svd: products with J of the smallest", p->svd->bottom_products, "");
        row_number(p, "svd: time", p->svd->seconds, "s");
    }
    if (p->density)
        row_number(p, "density: time", p->density->seconds, "s");
    if (p->dense) {
        row_number(p, "dense: products with J", (double)p->dense->n_params, "");
        row_number(p, "dense: time of the products", p->dense->seconds_build, "s");
        row_number(p, "dense: time of the decomposition", p->dense->seconds_svd, "s");
    }
    fputs("</table></div>\n", p->out);
}

/* The commands that make the results again, in the order of the results' names. */
static enum stj_status write_commands(const struct page *p, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    char *text = NULL;
    fputs("<h2>To reproduce</h2>\n<pre>spectraj train config.yaml -o RUN\n", p->out);
    for (size_t i = 0; i < p->contents.n_results; i++) {
        STJ_TRY(stj_command_read(&p->contents.info, p->contents.result[i], &text, err));
        if (text) {
            stj_html_text(p->out, text);
            fputc('\n', p->out);
        }
        free(text);
        text = NULL;
    }
    fputs("spectraj report RUN\n</pre>\n<div class=\"scroll\"><table>\n", p->out);
    row_text(p, "fingerprint", p->contents.info.fingerprint);
    row_text(p, "trained by", p->contents.info.version);
    row_text(p, "BLAS", p->contents.info.blas);
    fputs("</table></div>\n<p>Stored results:", p->out);
    for (size_t i = 0; i < p->contents.n_results; i++) {
        fputs(i ? ", " : " ", p->out);
        stj_html_text(p->out, p->contents.result[i]);
    }
    fputs(p->contents.n_results ? ".</p>\n" : " none yet.</p>\n", p->out);
out:
    free(text);
    return st;
}

static enum stj_status write_config(const struct page *p, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    char *path = NULL;
    char *text = NULL;
    STJ_TRY(stj_path_join(p->contents.info.dir, "config.yaml", &path, err));
    STJ_TRY(stj_file_read_text(path, CONFIG_BYTES, &text, err));
    fputs("<details><summary>config.yaml, with all defaults filled in</summary>\n<pre>", p->out);
    stj_html_text(p->out, text);
    fputs("</pre></details>\n", p->out);
out:
    free(path);
    free(text);
    return st;
}

static enum stj_status write_page(const struct page *p, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
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
    write_regions(p);
    STJ_TRY(write_figures(p, err));
    write_ends(p);
    write_cost(p);
    STJ_TRY(write_commands(p, err));
    STJ_TRY(write_config(p, err));
    fputs("</body>\n</html>\n", out);
out:
    return st;
}

enum stj_status stj_report_html(struct stj_run *run, const char *path, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct page p = {.run = run};
    char *text = NULL;
    char *own_path = NULL;
    struct stj_lock *lock = NULL;
    size_t size = 0;
    STJ_TRY(stj_contents_of(run, &p.contents, err));
    STJ_TRY(stj_result_read_dense(run, NULL, &p.dense, err));
    STJ_TRY(stj_result_read_svd(run, NULL, &p.svd, err));
    STJ_TRY(stj_result_read_density(run, NULL, &p.density, err));
    p.out = open_memstream(&text, &size);
    STJ_CHECK(err, p.out, STJ_ENOMEM, "no memory for a report: %s", strerror(errno));
    st = write_page(&p, err);
    int failed = ferror(p.out);
    failed |= fclose(p.out);
    if (st != STJ_OK)
        goto out;
    STJ_CHECK(err, !failed && text, STJ_ENOMEM, "no memory for a report");
    if (!path)
        STJ_TRY(stj_path_join(p.contents.info.dir, "report.html", &own_path, err));
    if (!path)
        STJ_TRY(stj_run_lock(run, own_path, NULL, &lock, err));
    STJ_TRY(stj_file_write_text(path ? path : own_path, text, err));
out:
    stj_lock_release(lock);
    free(text);
    free(own_path);
    stj_density_result_destroy(p.density);
    stj_svd_result_destroy(p.svd);
    stj_dense_result_destroy(p.dense);
    stj_contents_free(&p.contents);
    return st;
}
