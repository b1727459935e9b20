/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/layers/depthwise.h: the convolution that has a kernel [height][width] for each channel. */
#ifndef STJ_NET_LAYERS_DEPTHWISE_H
#define STJ_NET_LAYERS_DEPTHWISE_H

#include "net/layers/window.h"

/* The directions as in net/layer.h, of the window's `pitch` channels; the bias (has_bias) lies before
 * the kernel [height][width][channels]. */
void stj_depthwise_forward(const struct stj_window *w, const struct stj_layer_values *at,
                           bool has_bias, real *y);
void stj_depthwise_forward_tangent(const struct stj_window *w, size_t nvec,
                                   const struct stj_layer_values *at, bool has_bias,
                                   const real *x_dot, const real *theta_dot, real *y_dot);
void stj_depthwise_backward(const struct stj_window *w, const struct stj_layer_values *at,
                            bool has_bias, real beta, real *x_bar, real *theta_bar);
void stj_depthwise_backward_tangent(const struct stj_window *w, size_t nvec,
                                    const struct stj_layer_values *at, bool has_bias, real beta,
                                    const real *x_dot, const real *theta_dot, const real *y_bar_dot,
                                    real *x_bar_dot, real *theta_bar_dot);

#endif
