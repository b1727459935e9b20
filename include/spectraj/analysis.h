/* SPDX-License-Identifier: GPL-3.0-or-later */
/* spectraj/analysis.h: the analyses of a run, asked for by name, and their stored results.
 *
 * A request names an analysis, gives options as texts, as a command line does, and says which
 * Jacobian of the run it is about.  Its result is kept in the run's folder and read from there when
 * it is asked for again, or a part of it is; another question has a file of its own, so that
 * nothing that was computed is lost.
 *
 *     stj_request_create("svd", &request, &err);
 *     stj_request_set(request, "top", "20", &err);
 *     stj_analyse(run, request, NULL, &result, &err);
 *     stj_result_numbers(result, "top.sigma", &sigma, &n, &err);
 *
 * Threads: different requests and results may be used by different threads at once; one run is used
 * by one thread at a time, and one analysis runs at a time in a process (ARPACK and OpenBLAS keep a
 * state of their own).
 */
#ifndef SPECTRAJ_ANALYSIS_H
#define SPECTRAJ_ANALYSIS_H

#include <stdbool.h>
#include <stddef.h>

#include <spectraj/progress.h>
#include <spectraj/run.h>
#include <spectraj/status.h>

#ifdef __cplusplus
extern "C" {
#endif

struct stj_option;

/* An analysis in words; the strings are static. */
struct stj_analysis_about {
    const char *name;                 /* "svd" */
    const char *doc;                  /* one line */
    const char *description;          /* sentences */
    const char *example;              /* command lines */
    const char *unconverged;          /* when a result is not what was asked for; NULL: never */
    const struct stj_option *options; /* ends with a row without a name; NULL: none */
};

/* about <- analysis number i; false past the last. */
bool stj_analysis_get(size_t i, struct stj_analysis_about *about);

struct stj_request;
struct stj_result;

/* *request <- an analysis of the whole training's Jacobian with all options as the run's config
 * says, else at their defaults.  STJ_ECONFIG: there is no analysis of that name. */
enum stj_status stj_request_create(const char *analysis, struct stj_request **request,
                                   struct stj_error *err);
void stj_request_destroy(struct stj_request *request); /* NULL is accepted */

/* Give an option of the analysis its value as a text ("top", "20"; a flag: "true"), or one of those
 * that all analyses have:
 *     from, to     the window of steps            layers     "dense0,dense2.bias": rows and columns of these alone
 *     state        "theta" or "full"              tag        a name of the result's own: svd-TAG.h5
 *     force        "true": compute it again       memory     bytes the process may take, "8G"
 *     stored       "true": what is not stored is STJ_EINVAL, naming the command that makes it
 * Unknown names and values that do not fit: an error that names what does. */
enum stj_status stj_request_set(struct stj_request *request, const char *option, const char *text,
                                struct stj_error *err);

/* Has the request's analysis an option of that name of its own? */
bool stj_request_has(const struct stj_request *request, const char *option);

/* *result <- the answer, computed or read, to be freed with stj_result_destroy.  progress may be
 * NULL.  A spent budget is an answer that says so; an interrupted computation that has nothing to
 * show yet is STJ_EINTERRUPTED, and the same request goes on from where it was. */
enum stj_status stj_analyse(struct stj_run *run, const struct stj_request *request,
                            const struct stj_progress *progress, struct stj_result **result,
                            struct stj_error *err);

/* The same of any operator, a matrix of one step: nothing is kept in a run's folder, and of the
 * options that all analyses have there is `memory` alone.  journal: a file that keeps the products
 * as they come (NULL: none), made where there is none.  Asked again with it, with whatever extent
 * (`top`), an analysis goes on from them; the first is made again, and one that differs is
 * STJ_EMISMATCH.  A file of another question or kind is refused.  It is the caller's to remove. */
enum stj_status stj_analyse_op(struct stj_op *op, const struct stj_request *request,
                               const char *journal, const struct stj_progress *progress,
                               struct stj_result **result, struct stj_error *err);

/* *result <- what is stored of an analysis of the whole training under the tag (NULL: without one),
 * whatever its options; NULL: nothing.  A name that one of its options is part of is written out:
 * "trace-frobenius".  No products. */
enum stj_status stj_result_read(struct stj_run *run, const char *name, const char *tag,
                                struct stj_result **result, struct stj_error *err);
void stj_result_destroy(struct stj_result *result); /* NULL is accepted */

/* The analysis that made it, and whether it was read rather than computed. */
const char *stj_result_analysis(const struct stj_result *result);
bool stj_result_is_stored(const struct stj_result *result); /* see stj_result_analysis */

/* Is it what was asked for?  Else a budget was spent, or the work was interrupted (*interrupted,
 * may be NULL). */
bool stj_result_is_complete(const struct stj_result *result, bool *interrupted);

/* Of work that was interrupted: what is kept of it, and the command that goes on with it; valid as
 * long as the result.  NULL: it was not. */
const char *stj_result_to_go_on(const struct stj_result *result);

/* An item of a result: a number, a text, or an array of numbers.  The names are those of its JSON
 * (docs/json.md). */
struct stj_result_item {
    const char *name;       /* "top.sigma" */
    const char *unit, *doc; /* what it is; unit may be NULL */
    size_t n_dims;          /* 0: a single value */
    size_t n[2];            /* lengths of its dimensions, 1 beyond n_dims */
    const char *dim[2];     /* their names: "pair", "parameter"; NULL beyond n_dims */
    const char *text;       /* of an item that is a text; else NULL */
};

/* item <- item number i, valid as long as the result; false past the last. */
bool stj_result_get_item(const struct stj_result *result, size_t i, struct stj_result_item *item);

/* A single number: NaN where there is none of that name, or it was not measured. */
double stj_result_number(const struct stj_result *result, const char *name);

/* *numbers[*n] <- an array, row after row (owned by the caller, stj_free).  STJ_EINVAL: there is no
 * such array. */
enum stj_status stj_result_numbers(const struct stj_result *result, const char *name,
                                   double **numbers, size_t *n, struct stj_error *err);

/* A text, valid as long as the result; NULL: there is none of that name. */
const char *stj_result_text(const struct stj_result *result, const char *name);

#ifdef __cplusplus
}
#endif

#endif
