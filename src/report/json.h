/* SPDX-License-Identifier: GPL-3.0-or-later */
/* report/json.h: results as JSON objects; the keys are documented in docs/json.md.
 *
 * Every builder sets *object to a new reference, with "schema" as its first key.  Real numbers have
 * 17 significant digits, so that they read back as the same double; what is not finite is null;
 * counts that are whole are written as integers.
 */
#ifndef STJ_REPORT_JSON_H
#define STJ_REPORT_JSON_H

#include <jansson.h>
#include <stdio.h>

#include <spectraj/report.h>

#include "analysis/analysis.h"
#include "report/contents.h"
#include <spectraj/study.h>

enum { STJ_JSON_SCHEMA = 1 };

/* storage: how an analysis would have the states at hand. */
enum stj_status stj_json_train(const struct stj_run_info *info, const struct stj_storage *storage,
                               json_t **object, struct stj_error *err);
enum stj_status stj_json_plan(const struct stj_plan *plan, json_t **object, struct stj_error *err);
enum stj_status stj_json_result(const struct stj_result *result, json_t **object,
                                struct stj_error *err);
/* What differences say of J. */
const char *stj_difference_verdict(const struct stj_validation *v);
enum stj_status stj_json_validate(const struct stj_validation *v, json_t **object,
                                  struct stj_error *err);
enum stj_status stj_json_plot(const char *figure, const char *path, json_t **object,
                              struct stj_error *err);

enum stj_status stj_json_study(const struct stj_study_result *result, json_t **object,
                               struct stj_error *err);

/* layers[n_layers], results[n_results]: file names. */
enum stj_status stj_json_info(const struct stj_contents *contents, json_t **object,
                              struct stj_error *err);

/* A run of a list, without a schema of its own; NULL: no memory. */
json_t *stj_json_listed(const struct stj_listed_run *listed);

/* Put the value (stolen) at "a.b[1].c" below the object; -1: there is no memory. */
int stj_json_put_at(json_t *object, const char *name, json_t *value);

/* A number with 17 digits; a count, whole unless windows of a run were applied; null when it is not
 * finite.  n of them. */
json_t *stj_json_of_real(double x);
json_t *stj_json_of_count(double x);
json_t *stj_json_of_numbers(size_t n, const double *x, json_t *(*of)(double x));
json_t *stj_json_of_text(const char *text);

/* Print the object on one line of its own; all of it, or nothing when memory is short. */
enum stj_status stj_json_print(FILE *out, const json_t *object, struct stj_error *err);

#endif
