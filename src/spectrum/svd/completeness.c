/* SPDX-License-Identifier: GPL-3.0-or-later */
/* spectrum/svd/completeness.c: what lies outside of the pairs that were found: how many to ask for,
 * and whether some were missed.
 *
 * The pairs V are taken out, B = (I - V V') A'A (I - V V'), and Lanczos begins anew:
 *
 *     1. g Gaussian, independent of V;   q_1 = g / |g|
 *     2. B q_j = beta_{j-1} q_{j-1} + alpha_j q_j + beta_j q_{j+1}         one product with A'A
 *
 * p_0 = 1, beta_j p_j(x) = (x - alpha_j) p_{j-1}(x) - beta_{j-1} p_{j-2}(x) are orthonormal in the
 * spectral measure of q_1, and say two things of every x after j steps:
 *
 *     missing     As many Ritz values lie above x as the sequence changes its sign (Sturm).  Each
 *                 proves (Courant-Fischer) a value of A above sqrt(x) that V lacks.
 *     excluded    The measure has at no lambda more mass than 1 / K(lambda), K(x) = sum p_i(x)^2,
 *                 i = 0..j, which increases beyond the Ritz values (Chebyshev, Markov, Stieltjes).
 *                 The largest eigenvalue of B has at least the mass t^2 / |g|^2 but for a
 *                 probability of t sqrt(2 / pi), because g has a standard normal component along
 *                 its eigenvector.  So no eigenvalue is as large as an x with K(x) >= |g|^2 / t^2.
 *
 * This is the probabilistic bound of van Dorsselaer, Hochstenbach and van der Vorst (2000), which
 * uses what the steps have seen, and is far closer than what is known before them: Kuczynski and
 * Wozniakowski (1992), P(theta < (1 - e) lambda) <= 1.648 sqrt(n) exp(-sqrt(e) (2 j - 1)), says how
 * many steps are enough for any spectrum.
 *
 * Products with A'A are off by E = 2 max(rounding of a product, eps sqrt(n)) sigma_1^2 at most, and
 * so is every eigenvalue (Weyl): both statements leave that much room.  V is orthonormal, but its
 * pairs are converged to tol only: whatever V is, the largest eigenvalue of B is no less than
 * sigma_{k+1}^2 (Courant-Fischer).
 */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/blas.h"
#include "base/error.h"
#include "base/memory.h"
#include "op/operator.h"
#include "spectrum/density/rough_count.h"
#include "spectrum/orthogonalize.h"
#include "spectrum/svd/krylov.h"
#include "spectrum/svd/svd_method.h"

enum { REQUEST_LEAST = 10, LEAST_STEPS = 24, REPEATED_STEPS = 36 };

/* Of the products of the iteration, which a look may cost. */
static const double look_share = 0.15;

size_t stj_svd_n_values(const struct stj_op *a)
{
    const size_t m = stj_op_n_rows(a);
    const size_t n = stj_op_n_cols(a);
    return m < n ? m : n;
}

size_t stj_svd_request_for(double count, size_t least)
{
    return (size_t)fmin(ceil(1.1 * fmax(count, 0)) + REQUEST_LEAST, (double)least);
}

size_t stj_svd_request_more(const struct stj_op *a, size_t request)
{
    return (size_t)fmin(1.5 * (double)request + REQUEST_LEAST, (double)stj_svd_n_values(a));
}

enum stj_status stj_svd_request(struct stj_op *a, const struct stj_svd_budget *budget,
                                double threshold, bool above, double known, size_t *request,
                                struct stj_error *err)
{
    const struct stj_svd_settings *s = budget->settings;
    const double cost = 4.0 * STJ_ROUGH_COUNT_PROBES * STJ_ROUGH_COUNT_STEPS;
    enum stj_stop stop;
    /* As much again is to be left for what it counts. */
    if (known <= 0 && !stj_svd_spent(budget, cost, &stop))
        STJ_MUST(stj_density_rough_count(a, threshold, above, s->seed, &s->progress, &known, err));
    *request = stj_svd_request_for(known, stj_svd_n_values(a));
    return STJ_OK;
}

/* ---- the complement ---- */

/* The complement of the span of k known right vectors: unit A (I - V V'), of which A makes the
 * products. */
struct complement {
    struct stj_op *a;
    size_t k;
    const double *v; /* n x k */
    double unit;
};

static void scale_block(size_t n, size_t nvec, double unit, double *y, size_t ldy)
{
    for (size_t j = 0; unit != 1 && j < nvec; j++)
        stj_scal(n, unit, y + j * ldy);
}

static enum stj_status complement_apply(void *ctx, enum stj_trans trans, size_t nvec,
                                        const double *x, size_t ldx, double *y, size_t ldy,
                                        struct stj_error *err)
{
    const struct complement *c = ctx;
    const size_t n = stj_op_n_cols(c->a);
    STJ_FREED double *work = NULL;
    STJ_FREED double *inside = NULL;
    STJ_MUST(stj_new(&work, c->k, nvec * sizeof *work, err));
    if (trans == STJ_TRANS) { /* (I - V V') A'x */
        STJ_MUST(stj_op_apply(c->a, trans, nvec, x, ldx, y, ldy, err));
        stj_project_out(n, c->k, c->v, nvec, y, ldy, work);
        scale_block(n, nvec, c->unit, y, ldy);
        return STJ_OK;
    }
    STJ_MUST(stj_new(&inside, n, nvec * sizeof *inside, err)); /* A (I - V V') x */
    for (size_t j = 0; j < nvec; j++)
        memcpy(inside + j * n, x + j * ldx, n * sizeof *inside);
    stj_project_out(n, c->k, c->v, nvec, inside, n, work);
    STJ_MUST(stj_op_apply(c->a, trans, nvec, inside, n, y, ldy, err));
    scale_block(stj_op_n_rows(c->a), nvec, c->unit, y, ldy);
    return STJ_OK;
}

enum stj_status stj_svd_complement(struct stj_op *a, size_t k, const double *v, double unit,
                                   struct stj_op **op, struct stj_error *err)
{
    STJ_FREED struct complement *c = NULL;
    STJ_MUST(stj_new(&c, 1, sizeof *c, err));
    *c = (struct complement){a, k, v, unit};
    STJ_MUST(stj_op_create(stj_op_n_rows(a), stj_op_n_cols(a), complement_apply, free, c, op, err));
    c = NULL;
    stj_op_cost_as(*op, a);
    return STJ_OK;
}

/* ---- the look ---- */

/* The coefficients of j steps; beta[j - 1] is 0 where q_1 lies in an invariant subspace. */
struct recurrence {
    size_t j;
    double *alpha, *beta;
    double scale; /* the largest of them */
};

/* K(x), infinite from 1e200 on; *above <- the eigenvalues of the j x j matrix that exceed x. */
static double christoffel(const struct recurrence *r, double x, size_t *above)
{
    double before = 0, p = 1, sum = 1, scale = 1;
    *above = 0;
    for (size_t i = 0; i < r->j; i++) {
        const double next = (x - r->alpha[i]) * p - (i > 0 ? r->beta[i - 1] * before : 0);
        *above += signbit(next) != signbit(p);
        before = p;
        p = r->beta[i] > 0 ? next / r->beta[i] : copysign(INFINITY, next);
        sum += p * scale * (p * scale);
        if (fabs(p) > 1e100) { /* only its sign and ratio to the one before count from here on */
            before /= fabs(p);
            p = copysign(1, p);
            scale = INFINITY;
        }
    }
    return sum < 1e200 ? sum : INFINITY;
}

/* The largest eigenvalue (target 0), or the least x beyond it where K(x) >= target. */
static double search(const struct recurrence *r, double target)
{
    double low = 0, high = 0;
    size_t above;
    for (size_t i = 0; i < r->j; i++)
        high = fmax(high, r->alpha[i] + r->beta[i] + (i > 0 ? r->beta[i - 1] : 0));
    while (target > 0 && high > 0 && christoffel(r, high, &above) < target)
        high *= 2;
    for (int i = 0; i < 100 && low < high; i++) {
        const double x = (low + high) / 2;
        const bool beyond = christoffel(r, x, &above) >= target && above == 0;
        *(beyond ? &high : &low) = x;
    }
    return high;
}

double stj_svd_tie(double tol, double sigma_1)
{
    static const double least = 1e-8;
    return fmax(2 * tol, least) * sigma_1;
}

double stj_svd_look_steps(double products)
{
    return fmax(floor(look_share * products), LEAST_STEPS);
}

/* By Kuczynski and Wozniakowski: so many steps are enough, whatever the spectrum, for a bound
 * within 1 + delta. */
static double steps_for(double delta, double failure, double n)
{
    const double e = 1 - 1 / ((1 + delta) * (1 + delta));
    return ceil((log(1.648 * sqrt(n) / failure) / sqrt(e) + 1) / 2) + 1;
}

/* The most steps of a look: as many as its share of the products, more where copies were seen, and
 * as many as a delta takes that was asked for. */
static size_t most_steps(const struct stj_svd_budget *budget, const struct stj_svd_look *look,
                         double failure, size_t n)
{
    const double delta = budget->settings->certify;
    const size_t k = look->k;
    double most = stj_svd_look_steps(look->products);
    if (look->repeated) {
        const double room = (double)stj_memory_available() / 10 / (double)(n * sizeof(double));
        most = fmax(most, fmax(look->ncv > k ? (double)(look->ncv - k) : 0, REPEATED_STEPS));
        most = fmax(most, fmin(look->products, room));
    }
    if (delta > 0)
        most = fmax(most, steps_for(delta, failure, (double)n));
    return (size_t)fmin(most, (double)n - 1);
}

/* One step more, into the recurrence: a beta that is rounding next to the largest so far is 0. */
static enum stj_status look_step(struct stj_krylov *krylov, struct stj_op *normal, double rounding,
                                 struct recurrence *r, struct stj_error *err)
{
    const size_t j = r->j;
    STJ_MUST(stj_krylov_step(krylov, normal, err));
    r->alpha[j] = fmax(stj_krylov_at(krylov, j, j), 0);
    r->beta[j] = fabs(stj_krylov_at(krylov, j + 1, j));
    r->scale = fmax(r->scale, fmax(r->alpha[j], r->beta[j]));
    if (r->beta[j] <= 8 * rounding * r->scale)
        r->beta[j] = 0;
    r->j++;
    return STJ_OK;
}

/* The largest value outside is a copy of the smallest inside, as far as was looked: what lies
 * beyond would have to hide between it and a bound that is close. */
static bool ties(const struct stj_svd_settings *s, const struct stj_svd_look *look,
                 const struct stj_svd_outside *outside)
{
    static const double close = 1e-3;
    return outside->sigma >= look->level - stj_svd_tie(s->tol, look->sigma_1) &&
           outside->bound <= (1 + close) * look->level;
}

/* Steps until a value is missing, none is, or enough was spent. */
static enum stj_status look_on(struct stj_op *normal, const struct stj_svd_budget *budget,
                               double failure, double unit, struct stj_svd_look *look,
                               struct stj_krylov *krylov, struct recurrence *r,
                               struct stj_svd_outside *outside, struct stj_error *err)
{
    const struct stj_svd_settings *s = budget->settings;
    const double rounding =
        fmax(stj_op_rounding(normal), DBL_EPSILON * sqrt((double)krylov->rows.n));
    const double error = 2 * rounding * pow(unit * look->sigma_1, 2);
    const double limit = unit * (look->level + stj_svd_tie(s->tol, look->sigma_1));
    const double sure = fmax(limit, unit * (1 + s->certify) * look->level);
    const double target = pow(krylov->start / (failure * sqrt(acos(-1) / 2)), 2);
    bool spent = false, done = false;
    size_t above = 0;
    while (!done && r->j < krylov->room) {
        spent = stj_svd_spent(budget, 2, &look->stop);
        if (spent)
            break;
        STJ_MUST(look_step(krylov, normal, rounding, r, err));
        (void)christoffel(r, limit * limit + error, &outside->missed);
        done = outside->missed > 0 || r->beta[r->j - 1] == 0 ||
               (christoffel(r, sure * sure - error, &above) >= target && above == 0);
    }
    outside->checked = true;
    outside->steps = r->j;
    outside->sigma = sqrt(search(r, 0)) / unit;
    outside->bound = r->j > 0 ? sqrt(search(r, target) + error) / unit : (double)NAN;
    outside->undecided =
        !done && (spent || s->certify > 0 || (look->repeated && !ties(s, look, outside)));
    return STJ_OK;
}

enum stj_status stj_svd_look_outside(struct stj_op *a, const struct stj_svd_budget *budget,
                                     struct stj_svd_look *look, struct stj_svd_outside *outside,
                                     struct stj_error *err)
{
    /* The chances of several looks add up to this. */
    static const double failure = 1e-3;
    enum stj_status st = STJ_OK;
    const size_t n = stj_op_n_cols(a);
    struct stj_krylov krylov = {0};
    struct recurrence r = {0};
    struct stj_op *rest = NULL;
    struct stj_op *normal = NULL;
    const double round = (double)look->round;
    /* A'A has to have a place in doubles; a power of two changes no bit. */
    const double unit = look->sigma_1 > 0 ? ldexp(1, -ilogb(look->sigma_1)) : 1;
    const double own = failure / ((round + 1) * (round + 2));
    const size_t most = most_steps(budget, look, own, n);
    *outside = (struct stj_svd_outside){.failure = failure, .added = outside->added};
    if (look->k == 0 || look->k >= stj_svd_n_values(a) || n < 2)
        goto out;
    STJ_TRY(stj_new(&r.alpha, most, sizeof *r.alpha, err));
    STJ_TRY(stj_new(&r.beta, most, sizeof *r.beta, err));
    STJ_TRY(stj_svd_complement(a, look->k, look->v, unit, &rest, err));
    STJ_TRY(stj_op_create_normal(rest, &normal, err));
    stj_op_set_rounding(normal, stj_op_rounding(a));
    STJ_TRY(stj_krylov_init(&krylov, n, 1, most, most, budget->settings->seed, STJ_STREAM_CHECK,
                            2 + look->round, err));
    STJ_TRY(look_on(normal, budget, own, unit, look, &krylov, &r, outside, err));
out:
    stj_krylov_free(&krylov);
    stj_op_destroy(normal);
    stj_op_destroy(rest);
    free(r.alpha);
    free(r.beta);
    return st;
}
