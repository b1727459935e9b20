/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/kernels.c: elementwise loops, compiled for several instruction sets. */
#include "net/kernels.h"

#include <string.h>

#include "base/target_clones.h"

void stj_rows_copy(size_t rows, size_t cols, const real *row, real *y)
{
    for (size_t r = 0; r < rows; r++)
        memcpy(y + r * cols, row, cols * sizeof *y);
}

STJ_CLONES void stj_rows_sum(size_t rows, size_t cols, const real *restrict y, real *restrict sum)
{
    memset(sum, 0, cols * sizeof *sum);
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < cols; c++)
            sum[c] += y[r * cols + c];
}

STJ_CLONES static void add(size_t n, const real *restrict x, real *restrict y)
{
    for (size_t i = 0; i < n; i++)
        y[i] += x[i];
}

void stj_add(size_t n, const real *x, real beta, real *y)
{
    if (beta == 0)
        memcpy(y, x, n * sizeof *y);
    else
        add(n, x, y);
}

STJ_CLONES void stj_sum(size_t n, const real *restrict a, const real *restrict b, real *restrict y)
{
    for (size_t i = 0; i < n; i++)
        y[i] = a[i] + b[i];
}

STJ_INLINE void scale(size_t n, const real *restrict a, const real *restrict x, real beta,
                      real *restrict y)
{
    if (beta == 0)
        for (size_t i = 0; i < n; i++)
            y[i] = a[i] * x[i];
    else
        for (size_t i = 0; i < n; i++)
            y[i] = beta * y[i] + a[i] * x[i];
}

STJ_CLONES void stj_scale(size_t n, const real *a, const real *x, real beta, real *y)
{
    scale(n, a, x, beta, y);
}

STJ_CLONES void stj_scale_block(size_t rows, size_t nvec, size_t cols, const real *a, const real *x,
                                real beta, real *y)
{
    for (size_t r = 0; r < rows; r++)
        for (size_t j = 0; j < nvec; j++)
            scale(cols, a + r * cols, x + (r * nvec + j) * cols, beta, y + (r * nvec + j) * cols);
}

STJ_CLONES static void scale2(size_t n, const real *restrict a, const real *restrict x,
                              const real *restrict b, const real *restrict c,
                              const real *restrict z, real beta, real *restrict y)
{
    if (beta == 0)
        for (size_t i = 0; i < n; i++)
            y[i] = a[i] * x[i] + b[i] * c[i] * z[i];
    else
        for (size_t i = 0; i < n; i++)
            y[i] = beta * y[i] + a[i] * x[i] + b[i] * c[i] * z[i];
}

void stj_scale2_block(size_t rows, size_t nvec, size_t cols, const real *a, const real *x,
                      const real *b, const real *c, const real *z, real beta, real *y)
{
    for (size_t r = 0; r < rows; r++)
        for (size_t j = 0; j < nvec; j++) {
            size_t at = (r * nvec + j) * cols;
            scale2(cols, a + r * cols, x + at, b + r * cols, c + r * cols, z + at, beta, y + at);
        }
}

void stj_mask_pack(size_t n, const real *mask, real one, real *bits)
{
    unsigned char *byte = (unsigned char *)bits;
    memset(bits, 0, stj_mask_reals(n) * sizeof *bits);
    for (size_t i = 0; i < n; i++)
        byte[i / 8] |= (unsigned char)((mask[i] == one) << i % 8);
}

void stj_mask_unpack(size_t n, const real *bits, real one, real zero, real *mask)
{
    const unsigned char *byte = (const unsigned char *)bits;
    real four[16][4];
    for (size_t i = 0; i < 64; i++)
        four[i / 4][i % 4] = i / 4 >> i % 4 & 1 ? one : zero;
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        memcpy(mask + i, four[byte[i / 8] & 15], sizeof *four);
        memcpy(mask + i + 4, four[byte[i / 8] >> 4], sizeof *four);
    }
    for (; i < n; i++)
        mask[i] = byte[i / 8] >> i % 8 & 1 ? one : zero;
}
