/* SPDX-License-Identifier: GPL-3.0-or-later */
/* spectrum/svd/top.c: the largest singular values: known pairs, finishing, completing, thresholds.
 *
 *     1. the leading known pairs that are good enough are taken out
 *     2. the method, named or cheapest, finds a basis of the rest
 *     3. both are finished together: QR, products, SVD, residuals (spectrum/svd/finish.c)
 *     4. a look outside; while a value is missing, the missing ones are found in the complement of
 *        all that is known, and the look is repeated; then all are finished together
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
 * Lanczos from one vector sees one direction of a repeated value, and finds the others by rounding
 * alone; each round of step 4 adds one direction of every value that is missing.  Where that gets
 * longer than the whole matrix would, and no method was named, the whole matrix is taken: so it
 * costs at most about twice as much.
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

enum { TRIES = 3 }; /* to complete pairs, of which some did not converge when all were finished */

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
    struct stj_op *op = NULL;
    inner.settings = &s;
    inner.sigma_1 = s.known_top->sigma[0];
    s.top -= k;
    /* Step 2: what there are products for beside finishing. */
    if (!stj_svd_spent(budget, 2 * (double)k + 4, 0, &basis->stop)) {
        s.max_applications = fmax(s.max_applications - 2 * (double)k, 0);
        STJ_TRY(stj_svd_complement(a, k, s.known_top->v, 1, &op, err));
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
    enum stj_status st = STJ_OK;
    struct stj_svd_basis basis = {0};
    stj_pairs_free(&r->top);
    STJ_TRY(stj_svd_lapack.top(a, budget, &basis, err));
    STJ_TRY(finish_basis(a, &basis, r, err));
    r->products += basis.products;
    r->ncv = basis.ncv;
    r->method = stj_svd_lapack.info.name;
    r->stop = basis.stop;
out:
    stj_svd_basis_free(&basis);
    return st;
}

/* The `top` largest of the budget's settings. */
static enum stj_status find_largest(struct stj_op *a, const struct stj_svd_budget *budget,
                                    struct stj_svd_result *r, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const struct stj_svd_settings *s = budget->settings;
    struct stj_svd_budget inner = *budget;
    const struct stj_svd_method *method = NULL;
    struct stj_svd_basis basis = {0};
    /* Step 1: what need not be found. */
    const size_t known = stj_svd_n_known(s, stj_svd_n_values(a));
    r->method = stj_svd_all_known;
    if (known > 0 && known == s->top)
        return stj_pairs_copy(s->known_top, known, &r->top, err);
    /* Steps 2 and 3: the method, with the pairs taken out or without any. */
    STJ_TRY(stj_svd_choose(a, budget, false, &method, err));
    inner.abandon = stj_svd_dense_cost(a, budget);
    if (s->max_applications > 0 && 2 * inner.abandon > s->max_applications)
        inner.abandon = 0;
    if (known > 0 && !method->whole) {
        STJ_TRY(find_beyond(a, &inner, method, known, &basis, r, err));
    } else {
        STJ_TRY(method->top(a, &inner, &basis, err));
        if (!basis.abandoned)
            STJ_TRY(finish_basis(a, &basis, r, err));
    }
    r->products += basis.products;
    r->ncv = basis.ncv;
    r->method = method->info.name;
    r->stop = basis.stop;
    if (basis.abandoned)
        STJ_TRY(go_dense(a, budget, r, err));
out:
    stj_svd_basis_free(&basis);
    return st;
}

/* ---- what is missing ---- */

/* Right vectors that have converged: of what is nearly one the complement has no eigenvectors of
 * A'A. */
struct known {
    size_t k;
    double *v;     /* n x k */
    double *sigma; /* [k] */
};

static void known_free(struct known *known)
{
    free(known->v);
    free(known->sigma);
}

static enum stj_status known_append(struct known *known, size_t n, size_t k, const double *v,
                                    const double *sigma, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const size_t new = known->k + k;
    STJ_TRY(stj_resize(&known->v, n * known->k, n * new, sizeof *known->v, err));
    STJ_TRY(stj_resize(&known->sigma, known->k, new, sizeof *known->sigma, err));
    memcpy(known->v + n * known->k, v, n * k * sizeof *v);
    memcpy(known->sigma + known->k, sigma, k * sizeof *sigma);
    known->k = new;
out:
    return st;
}

/* The first columns <- those of the k largest values, descending. */
static void known_sort(struct known *known, size_t n, size_t k, double *swap)
{
    for (size_t i = 0; i < k && i < known->k; i++) {
        size_t best = i;
        for (size_t j = i + 1; j < known->k; j++)
            best = known->sigma[j] > known->sigma[best] ? j : best;
        const double sigma = known->sigma[i];
        known->sigma[i] = known->sigma[best];
        known->sigma[best] = sigma;
        memcpy(swap, known->v + best * n, n * sizeof *swap);
        memcpy(known->v + best * n, known->v + i * n, n * sizeof *swap);
        memcpy(known->v + i * n, swap, n * sizeof *swap);
    }
}

/* Do two values among the first k tie? */
static bool has_ties(const struct stj_svd_result *r, double tol)
{
    const struct stj_pairs *p = &r->top;
    for (size_t i = 1; i < p->k; i++)
        if (p->sigma[i - 1] - p->sigma[i] <= stj_svd_tie(tol, p->sigma[0]))
            return true;
    return false;
}

/* Append to `known` the `top` largest of the complement that are above `limit`, of each value one
 * direction.  *added += how many. */
static enum stj_status add_missing(struct stj_op *a, const struct stj_svd_budget *budget,
                                   size_t top, double limit, uint64_t round, struct known *known,
                                   size_t *added, struct stj_svd_result *r, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const size_t n = stj_op_n_cols(a);
    const size_t left = stj_svd_n_values(a) - known->k;
    struct stj_svd_settings s = *budget->settings;
    struct stj_svd_budget inner = *budget;
    struct stj_svd_basis basis = {0};
    struct stj_op *rest = NULL;
    inner.settings = &s;
    inner.sigma_1 = r->top.sigma[0];
    inner.some_above = limit > 0;
    s.top = left < top ? left : top;
    s.above = limit;
    s.ncv = 0;
    s.seed += round + 1;
    s.tol = fmax(s.tol / 10, DBL_EPSILON); /* the span of all is no better than its worst vector */
    STJ_TRY(stj_svd_complement(a, known->k, known->v, 1, &rest, err));
    STJ_TRY(stj_svd_arpack.top(rest, &inner, &basis, err));
    r->products += basis.products;
    r->stop = basis.stop;
    for (size_t i = 0; i < basis.sound && basis.stop == STJ_STOP_CONVERGED; i++)
        if (basis.ritz[i] > limit) {
            STJ_TRY(known_append(known, n, 1, basis.v + i * n, basis.ritz + i, err));
            ++*added;
        }
out:
    stj_op_destroy(rest);
    stj_svd_basis_free(&basis);
    return st;
}

/* Is the whole matrix cheaper than what is likely to be missing?  A round takes about as much as a
 * few of the largest do. */
static bool is_dense_cheaper(struct stj_op *a, const struct stj_svd_budget *budget)
{
    struct stj_svd_settings s = *budget->settings;
    struct stj_prediction round = {.ranks = 0};
    const double dense = stj_svd_dense_cost(a, budget);
    s.top = 1;
    s.ncv = 0;
    s.known_top = NULL;
    (void)stj_svd_arpack.predict(&s, stj_op_n_rows(a), stj_op_n_cols(a), false, &round, NULL);
    return dense > 0 && stj_svd_used(budget) + stj_predicted_applications(&round) > dense;
}

/* Where fewer than k are known the next largest are found, whatever they are; then what lies
 * outside is looked at, and what is missing is added, until nothing is.  Some at a time, for a
 * round finds one direction of each value. */
static enum stj_status search_outside(struct stj_op *a, const struct stj_svd_budget *budget,
                                      struct known *known, size_t *found, double *swap, bool *dense,
                                      struct stj_svd_result *r, struct stj_error *err)
{
    enum { AT_ONCE = 10 };
    enum stj_status st = STJ_OK;
    const struct stj_svd_settings *s = budget->settings;
    const size_t k = r->above > 0 ? 1 : r->top.k;
    struct stj_svd_look look = {.products = r->products,
                                .ncv = r->ncv,
                                .stop = STJ_STOP_CONVERGED,
                                .repeated = has_ties(r, s->tol)};
    for (;; look.round++) {
        const size_t before = *found;
        const size_t lacking = known->k < k ? k - known->k : 0;
        known_sort(known, stj_op_n_cols(a), k, swap);
        look.k = known->k;
        look.v = known->v;
        look.sigma_1 = r->top.sigma[0];
        look.level = r->above > 0 ? r->above : lacking ? 0 : known->sigma[k - 1];
        if (!lacking)
            STJ_TRY(stj_svd_look_outside(a, budget, &look, &r->outside, err));
        if (look.stop != STJ_STOP_CONVERGED)
            r->stop = look.stop;
        if ((!lacking && r->outside.missed == 0) || r->stop != STJ_STOP_CONVERGED)
            break;
        *dense = is_dense_cheaper(a, budget);
        if (*dense)
            break;
        STJ_TRY(add_missing(a, budget, lacking && lacking < AT_ONCE ? lacking : AT_ONCE,
                            lacking ? 0 : look.level + stj_svd_tie(s->tol, look.sigma_1),
                            look.round, known, found, r, err));
        r->outside.added += lacking ? 0 : *found - before;
        if (*found == before || r->stop != STJ_STOP_CONVERGED)
            break;
        look.repeated |= !lacking;
    }
out:
    return st;
}

static bool is_converged(const struct stj_pairs *p, size_t i, double tol)
{
    return p->residual[i] <= tol * p->sigma[0];
}

/* Those that count: below a threshold there may be one more, which need not converge. */
static bool all_converged(const struct stj_svd_result *r, double tol)
{
    for (size_t i = 0; i < r->top.k; i++)
        if (r->top.sigma[i] > r->above && !is_converged(&r->top, i, tol))
            return false;
    return true;
}

/* r->top <- with what was missing, or from the whole matrix. */
static enum stj_status complete_largest(struct stj_op *a, const struct stj_svd_budget *budget,
                                        struct stj_svd_result *r, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const size_t n = stj_op_n_cols(a);
    const size_t k = r->top.k;
    struct known known = {0};
    struct stj_pairs pairs = {0};
    double *swap = NULL;
    size_t found = 0;
    bool dense = false;
    if (k == 0)
        goto out;
    STJ_TRY(stj_new(&swap, n, sizeof *swap, err));
    for (size_t i = 0; i < k; i++)
        if (is_converged(&r->top, i, budget->settings->tol))
            STJ_TRY(known_append(&known, n, 1, r->top.v + i * n, r->top.sigma + i, err));
    STJ_TRY(search_outside(a, budget, &known, &found, swap, &dense, r, err));
    if (dense) {
        r->outside = (struct stj_svd_outside){0};
        STJ_TRY(go_dense(a, budget, r, err));
    } else if (found > 0 && (known.k >= k || r->above > 0)) {
        known_sort(&known, n, k, swap);
        STJ_TRY(stj_svd_finish(a, r->above > 0 ? known.k : k, &known.v, &pairs, err));
        stj_pairs_free(&r->top);
        r->top = pairs;
    }
out:
    free(swap);
    known_free(&known);
    return st;
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
    /* A method that was named may not be able to find all; the look outside finds the last. */
    const size_t n = stj_svd_n_values(a);
    const size_t most = s.method && n > 1 ? n - 1 : n;
    s.top = s.top < most ? s.top : most;
    STJ_TRY(find_largest(a, &inner, r, err));
    while (r->stop == STJ_STOP_CONVERGED && !passed_above(a, r) && s.top < most) {
        const size_t more = stj_svd_request_more(a, s.top);
        s.top = more < most ? more : most;
        s.ncv = 0;
        stj_pairs_free(&r->top);
        STJ_TRY(find_largest(a, &inner, r, err));
    }
    r->requested = passed_above(a, r) ? 0 : s.top;
out:
    return st;
}

/* How the solve ended, by what it found: a method may think it is done where pairs that it found
 * did not converge, or values are missing. */
static void judge_largest(const struct stj_op *a, const struct stj_svd_settings *s,
                          struct stj_svd_result *r)
{
    if (r->method != stj_svd_all_known && r->stop == STJ_STOP_CONVERGED)
        r->residual_excess = measure_excess(a, s->tol, &r->top);
    r->sigma_1 = r->top.k ? r->top.sigma[0] : 0;
    if (s->above > 0) {
        const struct stj_svd_outside *o = &r->outside;
        const bool passed = r->requested == 0 ||
                            (o->checked && o->bound <= s->above + stj_svd_tie(s->tol, r->sigma_1));
        stj_pairs_cut(&r->top, s->above, stj_op_rounding(a) * r->sigma_1, &r->straddling);
        r->requested = passed ? r->top.k : r->requested;
    }
    for (size_t i = 0; i < r->top.k; i++)
        r->converged += r->top.residual[i] <= s->tol * r->sigma_1;
    if (r->stop == STJ_STOP_CONVERGED &&
        (r->converged < r->requested || r->outside.missed > 0 || r->outside.undecided))
        r->stop = STJ_STOP_INCOMPLETE;
}

enum stj_status stj_svd_solve_top(struct stj_op *a, const struct stj_svd_budget *budget,
                                  struct stj_svd_result *r, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const struct stj_svd_settings *s = budget->settings;
    r->above = s->above;
    STJ_TRY(s->above > 0 ? find_above(a, budget, r, err) : find_largest(a, budget, r, err));
    /* Step 4: a whole decomposition misses nothing; known pairs were looked after before. */
    const bool final = r->method == stj_svd_lapack.info.name ||
                       (r->method == stj_svd_all_known && s->certify == 0);
    for (int i = 0; !final && i < TRIES && r->stop == STJ_STOP_CONVERGED; i++)
        if (i == 0 || !all_converged(r, s->tol))
            STJ_TRY(complete_largest(a, budget, r, err));
    /* Step 5: is it the operator that the iteration saw? */
    judge_largest(a, s, r);
out:
    return st;
}
