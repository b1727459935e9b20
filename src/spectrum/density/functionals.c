/* SPDX-License-Identifier: GPL-3.0-or-later */
/* spectrum/density/functionals.c: sums over the spectrum from the Gauss rules of the probes.
 *
 *     sum_i f(sigma_i)  ~  sum over known f  +  n_left mean over probes of sum_j weight_j f(node_j)
 *
 * and ratios of such sums.  Sampling error: jackknife over the probes (leave one out), which serves
 * ratios as well as sums.  Finite steps: the change from the rules of half of the steps.  Sums are
 * taken in units of sigma_1, so that fourth powers do not overflow.
 *
 * The smallest node of a rule stands for everything near 0, and its logarithm says nothing about
 * the logarithms there.  So unless the caller names a floor it lies between the two smallest nodes:
 * what is below is counted, with the doubt about the mass below the floor, and has no part in the
 * sums of logarithms.
 */
#include <math.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/memory.h"
#include "spectrum/density/quadrature.h"

/* The sums that every functional is made of; x = sigma / sigma_1. */
enum sum {
    SUM_BELOW, /* 1, at or below the floor */
    SUM_ABOVE, /* 1, above it */
    SUM_LOG,   /* log sigma, above the floor */
    SUM_X,
    SUM_X_LOG_X,
    SUM_X2,
    SUM_X4,
    N_SUMS,
};

enum { N_VALUES = 7 };

struct scale {
    double unit, floor, n_steps;
};

static void add_value(const struct scale *scale, double sigma, double weight, double *sum)
{
    const double x = sigma / scale->unit;
    const bool below = sigma <= scale->floor || sigma == 0;
    sum[SUM_BELOW] += below ? weight : 0;
    sum[SUM_ABOVE] += below ? 0 : weight;
    sum[SUM_LOG] += below ? 0 : weight * log(sigma);
    sum[SUM_X] += weight * x;
    sum[SUM_X_LOG_X] += x > 0 ? weight * x * log(x) : 0;
    sum[SUM_X2] += weight * x * x;
    sum[SUM_X4] += weight * x * x * x * x;
}

static double ratio_or_zero(double a, double b)
{
    return b > 0 ? a / b : 0;
}

/* value[] in the order of the members of struct stj_density_functionals after its floor. */
static void derive_functionals(const struct scale *scale, const double *sum, double *value)
{
    const double entropy =
        log(fmax(sum[SUM_X], 1e-300)) - ratio_or_zero(sum[SUM_X_LOG_X], sum[SUM_X]);
    const double mean_log = ratio_or_zero(sum[SUM_LOG], sum[SUM_ABOVE]);
    size_t i = 0;
    value[i++] = sum[SUM_BELOW];
    value[i++] = sum[SUM_LOG];
    value[i++] = mean_log;
    value[i++] = ratio_or_zero(mean_log, scale->n_steps);
    value[i++] = ratio_or_zero(sum[SUM_X2] * sum[SUM_X2], sum[SUM_X4]);
    value[i++] = sum[SUM_X] > 0 ? exp(entropy) : 0;
    value[i++] = sum[SUM_X2] * scale->unit * scale->unit;
}

/* total <- known sums and the mean over the probes, all or but one (`without`), of theirs. */
static void combine_sums(const struct stj_density_result *r, const double *known, const double *own,
                         size_t without, double *total)
{
    double mass = 0;
    for (size_t i = 0; i < r->n_probes; i++)
        mass += i == without ? 0 : r->probe[i].mass;
    for (size_t s = 0; s < N_SUMS; s++) {
        total[s] = known[s];
        for (size_t i = 0; i < r->n_probes; i++)
            if (i != without)
                total[s] += (double)r->n_left * r->probe[i].mass / mass * own[i * N_SUMS + s];
    }
}

/* *floor <- between the two smallest nodes of the probes, the largest of these; no less than the
 * floor of rounding.  Exact probes resolve everything. */
static enum stj_status find_floor(const struct stj_density_result *r, double *floor,
                                  struct stj_error *err)
{
    STJ_FREED double *sigma = NULL;
    STJ_MUST(stj_new(&sigma, 2 * r->steps, sizeof *sigma, err));
    *floor = r->floor;
    for (size_t i = 0; i < r->n_probes; i++) {
        const struct stj_density_probe *p = r->probe + i;
        if (p->exact || p->k < 2)
            continue;
        STJ_MUST(stj_gauss_rule(p, p->k, sigma, sigma + r->steps, err));
        *floor = fmax(*floor, sqrt(sigma[p->k - 1]) * sqrt(sigma[p->k - 2]));
    }
    return STJ_OK;
}

/* own[n_probes][N_SUMS] <- the sums of the rules at all, or at half, of the steps. */
static enum stj_status sum_rules(const struct stj_density_result *r, const struct scale *scale,
                                 bool half, double *own, struct stj_error *err)
{
    STJ_FREED double *sigma = NULL;
    STJ_MUST(stj_new(&sigma, 2 * r->steps, sizeof *sigma, err));
    double *weight = sigma + r->steps;
    for (size_t i = 0; i < r->n_probes; i++) {
        const struct stj_density_probe *p = r->probe + i;
        const size_t k = half && !p->exact ? (p->k + 1) / 2 : p->k;
        STJ_MUST(stj_gauss_rule(p, k, sigma, weight, err));
        for (size_t s = 0; s < N_SUMS; s++)
            own[i * N_SUMS + s] = 0;
        for (size_t j = 0; j < k; j++)
            add_value(scale, sigma[j], weight[j], own + i * N_SUMS);
    }
    return STJ_OK;
}

/* error[v] <- the jackknife standard errors; infinite for a single probe. */
static void jackknife(const struct stj_density_result *r, const struct scale *scale,
                      const double *known, const double *own, const double *value, double *error)
{
    const double p = (double)r->n_probes;
    for (size_t v = 0; v < N_VALUES; v++)
        error[v] = 0;
    for (size_t i = 0; i < r->n_probes; i++) {
        double total[N_SUMS];
        double without[N_VALUES] = {0};
        if (r->n_probes == 1) {
            for (size_t v = 0; v < N_VALUES; v++)
                error[v] = INFINITY;
            return;
        }
        combine_sums(r, known, own, i, total);
        derive_functionals(scale, total, without);
        for (size_t v = 0; v < N_VALUES; v++)
            error[v] += (without[v] - value[v]) * (without[v] - value[v]) * (p - 1) / p;
    }
    for (size_t v = 0; v < N_VALUES; v++)
        error[v] = sqrt(error[v]);
}

enum stj_status stj_density_find_functionals(const struct stj_density_result *result,
                                             double n_steps, double floor,
                                             struct stj_density_functionals *functionals,
                                             struct stj_error *err)
{
    STJ_NOT_NULL(err, result, functionals);
    const struct stj_density_result *r = result;
    STJ_FREED double *own = NULL;
    double known[N_SUMS] = {0};
    double total[N_SUMS];
    double value[N_VALUES] = {0};
    double half[N_VALUES] = {0};
    double error[N_VALUES] = {0};
    STJ_NEED(err, n_steps >= 0 && floor >= 0, STJ_EINVAL,
             "a negative number of steps (%g) or floor (%g)", n_steps, floor);
    if (floor == 0)
        STJ_MUST(find_floor(r, &floor, err));
    const struct scale scale = {r->sigma_1 > 0 ? r->sigma_1 : 1, floor, n_steps};
    struct stj_edge edge = {0};
    if (floor > 0 && r->n_left > 0)
        STJ_MUST(stj_edge_measure(r, floor, &edge, err));
    STJ_MUST(stj_new(&own, r->n_probes, N_SUMS * sizeof *own, err));
    for (size_t i = 0; i < r->n_known; i++)
        add_value(&scale, r->known[i], 1, known);
    STJ_MUST(sum_rules(r, &scale, true, own, err));
    combine_sums(r, known, own, SIZE_MAX, total);
    derive_functionals(&scale, total, half);
    STJ_MUST(sum_rules(r, &scale, false, own, err));
    combine_sums(r, known, own, SIZE_MAX, total);
    derive_functionals(&scale, total, value);
    jackknife(r, &scale, known, own, value, error);
    struct stj_measured m[N_VALUES];
    for (size_t v = 0; v < N_VALUES; v++)
        m[v] = (struct stj_measured){value[v], hypot(error[v], value[v] - half[v])};
    const double doubt = edge.error * (double)r->n_left;
    const double above = fmax(total[SUM_ABOVE], 1);
    m[0].error = hypot(m[0].error, doubt);
    m[1].error = hypot(m[1].error, doubt * log(floor > 0 ? floor : 1));
    m[2].error = hypot(m[2].error, doubt * (log(floor > 0 ? floor : 1) - m[2].value) / above);
    m[3].error = ratio_or_zero(m[2].error, n_steps);
    *functionals =
        (struct stj_density_functionals){scale.floor, m[0], m[1], m[2], m[3], m[4], m[5], m[6]};
    return STJ_OK;
}
