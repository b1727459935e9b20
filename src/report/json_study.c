/* SPDX-License-Identifier: GPL-3.0-or-later */
/* report/json_study.c: the result of a study as a JSON object, its items put where their names
 * say. */
#include "report/json.h"

#include "base/error.h"
#include "study/study.h"

static json_t *json_of_item(const struct stj_study_item *item)
{
    switch (item->kind) {
    case STJ_STUDY_REAL:
        return stj_json_of_real(item->value[0]);
    case STJ_STUDY_COUNT:
        return stj_json_of_count(item->value[0]);
    case STJ_STUDY_TEXT:
        return item->text ? stj_json_of_text(item->text) : json_null();
    case STJ_STUDY_REALS:
        return stj_json_of_numbers(item->n, item->value, stj_json_of_real);
    case STJ_STUDY_COUNTS:
        return stj_json_of_numbers(item->n, item->value, stj_json_of_count);
    case STJ_STUDY_VECTORS:
    case STJ_STUDY_N_KINDS:
        break;
    }
    return NULL;
}

enum stj_status stj_json_study(const struct stj_study_result *r, json_t **object,
                               struct stj_error *err)
{
    json_t *whole = json_object();
    int failed = json_object_set_new(whole, "schema", json_integer(STJ_JSON_SCHEMA));
    failed |= json_object_set_new(whole, "study", json_string(r->study->info.name));
    for (size_t i = 0; i < r->n; i++)
        failed |= r->item[i].kind != STJ_STUDY_VECTORS &&
                  stj_json_put_at(whole, r->item[i].name, json_of_item(&r->item[i]));
    failed |= json_object_set_new(whole, "seconds", stj_json_of_real(r->seconds));
    if (failed) {
        json_decref(whole);
        *object = NULL;
        return stj_error_set(err, STJ_ENOMEM, __FILE__, __LINE__,
                             "out of memory for the JSON report");
    }
    *object = whole;
    return STJ_OK;
}
