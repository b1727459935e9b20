/* SPDX-License-Identifier: GPL-3.0-or-later */
/* spectrum/svd/svd_method.h: the contract of a method for singular pairs.
 *
 * A method finds a basis V (n_cols x k) that is meant to span the wanted right singular vectors.
 * It certifies nothing: every basis is finished, in one place, by a QR of V and an SVD of A V, and
 * its residuals are computed from the operator.
 */
#ifndef STJ_SPECTRUM_SVD_SVD_METHOD_H
#define STJ_SPECTRUM_SVD_SVD_METHOD_H

#include <spectraj/svd.h>

#include "base/memory.h"
#include "options/option.h"
#include "spectrum/cost_model.h"

/* What a method found; the arrays are owned by the receiver, and whole on every rank. */
struct stj_svd_basis {
    size_t k;        /* columns: at most what was wanted */
    double *v;       /* n_cols x k, column-major */
    double *u;       /* n_rows x k and [k]: where the method holds A V = U diag(sigma) already, */
    double *sigma;   /* from products of its own; else NULL */
    double *ritz;    /* [k] the values as the iteration saw them, or NULL; of these the first */
    size_t sound;    /* so many have converged, as far as it can tell */
    double sigma_1;  /* a lower bound of the largest singular value; 0: none known */
    double products; /* products with A'A (or A, for methods that use it alone) of the iteration */
    size_t ncv;      /* basis vectors it worked with, */
    double window;   /* on this share of the steps; 0: there was no window */
    enum stj_basis_end end; /* why there were no more */
    enum stj_stop stop;
    bool abandoned; /* it gave up, and there is no basis */
};

void stj_svd_basis_free(struct stj_svd_basis *basis);

/* The budgets of a solve. */
struct stj_svd_budget {
    const struct stj_svd_settings *settings;
    struct stj_op *a;
    struct stj_op_counts begin;
    double clock;
    /* Known to be the largest value at least: residuals are measured by it; 0: not known. */
    double sigma_1;
    bool some_above; /* there is known to be a value above the threshold */
    double abandon; /* applications from which a method gives up, for another is cheaper; 0: none */
    double expected;   /* applications that were predicted for the solve; 0: not known */
    size_t wanted;     /* pairs of both ends; 0: as many as a threshold has */
    size_t *converged; /* pairs so far, for the progress report; NULL: nobody asks */
    size_t found;      /* of them, those that were there before */
};

double stj_svd_used(const struct stj_svd_budget *budget); /* applications so far */

/* True when the budgets do not allow `more` further applications, or the caller interrupts; *stop
 * says which. */
bool stj_svd_spent(const struct stj_svd_budget *budget, double more, enum stj_stop *stop);

struct stj_svd_method {
    struct stj_plugin_info info;
    /* Either slot is NULL where the method does not serve that end.  basis is zeroed before.
     *
     * basis <- the span of the `top` largest right singular vectors, 1 <= top <= min dimension. */
    enum stj_status (*top)(struct stj_op *a, const struct stj_svd_budget *budget,
                           struct stj_svd_basis *basis, struct stj_error *err);

    /* basis <- `bottom` directions with small singular values, smallest first, with u and sigma. */
    enum stj_status (*bottom)(struct stj_op *a, const struct stj_svd_budget *budget,
                              struct stj_svd_basis *basis, struct stj_error *err);

    /* prediction += what the slot of that end takes for s->top or s->bottom pairs of an m x n
     * operator: products, largest arrays, and its own words ("arpack, ncv 48"); s->known_top have
     * been taken out.  What follows is added to it: finishing 2 k products (k where the basis has
     * u and sigma) and 3 k vectors, looking outside.  STJ_EINVAL, with a remedy: it cannot do that.
     * Without a name in the settings, the method that predicts the least time is taken. */
    enum stj_status (*predict)(const struct stj_svd_settings *s, size_t m, size_t n, bool bottom,
                               struct stj_prediction *prediction, struct stj_error *err);

    /* It decomposes the whole matrix: nothing lies outside of its pairs, which are final. */
    bool whole;

    bool left;     /* the basis of the largest comes with u and sigma, as that of the smallest */
    bool spacious; /* it keeps more vectors than it needs: its own choice only where they are few */
};

/* What an iteration for the largest sees: j Ritz values, descending, with |A'u - sigma v|. */
struct stj_svd_ritz {
    size_t j;
    double *sigma, *residual;
    double spare; /* residuals are to be below tol by this: they grow where pairs are finished */
};

/* Is it the end, with how many pairs, of which the first `sound` have converged? */
struct stj_svd_end {
    bool ended;
    size_t pairs, sound;
};

/* *end <- of an iteration for the `top` largest, or with a threshold for those above it, for values
 * of the bulk that were also asked for might never converge; and its report, to the monitor if it
 * `shows`. */
enum stj_status stj_svd_ritz_look(const struct stj_svd_budget *budget, const struct stj_svd_ritz *r,
                                  bool shows, struct stj_svd_end *end, struct stj_error *err);

/* Single vectors by which an iteration for the k largest has converged, on training Jacobians. */
double stj_svd_likely_products(const struct stj_svd_settings *s, size_t n, size_t block);

extern const char stj_svd_all_known[];      /* "known": what is said of pairs that were all known */
extern const char *const stj_stop_words[];  /* of enum stj_stop */
extern const char *const stj_basis_words[]; /* of enum stj_basis_end */

extern const struct stj_kind stj_svd_methods; /* the registry: spectrum/svd/svd.c */
extern const struct stj_svd_method stj_svd_arnoldi;
extern const struct stj_svd_method stj_svd_arpack;
extern const struct stj_svd_method stj_svd_lanczos;
extern const struct stj_svd_method stj_svd_lapack;

/* How many of the settings' known_top are to be taken out: the leading ones that are good enough,
 * `top` at most; fewer only where they and a basis for the rest would nearly fill the `least`
 * dimensions. */
size_t stj_svd_n_known(const struct stj_svd_settings *s, size_t least);

/* The prediction of a solve, both ends, of an m x n operator. */
void stj_svd_predict(const struct stj_svd_settings *settings, size_t m, size_t n,
                     struct stj_prediction *prediction);

/* *method <- by its name; STJ_EINVAL where it does not serve that end. */
enum stj_status stj_svd_named_method(const char *name, bool bottom,
                                     const struct stj_svd_method **method, struct stj_error *err);

/* *method <- that of the settings for one end, or the one that predicts the least time, if it
 * can do that and its arrays fit the memory that is free. */
enum stj_status stj_svd_choose(struct stj_op *a, const struct stj_svd_budget *budget, bool bottom,
                               const struct stj_svd_method **method, struct stj_error *err);

/* Applications that the whole matrix takes where method dense may stand in for another: no method
 * is named, and memory and budget allow it; else 0. */
double stj_svd_dense_cost(struct stj_op *a, const struct stj_svd_budget *budget);

/* The ends of a solve, into r. */
enum stj_status stj_svd_solve_top(struct stj_op *a, const struct stj_svd_budget *budget,
                                  struct stj_svd_result *r, struct stj_error *err);
enum stj_status stj_svd_solve_bottom(struct stj_op *a, const struct stj_svd_budget *budget,
                                     struct stj_svd_result *r, struct stj_error *err);

/* The lesser of its dimensions: how many singular values there are. */
size_t stj_svd_n_values(const struct stj_op *a);

/* How many pairs to ask for, of at most `least`, in order to find all that a count says: somewhat
 * more. */
size_t stj_svd_request_for(double count, size_t least);

/* *request <- the same for all above (or below) a threshold, by a coarse quadrature or the caller's
 * `known` count. */
enum stj_status stj_svd_request(struct stj_op *a, const struct stj_svd_budget *budget,
                                double threshold, bool above, double known, size_t *request,
                                struct stj_error *err);
size_t stj_svd_request_more(const struct stj_op *a, size_t request);

/* *op <- unit A (I - V V'), for k orthonormal columns V (n_cols x k); A and V are borrowed. */
enum stj_status stj_svd_complement(struct stj_op *a, size_t k, const double *v, double unit,
                                   struct stj_op **op, struct stj_error *err);

/* Where to look for values that pairs lack. */
struct stj_svd_look {
    size_t k; /* right vectors that are known, v (n_cols x k) */
    const double *v;
    double level;   /* what is no larger than this is not wanted */
    double sigma_1; /* the largest known */
    uint64_t round; /* of several looks of a solve, from 0: each has a vector of its own */
    bool repeated; /* copies of values were seen: look until it is clear that no more are missing */
    double products;    /* that the iteration took, */
    size_t ncv;         /* and its basis vectors */
    enum stj_stop stop; /* out: set where a budget ended it */
};

/* outside <- what Lanczos from a random vector finds beside known ones. */
enum stj_status stj_svd_look_outside(struct stj_op *a, const struct stj_svd_budget *budget,
                                     struct stj_svd_look *look, struct stj_svd_outside *outside,
                                     struct stj_error *err);

/* r->top <- completed by what is missing, with r->outside.  *dense <- whether the whole matrix would
 * be cheaper than to go on; nothing more was done then. */
enum stj_status stj_svd_complete(struct stj_op *a, const struct stj_svd_budget *budget,
                                 struct stj_svd_result *r, bool *dense, struct stj_error *err);

/* Products with A'A of a look after an iteration of so many, where nothing is missing. */
double stj_svd_look_steps(double products);

/* Values that differ by this or less are ties. */
double stj_svd_tie(double tol, double sigma_1);

/* pairs <- finished from a basis V (n_cols x k, given back): QR, k products with A, SVD, k products
 * with A' for the residuals. */
enum stj_status stj_svd_finish(struct stj_op *a, size_t k, double **v, struct stj_pairs *pairs,
                               struct stj_error *err);

/* The same, and *residuals [n_cols][k] (owned by the caller; may be NULL) <- A'u - sigma v. */
enum stj_status stj_svd_finish_with(struct stj_op *a, size_t k, double **v, struct stj_pairs *pairs,
                                    double **residuals, struct stj_error *err);

/* pairs <- the first `wanted` of a basis V (n_cols x k, given back) of the largest, with guards, that
 * an operator near A found, finished with A and corrected with that one until all residuals are at
 * most tol sigma_1, or no longer fall. */
enum stj_status stj_svd_refine(struct stj_op *a, struct stj_op *cheap, size_t wanted, double tol,
                               size_t k, double **v, struct stj_pairs *pairs,
                               struct stj_error *err);

/* pairs <- a basis that comes with u and sigma, taken over as it is; k products with A' for the
 * residuals.  *defect <- the largest |v'A'u - sigma|, by which A' fails to be the adjoint of A. */
enum stj_status stj_svd_adopt(struct stj_op *a, struct stj_svd_basis *basis,
                              struct stj_pairs *pairs, double *defect, struct stj_error *err);

/* pairs <- a copy of the first k. */
enum stj_status stj_pairs_copy(const struct stj_pairs *from, size_t k, struct stj_pairs *pairs,
                               struct stj_error *err);
void stj_pairs_free(struct stj_pairs *pairs);

/* Keep those above a threshold, and those that may be: within their residual, or the rounding of a
 * product, of it.  *straddling <- how many these are, the last ones. */
void stj_pairs_cut(struct stj_pairs *pairs, double above, double rounding, size_t *straddling);

STJ_HOLDS(struct stj_svd_result, stj_svd_result_destroy)

#endif
