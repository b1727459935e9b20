/* SPDX-License-Identifier: GPL-3.0-or-later */
/* spectrum/svd/svd_method.h: the contract of a method for singular pairs.
 *
 * A method finds a basis V (n_cols x k) that is meant to span the wanted right singular vectors.  It
 * certifies nothing: every basis is finished, in one place, by a QR of V and an SVD of A V, and its
 * residuals are computed from the operator.
 */
#ifndef STJ_SPECTRUM_SVD_SVD_METHOD_H
#define STJ_SPECTRUM_SVD_SVD_METHOD_H

#include <spectraj/svd.h>

#include "options/option.h"

/* What a method found; the arrays are owned by the receiver, and whole on every rank. */
struct stj_svd_basis {
    size_t k;        /* columns: at most what was wanted */
    double *v;       /* n_cols x k, column-major */
    double *u;       /* n_rows x k and [k]: where the method holds A V = U diag(sigma) already, */
    double *sigma;   /* from products of its own; else NULL */
    double sigma_1;  /* a lower bound of the largest singular value; 0: none known */
    double products; /* products with A'A (or A, for methods that use it alone) of the iteration */
    size_t ncv;      /* basis vectors it worked with */
    enum stj_stop stop;
};

void stj_svd_basis_free(struct stj_svd_basis *basis);

/* The budgets of a solve. */
struct stj_svd_budget {
    const struct stj_svd_settings *settings;
    struct stj_op *a;
    struct stj_op_counts begin;
    double clock;
};

/* True when the budgets do not allow `more` further applications, or the caller interrupts; *stop says
 * which. */
double stj_svd_used(const struct stj_svd_budget *budget); /* applications so far */
bool stj_svd_spent(const struct stj_svd_budget *budget, double more, double products,
                   enum stj_stop *stop);

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
};

extern const struct stj_kind stj_svd_methods; /* the registry: spectrum/svd/svd.c */
extern const struct stj_svd_method stj_svd_arnoldi;
extern const struct stj_svd_method stj_svd_arpack;
extern const struct stj_svd_method stj_svd_lapack;

/* Refuse, with a remedy, a method whose arrays for one end are larger than the memory that is free. */
enum stj_status stj_svd_check_memory(const struct stj_op *a,
                                     const struct stj_svd_settings *settings,
                                     const struct stj_svd_method *method, bool bottom,
                                     struct stj_error *err);

/* ncv that ARPACK will use for `top` values of an operator with n columns. */
size_t stj_svd_arpack_ncv(const struct stj_svd_settings *settings, size_t n);

/* The ends of a solve, into r. */
enum stj_status stj_svd_solve_top(struct stj_op *a, const struct stj_svd_budget *budget,
                                  struct stj_svd_result *r, struct stj_error *err);
enum stj_status stj_svd_solve_bottom(struct stj_op *a, const struct stj_svd_budget *budget,
                                     struct stj_svd_result *r, struct stj_error *err);

/* The method that the settings name, which must serve the ends that they ask for. */
enum stj_status stj_svd_named_method(const struct stj_svd_settings *settings,
                                     const struct stj_svd_method **method, struct stj_error *err);

/* Would the matrix and its decomposition fit in half of the free memory? */
bool stj_svd_fits_dense(size_t m, size_t n);

/* Products with A'A that ARPACK is likely to take. */
double stj_svd_likely_iterations(const struct stj_svd_settings *settings, size_t n);

/* Is LAPACK the method for the largest of an m x n operator: where ARPACK's basis would fill the space, or
 * its iterations cost more than all columns?  And for the smallest: of a rectangular operator, or where
 * n products (with the residuals') are within the budget, of which `used` is gone, or no more than the
 * iteration is likely to need? */
bool stj_svd_prefers_dense(const struct stj_svd_settings *settings, size_t m, size_t n);
bool stj_svd_prefers_dense_bottom(const struct stj_svd_settings *settings, size_t m, size_t n,
                                  double used);

/* How Arnoldi spends its budget. */
struct stj_arnoldi_plan {
    double fraction; /* of the steps in the window */
    size_t m;        /* Arnoldi vectors */
    size_t p;        /* seeds */
    size_t k;        /* wanted */
    double total;    /* applications, everything included */
};
enum { STJ_ARNOLDI_BLOCK = 4 }; /* vectors of an Arnoldi step */

/* For n columns and products of this cost, whose shortest prefix is that share of the steps; `used` applications of
 * a budget are gone. */
struct stj_arnoldi_plan stj_arnoldi_plan(const struct stj_svd_settings *settings, size_t n,
                                         double cost, double shortest, double used);

/* Products with A'A that looking outside takes. */
enum { STJ_OUTSIDE_STEPS = 6 };

/* *request <- how many pairs to ask for in order to find all above (or below) a threshold: somewhat more than a
 * coarse quadrature counts, or than the caller's `known` count. */
enum stj_status stj_svd_request(struct stj_op *a, const struct stj_svd_budget *budget,
                                double threshold, bool above, double known, size_t *request,
                                struct stj_error *err);
size_t stj_svd_request_more(const struct stj_op *a, size_t request);

/* outside <- what a few steps from a random vector find beside the pairs. */
enum stj_status stj_svd_look_outside(struct stj_op *a, const struct stj_svd_budget *budget,
                                     const struct stj_pairs *pairs, struct stj_svd_outside *outside,
                                     struct stj_error *err);

/* pairs <- finished from a basis V (n_cols x k, given back): QR, k products with A, SVD, k products
 * with A' for the residuals. */
enum stj_status stj_svd_finish(struct stj_op *a, size_t k, double **v, struct stj_pairs *pairs,
                               struct stj_error *err);

/* pairs <- a basis that comes with u and sigma, taken over as it is; k products with A' for the
 * residuals.  *defect <- the largest |v'A'u - sigma|, by which A' fails to be the adjoint of A. */
enum stj_status stj_svd_adopt(struct stj_op *a, struct stj_svd_basis *basis,
                              struct stj_pairs *pairs, double *defect, struct stj_error *err);

void stj_pairs_free(struct stj_pairs *pairs);

#endif
