/* SPDX-License-Identifier: GPL-3.0-or-later */
/* spectraj/density.h: how many singular values lie where, without computing any of them.
 *
 * Stochastic Lanczos quadrature: each of a few random probes goes through some steps of
 * Golub-Kahan bidiagonalisation.  A solve returns the quadrature, alpha and beta of every probe.
 * Counts for any edge, curves, densities and functionals follow from it without further products.
 *
 * Threads: one solve at a time in a process (spectraj/progress.h explains why).  The functions that
 * query a result only read it: several threads may call them at once.
 */
#ifndef SPECTRAJ_DENSITY_H
#define SPECTRAJ_DENSITY_H

#include <stdbool.h>
#include <stdint.h>

#include <spectraj/op.h>
#include <spectraj/progress.h>
#include <spectraj/svd.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Which vectors a probe's new vectors are reorthogonalised against.  Memory per probe and step: two
 * vectors (full), one (one-sided) or none.  Without reorthogonalisation, rounding duplicates
 * converged values: counts remain usable, the enclosure is no longer rigorous, and no probe ends
 * early. */
enum stj_reorthogonalize {
    STJ_REORTHOGONALIZE_AUTO,      /* full, or one-sided if full does not fit in memory */
    STJ_REORTHOGONALIZE_FULL,      /* left and right vectors */
    STJ_REORTHOGONALIZE_ONE_SIDED, /* right vectors only (Simon and Zha 2000) */
    STJ_REORTHOGONALIZE_NONE,      /* the last two only */
};

/* "auto", "full", "one-sided", "none"; never NULL. */
const char *stj_reorthogonalize_text(enum stj_reorthogonalize how);

/* *how <- the value of that name; false for any other text. */
bool stj_reorthogonalize_parse(const char *text, enum stj_reorthogonalize *how);

/* What to count, how accurately, and at what cost; start from stj_density_settings_default.
 * tolerance: steps and probes are added until the widest of the three intervals, high - low, is at
 * most tolerance x N, or a budget is spent.
 * known: sets of singular triplets (such as the largest and the smallest), which are deflated from
 * the probes and counted exactly.  Triplets with a residual above 1e-3, and those of the second set
 * that the first contains, are ignored. */
struct stj_density_settings {
    size_t size;       /* of this struct in bytes, as the program was compiled */
    double epsilon;    /* the bulk is |sigma - 1| <= epsilon; 0 < epsilon < 1 */
    double confidence; /* of low .. high; 0 < confidence < 1 */
    size_t probes;     /* random start vectors */
    size_t steps;      /* of bidiagonalisation, each one product with A and one with A' */
    uint64_t seed;     /* of the probes */
    enum stj_reorthogonalize reorthogonalize; /* see above */
    size_t memory_bytes;                      /* for the bases; 0: a quarter of what is free */
    /* Folder for the bases, in unnamed files; NULL: they are kept in memory. */
    const char *scratch;
    double tolerance;                 /* 0: none; otherwise see above */
    double max_applications;          /* budget of products with A and A'; 0: none */
    double max_seconds;               /* 0: none */
    const struct stj_pairs *known[2]; /* NULL: none; see above */
    struct stj_progress progress;     /* between products */
};

/* settings (of `size` bytes) <- epsilon 0.1, confidence 0.95, 8 probes, 100 steps. */
void stj_density_settings_init(struct stj_density_settings *settings, size_t size);

/* The same as a value. */
static inline struct stj_density_settings stj_density_settings_default(void)
{
    struct stj_density_settings settings;
    stj_density_settings_init(&settings, sizeof settings);
    return settings;
}

/* The quadrature of one probe: the upper bidiagonal matrix B has alpha on its diagonal and beta
 * above it; beta[k - 1] couples it to the unexplored rest. */
struct stj_density_probe {
    size_t k;             /* steps */
    double *alpha, *beta; /* [k] each */
    double mass;          /* squared length of the Gaussian vector: the probe's weight in means */
    bool exact;           /* an invariant subspace was reached: the quadrature has no error */
};

/* A count of singular values in one region. */
struct stj_density_count {
    double estimate;                      /* usually not a whole number */
    double low, high;                     /* confidence interval */
    double enclosure_low, enclosure_high; /* rigorous for the measure of each probe
                                             (Chebyshev-Markov-Stieltjes), sampling at 99.9 % */
    double sampling, finite_steps;        /* half widths of the two parts of low .. high */
};

/* The three regions: above 1 + epsilon, within epsilon of 1, below 1 - epsilon. */
struct stj_density_counts {
    double epsilon;                                 /* half width of the bulk */
    struct stj_density_count chaotic, bulk, stable; /* the estimates sum to N */
};

/* What the deflated triplets miss: singular values beyond the known value nearest to 1 that the
 * quadrature sees. */
struct stj_density_missed {
    bool compared;   /* false: no known values on that side of 1 */
    double sigma;    /* the known value nearest to 1 */
    double estimate; /* number missed */
    double low;      /* lower bound at the result's confidence; 1 or more: report it */
};

/* The quadrature of an operator and its counts; owned by the caller. */
struct stj_density_result {
    size_t n_params;                   /* columns of A: the number N of singular values */
    double epsilon, confidence;        /* as in the settings */
    size_t steps;                      /* of the longest probe */
    size_t n_probes;                   /* complete ones */
    struct stj_density_probe *probe;   /* [n_probes] */
    size_t n_known;                    /* deflated, counted exactly */
    double *known;                     /* [n_known] their singular values, descending */
    size_t n_left;                     /* n_params - n_known */
    double sigma_1;                    /* largest value seen: of the known and of the quadrature */
    double floor;                      /* singular values below it are meaningless */
    struct stj_density_counts regions; /* at epsilon */
    struct stj_density_missed missed_above, missed_below; /* by the known triplets */
    enum stj_reorthogonalize reorthogonalize;             /* as chosen */
    size_t in_flight;                                     /* probes advanced together */
    struct stj_op_counts counts;                          /* total cost of this solve */
    double seconds;                                       /* wall-clock time */
    enum stj_stop stop; /* floor: more steps do not fit in memory, and more probes would not help */
    uint64_t seed;      /* as in the settings */
};

/* *result <- the quadrature of A and its counts; free it with stj_density_result_destroy.  A spent
 * budget or an interrupt yields a result with a stop reason, unless it comes before the first step.
 * Cost: 2 x steps products per probe. */
enum stj_status stj_density_solve(struct stj_op *a, const struct stj_density_settings *settings,
                                  struct stj_density_result **result, struct stj_error *err);

void stj_density_result_destroy(struct stj_density_result *result); /* NULL is accepted */

/* The functions below need no products with the operator. */

/* counts <- the regions for any 0 < epsilon < 1 and confidence (0: the result's). */
enum stj_status stj_density_count_regions(const struct stj_density_result *result, double epsilon,
                                          double confidence, struct stj_density_counts *counts,
                                          struct stj_error *err);

/* curve[n] <- the same for every epsilon[i]: the bulk dimension as a function of epsilon, with a
 * band. */
enum stj_status stj_density_curve(const struct stj_density_result *result, size_t n,
                                  const double *epsilon, double confidence,
                                  struct stj_density_counts *curve, struct stj_error *err);

/* count[n - 1] <- the number of singular values in each (edge[i], edge[i + 1]], for n >= 2
 * ascending edges >= 0 (an interval that begins at 0 includes 0).  Edges that do not ascend are an
 * error: the regions would overlap. */
enum stj_status stj_density_histogram(const struct stj_density_result *result, size_t n,
                                      const double *edge, double confidence,
                                      struct stj_density_count *count, struct stj_error *err);

/* STJ_EINVAL unless there are two or more edges, ascending from 0 or above. */
enum stj_status stj_density_check_edges(size_t n, const double *edge, struct stj_error *err);

/* density[n] <- singular values per unit of log10 sigma, smoothed by a Gaussian of standard
 * deviation `width` in log10 sigma, at the points log_sigma[n]. */
enum stj_status stj_density_smooth(const struct stj_density_result *result, size_t n,
                                   const double *log_sigma, double width, double *density,
                                   struct stj_error *err);

/* A point of that curve with its uncertainty. */
struct stj_density_point {
    double sigma;      /* where: 10^log_sigma */
    double density;    /* singular values per unit of log10 sigma, smoothed */
    double low, high;  /* band of the smoothed density: sampling and finite steps */
    double resolution; /* smallest useful standard deviation in log10 sigma there: with less, the
                        * curve shows the quadrature nodes; infinite after a single step */
};

/* point[n] <- the same curve with its band at the confidence (0: the result's). */
enum stj_status stj_density_smooth_band(const struct stj_density_result *result, size_t n,
                                        const double *log_sigma, double width, double confidence,
                                        struct stj_density_point *point, struct stj_error *err);

/* A number with its standard error: the jackknife over the probes and the change from half of the
 * steps to all of them, added in quadrature. */
struct stj_measured {
    double value; /* the estimate */
    double error; /* its standard error */
};

/* Functionals of the spectrum.  Values below the floor have no resolved logarithm: they are
 * counted, and left out of the sums of logarithms. */
struct stj_density_functionals {
    double floor;                            /* as requested, or chosen */
    struct stj_measured below_floor;         /* number of values at or below the floor */
    struct stj_measured log_volume;          /* sum of log sigma above the floor */
    struct stj_measured mean_log;            /* log_volume / number above the floor */
    struct stj_measured lyapunov;            /* mean_log / n_steps: finite-time average */
    struct stj_measured participation_ratio; /* (sum sigma^2)^2 / sum sigma^4 */
    struct stj_measured
        effective_rank; /* exp of the entropy of sigma / sum sigma (Roy, Vetterli) */
    struct stj_measured frobenius_squared; /* sum sigma^2 */
};

/* functionals <- those of the spectrum.  n_steps: training steps of the operator, for lyapunov;
 * floor 0: what the quadrature resolves, between its two smallest nodes. */
enum stj_status stj_density_find_functionals(const struct stj_density_result *result,
                                             double n_steps, double floor,
                                             struct stj_density_functionals *functionals,
                                             struct stj_error *err);

/* Where the spectrum around 1 is thinnest. */
struct stj_density_gap {
    bool found;     /* false: the number in the bulk grows at about the same rate everywhere */
    double epsilon; /* suggested half width of the bulk */
    /* Values per unit of log epsilon there, divided by those at the densest smaller epsilon; 0:
     * empty. */
    double depth;
    struct stj_density_counts counts; /* at that epsilon */
};

/* gap <- the thinnest place. */
enum stj_status stj_density_find_gap(const struct stj_density_result *result,
                                     struct stj_density_gap *gap, struct stj_error *err);

#ifdef __cplusplus
}
#endif

#endif
