/* SPDX-License-Identifier: GPL-3.0-or-later */
/* report/figure.c: the figures of a run: find the stored data, draw them or write them down. */
#include <spectraj/report.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/analysis.h"
#include "analysis/store.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"
#include "io/file.h"
#include "report/figures.h"
#include "report/gnuplot.h"
#include "report/json.h"
#include "report/network_figure.h"
#include "report/plot.h"
#include "report/sheet.h"
#include "report/steps_figure.h"
#include "report/vector_figure.h"
#include "study/study.h"

static const char network[] = "network", vector[] = "vector";

/* Figures of the run itself. */
static const struct {
    const char *name, *doc;
    bool over_steps, regions, to_end;
} of_run[] = {
    {.name = "loss", .doc = "loss of each training step, and its mean over an epoch"},
    {.name = network, .doc = "the graph of the network: a drawing, into a file"},
    {.name = vector, .doc = "a singular vector on one tensor, as images or as a heat map"},
    {"spectrum-at", "singular values of J(0 -> t) over t", true, false, false},
    {"regions-at", "singular values of J(0 -> t) by region, over t", true, true, false},
    {"spectrum-to-end", "singular values of J(t -> n) over t", true, false, true},
    {"regions-to-end", "singular values of J(t -> n) by region, over t", true, true, true},
};
enum { N_OF_RUN = sizeof of_run / sizeof of_run[0] };

/* A figure: of the run itself, of analyses, or of a study. */
struct choice {
    const char *name, *doc;
    const struct stj_analysis *analysis; /* the first that has it; NULL: of another kind */
    const struct stj_study_ops *study;
    const struct stj_study_figure *of_study;
};

static const struct stj_analysis_figure *figure_of(const struct stj_analysis *a, const char *name)
{
    for (const struct stj_analysis_figure *f = a->figures; f && f->doc; f++)
        if (strcmp(f->name, name) == 0)
            return f;
    return NULL;
}

/* Does an analysis before this one have a figure of that name? */
static bool is_known(size_t analysis, const char *name)
{
    for (size_t a = 0; a < analysis; a++)
        if (figure_of((const struct stj_analysis *)stj_analyses.list[a], name))
            return true;
    return false;
}

static bool choose_of_analyses(size_t *i, struct choice *choice)
{
    for (size_t a = 0; stj_analyses.list[a]; a++) {
        const struct stj_analysis *analysis = (const struct stj_analysis *)stj_analyses.list[a];
        for (const struct stj_analysis_figure *f = analysis->figures; f && f->doc; f++)
            if (!is_known(a, f->name) && (*i)-- == 0) {
                *choice = (struct choice){f->name, f->doc, analysis, NULL, NULL};
                return true;
            }
    }
    return false;
}

static bool choose_of_studies(size_t i, struct choice *choice)
{
    for (size_t s = 0; stj_studies.list[s]; s++) {
        const struct stj_study_ops *ops = (const struct stj_study_ops *)stj_studies.list[s];
        for (const struct stj_study_figure *f = ops->figures; f->doc; f++)
            if (i-- == 0) {
                *choice = (struct choice){f->name, f->doc, NULL, ops, f};
                return true;
            }
    }
    return false;
}

/* Figure number i; false past the last. */
static bool choose_figure(size_t i, struct choice *choice)
{
    if (choose_of_analyses(&i, choice))
        return true;
    if (i >= N_OF_RUN)
        return choose_of_studies(i - N_OF_RUN, choice);
    *choice = (struct choice){.name = of_run[i].name, .doc = of_run[i].doc};
    return true;
}

bool stj_report_figure(size_t i, const char **name, const char **doc)
{
    struct choice choice;
    if (!name || !doc || !choose_figure(i, &choice))
        return false;
    *name = choice.name;
    *doc = choice.doc;
    return true;
}

static bool find_figure(const char *name, struct choice *choice)
{
    for (size_t i = 0; choose_figure(i, choice); i++)
        if (strcmp(choice->name, name) == 0)
            return true;
    return false;
}

/* The loss, or spectra of windows, which have no tag. */
static enum stj_status make_of_run(struct stj_chart *chart, const char *name, struct stj_run *run,
                                   const char *tag, struct stj_error *err)
{
    struct stj_run_info info;
    size_t i = 0;
    while (strcmp(of_run[i].name, name) != 0)
        i++;
    if (of_run[i].over_steps) {
        STJ_NEED(err, !tag, STJ_EINVAL, "the figure '%s' is of results without a tag: leave it out",
                 name);
        return stj_chart_over_steps(run, of_run[i].regions, of_run[i].to_end, chart, err);
    }
    stj_run_get_info(run, &info);
    const size_t epoch = info.batch_size > 0 ? info.train_rows / info.batch_size : 0;
    return stj_chart_loss(chart, info.n_steps, stj_run_loss_curve(run), epoch, err);
}

static size_t count_analyses(void)
{
    size_t n = 0;
    while (stj_analyses.list[n])
        n++;
    return n;
}

/* The last of the analyses that have the figure and a stored result: dense knows more than svd. */
static enum stj_status make_of_analyses(struct stj_chart *chart, const char *name,
                                        struct stj_run *run, const char *tag, struct stj_error *err)
{
    STJ_HELD(stj_result_destroy_at) struct stj_result *result = NULL;
    struct stj_run_info info;
    char makers[128] = "", whole[STJ_RESULT_NAME_BYTES];
    stj_run_get_info(run, &info);
    for (size_t i = count_analyses(); i-- > 0;) {
        const struct stj_analysis *a = (const struct stj_analysis *)stj_analyses.list[i];
        const struct stj_analysis_figure *figure = figure_of(a, name);
        if (!figure)
            continue;
        const size_t used = strlen(makers);
        snprintf(makers + used, sizeof makers - used, "%s'spectraj %s'", used ? " or " : "",
                 a->info.name);
        const char *file = a->info.name;
        if (!tag)
            file = stj_result_of_whole(run, file, whole);
        STJ_MUST(stj_result_read(run, file, tag, &result, err));
        if (!result)
            continue;
        STJ_MUST(figure->make(result, chart, err));
        return STJ_OK;
    }
    STJ_NEED(err, false, STJ_EINVAL, "%s holds no result%s%s for the figure '%s' yet: run %s first",
             info.dir, tag ? " tagged " : "", tag ? tag : "", name, makers);
    return STJ_OK;
}

static enum stj_status make_of_study(struct stj_chart *chart, const struct choice *choice,
                                     struct stj_run *run, const char *tag, struct stj_error *err)
{
    STJ_HELD(stj_study_result_destroy_at) struct stj_study_result *result = NULL;
    struct stj_run_info info;
    const char *name = choice->study->info.name;
    stj_run_get_info(run, &info);
    STJ_MUST(stj_result_read_study(run, name, tag, &result, err));
    STJ_NEED(err, result, STJ_EINVAL,
             "%s holds no study-%s%s%s.h5 yet: run 'spectraj study %s %s%s' first", info.dir, name,
             tag ? "-" : "", tag ? tag : "", name, info.dir,
             choice->study->two_runs ? " RUN2" : "");
    return choice->of_study->make(result, chart, err);
}

static enum stj_status report_file(FILE *out, enum stj_report_format format, const char *figure,
                                   const char *path, struct stj_error *err)
{
    struct stj_text_output text;
    if (format != STJ_REPORT_JSON) {
        if (stj_text_begin(&text))
            fprintf(text.file, "%s\n", path);
        return stj_text_end(&text, out, err);
    }
    json_t *object = NULL;
    enum stj_status st = stj_json_plot(figure, path, &object, err);
    if (st == STJ_OK)
        st = stj_json_print(out, object, err);
    json_decref(object);
    return st;
}

/* chart <- the figure of that name. */
static enum stj_status make_chart(struct stj_chart *chart, struct stj_run *run, const char *tag,
                                  const char *figure, struct stj_error *err)
{
    struct choice choice;
    STJ_NEED(err, find_figure(figure, &choice), STJ_EINVAL, "there is no figure '%s'", figure);
    STJ_NEED(err, choice.name != network, STJ_EINVAL,
             "the figure 'network' is a drawing, in a file (-o FILE.svg): on the terminal, and in "
             "numbers with --json, 'spectraj info' has the graph");
    STJ_NEED(err, choice.name != vector, STJ_EINVAL,
             "the figure 'vector' is a picture of one tensor and no chart: it stands alone");
    if (choice.analysis)
        STJ_MUST(make_of_analyses(chart, figure, run, tag, err));
    else if (choice.study)
        STJ_MUST(make_of_study(chart, &choice, run, tag, err));
    else
        STJ_MUST(make_of_run(chart, figure, run, tag, err));
    return STJ_OK;
}

/* Of a vector the numbers, or characters: into the file, else to `out`. */
static enum stj_status write_vector(FILE *out, enum stj_report_format format,
                                    const struct stj_vector_figure *figure, bool data,
                                    const char *path, struct stj_error *err)
{
    STJ_FREED char *text = NULL;
    STJ_HELD(stj_text_drop) struct stj_text_output made = {0};
    STJ_MUST(stj_text_open(&made, err));
    (data ? stj_vector_figure_csv : stj_vector_figure_text)(made.file, figure);
    STJ_MUST(stj_text_take(&made, &text, err));
    if (path) {
        STJ_MUST(stj_file_write_text(path, text, err));
        return report_file(out, format, vector, path, err);
    }
    fputs(text, out);
    return STJ_OK;
}

enum stj_status stj_report_plot_vector(FILE *out, enum stj_report_format format,
                                       struct stj_run *run, const struct stj_report_vector *which,
                                       const char *path, struct stj_error *err)
{
    STJ_NOT_NULL(err, out, run);
    STJ_GOOD_SETTINGS(err, which);
    enum stj_status st = STJ_OK;
    FILE *script = NULL;
    struct stj_vector_figure *figure = NULL;
    struct stj_canvas canvas;
    STJ_CHECK(err, path || format != STJ_REPORT_JSON, STJ_EINVAL,
              "a figure without a file cannot be JSON: name a file for it");
    STJ_TRY(stj_vector_figure_create(run, which, &figure, err));
    if (which->data || !path) {
        st = write_vector(out, format, figure, which->data, path, err);
        goto out;
    }
    STJ_TRY(stj_canvas_of(path, out, &canvas, err));
    STJ_TRY(stj_gnuplot_script(&script, err));
    stj_vector_figure_plot(script, &canvas, figure);
    STJ_TRY(stj_gnuplot_draw(script, &canvas, out, err));
    st = report_file(out, format, vector, path, err);
out:
    if (script)
        fclose(script);
    stj_vector_figure_destroy(figure);
    return st;
}

/* With nothing said of it: v_1 on the first table. */
static enum stj_status plot_vector(FILE *out, enum stj_report_format format, struct stj_run *run,
                                   const char *tag, bool data, const char *path,
                                   struct stj_error *err)
{
    const struct stj_report_vector which = {.size = sizeof which, .data = data};
    STJ_NEED(err, !tag, STJ_EINVAL,
             "the figure 'vector' is of the untagged dense.h5, else svd.h5: leave out the tag");
    return stj_report_plot_vector(out, format, run, &which, path, err);
}

/* A series of a chart that is drawn with others; the same colour comes again in another style. */
static void colour_series(struct stj_series *s, size_t i)
{
    static const enum stj_chart_style again[] = {
        [STJ_CHART_LINE] = STJ_CHART_DASHED,   [STJ_CHART_DASHED] = STJ_CHART_LINE,
        [STJ_CHART_POINTS] = STJ_CHART_POINTS, [STJ_CHART_BOTH] = STJ_CHART_BROKEN,
        [STJ_CHART_BROKEN] = STJ_CHART_BOTH,   [STJ_CHART_BAND] = STJ_CHART_BAND,
    };
    s->colour = (enum stj_chart_colour)(i % STJ_CHART_N_COLOURS);
    if (i / STJ_CHART_N_COLOURS % 2)
        s->style = again[s->style];
}

static void join_axis(struct stj_axis *axis, const struct stj_axis *with)
{
    const bool ranged = axis->low < axis->high && with->low < with->high;
    axis->log = axis->log && with->log;
    axis->low = ranged ? (axis->low < with->low ? axis->low : with->low) : 0;
    axis->high = ranged ? (axis->high > with->high ? axis->high : with->high) : 0;
    axis->floor = axis->floor < with->floor ? axis->floor : with->floor;
}

/* title <- what two have in common, up to a comma or colon; else the figure's name. */
static void join_titles(char title[STJ_CHART_TEXT_MAX], const char *with, const char *figure)
{
    size_t n = 0, end = 0;
    if (strcmp(title, with) == 0)
        return;
    for (; title[n] && title[n] == with[n]; n++)
        if (strchr(",:", title[n]))
            end = n;
    if (end > 0)
        title[end] = '\0';
    else if (title[n])
        snprintf(title, STJ_CHART_TEXT_MAX, "%s", figure);
}

/* Where the lines lie differs: none is drawn. */
static void join_limits(struct stj_chart *chart, const struct stj_chart *with)
{
    bool same = chart->n_limits == with->n_limits;
    for (size_t i = 0; same && i < chart->n_limits; i++)
        same = chart->limit[i] == with->limit[i];
    chart->n_limits = same ? chart->n_limits : 0;
}

/* Name the series of a chart after its label: for a legend the first that has points, for who reads
 * numbers all of them. */
static void name_series(struct stj_chart *chart, const struct stj_figure_source *source, bool data)
{
    bool named = source->unlisted;
    for (size_t k = 0; k < chart->n_series; k++) {
        struct stj_series *s = &chart->series[k];
        char own[STJ_CHART_NAME_MAX];
        stj_series_key(s, own);
        const bool names = data || (!named && s->n > 0 && !s->top);
        snprintf(s->name, sizeof s->name, "%.60s", names ? source->label : "");
        snprintf(s->key, sizeof s->key, "%.40s%s%.20s", source->label, own[0] ? ": " : "", own);
        named = named || names;
    }
}

/* A chart more, whose series go over into `chart`. */
static enum stj_status join_chart(struct stj_chart *chart, struct stj_chart *with, bool is_first,
                                  size_t colour, const char *figure, struct stj_error *err)
{
    STJ_MUST(stj_resize(&chart->series, chart->n_series, chart->n_series + with->n_series,
                        sizeof *chart->series, err));
    for (size_t k = 0; k < with->n_series; k++) {
        colour_series(&with->series[k], colour);
        chart->series[chart->n_series++] = with->series[k];
    }
    with->n_series = 0;
    if (is_first) {
        memcpy(chart->title, with->title, sizeof chart->title);
        chart->x = with->x;
        chart->y = with->y;
        chart->n_limits = with->n_limits;
        memcpy(chart->limit, with->limit, sizeof chart->limit);
        chart->shade = with->shade;
    }
    join_axis(&chart->x, &with->x);
    join_axis(&chart->y, &with->y);
    chart->shade = fmin(chart->shade, with->shade); /* left of it nothing is known of any */
    join_titles(chart->title, with->title, figure);
    join_limits(chart, with);
    return STJ_OK;
}

enum stj_status stj_figure_overlay(struct stj_chart *chart, size_t n,
                                   const struct stj_figure_source *source, const char *figure,
                                   bool data, struct stj_error *err)
{
    if (n == 1)
        return make_chart(chart, source->run, source->tag, figure, err);
    for (size_t i = 0; i < n; i++) {
        STJ_HELD(stj_chart_free) struct stj_chart one = {.n_series = 0};
        STJ_MUST(make_chart(&one, source[i].run, source[i].tag, figure, err));
        name_series(&one, &source[i], data);
        STJ_MUST(join_chart(chart, &one, i == 0, source[i].colour, figure, err));
    }
    return STJ_OK;
}

/* A file with the chart's numbers, whole or absent; without a path on `out`. */
static enum stj_status write_csv(FILE *out, const struct stj_chart *chart, const char *path,
                                 struct stj_error *err)
{
    struct stj_text_output text = {0};
    STJ_FREED char *whole = NULL;
    if (!path) {
        if (stj_text_begin(&text))
            stj_plot_csv(text.file, chart);
        return stj_text_end(&text, out, err);
    }
    STJ_HELD(stj_text_drop) struct stj_text_output file = {0};
    STJ_MUST(stj_text_open(&file, err));
    stj_plot_csv(file.file, chart);
    STJ_MUST(stj_text_take(&file, &whole, err));
    return stj_file_write_text(path, whole, err);
}

static bool is_measured(const struct stj_plot_settings *how)
{
    return how && (how->width > 0 || how->height > 0 || how->font > 0);
}

/* The script that draws FIGURE.pdf, as text: of gnuplot alone, whatever runs it. */
static enum stj_status write_script(const struct stj_chart_target *target, struct stj_chart *chart,
                                    const char *figure, struct stj_error *err)
{
    const struct stj_plot_settings *how = target->how;
    STJ_HELD(stj_text_drop) struct stj_text_output text = {0};
    STJ_FREED char *whole = NULL;
    struct stj_canvas canvas;
    STJ_MUST(stj_canvas_of("figure.pdf", NULL, &canvas, err));
    stj_canvas_measure(&canvas, how->width, how->height, how->font);
    STJ_MUST(stj_text_open(&text, err));
    fprintf(text.file, "# gnuplot draws %s.pdf of this\nset output '%s.pdf'\n", figure, figure);
    stj_plot_chart(text.file, &canvas, chart);
    STJ_MUST(stj_text_take(&text, &whole, err));
    if (target->path)
        return stj_file_write_text(target->path, whole, err);
    fputs(whole, target->out);
    return STJ_OK;
}

/* What the settings say of a chart. */
static enum stj_status set_chart(struct stj_chart *chart, const struct stj_plot_settings *how,
                                 struct stj_error *err)
{
    struct stj_axis *axis[] = {&chart->x, &chart->y};
    for (int a = 0; a < 2; a++) {
        if (!(a ? how->log_y : how->log_x) || axis[a]->log)
            continue;
        STJ_NEED(err, !axis[a]->tick, STJ_EINVAL, "--log-%c: this axis has names and no numbers",
                 a ? 'y' : 'x');
        axis[a]->log = true;
        axis[a]->low = axis[a]->high = 0; /* that of the positive values */
    }
    if (how->no_title)
        chart->title[0] = '\0';
    return STJ_OK;
}

/* Draw the chart, or without one the run's network. */
static enum stj_status figure_draw(const struct stj_chart_target *target,
                                   const struct stj_chart *chart, const struct stj_run *run,
                                   struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    FILE *script = NULL;
    struct stj_canvas canvas;
    STJ_TRY(stj_canvas_of(target->path, target->out, &canvas, err));
    if (is_measured(target->how))
        stj_canvas_measure(&canvas, target->how->width, target->how->height, target->how->font);
    else if (chart && chart->pictures.pixels && target->path)
        stj_sheet_resize(&canvas, chart);
    else if (chart && stj_canvas_is_print(&canvas))
        stj_canvas_measure(&canvas, 16, 10, 10);
    STJ_TRY(stj_gnuplot_script(&script, err));
    if (chart)
        stj_chart_plain(chart->title, canvas.title);
    if (chart)
        stj_plot_chart(script, &canvas, chart);
    else
        STJ_TRY(stj_network_figure(script, run, &canvas, err));
    STJ_TRY(stj_gnuplot_draw(script, &canvas, target->out, err));
out:
    if (script)
        fclose(script);
    return st;
}

/* What there must be before anything is made. */
static enum stj_status check_target(const struct stj_chart_target *target, struct stj_error *err)
{
    struct stj_canvas canvas;
    STJ_NEED(err, target->path || target->format != STJ_REPORT_JSON, STJ_EINVAL, "%s",
             target->data ? "the numbers of a figure are CSV and not JSON: name a file for them"
                          : "a figure in the terminal cannot be JSON: name a file for it");
    return target->data || (target->how && target->how->script)
               ? STJ_OK
               : stj_canvas_of(target->path, target->out, &canvas, err);
}

enum stj_status stj_chart_put(const struct stj_chart_target *target, const struct stj_chart *chart,
                              const char *figure, struct stj_error *err)
{
    STJ_MUST(check_target(target, err));
    if (target->data)
        STJ_MUST(write_csv(target->out, chart, target->path, err));
    else
        STJ_MUST(figure_draw(target, chart, NULL, err));
    return target->path ? report_file(target->out, target->format, figure, target->path, err)
                        : STJ_OK;
}

enum stj_status stj_report_overlay(FILE *out, enum stj_report_format format, size_t n,
                                   const struct stj_plotted *what, const char *figure,
                                   const char *path, const struct stj_plot_settings *how,
                                   struct stj_error *err)
{
    STJ_NOT_NULL(err, out, what, figure);
    if (how)
        STJ_GOOD_SETTINGS(err, how);
    const bool data = how && how->data, script = how && how->script;
    const struct stj_chart_target target = {out, format, path, data, how};
    STJ_HELD(stj_chart_free) struct stj_chart chart = {.n_series = 0};
    STJ_FREED struct stj_figure_source *source = NULL;
    struct choice choice;
    STJ_NEED(err, find_figure(figure, &choice), STJ_EINVAL, "there is no figure '%s'", figure);
    STJ_NEED(err, n > 0, STJ_EINVAL, "no run to be drawn");
    STJ_MUST(check_target(&target, err));
    STJ_NEED(err, !script || (choice.name != vector && choice.name != network), STJ_EINVAL,
             "the figure '%s' is a drawing of its own: there is no script of it", figure);
    if (choice.name == vector && n == 1)
        return plot_vector(out, format, what->run, what->tag, data, path, err);
    STJ_MUST(stj_new(&source, n, sizeof *source, err));
    for (size_t i = 0; i < n; i++) {
        STJ_NOT_NULL(err, what[i].run);
        source[i] = (struct stj_figure_source){what[i].run, what[i].tag, what[i].label, i, false};
        STJ_NEED(err, n == 1 || what[i].label, STJ_EINVAL, "run %zu of %zu has no label", i + 1, n);
    }
    if (choice.name == network && path && !data && n == 1) {
        STJ_MUST(figure_draw(&target, NULL, what->run, err));
        return report_file(out, format, figure, path, err);
    }
    STJ_MUST(stj_figure_overlay(&chart, n, source, figure, data, err));
    if (how)
        STJ_MUST(set_chart(&chart, how, err));
    if (script) {
        STJ_MUST(write_script(&target, &chart, figure, err));
        return path ? report_file(out, format, figure, path, err) : STJ_OK;
    }
    return stj_chart_put(&target, &chart, figure, err);
}

enum stj_status stj_report_plot(FILE *out, enum stj_report_format format, struct stj_run *run,
                                const char *tag, const char *figure, const char *path,
                                struct stj_error *err)
{
    const struct stj_plotted what = {.run = run, .tag = tag};
    return stj_report_overlay(out, format, 1, &what, figure, path, NULL, err);
}

enum stj_status stj_report_plot_data(FILE *out, enum stj_report_format format, struct stj_run *run,
                                     const char *tag, const char *figure, const char *path,
                                     struct stj_error *err)
{
    const struct stj_plotted what = {.run = run, .tag = tag};
    const struct stj_plot_settings how = {.size = sizeof how, .data = true};
    return stj_report_overlay(out, format, 1, &what, figure, path, &how, err);
}

bool stj_figure_of_run(const char *figure)
{
    for (size_t i = 0; i < N_OF_RUN; i++)
        if (strcmp(of_run[i].name, figure) == 0)
            return true;
    return false;
}

enum stj_status stj_figure_if_stored(struct stj_run *run, const char *figure,
                                     struct stj_chart *chart, bool *made, struct stj_error *err)
{
    struct stj_error missing = STJ_ERROR_INIT;
    const enum stj_status st = make_chart(chart, run, NULL, figure, &missing);
    *made = st == STJ_OK;
    if (st == STJ_OK || st == STJ_EINVAL) /* what is not stored is a request that makes no sense */
        return STJ_OK;
    return stj_error_set(err, missing.code, missing.file, missing.line, "%s", missing.text);
}

enum stj_status stj_report_page(FILE *out, enum stj_report_format format, const struct stj_run *run,
                                const char *path, struct stj_error *err)
{
    STJ_NOT_NULL(err, out, run);
    struct stj_run_info info;
    STJ_FREED char *own = NULL;
    stj_run_get_info(run, &info);
    if (!path)
        STJ_MUST(stj_path_join(info.dir, "report.html", &own, err));
    return report_file(out, format, "report", path ? path : own, err);
}
