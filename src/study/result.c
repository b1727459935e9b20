/* SPDX-License-Identifier: GPL-3.0-or-later */
/* study/result.c: the result of a study as a list of named items. */
#include "study/result.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"

enum stj_status stj_study_result_create(const struct stj_study_ops *study,
                                        struct stj_study_result **result, struct stj_error *err)
{
    enum stj_status st = stj_new(result, 1, sizeof **result, err);
    if (st == STJ_OK)
        (*result)->study = study;
    return st;
}

void stj_study_result_destroy(struct stj_study_result *result)
{
    if (!result)
        return;
    for (size_t i = 0; i < result->n; i++) {
        free(result->item[i].value);
        free(result->item[i].text);
    }
    free(result->item);
    free(result);
}

enum stj_status stj_study_put_item(struct stj_study_result *r, enum stj_study_kind kind,
                                   const char *name, size_t n, const double *value,
                                   const char *text, struct stj_error *err)
{
    STJ_NEED(err, strlen(name) < STJ_STUDY_NAME_MAX && !stj_study_find(r, name), STJ_EINTERNAL,
             "item \"%s\" of a study is there already or has too long a name", name);
    STJ_MUST(stj_resize(&r->item, r->n, r->n + 1, sizeof *r->item, err));
    struct stj_study_item *item = &r->item[r->n++];
    *item = (struct stj_study_item){.kind = kind, .n = n};
    snprintf(item->name, sizeof item->name, "%s", name);
    if (text)
        STJ_MUST(stj_strdup(&item->text, text, err));
    STJ_MUST(stj_new(&item->value, n, sizeof *item->value, err));
    for (size_t i = 0; value && i < n; i++)
        item->value[i] = value[i];
    return STJ_OK;
}

/* text <- the printed name. */
#define PRINT_NAME(text, format)                                                                   \
    do {                                                                                           \
        va_list args;                                                                              \
        va_start(args, format);                                                                    \
        vsnprintf((text), sizeof(text), (format), args);                                           \
        va_end(args);                                                                              \
    } while (0)

enum stj_status stj_study_put_real(struct stj_study_result *r, double value, struct stj_error *err,
                                   const char *name, ...)
{
    char text[STJ_STUDY_NAME_MAX];
    PRINT_NAME(text, name);
    return stj_study_put_item(r, STJ_STUDY_REAL, text, 1, &value, NULL, err);
}

enum stj_status stj_study_put_count(struct stj_study_result *r, size_t value, struct stj_error *err,
                                    const char *name, ...)
{
    char text[STJ_STUDY_NAME_MAX];
    const double real = (double)value;
    PRINT_NAME(text, name);
    return stj_study_put_item(r, STJ_STUDY_COUNT, text, 1, &real, NULL, err);
}

enum stj_status stj_study_put_text(struct stj_study_result *r, const char *value,
                                   struct stj_error *err, const char *name, ...)
{
    char text[STJ_STUDY_NAME_MAX];
    PRINT_NAME(text, name);
    return stj_study_put_item(r, STJ_STUDY_TEXT, text, 0, NULL, value, err);
}

enum stj_status stj_study_put_reals(struct stj_study_result *r, size_t n, const double *value,
                                    struct stj_error *err, const char *name, ...)
{
    char text[STJ_STUDY_NAME_MAX];
    PRINT_NAME(text, name);
    return stj_study_put_item(r, STJ_STUDY_REALS, text, n, value, NULL, err);
}

enum stj_status stj_study_put_counts(struct stj_study_result *r, size_t n, const size_t *value,
                                     struct stj_error *err, const char *name, ...)
{
    char text[STJ_STUDY_NAME_MAX];
    PRINT_NAME(text, name);
    enum stj_status st = stj_study_put_item(r, STJ_STUDY_COUNTS, text, n, NULL, NULL, err);
    for (size_t i = 0; st == STJ_OK && i < n; i++)
        r->item[r->n - 1].value[i] = (double)value[i];
    return st;
}

const struct stj_study_item *stj_study_find(const struct stj_study_result *r, const char *name)
{
    for (size_t i = 0; i < r->n; i++)
        if (strcmp(r->item[i].name, name) == 0)
            return &r->item[i];
    return NULL;
}

double stj_study_number(const struct stj_study_result *r, const char *name, ...)
{
    char text[STJ_STUDY_NAME_MAX];
    PRINT_NAME(text, name);
    const struct stj_study_item *item = stj_study_find(r, text);
    return item && item->n > 0 ? item->value[0] : (double)NAN;
}

const double *stj_study_vector(const struct stj_study_result *r, size_t *n, const char *name, ...)
{
    char text[STJ_STUDY_NAME_MAX];
    PRINT_NAME(text, name);
    const struct stj_study_item *item = stj_study_find(r, text);
    *n = item ? item->n : 0;
    return item ? item->value : NULL;
}

const double *stj_study_numbers(const struct stj_study_result *result, const char *item, size_t *n)
{
    const struct stj_study_item *found = result && item ? stj_study_find(result, item) : NULL;
    const bool numbers = found && found->kind != STJ_STUDY_TEXT;
    if (n)
        *n = numbers ? found->n : 0;
    return numbers ? found->value : NULL;
}

const char *stj_study_text(const struct stj_study_result *result, const char *item)
{
    const struct stj_study_item *found = result && item ? stj_study_find(result, item) : NULL;
    return found ? found->text : NULL;
}
