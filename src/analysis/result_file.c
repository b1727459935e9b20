/* SPDX-License-Identifier: GPL-3.0-or-later */
/* analysis/result_file.c: a struct and its schema as items of a result file. */
#include "analysis/result_file.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"

const char stj_no_text[] = "none";

static bool is_whole(enum stj_field_kind kind)
{
    return kind == STJ_FIELD_COUNT || kind == STJ_FIELD_SEED || kind == STJ_FIELD_FLAG;
}

static uint64_t whole_at(const struct stj_field *item, const void *data, size_t i)
{
    const void *at = stj_field_at(item, data, i, 0);
    if (item->kind == STJ_FIELD_SEED)
        return *(const uint64_t *)at;
    return item->kind == STJ_FIELD_FLAG ? *(const bool *)at : *(const size_t *)at;
}

/* ---- writing ---- */

static enum stj_status put_single(struct stj_h5 *file, const struct stj_field *item,
                                  const char *name, const void *data, struct stj_error *err)
{
    if (is_whole(item->kind))
        return stj_h5_put_unsigned(file, name, whole_at(item, data, 0), err);
    if (item->kind == STJ_FIELD_REAL || item->kind == STJ_FIELD_WHOLE)
        return stj_h5_put_real(file, name, stj_field_number(item, data, 0, 0), err);
    const char *text = stj_field_text(item, data);
    return stj_h5_put_text(file, name, text ? text : stj_no_text, err);
}

static enum stj_status put_wholes(struct stj_h5 *file, const struct stj_field_view *view,
                                  const char *name, const void *data, struct stj_error *err)
{
    STJ_FREED uint64_t *value = NULL;
    STJ_MUST(stj_new(&value, view->n[0], sizeof *value, err));
    for (size_t i = 0; i < view->n[0]; i++)
        value[i] = whole_at(view->item, data, i);
    return stj_h5_put_unsigneds(file, name, view->n[0], value, err);
}

/* Do the values lie as the file wants them? */
static bool is_packed(const struct stj_field *item)
{
    return !item->dim[0].stride && !item->dim[1].stride && !item->dim[0].label;
}

static enum stj_status put_rows(struct stj_h5 *file, const struct stj_field_view *view,
                                const char *name, const double *value, struct stj_error *err)
{
    if (view->n_dims == 1)
        return stj_h5_put_vector(file, name, view->n[0], value, err);
    STJ_MUST(stj_h5_put_matrix(file, name, view->n[0], view->n[1], err));
    return stj_h5_put_rows(file, name, 0, view->n[0], value, view->n[1], err);
}

static enum stj_status put_reals(struct stj_h5 *file, const struct stj_field_view *view,
                                 const char *name, const void *data, struct stj_error *err)
{
    STJ_FREED double *copy = NULL;
    if (is_packed(view->item))
        return put_rows(file, view, name, stj_field_at(view->item, data, 0, 0), err);
    STJ_MUST(stj_new(&copy, view->n[0] * view->n[1], sizeof *copy, err));
    for (size_t i = 0; i < view->n[0]; i++)
        for (size_t j = 0; j < view->n[1]; j++)
            copy[i * view->n[1] + j] = stj_field_number(view->item, data, i, j);
    return put_rows(file, view, name, copy, err);
}

static const char *dimension_name(struct stj_h5 *file, const struct stj_field_dim *dim, size_t n)
{
    return dim->other && stj_h5_dimension_differs(file, dim->name, n) ? dim->other : dim->name;
}

static enum stj_status put_array(struct stj_h5 *file, const struct stj_field_view *view,
                                 const char *name, const void *data, struct stj_error *err)
{
    const struct stj_field *item = view->item;
    const char *dims[STJ_FIELD_DIMS] = {dimension_name(file, &item->dim[0], view->n[0]),
                                        dimension_name(file, &item->dim[1], view->n[1])};
    if (view->n_dims > 1 && (view->n[0] == 0 || view->n[1] == 0))
        return STJ_OK; /* a matrix without rows has no place in a file */
    if (is_whole(item->kind))
        STJ_MUST(put_wholes(file, view, name, data, err));
    else
        STJ_MUST(put_reals(file, view, name, data, err));
    return stj_h5_describe(file, name, view->n_dims, dims, item->unit, item->doc, err);
}

/* The name in the file of a single value, which is an attribute, or of an array. */
static const char *name_in_file(const struct stj_field *item, char name[STJ_FIELD_NAME_MAX + 1])
{
    char text[STJ_FIELD_NAME_MAX];
    snprintf(name, STJ_FIELD_NAME_MAX + 1, "%s%s", item->dim[0].name ? "" : "@",
             stj_field_file_name(item, text));
    return name;
}

enum stj_status stj_schema_put(struct stj_h5 *file, const struct stj_field *schema,
                               const void *data, struct stj_error *err)
{
    char name[STJ_FIELD_NAME_MAX + 1];
    for (const struct stj_field *item = schema; item->name; item++) {
        const struct stj_field_view view = stj_field_view(item, data);
        if (!stj_field_in(item, STJ_FIELD_IN_FILE))
            continue;
        name_in_file(item, name);
        STJ_MUST(view.n_dims ? put_array(file, &view, name, data, err)
                             : put_single(file, item, name, data, err));
    }
    return STJ_OK;
}

/* ---- reading ---- */

static enum stj_status refuse_word(struct stj_h5 *file, const char *name, const char *text,
                                   struct stj_error *err)
{
    return stj_h5_refuse(file, err, "its %s \"%.40s\" is unknown", name + 1, text);
}

/* *slot <- the index of a word. */
static enum stj_status get_choice(struct stj_h5 *file, const struct stj_field *item,
                                  const char *name, const char *text, int *slot,
                                  struct stj_error *err)
{
    for (int i = 0; item->choices[i]; i++)
        if (strcmp(item->choices[i], text) == 0) {
            *slot = i;
            return STJ_OK;
        }
    return refuse_word(file, name, text, err);
}

/* *slot <- the name's own text, which outlives the result. */
static enum stj_status get_name(struct stj_h5 *file, const struct stj_field *item, const char *name,
                                const char *text, const char **slot, struct stj_error *err)
{
    const char *found = NULL, *doc = NULL;
    *slot = NULL;
    if (strcmp(text, stj_no_text) == 0)
        return STJ_OK;
    for (size_t i = 0; item->names(i, &found, &doc); i++)
        if (strcmp(found, text) == 0) {
            *slot = found;
            return STJ_OK;
        }
    return refuse_word(file, name, text, err);
}

static enum stj_status get_text(struct stj_h5 *file, const struct stj_field *item, const char *name,
                                void *slot, struct stj_error *err)
{
    STJ_FREED char *text = NULL;
    STJ_MUST(stj_h5_get_text(file, name, &text, err));
    if (item->kind == STJ_FIELD_CHOICE) {
        STJ_MUST(get_choice(file, item, name, text, slot, err));
    } else if (item->kind == STJ_FIELD_NAME) {
        STJ_MUST(get_name(file, item, name, text, slot, err));
    } else if (strcmp(text, stj_no_text) != 0) {
        *(char **)slot = text;
        text = NULL;
    }
    return STJ_OK;
}

static enum stj_status get_whole(struct stj_h5 *file, const struct stj_field *item,
                                 const char *name, void *slot, struct stj_error *err)
{
    size_t value = 0;
    if (item->kind == STJ_FIELD_SEED)
        return stj_h5_get_unsigned(file, name, slot, err);
    STJ_MUST(stj_h5_get_size(file, name, &value, err));
    if (item->kind == STJ_FIELD_FLAG)
        *(bool *)slot = value != 0;
    else
        *(size_t *)slot = value;
    return STJ_OK;
}

static enum stj_status get_single(struct stj_h5 *file, const struct stj_field *item,
                                  const char *name, void *data, struct stj_error *err)
{
    void *slot = (char *)data + item->offset + item->member;
    const bool real = item->kind == STJ_FIELD_REAL || item->kind == STJ_FIELD_WHOLE;
    if (item->older && !stj_h5_has(file, name))
        name = item->older;
    if (item->later && !stj_h5_has(file, name)) {
        if (real)
            *(double *)slot = (double)NAN;
        return STJ_OK;
    }
    if (real)
        return stj_h5_get_real(file, name, slot, err);
    return is_whole(item->kind) ? get_whole(file, item, name, slot, err)
                                : get_text(file, item, name, slot, err);
}

static bool find_item(struct stj_h5 *file, const char *name, struct stj_h5_item_info *info)
{
    for (size_t i = 0; stj_h5_item_at(file, i, info); i++)
        if (strcmp(info->name, name) == 0)
            return true;
    return false;
}

static enum stj_status get_wholes(struct stj_h5 *file, const struct stj_field_view *view,
                                  const char *name, void **slot, struct stj_error *err)
{
    struct stj_h5_item_info info;
    STJ_FREED uint64_t *value = NULL;
    STJ_FREED double *real = NULL; /* as older files have counts */
    STJ_FREED size_t *copy = NULL;
    STJ_MUST(stj_new(&copy, view->n[0], sizeof *copy, err));
    if (find_item(file, name, &info) && info.kind == STJ_H5_REAL) {
        STJ_MUST(stj_new(&real, view->n[0], sizeof *real, err));
        STJ_MUST(stj_h5_get_vector(file, name, view->n[0], real, err));
    } else {
        STJ_MUST(stj_new(&value, view->n[0], sizeof *value, err));
        STJ_MUST(stj_h5_get_unsigneds(file, name, view->n[0], value, err));
    }
    for (size_t i = 0; i < view->n[0]; i++)
        copy[i] = real ? (size_t)fmin(fmax(real[i], 0), 1e15) : (size_t)value[i];
    *slot = copy;
    copy = NULL;
    return STJ_OK;
}

/* A length that older files do not tell is that of the data set. */
static void take_length(struct stj_h5 *file, struct stj_field_view *view, const char *name,
                        void *data)
{
    struct stj_h5_item_info info;
    size_t *count = (size_t *)(void *)((char *)data + view->item->dim[0].count);
    if (view->n_dims == 1 && !view->item->dim[0].label && *count == 0 &&
        find_item(file, name, &info))
        *count = view->n[0] = info.rows;
}

/* Only packed arrays are read back; what lies in structs is made of others when a result is
 * read. */
static enum stj_status get_array(struct stj_h5 *file, const struct stj_field_view *view,
                                 const char *name, void *data, struct stj_error *err)
{
    void **slot = (void *)((char *)data + view->item->offset);
    STJ_FREED double *value = NULL;
    if (!is_packed(view->item) || *slot || (view->item->later && !stj_h5_has(file, name)) ||
        (view->n_dims > 1 && (view->n[0] == 0 || view->n[1] == 0)))
        return STJ_OK;
    STJ_MUST(stj_h5_expect(file, name, view->n[0], view->n[1], err));
    if (is_whole(view->item->kind)) {
        STJ_MUST(get_wholes(file, view, name, slot, err));
        return STJ_OK;
    }
    STJ_MUST(stj_new(&value, view->n[0] * view->n[1], sizeof *value, err));
    if (view->n_dims > 1)
        STJ_MUST(stj_h5_get_rows(file, name, 0, view->n[0], view->n[1], value, view->n[1], err));
    else
        STJ_MUST(stj_h5_get_vector(file, name, view->n[0], value, err));
    *slot = value;
    value = NULL;
    return STJ_OK;
}

enum stj_status stj_schema_get(struct stj_h5 *file, const struct stj_field *schema, void *data,
                               struct stj_error *err)
{
    char name[STJ_FIELD_NAME_MAX + 1];
    /* Single values first: arrays are as long as some of them say. */
    for (int arrays = 0; arrays < 2; arrays++)
        for (const struct stj_field *item = schema; item->name; item++) {
            const bool is_array = item->dim[0].name != NULL;
            if (is_array != (arrays == 1) || (!stj_field_in(item, STJ_FIELD_IN_FILE) &&
                                              !stj_field_in(item, STJ_FIELD_READ_ALONE)))
                continue;
            name_in_file(item, name);
            struct stj_field_view view = stj_field_view(item, data);
            if (is_array)
                take_length(file, &view, name, data);
            if (item->lazy) /* how long it is, is known from the beginning */
                continue;
            STJ_MUST(is_array ? get_array(file, &view, name, data, err)
                              : get_single(file, item, name, data, err));
        }
    return STJ_OK;
}

/* *value <- a number, or the first of an array of reals; NaN where the field is NULL, or not in the
 * file. */
static enum stj_status get_first(struct stj_h5 *file, const struct stj_field *field, double *value,
                                 struct stj_error *err)
{
    char name[STJ_FIELD_NAME_MAX + 1];
    struct stj_h5_item_info info;
    uint64_t whole = 0;
    STJ_FREED double *all = NULL;
    *value = (double)NAN;
    if (!field || !find_item(file, name_in_file(field, name), &info) || info.rows == 0)
        return STJ_OK;
    if (field->dim[1].name) {
        STJ_MUST(stj_new(&all, info.cols, sizeof *all, err));
        STJ_MUST(stj_h5_get_rows(file, name, 0, 1, info.cols, all, info.cols, err));
        *value = info.cols > 0 ? all[0] : (double)NAN;
    } else if (field->dim[0].name) {
        STJ_MUST(stj_h5_expect(file, name, info.rows, 1, err));
        STJ_MUST(stj_new(&all, info.rows, sizeof *all, err));
        STJ_MUST(stj_h5_get_vector(file, name, info.rows, all, err));
        *value = all[0];
    } else if (info.kind == STJ_H5_UNSIGNED) {
        STJ_MUST(stj_h5_get_unsigned(file, name, &whole, err));
        *value = (double)whole;
    } else {
        STJ_MUST(stj_h5_get_real(file, name, value, err));
    }
    return STJ_OK;
}

static const struct stj_field *bound_of(const struct stj_field *schema, const char *name)
{
    return name ? stj_schema_find(schema, name) : NULL;
}

enum stj_status stj_schema_get_headline(struct stj_h5 *file, const struct stj_field *schema,
                                        struct stj_headline *headline, struct stj_error *err)
{
    struct stj_headline h = {.value = (double)NAN};
    for (int choice = 1; choice <= 2; choice++)
        for (const struct stj_field *f = schema; isnan(h.value) && f->name; f++)
            if (f->headline == choice) {
                h.field = f;
                STJ_MUST(get_first(file, f, &h.value, err));
                STJ_MUST(get_first(file, bound_of(schema, f->low), &h.low, err));
                STJ_MUST(get_first(file, bound_of(schema, f->high), &h.high, err));
            }
    if (isnan(h.value))
        h.field = NULL;
    *headline = h;
    return STJ_OK;
}

const char *stj_headline_name(const struct stj_headline *headline)
{
    const struct stj_field *field = headline->field;
    return field->dim[0].label ? field->dim[0].label[0] : stj_field_short_name(field);
}

enum stj_status stj_field_load(const char *path, const struct stj_h5_format *format,
                               const struct stj_field *field, void *data, struct stj_error *err)
{
    char name[STJ_FIELD_NAME_MAX + 1];
    STJ_HELD(stj_h5_close_at) struct stj_h5 *file = NULL;
    STJ_MUST(stj_h5_open(path, format, &file, err));
    name_in_file(field, name);
    struct stj_field_view view = stj_field_view(field, data);
    take_length(file, &view, name, data);
    return get_array(file, &view, name, data, err);
}
