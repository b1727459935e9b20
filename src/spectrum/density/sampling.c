/* SPDX-License-Identifier: GPL-3.0-or-later */
/* spectrum/density/sampling.c: intervals for a count by inverting the Beta law.
 *
 * A Gaussian g_p in N dimensions has |P g_p|^2 ~ chi^2_n in the n dimensions of a region and, apart
 * from it, chi^2_{N-n} in the others.  So the mass of p probes, each weighted by its squared
 * length,
 *     sum |P g_p|^2 / sum |g_p|^2  ~  Beta(p n / 2, p (N - n) / 2)
 * exactly, whatever the spectrum.  The law grows with n: the counts that a two-sided test accepts
 * are an interval of integers, and it contains the true one with probability `confidence` exactly. 
 * (The Student interval over 8 probes covers 0.85 where few values lie in the region.)
 *
 * n = 0 and n = N have degenerate laws, accepted when the mass is 0 or 1 to rounding.
 */
#include "spectrum/density/sampling.h"

#include <gsl/gsl_cdf.h>
#include <math.h>
#include <stdbool.h>

/* A region without values has this mass at most, in values: rounding. */
static const double no_value = 1e-6;

enum { LARGE = 20000 }; /* where GSL's continued fraction needs too many terms */

/* Peizer and Pratt (1968): error of the normal deviate below 1e-5 for a, b above 1000. */
static double beta_cdf_normal(double x, double a, double b)
{
    const double n = a + b - 1;
    const double p = 1 - x;
    const double q = x;
    const double s = b - 0.5;
    const double t = a - 0.5;
    const double d = s + 1.0 / 6 - (n + 1.0 / 3) * p + 0.02 * (q / b - p / a + (q - 0.5) / (a + b));
    const double deviance = 2 / (1 + 1 / (6 * n)) * (s * log(s / (n * p)) + t * log(t / (n * q)));
    const double z = d * sqrt(fmax(deviance, 0)) / fabs(s - n * p);
    return gsl_cdf_ugaussian_P(fabs(s - n * p) > 1e-9 * n ? z : d / sqrt(n * p * q));
}

double stj_beta_cdf(double x, double a, double b)
{
    if (x <= 0)
        return 0;
    if (x >= 1)
        return 1;
    if (a + b < LARGE)
        return gsl_cdf_beta_P(x, a, b);
    if (a > 1000 && b > 1000)
        return beta_cdf_normal(x, a, b);
    /* One of them is small: the Gamma law, to second order in their ratio (Wise 1950). */
    if (a <= b)
        return gsl_cdf_gamma_P(-(b + (a - 1) / 2) * log1p(-x), a, 1);
    return gsl_cdf_gamma_Q(-(a + (b - 1) / 2) * log(x), b, 1);
}

/* Is n, of n_values, a count for which so large a mass is not too rare? */
static bool beta_accepts(double n, double mass, double n_values, double n_probes, double tail)
{
    if (n <= 0)
        return mass * n_values <= no_value;
    if (n >= n_values)
        return true;
    return 1 - stj_beta_cdf(mass, n_probes * n / 2, n_probes * (n_values - n) / 2) >= tail;
}

double stj_count_low(double mass, size_t n_values, size_t n_probes, double confidence)
{
    const double tail = (1 - confidence) / 2;
    double bad = -1;                /* not accepted */
    double good = (double)n_values; /* accepted, as all above it */
    while (good - bad > 1) {
        const double n = floor((good + bad) / 2);
        if (beta_accepts(n, mass, (double)n_values, (double)n_probes, tail))
            good = n;
        else
            bad = n;
    }
    return good;
}

double stj_count_high(double mass, size_t n_values, size_t n_probes, double confidence)
{
    return (double)n_values - stj_count_low(1 - mass, n_values, n_probes, confidence);
}
