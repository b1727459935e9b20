/* SPDX-License-Identifier: GPL-3.0-or-later */
/* spectrum/svd/top.c: the largest singular values: known pairs, finishing, completing, thresholds.
 *
 *     1. the leading known pairs that are good enough are taken out
 *     2. the method, named or cheapest, finds a basis of the rest
 *     3. both are finished together: QR, products, SVD, residuals (spectrum/svd/finish.c)
 *     4. what is missing is found (spectrum/svd/missing.c)
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
 *
 * Where an iteration gets longer than the whole matrix would, and no method was named, the whole
 * matrix is taken: so that costs at most about twice as much.
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

const char stj_svd_all_known[] = "known"; /* the method where nothing is left to find */

/* A method that says it converged has |A'A v - lambda v| <= tol lambda for every pair, so |A'u -
 * sigma v| <= tol sigma, and Rayleigh-Ritz among k such pairs mixes them by no more than sqrt(k) of
 * it; a space of A'A is known to eps sigma_1^2, which its left vectors divide by sigma.  The
 * factors are for what the norms of products with rounding leave out, and are far below what an
 * operator that is wrong shows. */
static double measure_excess(const struct stj_op *a, double tol, size_t claimed,
                             const struct stj_pairs *p)
{
    enum { BEYOND_TOL = 10, BEYOND_ROUNDING = 1000 };
    double worst = 0;
    for (size_t i = 0; i < claimed && i < p->k; i++) {
        const double rounding = stj_op_rounding(a) * p->sigma[0];
        const double limit = BEYOND_TOL * sqrt((double)p->k) * tol * p->sigma[0] +
                             BEYOND_ROUNDING * rounding * (p->sigma[0] / p->sigma[i]);
        if (p->sigma[i] > 0)
            worst = fmax(worst, p->residual[i] / limit);
    }
    return worst;
}

/* r->top <- the span of a basis and of the first k of these pairs, finished together. */
static enum stj_status finish_together(struct stj_op *a, struct stj_svd_basis *basis,
                                       const struct stj_pairs *pairs, size_t k,
                                       struct stj_svd_result *r, struct stj_error *err)
{
    const size_t n = pairs->n_cols;
    const size_t new = basis->k;
    struct stj_pairs both = {0};
    STJ_MUST(stj_resize(&basis->v, n * new, n * (new + k), sizeof *basis->v, err));
    memcpy(basis->v + n * new, pairs->v, n * k * sizeof *basis->v);
    STJ_MUST(stj_svd_finish(a, new + k, &basis->v, &both, err));
    stj_pairs_free(&r->top);
    r->top = both;
    return STJ_OK;
}

/* The method on the complement of k known pairs, whose finishing is set aside; what is left of the
 * budget may be too little for that, and then the known ones are what there is. */
static enum stj_status find_beyond(struct stj_op *a, const struct stj_svd_budget *budget,
                                   const struct stj_svd_method *method, size_t k,
                                   struct stj_svd_basis *basis, struct stj_svd_result *r,
                                   struct stj_error *err)
{
    struct stj_svd_settings s = *budget->settings;
    struct stj_svd_budget inner = *budget;
    STJ_HELD(stj_op_destroy_at) struct stj_op *op = NULL;
    inner.settings = &s;
    inner.sigma_1 = s.known_top->sigma[0];
    inner.found = k;
    s.top -= k;
    /* Step 2: what there are products for beside finishing. */
    if (!stj_svd_spent(budget, 2 * (double)k + 4, &basis->stop)) {
        s.max_applications = fmax(s.max_applications - 2 * (double)k, 0);
        STJ_MUST(stj_svd_complement(a, k, s.known_top->v, 1, &op, err));
        STJ_MUST(method->top(op, &inner, basis, err));
    }
    /* Step 3. */
    if (basis->k > 0)
        STJ_MUST(finish_together(a, basis, s.known_top, k, r, err));
    else
        STJ_MUST(stj_pairs_copy(s.known_top, k, &r->top, err));
    return STJ_OK;
}

/* r->top <- the span of a basis, finished. */
static enum stj_status finish_basis(struct stj_op *a, struct stj_svd_basis *basis,
                                    struct stj_svd_result *r, struct stj_error *err)
{
    return basis->sigma ? stj_svd_adopt(a, basis, &r->top, &r->floor, err)
                        : stj_svd_finish(a, basis->k, &basis->v, &r->top, err);
}

/* r->top <- from the whole matrix, in place of what was found so far. */
static enum stj_status go_dense(struct stj_op *a, const struct stj_svd_budget *budget,
                                struct stj_svd_result *r, struct stj_error *err)
{
    STJ_HELD(stj_svd_basis_free) struct stj_svd_basis basis = {0};
    stj_pairs_free(&r->top);
    STJ_MUST(stj_svd_lapack.top(a, budget, &basis, err));
    STJ_MUST(finish_basis(a, &basis, r, err));
    r->products += basis.products;
    r->ncv = basis.ncv;
    r->method = stj_svd_lapack.info.name;
    r->stop = basis.stop;
    r->residual_excess = measure_excess(a, budget->settings->tol, basis.sound, &r->top);
    return STJ_OK;
}

/* The `top` largest of the budget's settings. */
static enum stj_status find_largest(struct stj_op *a, const struct stj_svd_budget *budget,
                                    struct stj_svd_result *r, struct stj_error *err)
{
    const struct stj_svd_settings *s = budget->settings;
    struct stj_svd_budget inner = *budget;
    const struct stj_svd_method *method = NULL;
    STJ_HELD(stj_svd_basis_free) struct stj_svd_basis basis = {0};
    /* Step 1: what need not be found. */
    const size_t known = stj_svd_n_known(s, stj_svd_n_values(a));
    r->method = stj_svd_all_known;
    if (known > 0 && known == s->top)
        return stj_pairs_copy(s->known_top, known, &r->top, err);
    /* Steps 2 and 3: the method, with the pairs taken out or without any. */
    STJ_MUST(stj_svd_choose(a, budget, false, &method, err));
    inner.abandon = stj_svd_dense_cost(a, budget);
    if (s->max_applications > 0 && 2 * inner.abandon > s->max_applications)
        inner.abandon = 0;
    if (known > 0 && !method->whole) {
        STJ_MUST(find_beyond(a, &inner, method, known, &basis, r, err));
    } else {
        STJ_MUST(method->top(a, &inner, &basis, err));
        if (!basis.abandoned)
            STJ_MUST(finish_basis(a, &basis, r, err));
    }
    r->products += basis.products;
    r->ncv = basis.ncv;
    r->method = method->info.name;
    r->stop = basis.stop;
    /* Step 5: is it the operator that the iteration saw? */
    if (basis.stop == STJ_STOP_CONVERGED && !basis.abandoned)
        r->residual_excess = measure_excess(a, s->tol, known + basis.sound, &r->top);
    if (basis.abandoned)
        STJ_MUST(go_dense(a, budget, r, err));
    return STJ_OK;
}

/* ---- thresholds ---- */

/* Has the search passed the threshold, or is there nothing beyond? */
static bool passed_above(const struct stj_op *a, const struct stj_svd_result *r)
{
    return r->top.k == stj_svd_n_values(a) || (r->top.k && r->top.sigma[r->top.k - 1] <= r->above);
}

static enum stj_status find_above(struct stj_op *a, const struct stj_svd_budget *budget,
                                  struct stj_svd_result *r, struct stj_error *err)
{
    struct stj_svd_settings s = *budget->settings;
    struct stj_svd_budget inner = *budget;
    size_t request = 0;
    inner.settings = &s;
    s.top = s.known_top ? s.known_top->k : 0;
    s.top = stj_svd_n_known(&s, stj_svd_n_values(a));
    if (s.top == 0 || s.known_top->sigma[s.top - 1] > s.above) {
        const size_t more = stj_svd_request_more(a, s.top);
        STJ_MUST(stj_svd_request(a, budget, s.above, true, s.count_above, &request, err));
        s.top = request > s.top || s.top == 0 ? request : more;
    }
    /* A method that was named may not be able to find all; the look outside finds the last. */
    const size_t n = stj_svd_n_values(a);
    const size_t most = s.method && n > 1 ? n - 1 : n;
    s.top = s.top < most ? s.top : most;
    STJ_MUST(find_largest(a, &inner, r, err));
    while (r->stop == STJ_STOP_CONVERGED && !passed_above(a, r) && s.top < most) {
        const size_t more = stj_svd_request_more(a, s.top);
        s.top = more < most ? more : most;
        s.ncv = 0;
        stj_pairs_free(&r->top);
        STJ_MUST(find_largest(a, &inner, r, err));
    }
    r->requested = passed_above(a, r) ? 0 : s.top;
    return STJ_OK;
}

/* Keep what lies above the threshold.  The pair that showed the threshold need not have converged:
 * what it may stand for is what the look outside looks for, where there was one. */
static void cut_largest(const struct stj_op *a, const struct stj_svd_settings *s,
                        struct stj_svd_result *r)
{
    struct stj_pairs *p = &r->top;
    const struct stj_svd_outside *o = &r->outside;
    const bool passed =
        r->requested == 0 || (o->checked && o->bound <= s->above + stj_svd_tie(s->tol, r->sigma_1));
    while (o->checked && p->k && p->sigma[p->k - 1] <= s->above &&
           p->residual[p->k - 1] > s->tol * r->sigma_1)
        p->k--;
    stj_pairs_cut(p, s->above, stj_op_rounding(a) * r->sigma_1, &r->straddling);
    r->requested = passed ? p->k : r->requested;
}

/* How the solve ended, by what it found: a method may think it is done where pairs that it found
 * did not converge, or values are missing. */
static void judge_largest(const struct stj_op *a, const struct stj_svd_settings *s,
                          struct stj_svd_result *r)
{
    r->sigma_1 = r->top.k ? r->top.sigma[0] : 0;
    if (s->above > 0)
        cut_largest(a, s, r);
    for (size_t i = 0; i < r->top.k; i++)
        r->converged += r->top.residual[i] <= s->tol * r->sigma_1;
    if (r->stop == STJ_STOP_CONVERGED &&
        (r->converged < r->requested || r->outside.missed > 0 || r->outside.undecided))
        r->stop = STJ_STOP_INCOMPLETE;
}

enum stj_status stj_svd_solve_top(struct stj_op *a, const struct stj_svd_budget *budget,
                                  struct stj_svd_result *r, struct stj_error *err)
{
    const struct stj_svd_settings *s = budget->settings;
    bool dense = false;
    r->above = s->above;
    STJ_MUST(s->above > 0 ? find_above(a, budget, r, err) : find_largest(a, budget, r, err));
    /* Step 4: a whole decomposition misses nothing; known pairs were looked after before. */
    const bool final = r->method == stj_svd_lapack.info.name ||
                       (r->method == stj_svd_all_known && s->certify == 0 && !s->known_alone);
    /* Where the operator is not the one that the iteration saw, finding pairs anew would hide it. */
    if (!final && r->stop == STJ_STOP_CONVERGED && !(r->residual_excess > 1))
        STJ_MUST(stj_svd_complete(a, budget, r, &dense, err));
    if (dense)
        STJ_MUST(go_dense(a, budget, r, err));
    judge_largest(a, s, r);
    return STJ_OK;
}
