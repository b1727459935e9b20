/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/layers/bias.c: a learned number for each channel, added.
 *
 * With rows x [cols] and b [cols]:
 *
 *     forward            y          = x + b
 *     forward_tangent    y_dot      = x_dot + b_dot
 *     backward           x_bar     += y_bar,          b_bar     = sum over rows of y_bar
 *     backward_tangent   x_bar_dot += y_bar_dot,      b_bar_dot = sum over rows of y_bar_dot
 */
#include "net/layers/layers.h"

#include <stdio.h>

#include "net/initializer.h"
#include "net/kernels.h"

struct bias_config {
    struct stj_plugin bias_init;
};

#define OPTION(...) STJ_OPTION_ROW(struct bias_config, __VA_ARGS__)
static const struct stj_option bias_options[] = {
    OPTION("bias_init", PLUGIN, bias_init, "zeros", "initialiser of the bias [cols]",
           .kind = &stj_initializers),
    {.name = NULL},
};

static void bias_sample(struct stj_rng *rng, char *text, size_t size)
{
    snprintf(text, size, "{input: [%s%zu], layers: [{type: bias, bias_init: normal}]}",
             stj_rng_index(rng, 2) ? "3, " : "", 1 + stj_rng_index(rng, 5));
}

static enum stj_status bias_setup(struct stj_layer *layer, const struct stj_shape *in2,
                                  struct stj_error *err)
{
    (void)in2;
    (void)err;
    const struct bias_config *config = layer->config;
    const size_t cols = stj_shape_cols(&layer->in);
    layer->out = layer->in;
    stj_layer_add_tensor(layer, "bias", 1, cols, cols, cols, &config->bias_init);
    return STJ_OK;
}

static size_t rows_of(const struct stj_layer *layer, const struct stj_layer_values *at)
{
    return at->batch * stj_shape_positions(&layer->in);
}

static void bias_forward(const struct stj_layer *layer, real *y, const struct stj_layer_values *at,
                         real *scratch)
{
    (void)scratch;
    const size_t n = layer->n_params;
    for (size_t r = 0; r < rows_of(layer, at); r++)
        stj_sum(n, at->x + r * n, at->theta, y + r * n);
}

static void bias_forward_tangent(const struct stj_layer *layer, size_t nvec, real *y_dot,
                                 const struct stj_layer_values *at, const real *x_dot,
                                 const real *x2_dot, const real *theta_dot, real *scratch)
{
    (void)x2_dot;
    (void)scratch;
    const size_t n = nvec * layer->n_params;
    stj_rows_copy(rows_of(layer, at), n, theta_dot, y_dot);
    if (x_dot)
        stj_add(rows_of(layer, at) * n, x_dot, 1, y_dot);
}

static void bias_backward(const struct stj_layer *layer, const real *beta, real *x_bar,
                          real *x2_bar, real *theta_bar, const struct stj_layer_values *at,
                          real *scratch)
{
    (void)x2_bar;
    (void)scratch;
    const size_t n = layer->n_params, rows = rows_of(layer, at);
    if (x_bar)
        stj_add(rows * n, at->y_bar, beta[0], x_bar);
    if (theta_bar)
        stj_rows_sum(rows, n, at->y_bar, theta_bar);
}

static void bias_backward_tangent(const struct stj_layer *layer, size_t nvec, const real *beta,
                                  real *x_bar_dot, real *x2_bar_dot, real *theta_bar_dot,
                                  const struct stj_layer_values *at, const real *x_dot,
                                  const real *x2_dot, const real *theta_dot, const real *y_bar_dot,
                                  real *scratch)
{
    (void)x2_bar_dot;
    (void)x_dot;
    (void)x2_dot;
    (void)theta_dot;
    (void)scratch;
    const size_t n = nvec * layer->n_params, rows = rows_of(layer, at);
    if (x_bar_dot)
        stj_add(rows * n, y_bar_dot, beta[0], x_bar_dot);
    if (theta_bar_dot)
        stj_rows_sum(rows, n, y_bar_dot, theta_bar_dot);
}

const struct stj_layer_ops stj_layer_bias = {
    .info = {.name = "bias",
             .doc = "a learned number for each channel, added",
             .options = bias_options,
             .config_size = sizeof(struct bias_config)},
    .sample = bias_sample,
    .forgets = STJ_FORGETS_ALL,
    .setup = bias_setup,
    .forward = bias_forward,
    .forward_tangent = bias_forward_tangent,
    .backward = bias_backward,
    .backward_tangent = bias_backward_tangent,
};
