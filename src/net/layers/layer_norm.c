/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/layers/layer_norm.c: layer normalisation of the last dimension (Ba, Kiros, Hinton 2016).
 *
 * Each row x [cols] by itself; <.> is the mean over the row, products are elementwise, and
 * v = <(x - <x>)^2> + eps:
 *
 *     h = r (x - <x>),   r = v^(-1/2)           saved: h and r
 *
 *     forward            y         = s h + b
 *     forward_tangent    h_dot     = r (x_dot - <x_dot> - h <h x_dot>),   r_dot = -r^2 <h x_dot>
 *                        y_dot     = s h_dot + s_dot h + b_dot
 *     backward           g         = s y_bar,   q = g - <g> - h <h g>
 *                        x_bar    += r q,       s_bar = sum_rows y_bar h,   b_bar = sum_rows y_bar
 *     backward_tangent   g_dot     = s y_bar_dot + s_dot y_bar
 *                        x_bar_dot += r_dot q + r (g_dot - <g_dot> - h_dot <h g>
 *                                                  - h (<h_dot g> + <h g_dot>))
 *                        s_bar_dot = sum_rows (y_bar_dot h + y_bar h_dot)
 *                        b_bar_dot = sum_rows y_bar_dot
 *
 * rms_norm (Zhang and Sennrich 2019) takes no mean off: v = <x^2> + eps, and <x>, <x_dot>, <g> and
 * <g_dot> above are zero.  It has no bias.
 */
#include "net/layers/norm.h"

#include <stdio.h>
#include <string.h>

static const struct stj_option layer_norm_options[] = {
    STJ_NORM_OPTIONS,
    {.name = NULL},
};

static const struct stj_option rms_norm_options[] = {
    STJ_NORM_SCALE_OPTIONS,
    {.name = NULL},
};

static void layer_norm_sample(struct stj_rng *rng, char *text, size_t size)
{
    static const char *const eps[] = {"", ", eps: 0.1"};
    snprintf(
        text, size,
        "{input: [%s%zu], layers: [{type: layer_norm, scale_init: {type: normal, mean: 1}%s%s}]}",
        stj_rng_index(rng, 2) ? "3, " : "", 3 + stj_rng_index(rng, 18), eps[stj_rng_index(rng, 2)],
        stj_norm_sample(rng));
}

static void rms_norm_sample(struct stj_rng *rng, char *text, size_t size)
{
    snprintf(text, size,
             "{input: [%s%zu], layers: [{type: rms_norm, scale_init: {type: normal, mean: 1}, eps: "
             "0.1, affine: %s}]}",
             stj_rng_index(rng, 2) ? "3, " : "", 1 + stj_rng_index(rng, 18),
             stj_rng_index(rng, 3) ? "true" : "false");
}

static bool is_centred(const struct stj_layer *layer)
{
    return layer->ops == &stj_layer_layer_norm;
}

static enum stj_status layer_norm_setup(struct stj_layer *layer, const struct stj_shape *in2,
                                        struct stj_error *err)
{
    (void)in2;
    (void)err;
    layer->out = layer->in;
    layer->n_saved = stj_shape_size(&layer->in) + stj_shape_positions(&layer->in);
    stj_norm_add_tensors(layer);
    return STJ_OK;
}

/* Rows of work space of backward_tangent: g, q, h_dot, g_dot. */
enum { N_WORK = 4 };

static size_t layer_norm_n_scratch(const struct stj_layer *layer, size_t batch, size_t nvec)
{
    (void)batch;
    return N_WORK * stj_shape_cols(&layer->in) + stj_norm_n_scratch(layer, nvec);
}

static struct stj_norm_theta theta_of(const struct stj_layer *layer, size_t nvec,
                                      const struct stj_layer_values *at, const real *theta_dot,
                                      real *theta_bar, real *scratch)
{
    return stj_norm_theta(layer, nvec, at->theta, theta_dot, theta_bar,
                          scratch + N_WORK * stj_shape_cols(&layer->in));
}

static void layer_norm_forward(const struct stj_layer *layer, real *y,
                               const struct stj_layer_values *at, real *scratch)
{
    const struct stj_norm_config *config = layer->config;
    const struct stj_norm_theta t = theta_of(layer, 1, at, NULL, NULL, scratch);
    const size_t n = stj_shape_cols(&layer->in);
    const size_t rows = stj_shape_positions(&layer->in);
    for (size_t i = 0; i < at->batch * rows; i++) {
        real *h = at->saved + i / rows * layer->n_saved;
        real *r = h + rows * n;
        h += i % rows * n;
        r[i % rows] = stj_row_normalize(n, is_centred(layer), config->eps, at->x + i * n, h);
        stj_row_affine(n, t.scale, h, t.bias, y + i * n);
    }
}

static void layer_norm_forward_tangent(const struct stj_layer *layer, size_t nvec, real *y_dot,
                                       const struct stj_layer_values *at, const real *x_dot,
                                       const real *x2_dot, const real *theta_dot, real *scratch)
{
    (void)x2_dot;
    const struct stj_norm_theta t = theta_of(layer, nvec, at, theta_dot, NULL, scratch);
    const size_t n = stj_shape_cols(&layer->in);
    const size_t rows = stj_shape_positions(&layer->in);
    for (size_t i = 0; i < at->batch * rows; i++) {
        const real *h = at->saved + i / rows * layer->n_saved;
        const real r = h[rows * n + i % rows];
        const size_t o = i * nvec * n;
        stj_row_tangent(n, is_centred(layer), nvec, y_dot + o, x_dot ? x_dot + o : NULL, t.bias_dot,
                        t.scale_dot, t.scale, h + i % rows * n, r);
    }
}

static void layer_norm_backward(const struct stj_layer *layer, const real *beta, real *x_bar,
                                real *x2_bar, real *theta_bar, const struct stj_layer_values *at,
                                real *scratch)
{
    (void)x2_bar;
    const struct stj_norm_theta t = theta_of(layer, 1, at, NULL, theta_bar, scratch);
    const size_t n = stj_shape_cols(&layer->in);
    const size_t rows = stj_shape_positions(&layer->in);
    for (size_t i = 0; i < at->batch * rows; i++) {
        const real *h = at->saved + i / rows * layer->n_saved;
        const real r = h[rows * n + i % rows];
        h += i % rows * n;
        if (x_bar)
            stj_row_backward(n, is_centred(layer), beta[0], x_bar + i * n, t.scale,
                             at->y_bar + i * n, h, r, scratch, scratch + n);
        if (theta_bar)
            stj_row_theta_bar(n, t.bias_bar, t.scale_bar, at->y_bar + i * n, h);
    }
}

static void layer_norm_backward_tangent(const struct stj_layer *layer, size_t nvec,
                                        const real *beta, real *x_bar_dot, real *x2_bar_dot,
                                        real *theta_bar_dot, const struct stj_layer_values *at,
                                        const real *x_dot, const real *x2_dot,
                                        const real *theta_dot, const real *y_bar_dot, real *scratch)
{
    (void)x2_bar_dot;
    (void)x2_dot;
    const struct stj_norm_theta t = theta_of(layer, nvec, at, theta_dot, theta_bar_dot, scratch);
    const size_t n = stj_shape_cols(&layer->in);
    const size_t rows = stj_shape_positions(&layer->in);
    struct stj_norm_row w = {.n = n,
                             .centred = is_centred(layer),
                             .s = t.scale,
                             .g = scratch,
                             .q = scratch + n,
                             .h_dot = scratch + 2 * n,
                             .g_dot = scratch + 3 * n};
    memset(w.h_dot, 0, n * sizeof *w.h_dot);
    for (size_t i = 0; i < at->batch * rows; i++) {
        const real *saved = at->saved + i / rows * layer->n_saved;
        w.r = saved[rows * n + i % rows];
        w.h = saved + i % rows * n;
        w.y_bar = at->y_bar + i * n;
        stj_row_primal(&w);
        for (size_t j = 0; j < nvec; j++) {
            const size_t o = (i * nvec + j) * n;
            if (x_bar_dot)
                stj_row_backward_tangent(&w, beta[0], x_bar_dot + o, x_dot ? x_dot + o : NULL,
                                         t.scale_dot + j * n, y_bar_dot + o);
            else if (x_dot)
                stj_row_h_dot(&w, x_dot + o);
            if (theta_bar_dot)
                stj_row_theta_bar_dot(&w, t.bias_bar + j * n, t.scale_bar + j * n, y_bar_dot + o);
        }
    }
}

#define NORM_SLOTS                                                                                 \
    .forgets = STJ_FORGETS_X | STJ_FORGETS_Y, .setup = layer_norm_setup,                           \
    .n_scratch = layer_norm_n_scratch, .forward = layer_norm_forward,                              \
    .forward_tangent = layer_norm_forward_tangent, .backward = layer_norm_backward,                \
    .backward_tangent = layer_norm_backward_tangent

const struct stj_layer_ops stj_layer_layer_norm = {
    .info = {.name = "layer_norm",
             .doc = "normalisation of the last dimension to mean 0 and variance 1, scale and bias",
             .options = layer_norm_options,
             .config_size = sizeof(struct stj_norm_config)},
    .sample = layer_norm_sample,
    NORM_SLOTS,
};

const struct stj_layer_ops stj_layer_rms_norm = {
    .info = {.name = "rms_norm",
             .doc = "division of the last dimension by its root mean square, and a scale",
             .options = rms_norm_options,
             .config_size = sizeof(struct stj_norm_config)},
    .sample = rms_norm_sample,
    NORM_SLOTS,
};
