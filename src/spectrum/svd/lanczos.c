/* SPDX-License-Identifier: GPL-3.0-or-later */
/* spectrum/svd/lanczos.c: the largest singular vectors by block Lanczos bidiagonalisation.
 *
 * Method: Golub, Luk and Overton (1981), with thick restarts (Baglama and Reichel 2005), both bases
 * orthogonalised in full.  V has one block of b columns more than U:
 *
 *     1. a random block V_1
 *     2. A V_j = U_1..j T_j, and A'U_j = V_1..j+1 [T'; S]: b products with A and b with A'
 *     3. T = P diag(sigma) Q' now and then: v = V q and u = U p have A v = sigma u, and
 *        |A'u - sigma v| = |S p_last|, p_last the last b components of p
 *     4. ncv columns are full: V <- [V Q_k, V_j+1], U <- U P_k, T <- diag(sigma_1 .. sigma_k)
 *     5. the pairs, with u and sigma: finishing takes products with A' alone
 *
 * Two vectors are multiplied together where one alone leaves threads waiting for each other, and of
 * a value that repeats as many directions are seen as a block has columns; one start vector sees
 * one.  A and A' are never squared, so small values are found as well as large ones.
 *
 * Cost: about 19 (b - 1) products with A'A more than b = 1, and k instead of 2 k to finish; memory
 * ncv + b right vectors and ncv left ones, divided by rows among the ranks, and 5 ncv^2.  It finds
 * copies of a value beyond b by rounding alone (spectrum/svd/missing.c finds the others).
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/blas.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/rng.h"
#include "op/operator.h"
#include "spectrum/orthogonalize.h"
#include "spectrum/rows.h"
#include "spectrum/svd/svd_method.h"

enum {
    DEFAULT_BLOCK = 2,
    MOST_RESTARTS = 10000, /* budgets end a solve, not this */
    SHOW_EVERY = 10,       /* products */
    TURN_ROWS = 256        /* of a basis, that are multiplied at a time */
};

static size_t block_of(const struct stj_svd_settings *s)
{
    return s->block ? s->block : DEFAULT_BLOCK;
}

/* Columns of a basis for `top` pairs, whole blocks: room for a restart to lose little. */
static size_t columns_of(const struct stj_svd_settings *s, size_t m, size_t n)
{
    const size_t b = block_of(s), least = m < n ? m : n;
    const size_t ncv = s->ncv ? s->ncv : s->top + (s->top > 15 ? 2 * s->top : 30) + 4 * b;
    const size_t most = least > b ? least - b : 0;
    return (ncv < most ? ncv : most) / b * b;
}

struct lanczos {
    struct stj_rows right, left; /* of a v and a u */
    size_t b, ncv, m;            /* m columns of U so far */
    double *v, *u;               /* [ncv + b] and [ncv] columns */
    double *t;                   /* A V = U T, leading dimension ncv */
    double *h;                   /* [ncv + b][b]: A'U_j = V h, S its last rows */
    double *copy, *p, *qt;       /* ncv x ncv: of the decomposition of T */
    double *sigma, *residual;    /* [ncv] */
    struct stj_rng *rng;
};

static void lanczos_free(struct lanczos *w)
{
    free(w->v);
    free(w->u);
    free(w->t);
    free(w->h);
    free(w->copy);
    free(w->p);
    free(w->qt);
    free(w->sigma);
    free(w->residual);
    stj_rng_destroy(w->rng);
}

/* Memory, and step 1. */
static enum stj_status lanczos_init(struct lanczos *w, const struct stj_op *a,
                                    const struct stj_svd_settings *s, struct stj_error *err)
{
    const size_t m = stj_op_n_rows(a), n = stj_op_n_cols(a);
    *w = (struct lanczos){.right = stj_rows_of(n), .left = stj_rows_of(m), .b = block_of(s)};
    const size_t ncv = w->ncv = columns_of(s, m, n);
    STJ_MUST(stj_blas_fits(m > n ? m : n, "the larger dimension of the operator", err));
    STJ_MUST(stj_blas_fits(8 * ncv * ncv, "the work space of the small decomposition", err));
    STJ_MUST(stj_new(&w->v, ncv + w->b, stj_rows_ld(&w->right) * sizeof *w->v, err));
    STJ_MUST(stj_new(&w->u, ncv, stj_rows_ld(&w->left) * sizeof *w->u, err));
    STJ_MUST(stj_new(&w->t, ncv, ncv * sizeof *w->t, err));
    STJ_MUST(stj_new(&w->h, ncv + w->b, w->b * sizeof *w->h, err));
    STJ_MUST(stj_new(&w->copy, ncv, ncv * sizeof *w->copy, err));
    STJ_MUST(stj_new(&w->p, ncv, ncv * sizeof *w->p, err));
    STJ_MUST(stj_new(&w->qt, ncv, ncv * sizeof *w->qt, err));
    STJ_MUST(stj_new(&w->sigma, ncv, sizeof *w->sigma, err));
    STJ_MUST(stj_new(&w->residual, ncv, sizeof *w->residual, err));
    STJ_MUST(stj_rng_create(s->seed, STJ_STREAM_START, 0, &w->rng, err));
    stj_rows_fill_normal(&w->right, w->rng, w->b, w->v);
    return stj_orthogonalize(&w->right, 0, w->v, w->b, w->v, w->h, w->b, w->rng, err);
}

/* Step 2. */
static enum stj_status lanczos_step(struct lanczos *w, struct stj_op *a, struct stj_error *err)
{
    const size_t b = w->b, m = w->m;
    double *u = w->u + m * w->left.count;
    double *v = w->v + m * w->right.count, *next = v + b * w->right.count;
    STJ_MUST(stj_rows_apply(a, STJ_NO_TRANS, b, v, u, err));
    STJ_MUST(stj_orthogonalize(&w->left, m, w->u, b, u, w->t + m * w->ncv, w->ncv, w->rng, err));
    STJ_MUST(stj_rows_apply(a, STJ_TRANS, b, u, next, err));
    STJ_MUST(stj_orthogonalize(&w->right, m + b, w->v, b, next, w->h, m + 2 * b, w->rng, err));
    w->m += b;
    return STJ_OK;
}

/* Step 3: sigma, p, qt and residual. */
static enum stj_status lanczos_decompose(struct lanczos *w, struct stj_error *err)
{
    const size_t m = w->m, b = w->b;
    for (size_t j = 0; j < m; j++)
        memcpy(w->copy + j * m, w->t + j * w->ncv, m * sizeof *w->copy);
    STJ_MUST(stj_gesdd(m, m, w->copy, m, w->sigma, w->p, w->qt, err));
    /* S is m rows down in h, whose columns have m + b. */
    stj_dgemm(STJ_BLAS_NO_TRANS, STJ_BLAS_NO_TRANS, b, m, b, 1, w->h + m, m + b, w->p + m - b, m, 0,
              w->copy, b);
    for (size_t j = 0; j < m; j++)
        w->residual[j] = stj_nrm2(b, w->copy + j * b);
    return STJ_OK;
}

/* The first k columns of x (rows x m) <- x C, or x C' (C stored m x m), in place. */
static enum stj_status turn(const struct stj_rows *rows, size_t m, size_t k, double *x,
                            const double *c, bool transposed, struct stj_error *err)
{
    const size_t ld = stj_rows_ld(rows);
    STJ_FREED double *work = NULL;
    STJ_MUST(stj_new(&work, TURN_ROWS, k * sizeof *work, err));
    for (size_t first = 0; first < rows->count; first += TURN_ROWS) {
        const size_t n = rows->count - first < TURN_ROWS ? rows->count - first : TURN_ROWS;
        stj_dgemm(STJ_BLAS_NO_TRANS, transposed ? STJ_BLAS_TRANS : STJ_BLAS_NO_TRANS, n, k, m, 1,
                  x + first, ld, c, m, 0, work, n);
        for (size_t j = 0; j < k; j++)
            memcpy(x + j * ld + first, work + j * n, n * sizeof *x);
    }
    return STJ_OK;
}

/* Step 4; what was decomposed is all columns. */
static enum stj_status lanczos_restart(struct lanczos *w, size_t top, struct stj_error *err)
{
    const size_t b = w->b, m = w->m, n = w->right.count;
    const size_t half = top + (m - top) / 2;
    const size_t k = half + b <= m ? half : m - b;
    STJ_MUST(turn(&w->right, m, k, w->v, w->qt, true, err));
    STJ_MUST(turn(&w->left, m, k, w->u, w->p, false, err));
    memmove(w->v + k * n, w->v + m * n, b * n * sizeof *w->v);
    memset(w->t, 0, w->ncv * w->ncv * sizeof *w->t);
    for (size_t j = 0; j < k; j++)
        w->t[j * w->ncv + j] = w->sigma[j];
    w->m = k;
    return STJ_OK;
}

/* Step 5: the first k pairs of what was decomposed. */
static enum stj_status lanczos_extract(struct lanczos *w, size_t k, struct stj_svd_basis *basis,
                                       struct stj_error *err)
{
    const size_t m = w->m;
    k = k < m ? k : m;
    if (k == 0)
        return STJ_OK;
    STJ_MUST(turn(&w->right, m, k, w->v, w->qt, true, err));
    STJ_MUST(turn(&w->left, m, k, w->u, w->p, false, err));
    STJ_MUST(stj_resize(&w->v, k, k, stj_rows_ld(&w->right) * sizeof *w->v, err));
    STJ_MUST(stj_resize(&w->u, k, k, stj_rows_ld(&w->left) * sizeof *w->u, err));
    STJ_MUST(stj_rows_complete(&w->right, k, &w->v, err));
    STJ_MUST(stj_rows_complete(&w->left, k, &w->u, err));
    STJ_MUST(stj_new(&basis->ritz, k, sizeof *basis->ritz, err));
    memcpy(basis->ritz, w->sigma, k * sizeof *basis->ritz);
    basis->k = k;
    basis->v = w->v;
    basis->u = w->u;
    basis->sigma = w->sigma;
    w->v = w->u = w->sigma = NULL;
    return STJ_OK;
}

/* Pairs that a spent budget pays for, at `each` products to finish one. */
static size_t affordable(const struct stj_svd_budget *budget, double each)
{
    const double left = budget->settings->max_applications - stj_svd_used(budget);
    const size_t top = budget->settings->top;
    if (budget->settings->max_applications == 0 || left >= each * (double)top)
        return top;
    return left > 0 ? (size_t)(left / each) : 0;
}

/* Steps 2 to 4, until *end, or what basis says. */
static enum stj_status lanczos_iterate(struct lanczos *w, struct stj_op *a,
                                       const struct stj_svd_budget *budget,
                                       struct stj_svd_basis *basis, struct stj_svd_end *end,
                                       struct stj_error *err)
{
    const struct stj_svd_settings *s = budget->settings;
    const double each = budget->found > 0 ? 2 : 1; /* known pairs are finished with these */
    const double finish = fmin(each * (double)s->top, s->max_applications / 2);
    const struct stj_svd_ritz seen = {.sigma = w->sigma, .residual = w->residual};
    double next_look = (double)s->top, next_show = SHOW_EVERY;
    for (size_t restarts = 0; !end->ended;) {
        basis->abandoned = budget->abandon > 0 && stj_svd_used(budget) >= budget->abandon;
        if (basis->abandoned)
            return STJ_OK;
        if (stj_svd_spent(budget, 2 * (double)w->b + finish, &basis->stop)) {
            end->pairs = affordable(budget, each);
            return w->m > 0 ? lanczos_decompose(w, err) : STJ_OK;
        }
        STJ_MUST(lanczos_step(w, a, err));
        basis->products += (double)w->b;
        const bool full = w->m + w->b > w->ncv, shows = basis->products >= next_show;
        if (!full && !shows && basis->products < next_look)
            continue;
        /* A decomposition is worth a look more seldom as the basis grows. */
        next_look = 1.02 * basis->products;
        next_show = shows ? 1.05 * basis->products + SHOW_EVERY : next_show;
        STJ_MUST(lanczos_decompose(w, err));
        struct stj_svd_ritz now = seen;
        now.j = w->m;
        now.spare = budget->found > 0 ? 10 : 2;
        STJ_MUST(stj_svd_ritz_look(budget, &now, shows, end, err));
        STJ_NEED(err, end->ended || !full || ++restarts < MOST_RESTARTS, STJ_ENUMERIC,
                 "lanczos: the limit of %d restarts was reached; raise tol or ncv", MOST_RESTARTS);
        if (!end->ended && full)
            STJ_MUST(lanczos_restart(w, s->top, err));
    }
    basis->stop = w->sigma[0] > 0 ? STJ_STOP_CONVERGED : STJ_STOP_INVARIANT_SUBSPACE;
    return STJ_OK;
}

static enum stj_status lanczos_top(struct stj_op *a, const struct stj_svd_budget *budget,
                                   struct stj_svd_basis *basis, struct stj_error *err)
{
    STJ_HELD(lanczos_free) struct lanczos w = {0};
    struct stj_svd_end end = {.ended = false};
    STJ_MUST(lanczos_init(&w, a, budget->settings, err));
    basis->ncv = w.ncv;
    STJ_MUST(lanczos_iterate(&w, a, budget, basis, &end, err));
    if (basis->abandoned || basis->stop == STJ_STOP_INTERRUPTED)
        return STJ_OK;
    STJ_MUST(lanczos_extract(&w, end.pairs, basis, err));
    basis->sound = end.sound < basis->k ? end.sound : basis->k;
    return STJ_OK;
}

static enum stj_status lanczos_predict(const struct stj_svd_settings *s, size_t m, size_t n,
                                       bool bottom, struct stj_prediction *p, struct stj_error *err)
{
    enum { SQUARES = 5 };
    const size_t b = block_of(s), ncv = columns_of(s, m, n);
    const double right = (double)stj_predict_rows(p, n) * sizeof(double);
    const double left = (double)stj_predict_rows(p, m) * sizeof(double);
    const double whole = stj_predict_divides(p, n) || stj_predict_divides(p, m)
                             ? 2 * (double)b * (double)(m + n) * sizeof(double)
                             : 0;
    const double products = ceil(stj_svd_likely_products(s, n, b) / (double)b) * (double)b;
    (void)bottom;
    STJ_NEED(err, ncv >= s->top + 2 * b, STJ_EINVAL,
             "lanczos with blocks of %zu needs top + %zu <= ncv <= %zu, top is %zu, ncv %zu: use "
             "method dense, or another ncv",
             b, 2 * b, (m < n ? m : n) > b ? (m < n ? m : n) - b : 0, s->top, ncv);
    stj_predict_products(p, products, products, b);
    stj_predict_phase(p,
                      (double)(ncv + b) * right + (double)ncv * left + whole +
                          SQUARES * sizeof(double) * (double)ncv * (double)ncv,
                      b);
    p->vector_bytes += products * (double)ncv * (right + left) / (double)b;
    stj_predict_method(p, "lanczos, ncv %zu, blocks of %zu", ncv, b);
    return STJ_OK;
}

const struct stj_svd_method stj_svd_lanczos = {
    .info = {.name = "lanczos", .doc = "block Lanczos bidiagonalisation with thick restarts"},
    .top = lanczos_top,
    .predict = lanczos_predict,
    .left = true,
    .spacious = true,
};
