/* SPDX-License-Identifier: GPL-3.0-or-later */
/* data/rows.c: row lists, read from text and checked against the data file they belong to. */
#include "data/rows.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/number.h"
#include "data/text_lines.h"

/* The index that stands on a line, if any: *found tells. */
static enum stj_status parse_index(const char *path, size_t number, char *line, uint64_t *index,
                                   bool *found, struct stj_error *err)
{
    char excerpt[STJ_EXCERPT_MAX];
    char *comment = strchr(line, '#');
    if (comment)
        *comment = '\0';
    line = stj_text_trim(line);
    *found = line[0] != '\0';
    if (!*found)
        return STJ_OK;
    stj_text_excerpt(line, excerpt);
    STJ_NEED(err, stj_number_unsigned(line, index), STJ_EFORMAT,
             "%s:%zu: expected one row index, a non-negative integer, got '%s'", path, number,
             excerpt);
    return STJ_OK;
}

static enum stj_status append_row(struct stj_row_list *list, size_t *capacity, size_t index,
                                  struct stj_error *err)
{
    if (list->n == *capacity) {
        size_t larger = *capacity ? 2 * *capacity : 256;
        STJ_MUST(stj_resize(&list->item, *capacity, larger, sizeof *list->item, err));
        *capacity = larger;
    }
    list->item[list->n++] = index;
    return STJ_OK;
}

enum stj_status stj_rows_read(const char *path, const char *data_file, size_t n_rows,
                              struct stj_row_list *list, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct stj_text_lines *lines = NULL;
    char *line = NULL;
    size_t capacity = 0;
    *list = (struct stj_row_list){0};
    STJ_TRY(stj_text_lines_open(path, &lines, err));
    for (;;) {
        uint64_t index = 0;
        bool found = false;
        STJ_TRY(stj_text_lines_next(lines, &line, err));
        if (!line)
            break;
        size_t number = stj_text_lines_number(lines);
        STJ_TRY(parse_index(path, number, line, &index, &found, err));
        if (!found)
            continue;
        STJ_CHECK(err, index < n_rows, STJ_EFORMAT,
                  "row index %llu at %s:%zu is outside %s (%zu rows, 0 to %zu)",
                  (unsigned long long)index, path, number, data_file, n_rows, n_rows - 1);
        STJ_TRY(append_row(list, &capacity, (size_t)index, err));
    }
    STJ_CHECK(err, list->n > 0, STJ_EFORMAT, "%s: the row list is empty", path);
out:
    stj_text_lines_close(lines);
    if (st != STJ_OK)
        stj_rows_free(list);
    return st;
}

enum stj_status stj_rows_all(size_t n_rows, struct stj_row_list *list, struct stj_error *err)
{
    *list = (struct stj_row_list){0};
    STJ_MUST(stj_new(&list->item, n_rows, sizeof *list->item, err));
    list->n = n_rows;
    for (size_t i = 0; i < n_rows; i++)
        list->item[i] = i;
    return STJ_OK;
}

void stj_rows_free(struct stj_row_list *list)
{
    free(list->item);
    *list = (struct stj_row_list){0};
}
