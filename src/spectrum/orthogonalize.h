/* SPDX-License-Identifier: GPL-3.0-or-later */
/* spectrum/orthogonalize.h: extending an orthonormal basis by a block of vectors. */
#ifndef STJ_SPECTRUM_ORTHOGONALIZE_H
#define STJ_SPECTRUM_ORTHOGONALIZE_H

#include <stddef.h>

#include <spectraj/status.h>

#include "spectrum/rows.h"

/* W (n x b, column-major) <- an orthonormal block, orthogonal to the m orthonormal columns of
 * Q (n x m), of both of which each rank has its rows, such that on return
 *     W_in = Q H + W R,      H m x b, R b x b upper triangular, stored as one (m + b) x b array h
 * with leading dimension ldh.  A direction that is already in the span to rounding is replaced by a
 * random one from rng, with a zero on the diagonal of R: an invariant subspace is no failure.
 * Classical Gram-Schmidt twice (Giraud, Langou, Rozloznik 2005); same bits for any number of
 * threads. */
enum stj_status stj_orthogonalize(const struct stj_rows *rows, size_t m, const double *q, size_t b,
                                  double *w, double *h, size_t ldh, struct stj_rng *rng,
                                  struct stj_error *err);

/* x (n x nvec, leading dimension ld), whole on every rank, -= Q Q'x for k orthonormal columns; work
 * holds k nvec. */
void stj_project_out(size_t n, size_t k, const double *q, size_t nvec, double *x, size_t ld,
                     double *work);

#endif
