/* SPDX-License-Identifier: GPL-3.0-or-later */
/* spectrum/svd/completeness.c: what lies outside of the pairs that were found: how many to ask for,
 * and whether some were missed.
 *
 *     1. q random, orthogonal to V;   Q = [q, ...],  A Q kept
 *     2. q <- A'A q, orthogonalised against V and Q                       STEPS times
 *     3. The singular values of A Q
 *
 * By Courant-Fischer the j-th largest singular value of A on the complement of the span of its k
 * largest is at most sigma_{k+j}; so each singular value of A Q above sigma_k proves one that V
 * lacks.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/blas.h"
#include "base/error.h"
#include "base/memory.h"
#include "spectrum/density/rough_count.h"
#include "spectrum/orthogonalize.h"
#include "spectrum/svd/svd_method.h"

enum { STEPS = STJ_OUTSIDE_STEPS, REQUEST_LEAST = 10 };

size_t stj_svd_n_values(const struct stj_op *a)
{
    const size_t m = stj_op_n_rows(a);
    const size_t n = stj_op_n_cols(a);
    return m < n ? m : n;
}

size_t stj_svd_request_for(double count, size_t least)
{
    return (size_t)fmin(ceil(1.1 * fmax(count, 0)) + REQUEST_LEAST, (double)least);
}

size_t stj_svd_request_more(const struct stj_op *a, size_t request)
{
    return (size_t)fmin(1.5 * (double)request + REQUEST_LEAST, (double)stj_svd_n_values(a));
}

enum stj_status stj_svd_request(struct stj_op *a, const struct stj_svd_budget *budget,
                                double threshold, bool above, double known, size_t *request,
                                struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const struct stj_svd_settings *s = budget->settings;
    const double cost = 4.0 * STJ_ROUGH_COUNT_PROBES * STJ_ROUGH_COUNT_STEPS;
    enum stj_stop stop;
    /* As much again is to be left for what it counts. */
    if (known <= 0 && !stj_svd_spent(budget, cost, 0, &stop))
        STJ_TRY(stj_density_rough_count(a, threshold, above, s->seed, &s->progress, &known, err));
    *request = stj_svd_request_for(known, stj_svd_n_values(a));
out:
    return st;
}

/* Q and A Q of STEPS Lanczos steps outside of V; basis holds V in its first k columns; of all of
 * them this rank has its rows. */
static enum stj_status outside_lanczos(struct stj_op *a, size_t k, double *basis, double *aq,
                                       double *h, struct stj_rng *rng, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const struct stj_rows rows = stj_rows_of(stj_op_n_cols(a));
    const size_t m = stj_rows_of(stj_op_n_rows(a)).count;
    for (size_t j = 0; j < STEPS; j++) {
        double *q = basis + (k + j) * rows.count;
        if (j == 0)
            stj_rows_fill_normal(&rows, rng, 1, q);
        else
            STJ_TRY(stj_rows_apply(a, STJ_TRANS, 1, aq + (j - 1) * m, q, err));
        STJ_TRY(stj_orthogonalize(&rows, k + j, basis, 1, q, h, k + j + 1, rng, err));
        STJ_TRY(stj_rows_apply(a, STJ_NO_TRANS, 1, q, aq + j * m, err));
    }
out:
    return st;
}

enum stj_status stj_svd_look_outside(struct stj_op *a, const struct stj_svd_budget *budget,
                                     const struct stj_pairs *pairs, struct stj_svd_outside *outside,
                                     struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const size_t m = pairs->n_rows;
    const struct stj_rows left = stj_rows_of(m);
    const struct stj_rows rows = stj_rows_of(pairs->n_cols);
    const size_t k = pairs->k;
    enum stj_stop stop;
    struct stj_rng *rng = NULL;
    double sigma[STEPS];
    double *basis = NULL;
    double *aq = NULL;
    double *h = NULL;
    *outside = (struct stj_svd_outside){0};
    if (k == 0 || k + STEPS > rows.n || m < STEPS || stj_svd_spent(budget, 2 * STEPS, 0, &stop))
        goto out;
    STJ_TRY(stj_new(&basis, rows.count, (k + STEPS) * sizeof *basis, err));
    STJ_TRY(stj_new(&aq, left.count, STEPS * sizeof *aq, err));
    STJ_TRY(stj_new(&h, k + STEPS, sizeof *h, err));
    STJ_TRY(stj_rng_create(budget->settings->seed, STJ_STREAM_CHECK, 2, &rng, err));
    stj_rows_cut(&rows, k, pairs->v, basis);
    STJ_TRY(outside_lanczos(a, k, basis, aq, h, rng, err));
    STJ_TRY(stj_rows_complete(&left, STEPS, &aq, err));
    STJ_TRY(stj_gesdd(m, STEPS, aq, m, sigma, NULL, NULL, err));
    /* sigma_k is known to tol sigma_1, and so are the directions taken out. */
    const double limit = pairs->sigma[k - 1] + 2 * budget->settings->tol * pairs->sigma[0];
    outside->checked = true;
    outside->sigma = sigma[0];
    for (size_t j = 0; j < STEPS; j++)
        outside->missed += sigma[j] > limit;
out:
    stj_rng_destroy(rng);
    free(basis);
    free(aq);
    free(h);
    return st;
}
