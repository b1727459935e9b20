/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/layers/linear_map.h: layers without parameters that are a linear map y = A x of each sample,
 * where A may have been chosen by forward, which then saves the choice.
 *
 *     forward            y         = A x
 *     forward_tangent    y_dot     = A x_dot
 *     backward           x_bar     = A' y_bar
 *     backward_tangent   x_bar_dot = A' y_bar_dot
 */
#ifndef STJ_NET_LAYERS_LINEAR_MAP_H
#define STJ_NET_LAYERS_LINEAR_MAP_H

#include "net/layer.h"

struct stj_linear_map {
    struct stj_layer_ops ops; /* first: a layer's `ops` points here */

    /* One sample's nvec tangents: y <- A x. */
    void (*apply)(const struct stj_layer *layer, size_t nvec, const real *saved,
                  const real *restrict x, real *restrict y);

    /* x <- x + A' y. */
    void (*apply_adjoint)(const struct stj_layer *layer, size_t nvec, const real *saved,
                          const real *restrict y, real *restrict x);
};

/* forward of a map that is the same everywhere. */
void stj_linear_map_forward(const struct stj_layer *layer, real *y,
                            const struct stj_layer_values *at, real *scratch);
void stj_linear_map_forward_tangent(const struct stj_layer *layer, size_t nvec, real *y_dot,
                                    const struct stj_layer_values *at, const real *x_dot,
                                    const real *x2_dot, const real *theta_dot, real *scratch);
void stj_linear_map_backward(const struct stj_layer *layer, const real *beta, real *x_bar,
                             real *x2_bar, real *theta_bar, const struct stj_layer_values *at,
                             real *scratch);
void stj_linear_map_backward_tangent(const struct stj_layer *layer, size_t nvec, const real *beta,
                                     real *x_bar_dot, real *x2_bar_dot, real *theta_bar_dot,
                                     const struct stj_layer_values *at, const real *x_dot,
                                     const real *x2_dot, const real *theta_dot,
                                     const real *y_bar_dot, real *scratch);

/* The slots of a linear map's ops, beside info, sample, setup and forward. */
#define STJ_LINEAR_MAP_SLOTS                                                                       \
    .forgets = STJ_FORGETS_ALL, .forward_tangent = stj_linear_map_forward_tangent,                 \
    .backward = stj_linear_map_backward, .backward_tangent = stj_linear_map_backward_tangent

#endif
