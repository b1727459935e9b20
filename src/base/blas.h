/* SPDX-License-Identifier: GPL-3.0-or-later */
/* base/blas.h: the BLAS and LAPACK that the library uses, with size_t sizes.
 *
 * Kernels call stj_gemm inside parallel regions and cannot fail there: whoever builds a problem
 * checks its dimensions once with stj_blas_fits.  BLAS runs one thread (parallel/parallel.h).
 */
#ifndef STJ_BASE_BLAS_H
#define STJ_BASE_BLAS_H

#include <stddef.h>

#include <spectraj/status.h>

#include "base/real.h"

enum stj_blas_trans { STJ_BLAS_NO_TRANS, STJ_BLAS_TRANS };

/* STJ_OK when n fits the integer of BLAS, LAPACK and ARPACK; `what` names it in the message. */
enum stj_status stj_blas_fits(size_t n, const char *what, struct stj_error *err);

/* Row-major C [m][n] <- alpha op(A) op(B) + beta C, op(A) m x k, op(B) k x n; leading dimensions
 * are the distances between rows as stored.  C is not read when beta is 0. */
void stj_gemm(enum stj_blas_trans trans_a, enum stj_blas_trans trans_b, size_t m, size_t n,
              size_t k, double alpha, const double *a, size_t lda, const double *b, size_t ldb,
              double beta, double *c, size_t ldc);
void stj_gemm_single(enum stj_blas_trans trans_a, enum stj_blas_trans trans_b, size_t m, size_t n,
                     size_t k, float alpha, const float *a, size_t lda, const float *b, size_t ldb,
                     float beta, float *c, size_t ldc);
#ifdef STJ_SINGLE
#define stj_gemm stj_gemm_single
#endif

/* Double-precision work on column-major blocks, above the engine. */

/* C (m x n) <- alpha op(A) op(B) + beta C, column-major. */
void stj_dgemm(enum stj_blas_trans trans_a, enum stj_blas_trans trans_b, size_t m, size_t n,
               size_t k, double alpha, const double *a, size_t lda, const double *b, size_t ldb,
               double beta, double *c, size_t ldc);

/* y <- alpha op(A) x + beta y, A m x n, column-major. */
void stj_gemv(enum stj_blas_trans trans, size_t m, size_t n, double alpha, const double *a,
              size_t lda, const double *x, double beta, double *y);
double stj_dot(size_t n, const double *x, const double *y);
double stj_nrm2(size_t n, const double *x);
void stj_scal(size_t n, double alpha, double *x);
void stj_axpy(size_t n, double alpha, const double *x, double *y);

/* X (n x k) <- op(R)^-1 X, R n x n upper triangular. */
void stj_trsm(enum stj_blas_trans trans, size_t n, size_t k, const double *r, double *x);

/* A (m x n, m >= n, column-major) <- an orthonormal basis of its columns: the Q of Householder QR;
 * r, n x n upper triangular with zeros below, when not NULL. */
enum stj_status stj_qr(size_t m, size_t n, double *a, size_t lda, double *r, struct stj_error *err);

/* r (n x n) <- the triangle of QR of A (m x n, m >= n, destroyed) alone. */
enum stj_status stj_qr_triangle(size_t m, size_t n, double *a, size_t lda, double *r,
                                struct stj_error *err);

/* Singular values of A (m x n, destroyed), descending in sigma[min(m, n)]; u (m x min) and
 * vt (min x n), column-major with leading dimensions m and min, when both are not NULL: gesdd. */
enum stj_status stj_gesdd(size_t m, size_t n, double *a, size_t lda, double *sigma, double *u,
                          double *vt, struct stj_error *err);

/* Singular values of the upper bidiagonal matrix B (n x n) with diagonal d and superdiagonal
 * e[n - 1] (both destroyed), descending in d, each to high relative accuracy; w[n] <- the squared
 * first components of its right singular vectors: bdsqr. */
enum stj_status stj_bdsqr(size_t n, double *d, double *e, double *w, struct stj_error *err);

#endif
