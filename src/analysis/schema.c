/* SPDX-License-Identifier: GPL-3.0-or-later */
/* analysis/schema.c: walking a struct by its table. */
#include "analysis/schema.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static size_t item_size(enum stj_field_kind kind)
{
    switch (kind) {
    case STJ_FIELD_COUNT:
        return sizeof(size_t);
    case STJ_FIELD_SEED:
        return sizeof(uint64_t);
    case STJ_FIELD_FLAG:
        return sizeof(bool);
    case STJ_FIELD_CHOICE:
        return sizeof(int);
    case STJ_FIELD_TEXT:
    case STJ_FIELD_NAME:
        return sizeof(char *);
    case STJ_FIELD_REAL:
    case STJ_FIELD_WHOLE:
        break;
    }
    return sizeof(double);
}

static size_t dim_length(const struct stj_field_dim *dim, const void *data)
{
    size_t n = 0;
    if (!dim->label)
        return *(const size_t *)((const char *)data + dim->count);
    while (dim->label[n])
        n++;
    return n;
}

struct stj_field_view stj_field_view(const struct stj_field *item, const void *data)
{
    struct stj_field_view view = {.item = item, .n = {1, 1}};
    for (; view.n_dims < STJ_FIELD_DIMS && item->dim[view.n_dims].name; view.n_dims++)
        view.n[view.n_dims] = dim_length(&item->dim[view.n_dims], data);
    return view;
}

/* Numbered entries lie behind a pointer, labelled ones and single values in the struct. */
static bool is_behind_pointer(const struct stj_field *item)
{
    return item->dim[0].name && !item->dim[0].label;
}

const void *stj_field_at(const struct stj_field *item, const void *data, size_t i, size_t j)
{
    const struct stj_field_view view = stj_field_view(item, data);
    const char *base = (const char *)data + item->offset;
    if (is_behind_pointer(item))
        base = *(char *const *)(const void *)base;
    if (!base)
        return NULL;
    const size_t inner = item->dim[1].stride ? item->dim[1].stride : item_size(item->kind);
    const size_t outer = item->dim[0].stride ? item->dim[0].stride : view.n[1] * inner;
    return base + item->member + i * outer + j * inner;
}

double stj_field_number(const struct stj_field *item, const void *data, size_t i, size_t j)
{
    const void *at = stj_field_at(item, data, i, j);
    if (!at)
        return (double)NAN;
    switch (item->kind) {
    case STJ_FIELD_REAL:
    case STJ_FIELD_WHOLE:
        return *(const double *)at;
    case STJ_FIELD_COUNT:
        return (double)*(const size_t *)at;
    case STJ_FIELD_SEED:
        return (double)*(const uint64_t *)at;
    case STJ_FIELD_FLAG:
        return *(const bool *)at;
    case STJ_FIELD_CHOICE:
    case STJ_FIELD_TEXT:
    case STJ_FIELD_NAME:
        break;
    }
    return (double)NAN;
}

const char *stj_field_text(const struct stj_field *item, const void *data)
{
    const void *at = stj_field_at(item, data, 0, 0);
    if (item->kind == STJ_FIELD_CHOICE)
        return item->choices[*(const int *)at];
    if (item->kind == STJ_FIELD_TEXT || item->kind == STJ_FIELD_NAME)
        return *(const char *const *)at;
    return NULL;
}

bool stj_field_is_there(const struct stj_field *item, const void *data)
{
    if (item->present && !*(const bool *)((const char *)data + item->present))
        return false;
    if (item->kind == STJ_FIELD_TEXT || item->kind == STJ_FIELD_NAME)
        return stj_field_text(item, data) != NULL;
    return !item->zero_is_none || stj_field_number(item, data, 0, 0) != 0;
}

bool stj_field_in(const struct stj_field *item, enum stj_field_place place)
{
    return item->place == 0 || ((unsigned)item->place & (unsigned)place) != 0;
}

bool stj_field_is_column(const struct stj_field *field, const char *dim)
{
    return field->dim[0].name && strcmp(field->dim[0].name, dim) == 0 && !field->dim[1].name &&
           stj_field_in(field, STJ_FIELD_IN_JSON);
}

bool stj_field_is_first_column(const struct stj_field *schema, const struct stj_field *field)
{
    if (!field->dim[0].name || !stj_field_is_column(field, field->dim[0].name))
        return false;
    for (const struct stj_field *f = schema; f != field; f++)
        if (stj_field_is_column(f, field->dim[0].name))
            return false;
    return true;
}

const char *stj_field_short_name(const struct stj_field *field)
{
    const char *dot = strrchr(field->name, '.');
    return dot ? dot + 1 : field->name;
}

const struct stj_field *stj_schema_find(const struct stj_field *schema, const char *name)
{
    for (const struct stj_field *item = schema; item->name; item++)
        if (strcmp(item->name, name) == 0)
            return item;
    return NULL;
}

const char *stj_field_file_name(const struct stj_field *item, char text[STJ_FIELD_NAME_MAX])
{
    size_t n = 0;
    if (item->file)
        return item->file;
    for (const char *c = item->name; *c && n + 1 < STJ_FIELD_NAME_MAX; c++) {
        if (strchr("[]*", *c) || (*c == '.' && n > 0 && text[n - 1] == '_'))
            continue;
        text[n++] = (char)(*c == '.' ? '_' : *c);
    }
    text[n] = '\0';
    return text;
}

void stj_schema_free(const struct stj_field *schema, void *data)
{
    for (const struct stj_field *item = schema; item->name; item++) {
        char **slot = (void *)((char *)data + item->offset);
        if (!is_behind_pointer(item) && item->kind != STJ_FIELD_TEXT)
            continue;
        free(*slot); /* several items may lie in one array: the first frees it for all */
        *slot = NULL;
    }
}
