/* SPDX-License-Identifier: GPL-3.0-or-later */
/* data/named_arrays.c: finding and reading the arrays that a reader has listed. */
#include "data/named_arrays.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/memory.h"
#include "options/option_value.h"
#include "data/array_items.h"
#include "data/reader.h"

struct stj_arrays {
    const struct stj_reader *reader;
    struct stj_array_list list;
    struct stj_matrix matrix; /* of a format that is read as a whole: its values */
    struct stj_array_cursor cursor;
};

static void free_list(struct stj_array_list *list)
{
    for (size_t i = 0; i < list->n; i++) {
        free((char *)(uintptr_t)list->item[i].array.name);
        free((char *)(uintptr_t)list->item[i].array.problem);
    }
    free(list->item);
    free(list->path);
}

/* ---- opening ---- */

/* A format without a table of contents: its one array is read at once. */
static enum stj_status read_whole(struct stj_arrays *a, struct stj_error *err)
{
    struct stj_array_entry *entry = NULL;
    STJ_MUST(a->reader->read(a->list.path, &a->matrix, err));
    STJ_MUST(stj_array_list_add(&a->list, "", &entry, err));
    entry->array.n_dims = a->matrix.n_dims;
    memcpy(entry->array.shape, a->matrix.shape, sizeof a->matrix.shape);
    entry->array.rows = a->matrix.rows;
    entry->array.cols = a->matrix.cols;
    return STJ_OK;
}

enum stj_status stj_arrays_open(const char *path, struct stj_arrays **arrays, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct stj_arrays *a = NULL;
    *arrays = NULL;
    STJ_TRY(stj_new(&a, 1, sizeof *a, err));
    STJ_TRY(stj_reader_find(path, &a->reader, err));
    STJ_TRY(stj_strdup(&a->list.path, path, err));
    if (a->reader->read)
        STJ_TRY(read_whole(a, err));
    else
        STJ_TRY(a->reader->list(&a->list, err));
    *arrays = a;
    a = NULL;
out:
    stj_arrays_close(a);
    return st;
}

void stj_arrays_close(struct stj_arrays *arrays)
{
    if (!arrays)
        return;
    stj_array_cursor_close(&arrays->cursor);
    if (arrays->reader && arrays->reader->close)
        arrays->reader->close(arrays->list.self);
    stj_matrix_free(&arrays->matrix);
    free_list(&arrays->list);
    free(arrays);
}

const char *stj_arrays_path(const struct stj_arrays *arrays)
{
    return arrays->list.path;
}

size_t stj_arrays_count(const struct stj_arrays *arrays)
{
    return arrays->list.n;
}

const struct stj_array *stj_arrays_get(const struct stj_arrays *arrays, size_t i)
{
    return &arrays->list.item[i].array;
}

/* ---- finding ---- */

/* text <- the first few names. */
static void list_array_names(const struct stj_arrays *arrays, char *text, size_t size)
{
    enum { SHOWN = 8 };
    text[0] = '\0';
    for (size_t i = 0; i < arrays->list.n && i < SHOWN; i++)
        stj_text_add(text, size, "%s%.60s", i ? ", " : "", arrays->list.item[i].array.name);
    if (arrays->list.n > SHOWN)
        stj_text_add(text, size, " and %zu more", arrays->list.n - SHOWN);
}

static enum stj_status find_only(const struct stj_arrays *arrays, size_t *i, struct stj_error *err)
{
    char names[STJ_EXPECTED_MAX];
    list_array_names(arrays, names, sizeof names);
    STJ_NEED(err, arrays->list.n > 0, STJ_EFORMAT, "%s: holds no arrays", arrays->list.path);
    STJ_NEED(err, arrays->list.n == 1, STJ_EINVAL,
             "%s: holds %zu arrays; say which one is meant, as FILE:NAME: %s", arrays->list.path,
             arrays->list.n, names);
    *i = 0;
    return STJ_OK;
}

/* *n <- how many arrays have the name, *i <- the last of them. */
static void count_named(const struct stj_arrays *arrays, const char *name, size_t *i, size_t *n,
                        struct stj_suggest_search *search)
{
    *n = 0;
    for (size_t k = 0; k < arrays->list.n; k++) {
        stj_suggest_offer(search, arrays->list.item[k].array.name);
        if (strcmp(arrays->list.item[k].array.name, name) != 0)
            continue;
        *i = k;
        ++*n;
    }
}

enum stj_status stj_arrays_find(struct stj_arrays *arrays, const char *name, size_t *i,
                                struct stj_error *err)
{
    const char *path = arrays->list.path;
    char hint[STJ_GOT_MAX];
    char names[STJ_EXPECTED_MAX];
    size_t n = 0;
    if (!name || !name[0])
        return find_only(arrays, i, err);
    name += *name == '/';
    struct stj_suggest_search search = {.word = name};
    count_named(arrays, name, i, &n, &search);
    STJ_NEED(err, n <= 1, STJ_EMISMATCH,
             "%s: holds %zu arrays '%s'; write the file again with the one that is meant", path, n,
             name);
    bool found = n == 1;
    if (!found && arrays->reader->look_up)
        STJ_MUST(arrays->reader->look_up(&arrays->list, name, &found, err));
    if (n == 0)
        *i = arrays->list.n - 1;
    if (found)
        return STJ_OK;
    stj_suggest_hint(&search, hint);
    list_array_names(arrays, names, sizeof names);
    STJ_NEED(err, false, STJ_EMISMATCH, "%s: has no array '%s'%s%s%s", path, name, hint,
             hint[0] || !names[0] ? "" : "; it has ", hint[0] ? "" : names);
    return STJ_OK;
}

static bool is_file(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISREG(info.st_mode);
}

/* path <- the file's part of the text, the longest one that is a file; the name behind it, or NULL.
 * Where there is none, path is the text, so that a message names it all. */
static const char *split_array_name(const char *text, char *path)
{
    memcpy(path, text, strlen(text) + 1);
    for (size_t n = strlen(text); n > 0 && !is_file(text); n--) {
        if (text[n - 1] != ':')
            continue;
        path[n - 1] = '\0';
        if (is_file(path))
            return text + n;
        path[n - 1] = ':';
    }
    return NULL;
}

bool stj_arrays_exist(const char *text)
{
    char *path = NULL;
    bool exists =
        stj_strdup(&path, text, NULL) == STJ_OK && (split_array_name(text, path) || is_file(text));
    free(path);
    return exists;
}

enum stj_status stj_arrays_open_file(const char *text, struct stj_arrays **arrays, size_t *i,
                                     bool *is_named, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    char *path = NULL;
    *arrays = NULL;
    STJ_TRY(stj_strdup(&path, text, err));
    const char *name = split_array_name(text, path);
    STJ_TRY(stj_arrays_open(path, arrays, err));
    *i = 0;
    *is_named = name != NULL;
    if (name)
        STJ_TRY(stj_arrays_find(*arrays, name, i, err));
out:
    free(path);
    if (st != STJ_OK) {
        stj_arrays_close(*arrays);
        *arrays = NULL;
    }
    return st;
}

enum stj_status stj_arrays_open_one(const char *text, struct stj_arrays **arrays, size_t *i,
                                    struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    bool is_named = false;
    STJ_TRY(stj_arrays_open_file(text, arrays, i, &is_named, err));
    if (!is_named)
        STJ_TRY(find_only(*arrays, i, err));
out:
    if (st != STJ_OK) {
        stj_arrays_close(*arrays);
        *arrays = NULL;
    }
    return st;
}

/* ---- reading ---- */

static enum stj_status check_array_finite(const struct stj_arrays *arrays,
                                          const struct stj_array *array, size_t first, size_t n,
                                          const double *values, struct stj_error *err)
{
    for (size_t k = 0; k < n * array->cols; k++)
        STJ_NEED(err, isfinite(values[k]), STJ_ENONFINITE,
                 "%s%s%s: the value in row %zu, column %zu (from 0) is %g; data must be finite",
                 arrays->list.path, array->name[0] ? ":" : "", array->name, first + k / array->cols,
                 k % array->cols, values[k]);
    return STJ_OK;
}

static enum stj_status check_rows(const struct stj_arrays *arrays, const struct stj_array *array,
                                  size_t first, size_t n, struct stj_error *err)
{
    const char *path = arrays->list.path;
    const char *colon = array->name[0] ? ":" : "";
    STJ_NEED(err, !array->problem, STJ_EUNSUPPORTED, "%s%s%s: %s", path, colon, array->name,
             array->problem);
    STJ_NEED(err, first <= array->rows && n <= array->rows - first, STJ_EINVAL,
             "%s%s%s: rows %zu to %zu are wanted, it has %zu (from 0)", path, colon, array->name,
             first, first + n - 1, array->rows);
    return STJ_OK;
}

enum stj_status stj_arrays_read_rows(struct stj_arrays *arrays, size_t i, size_t first, size_t n,
                                     double *values, struct stj_error *err)
{
    const struct stj_array_entry *entry = &arrays->list.item[i];
    STJ_MUST(check_rows(arrays, &entry->array, first, n, err));
    if (n == 0 || entry->array.cols == 0)
        return STJ_OK;
    if (arrays->reader->read)
        memcpy(values, arrays->matrix.data + first * arrays->matrix.cols,
               n * arrays->matrix.cols * sizeof *values);
    else if (arrays->reader->read_rows)
        STJ_MUST(arrays->reader->read_rows(&arrays->list, entry, first, n, values, err));
    else
        STJ_MUST(stj_array_cursor_read(&arrays->cursor, arrays->list.path, entry, first, n, values,
                                       err));
    return check_array_finite(arrays, &entry->array, first, n, values, err);
}

enum stj_status stj_arrays_verify(struct stj_arrays *arrays, size_t i, struct stj_error *err)
{
    const struct stj_array_entry *entry = &arrays->list.item[i];
    const struct stj_array *array = &entry->array;
    size_t size = 0;
    STJ_MUST(check_rows(arrays, array, 0, array->rows, err));
    STJ_NEED(err, array->rows > 0 && array->cols > 0, STJ_EFORMAT,
             "%s%s%s: holds no values (%zu rows, %zu columns)", arrays->list.path,
             array->name[0] ? ":" : "", array->name, array->rows, array->cols);
    STJ_MUST(stj_size_mul(array->rows, array->cols, &size, err));
    STJ_MUST(stj_size_mul(size, sizeof(double), &size, err));
    if (!arrays->reader->read && !arrays->reader->read_rows)
        STJ_MUST(stj_array_cursor_open(&arrays->cursor, arrays->list.path, entry, err));
    return STJ_OK;
}

enum stj_status stj_arrays_read(struct stj_arrays *arrays, size_t i, struct stj_matrix *matrix,
                                struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const struct stj_array *array = &arrays->list.item[i].array;
    *matrix = (struct stj_matrix){0};
    STJ_TRY(stj_arrays_verify(arrays, i, err));
    STJ_TRY(stj_new(&matrix->data, array->rows * array->cols, sizeof *matrix->data, err));
    matrix->rows = array->rows;
    matrix->cols = array->cols;
    matrix->n_dims = array->n_dims;
    memcpy(matrix->shape, array->shape, sizeof array->shape);
    STJ_TRY(stj_arrays_read_rows(arrays, i, 0, array->rows, matrix->data, err));
out:
    if (st == STJ_ENOMEM)
        stj_error_prefix(err, "%s", arrays->list.path);
    if (st != STJ_OK)
        stj_matrix_free(matrix);
    return st;
}

enum stj_status stj_matrix_read(const char *path, struct stj_matrix *matrix, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct stj_arrays *arrays = NULL;
    size_t i = 0;
    *matrix = (struct stj_matrix){0};
    STJ_TRY(stj_arrays_open_one(path, &arrays, &i, err));
    STJ_TRY(stj_arrays_read(arrays, i, matrix, err));
out:
    stj_arrays_close(arrays);
    return st;
}

void stj_matrix_free(struct stj_matrix *matrix)
{
    free(matrix->data);
    *matrix = (struct stj_matrix){0};
}
