/* SPDX-License-Identifier: GPL-3.0-or-later */
/* spectrum/svd/top.c: the largest singular values: known pairs, finishing, completing, thresholds.
 *
 *     1. the leading known pairs that are good enough are taken out
 *     2. the method, named or cheapest, finds a basis of the rest
 *     3. both are finished together: QR, products, SVD, residuals (spectrum/svd/finish.c)
 *     4. a look outside; while a value is missing, one more solve from another start
 *     5. residuals against what the method claimed
 *
 * All above a threshold are found by asking for as many as there are likely to be, and for more
 * until the smallest one found lies below it.  A larger request begins as the smaller one did, so
 * with a journal its first products cost nothing.
 *
 * Pairs V that are known are taken out: the method works on A (I - V V'), and what it finds there
 * is finished together with V.  Of a known pair A'A v = sigma^2 v + sigma r with |r| its residual,
 * so what it finds is as good: V sees of a new v no more than the residuals of V, and the finishing
 * rotates that away.
 */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "parallel/ranks.h"
#include "op/operator.h"
#include "spectrum/orthogonalize.h"
#include "spectrum/svd/svd_method.h"

enum { NEW_STARTS = 3 };

const char stj_svd_all_known[] = "known"; /* the method where nothing is left to find */

/* A method that says it converged has |A'A v - lambda v| <= tol lambda for every pair, so |A'u -
 * sigma v| <= tol sigma, and Rayleigh-Ritz among k such pairs mixes them by no more than sqrt(k) of
 * it; a space of A'A is known to eps sigma_1^2, which its left vectors divide by sigma.  The
 * factors are for what the norms of products with rounding leave out, and are far below what an
 * operator that is wrong shows. */
static double measure_excess(const struct stj_op *a, double tol, const struct stj_pairs *p)
{
    enum { BEYOND_TOL = 10, BEYOND_ROUNDING = 1000 };
    double worst = 0;
    for (size_t i = 0; i < p->k; i++) {
        const double rounding = stj_op_rounding(a) * p->sigma[0];
        const double limit = BEYOND_TOL * sqrt((double)p->k) * tol * p->sigma[0] +
                             BEYOND_ROUNDING * rounding * (p->sigma[0] / p->sigma[i]);
        if (p->sigma[i] > 0)
            worst = fmax(worst, p->residual[i] / limit);
    }
    return worst;
}

/* The complement of the span of k known right vectors: A (I - V V'), of which A makes the
 * products. */
struct complement {
    struct stj_op *a;
    size_t k;
    const double *v; /* n x k */
};

static enum stj_status complement_apply(void *ctx, enum stj_trans trans, size_t nvec,
                                        const double *x, size_t ldx, double *y, size_t ldy,
                                        struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const struct complement *c = ctx;
    const size_t n = stj_op_n_cols(c->a);
    double *work = NULL;
    double *inside = NULL;
    STJ_TRY(stj_new(&work, c->k, nvec * sizeof *work, err));
    if (trans == STJ_TRANS) { /* (I - V V') A'x */
        STJ_TRY(stj_op_apply(c->a, trans, nvec, x, ldx, y, ldy, err));
        stj_project_out(n, c->k, c->v, nvec, y, ldy, work);
        goto out;
    }
    STJ_TRY(stj_new(&inside, n, nvec * sizeof *inside, err)); /* A (I - V V') x */
    for (size_t j = 0; j < nvec; j++)
        memcpy(inside + j * n, x + j * ldx, n * sizeof *inside);
    stj_project_out(n, c->k, c->v, nvec, inside, n, work);
    STJ_TRY(stj_op_apply(c->a, trans, nvec, inside, n, y, ldy, err));
out:
    free(work);
    free(inside);
    return st;
}

/* r->top <- the span of a basis and of the first k of these pairs, finished together. */
static enum stj_status finish_together(struct stj_op *a, struct stj_svd_basis *basis,
                                       const struct stj_pairs *pairs, size_t k,
                                       struct stj_svd_result *r, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const size_t n = pairs->n_cols;
    const size_t new = basis->k;
    struct stj_pairs both = {0};
    STJ_TRY(stj_resize(&basis->v, n * new, n * (new + k), sizeof *basis->v, err));
    memcpy(basis->v + n * new, pairs->v, n * k * sizeof *basis->v);
    STJ_TRY(stj_svd_finish(a, new + k, &basis->v, &both, err));
    stj_pairs_free(&r->top);
    r->top = both;
out:
    return st;
}

/* The method on the complement of k known pairs, whose finishing is set aside; what is left of the
 * budget may be too little for that, and then the known ones are what there is. */
static enum stj_status find_beyond(struct stj_op *a, const struct stj_svd_budget *budget,
                                   const struct stj_svd_method *method, size_t k,
                                   struct stj_svd_basis *basis, struct stj_svd_result *r,
                                   struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct stj_svd_settings s = *budget->settings;
    struct stj_svd_budget inner = *budget;
    struct complement complement = {a, k, s.known_top->v};
    struct stj_op *op = NULL;
    inner.settings = &s;
    inner.sigma_1 = s.known_top->sigma[0];
    s.top -= k;
    /* Step 2: what there are products for beside finishing. */
    if (!stj_svd_spent(budget, 2 * (double)k + 4, 0, &basis->stop)) {
        s.max_applications = fmax(s.max_applications - 2 * (double)k, 0);
        STJ_TRY(stj_op_create(stj_op_n_rows(a), stj_op_n_cols(a), complement_apply, NULL,
                              &complement, &op, err));
        stj_op_set_cost(op, stj_op_cost(a));
        stj_op_set_rounding(op, stj_op_rounding(a));
        STJ_TRY(method->top(op, &inner, basis, err));
    }
    /* Step 3. */
    if (basis->k > 0)
        STJ_TRY(finish_together(a, basis, s.known_top, k, r, err));
    else
        STJ_TRY(stj_pairs_copy(s.known_top, k, &r->top, err));
out:
    stj_op_destroy(op);
    return st;
}

/* The `top` largest of the budget's settings. */
static enum stj_status find_largest(struct stj_op *a, const struct stj_svd_budget *budget,
                                    struct stj_svd_result *r, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const struct stj_svd_settings *s = budget->settings;
    const struct stj_svd_method *method = NULL;
    struct stj_svd_basis basis = {0};
    double defect = 0;
    /* Step 1: what need not be found. */
    const size_t known = stj_svd_n_known(s, stj_svd_n_values(a));
    r->method = stj_svd_all_known;
    if (known > 0 && known == s->top)
        return stj_pairs_copy(s->known_top, known, &r->top, err);
    /* Steps 2 and 3: the method, with the pairs taken out or without any. */
    STJ_TRY(stj_svd_choose(a, budget, false, &method, err));
    if (known > 0 && !method->whole) {
        STJ_TRY(find_beyond(a, budget, method, known, &basis, r, err));
    } else {
        STJ_TRY(method->top(a, budget, &basis, err));
        if (basis.sigma)
            STJ_TRY(stj_svd_adopt(a, &basis, &r->top, &defect, err));
        else
            STJ_TRY(stj_svd_finish(a, basis.k, &basis.v, &r->top, err));
    }
    r->floor = defect;
    r->products += basis.products;
    r->ncv = basis.ncv;
    r->method = method->info.name;
    r->stop = basis.stop;
out:
    stj_svd_basis_free(&basis);
    return st;
}

/* Lanczos from one vector sees one direction of a repeated value, and finds the others by rounding
 * alone.  Another start vector sees another direction: the span of both sets of vectors, finished,
 * holds one copy more. */
static enum stj_status add_from_new_start(struct stj_op *a, const struct stj_svd_budget *budget,
                                          uint64_t seed, struct stj_svd_result *r,
                                          struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const size_t k = r->top.k;
    struct stj_svd_settings s = *budget->settings;
    struct stj_svd_budget inner = *budget;
    struct stj_svd_basis basis = {0};
    inner.settings = &s;
    s.top = k;
    s.seed = seed;
    s.tol = fmax(s.tol / 10, DBL_EPSILON); /* the span of both is no better than its worst vector */
    STJ_TRY(stj_svd_arpack.top(a, &inner, &basis, err));
    r->products += basis.products;
    if (basis.stop != STJ_STOP_CONVERGED || basis.k == 0 || k + basis.k > r->top.n_cols) {
        r->stop = basis.stop == STJ_STOP_INTERRUPTED ? basis.stop : r->stop;
        goto out;
    }
    STJ_TRY(finish_together(a, &basis, &r->top, k, r, err));
    r->top.k = k;
out:
    stj_svd_basis_free(&basis);
    return st;
}

/* Look outside of the pairs, and fill in what is seen there, some times over. */
static enum stj_status complete_largest(struct stj_op *a, const struct stj_svd_budget *budget,
                                        struct stj_svd_result *r, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    enum stj_stop stop;
    struct stj_prediction start = {.ranks = 0};
    (void)stj_svd_arpack.predict(budget->settings, stj_op_n_rows(a), stj_op_n_cols(a), false,
                                 &start, NULL);
    const double likely = stj_predicted_applications(&start);
    STJ_TRY(stj_svd_look_outside(a, budget, &r->top, &r->outside, err));
    for (uint64_t i = 1; i <= NEW_STARTS && r->outside.missed > 0; i++) {
        if (stj_svd_spent(budget, likely, r->products, &stop))
            break;
        STJ_TRY(add_from_new_start(a, budget, budget->settings->seed + i, r, err));
        if (r->stop != STJ_STOP_CONVERGED)
            break;
        STJ_TRY(stj_svd_look_outside(a, budget, &r->top, &r->outside, err));
    }
out:
    return st;
}

/* Pairs that are not converged although the iteration says so (copies of a value that another start vector brought):
 * those before them are known, and the rest is looked for again.  *known <- how many are; all: nothing was
 * done. */
static enum stj_status renew_unconverged(struct stj_op *a, const struct stj_svd_budget *budget,
                                         struct stj_svd_result *r, size_t *known,
                                         struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct stj_svd_settings s = *budget->settings;
    struct stj_svd_budget inner = *budget;
    struct stj_pairs held = r->top;
    inner.settings = &s;
    s.top = held.k;
    s.known_top = &held;
    s.seed++;
    *known = stj_svd_n_known(&s, stj_svd_n_values(a));
    if (*known == 0 || *known == held.k || r->stop != STJ_STOP_CONVERGED) {
        *known = held.k; /* nothing is to be done, or nothing to begin from */
        return STJ_OK;
    }
    r->top = (struct stj_pairs){0};
    st = find_largest(a, &inner, r, err);
    stj_pairs_free(&held);
    return st;
}

/* Has the search passed the threshold, or is there nothing beyond? */
static bool passed_above(const struct stj_op *a, const struct stj_svd_result *r)
{
    return r->top.k == stj_svd_n_values(a) || (r->top.k && r->top.sigma[r->top.k - 1] <= r->above);
}

/* Keep the pairs above the threshold, and those that may be. */
static void cut_at_threshold(struct stj_svd_result *r)
{
    struct stj_pairs *p = &r->top;
    while (p->k && p->sigma[p->k - 1] + p->residual[p->k - 1] <= r->above)
        p->k--;
    for (size_t i = 0; i < p->k; i++)
        r->straddling += p->sigma[i] - p->residual[i] <= r->above;
}

static enum stj_status find_above(struct stj_op *a, const struct stj_svd_budget *budget,
                                  struct stj_svd_result *r, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct stj_svd_settings s = *budget->settings;
    struct stj_svd_budget inner = *budget;
    size_t request = 0;
    inner.settings = &s;
    s.top = s.known_top ? s.known_top->k : 0;
    s.top = stj_svd_n_known(&s, stj_svd_n_values(a));
    if (s.top == 0 || s.known_top->sigma[s.top - 1] > s.above) {
        const size_t more = stj_svd_request_more(a, s.top);
        STJ_TRY(stj_svd_request(a, budget, s.above, true, s.count_above, &request, err));
        s.top = request > s.top || s.top == 0 ? request : more;
    }
    STJ_TRY(find_largest(a, &inner, r, err));
    while (r->stop == STJ_STOP_CONVERGED && !passed_above(a, r)) {
        s.top = stj_svd_request_more(a, s.top);
        s.ncv = 0;
        stj_pairs_free(&r->top);
        STJ_TRY(find_largest(a, &inner, r, err));
    }
    const bool all = passed_above(a, r);
    cut_at_threshold(r);
    r->requested = all ? r->top.k : s.top;
out:
    return st;
}

enum stj_status stj_svd_solve_top(struct stj_op *a, const struct stj_svd_budget *budget,
                                  struct stj_svd_result *r, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const struct stj_svd_settings *s = budget->settings;
    r->above = s->above;
    STJ_TRY(s->above > 0 ? find_above(a, budget, r, err) : find_largest(a, budget, r, err));
    const bool final = r->method == stj_svd_lapack.info.name || r->method == stj_svd_all_known;
    /* Step 4: a whole decomposition misses nothing, known pairs were looked after before. */
    if (!final && r->stop == STJ_STOP_CONVERGED)
        STJ_TRY(complete_largest(a, budget, r, err));
    for (size_t i = 0, k = 0; !final && s->above == 0 && i < NEW_STARTS && k < r->top.k; i++) {
        STJ_TRY(renew_unconverged(a, budget, r, &k, err));
        if (k < r->top.k && r->stop == STJ_STOP_CONVERGED)
            STJ_TRY(complete_largest(a, budget, r, err));
    }
    /* Step 5: is it the operator that the iteration saw? */
    if (r->method != stj_svd_all_known && r->stop == STJ_STOP_CONVERGED)
        r->residual_excess = measure_excess(a, s->tol, &r->top);
    r->sigma_1 = r->top.k ? r->top.sigma[0] : 0;
    for (size_t i = 0; i < r->top.k; i++)
        r->converged += r->top.residual[i] <= s->tol * r->sigma_1;
out:
    return st;
}
