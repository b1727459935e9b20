/* SPDX-License-Identifier: GPL-3.0-or-later */
/* report/figure.c: the figures of a run: find the stored data, draw them. */
#include <spectraj/report.h>

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "report/gnuplot.h"
#include "report/json.h"
#include "report/plot.h"

static const double default_epsilon = 0.1;

/* One figure: write the script for what is stored under the tag. */
struct figure {
    const char *name;
    const char *doc;
    enum stj_status (*write)(FILE *script, const struct stj_canvas *canvas, struct stj_run *run,
                             const char *tag, struct stj_error *err);
};

static enum stj_status write_spectrum(FILE *script, const struct stj_canvas *canvas,
                                      struct stj_run *run, const char *tag, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct stj_dense_result *dense = NULL;
    struct stj_svd_result *svd = NULL;
    struct stj_run_info info;
    stj_run_get_info(run, &info);
    STJ_TRY(stj_result_read_dense(run, tag, &dense, err));
    if (dense) {
        stj_plot_spectrum(script, canvas, dense->n_params, dense->sigma, dense->n_params,
                          dense->epsilon);
        goto out;
    }
    STJ_TRY(stj_result_read_svd(run, tag, &svd, err));
    STJ_CHECK(err, svd && svd->top.k > 0, STJ_EINVAL,
              "%s holds no singular values%s%s yet: run 'spectraj svd' or 'spectraj dense' first",
              info.dir, tag ? " tagged " : "", tag ? tag : "");
    stj_plot_spectrum(script, canvas, svd->top.k, svd->top.sigma, svd->n_params, default_epsilon);
out:
    stj_svd_result_destroy(svd);
    stj_dense_result_destroy(dense);
    return st;
}

static enum stj_status write_loss(FILE *script, const struct stj_canvas *canvas,
                                  struct stj_run *run, const char *tag, struct stj_error *err)
{
    struct stj_run_info info;
    (void)tag;
    (void)err;
    stj_run_get_info(run, &info);
    size_t epoch = info.batch_size > 0 ? info.train_rows / info.batch_size : 0;
    stj_plot_loss(script, canvas, info.n_steps, stj_run_loss_curve(run), epoch);
    return STJ_OK;
}

static const struct figure figures[] = {
    {"spectrum", "singular values against their index, with the limits of the regions",
     write_spectrum},
    {"loss", "loss of each training step, and its mean over an epoch", write_loss},
};

enum { N_FIGURES = sizeof figures / sizeof figures[0] };

bool stj_report_figure(size_t i, const char **name, const char **doc)
{
    if (i >= N_FIGURES)
        return false;
    *name = figures[i].name;
    *doc = figures[i].doc;
    return true;
}

static const struct figure *find_figure(const char *name)
{
    for (size_t i = 0; i < N_FIGURES; i++) {
        if (strcmp(figures[i].name, name) == 0)
            return &figures[i];
    }
    return NULL;
}

static enum stj_status report_file(FILE *out, enum stj_report_format format, const char *figure,
                                   const char *path, struct stj_error *err)
{
    if (format == STJ_REPORT_TEXT) {
        if (fprintf(out, "%s\n", path) < 0)
            return stj_error_set(err, STJ_EIO, __FILE__, __LINE__,
                                 "the report could not be written");
        return STJ_OK;
    }
    json_t *object = NULL;
    enum stj_status st = stj_json_plot(figure, path, &object, err);
    if (st == STJ_OK)
        st = stj_json_print(out, object, err);
    json_decref(object);
    return st;
}

enum stj_status stj_report_plot(FILE *out, enum stj_report_format format, struct stj_run *run,
                                const char *tag, const char *figure, const char *path,
                                struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    FILE *script = NULL;
    struct stj_canvas canvas;
    const struct figure *f = find_figure(figure);
    STJ_CHECK(err, f, STJ_EINVAL, "there is no figure '%s'", figure);
    STJ_CHECK(err, path || format == STJ_REPORT_TEXT, STJ_EINVAL,
              "a figure in the terminal cannot be JSON: name a file for it");
    STJ_TRY(stj_canvas_of(path, out, &canvas, err));
    STJ_TRY(stj_gnuplot_script(&script, err));
    STJ_TRY(f->write(script, &canvas, run, tag, err));
    STJ_TRY(stj_gnuplot_draw(script, &canvas, out, err));
    if (path)
        STJ_TRY(report_file(out, format, figure, path, err));
out:
    if (script)
        fclose(script);
    return st;
}
