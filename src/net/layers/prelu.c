/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/layers/prelu.c: the rectifier whose slope below zero is learned (He et al. 2015).
 *
 * With k = [x > 0], one slope a for everything or one for each channel, products elementwise:
 *
 *     forward            y         = k x + (1 - k) a x
 *     forward_tangent    y_dot     = (k + (1 - k) a) x_dot + (1 - k) x a_dot
 *     backward           x_bar    += (k + (1 - k) a) y_bar,   a_bar = sum (1 - k) x y_bar
 *     backward_tangent   x_bar_dot += (k + (1 - k) a) y_bar_dot + (1 - k) a_dot y_bar
 *                        a_bar_dot  = sum (1 - k) (x y_bar_dot + x_dot y_bar)
 */
#include "net/layers/layers.h"

#include <stdio.h>
#include <string.h>

#include "net/initializer.h"

struct prelu_config {
    bool per_channel;
    struct stj_plugin slope_init;
};

#define OPTION(...) STJ_OPTION_ROW(struct prelu_config, __VA_ARGS__)
static const struct stj_option prelu_options[] = {
    OPTION("per_channel", BOOL, per_channel, "false", "whether each channel has its own slope"),
    OPTION("slope_init", PLUGIN, slope_init, "{type: constant, value: 0.25}",
           "initialiser of the slope [1] or [channels]", .kind = &stj_initializers),
    {.name = NULL},
};

static void prelu_sample(struct stj_rng *rng, char *text, size_t size)
{
    snprintf(text, size,
             "{input: [%s%zu], layers: [{type: prelu, per_channel: %s, slope_init: normal}]}",
             stj_rng_index(rng, 2) ? "3, " : "", 1 + stj_rng_index(rng, 9),
             stj_rng_index(rng, 2) ? "true" : "false");
}

static enum stj_status prelu_setup(struct stj_layer *layer, const struct stj_shape *in2,
                                   struct stj_error *err)
{
    (void)in2;
    (void)err;
    const struct prelu_config *config = layer->config;
    const size_t n = config->per_channel ? stj_shape_cols(&layer->in) : 1;
    layer->out = layer->in;
    stj_layer_add_tensor(layer, "slope", 1, n, n, n, &config->slope_init);
    return STJ_OK;
}

struct view {
    size_t rows, cols;
    size_t slopes; /* 1 or cols */
};

static struct view view_of(const struct stj_layer *layer, size_t batch)
{
    return (struct view){batch * stj_shape_positions(&layer->in), stj_shape_cols(&layer->in),
                         layer->n_params};
}

/* The slope of channel c: its number. */
static inline size_t slope(const struct view *v, size_t c)
{
    return v->slopes == 1 ? 0 : c;
}

static void prelu_forward(const struct stj_layer *layer, real *y, const struct stj_layer_values *at,
                          real *scratch)
{
    (void)scratch;
    const struct view v = view_of(layer, at->batch);
    for (size_t i = 0; i < v.rows * v.cols; i++)
        y[i] = at->x[i] > 0 ? at->x[i] : at->theta[slope(&v, i % v.cols)] * at->x[i];
}

static void prelu_forward_tangent(const struct stj_layer *layer, size_t nvec, real *y_dot,
                                  const struct stj_layer_values *at, const real *x_dot,
                                  const real *x2_dot, const real *theta_dot, real *scratch)
{
    (void)x2_dot;
    (void)scratch;
    const struct view v = view_of(layer, at->batch);
    for (size_t r = 0; r < v.rows * nvec; r++)
        for (size_t c = 0; c < v.cols; c++) {
            const real x = at->x[r / nvec * v.cols + c];
            const size_t a = slope(&v, c);
            const real dot = x_dot ? x_dot[r * v.cols + c] : 0;
            y_dot[r * v.cols + c] =
                x > 0 ? dot : at->theta[a] * dot + theta_dot[r % nvec * v.slopes + a] * x;
        }
}

static void prelu_backward(const struct stj_layer *layer, const real *beta, real *x_bar,
                           real *x2_bar, real *theta_bar, const struct stj_layer_values *at,
                           real *scratch)
{
    (void)x2_bar;
    (void)scratch;
    const struct view v = view_of(layer, at->batch);
    if (theta_bar)
        memset(theta_bar, 0, v.slopes * sizeof *theta_bar);
    for (size_t i = 0; i < v.rows * v.cols; i++) {
        const size_t a = slope(&v, i % v.cols);
        const bool below = !(at->x[i] > 0);
        if (x_bar)
            x_bar[i] = (below ? at->theta[a] : 1) * at->y_bar[i] + (beta[0] == 0 ? 0 : x_bar[i]);
        if (theta_bar && below)
            theta_bar[a] += at->x[i] * at->y_bar[i];
    }
}

static void prelu_backward_tangent(const struct stj_layer *layer, size_t nvec, const real *beta,
                                   real *x_bar_dot, real *x2_bar_dot, real *theta_bar_dot,
                                   const struct stj_layer_values *at, const real *x_dot,
                                   const real *x2_dot, const real *theta_dot, const real *y_bar_dot,
                                   real *scratch)
{
    (void)x2_bar_dot;
    (void)x2_dot;
    (void)scratch;
    const struct view v = view_of(layer, at->batch);
    if (theta_bar_dot)
        memset(theta_bar_dot, 0, nvec * v.slopes * sizeof *theta_bar_dot);
    for (size_t r = 0; r < v.rows * nvec; r++)
        for (size_t c = 0; c < v.cols; c++) {
            const size_t i = r * v.cols + c;
            const size_t o = r / nvec * v.cols + c;
            const size_t a = slope(&v, c);
            const size_t a_dot = r % nvec * v.slopes + a;
            const bool below = !(at->x[o] > 0);
            if (x_bar_dot)
                x_bar_dot[i] =
                    (below ? at->theta[a] * y_bar_dot[i] + theta_dot[a_dot] * at->y_bar[o]
                           : y_bar_dot[i]) +
                    (beta[0] == 0 ? 0 : x_bar_dot[i]);
            if (theta_bar_dot && below)
                theta_bar_dot[a_dot] +=
                    at->x[o] * y_bar_dot[i] + (x_dot ? x_dot[i] * at->y_bar[o] : 0);
        }
}

const struct stj_layer_ops stj_layer_prelu = {
    .info = {.name = "prelu",
             .doc = "rectifier whose slope below zero is learned",
             .options = prelu_options,
             .config_size = sizeof(struct prelu_config)},
    .switches = true,
    .sample = prelu_sample,
    .forgets = STJ_FORGETS_Y,
    .setup = prelu_setup,
    .forward = prelu_forward,
    .forward_tangent = prelu_forward_tangent,
    .backward = prelu_backward,
    .backward_tangent = prelu_backward_tangent,
};
