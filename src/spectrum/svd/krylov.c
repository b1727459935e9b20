/* SPDX-License-Identifier: GPL-3.0-or-later */
/* spectrum/svd/krylov.c: block Arnoldi without restarts.
 *
 *     1. W = A Q_j                                 b products
 *     2. W = Q H(1..m, j) + Q_{j+1} H(m+1..m+b, j)  block Gram-Schmidt, twice
 *
 * Memory n (m + b) numbers, divided among the ranks, and m^2 on each; work 4 n m per vector and
 * pass beside the products.
 */
#include "spectrum/svd/krylov.h"

#include <stdlib.h>

#include "base/error.h"
#include "base/memory.h"
#include "spectrum/orthogonalize.h"

/* Room for the columns of one more step: a basis that ends by itself may stay far below the most. */
static enum stj_status krylov_grow(struct stj_krylov *k, size_t first, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const size_t had = k->have;
    const size_t more = had + had / 2 > first + k->b ? had + had / 2 : first + k->b;
    if (k->m + 2 * k->b <= had)
        return STJ_OK;
    k->have = more < k->room + k->b ? more : k->room + k->b;
    STJ_TRY(stj_resize(&k->q, had * k->rows.count, k->have * k->rows.count, sizeof *k->q, err));
    STJ_TRY(stj_resize(&k->h, had * k->ldh, k->have * k->ldh, sizeof *k->h, err));
out:
    return st;
}

enum stj_status stj_krylov_init(struct stj_krylov *k, size_t n, size_t b, size_t first, size_t room,
                                uint64_t seed, enum stj_rng_stream stream, uint64_t item,
                                struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    size_t bytes = 0; /* of all of it: can it be said? */
    double *r = NULL;
    *k = (struct stj_krylov){.rows = stj_rows_of(n), .b = b, .room = room, .ldh = room + b};
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
    enum stj_status st = STJ_OK;
    const size_t n = k->rows.count;
    STJ_CHECK(err, k->m + k->b <= k->room, STJ_EINTERNAL, "no room for another block");
    STJ_TRY(krylov_grow(k, 0, err));
    double *next = k->q + (k->m + k->b) * n;
    STJ_TRY(stj_rows_apply(a, STJ_NO_TRANS, k->b, k->q + k->m * n, next, err));
    STJ_TRY(stj_orthogonalize(&k->rows, k->m + k->b, k->q, k->b, next, k->h + k->m * k->ldh, k->ldh,
                              k->rng, err));
    k->m += k->b;
out:
    return st;
}
