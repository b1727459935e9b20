/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/initializers/normal.c: normal laws of given scale: `normal` and `truncated_normal`.
 *
 * truncated_normal is mean + stddev z with z from the standard normal law cut at [-2, 2], so that
 * its own standard deviation is 0.8796 stddev, as in JAX and TensorFlow.
 */
#include "net/initializers/initializers.h"

struct normal_config {
    double mean, stddev;
};

#define OPTION(...) STJ_OPTION_ROW(struct normal_config, __VA_ARGS__)
static const struct stj_option normal_options[] = {
    OPTION("mean", REAL, mean, "0", "mean"),
    OPTION("stddev", REAL, stddev, "1",
           "standard deviation (of the law before it is cut, for truncated_normal)", .min = 0,
           .max = 1e300),
    {.name = NULL},
};

static void normal_fill(const void *config, size_t n, size_t fan_in, size_t fan_out,
                        struct stj_rng *rng, double *w)
{
    (void)fan_in;
    (void)fan_out;
    const struct normal_config *c = config;
    for (size_t i = 0; i < n; i++)
        w[i] = c->mean + c->stddev * stj_rng_normal(rng);
}

static void truncated_normal_fill(const void *config, size_t n, size_t fan_in, size_t fan_out,
                                  struct stj_rng *rng, double *w)
{
    (void)fan_in;
    (void)fan_out;
    const struct normal_config *c = config;
    for (size_t i = 0; i < n; i++)
        w[i] = c->mean + c->stddev * stj_rng_truncated_normal(rng);
}

const struct stj_initializer_ops stj_init_normal = {
    .info = {.name = "normal",
             .doc = "normal law",
             .options = normal_options,
             .config_size = sizeof(struct normal_config)},
    .fill = normal_fill,
};

const struct stj_initializer_ops stj_init_truncated_normal = {
    .info = {.name = "truncated_normal",
             .doc = "normal law cut at two standard deviations",
             .options = normal_options,
             .config_size = sizeof(struct normal_config)},
    .fill = truncated_normal_fill,
};
