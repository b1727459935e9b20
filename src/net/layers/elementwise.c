/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/layers/elementwise.c: the four directions of every elementwise layer.
 *
 * What forward saves of a sample lies together, f' [n] and then f'' [n] unless it is zero, so that
 * it does not depend on how the batch is sliced.
 */
#include "net/layers/elementwise.h"

#include <string.h>

#include "net/kernels.h"

enum stj_status stj_elementwise_setup(struct stj_layer *layer, const struct stj_shape *in2,
                                      struct stj_error *err)
{
    (void)in2;
    (void)err;
    layer->out = layer->in;
    const struct stj_activation *activation = (const struct stj_activation *)layer->ops;
    layer->n_saved = (activation->piecewise_linear ? 1 : 2) * stj_shape_size(&layer->in);
    return STJ_OK;
}

void stj_elementwise_forward(const struct stj_layer *layer, real *y,
                             const struct stj_layer_values *at, real *scratch)
{
    (void)scratch;
    const struct stj_activation *activation = (const struct stj_activation *)layer->ops;
    const size_t n = stj_shape_size(&layer->in);
    for (size_t s = 0; s < at->batch; s++) {
        real *f1 = at->saved + s * layer->n_saved;
        real *f2 = activation->piecewise_linear ? NULL : f1 + n;
        activation->derivatives(layer->config, n, at->x + s * n, y + s * n, f1, f2);
    }
}

void stj_elementwise_forward_tangent(const struct stj_layer *layer, size_t nvec, real *y_dot,
                                     const struct stj_layer_values *at, const real *x_dot,
                                     const real *x2_dot, const real *theta_dot, real *scratch)
{
    (void)x2_dot;
    (void)theta_dot;
    (void)scratch;
    const size_t n = stj_shape_size(&layer->in);
    const size_t cols = stj_shape_cols(&layer->in);
    if (!x_dot) {
        memset(y_dot, 0, at->batch * nvec * n * sizeof *y_dot);
        return;
    }
    for (size_t s = 0; s < at->batch; s++)
        stj_scale_block(n / cols, nvec, cols, at->saved + s * layer->n_saved, x_dot + s * nvec * n,
                        0, y_dot + s * nvec * n);
}

void stj_elementwise_backward(const struct stj_layer *layer, const real *beta, real *x_bar,
                              real *x2_bar, real *theta_bar, const struct stj_layer_values *at,
                              real *scratch)
{
    (void)x2_bar;
    (void)theta_bar;
    (void)scratch;
    const size_t n = stj_shape_size(&layer->in);
    for (size_t s = 0; x_bar && s < at->batch; s++)
        stj_scale(n, at->saved + s * layer->n_saved, at->y_bar + s * n, beta[0], x_bar + s * n);
}

void stj_elementwise_backward_tangent(const struct stj_layer *layer, size_t nvec, const real *beta,
                                      real *x_bar_dot, real *x2_bar_dot, real *theta_bar_dot,
                                      const struct stj_layer_values *at, const real *x_dot,
                                      const real *x2_dot, const real *theta_dot,
                                      const real *y_bar_dot, real *scratch)
{
    (void)x2_bar_dot;
    (void)theta_bar_dot;
    (void)x2_dot;
    (void)theta_dot;
    (void)scratch;
    const struct stj_activation *activation = (const struct stj_activation *)layer->ops;
    const size_t n = stj_shape_size(&layer->in);
    const size_t cols = stj_shape_cols(&layer->in);
    for (size_t s = 0; x_bar_dot && s < at->batch; s++) {
        const real *f1 = at->saved + s * layer->n_saved;
        const size_t o = s * nvec * n;
        if (x_dot && !activation->piecewise_linear)
            stj_scale2_block(n / cols, nvec, cols, f1, y_bar_dot + o, f1 + n, at->y_bar + s * n,
                             x_dot + o, beta[0], x_bar_dot + o);
        else
            stj_scale_block(n / cols, nvec, cols, f1, y_bar_dot + o, beta[0], x_bar_dot + o);
    }
}
