/* SPDX-License-Identifier: GPL-3.0-or-later */
/* spectraj/analysis.h: the analyses of a run, requested by name, and their stored results.
 *
 * A request names an analysis, gives options as texts, like a command line, and selects a
 * Jacobian of the run.  Its result is stored in the run's folder.  Repeating the request, or a part
 * of it, reads the stored result; another question has its own file, so that no result is
 * lost.
 *
 *     stj_request_create("svd", &request, &err);
 *     stj_request_set(request, "top", "20", &err);
 *     stj_analyse(run, request, NULL, &result, &err);
 *     stj_result_numbers(result, "top.sigma", &sigma, &n, &err);
 *
 * Threads: different threads may use different requests and results at once.  Only one thread at a
 * time may use a run, and only one analysis at a time may run in a process (ARPACK and OpenBLAS
 * have global state).
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

/* *request <- an analysis of the Jacobian of the whole training, with options from the run's config
 * or else at their defaults.  STJ_ECONFIG: there is no analysis of that name. */
enum stj_status stj_request_create(const char *analysis, struct stj_request **request,
                                   struct stj_error *err);
void stj_request_destroy(struct stj_request *request); /* NULL is accepted */

/* Set an option of the analysis, as a text ("top", "20"; a flag: "true"), or one of those
 * that all analyses have:
 *     from, to     the window of steps            layers     "dense0,dense2.bias": rows and columns of these alone
 *     state        "theta" or "full"              tag        a name for the result: svd-TAG.h5
 *     force        "true": compute it again       memory     bytes the process may take, "8G"
 *     stored       "true": a missing result is STJ_EINVAL, naming the command that computes it
 * Unknown names and invalid values are errors that name valid ones. */
enum stj_status stj_request_set(struct stj_request *request, const char *option, const char *text,
                                struct stj_error *err);

/* Does the request's analysis itself have an option of that name? */
bool stj_request_has(const struct stj_request *request, const char *option);

/* *result <- the answer, computed or read, to be freed with stj_result_destroy.  progress may be
 * NULL.  A spent budget gives an answer that says so.  A computation interrupted before it has any
 * result is STJ_EINTERRUPTED, and repeating the request continues it. */
enum stj_status stj_analyse(struct stj_run *run, const struct stj_request *request,
                            const struct stj_progress *progress, struct stj_result **result,
                            struct stj_error *err);

/* The same for any operator, a matrix of one step: nothing is stored in a run's folder, and of the
 * options common to all analyses only `memory` exists.  journal: a file that records the products
 * (NULL: none), created if necessary.  A later call with it, with whatever extent (`top`),
 * continues from them; the first product is repeated, and a different one is STJ_EMISMATCH.  A file
 * of another question or kind is refused.  The caller removes the file. */
enum stj_status stj_analyse_op(struct stj_op *op, const struct stj_request *request,
                               const char *journal, const struct stj_progress *progress,
                               struct stj_result **result, struct stj_error *err);

/* *result <- the stored result of an analysis of the whole training with this tag (NULL: untagged),
 * whatever its options; NULL if there is none.  If an option is part of the name, write it out:
 * "trace-frobenius".  Computes no products. */
enum stj_status stj_result_read(struct stj_run *run, const char *name, const char *tag,
                                struct stj_result **result, struct stj_error *err);
void stj_result_destroy(struct stj_result *result); /* NULL is accepted */

/* The analysis that made it, and whether it was read rather than computed. */
const char *stj_result_analysis(const struct stj_result *result);
bool stj_result_is_stored(const struct stj_result *result); /* see stj_result_analysis */

/* Is the request fulfilled?  If not, a budget was spent, or the work was interrupted (*interrupted,
 * may be NULL). */
bool stj_result_is_complete(const struct stj_result *result, bool *interrupted);

/* For interrupted work: what is kept of it, and the command that continues it; valid as
 * long as the result.  NULL: it was not interrupted. */
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
