/* SPDX-License-Identifier: GPL-3.0-or-later */
/* spectrum/rows.h: bases whose rows are divided among the ranks, where they are long.
 *
 * A block of vectors of a basis has on each rank its rows alone (parallel/ranks.h), column-major
 * with leading dimension stj_rows_ld.  An operator takes and gives whole vectors, so a block is
 * completed before a product, and cut after it.  Inner products and norms are sums over the ranks
 * in their order.  With one rank, or short vectors, a block is whole: nothing is copied, and the
 * bits are those of the plain BLAS.
 */
#ifndef STJ_SPECTRUM_ROWS_H
#define STJ_SPECTRUM_ROWS_H

#include <spectraj/op.h>

#include "parallel/ranks.h"
#include "base/rng.h"

/* The leading dimension of a block: BLAS refuses 0, which a rank without rows has. */
size_t stj_rows_ld(const struct stj_rows *rows);

/* The most rows that any of so many ranks has. */
size_t stj_rows_share(size_t n, size_t n_ranks);

/* x'y */
double stj_rows_dot(const struct stj_rows *rows, const double *x, const double *y);

/* length[nvec] <- the norms of the columns of x (rows.count x nvec, leading dimension ld). */
void stj_rows_norms(const struct stj_rows *rows, size_t nvec, const double *x, size_t ld,
                    double *length);
double stj_rows_nrm2(const struct stj_rows *rows, const double *x); /* of one */

/* x (a block of nvec) <- standard normal numbers, the same whatever the number of ranks. */
void stj_rows_fill_normal(const struct stj_rows *rows, struct stj_rng *rng, size_t nvec, double *x);

/* Y <- op(A) X for blocks of nvec.  Beside them 2 nvec whole vectors, where there are several
 * ranks. */
enum stj_status stj_rows_apply(struct stj_op *a, enum stj_trans trans, size_t nvec, const double *x,
                               double *y, struct stj_error *err);

/* x (a block of nvec) <- this rank's rows of whole vectors. */
void stj_rows_cut(const struct stj_rows *rows, size_t nvec, const double *whole, double *x);

/* *block, allocated by the caller, <- whole vectors (rows.n x nvec) instead of this rank's rows. */
enum stj_status stj_rows_complete(const struct stj_rows *rows, size_t nvec, double **block,
                                  struct stj_error *err);

#endif
