/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/layers/positions.c: a learned vector for each position, added.
 *
 * With x [positions][cols] and a table E of the same shape:
 *
 *     forward            y         = x + E
 *     forward_tangent    y_dot     = x_dot + E_dot
 *     backward           x_bar    += y_bar,           E_bar     = sum over samples of y_bar
 *     backward_tangent   x_bar_dot += y_bar_dot,      E_bar_dot = sum over samples of y_bar_dot
 */
#include "net/layers/layers.h"

#include <stdio.h>

#include "net/initializer.h"
#include "net/kernels.h"

struct positions_config {
    struct stj_plugin table_init;
};

#define OPTION(...) STJ_OPTION_ROW(struct positions_config, __VA_ARGS__)
static const struct stj_option positions_options[] = {
    OPTION("table_init", PLUGIN, table_init, "{type: normal, stddev: 0.02}",
           "initialiser of the table [positions][cols]", .kind = &stj_initializers),
    {.name = NULL},
};

static void positions_sample(struct stj_rng *rng, char *text, size_t size)
{
    snprintf(text, size, "{input: [%zu, %zu], layers: [{type: positions}]}",
             1 + stj_rng_index(rng, 5), 1 + stj_rng_index(rng, 9));
}

static enum stj_status positions_setup(struct stj_layer *layer, const struct stj_shape *in2,
                                       struct stj_error *err)
{
    (void)in2;
    (void)err;
    const struct positions_config *config = layer->config;
    const size_t rows = stj_shape_positions(&layer->in);
    const size_t cols = stj_shape_cols(&layer->in);
    layer->out = layer->in;
    stj_layer_add_tensor(layer, "table", rows, cols, rows, cols, &config->table_init);
    return STJ_OK;
}

static void positions_forward(const struct stj_layer *layer, real *y,
                              const struct stj_layer_values *at, real *scratch)
{
    (void)scratch;
    const size_t n = layer->n_params;
    for (size_t s = 0; s < at->batch; s++)
        stj_sum(n, at->x + s * n, at->theta, y + s * n);
}

static void positions_forward_tangent(const struct stj_layer *layer, size_t nvec, real *y_dot,
                                      const struct stj_layer_values *at, const real *x_dot,
                                      const real *x2_dot, const real *theta_dot, real *scratch)
{
    (void)x2_dot;
    (void)scratch;
    const size_t n = layer->n_params * nvec;
    if (x_dot)
        for (size_t s = 0; s < at->batch; s++)
            stj_sum(n, x_dot + s * n, theta_dot, y_dot + s * n);
    else
        stj_rows_copy(at->batch, n, theta_dot, y_dot);
}

static void positions_backward(const struct stj_layer *layer, const real *beta, real *x_bar,
                               real *x2_bar, real *theta_bar, const struct stj_layer_values *at,
                               real *scratch)
{
    (void)x2_bar;
    (void)scratch;
    const size_t n = layer->n_params;
    if (x_bar)
        stj_add(at->batch * n, at->y_bar, beta[0], x_bar);
    if (theta_bar)
        stj_rows_sum(at->batch, n, at->y_bar, theta_bar);
}

static void positions_backward_tangent(const struct stj_layer *layer, size_t nvec, const real *beta,
                                       real *x_bar_dot, real *x2_bar_dot, real *theta_bar_dot,
                                       const struct stj_layer_values *at, const real *x_dot,
                                       const real *x2_dot, const real *theta_dot,
                                       const real *y_bar_dot, real *scratch)
{
    (void)x2_bar_dot;
    (void)x_dot;
    (void)x2_dot;
    (void)theta_dot;
    (void)scratch;
    const size_t n = layer->n_params * nvec;
    if (x_bar_dot)
        stj_add(at->batch * n, y_bar_dot, beta[0], x_bar_dot);
    if (theta_bar_dot)
        stj_rows_sum(at->batch, n, y_bar_dot, theta_bar_dot);
}

const struct stj_layer_ops stj_layer_positions = {
    .info = {.name = "positions",
             .doc = "a learned vector for each position, added",
             .options = positions_options,
             .config_size = sizeof(struct positions_config)},
    .sample = positions_sample,
    .forgets = STJ_FORGETS_ALL,
    .setup = positions_setup,
    .forward = positions_forward,
    .forward_tangent = positions_forward_tangent,
    .backward = positions_backward,
    .backward_tangent = positions_backward_tangent,
};
