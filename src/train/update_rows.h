/* SPDX-License-Identifier: GPL-3.0-or-later */
/* train/update_rows.h: how coefficients [rows][cols] meet a tile [rows][nvec][cols], for every
 * optimizer that has any. */
#ifndef STJ_TRAIN_UPDATE_ROWS_H
#define STJ_TRAIN_UPDATE_ROWS_H

#include "train/optimizer.h"

/* A tangent or adjoint of one row: tile->rows is 1, so that coef[k][c] belongs to the nvec elements
 * j * cols + c of every vector.  `scalars` are the optimizer's own. */
typedef void (*stj_update_row_fn)(const void *scalars, const struct stj_update_tile *row);

/* Call fn on every row of the tile; for a single vector on all of them at once, as one long row. */
void stj_update_rows(const struct stj_update_tile *tile, size_t n_slots, size_t n_coef,
                     stj_update_row_fn fn, const void *scalars);

/* Where in a tile the k-th element of vector j is. */
static inline size_t stj_update_place(const struct stj_update_tile *t, size_t j, size_t k)
{
    return (k / t->cols * t->nvec + j) * t->cols + k % t->cols;
}

/* <x, y>, of a tensor. */
double stj_update_inner(size_t n, const real *x, const real *y);

#endif
