/* SPDX-License-Identifier: GPL-3.0-or-later */
/* base/blas.c: checked casts from size_t to the integers of CBLAS and LAPACKE. */
#include "base/blas.h"

#include <assert.h>
#include <cblas.h>
#include <lapacke.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"

enum stj_status stj_blas_fits(size_t n, const char *what, struct stj_error *err)
{
    STJ_NEED(err, n <= INT_MAX, STJ_EUNSUPPORTED,
             "%s is %zu, more than the %d that the integers of BLAS and LAPACK can hold", what, n,
             INT_MAX);
    return STJ_OK;
}

static int blas_int(size_t n)
{
    assert(n <= INT_MAX);
    return (int)n;
}

static CBLAS_TRANSPOSE cblas_trans(enum stj_blas_trans trans)
{
    return trans == STJ_BLAS_TRANS ? CblasTrans : CblasNoTrans;
}

void stj_gemm(enum stj_blas_trans trans_a, enum stj_blas_trans trans_b, size_t m, size_t n,
              size_t k, double alpha, const double *a, size_t lda, const double *b, size_t ldb,
              double beta, double *c, size_t ldc)
{
    cblas_dgemm(CblasRowMajor, cblas_trans(trans_a), cblas_trans(trans_b), blas_int(m), blas_int(n),
                blas_int(k), alpha, a, blas_int(lda), b, blas_int(ldb), beta, c, blas_int(ldc));
}

void stj_gemm_single(enum stj_blas_trans trans_a, enum stj_blas_trans trans_b, size_t m, size_t n,
                     size_t k, float alpha, const float *a, size_t lda, const float *b, size_t ldb,
                     float beta, float *c, size_t ldc)
{
    cblas_sgemm(CblasRowMajor, cblas_trans(trans_a), cblas_trans(trans_b), blas_int(m), blas_int(n),
                blas_int(k), alpha, a, blas_int(lda), b, blas_int(ldb), beta, c, blas_int(ldc));
}

void stj_dgemm(enum stj_blas_trans trans_a, enum stj_blas_trans trans_b, size_t m, size_t n,
               size_t k, double alpha, const double *a, size_t lda, const double *b, size_t ldb,
               double beta, double *c, size_t ldc)
{
    cblas_dgemm(CblasColMajor, cblas_trans(trans_a), cblas_trans(trans_b), blas_int(m), blas_int(n),
                blas_int(k), alpha, a, blas_int(lda), b, blas_int(ldb), beta, c, blas_int(ldc));
}

void stj_gemv(enum stj_blas_trans trans, size_t m, size_t n, double alpha, const double *a,
              size_t lda, const double *x, double beta, double *y)
{
    cblas_dgemv(CblasColMajor, cblas_trans(trans), blas_int(m), blas_int(n), alpha, a,
                blas_int(lda), x, 1, beta, y, 1);
}

void stj_trsm(enum stj_blas_trans trans, size_t n, size_t k, const double *r, double *x)
{
    cblas_dtrsm(CblasColMajor, CblasLeft, CblasUpper, cblas_trans(trans), CblasNonUnit, blas_int(n),
                blas_int(k), 1, r, blas_int(n), x, blas_int(n));
}

double stj_dot(size_t n, const double *x, const double *y)
{
    return cblas_ddot(blas_int(n), x, 1, y, 1);
}

double stj_nrm2(size_t n, const double *x)
{
    return cblas_dnrm2(blas_int(n), x, 1);
}

void stj_scal(size_t n, double alpha, double *x)
{
    cblas_dscal(blas_int(n), alpha, x, 1);
}

void stj_axpy(size_t n, double alpha, const double *x, double *y)
{
    cblas_daxpy(blas_int(n), alpha, x, 1, y, 1);
}

static enum stj_status lapack_check(lapack_int info, const char *routine, struct stj_error *err)
{
    STJ_NEED(err, info != LAPACK_WORK_MEMORY_ERROR && info != LAPACK_TRANSPOSE_MEMORY_ERROR,
             STJ_ENOMEM, "out of memory for the workspace of LAPACK's %s", routine);
    STJ_NEED(err, info >= 0, STJ_ENONFINITE,
             "LAPACK's %s refused argument %d: a NaN or infinity in its matrix", routine,
             -(int)info);
    STJ_NEED(err, info == 0, STJ_ENUMERIC, "LAPACK's %s did not converge (info = %d)", routine,
             (int)info);
    return STJ_OK;
}

/* Householder QR in place: the reflections stay in a, the triangle goes to r. */
static enum stj_status factorise(size_t m, size_t n, double *a, size_t lda, double *tau, double *r,
                                 struct stj_error *err)
{
    STJ_MUST(stj_blas_fits(lda, "the leading dimension of a QR factorisation", err));
    const lapack_int info =
        LAPACKE_dgeqrf(LAPACK_COL_MAJOR, blas_int(m), blas_int(n), a, blas_int(lda), tau);
    STJ_MUST(lapack_check(info, "dgeqrf", err));
    if (r) {
        memset(r, 0, n * n * sizeof *r);
        for (size_t j = 0; j < n; j++)
            memcpy(r + j * n, a + j * lda, (j + 1) * sizeof *r);
    }
    return STJ_OK;
}

enum stj_status stj_qr(size_t m, size_t n, double *a, size_t lda, double *r, struct stj_error *err)
{
    STJ_FREED double *tau = NULL;
    STJ_MUST(stj_new(&tau, n, sizeof *tau, err));
    STJ_MUST(factorise(m, n, a, lda, tau, r, err));
    const lapack_int info = LAPACKE_dorgqr(LAPACK_COL_MAJOR, blas_int(m), blas_int(n), blas_int(n),
                                           a, blas_int(lda), tau);
    return lapack_check(info, "dorgqr", err);
}

enum stj_status stj_qr_triangle(size_t m, size_t n, double *a, size_t lda, double *r,
                                struct stj_error *err)
{
    STJ_FREED double *tau = NULL;
    STJ_MUST(stj_new(&tau, n, sizeof *tau, err));
    return factorise(m, n, a, lda, tau, r, err);
}

/* The same by QR iteration, slower and without fail. */
static lapack_int svd_by_qr(char job, size_t m, size_t n, double *a, size_t lda, double *sigma,
                            double *u, double *vt)
{
    const size_t least = m < n ? m : n;
    double *superdiagonal = malloc(least * sizeof *superdiagonal);
    const lapack_int info =
        superdiagonal ? LAPACKE_dgesvd(LAPACK_COL_MAJOR, job, job, blas_int(m), blas_int(n), a,
                                       blas_int(lda), sigma, u, blas_int(m), vt,
                                       blas_int(job == 'S' ? least : 1), superdiagonal)
                      : LAPACK_WORK_MEMORY_ERROR;
    free(superdiagonal);
    return info;
}

/* Divide and conquer fails now and then where many values are the same: a matrix that is small
 * enough for a copy is given to QR iteration then. */
enum stj_status stj_gesdd(size_t m, size_t n, double *a, size_t lda, double *sigma, double *u,
                          double *vt, struct stj_error *err)
{
    static const size_t most_copied = (size_t)1 << 21;
    const size_t least = m < n ? m : n;
    const char job = u && vt ? 'S' : 'N';
    STJ_FREED double *copy = NULL;
    STJ_MUST(stj_blas_fits(lda, "the leading dimension of a matrix for gesdd", err));
    if (n > 0 && lda <= most_copied / n) {
        STJ_MUST(stj_new(&copy, lda, n * sizeof *copy, err));
        memcpy(copy, a, ((n - 1) * lda + m) * sizeof *copy);
    }
    lapack_int info =
        LAPACKE_dgesdd(LAPACK_COL_MAJOR, job, blas_int(m), blas_int(n), a, blas_int(lda), sigma, u,
                       blas_int(m), vt, blas_int(job == 'S' ? least : 1));
    if (info > 0 && copy)
        info = svd_by_qr(job, m, n, copy, lda, sigma, u, vt);
    return lapack_check(info, "dgesdd", err);
}

enum stj_status stj_bdsqr(size_t n, double *d, double *e, double *w, struct stj_error *err)
{
    double unused = 0;
    STJ_MUST(stj_blas_fits(n, "the order of a bidiagonal matrix", err));
    if (n == 0)
        return STJ_OK;
    memset(w, 0, n * sizeof *w);
    w[0] = 1;
    lapack_int info = LAPACKE_dbdsqr(LAPACK_COL_MAJOR, 'U', blas_int(n), 1, 0, 0, d, e, w,
                                     blas_int(n), &unused, 1, &unused, 1);
    STJ_MUST(lapack_check(info, "dbdsqr", err));
    for (size_t i = 0; i < n; i++)
        w[i] *= w[i];
    return STJ_OK;
}
