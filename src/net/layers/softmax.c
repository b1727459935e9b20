/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/layers/softmax.c: softmax and its logarithm along the last dimension.
 *
 * Of each row x, with p = e^x / sum e^x and <.> the sum over the row, products elementwise:
 *
 *     softmax      forward            y         = p
 *                  forward_tangent    y_dot     = p (x_dot - <p x_dot>)  = p_dot
 *                  backward           x_bar    += p (y_bar - m),   m = <p y_bar>
 *                  backward_tangent   x_bar_dot += p_dot (y_bar - m)
 *                                                + p (y_bar_dot - <p y_bar_dot + p_dot y_bar>)
 *     log_softmax  forward            y         = log p,   computed as x - max - log sum
 *                  forward_tangent    y_dot     = x_dot - <p x_dot>
 *                  backward           x_bar    += y_bar - p <y_bar>
 *                  backward_tangent   x_bar_dot += y_bar_dot - p <y_bar_dot> - p_dot <y_bar>
 *
 * p is saved.
 */
#include "net/layers/layers.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/target_clones.h"
#include "net/kernels.h"
#include "net/row_sums.h"
#include "net/vector_math.h"

static bool is_log(const struct stj_layer *layer)
{
    return layer->ops == &stj_layer_log_softmax;
}

static enum stj_status softmax_setup(struct stj_layer *layer, const struct stj_shape *in2,
                                     struct stj_error *err)
{
    (void)in2;
    (void)err;
    layer->out = layer->in;
    layer->n_saved = stj_shape_size(&layer->in);
    return STJ_OK;
}

/* p[n] <- softmax of x; y <- it, or its logarithm. */
STJ_CLONES static void row_forward(size_t n, bool log_form, const real *restrict x,
                                   real *restrict p, real *restrict y)
{
    real top = x[0];
    for (size_t c = 1; c < n; c++)
        top = x[c] > top ? x[c] : top;
    for (size_t c = 0; c < n; c++)
        p[c] = (real)stj_exp((double)(x[c] - top));
    const real total = stj_row_sum(n, p);
    const real log_total = (real)log((double)total);
    for (size_t c = 0; c < n; c++) {
        p[c] /= total;
        y[c] = log_form ? x[c] - top - log_total : p[c];
    }
}

STJ_CLONES static void row_tangent(size_t n, bool log_form, const real *restrict p,
                                   const real *restrict x_dot, real *restrict y_dot)
{
    const real mean = stj_row_dot(n, p, x_dot);
    for (size_t c = 0; c < n; c++)
        y_dot[c] = (x_dot[c] - mean) * (log_form ? 1 : p[c]);
}

STJ_CLONES static void row_backward(size_t n, bool log_form, const real *restrict p,
                                    const real *restrict y_bar, real *restrict x_bar)
{
    const real m = log_form ? stj_row_sum(n, y_bar) : stj_row_dot(n, p, y_bar);
    for (size_t c = 0; c < n; c++)
        x_bar[c] = log_form ? y_bar[c] - p[c] * m : p[c] * (y_bar[c] - m);
}

/* p_dot[n] <- p (x_dot - <p x_dot>); x_bar_dot <- what it adds. */
STJ_CLONES static void row_bend(size_t n, bool log_form, const real *restrict p,
                                const real *restrict x_dot, const real *restrict y_bar,
                                real *restrict p_dot, real *restrict x_bar_dot)
{
    row_tangent(n, false, p, x_dot, p_dot);
    const real m = log_form ? stj_row_sum(n, y_bar) : stj_row_dot(n, p, y_bar);
    const real m_dot = log_form ? 0 : stj_row_dot(n, p_dot, y_bar);
    for (size_t c = 0; c < n; c++)
        x_bar_dot[c] += log_form ? -p_dot[c] * m : p_dot[c] * (y_bar[c] - m) - p[c] * m_dot;
}

static size_t softmax_n_scratch(const struct stj_layer *layer, size_t batch, size_t nvec)
{
    (void)batch;
    (void)nvec;
    return 2 * stj_shape_cols(&layer->in);
}

static void softmax_forward(const struct stj_layer *layer, real *y,
                            const struct stj_layer_values *at, real *scratch)
{
    (void)scratch;
    const size_t n = stj_shape_cols(&layer->in);
    for (size_t i = 0; i < at->batch * stj_shape_positions(&layer->in); i++)
        row_forward(n, is_log(layer), at->x + i * n, at->saved + i * n, y + i * n);
}

static void softmax_forward_tangent(const struct stj_layer *layer, size_t nvec, real *y_dot,
                                    const struct stj_layer_values *at, const real *x_dot,
                                    const real *x2_dot, const real *theta_dot, real *scratch)
{
    (void)x2_dot;
    (void)theta_dot;
    (void)scratch;
    const size_t n = stj_shape_cols(&layer->in);
    const size_t rows = at->batch * stj_shape_positions(&layer->in);
    if (!x_dot)
        memset(y_dot, 0, rows * nvec * n * sizeof *y_dot);
    for (size_t i = 0; x_dot && i < rows * nvec; i++)
        row_tangent(n, is_log(layer), at->saved + i / nvec * n, x_dot + i * n, y_dot + i * n);
}

static void softmax_backward(const struct stj_layer *layer, const real *beta, real *x_bar,
                             real *x2_bar, real *theta_bar, const struct stj_layer_values *at,
                             real *scratch)
{
    (void)x2_bar;
    (void)theta_bar;
    const size_t n = stj_shape_cols(&layer->in);
    for (size_t i = 0; x_bar && i < at->batch * stj_shape_positions(&layer->in); i++) {
        row_backward(n, is_log(layer), at->saved + i * n, at->y_bar + i * n, scratch);
        stj_add(n, scratch, beta[0], x_bar + i * n);
    }
}

static void softmax_backward_tangent(const struct stj_layer *layer, size_t nvec, const real *beta,
                                     real *x_bar_dot, real *x2_bar_dot, real *theta_bar_dot,
                                     const struct stj_layer_values *at, const real *x_dot,
                                     const real *x2_dot, const real *theta_dot,
                                     const real *y_bar_dot, real *scratch)
{
    (void)x2_bar_dot;
    (void)theta_bar_dot;
    (void)x2_dot;
    (void)theta_dot;
    const size_t n = stj_shape_cols(&layer->in);
    const size_t rows = at->batch * stj_shape_positions(&layer->in);
    for (size_t i = 0; x_bar_dot && i < rows * nvec; i++) {
        const real *p = at->saved + i / nvec * n;
        row_backward(n, is_log(layer), p, y_bar_dot + i * n, scratch);
        if (x_dot)
            row_bend(n, is_log(layer), p, x_dot + i * n, at->y_bar + i / nvec * n, scratch + n,
                     scratch);
        stj_add(n, scratch, beta[0], x_bar_dot + i * n);
    }
}

#define SOFTMAX_SLOTS                                                                              \
    .forgets = STJ_FORGETS_X | STJ_FORGETS_Y, .setup = softmax_setup,                              \
    .n_scratch = softmax_n_scratch, .forward = softmax_forward,                                    \
    .forward_tangent = softmax_forward_tangent, .backward = softmax_backward,                      \
    .backward_tangent = softmax_backward_tangent

const struct stj_layer_ops stj_layer_softmax = {
    .info = {.name = "softmax", .doc = "softmax of the last dimension"},
    SOFTMAX_SLOTS,
};

const struct stj_layer_ops stj_layer_log_softmax = {
    .info = {.name = "log_softmax", .doc = "logarithm of the softmax of the last dimension"},
    SOFTMAX_SLOTS,
};
