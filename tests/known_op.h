/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/known_op.h: operators of known singular values for tests of the spectrum. */
#ifndef STJ_TESTS_KNOWN_OP_H
#define STJ_TESTS_KNOWN_OP_H

#include <spectraj/op.h>

/* The diagonal matrix of sigma[n] (borrowed), as a callback.  Gaussian probes know no preferred
 * basis, so for everything statistical it stands for all matrices of these singular values. */
struct stj_op *diagonal_op(size_t n, const double *sigma);

/* A = U diag(sigma) V', m x n, dense, with random orthonormal U and V of min(m, n) columns. */
struct known_matrix {
    size_t m, n, least;
    double *a, *u, *v; /* m x n; m x least; n x least */
};
struct known_matrix *known_matrix_create(size_t m, size_t n, const double *sigma, uint64_t seed);
void known_matrix_free(struct known_matrix *k);
struct stj_op *known_matrix_op(struct known_matrix *k);

/* Spectra for the calibration of estimators: sigma[n], not sorted. */
struct known_spectrum {
    const char *name;
    size_t n, steps;
    double (*sigma)(size_t i, size_t n);
};
extern const struct known_spectrum known_spectra[];
extern const size_t n_known_spectra;

/* STJ_TEST_MULTIPLIER, 1 without it; and so many times n seeds. */
double test_multiplier(void);
size_t test_seeds(size_t n);

/* The least number of successes in n trials that a probability p does not make incredible: fewer
 * have probability below 1e-3. */
size_t least_successes(size_t n, double p);

#endif
