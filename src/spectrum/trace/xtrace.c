/* SPDX-License-Identifier: GPL-3.0-or-later */
/* spectrum/trace/xtrace.c: XTrace, the exchangeable estimator (Epperly, Tropp, Webber 2024).
 *
 * Like Hutch++, but every test vector serves for the low-rank part of all others.  With k =
 * products / 2 vectors w_i and Y = B W = Q R, Q_i a basis of the columns of Y without the i-th, P_i
 * = I - Q_i Q_i':
 *     t_i = tr Q_i'B Q_i + (n - k + 1) / |P_i w_i|^2  (P_i w_i)'B (P_i w_i)
 * and tr B is the mean of the t_i; each is unbiased since w_i is independent of Q_i.  (The factor
 * makes the direction of P_i w_i uniform: "resphering".)  No new factorisation is needed: Q_i Q_i'
 * = Q (I - s_i s_i') Q' with s_i the normalised column i of R^{-T}.  With
 *     H = Q'B Q,   x_i = (I - s_i s_i') Q'w_i        (Q x_i is the part of w_i in Q_i)
 * one has tr Q_i'B Q_i = tr H - s_i'H s_i, and P_i w_i = w_i - Q x_i, B P_i w_i = y_i - (B Q) x_i.
 *
 * R^{-T} comes from an SVD with singular values held above k eps |R|: where Y is short of rank its
 * columns already span what B has, and every s_i that is taken from the null space will do.
 *
 * Cost: products with B, and O(n k^2).
 */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/blas.h"
#include "base/error.h"
#include "base/memory.h"
#include "spectrum/trace/trace_method.h"

/* All that the estimator holds: n x k blocks, then k x k. */
struct xtrace {
    size_t n, k;
    double *w, *y, *q, *z;  /* probes, B W, basis, B Q */
    double *r, *s, *h, *qw; /* R, then the s_i, H, Q'W */
};

static void xtrace_free(struct xtrace *t)
{
    double *const part[] = {t->w, t->y, t->q, t->z, t->r, t->s, t->h, t->qw};
    for (size_t i = 0; i < sizeof part / sizeof part[0]; i++)
        free(part[i]);
}

static enum stj_status xtrace_new(struct xtrace *t, size_t n, size_t k, struct stj_error *err)
{
    t->n = n;
    t->k = k;
    STJ_MUST(stj_size_mul(n, k, &(size_t){0}, err));
    STJ_MUST(stj_new(&t->w, n * k, sizeof(double), err));
    STJ_MUST(stj_new(&t->y, n * k, sizeof(double), err));
    STJ_MUST(stj_new(&t->q, n * k, sizeof(double), err));
    STJ_MUST(stj_new(&t->z, n * k, sizeof(double), err));
    STJ_MUST(stj_new(&t->r, k * k, sizeof(double), err));
    STJ_MUST(stj_new(&t->s, k * k, sizeof(double), err));
    STJ_MUST(stj_new(&t->h, k * k, sizeof(double), err));
    return stj_new(&t->qw, k * k, sizeof(double), err);
}

/* s <- the columns of R^{-T}, normalised; R is destroyed. */
static enum stj_status xtrace_invert(size_t k, double *r, double *s, struct stj_error *err)
{
    STJ_FREED double *u = NULL;
    STJ_MUST(stj_new(&u, 2 * k * k + k, sizeof *u, err));
    double *vt = u + k * k;
    double *sigma = vt + k * k;
    STJ_MUST(stj_gesdd(k, k, r, k, sigma, u, vt, err));
    const double least = fmax((double)k * DBL_EPSILON * sigma[0], DBL_MIN);
    for (size_t j = 0; j < k; j++)
        for (size_t i = 0; i < k; i++)
            vt[j * k + i] *= fmax(sigma[k - 1], least) / fmax(sigma[i], least);
    stj_dgemm(STJ_BLAS_NO_TRANS, STJ_BLAS_NO_TRANS, k, k, k, 1, u, k, vt, k, 0, s, k);
    for (size_t j = 0; j < k; j++) {
        const double length = stj_nrm2(k, s + j * k);
        if (length > 0)
            stj_scal(k, 1 / length, s + j * k);
    }
    return STJ_OK;
}

/* t_i less tr H; w, y, and qw lose their column i. */
static double leave_one_out(struct xtrace *t, size_t i, double *work)
{
    const size_t n = t->n;
    const size_t k = t->k;
    const double *s = t->s + i * k;
    double *x = t->qw + i * k;
    double *w = t->w + i * n;
    double *y = t->y + i * n;
    stj_axpy(k, -stj_dot(k, s, x), s, x);
    stj_gemv(STJ_BLAS_NO_TRANS, n, k, -1, t->q, n, x, 1, w);
    stj_gemv(STJ_BLAS_NO_TRANS, n, k, -1, t->z, n, x, 1, y);
    stj_gemv(STJ_BLAS_NO_TRANS, k, k, 1, t->h, k, s, 0, work);
    const double length2 = stj_dot(n, w, w);
    const double missing = -stj_dot(k, s, work);
    if (length2 <= (double)n * (double)n * DBL_EPSILON * DBL_EPSILON)
        return missing;
    return missing + (double)(n - k + 1) / length2 * stj_dot(n, w, y);
}

static enum stj_status xtrace_estimate(const struct stj_trace_target *target,
                                       struct stj_trace_samples *samples, struct stj_error *err)
{
    const size_t n = target->n;
    const size_t k = target->products / 2;
    STJ_HELD(xtrace_free) struct xtrace t = {0};
    STJ_FREED double *work = NULL;
    STJ_MUST(xtrace_new(&t, n, k, err));
    STJ_MUST(stj_new(&work, k, sizeof *work, err));
    STJ_MUST(stj_new(&samples->sample, k, sizeof *samples->sample, err));
    STJ_MUST(stj_trace_probes(target, 0, k, t.w, err));
    STJ_MUST(stj_trace_apply(target, target->b, k, t.w, t.y, 0, err));
    memcpy(t.q, t.y, n * k * sizeof *t.q);
    STJ_MUST(stj_qr(n, k, t.q, n, t.r, err));
    STJ_MUST(stj_trace_apply(target, target->b, k, t.q, t.z, k, err));
    STJ_MUST(xtrace_invert(k, t.r, t.s, err));
    stj_dgemm(STJ_BLAS_TRANS, STJ_BLAS_NO_TRANS, k, k, n, 1, t.q, n, t.z, n, 0, t.h, k);
    stj_dgemm(STJ_BLAS_TRANS, STJ_BLAS_NO_TRANS, k, k, n, 1, t.q, n, t.w, n, 0, t.qw, k);
    for (size_t i = 0; i < k; i++) {
        samples->offset += t.h[i * k + i];
        samples->sample[i] = leave_one_out(&t, i, work);
    }
    samples->n = k;
    samples->products = 2 * k;
    return STJ_OK;
}

const struct stj_trace_method stj_trace_xtrace = {
    .info = {.name = "xtrace", .doc = "exchangeable low-rank estimator: every vector serves twice"},
    .least = 4,
    .parts = 2,
    .held = 4,
    .estimate = xtrace_estimate,
};
