/* SPDX-License-Identifier: GPL-3.0-or-later */
/* spectraj/report.h: results as text: one JSON object (docs/json.md) or tables for people; figures.
 *
 * The writers print to the stream they are given and to nothing else, and JSON only when it is
 * complete.  Whether the stream could take it is known after fflush or fclose: STJ_EIO is returned
 * only for what fails at once.
 *
 * Threads: different threads may write to different streams at once; one run, and one stream, is
 * used by one thread at a time.
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
    STJ_REPORT_VERBOSE, /* the tables, and how the states of the training were at hand */
};

/* What the analyses of a run will cost. */
enum stj_status stj_report_plan(FILE *out, enum stj_report_format format,
                                const struct stj_plan *plan, struct stj_error *err);

/* A training: losses, accuracy, time. */
enum stj_status stj_report_train(FILE *out, enum stj_report_format format,
                                 const struct stj_run *run, struct stj_error *err);

/* What is in a run. */
enum stj_status stj_report_info(FILE *out, enum stj_report_format format, struct stj_run *run,
                                struct stj_error *err);

/* The runs in n folders and at most two levels below each, by name, with what is stored of them: files
 * are compared with their checksums, and what cannot be read is listed with the reason. */
enum stj_status stj_report_list(FILE *out, enum stj_report_format format, size_t n,
                                char *const *dir, struct stj_error *err);

/* A result of an analysis. */
enum stj_status stj_report_result(FILE *out, enum stj_report_format format,
                                  const struct stj_result *result, struct stj_error *err);

/* Results of one analysis for n windows: in JSON an object with the others' objects as the list
 * `at`, in text one report after the other, each under its window. */
enum stj_status stj_report_windows(FILE *out, enum stj_report_format format, size_t n,
                                   struct stj_result *const *result, struct stj_error *err);

/* *text <- the JSON object of a result on one line (owned by the caller, stj_free). */
enum stj_status stj_result_json(const struct stj_result *result, char **text,
                                struct stj_error *err);

/* *text <- the config of a run with all defaults filled in, as a JSON object on one line (owned by
 * the caller, stj_free). */
enum stj_status stj_run_config_json(const struct stj_run *run, char **text, struct stj_error *err);

/* A study: its table or its items. */
enum stj_status stj_report_study(FILE *out, enum stj_report_format format,
                                 const struct stj_study_result *result, struct stj_error *err);

/* A validation, check by check. */
enum stj_status stj_report_validate(FILE *out, enum stj_report_format format,
                                    const struct stj_validation *v, struct stj_error *err);

/* A run and n results of its analyses together: in JSON one object with the others' objects as
 * `train` and under the names of the analyses (null for one without a result), in text one report
 * after the other. */
enum stj_status stj_report_run(FILE *out, enum stj_report_format format, const struct stj_run *run,
                               size_t n, struct stj_result *const *result, struct stj_error *err);

/* Draw a figure of the run with gnuplot, from what is stored under the tag (NULL: untagged).  With
 * a path: into that file (svg, pdf or png by its ending; whole or absent), and a report of it on
 * `out`.  Without: as text to `out`, as large as the terminal; JSON is then STJ_EINVAL.  A result
 * that is not stored is STJ_EINVAL, naming the command that makes it; a missing gnuplot is
 * STJ_EUNSUPPORTED. */
enum stj_status stj_report_plot(FILE *out, enum stj_report_format format, struct stj_run *run,
                                const char *tag, const char *figure, const char *path,
                                struct stj_error *err);

/* A part of a stored singular vector.  A tensor of the first layer, where the network reads images,
 * and the kernels of convolutions are drawn as images, others as heat maps. */
struct stj_report_vector {
    size_t size;        /* sizeof of this struct */
    size_t index;       /* counted from 1 by descending singular value; 0: 1 */
    const char *tensor; /* "dense0.kernel"; NULL: the first that is a matrix */
    bool left;          /* of the left vector u, in the space of theta_n, and not of v */
    bool data;          /* "row,column,value" as CSV in place of a picture */
};

/* Draw it, as stj_report_plot does its figures. */
enum stj_status stj_report_plot_vector(FILE *out, enum stj_report_format format,
                                       struct stj_run *run, const struct stj_report_vector *which,
                                       const char *path, struct stj_error *err);

/* Write the numbers of a figure as CSV, "series,x,y" with the axes' names in the first line: into
 * the file `path` (whole or absent) and a report of it on `out`; without one to `out` itself. */
enum stj_status stj_report_plot_data(FILE *out, enum stj_report_format format, struct stj_run *run,
                                     const char *tag, const char *figure, const char *path,
                                     struct stj_error *err);

/* A run's result to be drawn beside others, called `label`. */
struct stj_plotted {
    struct stj_run *run;     /* whose result */
    const char *tag, *label; /* tag as of stj_report_plot; label of one alone may be NULL */
};

/* How a figure is drawn; all zero but the size: as stj_report_plot does. */
struct stj_plot_settings {
    size_t size;       /* of this struct in bytes, as the program was compiled */
    double width;      /* of a file in cm (of PNG at 300 dots per inch); 0: 16, or in proportion */
    double height;     /* likewise; 0: 10, or in proportion */
    double font;       /* of its letters in points; 0: as fits the size */
    bool no_title;     /* a paper has a caption */
    bool log_x, log_y; /* log axes where the figure has linear ones */
    bool data;         /* the numbers as CSV, as stj_report_plot_data */
    bool script;       /* the gnuplot script with the data, that draws FIGURE.pdf */
};

/* The same figure of n of them in one, each in a colour of its own; how NULL: as of
 * stj_report_plot. */
enum stj_status stj_report_overlay(FILE *out, enum stj_report_format format, size_t n,
                                   const struct stj_plotted *what, const char *figure,
                                   const char *path, const struct stj_plot_settings *how,
                                   struct stj_error *err);

/* How runs are compared.  All zero but the size: their table. */
struct stj_compare_settings {
    size_t size;        /* of this struct in bytes, as the program was compiled */
    const char *by;     /* the key that quantities are drawn against; NULL: the one with the most
                         * different numbers */
    const char *figure; /* this figure alone: one of stj_report_figure, or "by-QUANTITY" */
    const char *path;   /* of that figure, NULL: on `out`; without `figure`: the folder for all */
    bool data;          /* the numbers of `figure` as CSV */
};

/* Compare the runs in n folders, each a run or a folder of runs: what differs in their configs, and every
 * number of their stored results that two of them have; over runs that differ in seeds alone, the mean
 * with its interval.  STJ_EINVAL: they are fewer than two, or none of them has the figure. */
enum stj_status stj_report_compare(FILE *out, enum stj_report_format format, size_t n,
                                   char *const *dir, const struct stj_compare_settings *settings,
                                   struct stj_error *err);

/* Write everything that is known of the run to one HTML page, complete in itself: the file `path`
 * (whole or absent), NULL: report.html in the run's directory.  Results are read, nothing is
 * computed. */
enum stj_status stj_report_html(struct stj_run *run, const char *path, struct stj_error *err);

/* Say on `out` where that page is. */
enum stj_status stj_report_page(FILE *out, enum stj_report_format format, const struct stj_run *run,
                                const char *path, struct stj_error *err);

/* What exported files are. */
enum stj_export_format {
    STJ_EXPORT_CSV, /* text, 17 digits */
    STJ_EXPORT_NPY, /* NumPy's format 1.0 */
};

/* Write every array of a stored result ("svd", "density-TAG"; NULL: all results) to a file of its
 * own in the folder `dir` (made when there is none): RESULT-NAME.csv or .npy, numbers and texts to
 * RESULT-attributes.csv; the paths are listed on `out`. */
enum stj_status stj_report_export(FILE *out, struct stj_run *run, const char *result,
                                  enum stj_export_format format, const char *dir,
                                  struct stj_error *err);

/* "spectrum": "singular values ...": name and doc of figure i; false past the last. */
bool stj_report_figure(size_t i, const char **name, const char **doc);

#ifdef __cplusplus
}
#endif

#endif
