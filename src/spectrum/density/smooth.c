/* SPDX-License-Identifier: GPL-3.0-or-later */
/* spectrum/density/smooth.c: the density of log10 sigma as a smooth curve, with a band.
 *
 * With K the Gaussian of standard deviation `width` the curve at x is the sum over the spectrum
 *
 *     d(x) = sum_i K(x - log10 sigma_i),
 *
 * estimated from the Gauss rules as any other such sum (functionals.c); what is deflated is exact.
 *
 * Resolution: a rule of k steps puts nodes where the probe's measure is, and between two neighbours
 * it does not say how the mass lies.  Gaussians on nodes h apart add up to a ripple of
 * 2 exp(-2 (pi width / h)^2), which is 1.4 % at width = h / 2: so half of the distance of the two
 * nodes around x, the mean over the probes, is the width that smoothing needs there, and a curve
 * that is narrower shows nodes.  (A gap of the spectrum counts as what it is: half of its width.)
 * The rule of an exact probe is the measure: 0.
 *
 * Band: two parts, added in squares, as in counts (count.c).
 *   Sampling.  Var d = (2 / p) (sum K_i^2 - d^2 / N) for p Gaussian probes; as many values of equal
 *   height have the same mean and variance: n = d^2 / sum K_i^2 of height sum K_i^2 / d.  The
 *   inverted Beta law (sampling.c) for n of N values is the interval, where few values lie too; it is
 *   one of whole numbers, which n need not be: half of one is added at either end.
 *   Steps.  The change from the rules of half of the steps, as of the functionals; the largest of
 *   the points that share a node with x: within twice the resolution and the width.  Where nodes
 *   still move, the band goes from 0 to the height of the peaks; where they stay it is narrow.
 * No band goes beyond all values at x, or below those that are known there.
 *
 * Fails where both numbers of steps miss the same thing, values of weight below rounding: there is
 * then nothing of them in the alphas and betas.
 */
#include <math.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/memory.h"
#include "spectrum/density/count.h"
#include "spectrum/density/sampling.h"

/* What makes a count not whole: rounding. */
static const double no_part = 1e-6;

/* What a point is a sum of. */
struct sums {
    double known, seen, value; /* of K: exact, of the rules, both */
    double square, half;       /* of K^2 of the rules; of K at half of the steps */
    double spacing;            /* of the nodes around it, the mean over the probes */
};

struct smoothing {
    size_t n;
    const double *at;
    double width, height; /* of the Gaussian */
};

/* exp(-z^2 / 2), z the distance in widths. */
static double bell(const struct smoothing *s, double log_sigma, size_t i)
{
    return exp(-pow((log_sigma - s->at[i]) / s->width, 2) / 2);
}

/* A node of a rule, at all or at half of the steps; share times K's height is its own. */
static void add_node(const struct smoothing *s, double sigma, double share, bool half,
                     struct sums *sum)
{
    for (size_t i = 0; sigma > 0 && i < s->n; i++) {
        const double part = bell(s, log10(sigma), i);
        const double value = share * part;
        sum[i].half += half ? value : 0;
        sum[i].seen += half ? 0 : value;
        sum[i].value += half ? 0 : value;
        sum[i].square += half ? 0 : value * s->height * part;
    }
}

/* The distance in log10 sigma of the nodes around a point, of k > floor that descend; above them of
 * the first two, below them of the point and the last but one.  Infinite where there is no pair. */
static double spacing_at(size_t k, const double *sigma, double floor, double at)
{
    size_t above = 0;
    while (k > 0 && sigma[k - 1] <= floor)
        k--;
    if (k < 2)
        return HUGE_VAL;
    while (above < k && log10(sigma[above]) > at)
        above++;
    if (above == k)
        return log10(sigma[k - 2]) - at;
    above = above < 1 ? 1 : above;
    return log10(sigma[above - 1] / sigma[above]);
}

/* sum <- what the rules of all the probes say, at all and at half of their steps. */
static enum stj_status add_rules(const struct stj_density_result *r, const struct smoothing *s,
                                 struct sums *sum, struct stj_error *err)
{
    STJ_FREED double *sigma = NULL;
    double mass = 0;
    STJ_MUST(stj_new(&sigma, 2 * r->steps, sizeof *sigma, err));
    double *weight = sigma + r->steps;
    for (size_t p = 0; p < r->n_probes; p++)
        mass += r->probe[p].mass;
    for (size_t item = 0; item < 2 * r->n_probes; item++) {
        const struct stj_density_probe *probe = r->probe + item / 2;
        const bool half = item % 2;
        const size_t k = half && !probe->exact ? (probe->k + 1) / 2 : probe->k;
        const double share = s->height * (double)r->n_left * probe->mass / mass;
        STJ_MUST(stj_gauss_rule(probe, k, sigma, weight, err));
        for (size_t j = 0; j < k; j++)
            add_node(s, sigma[j], share * weight[j], half, sum);
        for (size_t i = 0; !half && !probe->exact && i < s->n; i++)
            sum[i].spacing += probe->mass / mass * spacing_at(k, sigma, r->floor, s->at[i]);
    }
    return STJ_OK;
}

/* The largest change from half of the steps to all, of the points that share a node with point i. */
static double change_around(const struct smoothing *s, const struct sums *sum, size_t i)
{
    const double reach = sum[i].spacing + s->width;
    double most = 0;
    for (size_t j = 0; j < s->n; j++)
        if (fabs(s->at[j] - s->at[i]) <= reach)
            most = fmax(most, fabs(sum[j].seen - sum[j].half));
    return most;
}

/* *below, *above <- how far sampling may have the sum from the truth. */
static void sampling_of(const struct stj_density_result *r, const struct sums *sum,
                        double confidence, double *below, double *above)
{
    const double left = (double)r->n_left;
    const double height = sum->seen > 0 ? sum->square / sum->seen : 0;
    const double n = height > 0 ? fmin(sum->seen / height, left) : 0;
    *below = *above = 0;
    if (!(n > 0))
        return;
    const double low = stj_count_low(n / left, r->n_left, r->n_probes, confidence);
    const double most = stj_count_high(n / left, r->n_left, r->n_probes, confidence);
    const double high = fmax(low, most); /* what was seen is there, be it ever so little */
    const double part = high - low < 1 && fabs(n - low) < no_part ? 0 : 0.5;
    *below = height * fmax(n - low + part, 0);
    *above = height * fmax(high + part - n, 0);
}

static void set_band(const struct stj_density_result *r, const struct smoothing *s,
                     const struct sums *sum, size_t i, double confidence,
                     struct stj_density_point *point)
{
    const struct sums *own = sum + i;
    const double all = fmax(s->height * (double)r->n_left, own->seen);
    /* One step: there is no half to compare with. */
    const double steps = isfinite(own->spacing) ? change_around(s, sum, i) : all;
    double below, above;
    sampling_of(r, own, confidence, &below, &above);
    *point = (struct stj_density_point){
        .sigma = pow(10, s->at[i]),
        .density = own->value,
        .low = fmin(fmax(own->value - hypot(below, steps), own->known), own->value),
        .high = fmax(fmin(own->value + hypot(above, steps), own->known + all), own->value),
        .resolution = own->spacing / 2};
}

enum stj_status stj_density_smooth_band(const struct stj_density_result *result, size_t n,
                                        const double *log_sigma, double width, double confidence,
                                        struct stj_density_point *point, struct stj_error *err)
{
    STJ_NOT_NULL(err, result, log_sigma, point);
    const double c = confidence == 0 ? result->confidence : confidence;
    const struct smoothing s = {n, log_sigma, width, 1 / (width * sqrt(2 * acos(-1.0)))};
    STJ_FREED struct sums *sum = NULL;
    STJ_NEED(err, width > 0, STJ_EINVAL, "width is %g, it must be positive", width);
    STJ_MUST(stj_density_check(0.5, c, err));
    STJ_MUST(stj_new(&sum, n, sizeof *sum, err));
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < result->n_known; j++)
            if (result->known[j] > 0)
                sum[i].known += s.height * bell(&s, log10(result->known[j]), i);
        sum[i].value = sum[i].known;
    }
    STJ_MUST(add_rules(result, &s, sum, err));
    for (size_t i = 0; i < n; i++)
        set_band(result, &s, sum, i, c, point + i);
    return STJ_OK;
}

enum stj_status stj_density_smooth(const struct stj_density_result *result, size_t n,
                                   const double *log_sigma, double width, double *density,
                                   struct stj_error *err)
{
    STJ_FREED struct stj_density_point *point = NULL;
    STJ_NOT_NULL(err, result, log_sigma, density);
    STJ_MUST(stj_new(&point, n, sizeof *point, err));
    STJ_MUST(stj_density_smooth_band(result, n, log_sigma, width, 0, point, err));
    for (size_t i = 0; i < n; i++)
        density[i] = point[i].density;
    return STJ_OK;
}
