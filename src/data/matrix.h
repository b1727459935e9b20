/* SPDX-License-Identifier: GPL-3.0-or-later */
/* data/matrix.h: a dense array of doubles, as read from a data file of any format. */
#ifndef STJ_DATA_MATRIX_H
#define STJ_DATA_MATRIX_H

#include <stddef.h>

#include <spectraj/status.h>

enum { STJ_MATRIX_MAX_DIMS = 8 };

/* data has shape [rows][cols], row-major; cols is the product of all dimensions but the first, so
 * a vector is one column.  Every value is finite.  No matrix is empty. */
struct stj_matrix {
    size_t rows, cols;
    double *data; /* owned */
    size_t n_dims;
    size_t shape[STJ_MATRIX_MAX_DIMS]; /* shape[0] == rows where n_dims > 0 */
};

/* matrix <- the array that the text FILE or FILE:NAME means (data/named_arrays.h). */
enum stj_status stj_matrix_read(const char *path, struct stj_matrix *matrix, struct stj_error *err);

/* Free the values and leave the matrix zeroed. */
void stj_matrix_free(struct stj_matrix *matrix);

#endif
