/* SPDX-License-Identifier: GPL-3.0-or-later */
/* spectrum/svd/arnoldi.c: the smallest singular vectors of a product of steps, by products with A
 * alone.
 *
 * Krylov methods on A'A see nothing below sqrt(eps) sigma_1 and converge to nothing at the small
 * end. What works is that A = J(0 -> n) is the identity plus a term of low numerical rank, that
 * what early steps contract stays contracted, and that a window B = J(0 -> w) costs w/n of a
 * product:
 *
 *     1. Block Arnoldi on the window, never restarted:   B Q_m = Q_{m+b} H.
 *        Once m passes the numerical rank of B - I, the small singular values of H fall sharply.
 *     2. H = U diag(s) Z'.  Seeds S = Q_m Z_p of the p smallest s; p products with A give
 *        A S = C R (QR), and |A S y| = |R y| for every y.
 *     3. Correction.  Of the k smallest pairs of R, v = S y and A v = C R y; the step that would
 *        cancel A v if A were B is
 *            t = P A v,   P = Q_m Z diag(s / (s^2 + d^2)) U' Q_{m+b}'  +  (I - Q Q') / (1 + d^2),
 *        a damped inverse of B.  t is orthogonalised into S at the cost of one product, and R
 *        grows; no product with A' is needed.  Repeat while the budget lasts.
 *
 * How large a basis?  For J of up to about 1e4 parameters a share of N was measured to be enough
 * (docs/bottom.md).  Where that is out of reach, for the memory or because the budget would buy a
 * window of a few steps, the basis grows until the window's small values stop to fall:
 *
 *     f(m) = mean over i <= k of log10 max(s_i(H), 1e-7 s_1(H)),    s_i from below
 *     stop when (f(m') - f(m)) / ln(m / m') < 0.11 at two looks running, m / m' = 1.2
 *
 * and what is left of the budget goes to corrections, which end when the k-th bound falls by less
 * than a tenth in a round.  The basis that this takes does not grow with N.
 *
 * d is the window's singular value number DAMPING k from below: directions that the window
 * contracts more are inverted only as far as they are known.  The bounds are certified by
 * Courant-Fischer: the i-th smallest singular value of A restricted to any subspace is no less than
 * the i-th smallest of A.
 *
 * Cost: m w/n + p + k per correction, in products with A.  Memory: n (m + 2 p') numbers for p'
 * vectors in S, divided by rows among the ranks, and the H and R of all on each.  It fails, with
 * honest but large bounds, where m cannot reach the rank of B - I.
 */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/blas.h"
#include "base/error.h"
#include "base/memory.h"
#include "parallel/parallel.h"
#include "parallel/ranks.h"
#include "op/operator.h"
#include "spectrum/orthogonalize.h"
#include "spectrum/svd/krylov.h"
#include "spectrum/svd/svd_method.h"

enum {
    BLOCK = 4, /* vectors of an Arnoldi step */
    SEEDS = 2, /* seeds per wanted pair */
    DAMPING = 2,
    CORRECTIONS = 50, /* without a budget */
    FIRST = 256,      /* vectors that there is room for at once, of a basis that ends by itself */
    LIKELY =
        1500 /* vectors of a basis that ends by itself: 100 to 1300 were seen (docs/bottom.md) */
};

static const double krylov_share = 0.66; /* of a budget, for the window's factorisation */
static const double basis_share = 0.42;  /* Arnoldi vectors as a share of N */
static const double window_default = 0.24;
static const double least_window =
    0.1; /* of the steps, that a share of N is worth its products on */
static const double adaptive_window = 0.5;
static const double least_slope = 0.11, look_growth = 1.2; /* of a basis that ends by itself */
static const double least_gain = 0.9; /* the k-th bound after a correction over that before */

/* How a budget is spent. */
struct arnoldi_plan {
    double fraction;    /* of the steps in the window */
    size_t m;           /* Arnoldi vectors */
    size_t p;           /* seeds */
    size_t k;           /* wanted */
    double total;       /* applications, everything included */
    size_t corrections; /* without a budget */
    bool adaptive; /* m is the most: the basis grows until the small values of H stop to fall */
};

/* How many vectors there is memory for, where a rank has at most so many rows of each: the same on
 * all of them. */
static double arnoldi_most(size_t rows)
{
    return (double)stj_memory_available() / 4 / ((double)rows * sizeof(double));
}

/* The window, and the most vectors, of a basis that ends by itself.  Corrections gain next to
 * nothing before the small values of H have fallen: a large budget leaves a few of them, a small one
 * its share. */
static void arnoldi_adapt(struct arnoldi_plan *plan, double budget, double shortest, size_t rows)
{
    const double products =
        fmax(krylov_share * budget, budget - (double)(plan->p + 5 * plan->k + BLOCK));
    const double most = arnoldi_most(rows);
    plan->adaptive = true;
    plan->fraction = fmax(adaptive_window, shortest);
    plan->m = (size_t)fmin((double)plan->m, fmin(products / plan->fraction, most));
    plan->corrections = (size_t)fmin(CORRECTIONS, fmax(1, most / 4 / (double)plan->k));
}

/* With a budget, two thirds, m w/n products, go into the factorisation.  The rank of B - I grows
 * with the window: beyond the default one, m grows as its square root, so m w/n as its power 3/2;
 * unless it is given. */
static void arnoldi_spend(struct arnoldi_plan *plan, double products, size_t n, double shortest,
                          bool fixed)
{
    const double m = (double)plan->m;
    plan->fraction = fmax(fmax(shortest, 1e-6), fmin(1, products / m));
    if (plan->fraction <= window_default)
        return;
    if (fixed)
        return;
    plan->fraction = fmin(1, pow(products * sqrt(window_default) / m, 2.0 / 3));
    plan->m = (size_t)fmin((double)n - BLOCK, m * sqrt(plan->fraction / window_default));
}

/* For n columns, of which a rank has at most so many rows, and products of this cost, whose shortest prefix is that share of the steps; `used`
 * applications of a budget are gone. */
static struct arnoldi_plan arnoldi_make_plan(const struct stj_svd_settings *settings, size_t n,
                                             size_t rows, double cost, double shortest, double used)
{
    const size_t k = settings->bottom;
    struct arnoldi_plan plan = {.k = k,
                                .p = SEEDS * k,
                                .fraction = fmax(window_default, shortest),
                                .corrections = CORRECTIONS};
    const bool fixed = settings->ncv > 0 && settings->top == 0 && settings->above == 0;
    plan.m = fixed ? settings->ncv : (size_t)(basis_share * (double)n);
    if (plan.p > n / 2)
        plan.p = n / 2 > k ? n / 2 : k;
    if (plan.m < plan.p)
        plan.m = plan.p;
    if (plan.m + BLOCK > n)
        plan.m = n - BLOCK;
    const double budget = settings->max_applications > 0
                              ? fmax(0, settings->max_applications - used)
                              : (double)INFINITY;
    const double share = (double)plan.m;
    if (!fixed && shortest < 1 &&
        (share * least_window > krylov_share * budget / cost || share > arnoldi_most(rows)))
        arnoldi_adapt(&plan, budget / cost, shortest, rows);
    plan.total =
        cost * ((double)plan.m * plan.fraction + (double)(plan.p + (plan.corrections + 1) * k));
    if (settings->max_applications > 0) {
        plan.total = budget;
        if (shortest < 1 && !plan.adaptive)
            arnoldi_spend(&plan, krylov_share * plan.total / cost, n, shortest, fixed);
    }
    /* A small budget has seeds for the wanted pairs alone, one smaller yet for some of them. */
    const double affordable = plan.total / cost;
    if (affordable < (double)(2 * plan.p + k))
        plan.p = k;
    if (affordable < 3 * (double)k)
        plan.p = plan.k = affordable >= 2 ? (size_t)fmin((double)k, affordable / 2) : 0;
    /* Never more vectors than the budget pays for beside seeds and residuals. */
    const double left = plan.total - cost * (double)(plan.p + plan.k);
    const double most = left > 0 ? left / (cost * plan.fraction) : 0;
    if ((double)plan.m > most)
        plan.m = (size_t)most;
    plan.m -= plan.m % BLOCK;
    return plan;
}

/* The window's factorisation with its SVD: the damped inverse P. */
struct inverse {
    struct stj_krylov krylov;
    size_t m, rows;         /* of H: rows = m + b */
    double *sigma, *u, *zt; /* H = U diag(sigma) Z': rows x m, m x m */
    double damping;
};

static void inverse_free(struct inverse *inv)
{
    stj_krylov_free(&inv->krylov);
    free(inv->sigma);
    free(inv->u);
    free(inv->zt);
}

static enum stj_status inverse_factor(struct inverse *inv, size_t k, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const struct stj_krylov *krylov = &inv->krylov;
    double *h = NULL;
    const struct stj_blas_guard guard = stj_blas_guard_take(stj_threads());
    inv->m = krylov->m;
    inv->rows = krylov->m + krylov->b;
    STJ_TRY(stj_new(&h, inv->rows, inv->m * sizeof *h, err));
    STJ_TRY(stj_new(&inv->sigma, inv->m, sizeof *inv->sigma, err));
    STJ_TRY(stj_new(&inv->u, inv->rows, inv->m * sizeof *inv->u, err));
    STJ_TRY(stj_new(&inv->zt, inv->m, inv->m * sizeof *inv->zt, err));
    for (size_t j = 0; j < inv->m; j++)
        memcpy(h + j * inv->rows, krylov->h + j * krylov->ldh, inv->rows * sizeof *h);
    /* H = U diag(s) Z'; d is the window's value number DAMPING k from below. */
    STJ_TRY(stj_gesdd(inv->rows, inv->m, h, inv->rows, inv->sigma, inv->u, inv->zt, err));
    const size_t at = DAMPING * k < inv->m ? DAMPING * k : inv->m;
    inv->damping = fmax(inv->sigma[inv->m - at], DBL_EPSILON * inv->sigma[0]);
    if (inv->damping == 0)
        inv->damping = 1;
out:
    stj_blas_guard_give(guard);
    free(h);
    return st;
}

/* t (a block of b) <- P t. */
static enum stj_status inverse_apply(const struct inverse *inv, size_t b, double *t,
                                     struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const size_t n = inv->krylov.rows.count;
    const size_t ld = stj_rows_ld(&inv->krylov.rows);
    const size_t m = inv->m;
    const double d2 = inv->damping * inv->damping;
    double *c = NULL; /* Q't, then U'Q't, then Z diag() U'Q't */
    double *e = NULL;
    STJ_TRY(stj_new(&c, inv->rows, b * sizeof *c, err));
    STJ_TRY(stj_new(&e, m, b * sizeof *e, err));
    /* c = Q't, summed over the ranks. */
    stj_dgemm(STJ_BLAS_TRANS, STJ_BLAS_NO_TRANS, inv->rows, b, n, 1, inv->krylov.q, ld, t, ld, 0, c,
              inv->rows);
    stj_rows_allreduce_sum(&inv->krylov.rows, inv->rows * b, c);
    /* t <- (I - Q Q') t / (1 + d^2) */
    stj_dgemm(STJ_BLAS_NO_TRANS, STJ_BLAS_NO_TRANS, n, b, inv->rows, -1 / (1 + d2), inv->krylov.q,
              ld, c, inv->rows, 1 / (1 + d2), t, ld);
    /* c <- Z diag(s / (s^2 + d^2)) U'c */
    stj_dgemm(STJ_BLAS_TRANS, STJ_BLAS_NO_TRANS, m, b, inv->rows, 1, inv->u, inv->rows, c,
              inv->rows, 0, e, m);
    for (size_t j = 0; j < b; j++)
        for (size_t i = 0; i < m; i++)
            e[j * m + i] *= inv->sigma[i] / (inv->sigma[i] * inv->sigma[i] + d2);
    stj_dgemm(STJ_BLAS_TRANS, STJ_BLAS_NO_TRANS, m, b, m, 1, inv->zt, m, e, m, 0, c, m);
    /* t += Q_m c */
    stj_dgemm(STJ_BLAS_NO_TRANS, STJ_BLAS_NO_TRANS, n, b, m, 1, inv->krylov.q, ld, c, m, 1, t, ld);
out:
    free(c);
    free(e);
    return st;
}

/* The growing subspace S with A S = C R. */
struct space {
    struct stj_rows rows;
    size_t p, room;
    double *s, *c;  /* rows.count x room, orthonormal columns */
    double *r;      /* room x room, upper triangular */
    double *sigma;  /* [p] of R, descending */
    double *u, *zt; /* R = U diag(sigma) Z', p x p */
    struct stj_rng *rng;
};

static void space_free(struct space *space)
{
    free(space->s);
    free(space->c);
    free(space->r);
    free(space->sigma);
    free(space->u);
    free(space->zt);
    stj_rng_destroy(space->rng);
}

static enum stj_status space_init(struct space *space, size_t n, size_t room, uint64_t seed,
                                  struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    *space = (struct space){.rows = stj_rows_of(n), .room = room};
    STJ_TRY(stj_new(&space->s, room, space->rows.count * sizeof *space->s, err));
    STJ_TRY(stj_new(&space->c, room, space->rows.count * sizeof *space->c, err));
    STJ_TRY(stj_new(&space->r, room, room * sizeof *space->r, err));
    STJ_TRY(stj_new(&space->sigma, room, sizeof *space->sigma, err));
    STJ_TRY(stj_new(&space->u, room, room * sizeof *space->u, err));
    STJ_TRY(stj_new(&space->zt, room, room * sizeof *space->zt, err));
    STJ_TRY(stj_rng_create(seed, STJ_STREAM_START, 3, &space->rng, err));
out:
    return st;
}

/* Columns p .. p + b - 1 of s hold new vectors: orthonormalise, multiply, extend R and its SVD. */
static enum stj_status space_extend(struct space *space, struct stj_op *a, size_t b,
                                    struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const size_t n = space->rows.count;
    const size_t p = space->p;
    double *s = space->s + p * n;
    double *c = space->c + p * n;
    double *copy = NULL;
    STJ_TRY(stj_new(&copy, space->room, space->room * sizeof *copy, err));
    /* S grows by what is new of the vectors, */
    STJ_TRY(stj_orthogonalize(&space->rows, p, space->s, b, s, copy, p + b, space->rng, err));
    /* C and R by their products: A S = C R, */
    STJ_TRY(stj_rows_apply(a, STJ_NO_TRANS, b, s, c, err));
    STJ_TRY(stj_orthogonalize(&space->rows, p, space->c, b, c, space->r + p * space->room,
                              space->room, space->rng, err));
    space->p = p + b;
    /* and R = U diag(sigma) Z' has the bounds. */
    for (size_t j = 0; j < space->p; j++)
        memcpy(copy + j * space->p, space->r + j * space->room, space->p * sizeof *copy);
    STJ_TRY(stj_gesdd(space->p, space->p, copy, space->p, space->sigma, space->u, space->zt, err));
out:
    free(copy);
    return st;
}

/* The i-th smallest bound, i from 0. */
static double space_bound(const struct space *space, size_t i)
{
    return space->sigma[space->p - 1 - i];
}

/* out (a block of k) <- basis times the k last columns of w, smallest first; w is p x p, transposed
 * as stored when it is Z'. */
static void space_smallest(const struct space *space, const double *basis, const double *w,
                           bool transposed, size_t k, bool scale, double *coefficients, double *out)
{
    const size_t p = space->p;
    const size_t ld = stj_rows_ld(&space->rows);
    for (size_t j = 0; j < k; j++)
        for (size_t i = 0; i < p; i++) {
            const double x = transposed ? w[i * p + p - 1 - j] : w[(p - 1 - j) * p + i];
            coefficients[j * p + i] = scale ? space_bound(space, j) * x : x;
        }
    stj_dgemm(STJ_BLAS_NO_TRANS, STJ_BLAS_NO_TRANS, space->rows.count, k, p, 1, basis, ld,
              coefficients, p, 0, out, ld);
}

/* The bounds so far; their residuals need A'. */
static enum stj_status arnoldi_show(const struct space *space, size_t k, double floor,
                                    const struct stj_svd_budget *budget, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const struct stj_svd_monitor *monitor = &budget->settings->monitor;
    struct stj_svd_view view = {.bottom = true, .applications = stj_svd_used(budget), .wanted = k};
    double *sigma = NULL;
    if (!monitor->fn)
        goto out;
    view.k = k < space->p ? k : space->p;
    STJ_TRY(stj_new(&sigma, view.k, sizeof *sigma, err));
    for (size_t i = 0; i < view.k; i++) {
        sigma[i] = space_bound(space, i);
        view.converged += sigma[i] <= floor;
    }
    view.sigma = sigma;
    monitor->fn(monitor->ctx, &view);
out:
    free(sigma);
    return st;
}

/* What a growing basis was like when it was last looked at. */
struct look {
    size_t m, next;
    double f;
    int flat; /* looks running at which it hardly fell */
};

/* Has the basis come to where more vectors do not help? */
static enum stj_status look_at_basis(const struct stj_krylov *krylov, size_t k, struct look *look,
                                     struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const size_t m = krylov->m;
    const size_t rows = m + krylov->b;
    double *h = NULL;
    double *sigma = NULL;
    double f = 0;
    STJ_TRY(stj_new(&h, rows, m * sizeof *h, err));
    STJ_TRY(stj_new(&sigma, m, sizeof *sigma, err));
    for (size_t j = 0; j < m; j++)
        memcpy(h + j * rows, krylov->h + j * krylov->ldh, rows * sizeof *h);
    STJ_TRY(stj_gesdd(rows, m, h, rows, sigma, NULL, NULL, err));
    for (size_t i = 0; i < k; i++)
        f += log10(fmax(sigma[m - 1 - i], 1e-7 * sigma[0])) / (double)k;
    const bool fell =
        look->m == 0 || (look->f - f) / log((double)m / (double)look->m) >= least_slope;
    look->flat = fell ? 0 : look->flat + 1;
    look->m = m;
    look->f = f;
    look->next = (size_t)ceil(look_growth * (double)m);
out:
    free(h);
    free(sigma);
    return st;
}

static enum stj_status factor_window(struct stj_op *a, const struct stj_svd_budget *budget,
                                     const struct arnoldi_plan *plan, struct inverse *inv,
                                     struct stj_svd_basis *basis, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct stj_op *window = NULL;
    struct stj_op *b = a;
    const size_t n = stj_op_n_cols(a);
    struct look look = {.next = 2 * plan->p};
    if (plan->fraction < 1) {
        STJ_TRY(stj_op_create_prefix(a, plan->fraction, &window, err));
        b = window;
    }
    const double step = BLOCK * stj_op_cost(b);
    const size_t first = plan->adaptive && plan->m > FIRST ? FIRST : plan->m;
    const double rest = (double)(plan->p + plan->k) * stj_op_cost(a);
    STJ_TRY(stj_krylov_init(&inv->krylov, n, BLOCK, first, plan->m, budget->settings->seed,
                            STJ_STREAM_START, 2, err));
    while (inv->krylov.m + BLOCK <= plan->m && look.flat < 2) {
        if (stj_svd_spent(budget, step + rest, basis->products, &basis->stop))
            break;
        STJ_TRY(stj_krylov_step(&inv->krylov, b, err));
        basis->products += step;
        if (plan->adaptive && inv->krylov.m >= look.next)
            STJ_TRY(look_at_basis(&inv->krylov, plan->k, &look, err));
    }
out:
    stj_op_destroy(window);
    return st;
}

/* Known vectors are the first seeds: by Courant-Fischer no bound is larger than theirs.  How
 * many. */
static size_t plant_known(const struct stj_pairs *known, size_t p, struct space *space)
{
    const size_t k = !known ? 0 : known->k < p ? known->k : p;
    if (k > 0)
        stj_rows_cut(&space->rows, k, known->v, space->s);
    return k;
}

/* The seeds from number `first` on, and the products of all. */
static enum stj_status plant_seeds(struct stj_op *a, const struct inverse *inv, size_t first,
                                   size_t all, struct space *space, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const size_t m = inv->m;
    const size_t p = all - first;
    const size_t ld = stj_rows_ld(&space->rows);
    double *y = NULL;
    STJ_TRY(stj_new(&y, m, p * sizeof *y, err));
    for (size_t j = 0; j < p; j++)
        for (size_t i = 0; i < m; i++)
            y[j * m + i] = inv->zt[i * m + m - 1 - j];
    stj_dgemm(STJ_BLAS_NO_TRANS, STJ_BLAS_NO_TRANS, space->rows.count, p, m, 1, inv->krylov.q, ld,
              y, m, 0, space->s + first * space->rows.count, ld);
    STJ_TRY(space_extend(space, a, all, err));
out:
    free(y);
    return st;
}

static enum stj_status arnoldi_correct(struct stj_op *a, const struct stj_svd_budget *budget,
                                       const struct arnoldi_plan *plan, const struct inverse *inv,
                                       struct space *space, struct stj_svd_basis *basis,
                                       struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const size_t k = plan->k;
    const double cost = stj_op_cost(a);
    const double floor = stj_op_rounding(a) * inv->sigma[0];
    const size_t n = space->rows.count;
    double *coefficients = NULL;
    double *length = NULL;
    STJ_TRY(stj_new(&coefficients, space->room, k * sizeof *coefficients, err));
    STJ_TRY(stj_new(&length, k, sizeof *length, err));
    basis->stop = STJ_STOP_MAX_APPLICATIONS;
    STJ_TRY(arnoldi_show(space, k, floor, budget, err));
    while (space->p + k <= space->room && basis->products + 2 * (double)k * cost <= plan->total) {
        if (space_bound(space, k - 1) <= floor) {
            basis->stop = STJ_STOP_FLOOR;
            break;
        }
        if (stj_svd_spent(budget, 2 * (double)k * cost, basis->products, &basis->stop))
            break;
        double *t = space->s + space->p * n;
        /* A v = C R y of the k smallest, */
        space_smallest(space, space->c, space->u, false, k, true, coefficients, t);
        stj_rows_norms(&space->rows, k, t, n, length);
        for (size_t j = 0; j < k; j++) /* the directions matter, not the lengths */
            if (length[j] > 0)
                stj_scal(n, 1 / length[j], t + j * n);
        /* t = P A v into S. */
        const double before = space_bound(space, k - 1);
        STJ_TRY(inverse_apply(inv, k, t, err));
        STJ_TRY(space_extend(space, a, k, err));
        basis->products += (double)k * cost;
        STJ_TRY(arnoldi_show(space, k, floor, budget, err));
        if (plan->adaptive && budget->settings->max_applications == 0 &&
            space_bound(space, k - 1) > least_gain * before) {
            basis->stop = STJ_STOP_INCOMPLETE;
            break;
        }
    }
out:
    free(coefficients);
    free(length);
    return st;
}

/* basis->v and ->u, whole, <- the k smallest directions of the space, smallest first; s and c are
 * given back. */
static enum stj_status space_take_smallest(struct space *space, size_t k,
                                           struct stj_svd_basis *basis, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const size_t n = space->rows.count;
    double *coefficients = NULL;
    STJ_TRY(stj_new(&coefficients, space->p, k * sizeof *coefficients, err));
    STJ_TRY(stj_new(&basis->v, n, k * sizeof *basis->v, err));
    STJ_TRY(stj_new(&basis->u, n, k * sizeof *basis->u, err));
    STJ_TRY(stj_new(&basis->sigma, k, sizeof *basis->sigma, err));
    space_smallest(space, space->s, space->zt, true, k, false, coefficients, basis->v);
    space_smallest(space, space->c, space->u, false, k, false, coefficients, basis->u);
    free(space->s);
    free(space->c);
    space->s = space->c = NULL;
    STJ_TRY(stj_rows_complete(&space->rows, k, &basis->v, err));
    STJ_TRY(stj_rows_complete(&space->rows, k, &basis->u, err));
    for (size_t i = 0; i < k; i++)
        basis->sigma[i] = space_bound(space, i);
    basis->k = k;
out:
    free(coefficients);
    return st;
}

static enum stj_status arnoldi_bottom(struct stj_op *a, const struct stj_svd_budget *budget,
                                      struct stj_svd_basis *basis, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const size_t n = stj_op_n_cols(a);
    const struct arnoldi_plan plan =
        arnoldi_make_plan(budget->settings, n, stj_rows_share(n, stj_n_ranks()), stj_op_cost(a),
                          stj_op_shortest_prefix(a), stj_svd_used(budget));
    struct inverse inv = {0};
    struct space space = {0};
    const bool by_itself = plan.adaptive && budget->settings->max_applications == 0;
    const size_t most = plan.p + (by_itself ? plan.corrections + 1 : 4 * CORRECTIONS) * plan.k;
    basis->stop = STJ_STOP_MAX_APPLICATIONS;
    if (plan.k == 0)
        goto out;
    /* Step 1: B Q_m = Q_{m+b} H on the window. */
    STJ_TRY(factor_window(a, budget, &plan, &inv, basis, err));
    basis->ncv = inv.krylov.m;
    if (basis->stop == STJ_STOP_INTERRUPTED)
        goto out;
    const double left = plan.total - basis->products;
    size_t room = plan.p + (left > 0 ? (size_t)(left / stj_op_cost(a)) : 0);
    room = room < n ? room : n;
    room = room < most ? room : most;
    STJ_TRY(space_init(&space, n, room, budget->settings->seed, err));
    basis->products += (double)plan.p * stj_op_cost(a);
    const size_t known = plant_known(budget->settings->known_bottom, plan.p, &space);
    if (inv.krylov.m < plan.p) { /* too short for seeds: any directions, which are bounds too */
        stj_rows_fill_normal(&space.rows, space.rng, plan.p - known,
                             space.s + known * space.rows.count);
        STJ_TRY(space_extend(&space, a, plan.p, err));
        basis->sigma_1 = space.sigma[0];
    } else {
        /* Step 2: H = U diag(s) Z', the seeds Q_m Z_p, and A S = C R. */
        STJ_TRY(inverse_factor(&inv, plan.k, err));
        STJ_TRY(plant_seeds(a, &inv, known, plan.p, &space, err));
        /* Step 3, while the budget lasts. */
        STJ_TRY(arnoldi_correct(a, budget, &plan, &inv, &space, basis, err));
        basis->sigma_1 = inv.sigma[0];
    }
    inverse_free(&inv);
    inv = (struct inverse){0};
    /* The bounds: S and C with the smallest pairs of R. */
    STJ_TRY(space_take_smallest(&space, plan.k, basis, err));
out:
    space_free(&space);
    inverse_free(&inv);
    return st;
}

/* With P ranks n (m + 2 p') / P + 2 n p numbers, the last term where they divide rows, and 3
 * m^2. */
static enum stj_status arnoldi_predict(const struct stj_svd_settings *s, size_t m, size_t n,
                                       bool bottom, struct stj_prediction *p, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    (void)bottom;
    STJ_CHECK(
        err, m == n && n >= 2 * s->bottom + BLOCK, STJ_EINVAL,
        "arnoldi needs a square operator with at least 2 bottom + 4 = %zu columns, this one is "
        "%zu x %zu: use method dense",
        2 * s->bottom + BLOCK, m, n);
    const struct arnoldi_plan plan =
        arnoldi_make_plan(s, n, stj_predict_rows(p, n), 1, p->shortest, p->used);
    const double rows = (double)stj_predict_rows(p, n) * sizeof(double);
    const double vectors = plan.adaptive ? fmin((double)plan.m, LIKELY) : (double)plan.m;
    const double rest = plan.total - (double)plan.m * plan.fraction;
    const double whole =
        stj_predict_divides(p, n) ? 2 * (double)plan.p * (double)n * sizeof(double) : 0;
    stj_predict_products(p, vectors * plan.fraction, 0, BLOCK);
    stj_predict_products(p, rest, 0, s->bottom);
    stj_predict_phase(
        p, (vectors + 2 * (rest + (double)plan.p)) * rows + whole + 24 * vectors * vectors, BLOCK);
    if (plan.adaptive) /* as it grows by half, what was there before is still there */
        stj_predict_phase(p, 1.7 * vectors * rows, BLOCK);
    p->vector_bytes += vectors * vectors * rows;
    stj_predict_svd(p, vectors);
    stj_predict_method(p, "arnoldi, %s%zu vectors on %.0f %% of the steps",
                       plan.adaptive ? "at most " : "", plan.m, 100 * plan.fraction);
out:
    return st;
}

const struct stj_svd_method stj_svd_arnoldi = {
    .info = {.name = "arnoldi",
             .doc =
                 "smallest only: block Arnoldi on an early window of the steps, corrected on all"},
    .bottom = arnoldi_bottom,
    .predict = arnoldi_predict,
};
