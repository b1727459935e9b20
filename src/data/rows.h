/* SPDX-License-Identifier: GPL-3.0-or-later */
/* data/rows.h: which rows of a data file a dataset takes, in which order. */
#ifndef STJ_DATA_ROWS_H
#define STJ_DATA_ROWS_H

#include <stddef.h>

#include <spectraj/status.h>

struct stj_row_list {
    size_t n;
    size_t *item; /* owned */
};

/* list <- the indices (from 0) of a text file, one on a line; a '#' begins a comment, blank lines
 * do not count, an index may occur more than once.  Each must be below n_rows, the rows of
 * data_file, which is named in messages. */
enum stj_status stj_rows_read(const char *path, const char *data_file, size_t n_rows,
                              struct stj_row_list *list, struct stj_error *err);

/* list <- 0 .. n_rows - 1. */
enum stj_status stj_rows_all(size_t n_rows, struct stj_row_list *list, struct stj_error *err);

/* Free the indices and leave the list zeroed. */
void stj_rows_free(struct stj_row_list *list);

#endif
