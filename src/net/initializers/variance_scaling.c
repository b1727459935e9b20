/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/initializers/variance_scaling.c: laws of mean 0 whose variance follows from a layer's fans.
 *
 *     lecun    variance 1 / fan_in                  (LeCun, Bottou, Orr, Mueller 1998)
 *     glorot   variance 2 / (fan_in + fan_out)      (Glorot and Bengio 2010)
 *     he       variance 2 / fan_in                  (He, Zhang, Ren, Sun 2015)
 *
 * As in JAX, *_normal is the normal law cut at two standard deviations and then scaled, so that the
 * variance after cutting is as said; *_uniform is the uniform law on +-sqrt(3 variance).
 */
#include <math.h>

#include "net/initializers/initializers.h"

/* Standard deviation of the standard normal law within [-2, 2]. */
static const double truncated_stddev = 0.87962566103423978;

static double lecun(size_t fan_in)
{
    return 1 / (double)fan_in;
}

static double glorot(size_t fan_in, size_t fan_out)
{
    return 2 / ((double)fan_in + (double)fan_out);
}

static double he(size_t fan_in)
{
    return 2 / (double)fan_in;
}

static void fill_normal(size_t n, double variance, struct stj_rng *rng, double *w)
{
    const double scale = sqrt(variance) / truncated_stddev;
    for (size_t i = 0; i < n; i++)
        w[i] = scale * stj_rng_truncated_normal(rng);
}

static void fill_uniform(size_t n, double variance, struct stj_rng *rng, double *w)
{
    const double limit = sqrt(3 * variance);
    for (size_t i = 0; i < n; i++)
        w[i] = limit * (2 * stj_rng_uniform(rng) - 1);
}

static void lecun_normal_fill(const void *config, size_t n, size_t fan_in, size_t fan_out,
                              struct stj_rng *rng, double *w)
{
    (void)config;
    (void)fan_out;
    fill_normal(n, lecun(fan_in), rng, w);
}

static void lecun_uniform_fill(const void *config, size_t n, size_t fan_in, size_t fan_out,
                               struct stj_rng *rng, double *w)
{
    (void)config;
    (void)fan_out;
    fill_uniform(n, lecun(fan_in), rng, w);
}

static void glorot_normal_fill(const void *config, size_t n, size_t fan_in, size_t fan_out,
                               struct stj_rng *rng, double *w)
{
    (void)config;
    fill_normal(n, glorot(fan_in, fan_out), rng, w);
}

static void glorot_uniform_fill(const void *config, size_t n, size_t fan_in, size_t fan_out,
                                struct stj_rng *rng, double *w)
{
    (void)config;
    fill_uniform(n, glorot(fan_in, fan_out), rng, w);
}

static void he_normal_fill(const void *config, size_t n, size_t fan_in, size_t fan_out,
                           struct stj_rng *rng, double *w)
{
    (void)config;
    (void)fan_out;
    fill_normal(n, he(fan_in), rng, w);
}

static void he_uniform_fill(const void *config, size_t n, size_t fan_in, size_t fan_out,
                            struct stj_rng *rng, double *w)
{
    (void)config;
    (void)fan_out;
    fill_uniform(n, he(fan_in), rng, w);
}

const struct stj_initializer_ops stj_init_lecun_normal = {
    .info = {.name = "lecun_normal",
             .doc = "normal law cut at two standard deviations, variance 1 / fan_in"},
    .fill = lecun_normal_fill,
};

const struct stj_initializer_ops stj_init_lecun_uniform = {
    .info = {.name = "lecun_uniform", .doc = "uniform law, variance 1 / fan_in"},
    .fill = lecun_uniform_fill,
};

const struct stj_initializer_ops stj_init_glorot_normal = {
    .info = {.name = "glorot_normal",
             .doc = "normal law cut at two standard deviations, variance 2 / (fan_in + fan_out)"},
    .fill = glorot_normal_fill,
};

const struct stj_initializer_ops stj_init_glorot_uniform = {
    .info = {.name = "glorot_uniform", .doc = "uniform law, variance 2 / (fan_in + fan_out)"},
    .fill = glorot_uniform_fill,
};

const struct stj_initializer_ops stj_init_he_normal = {
    .info = {.name = "he_normal",
             .doc = "normal law cut at two standard deviations, variance 2 / fan_in"},
    .fill = he_normal_fill,
};

const struct stj_initializer_ops stj_init_he_uniform = {
    .info = {.name = "he_uniform", .doc = "uniform law, variance 2 / fan_in"},
    .fill = he_uniform_fill,
};
