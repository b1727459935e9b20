/* SPDX-License-Identifier: GPL-3.0-or-later */
/* report/report.c: a result in the format asked for. */
#include <spectraj/report.h>

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "report/contents.h"
#include "report/json.h"
#include "report/text.h"

static enum stj_status check_stream(FILE *out, struct stj_error *err)
{
    if (ferror(out))
        return stj_error_set(err, STJ_EIO, __FILE__, __LINE__, "the report could not be written");
    return STJ_OK;
}

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
    json_t *object = NULL;
    struct stj_run_info info;
    struct stj_storage storage;
    stj_run_get_info(run, &info);
    enum stj_status st = stj_run_storage(run, 0, 0, 0, 1, &storage, err);
    if (st != STJ_OK)
        return st;
    if (format == STJ_REPORT_JSON)
        return print_and_drop(stj_json_train(&info, &storage, &object, err), out, &object, err);
    stj_text_train(out, &info, &storage);
    return check_stream(out, err);
}

enum stj_status stj_report_info(FILE *out, enum stj_report_format format, struct stj_run *run,
                                struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    json_t *object = NULL;
    struct stj_contents contents;
    STJ_TRY(stj_contents_of(run, &contents, err));
    if (format == STJ_REPORT_JSON) {
        st = stj_json_info(&contents, &object, err);
        st = print_and_drop(st, out, &object, err);
    } else {
        stj_text_info(out, &contents);
        st = check_stream(out, err);
    }
out:
    stj_contents_free(&contents);
    return st;
}

enum stj_status stj_report_plan(FILE *out, enum stj_report_format format,
                                const struct stj_plan *plan, struct stj_error *err)
{
    json_t *object = NULL;
    if (format == STJ_REPORT_JSON)
        return print_and_drop(stj_json_plan(plan, &object, err), out, &object, err);
    stj_text_plan(out, plan);
    return check_stream(out, err);
}

enum stj_status stj_report_svd(FILE *out, enum stj_report_format format,
                               const struct stj_svd_result *result, struct stj_error *err)
{
    json_t *object = NULL;
    if (format == STJ_REPORT_JSON)
        return print_and_drop(stj_json_svd(result, &object, err), out, &object, err);
    stj_text_svd(out, result);
    return check_stream(out, err);
}

enum stj_status stj_report_dense(FILE *out, enum stj_report_format format,
                                 const struct stj_dense_result *result, struct stj_error *err)
{
    json_t *object = NULL;
    if (format == STJ_REPORT_JSON)
        return print_and_drop(stj_json_dense(result, &object, err), out, &object, err);
    stj_text_dense(out, result);
    return check_stream(out, err);
}

enum stj_status stj_report_density(FILE *out, enum stj_report_format format,
                                   const struct stj_density_result *result,
                                   const struct stj_density_extras *extras, struct stj_error *err)
{
    static const struct stj_density_extras none = {0};
    json_t *object = NULL;
    if (!extras)
        extras = &none;
    if (format == STJ_REPORT_JSON)
        return print_and_drop(stj_json_density(result, extras, &object, err), out, &object, err);
    stj_text_density(out, result, extras);
    return check_stream(out, err);
}

enum stj_status stj_report_trace(FILE *out, enum stj_report_format format,
                                 const struct stj_trace_result *result, struct stj_error *err)
{
    json_t *object = NULL;
    if (format == STJ_REPORT_JSON)
        return print_and_drop(stj_json_trace(result, &object, err), out, &object, err);
    stj_text_trace(out, result);
    return check_stream(out, err);
}

enum stj_status stj_report_study(FILE *out, enum stj_report_format format,
                                 const struct stj_study_result *result, struct stj_error *err)
{
    json_t *object = NULL;
    if (format == STJ_REPORT_JSON)
        return print_and_drop(stj_json_study(result, &object, err), out, &object, err);
    stj_text_study(out, result);
    return check_stream(out, err);
}

enum stj_status stj_report_validate(FILE *out, enum stj_report_format format,
                                    const struct stj_validation *v, struct stj_error *err)
{
    json_t *object = NULL;
    if (format == STJ_REPORT_JSON)
        return print_and_drop(stj_json_validate(v, &object, err), out, &object, err);
    stj_text_validate(out, v);
    return check_stream(out, err);
}

static enum stj_status run_as_json(FILE *out, const struct stj_run *run,
                                   const struct stj_svd_result *svd,
                                   const struct stj_density_result *density,
                                   const struct stj_dense_result *dense, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    static const struct stj_density_extras none = {0};
    json_t *whole = NULL, *train = NULL, *svd_part = NULL, *density_part = NULL, *dense_part = NULL;
    struct stj_run_info info;
    struct stj_storage storage;
    stj_run_get_info(run, &info);
    STJ_TRY(stj_run_storage(run, 0, 0, 0, 1, &storage, err));
    STJ_TRY(stj_json_train(&info, &storage, &train, err));
    if (svd)
        STJ_TRY(stj_json_svd(svd, &svd_part, err));
    if (density)
        STJ_TRY(stj_json_density(density, &none, &density_part, err));
    if (dense)
        STJ_TRY(stj_json_dense(dense, &dense_part, err));
    STJ_TRY(stj_json_run(train, svd_part, density_part, dense_part, &whole, err));
    STJ_TRY(stj_json_print(out, whole, err));
out:
    json_decref(whole);
    json_decref(train);
    json_decref(svd_part);
    json_decref(density_part);
    json_decref(dense_part);
    return st;
}

enum stj_status stj_report_run(FILE *out, enum stj_report_format format, const struct stj_run *run,
                               const struct stj_svd_result *svd,
                               const struct stj_density_result *density,
                               const struct stj_dense_result *dense, struct stj_error *err)
{
    if (format == STJ_REPORT_JSON)
        return run_as_json(out, run, svd, density, dense, err);
    enum stj_status st = stj_report_train(out, format, run, err);
    if (st == STJ_OK && svd)
        st = stj_report_svd(out, format, svd, err);
    if (st == STJ_OK && density)
        st = stj_report_density(out, format, density, NULL, err);
    if (st == STJ_OK && dense)
        st = stj_report_dense(out, format, dense, err);
    return st;
}
