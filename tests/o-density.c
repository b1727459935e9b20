/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/o-density.c: counts of singular values against spectra that are known.
 *
 * What holds for every probe (moments, bounds, invariant subspaces) is checked to rounding; what
 * holds on average (coverage of intervals) over many seeds, STJ_TEST_MULTIPLIER times as many on
 * demand (5: the 200 of the published calibration; the table is printed).
 */
#include <float.h>
#include <gsl/gsl_cdf.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <spectraj/density.h>

#include "base/blas.h"
#include "base/rng.h"
#include "expect.h"
#include "known_op.h"
#include "small_run.h"
#include "analysis/charts.h"
#include "spectrum/density/quadrature.h"
#include "spectrum/density/sampling.h"

static struct stj_density_result *solve(struct stj_op *op, const struct stj_density_settings *s)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_density_result *r = NULL;
    EXPECT_OK(stj_density_solve(op, s, &r, &err), err);
    return r;
}

static struct stj_density_settings settings(size_t probes, size_t steps, uint64_t seed)
{
    struct stj_density_settings s = stj_density_settings_default();
    s.probes = probes;
    s.steps = steps;
    s.seed = seed;
    return s;
}

/* mass[i] <- (v_i . v)^2 of probe number 0 of the seed, for the right singular vectors of k. */
static void true_measure(const struct known_matrix *k, uint64_t seed, double *mass)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_rng *rng = NULL;
    double *g = calloc(k->n, sizeof *g);
    EXPECT_OK(stj_rng_create(seed, STJ_STREAM_PROBES, 0, &rng, &err), err);
    stj_rng_fill_normal(rng, k->n, g);
    const double length = stj_nrm2(k->n, g);
    for (size_t i = 0; i < k->least; i++)
        mass[i] = pow(stj_dot(k->n, g, k->v + i * k->n) / length, 2);
    free(g);
    stj_rng_destroy(rng);
}

static const size_t shapes[][2] = {{60, 60}, {80, 50}, {50, 80}};
enum { N_SHAPES = sizeof shapes / sizeof shapes[0], MOST = 80 };

/* The rule of k steps integrates lambda^0 .. lambda^(2k - 1) of the probe's own measure.  Rounding:
 * of the moments of B, k steps of 3 N eps each, relative to sigma_1^2j. */
START_TEST(gauss_rules_have_the_moments)
{
    struct stj_error err = STJ_ERROR_INIT;
    double sigma[MOST];
    double mass[MOST];
    const size_t m = shapes[_i][0];
    const size_t n = shapes[_i][1];
    for (size_t i = 0; i < MOST; i++)
        sigma[i] = 2.0 / (1 + 0.1 * (double)i);
    struct known_matrix *k = known_matrix_create(m, n, sigma, 3);
    struct stj_op *op = known_matrix_op(k);
    const struct stj_density_settings s = settings(1, 12, 5);
    struct stj_density_result *r = solve(op, &s);
    true_measure(k, 5, mass);
    for (size_t steps = 1; steps <= 12; steps++) {
        double node[MOST];
        double weight[MOST];
        EXPECT_OK(stj_gauss_rule(r->probe, steps, node, weight, &err), err);
        for (size_t j = 0; j < 2 * steps; j++) {
            double want = j == 0 ? 1 : 0;
            double got = 0;
            for (size_t i = 0; j > 0 && i < k->least; i++)
                want += mass[i] * pow(sigma[i], 2 * (double)j);
            for (size_t i = 0; i < steps; i++)
                got += weight[i] * pow(node[i], 2 * (double)j);
            const double bound =
                3 * 12 * (double)(m + n) * DBL_EPSILON * pow(sigma[0], 2 * (double)j);
            ck_assert_msg(fabs(got - want) <= bound,
                          "%zux%zu, %zu steps: moment %zu: %.17g for %.17g", m, n, steps, j, got,
                          want);
        }
    }
    stj_density_result_destroy(r);
    stj_op_destroy(op);
    known_matrix_free(k);
}
END_TEST

/* At every edge and every number of steps the bounds hold the probe's true mass, and each step
 * narrows them.  Rounding: of sums of at most N weights, and of singular values that sit at the
 * edge, which is kept away from them. */
START_TEST(bounds_hold_the_mass)
{
    struct stj_error err = STJ_ERROR_INIT;
    double sigma[MOST];
    double mass[MOST];
    const size_t m = shapes[_i][0];
    const size_t n = shapes[_i][1];
    for (size_t i = 0; i < MOST; i++)
        sigma[i] = i % 3 == 0 ? 1 : 2.5 * exp(-0.1 * (double)i);
    struct known_matrix *k = known_matrix_create(m, n, sigma, 6);
    struct stj_op *op = known_matrix_op(k);
    const struct stj_density_settings s = settings(1, n, 9);
    struct stj_density_result *r = solve(op, &s);
    true_measure(k, 9, mass);
    ck_assert(r->probe[0].exact && r->stop == STJ_STOP_INVARIANT_SUBSPACE);
    for (double edge = 0.0103; edge < 3; edge *= 1.17) {
        double want = 1;
        double width = 1;
        for (size_t i = 0; i < k->least; i++)
            want -= sigma[i] > edge ? mass[i] : 0;
        for (size_t steps = 1; steps <= r->probe[0].k; steps++) {
            double low = NAN;
            double high = NAN;
            EXPECT_OK(stj_mass_bounds(r->probe, steps, edge, &low, &high, &err), err);
            ck_assert_msg(
                low <= want + 1e-10 && high >= want - 1e-10 && high - low <= width + 1e-10,
                "%zux%zu: edge %g, %zu steps: %.12g not in %.12g .. %.12g (width before %g)", m, n,
                edge, steps, want, low, high, width);
            width = high - low;
        }
        ck_assert_msg(width <= 1e-10, "edge %g: %g left when the space is exhausted", edge, width);
    }
    stj_density_result_destroy(r);
    stj_op_destroy(op);
    known_matrix_free(k);
}
END_TEST

/* What one spectrum's seeds add up to, per region: covered, enclosed, half width of the interval,
 * of its sampling part. */
struct tally {
    size_t covered, enclosed;
    double half, sampling, worst;
};

static bool holds(double low, double high, double x)
{
    return low - 1e-6 <= x && x <= high + 1e-6; /* counts: 1e-6 is nothing */
}

static void tally_count(const struct stj_density_count *c, double truth, struct tally *t,
                        const char *name, uint64_t seed)
{
    ck_assert_msg(isfinite(c->estimate) && isfinite(c->low) && isfinite(c->high) &&
                      isfinite(c->enclosure_low) && isfinite(c->enclosure_high),
                  "%s, seed %zu: not finite", name, (size_t)seed);
    ck_assert_msg(c->low <= c->estimate && c->estimate <= c->high &&
                      c->enclosure_low <= c->estimate && c->estimate <= c->enclosure_high,
                  "%s, seed %zu: %g outside its own intervals", name, (size_t)seed, c->estimate);
    t->covered += holds(c->low, c->high, truth);
    t->enclosed += holds(c->enclosure_low, c->enclosure_high, truth);
    t->half += (c->high - c->low) / 2;
    t->sampling += c->sampling;
    t->worst = fmax(t->worst, fabs(c->estimate - truth));
}

/* 95 % intervals cover at least 0.90 of the time, the enclosures (sampling at 99.9 %) always, or
 * once. */
START_TEST(intervals_are_calibrated)
{
    const struct known_spectrum *spectrum = &known_spectra[_i];
    const size_t n = spectrum->n;
    const size_t seeds = test_seeds(40);
    static const char *const region[] = {"chaotic", "bulk", "stable"};
    struct tally tally[3] = {0};
    double *sigma = calloc(n, sizeof *sigma);
    for (size_t i = 0; i < n; i++)
        sigma[i] = spectrum->sigma(i, n);
    const struct stj_regions truth = stj_regions_count(n, sigma, 0.1);
    struct stj_op *op = diagonal_op(n, sigma);
    for (uint64_t seed = 1; seed <= seeds; seed++) {
        const struct stj_density_settings s = settings(8, spectrum->steps, seed);
        struct stj_density_result *r = solve(op, &s);
        const struct stj_density_counts *c = &r->regions;
        tally_count(&c->chaotic, (double)truth.chaotic, tally, spectrum->name, seed);
        tally_count(&c->bulk, (double)truth.bulk, tally + 1, spectrum->name, seed);
        tally_count(&c->stable, (double)truth.stable, tally + 2, spectrum->name, seed);
        const double sum = c->chaotic.estimate + c->bulk.estimate + c->stable.estimate;
        ck_assert_msg(fabs(sum - (double)n) <= 1e-9 * (double)n, "%s: counts sum to %.12g",
                      spectrum->name, sum);
        stj_density_result_destroy(r);
    }
    for (size_t i = 0; i < 3; i++) {
        const struct tally *t = tally + i;
        printf("%-26s N %4zu steps %3zu %-8s cover %.3f enclosed %.3f half width %6.2f (sampling "
               "%6.2f) worst %6.2f\n",
               spectrum->name, n, spectrum->steps, region[i], (double)t->covered / (double)seeds,
               (double)t->enclosed / (double)seeds, t->half / (double)seeds,
               t->sampling / (double)seeds, t->worst);
        ck_assert_msg(t->covered >= least_successes(seeds, 0.90),
                      "%s: %s covered by %zu of %zu intervals", spectrum->name, region[i],
                      t->covered, seeds);
        ck_assert_msg(t->enclosed >= least_successes(seeds, 0.999), "%s: %s enclosed by %zu of %zu",
                      spectrum->name, region[i], t->enclosed, seeds);
    }
    stj_op_destroy(op);
    free(sigma);
}
END_TEST

/* The values of a spectrum that is drawn: those of the file STJ_DENSITY_SPECTRUM, one a line, where there
 * is one; else a small copy of that of a training: a narrow bulk with tails to either side. */
static size_t drawn_spectrum(double **sigma)
{
    enum { SMALL = 600, MOST_VALUES = 1000000 };
    const char *path = getenv("STJ_DENSITY_SPECTRUM");
    FILE *file = path ? fopen(path, "r") : NULL;
    size_t n = 0;
    ck_assert_msg(!path || file, "%s cannot be read", path);
    *sigma = calloc(file ? MOST_VALUES : SMALL, sizeof **sigma);
    while (file && n < MOST_VALUES && fscanf(file, "%lf", &(*sigma)[n]) == 1)
        n++;
    for (size_t i = 0; !file && i < SMALL; i++) {
        const double z = ((double)i + 0.5) / SMALL;
        (*sigma)[i] = i < 90    ? pow(10, 0.05 + 1.2 * (double)i / 90)
                      : i < 450 ? 1 + 0.05 * (2 * z - 0.9)
                                : pow(10, -0.05 - 2.5 * pow((double)(i - 450) / 150, 2));
        n = i + 1;
    }
    if (file)
        fclose(file);
    return n;
}

/* How a figure stands to the truth: in windows of a tenth of a decade above the floor. */
struct drawn_tally {
    size_t windows, covered, wide;
    double factor[4000]; /* high / low of windows of over 50 values */
};

static void tally_drawn(const struct stj_density_result *r, size_t n, const double *sigma,
                        struct drawn_tally *t)
{
    struct stj_density_point point[STJ_DENSITY_POINTS];
    struct stj_error err = STJ_ERROR_INIT;
    double width;
    size_t n_points;
    EXPECT_OK(stj_density_draw(r, &width, &n_points, point, &err), err);
    for (size_t i = 0; i < n_points; i++) {
        double truth = 0;
        for (size_t k = 0; k < n; k++)
            truth += sigma[k] > 0 && fabs(log10(sigma[k]) - log10(point[i].sigma)) <= width / 2;
        ck_assert(point[i].low <= point[i].density && point[i].density <= point[i].high);
        t->windows++;
        t->covered += holds(point[i].low, point[i].high, truth / width);
        if (truth > 50 && t->wide < 4000)
            t->factor[t->wide++] = point[i].high / fmax(point[i].low, 1e-9);
    }
}

static int compare_factors(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The band that is drawn contains the truth in 0.9 of the windows (of one seed alone, whose windows err
 * together, 0.8); over many steps it is narrow. */
START_TEST(bands_that_are_drawn_contain_the_truth)
{
    static const struct {
        size_t probes, steps;
        double factor;
    } how[] = {{8, 200, 2}, {4, 60, HUGE_VAL}};
    struct drawn_tally t = {.windows = 0};
    double *sigma = NULL;
    const bool whole = getenv("STJ_DENSITY_SPECTRUM");
    const size_t n = drawn_spectrum(&sigma), seeds = whole ? test_seeds(10) : 1;
    const size_t steps = whole ? how[_i].steps : how[_i].steps / 2; /* of a small copy */
    struct stj_op *op = diagonal_op(n, sigma);
    for (uint64_t seed = 1; seed <= seeds; seed++) {
        const struct stj_density_settings s = settings(how[_i].probes, steps, seed);
        struct stj_density_result *r = solve(op, &s);
        tally_drawn(r, n, sigma, &t);
        stj_density_result_destroy(r);
    }
    qsort(t.factor, t.wide, sizeof *t.factor, compare_factors);
    const double factor = t.wide > 0 ? t.factor[t.wide / 2] : 1;
    printf("drawn, %zu probes x %zu steps: %zu of %zu windows covered, median high / low %.3g\n",
           how[_i].probes, steps, t.covered, t.windows, factor);
    ck_assert_msg((double)t.covered >= (whole ? 0.9 : 0.8) * (double)t.windows,
                  "%zu of %zu windows covered", t.covered, t.windows);
    ck_assert_msg(factor <= how[_i].factor, "the median band is %g wide", factor);
    stj_op_destroy(op);
    free(sigma);
}
END_TEST

/* The smoothed density of a known spectrum at x. */
static double true_density(size_t n, const double *sigma, double x, double width)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        if (sigma[i] > 0)
            sum += exp(-pow((log10(sigma[i]) - x) / width, 2) / 2) / (width * sqrt(2 * acos(-1.0)));
    return sum;
}

/* The 95 % band of the density contains the true one at 0.90 of the points of a curve at least, and
 * its estimate everywhere.  (1e-6 of a value is nothing.) */
START_TEST(bands_of_the_density_are_calibrated)
{
    enum { POINTS = 121 };
    const struct known_spectrum *spectrum = &known_spectra[_i];
    const size_t n = spectrum->n, seeds = test_seeds(20);
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_density_point point[POINTS];
    double *sigma = calloc(n, sizeof *sigma);
    double x[POINTS], largest = 0, band = 0, peak = 0;
    size_t covered = 0;
    for (size_t i = 0; i < n; i++) {
        sigma[i] = spectrum->sigma(i, n);
        largest = fmax(largest, sigma[i]);
    }
    for (size_t i = 0; i < POINTS; i++)
        x[i] = log10(largest) + 0.2 - 0.025 * (double)i;
    struct stj_op *op = diagonal_op(n, sigma);
    for (uint64_t seed = 1; seed <= seeds; seed++) {
        const struct stj_density_settings s = settings(8, spectrum->steps, seed);
        struct stj_density_result *r = solve(op, &s);
        EXPECT_OK(stj_density_smooth_band(r, POINTS, x, 0.05, 0, point, &err), err);
        for (size_t i = 0; i < POINTS; i++) {
            const double truth = true_density(n, sigma, x[i], 0.05);
            ck_assert_msg(point[i].low <= point[i].density && point[i].density <= point[i].high,
                          "%s, seed %zu: %g outside its own band", spectrum->name, (size_t)seed,
                          point[i].density);
            covered += holds(point[i].low, point[i].high, truth);
            band += (point[i].high - point[i].low) / 2;
            peak = fmax(peak, truth);
        }
        stj_density_result_destroy(r);
    }
    const size_t all = POINTS * seeds;
    printf("%-26s density: cover %.3f, mean half width of the band %.3g, peak %.3g\n",
           spectrum->name, (double)covered / (double)all, band / (double)all, peak);
    ck_assert_msg((double)covered >= 0.90 * (double)all, "%s: %zu of %zu points covered",
                  spectrum->name, covered, all);
    stj_op_destroy(op);
    free(sigma);
}
END_TEST

/* Where the steps resolve the spectrum an interval is not wider than sampling alone makes it. */
START_TEST(intervals_are_not_too_wide)
{
    double sigma[400];
    for (size_t i = 0; i < 400; i++)
        sigma[i] = i < 90 ? 3 : i < 300 ? 1 : 0.3;
    struct stj_op *op = diagonal_op(400, sigma);
    const struct stj_density_settings s = settings(8, 20, 1);
    struct stj_density_result *r = solve(op, &s);
    const struct stj_density_count *c = &r->regions.bulk;
    /* Beta(a, b), a + b = 8 x 200: standard deviation sqrt(m (1 - m) / 1601) */
    const double m = c->estimate / 400;
    const double half = 1.96 * 400 * sqrt(m * (1 - m) / 1601);
    ck_assert_msg(fabs((c->high - c->low) / 2 / half - 1) < 0.1, "half width %g, expected %g",
                  (c->high - c->low) / 2, half);
    ck_assert_msg(c->finite_steps < 1e-6, "three values, and steps are off by %g", c->finite_steps);
    stj_density_result_destroy(r);
    stj_op_destroy(op);
}
END_TEST

START_TEST(invariant_subspaces_are_exact_and_cheap)
{
    double sigma[50];
    for (int zero = 0; zero < 2; zero++) {
        for (size_t i = 0; i < 50; i++)
            sigma[i] = zero ? 0 : 1;
        struct stj_op *op = diagonal_op(50, sigma);
        const struct stj_density_settings s = settings(3, 40, 2);
        struct stj_density_result *r = solve(op, &s);
        const struct stj_density_count *c = zero ? &r->regions.stable : &r->regions.bulk;
        ck_assert_int_eq(r->stop, STJ_STOP_INVARIANT_SUBSPACE);
        ck_assert_double_eq(r->counts.jvp + r->counts.vjp, 6);
        ck_assert_double_eq_tol(c->estimate, 50, 1e-9);
        ck_assert_double_eq_tol(c->low, 50, 1e-9);
        ck_assert_double_eq_tol(c->enclosure_low, 50, 1e-9);
        ck_assert_double_eq_tol(r->sigma_1, zero ? 0 : 1, 1e-14);
        struct stj_density_functionals f;
        struct stj_error err = STJ_ERROR_INIT;
        EXPECT_OK(stj_density_find_functionals(r, 10, 0, &f, &err), err);
        ck_assert_double_eq_tol(f.log_volume.value, 0, 1e-12);
        ck_assert_double_eq_tol(f.below_floor.value, zero ? 50 : 0, 1e-9);
        ck_assert_double_eq_tol(f.effective_rank.value, zero ? 0 : 50, 1e-9);
        ck_assert_double_eq_tol(f.participation_ratio.value, zero ? 0 : 50, 1e-9);
        stj_density_result_destroy(r);
        stj_op_destroy(op);
    }
}
END_TEST

/* Triplets of a known matrix, as a solver would hand them over; `skip` of them is left out. */
static struct stj_pairs known_pairs(struct known_matrix *k, const double *sigma, size_t n,
                                    size_t skip)
{
    struct stj_pairs p = {.n_rows = k->m, .n_cols = k->n};
    p.sigma = calloc(n, sizeof *p.sigma);
    p.residual = calloc(n, sizeof *p.residual);
    p.u = calloc(n * k->m, sizeof *p.u);
    p.v = calloc(n * k->n, sizeof *p.v);
    for (size_t i = 0; i < n; i++) {
        if (i == skip)
            continue;
        p.sigma[p.k] = sigma[i];
        memcpy(p.u + p.k * k->m, k->u + i * k->m, k->m * sizeof *p.u);
        memcpy(p.v + p.k * k->n, k->v + i * k->n, k->n * sizeof *p.v);
        p.k++;
    }
    return p;
}

static void pairs_free(struct stj_pairs *p)
{
    free(p->sigma);
    free(p->residual);
    free(p->u);
    free(p->v);
}

/* 100 values: 12 chaotic, from 9.0 down to 3.5, then a bulk, then some stable ones. */
static double with_outliers(size_t i)
{
    return i < 12   ? 9 - 0.5 * (double)i
           : i < 80 ? 1 + 0.001 * ((double)i - 46)
                    : 0.5 - 0.02 * (double)(i - 80);
}

START_TEST(deflated_triplets_are_counted_exactly)
{
    double sigma[100];
    for (size_t i = 0; i < 100; i++)
        sigma[i] = with_outliers(i);
    struct known_matrix *k = known_matrix_create(100, 100, sigma, 8);
    struct stj_op *op = known_matrix_op(k);
    struct stj_pairs known = known_pairs(k, sigma, 12, 99);
    struct stj_density_settings s = settings(4, 30, 3);
    struct stj_density_result *without = solve(op, &s);
    s.known[0] = &known;
    struct stj_density_result *r = solve(op, &s);
    ck_assert_uint_eq(r->n_known, 12);
    ck_assert_uint_eq(r->n_left, 88);
    ck_assert_double_eq_tol(r->regions.chaotic.estimate, 12, 1e-6);
    ck_assert_double_eq_tol(r->regions.chaotic.high - r->regions.chaotic.low, 0, 1e-6);
    ck_assert_double_gt(without->regions.chaotic.high - without->regions.chaotic.low, 2);
    ck_assert_double_lt(r->regions.bulk.high - r->regions.bulk.low,
                        without->regions.bulk.high - without->regions.bulk.low);
    ck_assert(holds(r->regions.bulk.low, r->regions.bulk.high, 68));
    ck_assert(r->missed_above.compared && r->missed_above.low < 1e-6);
    ck_assert(!r->missed_below.compared);
    ck_assert_double_eq_tol(r->sigma_1, 9, 1e-12);
    stj_density_result_destroy(r);

    pairs_free(&known); /* one of them overlooked: found out */
    known = known_pairs(k, sigma, 12, 5);
    r = solve(op, &s);
    ck_assert_msg(r->missed_above.low >= 1 &&
                      holds(r->regions.chaotic.low, r->regions.chaotic.high, 12),
                  "missed %g, at least %g", r->missed_above.estimate, r->missed_above.low);
    stj_density_result_destroy(r);

    known.residual[2] = 0.1; /* not good enough to be taken out */
    r = solve(op, &s);
    ck_assert_uint_eq(r->n_known, 10);
    stj_density_result_destroy(r);
    pairs_free(&known);

    /* Two sets with triplets in common: each is counted once. */
    known = known_pairs(k, sigma, 12, 99);
    struct stj_pairs more = known_pairs(k, sigma, 20, 3);
    s.known[1] = &more;
    r = solve(op, &s);
    ck_assert_uint_eq(r->n_known, 20);
    ck_assert_double_eq_tol(r->regions.chaotic.high - r->regions.chaotic.low, 0, 1e-6);
    ck_assert_double_eq_tol(r->regions.chaotic.estimate, 12, 1e-6);
    stj_density_result_destroy(r);
    s.known[1] = NULL;
    pairs_free(&more);
    pairs_free(&known);

    known = known_pairs(k, sigma, 100, 100); /* nothing left to count */
    r = solve(op, &s);
    ck_assert_double_eq(r->regions.bulk.low, 68);
    ck_assert_double_eq(r->regions.bulk.high, 68);
    ck_assert_double_eq(r->counts.jvp + r->counts.vjp, 0);
    stj_density_result_destroy(r);
    stj_density_result_destroy(without);
    pairs_free(&known);
    stj_op_destroy(op);
    known_matrix_free(k);
}
END_TEST

static double power_law(size_t i, size_t n)
{
    return 3 * pow(((double)i + 1) / (double)n, 2);
}

static void fill(size_t n, double *sigma, double (*f)(size_t, size_t))
{
    for (size_t i = 0; i < n; i++)
        sigma[i] = f(i, n);
}

START_TEST(budgets_end_with_what_is_in_hand)
{
    double sigma[300];
    fill(300, sigma, power_law);
    struct stj_op *op = diagonal_op(300, sigma);
    struct stj_density_settings s = settings(4, 60, 3);
    s.max_applications = 100;
    struct stj_density_result *r = solve(op, &s);
    ck_assert_int_eq(r->stop, STJ_STOP_MAX_APPLICATIONS);
    ck_assert_uint_eq(r->steps, 12); /* 12 x 4 x 2 = 96 */
    ck_assert_double_eq(r->counts.jvp + r->counts.vjp, 96);
    ck_assert_double_le(r->regions.bulk.low, r->regions.bulk.high);
    stj_density_result_destroy(r);

    s.max_applications = 0;
    s.max_seconds = 1e-9; /* the first step is always taken */
    r = solve(op, &s);
    ck_assert_int_eq(r->stop, STJ_STOP_MAX_SECONDS);
    ck_assert_uint_eq(r->steps, 1);
    stj_density_result_destroy(r);

    struct stj_error err = STJ_ERROR_INIT;
    s.max_seconds = 0;
    s.max_applications = 7;
    r = NULL;
    EXPECT_FAIL(stj_density_solve(op, &s, &r, &err), STJ_EINVAL, "max_applications is 7", err);
    ck_assert_ptr_null(r);
    stj_op_destroy(op);
}
END_TEST

/* Interrupts after a number of reports. */
static int interrupt(void *ctx, const char *what, double done, double total)
{
    (void)what;
    (void)done;
    (void)total;
    size_t *left = ctx;
    return (*left)-- == 0;
}

START_TEST(an_interrupt_is_a_result)
{
    struct stj_error err = STJ_ERROR_INIT;
    double sigma[300];
    fill(300, sigma, power_law);
    struct stj_op *op = diagonal_op(300, sigma);
    struct stj_density_settings s = settings(4, 60, 3);
    size_t left = 7;
    s.progress = (struct stj_progress){.fn = interrupt, .ctx = &left};
    struct stj_density_result *r = solve(op, &s);
    ck_assert_int_eq(r->stop, STJ_STOP_INTERRUPTED);
    ck_assert_uint_eq(r->steps, 7);
    stj_density_result_destroy(r);
    left = 0;
    r = NULL;
    EXPECT_FAIL(stj_density_solve(op, &s, &r, &err), STJ_EINTERRUPTED, "before the first step",
                err);
    ck_assert_ptr_null(r);
    stj_op_destroy(op);
}
END_TEST

START_TEST(a_tolerance_is_reached)
{
    double sigma[300];
    fill(300, sigma, power_law);
    const struct stj_regions truth = stj_regions_count(300, sigma, 0.1);
    struct stj_op *op = diagonal_op(300, sigma);
    struct stj_density_settings s = settings(2, 10, 4);
    s.tolerance = 0.04;
    struct stj_density_result *r = solve(op, &s);
    const struct stj_density_count *c[] = {&r->regions.chaotic, &r->regions.bulk,
                                           &r->regions.stable};
    ck_assert(r->stop == STJ_STOP_CONVERGED || r->stop == STJ_STOP_INVARIANT_SUBSPACE);
    for (size_t i = 0; i < 3; i++)
        ck_assert_msg(c[i]->high - c[i]->low <= 0.04 * 300, "width %g", c[i]->high - c[i]->low);
    ck_assert(r->n_probes > 2 && r->steps > 10);
    ck_assert(holds(r->regions.chaotic.enclosure_low, r->regions.chaotic.enclosure_high,
                    (double)truth.chaotic));
    stj_density_result_destroy(r);
    s.max_applications = 200;
    s.tolerance = 0.001;
    r = solve(op, &s);
    ck_assert_int_eq(r->stop, STJ_STOP_MAX_APPLICATIONS);
    ck_assert_double_le(r->counts.jvp + r->counts.vjp, 200);
    ck_assert_double_gt(r->counts.jvp + r->counts.vjp, 150);
    stj_density_result_destroy(r);
    stj_op_destroy(op);
}
END_TEST

/* Memory decides how many probes go together and what is kept, not what comes out. */
START_TEST(memory_changes_nothing_but_the_order)
{
    double sigma[200];
    fill(200, sigma, power_law);
    struct stj_op *op = diagonal_op(200, sigma);
    struct stj_density_settings s = settings(5, 20, 6);
    struct stj_density_result *all = solve(op, &s);
    ck_assert_uint_eq(all->in_flight, 5);
    ck_assert_int_eq(all->reorthogonalize, STJ_REORTHOGONALIZE_FULL);
    s.reorthogonalize = STJ_REORTHOGONALIZE_FULL;
    s.memory_bytes = 2 * 41 * 200 * 8 + 1; /* two bases of 20 + 21 vectors */
    struct stj_density_result *two = solve(op, &s);
    ck_assert_uint_eq(two->in_flight, 2);
    ck_assert_uint_eq(two->n_probes, 5);
    for (size_t i = 0; i < 5; i++) /* a diagonal product has the same bits in any block */
        ck_assert_mem_eq(all->probe[i].alpha, two->probe[i].alpha, 20 * sizeof(double));
    s.reorthogonalize = STJ_REORTHOGONALIZE_AUTO;
    struct stj_density_result *one_sided = solve(op, &s);
    ck_assert_int_eq(one_sided->reorthogonalize, STJ_REORTHOGONALIZE_ONE_SIDED);
    ck_assert_double_eq_tol(one_sided->regions.bulk.estimate, all->regions.bulk.estimate, 1e-6);
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_density_result *none = NULL;
    s.memory_bytes = 1000;
    EXPECT_FAIL(stj_density_solve(op, &s, &none, &err), STJ_ENOMEM, "reorthogonalize none", err);
    stj_density_result_destroy(all);
    stj_density_result_destroy(two);
    stj_density_result_destroy(one_sided);
    stj_op_destroy(op);
}
END_TEST

/* Gauss nodes next to the largest one, beside itself. */
static size_t copies_of_largest(const struct stj_density_probe *probe)
{
    struct stj_error err = STJ_ERROR_INIT;
    double node[MOST];
    double weight[MOST];
    size_t copies = 0;
    EXPECT_OK(stj_gauss_rule(probe, probe->k, node, weight, &err), err);
    for (size_t i = 1; i < probe->k; i++)
        copies += node[i] > (1 - 1e-6) * node[0];
    return copies;
}

/* Without a basis converged values are found again and again; the counts stand that. */
START_TEST(no_reorthogonalisation_keeps_the_counts)
{
    const size_t n = 400;
    double sigma[400];
    for (size_t i = 0; i < n; i++)
        sigma[i] = i < 5 ? 1000 - 100 * (double)i : 0.3 + 0.0018 * (double)i;
    const struct stj_regions truth = stj_regions_count(n, sigma, 0.1);
    struct stj_op *op = diagonal_op(n, sigma);
    struct stj_density_count full = {0};
    for (int how = STJ_REORTHOGONALIZE_FULL; how <= STJ_REORTHOGONALIZE_NONE; how++) {
        struct stj_density_settings s = settings(8, 60, 11);
        s.reorthogonalize = (enum stj_reorthogonalize)how;
        struct stj_density_result *r = solve(op, &s);
        const struct stj_density_count *c = &r->regions.bulk;
        ck_assert_msg(holds(c->enclosure_low, c->enclosure_high, (double)truth.bulk),
                      "%s: bulk %g (%g .. %g) for %zu",
                      stj_reorthogonalize_text(r->reorthogonalize), c->estimate, c->enclosure_low,
                      c->enclosure_high, truth.bulk);
        if (how == STJ_REORTHOGONALIZE_FULL)
            full = *c;
        ck_assert_msg(fabs(c->estimate - full.estimate) <= c->finite_steps + full.finite_steps,
                      "%s: bulk %g, %g in full", stj_reorthogonalize_text(r->reorthogonalize),
                      c->estimate, full.estimate);
        struct stj_density_count outliers;
        const double edge[] = {100, INFINITY};
        struct stj_error err = STJ_ERROR_INIT;
        EXPECT_OK(stj_density_histogram(r, 2, edge, 0, &outliers, &err), err);
        ck_assert_msg(holds(outliers.low, outliers.high, 5) && outliers.finite_steps < 0.01,
                      "%s: outliers %g", stj_reorthogonalize_text(r->reorthogonalize),
                      outliers.estimate);
        if (how == STJ_REORTHOGONALIZE_NONE) /* else the test shows nothing */
            ck_assert_msg(copies_of_largest(r->probe) >= 1, "no copies were made");
        stj_density_result_destroy(r);
    }
    stj_op_destroy(op);
}
END_TEST

START_TEST(threads_change_no_bit)
{
    double sigma[200];
    fill(200, sigma, power_law);
    struct stj_op *op = diagonal_op(200, sigma);
    const struct stj_density_settings s = settings(5, 20, 6);
    stj_set_threads(1);
    struct stj_density_result *one = solve(op, &s);
    stj_set_threads(4);
    struct stj_density_result *four = solve(op, &s);
    stj_set_threads(0);
    ck_assert_mem_eq(&one->regions, &four->regions, sizeof one->regions);
    for (size_t i = 0; i < 5; i++)
        ck_assert_mem_eq(one->probe[i].beta, four->probe[i].beta, 20 * sizeof(double));
    stj_density_result_destroy(one);
    stj_density_result_destroy(four);
    stj_op_destroy(op);
}
END_TEST

/* Other questions to the same quadrature: no products, and counts that fit the truth. */
START_TEST(other_questions_cost_no_products)
{
    struct stj_error err = STJ_ERROR_INIT;
    double sigma[300];
    fill(300, sigma, power_law);
    struct stj_op *op = diagonal_op(300, sigma);
    const struct stj_density_settings s = settings(16, 80, 12);
    struct stj_density_result *r = solve(op, &s);
    const struct stj_op_counts before = stj_op_get_counts(op);
    const double epsilon[] = {0.02, 0.1, 0.3, 0.7, 0.95};
    struct stj_density_counts curve[5];
    EXPECT_OK(stj_density_curve(r, 5, epsilon, 0.999, curve, &err), err);
    for (size_t i = 0; i < 5; i++) {
        const struct stj_regions truth = stj_regions_count(300, sigma, epsilon[i]);
        ck_assert_msg(holds(curve[i].bulk.low, curve[i].bulk.high, (double)truth.bulk),
                      "epsilon %g: %zu not in %g .. %g", epsilon[i], truth.bulk, curve[i].bulk.low,
                      curve[i].bulk.high);
    }
    const double edge[] = {0, 0.3, 0.5, 0.9, 2, INFINITY};
    struct stj_density_count bin[5];
    double sum = 0;
    EXPECT_OK(stj_density_histogram(r, 6, edge, 0.999, bin, &err), err);
    for (size_t i = 0; i < 5; i++) {
        double truth = 0;
        for (size_t j = 0; j < 300; j++)
            truth += sigma[j] > edge[i] && sigma[j] <= edge[i + 1];
        ck_assert_msg(holds(bin[i].low, bin[i].high, truth), "bin %zu: %g not in %g .. %g", i,
                      truth, bin[i].low, bin[i].high);
        sum += bin[i].estimate;
    }
    ck_assert_double_eq_tol(sum, 300, 1e-9);
    double x[601];
    double density[601];
    double integral = 0; /* of the smoothed density: all values but what lies off the axis */
    for (size_t i = 0; i < 601; i++)
        x[i] = -8 + (double)i / 50;
    EXPECT_OK(stj_density_smooth(r, 601, x, 0.1, density, &err), err);
    for (size_t i = 0; i < 601; i++)
        integral += density[i] / 50;
    ck_assert_double_eq_tol(integral, 300, 0.3);
    const struct stj_op_counts after = stj_op_get_counts(op);
    ck_assert_double_eq(before.jvp + before.vjp, after.jvp + after.vjp);
    stj_density_result_destroy(r);
    stj_op_destroy(op);
}
END_TEST

static void expect_measured(const char *name, struct stj_measured m, double truth)
{
    ck_assert_msg(isfinite(m.value) && isfinite(m.error) && fabs(m.value - truth) <= 4 * m.error,
                  "%s: %.10g +- %.3g for %.10g", name, m.value, m.error, truth);
    ck_assert_msg(m.error < 0.2 * fabs(truth), "%s: %.10g +- %.3g says nothing", name, m.value,
                  m.error);
}

/* Within four standard errors, and the errors are not huge. */
START_TEST(functionals_are_those_of_the_spectrum)
{
    struct stj_error err = STJ_ERROR_INIT;
    enum { N = 200 };
    const double floor = 0.01;
    double sigma[N];
    double sum[4] = {0};
    double entropy = 0;
    size_t above = 0;
    for (size_t i = 0; i < N; i++) {
        sigma[i] = i < 20 ? 1e-30 : 0.1 + 0.02 * (double)i;
        above += sigma[i] > floor;
        sum[0] += sigma[i] > floor ? log(sigma[i]) : 0;
        sum[1] += sigma[i];
        sum[2] += sigma[i] * sigma[i];
        sum[3] += pow(sigma[i], 4);
    }
    for (size_t i = 0; i < N; i++)
        entropy -= sigma[i] / sum[1] * log(sigma[i] / sum[1]);
    struct stj_op *op = diagonal_op(N, sigma);
    const struct stj_density_settings s = settings(30, 100, 2);
    struct stj_density_result *r = solve(op, &s);
    struct stj_density_functionals f;
    EXPECT_OK(stj_density_find_functionals(r, 50, floor, &f, &err), err);
    expect_measured("log volume", f.log_volume, sum[0]);
    expect_measured("mean log", f.mean_log, sum[0] / (double)above);
    expect_measured("lyapunov", f.lyapunov, sum[0] / (double)above / 50);
    expect_measured("participation", f.participation_ratio, sum[2] * sum[2] / sum[3]);
    expect_measured("effective rank", f.effective_rank, exp(entropy));
    expect_measured("frobenius", f.frobenius_squared, sum[2]);
    expect_measured("below floor", f.below_floor, 20);
    stj_density_result_destroy(r);
    stj_op_destroy(op);
}
END_TEST

START_TEST(gaps_are_found)
{
    struct stj_error err = STJ_ERROR_INIT;
    double sigma[400];
    for (size_t i = 0; i < 400; i++) /* a bulk of half width 0.05, then nothing up to 0.4 */
        sigma[i] = i < 250   ? 1 + 0.0004 * ((double)i - 125)
                   : i < 330 ? 1.4 + 0.02 * (double)(i - 250)
                             : 0.6 * (double)(i - 330) / 70;
    struct stj_op *op = diagonal_op(400, sigma);
    const struct stj_density_settings s = settings(8, 80, 2);
    struct stj_density_result *r = solve(op, &s);
    struct stj_density_gap gap;
    EXPECT_OK(stj_density_find_gap(r, &gap, &err), err);
    ck_assert_msg(gap.found && gap.epsilon > 0.05 && gap.epsilon < 0.4 && gap.depth < 0.1,
                  "gap %d at %g, depth %g", gap.found, gap.epsilon, gap.depth);
    ck_assert(holds(gap.counts.bulk.low, gap.counts.bulk.high, 250));
    stj_density_result_destroy(r);
    stj_op_destroy(op);
    for (size_t i = 0; i < 400; i++) /* log |sigma - 1| spread evenly: no gap */
        sigma[i] = 1 + (i % 2 ? 1 : -1) * pow(10, -4 * (double)i / 400);
    op = diagonal_op(400, sigma);
    r = solve(op, &s);
    EXPECT_OK(stj_density_find_gap(r, &gap, &err), err);
    ck_assert_msg(!gap.found, "a gap at %g, depth %g, where there is none", gap.epsilon, gap.depth);
    stj_density_result_destroy(r);
    stj_op_destroy(op);
}
END_TEST

/* The three ways to the Beta law agree where they meet, and intervals invert it. */
START_TEST(the_beta_law_is_inverted)
{
    static const double total = 19999; /* just below where the approximations take over */
    for (double a = 0.5; a < total; a *= 1.9) {
        const double b = total - a;
        const double deviation = sqrt(a * b / (total + 1)) / total;
        for (double z = -4; z <= 4; z++) {
            const double x = a / total + z * deviation;
            const double here = stj_beta_cdf(x, a, b);
            const double there = stj_beta_cdf(x, a, b + 2); /* from the other side of the limit */
            const double slope = x > 0 && x < 1 ? fabs(here - stj_beta_cdf(x, a, b - 2)) : 0;
            ck_assert_msg(fabs(there - here) <= 1e-5 + 2 * slope, "a %g b %g x %g: %.12g and %.12g",
                          a, b, x, here, there);
        }
    }
    for (size_t n = 1; n < 100; n += 7) {
        const double mass = (double)n / 100;
        const double low = stj_count_low(mass, 100, 8, 0.9);
        const double high = stj_count_high(mass, 100, 8, 0.9);
        ck_assert(low <= (double)n && (double)n <= high);
        ck_assert_double_ge(1 - gsl_cdf_beta_P(mass, 4 * low, 4 * (100 - low)), 0.05);
        ck_assert_double_ge(gsl_cdf_beta_P(mass, 4 * high, 4 * (100 - high)), 0.05);
        if (low > 1)
            ck_assert_double_lt(1 - gsl_cdf_beta_P(mass, 4 * (low - 1), 4 * (101 - low)), 0.05);
    }
    ck_assert_double_eq(stj_count_high(0, 100, 8, 0.95), 0);
    ck_assert_double_eq(stj_count_low(1, 100, 8, 0.95), 100);
}
END_TEST

START_TEST(requests_that_make_no_sense_are_refused)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_density_result *r = NULL;
    double sigma[10];
    fill(10, sigma, power_law);
    struct stj_op *op = diagonal_op(10, sigma);
    struct stj_density_settings s = settings(2, 5, 1);
    static const double bad_epsilon[] = {0, -0.1, 1, 1.5, NAN};
    for (size_t i = 0; i < 5; i++) {
        s.epsilon = bad_epsilon[i];
        EXPECT_FAIL(stj_density_solve(op, &s, &r, &err), STJ_EINVAL, "epsilon is", err);
    }
    s.epsilon = 0.1;
    s.confidence = 1;
    EXPECT_FAIL(stj_density_solve(op, &s, &r, &err), STJ_EINVAL, "confidence is 1", err);
    s.confidence = 0.95;
    s.probes = 0;
    EXPECT_FAIL(stj_density_solve(op, &s, &r, &err), STJ_EINVAL, "probes is 0", err);
    s.probes = 2;
    s.steps = 0;
    EXPECT_FAIL(stj_density_solve(op, &s, &r, &err), STJ_EINVAL, "steps is 0", err);
    s.steps = 5;
    s.tolerance = -1;
    EXPECT_FAIL(stj_density_solve(op, &s, &r, &err), STJ_EINVAL, "tolerance is -1", err);
    s.tolerance = 0;
    struct stj_pairs foreign = {.k = 1, .n_rows = 9, .n_cols = 9};
    s.known[0] = &foreign;
    EXPECT_FAIL(stj_density_solve(op, &s, &r, &err), STJ_EMISMATCH, "9 x 9", err);
    s.known[0] = NULL;
    ck_assert_ptr_null(r);
    r = solve(op, &s);
    struct stj_density_count bin[2];
    const double overlapping[] = {0.5, 1, 0.9};
    EXPECT_FAIL(stj_density_histogram(r, 3, overlapping, 0, bin, &err), STJ_EINVAL, "overlap", err);
    EXPECT_FAIL(stj_density_histogram(r, 1, overlapping, 0, bin, &err), STJ_EINVAL, "1 edges", err);
    struct stj_density_counts counts;
    EXPECT_FAIL(stj_density_count_regions(r, 1, 0, &counts, &err), STJ_EINVAL, "epsilon is 1", err);
    EXPECT_FAIL(stj_density_count_regions(r, 0.5, 2, &counts, &err), STJ_EINVAL, "confidence is 2",
                err);
    stj_density_result_destroy(r);
    stj_op_destroy(op);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("counting singular values");
    TCase *tc = tcase_create("density");
    tcase_set_timeout(tc, 120 * fmax(1, test_multiplier()));
    tcase_add_loop_test(tc, gauss_rules_have_the_moments, 0, N_SHAPES);
    tcase_add_loop_test(tc, bounds_hold_the_mass, 0, N_SHAPES);
    tcase_add_loop_test(tc, intervals_are_calibrated, 0, (int)n_known_spectra);
    tcase_add_loop_test(tc, bands_of_the_density_are_calibrated, 0, (int)n_known_spectra);
    tcase_add_test(tc, intervals_are_not_too_wide);
    tcase_add_test(tc, invariant_subspaces_are_exact_and_cheap);
    tcase_add_test(tc, deflated_triplets_are_counted_exactly);
    tcase_add_test(tc, budgets_end_with_what_is_in_hand);
    tcase_add_test(tc, an_interrupt_is_a_result);
    tcase_add_test(tc, a_tolerance_is_reached);
    tcase_add_test(tc, memory_changes_nothing_but_the_order);
    tcase_add_test(tc, no_reorthogonalisation_keeps_the_counts);
    tcase_add_test(tc, threads_change_no_bit);
    tcase_add_test(tc, other_questions_cost_no_products);
    tcase_add_test(tc, functionals_are_those_of_the_spectrum);
    tcase_add_test(tc, gaps_are_found);
    tcase_add_test(tc, the_beta_law_is_inverted);
    tcase_add_test(tc, requests_that_make_no_sense_are_refused);
    suite_add_tcase(suite, tc);
    TCase *drawn = tcase_create("drawn");
    tcase_set_timeout(drawn, 0);
    tcase_add_loop_test(drawn, bands_that_are_drawn_contain_the_truth, 0, 2);
    suite_add_tcase(suite, drawn);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
