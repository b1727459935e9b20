/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/layers/dense.h: the affine map of dense.c for layers that contain one. */
#ifndef STJ_NET_LAYERS_DENSE_H
#define STJ_NET_LAYERS_DENSE_H

#include "net/layer.h"

/* Called by setup: set `out`, the last dimension n_out, and the tensors bias [n_out] (none when
 * bias_init is NULL) and kernel [in][n_out]. */
void stj_dense_add(struct stj_layer *layer, size_t n_out, const struct stj_plugin *kernel_init,
                   const struct stj_plugin *bias_init);

void stj_dense_forward(const struct stj_layer *layer, real *y, const struct stj_layer_values *at,
                       real *scratch);
void stj_dense_forward_tangent(const struct stj_layer *layer, size_t nvec, real *y_dot,
                               const struct stj_layer_values *at, const real *x_dot,
                               const real *x2_dot, const real *theta_dot, real *scratch);
void stj_dense_backward(const struct stj_layer *layer, const real *beta, real *x_bar, real *x2_bar,
                        real *theta_bar, const struct stj_layer_values *at, real *scratch);
void stj_dense_backward_tangent(const struct stj_layer *layer, size_t nvec, const real *beta,
                                real *x_bar_dot, real *x2_bar_dot, real *theta_bar_dot,
                                const struct stj_layer_values *at, const real *x_dot,
                                const real *x2_dot, const real *theta_dot, const real *y_bar_dot,
                                real *scratch);

/* The four functions of a layer that is an affine map. */
#define STJ_DENSE_SLOTS                                                                            \
    .forgets = STJ_FORGETS_Y, .forward = stj_dense_forward,                                        \
    .forward_tangent = stj_dense_forward_tangent, .backward = stj_dense_backward,                  \
    .backward_tangent = stj_dense_backward_tangent

#endif
