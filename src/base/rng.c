/* SPDX-License-Identifier: GPL-3.0-or-later */
/* base/rng.c: seeded streams over GSL's Mersenne Twister (Matsumoto and Nishimura 1998).
 *
 * GSL takes a 32-bit seed; (seed, stream, item) is folded into it by the finaliser of splitmix64
 * (Steele, Lea, Flood 2014), so that neighbouring seeds and items start far apart.
 */
#include "base/rng.h"

#include <gsl/gsl_randist.h>
#include <gsl/gsl_rng.h>
#include <math.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/memory.h"

struct stj_rng {
    gsl_rng gsl; /* with its state; gsl_rng_alloc would end the process when there is no memory */
};

static uint64_t mix(uint64_t z)
{
    z += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

enum stj_status stj_rng_create(uint64_t seed, enum stj_rng_stream stream, uint64_t item,
                               struct stj_rng **rng, struct stj_error *err)
{
    STJ_HELD(stj_rng_destroy_at) struct stj_rng *r = NULL;
    STJ_MUST(stj_new(&r, 1, sizeof *r, err));
    r->gsl.type = gsl_rng_mt19937;
    STJ_MUST(stj_new(&r->gsl.state, 1, r->gsl.type->size, err));
    gsl_rng_set(&r->gsl, (unsigned long)(mix(mix(mix(seed) ^ (uint64_t)stream) ^ item) >> 32));
    *rng = r;
    r = NULL;
    return STJ_OK;
}

void stj_rng_destroy(struct stj_rng *rng)
{
    if (!rng)
        return;
    free(rng->gsl.state);
    free(rng);
}

double stj_rng_uniform(struct stj_rng *rng)
{
    return gsl_rng_uniform(&rng->gsl);
}

double stj_rng_normal(struct stj_rng *rng)
{
    return gsl_ran_gaussian_ziggurat(&rng->gsl, 1.0);
}

double stj_rng_truncated_normal(struct stj_rng *rng)
{
    double z;
    do /* accepted with probability 0.954 */
        z = stj_rng_normal(rng);
    while (fabs(z) > 2.0);
    return z;
}

size_t stj_rng_index(struct stj_rng *rng, size_t n)
{
    return (size_t)(gsl_rng_uniform(&rng->gsl) * (double)n);
}

void stj_rng_shuffle(struct stj_rng *rng, size_t *item, size_t n)
{
    if (n > 1)
        gsl_ran_shuffle(&rng->gsl, item, n, sizeof *item);
}

void stj_rng_fill_normal(struct stj_rng *rng, size_t n, double *x)
{
    for (size_t i = 0; i < n; i++)
        x[i] = stj_rng_normal(rng);
}
