/* SPDX-License-Identifier: GPL-3.0-or-later */
/* spectrum/svd/predict.c: what singular pairs are likely to cost, and with which method.
 *
 * A method says what its iteration takes; here is added what follows every one of them.  Where P
 * ranks divide the rows, and k pairs of N columns are wanted, beside the arrays of the method:
 *     top        2 N k + N (s + 1) / P + 3 N         the pairs, and s steps that look outside
 *                3 N k                               finishing
 *     bottom     3 N k                               residuals
 * numbers on each rank, N / P rounded up; with one rank the vectors of a product are those of the
 * basis, and 3 N is N.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "op/operator.h"
#include "spectrum/density/rough_count.h"
#include "spectrum/svd/svd_method.h"

enum {
    DENSE_ANYWAY =
        3000,        /* products: without a budget, not worth an approximation of the smallest */
    COUNT_GUESS = 20 /* pairs beyond a threshold, where nothing is known */
};

/* Of the memory that is free: beside it there are states, linearisations and a sweep's work
 * space. */
static const double most_of_memory = 0.9;

/* Fitted to the training Jacobians measured (docs/memory.md): k values of a spectrum that thins out
 * towards its top, each digit by which the start vector's component of 1/sqrt(n) grows over the
 * residual at the same price, and 19 for each vector that goes along. */
static double products_for(const struct stj_svd_settings *s, size_t k, size_t n, size_t block)
{
    const double tol = s->tol > 0 ? s->tol : stj_svd_settings_default().tol;
    const double digits = log10(sqrt((double)n) / tol);
    const double first = 24 + 19 * (double)(block - 1);
    return fmin((first + 7.2 * pow((double)k, 0.745)) * (1 + 0.045 * (digits - 12)), (double)n);
}

/* Deeper in the spectrum values are closer: where k are taken out the rest takes less than all, and
 * more than as many at the top would (measured: 109 for 10 beyond 20, where 30 took 124). */
double stj_svd_likely_products(const struct stj_svd_settings *s, size_t n, size_t block)
{
    const size_t taken = s->known_top ? s->known_top->k : 0;
    return (products_for(s, s->top, n, block) + products_for(s, s->top + taken, n, block)) / 2;
}

/* Finishing, of what is not finished, and residuals, and a look outside after an iteration of so
 * many products with A'A. */
static void predict_finish(size_t k, size_t m, size_t n, bool bottom, bool finished,
                           double products, struct stj_prediction *p)
{
    const double vector = (double)(m > n ? m : n) * sizeof(double);
    const double rows = (double)stj_predict_rows(p, n) * sizeof(double);
    const double pairs = (double)k;
    const bool divided = stj_predict_divides(p, n);
    const double steps = fmin(stj_svd_look_steps(products), (double)(m < n ? m : n));
    stj_predict_products(p, finished ? 0 : pairs, pairs, k);
    if (!bottom) {
        stj_predict_products(p, steps, steps, 1);
        stj_predict_phase(p, (2 * pairs + (divided ? 3 : 1)) * vector + (steps + 1) * rows, k);
    }
    if (!bottom || divided)
        stj_predict_phase(p, 3 * pairs * vector, k);
}

static bool is_good(const struct stj_svd_settings *s, size_t i)
{
    const struct stj_pairs *known = s->known_top;
    const double tol = s->tol > 0 ? s->tol : stj_svd_settings_default().tol;
    return !known->residual || known->residual[i] <= tol * known->sigma[0];
}

size_t stj_svd_n_known(const struct stj_svd_settings *s, size_t least)
{
    const size_t most = s->known_top && s->known_top->k < s->top ? s->known_top->k : s->top;
    size_t k = 0;
    while (s->known_top && k < most && is_good(s, k))
        k++;
    return k == s->top || (3 * s->top + 20 <= least && s->ncv + k <= least) ? k : 0;
}

/* One end. */
static enum stj_status predict_end(const struct stj_svd_method *method,
                                   const struct stj_svd_settings *s, size_t m, size_t n,
                                   bool bottom, struct stj_prediction *p, struct stj_error *err)
{
    const size_t k = bottom ? s->bottom : s->top;
    struct stj_svd_settings rest = *s;
    const size_t known = bottom || method->whole ? 0 : stj_svd_n_known(s, m < n ? m : n);
    rest.top -= known;
    rest.known_top = known > 0 ? s->known_top : NULL;
    const double before = stj_predicted_applications(p);
    STJ_MUST(method->predict(&rest, m, n, bottom, p, err));
    const double products = (stj_predicted_applications(p) - before) / 2;
    if (method->whole)
        stj_predict_products(p, 0, (double)k, k);
    else
        predict_finish(k, m, n, bottom, bottom || (method->left && known == 0), products, p);
    return STJ_OK;
}

static struct stj_prediction fresh_prediction(const struct stj_prediction *like)
{
    return (struct stj_prediction){
        .ranks = like->ranks, .shortest = like->shortest, .used = like->used, .lone = like->lone};
}

enum stj_status stj_svd_named_method(const char *name, bool bottom,
                                     const struct stj_svd_method **method, struct stj_error *err)
{
    const struct stj_plugin_info *info = NULL;
    STJ_MUST(stj_kind_find(&stj_svd_methods, name, &info, err));
    *method = (const struct stj_svd_method *)info;
    STJ_NEED(err, bottom || (*method)->top, STJ_EINVAL,
             "method %s does not find the largest singular values: use arpack or dense", name);
    STJ_NEED(err, !bottom || (*method)->bottom, STJ_EINVAL,
             "method %s does not find the smallest singular values: use arnoldi or dense", name);
    return STJ_OK;
}

/* Are the arrays of a method that takes more than it must small, and within a limit? */
static bool is_small(const struct stj_svd_settings *s, const struct stj_prediction *p)
{
    static const double small = 5e8;
    const double limit = s->memory_bytes > 0 ? fmin((double)s->memory_bytes, small) : small;
    return stj_predict_peak(p) <= fmin(limit, most_of_memory * (double)stj_memory_available());
}

/* The method that predicts the least time for products; one that is refused only where there is no
 * other, and one that takes more memory only where it is clearly faster. */
static const struct stj_svd_method *cheapest_method(const struct stj_svd_settings *s, size_t m,
                                                    size_t n, bool bottom,
                                                    const struct stj_prediction *like)
{
    const struct stj_svd_method *best = &stj_svd_lapack;
    static const double clearly = 0.85;
    double least = INFINITY;
    for (size_t i = 0; stj_svd_methods.list[i]; i++) {
        const struct stj_svd_method *method =
            (const struct stj_svd_method *)stj_svd_methods.list[i];
        struct stj_prediction p = fresh_prediction(like);
        if (!(bottom ? method->bottom : method->top) ||
            predict_end(method, s, m, n, bottom, &p, NULL) != STJ_OK || p.refused ||
            (method->spacious && !is_small(s, &p)))
            continue;
        double products = stj_predicted_cost(&p) / (method->spacious ? clearly : 1);
        if (bottom && method->whole && s->max_applications == 0 && products <= DENSE_ANYWAY)
            products = 0;
        if (products < least || (products == least && method->whole)) {
            best = method;
            least = products;
        }
    }
    return best;
}

static enum stj_status choose_method(const struct stj_svd_settings *s, size_t m, size_t n,
                                     bool bottom, const struct stj_prediction *like,
                                     const struct stj_svd_method **method, struct stj_error *err)
{
    if (s->method)
        return stj_svd_named_method(s->method, bottom, method, err);
    *method = cheapest_method(s, m, n, bottom, like);
    return STJ_OK;
}

enum stj_status stj_svd_choose(struct stj_op *a, const struct stj_svd_budget *budget, bool bottom,
                               const struct stj_svd_method **method, struct stj_error *err)
{
    const struct stj_svd_settings *s = budget->settings;
    const size_t m = stj_op_n_rows(a);
    const size_t n = stj_op_n_cols(a);
    struct stj_prediction p = {.shortest = stj_op_shortest_prefix(a),
                               .used = stj_svd_used(budget),
                               .lone = stj_op_lone(a)};
    STJ_MUST(choose_method(s, m, n, bottom, &p, method, err));
    STJ_MUST(predict_end(*method, s, m, n, bottom, &p, err));
    const double bytes = stj_predict_peak(&p);
    const double free = (double)stj_memory_available();
    STJ_NEED(err, bytes <= most_of_memory * free, STJ_ENOMEM,
             "the %s singular values (%s) take %.4g GB of memory, of which %.4g GB are free; %s",
             bottom ? "smallest" : "largest", p.method, bytes / 1e9, free / 1e9,
             (*method)->whole
                 ? "take a method that iterates (--method)"
                 : "take fewer basis vectors (--ncv, for one end at a time) or several machines, "
                   "which divide them");
    return STJ_OK;
}

double stj_svd_dense_cost(struct stj_op *a, const struct stj_svd_budget *budget)
{
    const size_t m = stj_op_n_rows(a);
    const size_t n = stj_op_n_cols(a);
    struct stj_prediction p = {.used = stj_svd_used(budget)};
    if (budget->settings->method ||
        predict_end(&stj_svd_lapack, budget->settings, m, n, false, &p, NULL) != STJ_OK ||
        p.refused)
        return 0;
    return stj_predicted_applications(&p);
}

/* s->top or s->bottom <- how many will be asked for, where a threshold is given instead; true: it
 * is a guess. */
static bool count_beyond(struct stj_svd_settings *s, size_t n, bool bottom)
{
    size_t *k = bottom ? &s->bottom : &s->top;
    const double known = bottom ? s->count_below : s->count_above;
    if (*k > 0 || (bottom ? s->below : s->above) == 0)
        return false;
    const size_t had = bottom || !s->known_top ? 0 : s->known_top->k;
    *k = known > 0 ? stj_svd_request_for(known, n) : COUNT_GUESS;
    *k = *k > had ? *k : had + COUNT_GUESS;
    *k = *k < n ? *k : n;
    return known <= 0;
}

void stj_svd_predict(const struct stj_svd_settings *settings, size_t m, size_t n,
                     struct stj_prediction *prediction)
{
    const size_t least = m < n ? m : n;
    for (int bottom = 0; bottom < 2; bottom++) {
        struct stj_svd_settings s = *settings;
        const struct stj_svd_method *method = NULL;
        const bool guess = count_beyond(&s, least, bottom);
        if (guess)
            stj_density_rough_predict(m, n, prediction);
        if (!bottom && s.top > 0 && stj_svd_n_known(&s, least) == s.top)
            continue;
        if ((bottom ? s.bottom : s.top) == 0 ||
            choose_method(&s, m, n, bottom, prediction, &method, NULL) != STJ_OK ||
            predict_end(method, &s, m, n, bottom, prediction, NULL) != STJ_OK)
            continue;
        if (guess) {
            char said[STJ_PREDICTED_TEXT_MAX / 2];
            snprintf(said, sizeof said, "%.47s", prediction->method);
            stj_predict_method(prediction, "%s, count unknown: assumes %zu", said,
                               bottom ? s.bottom : s.top);
        }
    }
}
