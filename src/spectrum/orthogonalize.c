/* SPDX-License-Identifier: GPL-3.0-or-later */
/* spectrum/orthogonalize.c: block classical Gram-Schmidt with reorthogonalisation.
 *
 *     project twice     H += Q'W,  W -= Q (Q'W)           GEMM over fixed slices of a rank's rows
 *     within the block  column by column: against Q and the block's earlier columns once more where
 *                       a column lost most of its length, then normalised
 *
 * "Already in the span": what is left of a column is below 100 eps of its length.
 */
#include "spectrum/orthogonalize.h"

#include <float.h>
#include <stdlib.h>
#include <string.h>

#include "base/blas.h"
#include "base/error.h"
#include "base/memory.h"
#include "parallel/parallel.h"

enum { SLICES = 16, LEAST_ROWS = 512 };

static size_t slice_count(size_t n)
{
    const size_t most = n / LEAST_ROWS;
    return most < 1 ? 1 : most > SLICES ? SLICES : most;
}

/* c (m x b) <- Q'W, summed over row slices and ranks in order; part holds SLICES m x b arrays. */
static void block_project(const struct stj_rows *rows, size_t m, const double *q, size_t b,
                          const double *w, double *c, double *part)
{
    const size_t n = rows->count;
    const size_t ld = stj_rows_ld(rows);
    const size_t n_slices = slice_count(n);
#pragma omp parallel for schedule(static) num_threads((int)stj_threads())
    for (size_t s = 0; s < n_slices; s++) {
        const size_t first = n * s / n_slices;
        stj_dgemm(STJ_BLAS_TRANS, STJ_BLAS_NO_TRANS, m, b, n * (s + 1) / n_slices - first, 1,
                  q + first, ld, w + first, ld, 0, part + s * m * b, m);
    }
    stj_reduce(m * b, n_slices, part, m * b, c);
    stj_rows_allreduce_sum(rows, m * b, c);
}

/* W -= Q c */
static void block_subtract(const struct stj_rows *rows, size_t m, const double *q, size_t b,
                           double *w, const double *c)
{
    const size_t n = rows->count;
    const size_t ld = stj_rows_ld(rows);
    const size_t n_slices = slice_count(n);
#pragma omp parallel for schedule(static) num_threads((int)stj_threads())
    for (size_t s = 0; s < n_slices; s++) {
        const size_t first = n * s / n_slices;
        stj_dgemm(STJ_BLAS_NO_TRANS, STJ_BLAS_NO_TRANS, n * (s + 1) / n_slices - first, b, m, -1,
                  q + first, ld, c, m, 1, w + first, ld);
    }
}

/* Work space of one call. */
struct work {
    double *c, *part;
};

/* W -= Q (Q'W), the coefficients added to h where it is not NULL. */
static void block_project_out(const struct stj_rows *rows, size_t m, const double *q, size_t b,
                              double *w, double *h, size_t ldh, const struct work *work)
{
    if (m == 0)
        return;
    block_project(rows, m, q, b, w, work->c, work->part);
    block_subtract(rows, m, q, b, w, work->c);
    for (size_t j = 0; h && j < b; j++)
        stj_axpy(m, 1, work->c + j * m, h + j * ldh);
}

/* x -= the components along the first k columns of W, added to r where it is not NULL. */
static void column_project(const struct stj_rows *rows, size_t k, const double *w, double *x,
                           double *r)
{
    const size_t n = rows->count;
    for (size_t i = 0; i < k; i++) {
        const double c = stj_rows_dot(rows, w + i * n, x);
        stj_axpy(n, -c, w + i * n, x);
        if (r)
            r[i] += c;
    }
}

/* Column j of the block: orthogonal to Q and to columns before it, normalised, or replaced. */
static void column_finish(const struct stj_rows *rows, size_t m, const double *q, size_t j,
                          double *w, double *h, double length, struct stj_rng *rng,
                          const struct work *work)
{
    double *x = w + j * rows->count;
    const double before = stj_rows_nrm2(rows, x);
    column_project(rows, j, w, x, h + m);
    double left = stj_rows_nrm2(rows, x);
    if (left < 0.5 * before) {
        block_project_out(rows, m, q, 1, x, h, m, work);
        column_project(rows, j, w, x, h + m);
        left = stj_rows_nrm2(rows, x);
    }
    h[m + j] = left;
    if (left <= 100 * DBL_EPSILON * length) {
        h[m + j] = 0;
        stj_rows_fill_normal(rows, rng, 1, x);
        for (int pass = 0; pass < 2; pass++) {
            block_project_out(rows, m, q, 1, x, NULL, 0, work);
            column_project(rows, j, w, x, NULL);
        }
        left = stj_rows_nrm2(rows, x);
    }
    stj_scal(rows->count, 1 / left, x);
}

enum stj_status stj_orthogonalize(const struct stj_rows *rows, size_t m, const double *q, size_t b,
                                  double *w, double *h, size_t ldh, struct stj_rng *rng,
                                  struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct work work = {0};
    double *length = NULL;
    STJ_CHECK(err, m + b <= rows->n, STJ_EINVAL,
              "a basis of %zu vectors cannot be extended by %zu in %zu dimensions", m, b, rows->n);
    STJ_TRY(stj_new(&work.c, m * b, sizeof *work.c, err));
    STJ_TRY(stj_new(&work.part, SLICES * m * b, sizeof *work.part, err));
    STJ_TRY(stj_new(&length, b, sizeof *length, err));
    for (size_t j = 0; j < b; j++)
        memset(h + j * ldh, 0, (m + b) * sizeof *h);
    stj_rows_norms(rows, b, w, rows->count, length);
    block_project_out(rows, m, q, b, w, h, ldh, &work);
    block_project_out(rows, m, q, b, w, h, ldh, &work);
    for (size_t j = 0; j < b; j++)
        column_finish(rows, m, q, j, w, h + j * ldh, length[j], rng, &work);
out:
    free(work.c);
    free(work.part);
    free(length);
    return st;
}

void stj_project_out(size_t n, size_t k, const double *q, size_t nvec, double *x, size_t ld,
                     double *work)
{
    stj_dgemm(STJ_BLAS_TRANS, STJ_BLAS_NO_TRANS, k, nvec, n, 1, q, n, x, ld, 0, work, k);
    stj_dgemm(STJ_BLAS_NO_TRANS, STJ_BLAS_NO_TRANS, n, nvec, k, -1, q, n, work, k, 1, x, ld);
}
