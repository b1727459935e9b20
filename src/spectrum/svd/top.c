/* SPDX-License-Identifier: GPL-3.0-or-later */
/* spectrum/svd/top.c: the largest singular values: choice of the method, finishing, thresholds.
 *
 * All above a threshold are found by asking for as many as there are likely to be, and for more until the
 * smallest one found lies below it.  A larger request begins as the smaller one did, so with a
 * journal its first products cost nothing.
 */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "parallel/ranks.h"
#include "op/operator.h"
#include "spectrum/svd/svd_method.h"

enum { NEW_STARTS = 3 };

/* A method that says it converged has |A'A v - lambda v| <= tol lambda for every pair, so |A'u - sigma v| <=
 * tol sigma, and Rayleigh-Ritz among k such pairs mixes them by no more than sqrt(k) of it; a space of A'A
 * is known to eps sigma_1^2, which its left vectors divide by sigma.  The factors are for what the norms of
 * products with rounding leave out, and are far below what an operator that is wrong shows. */
static double excess(const struct stj_op *a, double tol, const struct stj_pairs *p)
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

/* The `top` largest of the budget's settings. */
static enum stj_status solve(struct stj_op *a, const struct stj_svd_budget *budget,
                             struct stj_svd_result *r, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const struct stj_svd_method *method = NULL;
    struct stj_svd_basis basis = {0};
    double defect = 0;
    STJ_TRY(stj_svd_choose(a, budget, false, &method, err));
    STJ_TRY(method->top(a, budget, &basis, err));
    if (basis.sigma)
        STJ_TRY(stj_svd_adopt(a, &basis, &r->top, &defect, err));
    else
        STJ_TRY(stj_svd_finish(a, basis.k, &basis.v, &r->top, err));
    r->floor = defect;
    r->products += basis.products;
    r->ncv = basis.ncv;
    r->method = method->info.name;
    r->stop = basis.stop;
out:
    stj_svd_basis_free(&basis);
    return st;
}

/* Lanczos from one vector sees one direction of a repeated value, and finds the others by rounding alone.  Another
 * start vector sees another direction: the span of both sets of vectors, finished, holds one copy more. */
static enum stj_status add_from_new_start(struct stj_op *a, const struct stj_svd_budget *budget,
                                          uint64_t seed, struct stj_svd_result *r,
                                          struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const size_t n = r->top.n_cols;
    const size_t k = r->top.k;
    struct stj_svd_settings s = *budget->settings;
    struct stj_svd_budget inner = *budget;
    struct stj_svd_basis basis = {0};
    struct stj_pairs both = {0};
    inner.settings = &s;
    s.top = k;
    s.seed = seed;
    s.tol = fmax(s.tol / 10, DBL_EPSILON); /* the span of both is no better than its worst vector */
    STJ_TRY(stj_svd_arpack.top(a, &inner, &basis, err));
    r->products += basis.products;
    if (basis.stop != STJ_STOP_CONVERGED || basis.k == 0 || k + basis.k > n) {
        r->stop = basis.stop == STJ_STOP_INTERRUPTED ? basis.stop : r->stop;
        goto out;
    }
    STJ_TRY(stj_resize(&basis.v, n * basis.k, n * (basis.k + k), sizeof *basis.v, err));
    memcpy(basis.v + n * basis.k, r->top.v, n * k * sizeof *basis.v);
    STJ_TRY(stj_svd_finish(a, basis.k + k, &basis.v, &both, err));
    stj_pairs_free(&r->top);
    r->top = both;
    r->top.k = k;
out:
    stj_svd_basis_free(&basis);
    return st;
}

/* Look outside of the pairs, and fill in what is seen there, some times over. */
static enum stj_status complete(struct stj_op *a, const struct stj_svd_budget *budget,
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

/* Has the search passed the threshold, or is there nothing beyond? */
static bool passed(const struct stj_op *a, const struct stj_svd_result *r)
{
    const size_t n = stj_op_n_cols(a);
    const size_t m = stj_op_n_rows(a);
    return r->top.k == (m < n ? m : n) || (r->top.k && r->top.sigma[r->top.k - 1] <= r->above);
}

/* Keep the pairs above the threshold, and those that may be. */
static void cut(struct stj_svd_result *r)
{
    struct stj_pairs *p = &r->top;
    while (p->k && p->sigma[p->k - 1] + p->residual[p->k - 1] <= r->above)
        p->k--;
    for (size_t i = 0; i < p->k; i++)
        r->straddling += p->sigma[i] - p->residual[i] <= r->above;
}

static enum stj_status solve_above(struct stj_op *a, const struct stj_svd_budget *budget,
                                   struct stj_svd_result *r, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct stj_svd_settings s = *budget->settings;
    struct stj_svd_budget inner = *budget;
    inner.settings = &s;
    STJ_TRY(stj_svd_request(a, budget, s.above, true, s.count_above, &s.top, err));
    STJ_TRY(solve(a, &inner, r, err));
    while (r->stop == STJ_STOP_CONVERGED && !passed(a, r)) {
        s.top = stj_svd_request_more(a, s.top);
        s.ncv = 0;
        stj_pairs_free(&r->top);
        STJ_TRY(solve(a, &inner, r, err));
    }
    const bool all = passed(a, r);
    cut(r);
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
    STJ_TRY(s->above > 0 ? solve_above(a, budget, r, err) : solve(a, budget, r, err));
    if (r->method != stj_svd_lapack.info.name && r->stop == STJ_STOP_CONVERGED)
        STJ_TRY(complete(a, budget, r, err));
    if (r->stop == STJ_STOP_CONVERGED)
        r->residual_excess = excess(a, s->tol, &r->top);
    r->sigma_1 = r->top.k ? r->top.sigma[0] : 0;
    for (size_t i = 0; i < r->top.k; i++)
        r->converged += r->top.residual[i] <= s->tol * r->sigma_1;
out:
    return st;
}
