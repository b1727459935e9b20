/* SPDX-License-Identifier: GPL-3.0-or-later */
/* train/update_rows.c: the loop over the rows of a tile. */
#include "train/update_rows.h"

void stj_update_rows(const struct stj_update_tile *tile, size_t n_slots, size_t n_coef,
                     stj_update_row_fn fn, const void *scalars)
{
    struct stj_update_tile row = *tile;
    row.rows = 1;
    if (tile->nvec == 1) {
        row.cols = tile->rows * tile->cols;
        fn(scalars, &row);
        return;
    }
    const size_t n = tile->nvec * tile->cols;
    for (size_t r = 0; r < tile->rows; r++) {
        fn(scalars, &row);
        row.theta += n;
        row.g += n;
        for (size_t k = 0; k < n_slots; k++)
            row.slot[k] += n;
        for (size_t k = 0; k < n_coef; k++)
            row.coef[k] += tile->cols;
    }
}

double stj_update_inner(size_t n, const real *x, const real *y)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)x[i] * (double)y[i];
    return sum;
}
