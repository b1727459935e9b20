/* SPDX-License-Identifier: GPL-3.0-or-later */
/* spectrum/rows.c: bases whose rows are divided among the ranks, where they are long. */
#include "spectrum/rows.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/blas.h"
#include "base/error.h"
#include "base/memory.h"

size_t stj_rows_ld(const struct stj_rows *rows)
{
    return rows->count > 0 ? rows->count : 1;
}

size_t stj_rows_share(size_t n, size_t n_ranks)
{
    return stj_rows_divide(n, n_ranks) ? n / n_ranks + (n % n_ranks > 0) : n;
}

double stj_rows_dot(const struct stj_rows *rows, const double *x, const double *y)
{
    double sum = stj_dot(rows->count, x, y);
    stj_rows_allreduce_sum(rows, 1, &sum);
    return sum;
}

/* A norm whose square may be too large or too small for a number. */
static double careful_norm(double mine)
{
    double scale = mine;
    stj_ranks_allreduce_sum(1, &scale);
    if (scale == 0 || !isfinite(scale))
        return scale;
    double square = mine / scale * (mine / scale);
    stj_ranks_allreduce_sum(1, &square);
    return scale * sqrt(square);
}

void stj_rows_norms(const struct stj_rows *rows, size_t nvec, const double *x, size_t ld,
                    double *length)
{
    static const double least = 1e-280, most = 1e300; /* squares that have lost nothing */
#pragma omp parallel for schedule(dynamic, 1) num_threads((int)stj_threads()) if (nvec > 1)
    for (size_t j = 0; j < nvec; j++)
        length[j] = stj_nrm2(rows->count, x + j * ld);
    if (!rows->divided)
        return;
    for (size_t j = 0; j < nvec; j++)
        length[j] *= length[j];
    stj_ranks_allreduce_sum(nvec, length);
    for (size_t j = 0; j < nvec; j++)
        length[j] = length[j] > least && length[j] < most
                        ? sqrt(length[j])
                        : careful_norm(stj_nrm2(rows->count, x + j * ld));
}

double stj_rows_nrm2(const struct stj_rows *rows, const double *x)
{
    double length;
    stj_rows_norms(rows, 1, x, stj_rows_ld(rows), &length);
    return length;
}

static void skip_normal(struct stj_rng *rng, size_t n)
{
    for (size_t i = 0; i < n; i++)
        (void)stj_rng_normal(rng);
}

void stj_rows_fill_normal(const struct stj_rows *rows, struct stj_rng *rng, size_t nvec, double *x)
{
    for (size_t j = 0; j < nvec; j++) {
        skip_normal(rng, rows->first);
        stj_rng_fill_normal(rng, rows->count, x + j * rows->count);
        skip_normal(rng, rows->n - rows->first - rows->count);
    }
}

/* The whole vectors <- this rank's rows, x. */
static void rows_put(const struct stj_rows *rows, size_t nvec, const double *x, double *whole)
{
    for (size_t j = 0; j < nvec && rows->count > 0; j++)
        memcpy(whole + j * rows->n + rows->first, x + j * rows->count, rows->count * sizeof *x);
}

void stj_rows_cut(const struct stj_rows *rows, size_t nvec, const double *whole, double *x)
{
    for (size_t j = 0; j < nvec && rows->count > 0; j++)
        memcpy(x + j * rows->count, whole + j * rows->n + rows->first, rows->count * sizeof *x);
}

enum stj_status stj_rows_apply(struct stj_op *a, enum stj_trans trans, size_t nvec, const double *x,
                               double *y, struct stj_error *err)
{
    const size_t n_rows = stj_op_n_rows(a);
    const size_t n_cols = stj_op_n_cols(a);
    const struct stj_rows in = stj_rows_of(trans == STJ_NO_TRANS ? n_cols : n_rows);
    const struct stj_rows out = stj_rows_of(trans == STJ_NO_TRANS ? n_rows : n_cols);
    STJ_FREED double *whole_x = NULL;
    STJ_FREED double *whole_y = NULL;
    if (!in.divided && !out.divided)
        return stj_op_apply(a, trans, nvec, x, in.n, y, out.n, err);
    STJ_MUST(stj_new(&whole_x, in.n, nvec * sizeof *whole_x, err));
    STJ_MUST(stj_new(&whole_y, out.n, nvec * sizeof *whole_y, err));
    rows_put(&in, nvec, x, whole_x);
    stj_rows_allgatherv(&in, nvec, whole_x, in.n);
    STJ_MUST(stj_op_apply(a, trans, nvec, whole_x, in.n, whole_y, out.n, err));
    stj_rows_cut(&out, nvec, whole_y, y);
    return STJ_OK;
}

enum stj_status stj_rows_complete(const struct stj_rows *rows, size_t nvec, double **block,
                                  struct stj_error *err)
{
    double *whole = NULL;
    if (!rows->divided)
        return STJ_OK;
    STJ_MUST(stj_new(&whole, rows->n, nvec * sizeof *whole, err));
    rows_put(rows, nvec, *block, whole);
    stj_rows_allgatherv(rows, nvec, whole, rows->n);
    free(*block);
    *block = whole;
    return STJ_OK;
}
