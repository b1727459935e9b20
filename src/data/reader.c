/* SPDX-License-Identifier: GPL-3.0-or-later */
/* data/reader.c: what readers share: the list of a file's arrays. */
#include "data/reader.h"

#include <ctype.h>
#include <stdint.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"

enum stj_status stj_array_list_add(struct stj_array_list *list, const char *name,
                                   struct stj_array_entry **entry, struct stj_error *err)
{
    /* Room is doubled at powers of two. */
    if ((list->n & (list->n - 1)) == 0)
        STJ_MUST(
            stj_resize(&list->item, list->n, list->n ? 2 * list->n : 1, sizeof *list->item, err));
    *entry = &list->item[list->n];
    STJ_MUST(stj_strdup((char **)(uintptr_t) & (*entry)->array.name, name, err));
    list->n++;
    return STJ_OK;
}

enum stj_status stj_array_refuse(struct stj_array_entry *entry, const char *problem,
                                 struct stj_error *err)
{
    if (entry->array.problem)
        return STJ_OK;
    return stj_strdup((char **)(uintptr_t)&entry->array.problem, problem, err);
}

enum stj_status stj_array_set_size(struct stj_array *array, size_t *n_items, struct stj_error *err)
{
    array->rows = array->n_dims ? array->shape[0] : 1;
    array->cols = 1;
    for (size_t d = 1; d < array->n_dims; d++)
        STJ_MUST(stj_size_mul(array->cols, array->shape[d], &array->cols, err));
    return stj_size_mul(array->rows, array->cols, n_items, err);
}

bool stj_path_ends_in(const char *path, const char *suffix)
{
    size_t n = strlen(path);
    size_t n_suffix = strlen(suffix);
    if (n < n_suffix)
        return false;
    for (size_t i = 0; i < n_suffix; i++)
        if (tolower((unsigned char)path[n - n_suffix + i]) != tolower((unsigned char)suffix[i]))
            return false;
    return true;
}
