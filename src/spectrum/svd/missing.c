/* SPDX-License-Identifier: GPL-3.0-or-later */
/* spectrum/svd/missing.c: the values that an iteration did not find.
 *
 * Lanczos from one vector sees one direction of a repeated value, and finds the others by rounding
 * alone.
 *
 *     1. pairs that did not converge are dropped, and as many are found in the complement of the rest
 *     2. a look outside (spectrum/svd/completeness.c): done, if nothing is missing
 *     3. Lanczos in the complement of all that is known finds one direction of each value above the
 *        smallest wanted; go to 2
 *     4. the largest of all that is known are finished together
 *
 * Cost: a look and a short iteration for each copy of the value that repeats most often.
 */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "op/operator.h"
#include "spectrum/svd/svd_method.h"

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
    const size_t new = known->k + k;
    STJ_MUST(stj_resize(&known->v, n * known->k, n * new, sizeof *known->v, err));
    STJ_MUST(stj_resize(&known->sigma, known->k, new, sizeof *known->sigma, err));
    memcpy(known->v + n * known->k, v, n * k * sizeof *v);
    memcpy(known->sigma + known->k, sigma, k * sizeof *sigma);
    known->k = new;
    return STJ_OK;
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
    const size_t n = stj_op_n_cols(a);
    const size_t left = stj_svd_n_values(a) - known->k;
    struct stj_svd_settings s = *budget->settings;
    struct stj_svd_budget inner = *budget;
    STJ_HELD(stj_svd_basis_free) struct stj_svd_basis basis = {0};
    STJ_HELD(stj_op_destroy_at) struct stj_op *rest = NULL;
    s.top = left < top ? left : top;
    /* What there are products for beside finishing. */
    const double finish = 2 * (double)(known->k + s.top);
    if (stj_svd_spent(budget, finish + 4, &r->stop))
        return STJ_OK;
    inner.settings = &s;
    inner.sigma_1 = r->top.sigma[0];
    inner.found = known->k;
    inner.some_above = limit > 0;
    s.max_applications = fmax(s.max_applications - finish, 0);
    s.above = limit;
    s.ncv = 0;
    s.seed += round + 1;
    s.tol = fmax(s.tol / 10, DBL_EPSILON); /* the span of all is no better than its worst vector */
    STJ_MUST(stj_svd_complement(a, known->k, known->v, 1, &rest, err));
    STJ_MUST(stj_svd_arpack.top(rest, &inner, &basis, err));
    r->products += basis.products;
    r->stop = basis.stop;
    for (size_t i = 0; i < basis.sound && basis.stop == STJ_STOP_CONVERGED; i++)
        if (basis.ritz[i] > limit) {
            STJ_MUST(known_append(known, n, 1, basis.v + i * n, basis.ritz + i, err));
            ++*added;
        }
    return STJ_OK;
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
            STJ_MUST(stj_svd_look_outside(a, budget, &look, &r->outside, err));
        if (look.stop != STJ_STOP_CONVERGED)
            r->stop = look.stop;
        if ((!lacking && r->outside.missed == 0) || r->stop != STJ_STOP_CONVERGED)
            break;
        *dense = is_dense_cheaper(a, budget);
        if (*dense)
            break;
        STJ_MUST(add_missing(a, budget, lacking && lacking < AT_ONCE ? lacking : AT_ONCE,
                             lacking ? 0 : look.level + stj_svd_tie(s->tol, look.sigma_1),
                             look.round, known, found, r, err));
        r->outside.added += lacking ? 0 : *found - before;
        if (*found == before || r->stop != STJ_STOP_CONVERGED)
            break;
        look.repeated |= !lacking;
    }
    return STJ_OK;
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

/* r->top <- with what was missing; *dense: the whole matrix is cheaper. */
static enum stj_status complete_once(struct stj_op *a, const struct stj_svd_budget *budget,
                                     struct stj_svd_result *r, bool *dense, struct stj_error *err)
{
    const size_t n = stj_op_n_cols(a);
    const size_t k = r->top.k;
    STJ_HELD(known_free) struct known known = {0};
    struct stj_pairs pairs = {0};
    STJ_FREED double *swap = NULL;
    size_t found = 0;
    STJ_MUST(stj_new(&swap, n, sizeof *swap, err));
    for (size_t i = 0; i < k; i++)
        if (is_converged(&r->top, i, budget->settings->tol))
            STJ_MUST(known_append(&known, n, 1, r->top.v + i * n, r->top.sigma + i, err));
    STJ_MUST(search_outside(a, budget, &known, &found, swap, dense, r, err));
    if (!*dense && found > 0 && (known.k >= k || r->above > 0)) {
        known_sort(&known, n, k, swap);
        STJ_MUST(stj_svd_finish(a, r->above > 0 ? known.k : k, &known.v, &pairs, err));
        stj_pairs_free(&r->top);
        r->top = pairs;
    }
    return STJ_OK;
}

enum stj_status stj_svd_complete(struct stj_op *a, const struct stj_svd_budget *budget,
                                 struct stj_svd_result *r, bool *dense, struct stj_error *err)
{
    enum { TRIES = 3 }; /* some may not have converged when all were finished */
    for (int i = 0; i < TRIES && r->top.k > 0 && !*dense && r->stop == STJ_STOP_CONVERGED; i++)
        if (i == 0 || !all_converged(r, budget->settings->tol))
            STJ_MUST(complete_once(a, budget, r, dense, err));
    if (*dense)
        r->outside = (struct stj_svd_outside){0};
    return STJ_OK;
}
