/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/layers/max_pool.c: the largest value of each window of an image or a sequence, channel by
 * channel.
 *
 * forward finds, for output p and channel c, the position q(p, c) of the largest x_qc in window p,
 * of equal ones the first in the order of rows, then columns, and saves it; all directions follow:
 *
 *     forward            y_pc          = x_q(p,c)c
 *     forward_tangent    y_dot_pjc     = x_dot_q(p,c)jc
 *     backward           x_bar_qc      = sum over the p with q(p, c) = q of y_bar_pc
 *     backward_tangent   x_bar_dot_qjc = sum over the same p of y_bar_dot_pjc
 *
 * Where two values of a window are equal this is a one-sided derivative.  A NaN in a window is its
 * largest value.  What lies outside the image takes no part.
 */
#include "net/layers/layers.h"

#include <stdio.h>

#include "base/error.h"
#include "net/layers/linear_map.h"
#include "net/layers/window.h"

static const struct stj_option max_pool_options[] = {
    STJ_POOL_OPTIONS(0),
    STJ_WINDOW_DILATION(offsetof(struct stj_window_config, dilation)),
    {.name = NULL},
};

static void max_pool_sample(struct stj_rng *rng, char *text, size_t size)
{
    char pool[400];
    if (stj_rng_index(rng, 4) == 0) {
        snprintf(text, size,
                 "{input: [%zu, %zu, 2], layers: [{type: max_pool, window: 2, stride: 1, "
                 "dilation: [2, 1], padding: same}]}",
                 3 + stj_rng_index(rng, 4), 2 + stj_rng_index(rng, 4));
        return;
    }
    stj_pool_sample(rng, "max_pool", pool, sizeof pool);
    snprintf(text, size, "%s}]}", pool);
}

static enum stj_status max_pool_setup(struct stj_layer *layer, const struct stj_shape *in2,
                                      struct stj_error *err)
{
    (void)in2;
    STJ_MUST(stj_pool_setup(layer, layer->config, err));
    layer->n_saved = stj_shape_size(&layer->out);
    return STJ_OK;
}

/* y[channels], at[channels] <- the largest values of the window at output (i, j), and their
 * positions. */
static void window_max(const struct stj_window *w, size_t i, size_t j, const real *restrict x,
                       real *restrict y, real *restrict at)
{
    const struct stj_reach down =
        stj_window_reach(w->in_h, w->height, w->dilation_h, i * w->stride_h, w->top);
    const struct stj_reach across =
        stj_window_reach(w->in_w, w->width, w->dilation_w, j * w->stride_w, w->left);
    const size_t first = down.at * w->in_w + across.at;
    for (size_t c = 0; c < w->channels; c++) {
        y[c] = x[first * w->channels + c];
        at[c] = (real)first;
    }
    for (size_t r = 0; r < down.end - down.first; r++)
        for (size_t s = 0; s < across.end - across.first; s++) {
            const size_t q = first + r * w->dilation_h * w->in_w + s * w->dilation_w;
            for (size_t c = 0; c < w->channels; c++) {
                const real value = x[q * w->channels + c];
                if (value > y[c] || value != value) {
                    y[c] = value;
                    at[c] = (real)q;
                }
            }
        }
}

static void max_pool_forward(const struct stj_layer *layer, real *y,
                             const struct stj_layer_values *at, real *scratch)
{
    (void)scratch;
    const struct stj_window w = stj_window_of(&layer->in, layer->config);
    const size_t n_in = stj_shape_size(&layer->in);
    for (size_t s = 0, k = 0; s < at->batch; s++)
        for (size_t i = 0; i < w.out_h; i++)
            for (size_t j = 0; j < w.out_w; j++, k += w.channels)
                window_max(&w, i, j, at->x + s * n_in, y + k, at->saved + k);
}

static void max_pool_apply(const struct stj_layer *layer, size_t nvec, const real *saved,
                           const real *restrict x, real *restrict y)
{
    const size_t positions = stj_shape_positions(&layer->out);
    const size_t channels = stj_shape_cols(&layer->out);
    for (size_t p = 0; p < positions; p++)
        for (size_t c = 0; c < channels; c++) {
            const size_t q = (size_t)saved[p * channels + c];
            for (size_t j = 0; j < nvec; j++)
                y[(p * nvec + j) * channels + c] = x[(q * nvec + j) * channels + c];
        }
}

static void max_pool_apply_adjoint(const struct stj_layer *layer, size_t nvec, const real *saved,
                                   const real *restrict y, real *restrict x)
{
    const size_t positions = stj_shape_positions(&layer->out);
    const size_t channels = stj_shape_cols(&layer->out);
    for (size_t p = 0; p < positions; p++)
        for (size_t c = 0; c < channels; c++) {
            const size_t q = (size_t)saved[p * channels + c];
            for (size_t j = 0; j < nvec; j++)
                x[(q * nvec + j) * channels + c] += y[(p * nvec + j) * channels + c];
        }
}

const struct stj_linear_map stj_layer_max_pool = {
    .ops = {.info = {.name = "max_pool",
                     .doc = "largest value of each window of an image or a sequence",
                     .options = max_pool_options,
                     .config_size = sizeof(struct stj_window_config)},
            .switches = true,
            .sample = max_pool_sample,
            .setup = max_pool_setup,
            .forward = max_pool_forward,
            STJ_LINEAR_MAP_SLOTS},
    .apply = max_pool_apply,
    .apply_adjoint = max_pool_apply_adjoint,
};
