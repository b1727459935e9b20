/* SPDX-License-Identifier: GPL-3.0-or-later */
/* report/report.c: a result in the format asked for. */
#include <spectraj/report.h>

#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"
#include "analysis/print.h"
#include "report/contents.h"
#include "report/json.h"
#include "report/text.h"

/* Print what a builder made and drop it; st is the builder's.  By address, because the builder's
 * call stands in the same list of arguments. */
static enum stj_status print_and_drop(enum stj_status st, FILE *out, json_t **object,
                                      struct stj_error *err)
{
    if (st == STJ_OK)
        st = stj_json_print(out, *object, err);
    json_decref(*object);
    return st;
}

enum stj_status stj_report_train(FILE *out, enum stj_report_format format,
                                 const struct stj_run *run, struct stj_error *err)
{
    STJ_NOT_NULL(err, out, run);
    json_t *object = NULL;
    struct stj_text_output text;
    struct stj_run_info info;
    struct stj_storage storage;
    stj_run_get_info(run, &info);
    enum stj_status st = stj_run_storage(run, 0, 0, 0, 1, &storage, err);
    if (st != STJ_OK)
        return st;
    if (format == STJ_REPORT_JSON)
        return print_and_drop(stj_json_train(&info, &storage, &object, err), out, &object, err);
    if (stj_text_begin(&text))
        stj_text_train(text.file, &info, format == STJ_REPORT_VERBOSE ? &storage : NULL);
    return stj_text_end(&text, out, err);
}

enum stj_status stj_report_info(FILE *out, enum stj_report_format format, struct stj_run *run,
                                struct stj_error *err)
{
    STJ_NOT_NULL(err, out, run);
    json_t *object = NULL;
    struct stj_text_output text;
    STJ_HELD(stj_contents_free) struct stj_contents contents = {.n_results = 0};
    STJ_MUST(stj_contents_of(run, &contents, err));
    if (format == STJ_REPORT_JSON)
        return print_and_drop(stj_json_info(&contents, &object, err), out, &object, err);
    if (stj_text_begin(&text))
        stj_text_info(text.file, &contents);
    return stj_text_end_rows(&text, out, err);
}

enum stj_status stj_report_plan(FILE *out, enum stj_report_format format,
                                const struct stj_plan *plan, struct stj_error *err)
{
    STJ_NOT_NULL(err, out, plan);
    json_t *object = NULL;
    struct stj_text_output text;
    if (format == STJ_REPORT_JSON)
        return print_and_drop(stj_json_plan(plan, &object, err), out, &object, err);
    if (stj_text_begin(&text))
        stj_text_plan(text.file, plan);
    return stj_text_end_rows(&text, out, err);
}

enum stj_status stj_report_study(FILE *out, enum stj_report_format format,
                                 const struct stj_study_result *result, struct stj_error *err)
{
    STJ_NOT_NULL(err, out, result);
    json_t *object = NULL;
    struct stj_text_output text;
    if (format == STJ_REPORT_JSON)
        return print_and_drop(stj_json_study(result, &object, err), out, &object, err);
    if (stj_text_begin(&text))
        stj_text_study(text.file, result);
    return stj_text_end(&text, out, err);
}

enum stj_status stj_report_validate(FILE *out, enum stj_report_format format,
                                    const struct stj_validation *v, struct stj_error *err)
{
    STJ_NOT_NULL(err, out, v);
    json_t *object = NULL;
    struct stj_text_output text;
    if (format == STJ_REPORT_JSON)
        return print_and_drop(stj_json_validate(v, &object, err), out, &object, err);
    if (stj_text_begin(&text))
        stj_text_validate(text.file, v, format == STJ_REPORT_VERBOSE);
    return stj_text_end(&text, out, err);
}

enum stj_status stj_report_result(FILE *out, enum stj_report_format format,
                                  const struct stj_result *result, struct stj_error *err)
{
    json_t *object = NULL;
    struct stj_text_output text;
    STJ_NOT_NULL(err, out, result);
    if (format == STJ_REPORT_JSON)
        return print_and_drop(stj_json_result(result, &object, err), out, &object, err);
    if (stj_text_begin(&text)) {
        stj_print_remarks(text.file, &result->about.training);
        stj_print_part(text.file, &result->about.part);
        if (result->analysis->print)
            result->analysis->print(text.file, result);
        else
            stj_print_fields(text.file, result);
        if (format == STJ_REPORT_VERBOSE)
            stj_print_storage(text.file, "states: ", &result->about.storage);
    }
    return stj_text_end(&text, out, err);
}

/* *list <- the objects of the results. */
static enum stj_status list_results(size_t n, struct stj_result *const *result, json_t **list,
                                    struct stj_error *err)
{
    json_t *object = NULL;
    *list = json_array();
    STJ_NEED(err, *list, STJ_ENOMEM, "out of memory for the JSON report");
    for (size_t i = 0; i < n; i++) {
        STJ_NOT_NULL(err, result[i]);
        STJ_MUST(stj_json_result(result[i], &object, err));
        const struct stj_run_part *part = &result[i]->about.part;
        const bool put =
            json_object_set_new(object, "from", json_integer((json_int_t)part->from)) == 0 &&
            json_object_set_new(object, "to", json_integer((json_int_t)part->to)) == 0;
        STJ_NEED(err, json_array_append_new(*list, object) == 0 && put, STJ_ENOMEM,
                 "out of memory for the JSON report");
    }
    return STJ_OK;
}

enum stj_status stj_report_windows(FILE *out, enum stj_report_format format, size_t n,
                                   struct stj_result *const *result, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    json_t *list = NULL, *whole = NULL;
    STJ_NOT_NULL(err, out, result);
    for (size_t i = 0; format != STJ_REPORT_JSON && i < n; i++) {
        STJ_NOT_NULL(err, result[i]);
        const struct stj_run_part *part = &result[i]->about.part;
        fprintf(out, "%sJ(%zu -> %zu)\n", i ? "\n" : "", part->from, part->to);
        STJ_MUST(stj_report_result(out, format, result[i], err));
    }
    if (format != STJ_REPORT_JSON)
        return STJ_OK;
    STJ_TRY(list_results(n, result, &list, err));
    whole = json_pack("{s:i, s:O}", "schema", STJ_JSON_SCHEMA, "at", list);
    STJ_CHECK(err, whole, STJ_ENOMEM, "out of memory for the JSON report");
    st = stj_json_print(out, whole, err);
out:
    json_decref(list);
    json_decref(whole);
    return st;
}

enum stj_status stj_result_json(const struct stj_result *result, char **text, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    json_t *object = NULL;
    STJ_NOT_NULL(err, result, text);
    STJ_TRY(stj_json_result(result, &object, err));
    *text = json_dumps(object, JSON_REAL_PRECISION(17));
    STJ_CHECK(err, *text, STJ_ENOMEM, "out of memory for the JSON of a result");
out:
    json_decref(object);
    return st;
}

/* whole[key] <- the object of each result; null for an analysis that has none. */
static enum stj_status put_results(json_t *whole, size_t n, struct stj_result *const *result,
                                   struct stj_error *err)
{
    json_t *object = NULL;
    for (size_t i = 0; stj_analyses.list[i]; i++)
        json_object_set_new(whole, stj_analyses.list[i]->name, json_null());
    for (size_t i = 0; i < n; i++) {
        STJ_NOT_NULL(err, result[i]);
        STJ_MUST(stj_json_result(result[i], &object, err));
        STJ_NEED(err, json_object_set_new(whole, result[i]->analysis->info.name, object) == 0,
                 STJ_ENOMEM, "out of memory for the JSON report");
    }
    return STJ_OK;
}

enum stj_status stj_report_run(FILE *out, enum stj_report_format format, const struct stj_run *run,
                               size_t n, struct stj_result *const *result, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    json_t *whole = NULL, *train = NULL;
    struct stj_run_info info;
    struct stj_storage storage;
    STJ_NOT_NULL(err, out, run);
    STJ_CHECK(err, n == 0 || result, STJ_EINVAL, "%zu results of a run, and no place of them", n);
    if (format != STJ_REPORT_JSON) {
        st = stj_report_train(out, format, run, err);
        for (size_t i = 0; st == STJ_OK && i < n; i++)
            st = stj_report_result(out, format, result[i], err);
        return st;
    }
    stj_run_get_info(run, &info);
    STJ_TRY(stj_run_storage(run, 0, 0, 0, 1, &storage, err));
    STJ_TRY(stj_json_train(&info, &storage, &train, err));
    whole = json_pack("{s:i, s:O}", "schema", STJ_JSON_SCHEMA, "train", train);
    STJ_CHECK(err, whole, STJ_ENOMEM, "out of memory for the JSON report");
    STJ_TRY(put_results(whole, n, result, err));
    STJ_TRY(stj_json_print(out, whole, err));
out:
    json_decref(whole);
    json_decref(train);
    return st;
}
