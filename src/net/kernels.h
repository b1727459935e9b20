/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/kernels.h: the elementwise loops of layers and losses, over values [rows][cols] and blocks of
 * tangents [rows][nvec][cols].  A factor written [rows][cols] is the same for all tangents of its
 * row. */
#ifndef STJ_NET_KERNELS_H
#define STJ_NET_KERNELS_H

#include <stddef.h>

#include "base/real.h"

/* Y [rows][cols] <- every row a copy of row[cols]. */
void stj_rows_copy(size_t rows, size_t cols, const real *row, real *y);

/* sum[cols] <- the sum of the rows of Y [rows][cols]. */
void stj_rows_sum(size_t rows, size_t cols, const real *y, real *sum);

/* y[n] <- beta y + x; beta 0 does not read y. */
void stj_add(size_t n, const real *x, real beta, real *y);

/* y[n] <- a + b */
void stj_sum(size_t n, const real *a, const real *b, real *y);

/* y[n] <- beta y + a . x, elementwise; beta 0 does not read y. */
void stj_scale(size_t n, const real *a, const real *x, real beta, real *y);

/* Y [rows][nvec][cols] <- beta Y + a X, with a [rows][cols]. */
void stj_scale_block(size_t rows, size_t nvec, size_t cols, const real *a, const real *x, real beta,
                     real *y);

/* Y [rows][nvec][cols] <- beta Y + a X + b c Z, with a, b, c [rows][cols]. */
void stj_scale2_block(size_t rows, size_t nvec, size_t cols, const real *a, const real *x,
                      const real *b, const real *c, const real *z, real beta, real *y);

/* A mask of n numbers, each one of two: a bit each, 1 where it is `one`, within reals of any
 * precision.  bits <- it, and back. */
static inline size_t stj_mask_reals(size_t n)
{
    return (n + 8 * sizeof(real) - 1) / (8 * sizeof(real));
}
void stj_mask_pack(size_t n, const real *mask, real one, real *bits);
void stj_mask_unpack(size_t n, const real *bits, real one, real zero, real *mask);

#endif
