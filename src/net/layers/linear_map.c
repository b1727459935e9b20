/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/layers/linear_map.c: the directions of linear maps, sample by sample. */
#include "net/layers/linear_map.h"

#include <string.h>

static void apply_each(const struct stj_layer *layer, size_t nvec,
                       const struct stj_layer_values *at, const real *x, real *y)
{
    const struct stj_linear_map *map = (const struct stj_linear_map *)layer->ops;
    const size_t n_in = nvec * stj_shape_size(&layer->in);
    const size_t n_out = nvec * stj_shape_size(&layer->out);
    for (size_t s = 0; s < at->batch; s++)
        map->apply(layer, nvec, at->saved + s * layer->n_saved, x + s * n_in, y + s * n_out);
}

static void apply_adjoint_each(const struct stj_layer *layer, size_t nvec,
                               const struct stj_layer_values *at, const real *y, real beta, real *x)
{
    const struct stj_linear_map *map = (const struct stj_linear_map *)layer->ops;
    const size_t n_in = nvec * stj_shape_size(&layer->in);
    const size_t n_out = nvec * stj_shape_size(&layer->out);
    for (size_t s = 0; s < at->batch; s++) {
        if (beta == 0)
            memset(x + s * n_in, 0, n_in * sizeof *x);
        map->apply_adjoint(layer, nvec, at->saved + s * layer->n_saved, y + s * n_out,
                           x + s * n_in);
    }
}

void stj_linear_map_forward(const struct stj_layer *layer, real *y,
                            const struct stj_layer_values *at, real *scratch)
{
    (void)scratch;
    apply_each(layer, 1, at, at->x, y);
}

void stj_linear_map_forward_tangent(const struct stj_layer *layer, size_t nvec, real *y_dot,
                                    const struct stj_layer_values *at, const real *x_dot,
                                    const real *x2_dot, const real *theta_dot, real *scratch)
{
    (void)x2_dot;
    (void)theta_dot;
    (void)scratch;
    if (x_dot)
        apply_each(layer, nvec, at, x_dot, y_dot);
    else
        memset(y_dot, 0, at->batch * nvec * stj_shape_size(&layer->out) * sizeof *y_dot);
}

void stj_linear_map_backward(const struct stj_layer *layer, const real *beta, real *x_bar,
                             real *x2_bar, real *theta_bar, const struct stj_layer_values *at,
                             real *scratch)
{
    (void)x2_bar;
    (void)theta_bar;
    (void)scratch;
    if (x_bar)
        apply_adjoint_each(layer, 1, at, at->y_bar, beta[0], x_bar);
}

void stj_linear_map_backward_tangent(const struct stj_layer *layer, size_t nvec, const real *beta,
                                     real *x_bar_dot, real *x2_bar_dot, real *theta_bar_dot,
                                     const struct stj_layer_values *at, const real *x_dot,
                                     const real *x2_dot, const real *theta_dot,
                                     const real *y_bar_dot, real *scratch)
{
    (void)x2_bar_dot;
    (void)theta_bar_dot;
    (void)x_dot;
    (void)x2_dot;
    (void)theta_dot;
    (void)scratch;
    if (x_bar_dot)
        apply_adjoint_each(layer, nvec, at, y_bar_dot, beta[0], x_bar_dot);
}
