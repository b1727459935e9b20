/* SPDX-License-Identifier: GPL-3.0-or-later */
/* base/block.c: between column-major blocks and tiles. */
#include "base/block.h"

void stj_block_pack(const struct stj_layout *layout, size_t nvec, const double *x, size_t ldx,
                    real *tile)
{
    for (size_t t = 0; t < layout->n_tensors; t++) {
        const struct stj_tensor_shape *s = &layout->tensor[t];
        real *to = tile + s->offset * nvec;
        for (size_t r = 0; r < s->rows; r++)
            for (size_t j = 0; j < nvec; j++) {
                const double *from = x + j * ldx + s->offset + r * s->cols;
                for (size_t c = 0; c < s->cols; c++)
                    *to++ = (real)from[c];
            }
    }
}

void stj_block_unpack(const struct stj_layout *layout, size_t nvec, const real *tile, double *y,
                      size_t ldy)
{
    for (size_t t = 0; t < layout->n_tensors; t++) {
        const struct stj_tensor_shape *s = &layout->tensor[t];
        const real *from = tile + s->offset * nvec;
        for (size_t r = 0; r < s->rows; r++)
            for (size_t j = 0; j < nvec; j++) {
                double *to = y + j * ldy + s->offset + r * s->cols;
                for (size_t c = 0; c < s->cols; c++)
                    to[c] = (double)*from++;
            }
    }
}
