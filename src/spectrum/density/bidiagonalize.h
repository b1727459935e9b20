/* SPDX-License-Identifier: GPL-3.0-or-later */
/* spectrum/density/bidiagonalize.h: Golub-Kahan bidiagonalisation of a block of probes. */
#ifndef STJ_SPECTRUM_DENSITY_BIDIAGONALIZE_H
#define STJ_SPECTRUM_DENSITY_BIDIAGONALIZE_H

#include <spectraj/density.h>

#include "spectrum/cost_model.h"

/* Known right singular vectors to stay orthogonal to: orthonormal columns v (n_cols x k, this
 * rank's rows).  The left ones need no such care: A'A keeps the complement of v to itself. */
struct stj_deflation {
    size_t k;
    const double *v;
};

/* Alphas and betas at or below so much, of the largest, are set to zero: tau / sigma_1, of an
 * operator with at most n rows or columns, whose products have this relative rounding. */
double stj_bidiagonal_tau(double n, double rounding);

/* True when the work is to stop before `more` further products. */
typedef bool (*stj_bidiagonal_stop_fn)(void *ctx, double more);

struct stj_bidiagonal;

/* *block <- n_probes Gaussian probes, numbers first .. first + n_probes - 1 of the seed's stream,
 * with room for `steps` steps.  The operator and the deflation are borrowed.  `how` is not AUTO. */
enum stj_status stj_bidiagonal_create(struct stj_op *a, const struct stj_deflation *deflation,
                                      size_t first, size_t n_probes, uint64_t seed, size_t steps,
                                      enum stj_reorthogonalize how, const char *scratch,
                                      struct stj_bidiagonal **block, struct stj_error *err);
void stj_bidiagonal_destroy(struct stj_bidiagonal *block); /* NULL is accepted */

/* Carry every probe that has not ended on to `steps` steps in all, together: one block product with
 * A and one with A' a step.  *stopped <- whether `stop` ended it before. */
enum stj_status stj_bidiagonal_advance(struct stj_bidiagonal *block, size_t steps,
                                       stj_bidiagonal_stop_fn stop, void *ctx, bool *stopped,
                                       struct stj_error *err);

/* Give the bases back: the probes stay readable, and cannot be advanced any more. */
void stj_bidiagonal_freeze(struct stj_bidiagonal *block);
bool stj_bidiagonal_frozen(const struct stj_bidiagonal *block);

size_t stj_bidiagonal_probes(const struct stj_bidiagonal *block);
const struct stj_density_probe *stj_bidiagonal_probe(const struct stj_bidiagonal *block, size_t i);

/* Bytes of the bases of one probe of `steps` steps where n_rows and n_cols rows of them are
 * held. */
double stj_bidiagonal_bytes(size_t n_rows, size_t n_cols, size_t steps,
                            enum stj_reorthogonalize how);

/* How many probes of `settings` go together in `memory` bytes, 0: none fits.  *how <- that for
 * AUTO: full where at least half of the probes fit side by side, or where half of the memory would
 * not change that; one vector a step otherwise. */
size_t stj_density_in_flight(const struct stj_density_settings *settings, size_t n_rows,
                             size_t n_cols, size_t steps, size_t memory,
                             enum stj_reorthogonalize *how);

/* Bytes for the bases, as the settings say or by default. */
size_t stj_density_memory(const struct stj_density_settings *settings);

/* The prediction of a density of an m x n operator. */
void stj_density_predict(const struct stj_density_settings *settings, size_t m, size_t n,
                         struct stj_prediction *prediction);

#endif
