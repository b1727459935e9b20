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

/* Saved are the positions of the largest values, in as few bytes each as positions need. */
static size_t place_bytes(const struct stj_layer *layer)
{
    const size_t last = stj_shape_positions(&layer->in) - 1;
    return last <= UINT8_MAX ? 1 : last <= UINT16_MAX ? 2 : 4;
}

static void save_place(real *saved, size_t bytes, size_t i, size_t position)
{
    unsigned char *at = (unsigned char *)saved + i * bytes;
    for (size_t b = 0; b < bytes; b++)
        at[b] = (unsigned char)(position >> 8 * b);
}

static inline size_t place_at(const real *saved, size_t bytes, size_t i)
{
    const unsigned char *at = (const unsigned char *)saved + i * bytes;
    size_t position = at[0];
    for (size_t b = 1; b < bytes; b++)
        position |= (size_t)at[b] << 8 * b;
    return position;
}

static enum stj_status max_pool_setup(struct stj_layer *layer, const struct stj_shape *in2,
                                      struct stj_error *err)
{
    (void)in2;
    STJ_MUST(stj_pool_setup(layer, layer->config, err));
    const size_t bytes = place_bytes(layer) * stj_shape_size(&layer->out);
    layer->n_saved = (bytes + sizeof(real) - 1) / sizeof(real);
    return STJ_OK;
}

/* y[channels] <- the largest values of the window at output (i, j); their positions are saved as
 * numbers k .. */
static void window_max(const struct stj_window *w, size_t i, size_t j, const real *restrict x,
                       real *restrict y, size_t bytes, size_t k, real *restrict saved)
{
    const struct stj_reach down =
        stj_window_reach(w->in_h, w->height, w->dilation_h, i * w->stride_h, w->top);
    const struct stj_reach across =
        stj_window_reach(w->in_w, w->width, w->dilation_w, j * w->stride_w, w->left);
    const size_t first = down.at * w->in_w + across.at;
    for (size_t c = 0; c < w->channels; c++) {
        y[c] = x[first * w->channels + c];
        save_place(saved, bytes, k + c, first);
    }
    for (size_t r = 0; r < down.end - down.first; r++)
        for (size_t s = 0; s < across.end - across.first; s++) {
            const size_t q = first + r * w->dilation_h * w->in_w + s * w->dilation_w;
            for (size_t c = 0; c < w->channels; c++) {
                const real value = x[q * w->channels + c];
                if (value > y[c] || value != value) {
                    y[c] = value;
                    save_place(saved, bytes, k + c, q);
                }
            }
        }
}

static void max_pool_forward(const struct stj_layer *layer, real *y,
                             const struct stj_layer_values *at, real *scratch)
{
    (void)scratch;
    const struct stj_window w = stj_window_of(&layer->in, layer->config);
    const size_t n_in = stj_shape_size(&layer->in), n_out = stj_shape_size(&layer->out);
    for (size_t o = 0; o < at->batch * w.out_h * w.out_w; o++) {
        const size_t s = o / (w.out_h * w.out_w), i = o / w.out_w % w.out_h, j = o % w.out_w;
        window_max(&w, i, j, at->x + s * n_in, y + o * w.channels, place_bytes(layer),
                   o * w.channels - s * n_out, at->saved + s * layer->n_saved);
    }
}

static void max_pool_apply(const struct stj_layer *layer, size_t nvec, const real *saved,
                           const real *restrict x, real *restrict y)
{
    const size_t positions = stj_shape_positions(&layer->out);
    const size_t channels = stj_shape_cols(&layer->out), bytes = place_bytes(layer);
    for (size_t p = 0; p < positions; p++)
        for (size_t c = 0; c < channels; c++) {
            const size_t q = place_at(saved, bytes, p * channels + c);
            for (size_t j = 0; j < nvec; j++)
                y[(p * nvec + j) * channels + c] = x[(q * nvec + j) * channels + c];
        }
}

static void max_pool_apply_adjoint(const struct stj_layer *layer, size_t nvec, const real *saved,
                                   const real *restrict y, real *restrict x)
{
    const size_t positions = stj_shape_positions(&layer->out);
    const size_t channels = stj_shape_cols(&layer->out), bytes = place_bytes(layer);
    for (size_t p = 0; p < positions; p++)
        for (size_t c = 0; c < channels; c++) {
            const size_t q = place_at(saved, bytes, p * channels + c);
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
