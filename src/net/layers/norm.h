/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/layers/norm.h: what normalisations share: scale and bias, and the normalisation of one row.
 *
 * A layer without a scale has ones, without a bias zeros, and their adjoints go where nobody looks:
 * the code of the layers knows no cases.
 */
#ifndef STJ_NET_LAYERS_NORM_H
#define STJ_NET_LAYERS_NORM_H

#include "net/initializer.h"
#include "net/layers/layers.h"

struct stj_norm_config {
    double eps;
    bool affine, bias;
    struct stj_plugin scale_init, bias_init;
};

/* Rows of an option table whose config begins with a stj_norm_config. */
#define STJ_NORM_SCALE_OPTIONS                                                                     \
    {.name = "eps",                                                                                \
     .type = STJ_OPTION_REAL,                                                                      \
     .offset = offsetof(struct stj_norm_config, eps),                                              \
     .fallback = "1e-5",                                                                           \
     .min = 0,                                                                                     \
     .above_min = true,                                                                            \
     .doc = "added to the variance"},                                                              \
        {.name = "affine",                                                                         \
         .type = STJ_OPTION_BOOL,                                                                  \
         .offset = offsetof(struct stj_norm_config, affine),                                       \
         .fallback = "true",                                                                       \
         .doc = "whether there are parameters; false: the layer normalises alone"},                \
    {                                                                                              \
        .name = "scale_init", .type = STJ_OPTION_PLUGIN,                                           \
        .offset = offsetof(struct stj_norm_config, scale_init), .fallback = "ones",                \
        .kind = &stj_initializers, .doc = "initialiser of the scale [channels]"                    \
    }
#define STJ_NORM_OPTIONS                                                                           \
    STJ_NORM_SCALE_OPTIONS,                                                                        \
        {.name = "bias_init",                                                                      \
         .type = STJ_OPTION_PLUGIN,                                                                \
         .offset = offsetof(struct stj_norm_config, bias_init),                                    \
         .fallback = "zeros",                                                                      \
         .kind = &stj_initializers,                                                                \
         .doc = "initialiser of the bias [channels]"},                                             \
    {                                                                                              \
        .name = "bias", .type = STJ_OPTION_BOOL, .offset = offsetof(struct stj_norm_config, bias), \
        .fallback = "true", .doc = "whether there is a bias, beside the scale"                     \
    }

/* ", affine: ..." and ", bias: ..." of a sample, sometimes. */
const char *stj_norm_sample(struct stj_rng *rng);

/* Append the tensors bias and scale, where there are such. */
void stj_norm_add_tensors(struct stj_layer *layer);

/* Where they are: values [cols], tangents and adjoints [nvec][cols]. */
struct stj_norm_theta {
    const real *bias, *scale;
    const real *bias_dot, *scale_dot; /* NULL without theta_dot */
    real *bias_bar, *scale_bar;       /* NULL without theta_bar */
};

/* theta_dot, theta_bar may be NULL; theta_bar is set to zero.  `scratch` holds stj_norm_n_scratch
 * reals. */
struct stj_norm_theta stj_norm_theta(const struct stj_layer *layer, size_t nvec, const real *theta,
                                     const real *theta_dot, real *theta_bar, real *scratch);
size_t stj_norm_n_scratch(const struct stj_layer *layer, size_t nvec);

/* batch_norm by fixed statistics, the last two tensors of its layer: mean, variance. */
extern const struct stj_layer_ops stj_layer_fixed_norm;

/* ---- one row of n numbers, by the equations of layer_norm.c; not centred: no mean is taken off */

/* h[n] <- r (x - <x>); returns r. */
real stj_row_normalize(size_t n, bool centred, double eps, const real *x, real *h);

/* y[n] <- s h + b */
void stj_row_affine(size_t n, const real *s, const real *h, const real *b, real *y);

/* All tangents of a row: y_dot[nvec][n], x_dot[nvec][n] or NULL, b_dot[nvec][n], s_dot[nvec][n]. */
void stj_row_tangent(size_t n, bool centred, size_t nvec, real *y_dot, const real *x_dot,
                     const real *b_dot, const real *s_dot, const real *s, const real *h, real r);

/* x_bar <- beta x_bar + r q; g, q [n] are work space. */
void stj_row_backward(size_t n, bool centred, real beta, real *x_bar, const real *s,
                      const real *y_bar, const real *h, real r, real *g, real *q);

/* s_bar += y_bar h, b_bar += y_bar */
void stj_row_theta_bar(size_t n, real *b_bar, real *s_bar, const real *y_bar, const real *h);

/* What backward_tangent holds of one row. */
struct stj_norm_row {
    size_t n;
    bool centred;
    const real *s, *h, *y_bar;
    real r;
    real m1;                     /* <h g> */
    real *g, *q, *h_dot, *g_dot; /* [n] each; h_dot is zero before the first tangent */
};
void stj_row_primal(struct stj_norm_row *w);

/* h_dot of one tangent; returns r_dot. */
real stj_row_h_dot(const struct stj_norm_row *w, const real *x_dot);

/* One tangent of x_bar; x_dot NULL: h_dot is zero. */
void stj_row_backward_tangent(const struct stj_norm_row *w, real beta, real *x_bar_dot,
                              const real *x_dot, const real *s_dot, const real *y_bar_dot);

/* s_bar_dot += y_bar_dot h + y_bar h_dot, b_bar_dot += y_bar_dot, of one tangent. */
void stj_row_theta_bar_dot(const struct stj_norm_row *w, real *b_bar_dot, real *s_bar_dot,
                           const real *y_bar_dot);

#endif
