/* SPDX-License-Identifier: GPL-3.0-or-later */
/* spectrum/svd/krylov.c: block Arnoldi without restarts.
 *
 *     1. W = A Q_j                                 b products
 *     2. W = Q H(1..m, j) + Q_{j+1} H(m+1..m+b, j)  block Gram-Schmidt, twice
 *
 * Memory n (m + b) numbers, divided among the ranks, and m^2 / 2 on each; work 4 n m per vector and
 * pass beside the products.
 */
#include "spectrum/svd/krylov.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "spectrum/orthogonalize.h"

/* Where the numbers of block i of H begin. */
static size_t block_at(const struct stj_krylov *k, size_t i)
{
    return k->b * k->b * (i * (i + 3) / 2);
}

double stj_krylov_at(const struct stj_krylov *k, size_t row, size_t column)
{
    const size_t i = column / k->b;
    return k->h[block_at(k, i) + (column % k->b) * (i + 2) * k->b + row];
}

enum stj_status stj_krylov_matrix(const struct stj_krylov *k, double **h, struct stj_error *err)
{
    const size_t rows = k->m + k->b;
    *h = NULL;
    STJ_MUST(stj_new(h, rows, k->m * sizeof **h, err));
    for (size_t j = 0; j < k->m; j++) {
        const size_t i = j / k->b;
        const size_t n = (i + 2) * k->b;
        memcpy(*h + j * rows, k->h + block_at(k, i) + (j % k->b) * n, n * sizeof **h);
    }
    return STJ_OK;
}

/* Room for the columns of one more step: a basis that ends by itself may stay far below the most. */
static enum stj_status krylov_grow(struct stj_krylov *k, size_t first, struct stj_error *err)
{
    const size_t had = k->have;
    const size_t half = had + had / 2 - had / 2 % k->b;
    const size_t more = half > first + k->b ? half : first + k->b;
    if (k->m + 2 * k->b <= had)
        return STJ_OK;
    k->have = more < k->room + k->b ? more : k->room + k->b;
    STJ_MUST(stj_resize(&k->q, had * k->rows.count, k->have * k->rows.count, sizeof *k->q, err));
    return stj_resize(&k->h, block_at(k, had / k->b), block_at(k, k->have / k->b), sizeof *k->h,
                      err);
}

enum stj_status stj_krylov_init(struct stj_krylov *k, size_t n, size_t b, size_t first, size_t room,
                                uint64_t seed, enum stj_rng_stream stream, uint64_t item,
                                struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    size_t bytes = 0; /* of all of it: can it be said? */
    double *r = NULL;
    *k = (struct stj_krylov){.rows = stj_rows_of(n), .b = b, .room = room};
    STJ_TRY(stj_rng_create(seed, stream, item, &k->rng, err));
    STJ_TRY(stj_size_mul(k->rows.count, (room + b) * sizeof *k->q, &bytes, err));
    STJ_TRY(krylov_grow(k, first, err));
    STJ_TRY(stj_new(&r, b, b * sizeof *r, err));
    stj_rows_fill_normal(&k->rows, k->rng, b, k->q);
    STJ_TRY(stj_orthogonalize(&k->rows, 0, k->q, b, k->q, r, b, k->rng, err));
    k->start = r[0];
out:
    free(r);
    if (st != STJ_OK)
        stj_krylov_free(k);
    return st;
}

void stj_krylov_free(struct stj_krylov *k)
{
    free(k->q);
    free(k->h);
    stj_rng_destroy(k->rng);
    *k = (struct stj_krylov){0};
}

enum stj_status stj_krylov_step(struct stj_krylov *k, struct stj_op *a, struct stj_error *err)
{
    const size_t n = k->rows.count;
    STJ_NEED(err, k->m + k->b <= k->room, STJ_EINTERNAL, "no room for another block");
    STJ_MUST(krylov_grow(k, 0, err));
    double *next = k->q + (k->m + k->b) * n;
    STJ_MUST(stj_rows_apply(a, STJ_NO_TRANS, k->b, k->q + k->m * n, next, err));
    STJ_MUST(stj_orthogonalize(&k->rows, k->m + k->b, k->q, k->b, next,
                               k->h + block_at(k, k->m / k->b), k->m + 2 * k->b, k->rng, err));
    k->m += k->b;
    return STJ_OK;
}
