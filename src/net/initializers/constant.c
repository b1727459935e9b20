/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/initializers/constant.c: the same number everywhere: `zeros`, `ones`, `constant` (value). */
#include "net/initializers/initializers.h"

struct constant_config {
    double value;
};

#define OPTION(...) STJ_OPTION_ROW(struct constant_config, __VA_ARGS__)
static const struct stj_option constant_options[] = {
    OPTION("value", REAL, value, NULL, "the number"),
    {.name = NULL},
};

static void fill(size_t n, double value, double *w)
{
    for (size_t i = 0; i < n; i++)
        w[i] = value;
}

static void zeros_fill(const void *config, size_t n, size_t fan_in, size_t fan_out,
                       struct stj_rng *rng, double *w)
{
    (void)config;
    (void)fan_in;
    (void)fan_out;
    (void)rng;
    fill(n, 0, w);
}

static void ones_fill(const void *config, size_t n, size_t fan_in, size_t fan_out,
                      struct stj_rng *rng, double *w)
{
    (void)config;
    (void)fan_in;
    (void)fan_out;
    (void)rng;
    fill(n, 1, w);
}

static void constant_fill(const void *config, size_t n, size_t fan_in, size_t fan_out,
                          struct stj_rng *rng, double *w)
{
    (void)fan_in;
    (void)fan_out;
    (void)rng;
    fill(n, ((const struct constant_config *)config)->value, w);
}

const struct stj_initializer_ops stj_init_zeros = {
    .info = {.name = "zeros", .doc = "all zero"},
    .fill = zeros_fill,
};

const struct stj_initializer_ops stj_init_ones = {
    .info = {.name = "ones", .doc = "all one"},
    .fill = ones_fill,
};

const struct stj_initializer_ops stj_init_constant = {
    .info = {.name = "constant",
             .doc = "all the same number",
             .options = constant_options,
             .config_size = sizeof(struct constant_config)},
    .fill = constant_fill,
};
