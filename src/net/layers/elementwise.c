/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/layers/elementwise.c: the four directions of every elementwise layer.
 *
 * What forward saves of a sample lies together, f' [n] and then f'' [n] unless it is zero, so that
 * it does not depend on how the batch is sliced.  Where f' has two values a bit of each is saved, and
 * nothing where the output gives the derivatives: they are made again in the scratch.
 */
#include "net/layers/elementwise.h"

#include <string.h>

#include "net/kernels.h"

static const struct stj_activation *activation_of(const struct stj_layer *layer)
{
    return (const struct stj_activation *)layer->ops;
}

/* Are f' and f'' kept as they are? */
static bool keeps(const struct stj_activation *activation)
{
    return !activation->two_slopes && !activation->of_output;
}

enum stj_status stj_elementwise_setup(struct stj_layer *layer, const struct stj_shape *in2,
                                      struct stj_error *err)
{
    (void)in2;
    (void)err;
    const struct stj_activation *activation = activation_of(layer);
    const size_t n = stj_shape_size(&layer->in);
    layer->out = layer->in;
    if (keeps(activation))
        layer->n_saved = (activation->piecewise_linear ? 1 : 2) * n;
    if (activation->two_slopes)
        layer->n_saved = stj_mask_reals(n);
    layer->forgets = STJ_FORGETS_X | (activation->of_output ? 0 : STJ_FORGETS_Y) |
                     (activation->piecewise_linear ? STJ_FORGETS_Y_BAR : 0);
    return STJ_OK;
}

size_t stj_elementwise_n_scratch(const struct stj_layer *layer, size_t batch, size_t nvec)
{
    (void)batch;
    (void)nvec;
    return keeps(activation_of(layer)) ? 0 : 2 * stj_shape_size(&layer->in);
}

/* The two slopes, if it has two. */
struct slopes {
    real one, zero;
};

static struct slopes slopes_of(const struct stj_layer *layer)
{
    const real x[2] = {1, -4};
    real f[2], f1[2] = {0, 0};
    if (activation_of(layer)->two_slopes)
        activation_of(layer)->derivatives(layer->config, 2, x, f, f1, NULL);
    return (struct slopes){f1[0], f1[1]};
}

void stj_elementwise_forward(const struct stj_layer *layer, real *y,
                             const struct stj_layer_values *at, real *scratch)
{
    const struct stj_activation *activation = activation_of(layer);
    const struct slopes slopes = slopes_of(layer);
    const size_t n = stj_shape_size(&layer->in);
    for (size_t s = 0; s < at->batch; s++) {
        real *saved = at->saved + s * layer->n_saved;
        real *f1 = keeps(activation) ? saved : scratch;
        real *f2 = activation->piecewise_linear ? NULL : f1 + n;
        activation->derivatives(layer->config, n, at->x + s * n, y + s * n, f1, f2);
        if (activation->two_slopes)
            stj_mask_pack(n, f1, slopes.one, saved);
    }
}

/* f' of a sample, and behind it f'' if that is not zero: in `scratch`, or where forward left them. */
static const real *derivatives_of(const struct stj_layer *layer, const struct stj_layer_values *at,
                                  size_t s, struct slopes slopes, real *scratch)
{
    const struct stj_activation *activation = activation_of(layer);
    const size_t n = stj_shape_size(&layer->in);
    const real *saved = at->saved + s * layer->n_saved;
    if (keeps(activation))
        return saved;
    if (activation->two_slopes)
        stj_mask_unpack(n, saved, slopes.one, slopes.zero, scratch);
    else
        activation->of_output(n, at->y + s * n, scratch, scratch + n);
    return scratch;
}

void stj_elementwise_forward_tangent(const struct stj_layer *layer, size_t nvec, real *y_dot,
                                     const struct stj_layer_values *at, const real *x_dot,
                                     const real *x2_dot, const real *theta_dot, real *scratch)
{
    (void)x2_dot;
    (void)theta_dot;
    const struct slopes slopes = slopes_of(layer);
    const size_t n = stj_shape_size(&layer->in);
    const size_t cols = stj_shape_cols(&layer->in);
    if (!x_dot) {
        memset(y_dot, 0, at->batch * nvec * n * sizeof *y_dot);
        return;
    }
    for (size_t s = 0; s < at->batch; s++)
        stj_scale_block(n / cols, nvec, cols, derivatives_of(layer, at, s, slopes, scratch),
                        x_dot + s * nvec * n, 0, y_dot + s * nvec * n);
}

void stj_elementwise_backward(const struct stj_layer *layer, const real *beta, real *x_bar,
                              real *x2_bar, real *theta_bar, const struct stj_layer_values *at,
                              real *scratch)
{
    (void)x2_bar;
    (void)theta_bar;
    const struct slopes slopes = slopes_of(layer);
    const size_t n = stj_shape_size(&layer->in);
    for (size_t s = 0; x_bar && s < at->batch; s++)
        stj_scale(n, derivatives_of(layer, at, s, slopes, scratch), at->y_bar + s * n, beta[0],
                  x_bar + s * n);
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
    const struct stj_activation *activation = activation_of(layer);
    const struct slopes slopes = slopes_of(layer);
    const size_t n = stj_shape_size(&layer->in);
    const size_t cols = stj_shape_cols(&layer->in);
    for (size_t s = 0; x_bar_dot && s < at->batch; s++) {
        const real *f1 = derivatives_of(layer, at, s, slopes, scratch);
        const size_t o = s * nvec * n;
        if (x_dot && !activation->piecewise_linear)
            stj_scale2_block(n / cols, nvec, cols, f1, y_bar_dot + o, f1 + n, at->y_bar + s * n,
                             x_dot + o, beta[0], x_bar_dot + o);
        else
            stj_scale_block(n / cols, nvec, cols, f1, y_bar_dot + o, beta[0], x_bar_dot + o);
    }
}
