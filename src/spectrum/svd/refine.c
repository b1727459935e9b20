/* SPDX-License-Identifier: GPL-3.0-or-later */
/* spectrum/svd/refine.c: pairs that a cheap operator found, finished with the exact one.
 *
 * A_s is near A, and cheap: the same Jacobian in single precision.  Its right vectors V are those of
 * A but for an error of its size, so
 *
 *     1. V is finished with A (spectrum/svd/finish.c):  A v = sigma u,  r = A'u - sigma v
 *     2. where |r| > tol sigma_1, Newton's correction of v (Sleijpen and van der Vorst 1996) is
 *
 *            (sigma^2 - P A'A P) z = sigma P r,     P = I - V V',     v <- v + z
 *
 *        with A_s in the place of A: an error of A_s leaves that part of z, so that a round divides
 *        |r| by about 1 / |A_s - A|, and A itself is used to finish again, no more.
 *
 * Vectors beyond the wanted ones, guards, are in V too: the largest value outside of V is then well
 * below the smallest wanted one, and conjugate gradients, of all columns together, take few steps:
 * the operator is positive definite with the condition 1 / (1 - (sigma_out / sigma)^2).
 *
 * Cost for k vectors with guards: 2 k products with A a round, of which there are two, seldom three;
 * of A_s 5 to 30 for each wanted vector.  Memory: 8 k vectors.
 * It fails, and says so by residuals that stay, where values go on as near as that beyond the guards:
 * the caller looks for such pairs in another way.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/blas.h"
#include "base/error.h"
#include "base/memory.h"
#include "spectrum/orthogonalize.h"
#include "spectrum/svd/svd_method.h"

enum { ROUNDS = 4, MOST_STEPS = 60 };
static const double goal = 1e-6; /* of a correction, relative: A_s is no better */

/* The columns that are being corrected. */
struct corrections {
    struct stj_op *cheap;
    const struct stj_pairs *p;
    size_t n, m;   /* of a column; columns at work */
    size_t *index; /* [m]: which pair each is of */
    double *z, *r, *d,
        *b;              /* [n][m]: solution, residual, direction, the operator's product with it */
    double *work;        /* [n_rows + p->k][m] */
    double *rho, *least; /* [m] |r|^2, and what ends a column */
};

static void corrections_free(struct corrections *c)
{
    free(c->index);
    free(c->z);
    free(c->r);
    free(c->d);
    free(c->b);
    free(c->work);
    free(c->rho);
    free(c->least);
}

/* r [n][p->k]: the residual vectors. */
static enum stj_status corrections_init(struct corrections *c, size_t wanted, const double *r,
                                        double limit, struct stj_error *err)
{
    const struct stj_pairs *p = c->p;
    const size_t n = c->n, bytes = wanted * sizeof(double);
    STJ_MUST(stj_new(&c->index, wanted, sizeof *c->index, err));
    STJ_MUST(stj_new(&c->z, n, bytes, err));
    STJ_MUST(stj_new(&c->r, n, bytes, err));
    STJ_MUST(stj_new(&c->d, n, bytes, err));
    STJ_MUST(stj_new(&c->b, n, bytes, err));
    STJ_MUST(stj_new(&c->work, p->n_rows + p->k, bytes, err));
    STJ_MUST(stj_new(&c->rho, wanted, sizeof *c->rho, err));
    STJ_MUST(stj_new(&c->least, wanted, sizeof *c->least, err));
    for (size_t i = 0; i < wanted; i++) {
        if (p->residual[i] <= limit)
            continue;
        c->index[c->m] = i;
        memcpy(c->r + c->m++ * n, r + i * n, n * sizeof *r);
    }
    stj_project_out(n, p->k, p->v, c->m, c->r, n, c->work);
    for (size_t j = 0; j < c->m; j++) {
        stj_scal(n, p->sigma[c->index[j]], c->r + j * n);
        c->rho[j] = stj_dot(n, c->r + j * n, c->r + j * n);
        c->least[j] = goal * goal * c->rho[j];
    }
    memcpy(c->d, c->r, n * c->m * sizeof *c->d);
    return STJ_OK;
}

/* A column is done: v <- v + z, and the last takes its place. */
static void finish_column(struct corrections *c, size_t j, double *v)
{
    const size_t n = c->n, last = --c->m;
    double *const of[] = {c->z, c->r, c->d, c->b};
    stj_axpy(n, 1, c->z + j * n, v + c->index[j] * n);
    c->index[j] = c->index[last];
    c->rho[j] = c->rho[last];
    c->least[j] = c->least[last];
    for (size_t k = 0; j < last && k < sizeof of / sizeof of[0]; k++)
        memcpy(of[k] + j * n, of[k] + last * n, n * sizeof(double));
}

/* b <- (sigma^2 - P A_s'A_s P) d of all columns. */
static enum stj_status multiply(struct corrections *c, struct stj_error *err)
{
    const struct stj_pairs *p = c->p;
    const size_t n = c->n;
    STJ_MUST(stj_op_apply(c->cheap, STJ_NO_TRANS, c->m, c->d, n, c->work, p->n_rows, err));
    STJ_MUST(stj_op_apply(c->cheap, STJ_TRANS, c->m, c->work, p->n_rows, c->b, n, err));
    stj_project_out(n, p->k, p->v, c->m, c->b, n, c->work);
    for (size_t j = 0; j < c->m; j++) {
        const double sigma = p->sigma[c->index[j]];
        stj_scal(n, -1, c->b + j * n);
        stj_axpy(n, sigma * sigma, c->d + j * n, c->b + j * n);
    }
    return STJ_OK;
}

/* A step of conjugate gradients of column j; false: it is done, or leads nowhere. */
static bool step(struct corrections *c, size_t j)
{
    const size_t n = c->n;
    double *z = c->z + j * n, *r = c->r + j * n, *d = c->d + j * n, *b = c->b + j * n;
    const double curvature = stj_dot(n, d, b);
    if (!(curvature > 0))
        return false;
    const double before = c->rho[j];
    stj_axpy(n, before / curvature, d, z);
    stj_axpy(n, -before / curvature, b, r);
    c->rho[j] = stj_dot(n, r, r);
    stj_scal(n, c->rho[j] / before, d);
    stj_axpy(n, 1, r, d);
    return c->rho[j] > c->least[j];
}

/* v [n][p->k], those of p, <- corrected, where a residual is above the limit. */
static enum stj_status correct(struct stj_op *cheap, const struct stj_pairs *p, size_t wanted,
                               const double *r, double limit, double *v, struct stj_error *err)
{
    STJ_HELD(corrections_free)
    struct corrections c = {.cheap = cheap, .p = p, .n = p->n_cols};
    STJ_MUST(corrections_init(&c, wanted, r, limit, err));
    for (size_t i = 0; i < MOST_STEPS && c.m > 0; i++) {
        STJ_MUST(multiply(&c, err));
        for (size_t j = c.m; j-- > 0;)
            if (!step(&c, j))
                finish_column(&c, j, v);
    }
    while (c.m > 0)
        finish_column(&c, c.m - 1, v);
    return STJ_OK;
}

static double worst_of(const struct stj_pairs *p, size_t wanted)
{
    double worst = 0;
    for (size_t i = 0; i < wanted; i++)
        worst = fmax(worst, p->residual[i]);
    return worst;
}

enum stj_status stj_svd_refine(struct stj_op *a, struct stj_op *cheap, size_t wanted, double tol,
                               size_t k, double **v, struct stj_pairs *pairs, struct stj_error *err)
{
    STJ_FREED double *next = NULL;
    double last = (double)INFINITY;
    *pairs = (struct stj_pairs){0};
    for (size_t round = 0; round < ROUNDS; round++) {
        STJ_FREED double *r = NULL;
        stj_pairs_free(pairs);
        STJ_MUST(stj_svd_finish_with(a, k, v, pairs, &r, err));
        const double worst = worst_of(pairs, wanted), limit = tol * pairs->sigma[0];
        if (worst <= limit || worst > last / 4)
            break;
        last = worst;
        STJ_MUST(stj_new(&next, pairs->n_cols, k * sizeof *next, err));
        memcpy(next, pairs->v, pairs->n_cols * k * sizeof *next);
        /* To spare: a new round finishes all of them, and disturbs each by the others' errors. */
        STJ_MUST(correct(cheap, pairs, wanted, r, limit / 8, next, err));
        *v = next;
        next = NULL;
    }
    pairs->k = wanted;
    return STJ_OK;
}
