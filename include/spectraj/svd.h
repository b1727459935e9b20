/* SPDX-License-Identifier: GPL-3.0-or-later */
/* spectraj/svd.h: singular pairs of an operator.
 *
 * Threads: one solve at a time in a process (spectraj/progress.h explains why); a second at the
 * same time is STJ_EINVAL.  The caller owns a result; functions that only read it may be called
 * from several threads at once.
 */
#ifndef SPECTRAJ_SVD_H
#define SPECTRAJ_SVD_H

#include <stdbool.h>
#include <stdint.h>

#include <spectraj/op.h>
#include <spectraj/progress.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Why a solve ended. */
enum stj_stop {
    STJ_STOP_CONVERGED,          /* what was asked for was reached */
    STJ_STOP_MAX_APPLICATIONS,   /* the budget of products is spent */
    STJ_STOP_MAX_SECONDS,        /* the budget of time is spent */
    STJ_STOP_INTERRUPTED,        /* the progress callback said stop */
    STJ_STOP_INVARIANT_SUBSPACE, /* the Krylov space is exhausted: nothing is left to find in it */
    STJ_STOP_FLOOR,              /* what is left cannot be told from rounding */
    STJ_STOP_INCOMPLETE, /* pairs that the method found did not converge, or some are missing */
};

/* Why the basis for the smallest ended where it did. */
enum stj_basis_end {
    STJ_BASIS_NONE,    /* there was none */
    STJ_BASIS_FLAT,    /* by itself: more vectors would hardly have made its values smaller */
    STJ_BASIS_BUDGET,  /* a budget paid for no more: the bounds may be loose */
    STJ_BASIS_MEMORY,  /* there was memory for no more: the bounds may be loose */
    STJ_BASIS_GIVEN,   /* so many were asked for (ncv) */
    STJ_BASIS_COLUMNS, /* there are no more columns */
};

/* "converged", "max_applications", ...; never NULL. */
const char *stj_stop_text(enum stj_stop stop);

/* What an iteration knows about the pairs before it ends: estimates from its small matrices. */
struct stj_svd_view {
    bool bottom;         /* of the smallest */
    double applications; /* products with A and A' so far */
    size_t wanted;       /* pairs asked for */
    size_t converged;    /* of these, by their estimates */
    size_t k;            /* known, at most `wanted` */
    const double
        *sigma; /* [k], best first: Ritz values of the largest, upper bounds of the smallest */
    const double *residual; /* [k], estimates of |A'u - sigma v|, at least the rounding
                             * eps sigma_1; NULL: not known before the end */
    size_t basis; /* vectors of the basis for the smallest while it grows, k being 0; then 0 */
    double level; /* the mean of the decimal logarithms of its `wanted` smallest values: the basis
                   * ends where this stops to fall */
};

/* Receives these views; called at intervals between products.  `view` lives as long as the call. */
struct stj_svd_monitor {
    void (*fn)(void *ctx, const struct stj_svd_view *view); /* NULL: nobody */
    void *ctx;                                              /* passed to fn; borrowed */
};

/* k singular triplets, descending (ascending for the smallest).  u (n_rows x k) and v (n_cols x k)
 * are column-major; v has orthonormal columns, and so has u where sigma is above the floor. */
struct stj_pairs {
    size_t k;         /* how many */
    size_t n_rows;    /* length of a u */
    size_t n_cols;    /* length of a v */
    double *sigma;    /* [k] */
    double *residual; /* |A'u - sigma v|, recomputed from the operator */
    double *cosine;   /* u . v for a square operator, else NaN */
    double *u, *v;    /* left and right vectors */
};

/* What to find, and what it may cost; start from stj_svd_settings_default. */
struct stj_svd_settings {
    size_t size;         /* of this struct in bytes, as the program was compiled */
    size_t top;          /* largest singular values wanted */
    size_t bottom;       /* smallest wanted */
    double above, below; /* all above, all below a threshold instead of a number; 0: none */
    /* How many these are likely to be, where known (from a density); 0: estimated first, at a cost
     * of about 120 products. */
    double count_above, count_below;
    size_t ncv;         /* basis vectors, of the smallest if these alone are wanted; 0: about
                              * 2.4 top (lanczos: 3 top), and until more hardly help */
    double tol;         /* a pair is converged when |A'u - sigma v| <= tol sigma_1; 0: 1e-10 */
    uint64_t seed;      /* of the start vector */
    const char *method; /* name of a method, NULL: automatic */
    /* Pairs of the same operator from an earlier solve; borrowed, NULL: none.  The largest pairs up
     * to the first whose residual is above tol sigma_1 are not computed again: the iteration, and
     * the monitor, cover the rest, and all pairs are finished together.  If they are all that was
     * requested they are returned as they are, with method "known" and no products.  For the
     * smallest pairs, method arnoldi starts from them, and its bounds are no larger.  Method dense
     * solves again from the start. */
    const struct stj_pairs *known_top, *known_bottom;
    double max_applications;        /* budget of products with A and A'; 0: none */
    double max_seconds;             /* 0: none */
    struct stj_progress progress;   /* between products */
    struct stj_svd_monitor monitor; /* how the values converge */
    /* Look until outside.bound is at most (1 + certify) times the smallest pair; 0: as far as 15 %
     * of the products of the iteration go, 24 at least. */
    double certify;
    size_t memory_bytes; /* for the vectors of the smallest; 0: half of what is free */
    bool known_alone;    /* nobody has looked outside of known_top: do, though they are all */
    size_t block;        /* vectors that method lanczos multiplies together, 2 to 8; 0: 2 */
};

/* settings (of `size` bytes) <- the 20 largest to a tolerance of 1e-10, seed 0, no budgets,
 * everything else automatic. */
void stj_svd_settings_init(struct stj_svd_settings *settings, size_t size);

/* The same as a value. */
static inline struct stj_svd_settings stj_svd_settings_default(void)
{
    struct stj_svd_settings settings;
    stj_svd_settings_init(&settings, sizeof settings);
    return settings;
}

/* Did the solve miss a large value, such as a copy of a repeated one?  Lanczos is restarted outside
 * the pairs found, from a random vector: a value above the smallest pair (or the threshold) that it
 * sees is missing, and is added; the look is repeated until it sees nothing more.  `bound` holds
 * with probability 1 - failure (spectrum/svd/completeness.c): if it is no larger than the smallest
 * pair, none is missing; values between the two are not excluded. */
struct stj_svd_outside {
    bool checked;   /* it was looked for, or would have been had the budget allowed it */
    double sigma;   /* some direction outside is stretched by so much */
    size_t missed;  /* at least so many values above the smallest pair are missing */
    double bound;   /* no direction outside is stretched by more; NaN: after no step */
    double failure; /* the probability that the bound does not hold */
    size_t steps;   /* products with A'A of the last look */
    size_t added;   /* values that the looks found and the iteration had not */
    /* The last look was ended (by a budget, or its limit where values repeat or `certify` was asked
     * for) before it was clear whether any are missing: the pairs are at least these. */
    bool undecided;
};

/* Comparison of the count with a density of the same operator, if there is one. */
struct stj_svd_counted {
    bool compared;    /* there was one */
    double low, high; /* the density's confidence interval for the values above the threshold */
    bool agrees;      /* the number of pairs lies in it */
};

/* The requested ends of a spectrum; owned by the caller. */
struct stj_svd_result {
    size_t n_params; /* columns of A */

    /* The largest: */

    size_t requested, converged; /* how many */
    double products;             /* products with A'A that the iteration used */
    double sigma_1;              /* largest value seen */
    double above;                /* 0: the largest `requested` were asked for; else all above */
    /* So many of those above, the last, are within their residual of the threshold. */
    size_t straddling;
    struct stj_svd_outside outside; /* was one missed? */
    struct stj_svd_counted counted; /* filled where it was of a run */
    double top_floor; /* where it was of a run: what `top` is known to; below that is rounding */
    /* The largest residual of the pairs over what the method's own test of convergence and rounding
     * allow: above 1 the operator is not the one that the iteration saw.  NaN: the method claimed
     * nothing. */
    double residual_excess;
    struct stj_pairs top; /* descending */

    /* The smallest: bottom.sigma[i], ascending, is no less than the i-th smallest singular value
     * (Courant-Fischer).  Converged: the residual is at most tol sigma_1, or the bound is at the
     * floor, below which a value means nothing: the larger of the rounding of a product times
     * sigma_1 and the measured defect of the adjoint. */

    size_t bottom_requested, bottom_converged; /* how many */
    double bottom_products;  /* products with A that the iteration used, a window's by its share */
    double floor;            /* see above */
    double below;            /* 0: the smallest `bottom_requested` were asked for; else all below */
    struct stj_pairs bottom; /* ascending bounds */
    const char *bottom_method;             /* name of the method; NULL: none was asked for */
    size_t bottom_ncv;                     /* basis vectors it used, */
    double bottom_window;                  /* on this share of the steps; 0: there was no window */
    enum stj_basis_end bottom_end;         /* why there were no more */
    struct stj_svd_counted bottom_counted; /* up to the largest bound: others may lie between */

    /* Both: */

    struct stj_op_counts counts; /* everything this solve cost */
    double seconds;              /* of wall clock */
    enum stj_stop stop;          /* why it ended */
    uint64_t seed;               /* as in the settings */
    size_t ncv;                  /* basis vectors of the method for the largest */
    double tol;                  /* as in the settings, or chosen */
    const char *method;          /* of the largest */
};

/* *result <- pairs of A, to be freed with stj_svd_result_destroy.  Running out of a budget still
 * gives a result: the converged pairs, with the stop reason.  One solve at a time per process
 * (ARPACK keeps state between calls): a second at the same time is STJ_EINVAL.  For pairs above or
 * below a threshold, `requested` is the number found once the search has passed the threshold, and
 * the expected number otherwise.  Cost of the largest: 2 products per iteration, then `top`
 * products with A (method lanczos: none) and with A' to finish, and 0.3 per iteration (at least 48)
 * to look outside.  Cost of the smallest: what the budget allows, otherwise 0.3 of a product with A
 * for each vector of a basis (100 to 1500, and up to half of the columns if these are a few
 * thousand), up to 52 `bottom` with A, and `bottom` with A'. */
enum stj_status stj_svd_solve(struct stj_op *a, const struct stj_svd_settings *settings,
                              struct stj_svd_result **result, struct stj_error *err);

/* Does the number of pairs above the threshold lie within the density's interval, if they were
 * compared? */
bool stj_svd_count_agrees(const struct stj_svd_result *result);

void stj_svd_result_destroy(struct stj_svd_result *result); /* NULL is accepted */

/* "arpack": "Lanczos on A'A ...": name and doc of method i; false past the last. */
bool stj_svd_get_method(size_t i, const char **name, const char **doc);

/* Counts by region: chaotic > 1 + epsilon, bulk within epsilon of 1, stable < 1 - epsilon. */
struct stj_regions {
    size_t chaotic, bulk, stable; /* they sum to n */
};

/* The regions of sigma[n], in any order. */
struct stj_regions stj_regions_count(size_t n, const double *sigma, double epsilon);

#ifdef __cplusplus
}
#endif

#endif
