/* SPDX-License-Identifier: GPL-3.0-or-later */
/* spectraj/report.h: results as text (one JSON object, docs/json.md, or tables for people) and as
 * figures.
 *
 * The writers print only to the stream they are given, and print JSON only when it is complete.
 * Output errors may show only at fflush or fclose: STJ_EIO reports those that occur at once.
 *
 * Threads: different threads may write to different streams at once; one thread at a time uses a
 * run or a stream.
 */
#ifndef SPECTRAJ_REPORT_H
#define SPECTRAJ_REPORT_H

#include <stdio.h>

#include <spectraj/plan.h>
#include <spectraj/analysis.h>
#include <spectraj/study.h>

#ifdef __cplusplus
extern "C" {
#endif

/* How results are written. */
enum stj_report_format {
    STJ_REPORT_TEXT,    /* tables for people */
    STJ_REPORT_JSON,    /* one object, docs/json.md */
    STJ_REPORT_VERBOSE, /* the tables, and how the training states were stored */
};

/* The predicted cost of the analyses of a run. */
enum stj_status stj_report_plan(FILE *out, enum stj_report_format format,
                                const struct stj_plan *plan, struct stj_error *err);

/* A training: losses, accuracy, time. */
enum stj_status stj_report_train(FILE *out, enum stj_report_format format,
                                 const struct stj_run *run, struct stj_error *err);

/* The contents of a run. */
enum stj_status stj_report_info(FILE *out, enum stj_report_format format, struct stj_run *run,
                                struct stj_error *err);

/* The runs in n folders and up to two levels below each, sorted by name, with their stored results.
 * Files are checked against their checksums; what cannot be read is listed with the reason. */
enum stj_status stj_report_list(FILE *out, enum stj_report_format format, size_t n,
                                char *const *dir, struct stj_error *err);

/* A result of an analysis. */
enum stj_status stj_report_result(FILE *out, enum stj_report_format format,
                                  const struct stj_result *result, struct stj_error *err);

/* Results of one analysis for n windows: in JSON an object whose list `at` contains their objects,
 * in text one report after another, each headed by its window. */
enum stj_status stj_report_windows(FILE *out, enum stj_report_format format, size_t n,
                                   struct stj_result *const *result, struct stj_error *err);

/* *text <- the JSON object of a result on one line (owned by the caller, stj_free). */
enum stj_status stj_result_json(const struct stj_result *result, char **text,
                                struct stj_error *err);

/* *text <- the config of a run with all defaults filled in, as a JSON object on one line (owned by
 * the caller, stj_free). */
enum stj_status stj_run_config_json(const struct stj_run *run, char **text, struct stj_error *err);

/* A study: its table, or its items in JSON. */
enum stj_status stj_report_study(FILE *out, enum stj_report_format format,
                                 const struct stj_study_result *result, struct stj_error *err);

/* A validation, check by check. */
enum stj_status stj_report_validate(FILE *out, enum stj_report_format format,
                                    const struct stj_validation *v, struct stj_error *err);

/* A run and n results of its analyses together: in JSON one object that contains the others, as
 * `train` and under the names of the analyses (null for one without a result); in text one report
 * after another. */
enum stj_status stj_report_run(FILE *out, enum stj_report_format format, const struct stj_run *run,
                               size_t n, struct stj_result *const *result, struct stj_error *err);

/* Draw a figure of the run with gnuplot, from the results stored under the tag (NULL: untagged).
 * With a path: into that file (SVG, PDF or PNG by its ending; whole or absent), reported on `out`.
 * Without: as text on `out`, as large as the terminal; JSON is then STJ_EINVAL.  If a result is not
 * stored, STJ_EINVAL, and the message names the command that makes it; without gnuplot,
 * STJ_EUNSUPPORTED. */
enum stj_status stj_report_plot(FILE *out, enum stj_report_format format, struct stj_run *run,
                                const char *tag, const char *figure, const char *path,
                                struct stj_error *err);

/* A part of a stored singular vector.  Kernels of convolutions, and a tensor of the first layer of
 * a network that reads images, are drawn as images; other tensors as heat maps. */
struct stj_report_vector {
    size_t size;        /* sizeof of this struct */
    size_t index;       /* counted from 1 by descending singular value; 0: 1 */
    const char *tensor; /* "dense0.kernel"; NULL: the first that is a matrix */
    bool left;          /* of the left vector u, in the space of theta_n, instead of v */
    bool data;          /* "row,column,value" as CSV instead of a picture */
};

/* Draw it as stj_report_plot draws its figures. */
enum stj_status stj_report_plot_vector(FILE *out, enum stj_report_format format,
                                       struct stj_run *run, const struct stj_report_vector *which,
                                       const char *path, struct stj_error *err);

/* Write the numbers of a figure as CSV, "series,x,y" with the names of the axes in the first line:
 * to the file `path` (whole or absent), reported on `out`; without a path, to `out` itself. */
enum stj_status stj_report_plot_data(FILE *out, enum stj_report_format format, struct stj_run *run,
                                     const char *tag, const char *figure, const char *path,
                                     struct stj_error *err);

/* A run's result to be drawn with others, labelled `label`. */
struct stj_plotted {
    struct stj_run *run;     /* whose result */
    const char *tag, *label; /* tag as in stj_report_plot; the label of a single one may be NULL */
};

/* How a figure is drawn.  All zero but the size: as stj_report_plot draws it. */
struct stj_plot_settings {
    size_t size;       /* of this struct in bytes, as the program was compiled */
    double width;      /* of a file in cm (of PNG at 300 dots per inch); 0: 16, or in proportion */
    double height;     /* likewise; 0: 10, or in proportion */
    double font;       /* font size in points; 0: to fit the size */
    bool no_title;     /* for a paper, whose caption replaces it */
    bool log_x, log_y; /* log axes instead of linear ones */
    bool data;         /* the numbers as CSV, as from stj_report_plot_data */
    bool script;       /* the gnuplot script, including the data, that draws FIGURE.pdf */
};

/* The same figure of n results in one, each in its own colour; how NULL: as stj_report_plot draws
 * it. */
enum stj_status stj_report_overlay(FILE *out, enum stj_report_format format, size_t n,
                                   const struct stj_plotted *what, const char *figure,
                                   const char *path, const struct stj_plot_settings *how,
                                   struct stj_error *err);

/* How runs are compared.  All zero but the size: as a table. */
struct stj_compare_settings {
    size_t size;        /* of this struct in bytes, as the program was compiled */
    const char *by;     /* the key that quantities are drawn against; NULL: the one with the most
                         * distinct numbers */
    const char *figure; /* only this figure: one of stj_report_figure, or "by-QUANTITY" */
    const char *path;   /* of that figure, NULL: `out`; without `figure`: the folder for all */
    bool data;          /* the numbers of `figure` as CSV */
};

/* Compare the runs in n folders, each a run or a folder of runs: the differences of their configs,
 * and every number in the stored results of at least two of them; for runs that differ only in
 * seeds, the mean with its interval.  STJ_EINVAL: fewer than two runs, or none has the figure. */
enum stj_status stj_report_compare(FILE *out, enum stj_report_format format, size_t n,
                                   char *const *dir, const struct stj_compare_settings *settings,
                                   struct stj_error *err);

/* Write everything known about the run to one self-contained HTML page: the file `path` (whole or
 * absent), or with NULL report.html in the run's directory.  Stored results are read; nothing is
 * computed. */
enum stj_status stj_report_html(struct stj_run *run, const char *path, struct stj_error *err);

/* Print on `out` where that page is. */
enum stj_status stj_report_page(FILE *out, enum stj_report_format format, const struct stj_run *run,
                                const char *path, struct stj_error *err);

/* The format of exported files. */
enum stj_export_format {
    STJ_EXPORT_CSV, /* text, 17 digits */
    STJ_EXPORT_NPY, /* NumPy's format 1.0 */
};

/* Write every array of a stored result ("svd", "density-TAG"; NULL: all results) to its own file in
 * the folder `dir` (created if missing), RESULT-NAME.csv or .npy, and numbers and texts to
 * RESULT-attributes.csv; list the paths on `out`. */
enum stj_status stj_report_export(FILE *out, struct stj_run *run, const char *result,
                                  enum stj_export_format format, const char *dir,
                                  struct stj_error *err);

/* "spectrum": "singular values ...": name and doc of figure i; false past the last. */
bool stj_report_figure(size_t i, const char **name, const char **doc);

#ifdef __cplusplus
}
#endif

#endif
