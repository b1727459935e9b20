/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/initializers/uniform.c: uniform laws: `uniform` (min, max) and PyTorch's default.
 *
 * pytorch_default is what torch.nn.Linear and torch.nn.Conv2d draw for weight and bias alike: the
 * uniform law on +-1/sqrt(fan_in), with the layer's fan_in for its bias too.
 */
#include <math.h>

#include "base/error.h"
#include "net/initializers/initializers.h"

struct uniform_config {
    double min, max;
};

#define OPTION(...) STJ_OPTION_ROW(struct uniform_config, __VA_ARGS__)
static const struct stj_option uniform_options[] = {
    OPTION("min", REAL, min, "0", "lower end"),
    OPTION("max", REAL, max, "1", "upper end"),
    {.name = NULL},
};

static enum stj_status uniform_check(const void *config, struct stj_error *err)
{
    const struct uniform_config *c = config;
    STJ_NEED(err, c->min <= c->max && isfinite(c->max - c->min), STJ_ECONFIG,
             "min is %g and max %g: min must not be above max, and their distance finite", c->min,
             c->max);
    return STJ_OK;
}

static void uniform_fill(const void *config, size_t n, size_t fan_in, size_t fan_out,
                         struct stj_rng *rng, double *w)
{
    (void)fan_in;
    (void)fan_out;
    const struct uniform_config *c = config;
    for (size_t i = 0; i < n; i++)
        w[i] = fmin(c->min + (c->max - c->min) * stj_rng_uniform(rng), c->max);
}

static void pytorch_default_fill(const void *config, size_t n, size_t fan_in, size_t fan_out,
                                 struct stj_rng *rng, double *w)
{
    (void)config;
    (void)fan_out;
    const double limit = 1 / sqrt((double)fan_in);
    for (size_t i = 0; i < n; i++)
        w[i] = limit * (2 * stj_rng_uniform(rng) - 1);
}

const struct stj_initializer_ops stj_init_uniform = {
    .info = {.name = "uniform",
             .doc = "uniform law on [min, max]",
             .options = uniform_options,
             .config_size = sizeof(struct uniform_config),
             .check = uniform_check},
    .fill = uniform_fill,
};

const struct stj_initializer_ops stj_init_pytorch_default = {
    .info = {.name = "pytorch_default",
             .doc = "uniform law on +-1/sqrt(fan_in), PyTorch's for linear and convolution layers"},
    .fill = pytorch_default_fill,
};
