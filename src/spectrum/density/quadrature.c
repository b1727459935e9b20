/* SPDX-License-Identifier: GPL-3.0-or-later */
/* spectrum/density/quadrature.c: what the bidiagonal matrix of a probe says about its measure.
 *
 * The measure of a probe v puts the mass (v_i . v)^2 on each singular value sigma_i; k steps know
 * its first 2k + 1 moments in lambda = sigma^2.
 *
 * Gauss rule (Golub and Welsch 1969; Golub and Meurant 2010): nodes are the singular values of B_k,
 * weights the squared first components of its right singular vectors.
 *
 * Bounds at an edge t (Chebyshev, Markov, Stieltjes): among the rules that match the moments is
 * exactly one that has lambda = t^2 as a node, the canonical one.  Its mass below t is the least
 * that any measure with these moments can have there, and with the node t itself the greatest; the
 * difference, the Christoffel number L at t, is what is not known.  The rule is Gauss's with one
 * more row in which a single number is changed.  With q_i = alpha_i^2, e_i = beta_i^2 and the
 * stationary qd recurrence
 *     s_1 = -t^2,   d_i = q_i + s_i,   s_{i+1} = e_i s_i / d_i - t^2
 * (d_i: the pivots of B'B - t^2, formed without B'B) the matrix gets t^2 as an eigenvalue by
 *     q_{k+1} <- -s_{k+1}                       if s_{k+1} <= 0
 *     q_{k+1} <- 0,  e_k <- t^2 d_k / s_k       otherwise: 0 is a node too
 * and exactly one of the two is a bidiagonal matrix, that is, a measure on [0, infinity).  As many
 * nodes lie below t as there are negative pivots (Sylvester).  When beta_k = 0 the new node has
 * weight 0: the rule is exact, low = high.  It is that of a matrix from which something was left
 * out as rounding, which may have moved values by tau (spectrum/density/bidiagonalize.h): what lies
 * within tau of the edge may lie on either side of it.
 *
 * Estimate: the middle of the bounds is a smoothed distribution function, with a width that goes
 * down with the number of steps, as 1/k or faster.  Where the density is smooth on the scale of L
 * the error of the middle is proportional to L^2; at the border of a gap it is L/2, since all of L
 * lies on one side.  So the middles at STAGES numbers of steps j from k/2 to k, averaged over the
 * probes, are fitted by both laws,
 *     middle(j) = mass + c L(j)   and   middle(j) = mass + c L(j)^2,
 * extrapolated to L = 0, averaged with weights inverse to the residuals of the fits, and clipped to
 * the bounds at k.
 *
 * Error of a finite number of steps: half of the correction that was made; the doubt which law
 * holds; L/2, which nothing can exceed, reduced by r^2, r = min(1, L / (mass on the smaller side of
 * t)): where one node stands for all the mass of a side nothing is resolved, where r is small so is
 * the second-order error of the middle.  And, independent of these, share_of_values sqrt(N L) for
 * the N L values that share a node and do not lie evenly.
 */
#include "spectrum/density/quadrature.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/blas.h"
#include "base/error.h"
#include "base/memory.h"
#include "parallel/parallel.h"
#include "spectrum/density/bidiagonalize.h"

enum {
    STAGES = 5,               /* numbers of steps in the fit: k/2, 5k/8, .. k */
    LEAST_TO_FIT = 2 * STAGES /* steps below which stages would coincide: no extrapolation */
};

/* Of the sqrt(n) by which n values at random places differ from evenly spread ones. */
static const double share_of_values = 0.6;

/* 1/2, 5/8, .. 1: the share of its steps that stage s takes of a probe. */
static double stage_fraction(size_t s)
{
    return (double)(STAGES - 1 + s) / (double)(2 * STAGES - 2);
}

enum stj_status stj_gauss_rule(const struct stj_density_probe *probe, size_t k, double *sigma,
                               double *weight, struct stj_error *err)
{
    STJ_FREED double *e = NULL;
    STJ_MUST(stj_new(&e, k, sizeof *e, err));
    memcpy(sigma, probe->alpha, k * sizeof *sigma);
    memcpy(e, probe->beta, k * sizeof *e);
    return stj_bdsqr(k, sigma, e, weight, err);
}

/* alpha[k + 1], beta[k] <- the canonical matrix for the edge; returns the number of nodes below it.
 * Everything is in units of the edge, so that squares of large values do not overflow. */
static size_t canonical_rule(const struct stj_density_probe *probe, size_t k, double edge,
                             double *alpha, double *beta)
{
    size_t below = 0;
    double s = -1;
    double d = 0;
    double next = 0;
    for (size_t i = 0; i < k; i++) {
        alpha[i] = probe->alpha[i] / edge;
        beta[i] = probe->beta[i] / edge;
        d = alpha[i] * alpha[i] + s;
        if (fabs(d) < DBL_MIN)
            d = DBL_MIN; /* the edge is a node of a shorter rule: to its left by nothing */
        below += d < 0;
        next = beta[i] * beta[i] * s / d - 1;
        if (i + 1 < k)
            s = next;
    }
    if (!isfinite(next))
        next = next > 0 ? DBL_MAX : -DBL_MAX;
    if (next <= 0) {
        alpha[k] = sqrt(-next);
    } else {
        alpha[k] = 0;
        beta[k - 1] = sqrt(d / s);
    }
    return below;
}

enum stj_status stj_mass_bounds(const struct stj_density_probe *probe, size_t k, double edge,
                                double *low, double *high, struct stj_error *err)
{
    STJ_FREED double *alpha = NULL;
    STJ_MUST(stj_new(&alpha, 3 * (k + 1), sizeof *alpha, err));
    double *beta = alpha + k + 1;
    double *weight = beta + k + 1;
    const size_t below = canonical_rule(probe, k, edge, alpha, beta);
    STJ_MUST(stj_bdsqr(k + 1, alpha, beta, weight, err));
    double sum = 0;
    for (size_t i = 0; i < below; i++)
        sum += weight[k - i]; /* the nodes descend */
    *low = fmin(sum, 1);
    *high = fmin(sum + weight[k - below], 1);
    return STJ_OK;
}

/* What the probes say at an edge: means over them. */
struct followed {
    double middle[STAGES], width[STAGES];
    double low, high;   /* at the last stage */
    size_t least_steps; /* of the probes that are not exact */
};

/* Stage s of a probe: the number of steps. */
static size_t stage_steps(const struct stj_density_probe *probe, size_t s)
{
    const double k = ceil(stage_fraction(s) * (double)probe->k);
    return probe->exact ? probe->k : k < 1 ? 1 : (size_t)k;
}

double stj_exact_error(const struct stj_density_result *result)
{
    return fmax(stj_bidiagonal_tau((double)result->n_params, 0) * result->sigma_1, result->floor);
}

/* The bounds of one probe, with those of an edge to the left and to the right where values may have
 * moved. */
static enum stj_status follow_probe(const struct stj_density_result *result,
                                    const struct stj_density_probe *probe, size_t k, double at,
                                    double *low, double *high, struct stj_error *err)
{
    const double tau = probe->exact ? stj_exact_error(result) : 0;
    double other;
    STJ_MUST(stj_mass_bounds(probe, k, at + tau, low, high, err));
    *low = at - tau > 0 ? *low : 0;
    if (tau > 0 && at - tau > 0)
        STJ_MUST(stj_mass_bounds(probe, k, at - tau, low, &other, err));
    return STJ_OK;
}

/* low[n][STAGES], high[...] <- the bounds of every probe at every stage. */
static enum stj_status follow_probes(const struct stj_density_result *result, double at,
                                     double *low, double *high, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const size_t n_items = result->n_probes * STAGES;
#pragma omp parallel for schedule(dynamic, 1) num_threads((int)stj_threads())
    for (size_t item = 0; item < n_items; item++) {
        const struct stj_density_probe *probe = result->probe + item / STAGES;
        const size_t k = stage_steps(probe, item % STAGES);
        struct stj_error own = STJ_ERROR_INIT;
        const enum stj_status mine =
            follow_probe(result, probe, k, at, low + item, high + item, &own);
        if (mine != STJ_OK) {
#pragma omp critical(stj_density_failure)
            st = stj_error_set(err, mine, own.file, own.line, "%s", own.text);
        }
    }
    return st;
}

static enum stj_status follow_stages(const struct stj_density_result *result, double at,
                                     struct followed *f, struct stj_error *err)
{
    STJ_FREED double *low = NULL;
    double mass = 0;
    *f = (struct followed){.least_steps = SIZE_MAX};
    STJ_MUST(stj_new(&low, 2 * result->n_probes * STAGES, sizeof *low, err));
    double *high = low + result->n_probes * STAGES;
    STJ_MUST(follow_probes(result, at, low, high, err));
    for (size_t i = 0; i < result->n_probes; i++)
        mass += result->probe[i].mass;
    for (size_t i = 0; i < result->n_probes; i++) {
        const struct stj_density_probe *p = result->probe + i;
        const double share = p->mass / mass;
        for (size_t s = 0; s < STAGES; s++) {
            f->middle[s] += share * (low[i * STAGES + s] + high[i * STAGES + s]) / 2;
            f->width[s] += share * (high[i * STAGES + s] - low[i * STAGES + s]);
        }
        f->low += share * low[i * STAGES + STAGES - 1];
        f->high += share * high[i * STAGES + STAGES - 1];
        if (!p->exact && p->k < f->least_steps)
            f->least_steps = p->k;
    }
    return STJ_OK;
}

/* Least-squares fit  middle = value + c x  over the stages, x >= 0; *residual is its mean square. 
 * Where the x hardly differ the slope is held down: nothing can be learnt from them. */
static double fit_stages(const double *middle, const double *x, double *residual)
{
    double mean_x = 0;
    double mean_y = 0;
    double sxx = 0;
    double sxy = 0;
    for (size_t s = 0; s < STAGES; s++) {
        mean_x += x[s] / STAGES;
        mean_y += middle[s] / STAGES;
    }
    for (size_t s = 0; s < STAGES; s++) {
        sxx += (x[s] - mean_x) * (x[s] - mean_x);
        sxy += (x[s] - mean_x) * (middle[s] - mean_y);
    }
    sxx += STAGES * pow(0.05 * mean_x, 2);
    const double slope = sxx > 0 ? sxy / sxx : 0;
    *residual = 0;
    for (size_t s = 0; s < STAGES; s++)
        *residual += pow(middle[s] - mean_y - slope * (x[s] - mean_x), 2) / STAGES;
    return mean_y - slope * mean_x;
}

/* The middle at width 0, by both laws, each with the weight that its fit deserves; *doubt is the
 * standard deviation of that choice (Buckland, Burnham, Augustin 1997). */
static double extrapolate(const double *middle, const double *width, double *doubt)
{
    static const double noise = 1e-12; /* of the residuals: what rounding leaves */
    double square[STAGES];
    double residual[2];
    for (size_t s = 0; s < STAGES; s++)
        square[s] = width[s] * width[s];
    const double linear = fit_stages(middle, width, residual);
    const double quadratic = fit_stages(middle, square, residual + 1);
    const double share = (residual[1] + noise) / (residual[0] + residual[1] + 2 * noise);
    *doubt = sqrt(share * (1 - share)) * fabs(linear - quadratic);
    return share * linear + (1 - share) * quadratic;
}

enum stj_status stj_edge_measure(const struct stj_density_result *result, double at,
                                 struct stj_edge *edge, struct stj_error *err)
{
    struct followed f;
    double doubt = 0;
    STJ_MUST(follow_stages(result, at, &f, err));
    const double width = fmax(f.high - f.low, 0);
    const double middle = (f.low + f.high) / 2;
    *edge = (struct stj_edge){.mass = middle, .low = f.low, .high = f.high};
    if (f.least_steps >= LEAST_TO_FIT && f.least_steps != SIZE_MAX)
        edge->mass = fmin(fmax(extrapolate(f.middle, f.width, &doubt), f.low), f.high);
    const double side = fmin(edge->mass, 1 - edge->mass);
    const double r = width < side ? width / side : 1;
    const double correction = fabs(edge->mass - middle);
    const double smooth = width / 2 * r * r + correction / 2 + doubt;
    const double discrete = share_of_values * sqrt(width / (double)result->n_left);
    edge->error = fmin(hypot(smooth, discrete), width / 2 + correction);
    return STJ_OK;
}
