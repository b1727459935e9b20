/* SPDX-License-Identifier: GPL-3.0-or-later */
/* base/rng.h: random numbers, from GSL generators only, always seeded by the caller. */
#ifndef STJ_BASE_RNG_H
#define STJ_BASE_RNG_H

#include <stddef.h>
#include <stdint.h>

#include <spectraj/status.h>

#include "base/memory.h"

/* What a stream is drawn for: the same user seed gives independent numbers to each. */
enum stj_rng_stream {
    STJ_STREAM_INIT = 1, /* initial parameters */
    STJ_STREAM_BATCHES,  /* order of the batches */
    STJ_STREAM_START,    /* start vectors of solvers */
    STJ_STREAM_PROBES,   /* probes of stochastic estimators */
    STJ_STREAM_CHECK,    /* vectors of self-checks */
    STJ_STREAM_DROPOUT,  /* masks */
    STJ_STREAM_DATA,     /* generated data */
    STJ_STREAM_STUDY,    /* directions and data of studies */
};

struct stj_rng;

/* *rng <- a generator (Mersenne Twister) seeded by a hash of (seed, stream, item); the item tells
 * apart, say, epochs or probes.  Owned by the caller. */
enum stj_status stj_rng_create(uint64_t seed, enum stj_rng_stream stream, uint64_t item,
                               struct stj_rng **rng, struct stj_error *err);
void stj_rng_destroy(struct stj_rng *rng); /* NULL is accepted */
STJ_HOLDS(struct stj_rng, stj_rng_destroy)

double stj_rng_uniform(struct stj_rng *rng);          /* in [0, 1) */
double stj_rng_normal(struct stj_rng *rng);           /* mean 0, standard deviation 1 */
double stj_rng_truncated_normal(struct stj_rng *rng); /* the standard normal law within [-2, 2] */
size_t stj_rng_index(struct stj_rng *rng, size_t n);  /* in [0, n), n >= 1 */
void stj_rng_shuffle(struct stj_rng *rng, size_t *item, size_t n);
void stj_rng_fill_normal(struct stj_rng *rng, size_t n, double *x);

#endif
