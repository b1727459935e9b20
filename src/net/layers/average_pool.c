/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/layers/average_pool.c: the mean of each window of an image, channel by channel.
 *
 *     forward            y_pc         = 1/n sum over q in window p of x_qc
 *     forward_tangent    y_dot_pjc    = 1/n sum over q of x_dot_qjc
 *     backward           x_bar_qc     = 1/n sum over the windows p that see q of y_bar_pc
 *     backward_tangent   x_bar_dot_qjc, the same of y_bar_dot_pjc
 *
 * with n the window's height times its width.  Windows lie within the image (padding `valid`).
 */
#include "net/layers/layers.h"

#include <stdio.h>

#include "base/target_clones.h"
#include "base/error.h"
#include "net/layers/linear_map.h"
#include "net/layers/window.h"

static void average_pool_sample(struct stj_rng *rng, char *text, size_t size)
{
    char window[96];
    const size_t height = 1 + stj_rng_index(rng, 6);
    const size_t width = 1 + stj_rng_index(rng, 6);
    stj_window_sample(rng, height, width, "window", window, sizeof window);
    snprintf(text, size, "{input: [%zu, %zu, %zu], layers: [{type: average_pool, %s}]}", height,
             width, 1 + stj_rng_index(rng, 4), window);
}

static enum stj_status average_pool_setup(struct stj_layer *layer, const struct stj_shape *in2,
                                          struct stj_error *err)
{
    (void)in2;
    enum stj_status st = STJ_OK;
    STJ_TRY(stj_window_check(layer, layer->config, "window", err));
    const struct stj_window w = stj_window_of(&layer->in, layer->config);
    layer->out = (struct stj_shape){.n_dims = 3, .dim = {w.out_h, w.out_w, w.channels}};
out:
    return st;
}

/* y[n] <- scale times the sum of the window's rows of n numbers. */
STJ_CLONES static void window_mean(const struct stj_window *w, size_t n, const real *restrict x,
                                   real scale, real *restrict y)
{
    for (size_t i = 0; i < n; i++)
        y[i] = x[i];
    for (size_t r = 0; r < w->height; r++)
        for (size_t c = r == 0; c < w->width; c++)
            for (size_t i = 0; i < n; i++)
                y[i] += x[(r * w->in_w + c) * n + i];
    for (size_t i = 0; i < n; i++)
        y[i] *= scale;
}

/* The window's rows of n numbers <- themselves + scale y. */
STJ_CLONES static void window_spread(const struct stj_window *w, size_t n, const real *restrict y,
                                     real scale, real *restrict x)
{
    for (size_t r = 0; r < w->height; r++)
        for (size_t c = 0; c < w->width; c++)
            for (size_t i = 0; i < n; i++)
                x[(r * w->in_w + c) * n + i] += scale * y[i];
}

static void average_pool_apply(const struct stj_layer *layer, size_t nvec, const real *saved,
                               const real *restrict x, real *restrict y)
{
    (void)saved;
    const struct stj_window w = stj_window_of(&layer->in, layer->config);
    const size_t n = nvec * w.channels;
    const real scale = 1 / (real)(w.height * w.width);
    for (size_t i = 0; i < w.out_h; i++)
        for (size_t j = 0; j < w.out_w; j++)
            window_mean(&w, n, x + (i * w.stride_h * w.in_w + j * w.stride_w) * n, scale,
                        y + (i * w.out_w + j) * n);
}

static void average_pool_apply_adjoint(const struct stj_layer *layer, size_t nvec,
                                       const real *saved, const real *restrict y, real *restrict x)
{
    (void)saved;
    const struct stj_window w = stj_window_of(&layer->in, layer->config);
    const size_t n = nvec * w.channels;
    const real scale = 1 / (real)(w.height * w.width);
    for (size_t i = 0; i < w.out_h; i++)
        for (size_t j = 0; j < w.out_w; j++)
            window_spread(&w, n, y + (i * w.out_w + j) * n, scale,
                          x + (i * w.stride_h * w.in_w + j * w.stride_w) * n);
}

const struct stj_linear_map stj_layer_average_pool = {
    .ops = {.info = {.name = "average_pool",
                     .doc = "mean of each window of an image",
                     .options = stj_pool_options,
                     .config_size = sizeof(struct stj_window_config)},
            .sample = average_pool_sample,
            .setup = average_pool_setup,
            .forward = stj_linear_map_forward,
            STJ_LINEAR_MAP_SLOTS},
    .apply = average_pool_apply,
    .apply_adjoint = average_pool_apply_adjoint,
};
