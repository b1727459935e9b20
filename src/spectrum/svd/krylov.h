/* SPDX-License-Identifier: GPL-3.0-or-later */
/* spectrum/svd/krylov.h: a block Arnoldi factorisation, never restarted.
 *
 *     A Q_m = Q_{m+b} H,     Q orthonormal (n x (m + b)),  H (m + b) x m, zero below the b-th
 *                            subdiagonal
 *
 * so that for every y, |A Q_m y| = |H y|: the singular values of H (not its eigenvalues) are upper
 * bounds of A's smallest ones, and they are known without further products.
 */
#ifndef STJ_SPECTRUM_SVD_KRYLOV_H
#define STJ_SPECTRUM_SVD_KRYLOV_H

#include "spectrum/rows.h"

struct stj_krylov {
    struct stj_rows rows; /* of a vector; each rank has its own of q */
    size_t b;             /* block size */
    size_t m;             /* columns of the factorisation so far */
    size_t room;          /* columns at most */
    size_t have;          /* of q: what there is memory for so far */
    double *q;            /* rows.count x have */
    double *h;            /* the columns of each block as far as they are not zero: of the i-th,
                             (i + 2) b rows */
    double start;         /* length of the first start vector before it was normalised */
    struct stj_rng *rng;  /* of the start block and of replacements in invariant subspaces */
};

/* A start block from item `item` of the seed's stream; room for `first` columns, and for
 * `room` when they are needed, in blocks of b, room + b <= n. */
enum stj_status stj_krylov_init(struct stj_krylov *k, size_t n, size_t b, size_t first, size_t room,
                                uint64_t seed, enum stj_rng_stream stream, uint64_t item,
                                struct stj_error *err);
void stj_krylov_free(struct stj_krylov *k);

/* H(row, column), row < column + 2 b - column % b. */
double stj_krylov_at(const struct stj_krylov *k, size_t row, size_t column);

/* *h <- all of H, (m + b) x m; the caller frees it. */
enum stj_status stj_krylov_matrix(const struct stj_krylov *k, double **h, struct stj_error *err);

/* One block step: b products with A (square). */
enum stj_status stj_krylov_step(struct stj_krylov *k, struct stj_op *a, struct stj_error *err);

#endif
