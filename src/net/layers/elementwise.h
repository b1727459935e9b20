/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/layers/elementwise.h: layers y_i = f(x_i), given by f, f' and f''.
 *
 *     forward            y         = f(x);         saves f'(x), f''(x), if y does not give them
 *     forward_tangent    y_dot     = f' x_dot
 *     backward           x_bar     = f' y_bar
 *     backward_tangent   x_bar_dot = f' y_bar_dot + f'' y_bar x_dot
 */
#ifndef STJ_NET_LAYERS_ELEMENTWISE_H
#define STJ_NET_LAYERS_ELEMENTWISE_H

#include "net/layer.h"

/* An elementwise layer: the common operations and its own function. */
struct stj_activation {
    struct stj_layer_ops ops; /* first: a layer's `ops` points here */

    bool piecewise_linear; /* f'' = 0 and is not kept */
    bool two_slopes;       /* and f' is one of f'(1) and f'(-4), a bit of which is kept */

    /* f[n], f1[n], f2[n] <- f(x), f'(x), f''(x); f2 is NULL where f is piecewise linear. */
    void (*derivatives)(const void *config, size_t n, const real *x, real *f, real *f1, real *f2);

    /* f1[n], f2[n] <- f'(x), f''(x) from y = f(x), which is then kept in their place; or NULL. */
    void (*of_output)(size_t n, const real *y, real *f1, real *f2);
};

enum stj_status stj_elementwise_setup(struct stj_layer *layer, const struct stj_shape *in2,
                                      struct stj_error *err);
size_t stj_elementwise_n_scratch(const struct stj_layer *layer, size_t batch, size_t nvec);
void stj_elementwise_forward(const struct stj_layer *layer, real *y,
                             const struct stj_layer_values *at, real *scratch);
void stj_elementwise_forward_tangent(const struct stj_layer *layer, size_t nvec, real *y_dot,
                                     const struct stj_layer_values *at, const real *x_dot,
                                     const real *x2_dot, const real *theta_dot, real *scratch);
void stj_elementwise_backward(const struct stj_layer *layer, const real *beta, real *x_bar,
                              real *x2_bar, real *theta_bar, const struct stj_layer_values *at,
                              real *scratch);
void stj_elementwise_backward_tangent(const struct stj_layer *layer, size_t nvec, const real *beta,
                                      real *x_bar_dot, real *x2_bar_dot, real *theta_bar_dot,
                                      const struct stj_layer_values *at, const real *x_dot,
                                      const real *x2_dot, const real *theta_dot,
                                      const real *y_bar_dot, real *scratch);

/* The slots of an activation's ops, beside its info. */
#define STJ_ELEMENTWISE_SLOTS                                                                      \
    .setup = stj_elementwise_setup, .n_scratch = stj_elementwise_n_scratch,                        \
    .forward = stj_elementwise_forward, .forward_tangent = stj_elementwise_forward_tangent,        \
    .backward = stj_elementwise_backward, .backward_tangent = stj_elementwise_backward_tangent

#endif
