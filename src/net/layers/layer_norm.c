/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/layers/layer_norm.c: layer normalisation of the last dimension (Ba, Kiros, Hinton 2016).
 *
 * Each row x [cols] by itself; <.> is the mean over the row, products are elementwise, and
 * v = <(x - <x>)^2> + eps:
 *
 *     h = r (x - <x>),   r = v^(-1/2)           saved: h and r
 *
 *     forward            y         = s h + b
 *     forward_tangent    h_dot     = r (x_dot - <x_dot> - h <h x_dot>),   r_dot = -r^2 <h x_dot>
 *                        y_dot     = s h_dot + s_dot h + b_dot
 *     backward           g         = s y_bar,   q = g - <g> - h <h g>
 *                        x_bar    += r q,       s_bar = sum_rows y_bar h,   b_bar = sum_rows y_bar
 *     backward_tangent   g_dot     = s y_bar_dot + s_dot y_bar
 *                        x_bar_dot += r_dot q + r (g_dot - <g_dot> - h_dot <h g>
 *                                                  - h (<h_dot g> + <h g_dot>))
 *                        s_bar_dot = sum_rows (y_bar_dot h + y_bar h_dot)
 *                        b_bar_dot = sum_rows y_bar_dot
 */
#include "net/layers/layers.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/target_clones.h"
#include "net/initializer.h"
#include "net/kernels.h"
#include "net/row_sums.h"

struct layer_norm_config {
    double eps;
    struct stj_plugin scale_init, bias_init;
};

static const struct stj_option layer_norm_options[] = {
    {.name = "eps",
     .type = STJ_OPTION_REAL,
     .offset = offsetof(struct layer_norm_config, eps),
     .fallback = "1e-5",
     .min = 0,
     .above_min = true,
     .doc = "added to the variance"},
    {.name = "scale_init",
     .type = STJ_OPTION_PLUGIN,
     .offset = offsetof(struct layer_norm_config, scale_init),
     .fallback = "ones",
     .kind = &stj_initializers,
     .doc = "initialiser of the scale [cols]"},
    {.name = "bias_init",
     .type = STJ_OPTION_PLUGIN,
     .offset = offsetof(struct layer_norm_config, bias_init),
     .fallback = "zeros",
     .kind = &stj_initializers,
     .doc = "initialiser of the bias [cols]"},
    {.name = NULL},
};

static void layer_norm_sample(struct stj_rng *rng, char *text, size_t size)
{
    static const char *const eps[] = {"", ", eps: 0.1"};
    snprintf(
        text, size,
        "{input: [%s%zu], layers: [{type: layer_norm, scale_init: {type: normal, mean: 1}%s}]}",
        stj_rng_index(rng, 2) ? "3, " : "", 3 + stj_rng_index(rng, 18), eps[stj_rng_index(rng, 2)]);
}

static enum stj_status layer_norm_setup(struct stj_layer *layer, const struct stj_shape *in2,
                                        struct stj_error *err)
{
    (void)in2;
    (void)err;
    const struct layer_norm_config *config = layer->config;
    const size_t cols = stj_shape_cols(&layer->in);
    layer->out = layer->in;
    layer->n_saved = stj_shape_size(&layer->in) + stj_shape_positions(&layer->in);
    stj_layer_add_tensor(layer, "bias", 1, cols, cols, cols, &config->bias_init);
    stj_layer_add_tensor(layer, "scale", 1, cols, cols, cols, &config->scale_init);
    return STJ_OK;
}

/* Rows of work space of backward_tangent: g, q, h_dot, g_dot. */
enum { N_WORK = 4 };

static size_t layer_norm_n_scratch(const struct stj_layer *layer, size_t batch, size_t nvec)
{
    (void)batch;
    (void)nvec;
    return N_WORK * stj_shape_cols(&layer->in);
}

/* h[n] <- r (x - <x>); returns r. */
STJ_CLONES static real normalize(size_t n, double eps, const real *restrict x, real *restrict h)
{
    const real mean = stj_row_sum(n, x) / (real)n;
    for (size_t c = 0; c < n; c++)
        h[c] = x[c] - mean;
    const real r = 1 / (real)sqrt((double)(stj_row_dot(n, h, h) / (real)n) + eps);
    for (size_t c = 0; c < n; c++)
        h[c] *= r;
    return r;
}

/* y[n] <- s h + b */
STJ_CLONES static void affine(size_t n, const real *restrict s, const real *restrict h,
                              const real *restrict b, real *restrict y)
{
    for (size_t c = 0; c < n; c++)
        y[c] = s[c] * h[c] + b[c];
}

/* y[n] <- x - m0 - h m1, the projection of x onto what is left of the mean and of h. */
STJ_INLINE void project(size_t n, const real *x, real m0, const real *h, real m1, real *y)
{
    for (size_t c = 0; c < n; c++)
        y[c] = x[c] - m0 - h[c] * m1;
}

static void layer_norm_forward(const struct stj_layer *layer, real *y,
                               const struct stj_layer_values *at, real *scratch)
{
    (void)scratch;
    const struct layer_norm_config *config = layer->config;
    const size_t n = stj_shape_cols(&layer->in);
    const size_t rows = stj_shape_positions(&layer->in);
    for (size_t i = 0; i < at->batch * rows; i++) {
        real *h = at->saved + i / rows * layer->n_saved;
        real *r = h + rows * n;
        h += i % rows * n;
        r[i % rows] = normalize(n, config->eps, at->x + i * n, h);
        affine(n, at->theta + n, h, at->theta, y + i * n);
    }
}

/* A row of all tangents: y_dot[nvec][n], x_dot[nvec][n] or NULL, b_dot[nvec][n], s_dot[nvec][n]. */
STJ_CLONES static void row_tangent(size_t n, size_t nvec, real *restrict y_dot,
                                   const real *restrict x_dot, const real *restrict b_dot,
                                   const real *restrict s_dot, const real *restrict s,
                                   const real *restrict h, real r)
{
    for (size_t j = 0; j < nvec; j++) {
        const size_t o = j * n;
        for (size_t c = 0; c < n; c++)
            y_dot[o + c] = s_dot[o + c] * h[c] + b_dot[o + c];
        if (!x_dot)
            continue;
        const real m0 = stj_row_sum(n, x_dot + o) / (real)n;
        const real m1 = stj_row_dot(n, h, x_dot + o) / (real)n;
        for (size_t c = 0; c < n; c++)
            y_dot[o + c] += s[c] * (r * (x_dot[o + c] - m0 - h[c] * m1));
    }
}

static void layer_norm_forward_tangent(const struct stj_layer *layer, size_t nvec, real *y_dot,
                                       const struct stj_layer_values *at, const real *x_dot,
                                       const real *x2_dot, const real *theta_dot, real *scratch)
{
    (void)x2_dot;
    (void)scratch;
    const size_t n = stj_shape_cols(&layer->in);
    const size_t rows = stj_shape_positions(&layer->in);
    for (size_t i = 0; i < at->batch * rows; i++) {
        const real *h = at->saved + i / rows * layer->n_saved;
        const real r = h[rows * n + i % rows];
        const size_t o = i * nvec * n;
        row_tangent(n, nvec, y_dot + o, x_dot ? x_dot + o : NULL, theta_dot, theta_dot + nvec * n,
                    at->theta + n, h + i % rows * n, r);
    }
}

/* x_bar <- beta x_bar + r q */
STJ_CLONES static void row_backward(size_t n, real beta, real *restrict x_bar,
                                    const real *restrict s, const real *restrict y_bar,
                                    const real *restrict h, real r, real *restrict g,
                                    real *restrict q)
{
    for (size_t c = 0; c < n; c++)
        g[c] = s[c] * y_bar[c];
    project(n, g, stj_row_sum(n, g) / (real)n, h, stj_row_dot(n, h, g) / (real)n, q);
    if (beta == 0)
        for (size_t c = 0; c < n; c++)
            x_bar[c] = r * q[c];
    else
        for (size_t c = 0; c < n; c++)
            x_bar[c] += r * q[c];
}

/* s_bar += y_bar h, b_bar += y_bar */
STJ_CLONES static void row_theta_bar(size_t n, real *restrict b_bar, real *restrict s_bar,
                                     const real *restrict y_bar, const real *restrict h)
{
    for (size_t c = 0; c < n; c++) {
        s_bar[c] += y_bar[c] * h[c];
        b_bar[c] += y_bar[c];
    }
}

static void layer_norm_backward(const struct stj_layer *layer, const real *beta, real *x_bar,
                                real *x2_bar, real *theta_bar, const struct stj_layer_values *at,
                                real *scratch)
{
    (void)x2_bar;
    const size_t n = stj_shape_cols(&layer->in);
    const size_t rows = stj_shape_positions(&layer->in);
    if (theta_bar)
        memset(theta_bar, 0, layer->n_params * sizeof *theta_bar);
    for (size_t i = 0; i < at->batch * rows; i++) {
        const real *h = at->saved + i / rows * layer->n_saved;
        const real r = h[rows * n + i % rows];
        h += i % rows * n;
        if (x_bar)
            row_backward(n, beta[0], x_bar + i * n, at->theta + n, at->y_bar + i * n, h, r, scratch,
                         scratch + n);
        if (theta_bar)
            row_theta_bar(n, theta_bar, theta_bar + n, at->y_bar + i * n, h);
    }
}

/* What backward_tangent holds of one row. */
struct row {
    size_t n;
    const real *s, *h, *y_bar;
    real r;
    real m1; /* <h g> */
    real *g, *q, *h_dot, *g_dot;
};

STJ_CLONES static void row_primal(struct row *w)
{
    for (size_t c = 0; c < w->n; c++)
        w->g[c] = w->s[c] * w->y_bar[c];
    w->m1 = stj_row_dot(w->n, w->h, w->g) / (real)w->n;
    project(w->n, w->g, stj_row_sum(w->n, w->g) / (real)w->n, w->h, w->m1, w->q);
}

/* h_dot of one tangent; returns r_dot. */
STJ_INLINE real row_h_dot(const struct row *w, const real *restrict x_dot)
{
    const size_t n = w->n;
    const real m = stj_row_dot(n, w->h, x_dot) / (real)n;
    project(n, x_dot, stj_row_sum(n, x_dot) / (real)n, w->h, m, w->h_dot);
    for (size_t c = 0; c < n; c++)
        w->h_dot[c] *= w->r;
    return -w->r * w->r * m;
}

/* One tangent of x_bar; x_dot NULL: h_dot is zero. */
STJ_CLONES static void row_backward_tangent(const struct row *w, real beta,
                                            real *restrict x_bar_dot, const real *restrict x_dot,
                                            const real *restrict s_dot,
                                            const real *restrict y_bar_dot)
{
    const size_t n = w->n;
    real *restrict g_dot = w->g_dot;
    const real *h_dot = w->h_dot; /* row_h_dot writes it: not restrict */
    const real *restrict q = w->q;
    const real *restrict h = w->h;
    const real r_dot = x_dot ? row_h_dot(w, x_dot) : 0;
    for (size_t c = 0; c < n; c++)
        g_dot[c] = w->s[c] * y_bar_dot[c] + s_dot[c] * w->y_bar[c];
    const real m0 = stj_row_sum(n, g_dot) / (real)n;
    const real m2 = (stj_row_dot(n, h_dot, w->g) + stj_row_dot(n, h, g_dot)) / (real)n;
    for (size_t c = 0; c < n; c++)
        g_dot[c] = r_dot * q[c] + w->r * (g_dot[c] - m0 - h_dot[c] * w->m1 - h[c] * m2);
    stj_add(n, g_dot, beta, x_bar_dot);
}

/* s_bar_dot += y_bar_dot h + y_bar h_dot, b_bar_dot += y_bar_dot, of one tangent. */
STJ_CLONES static void row_theta_bar_dot(const struct row *w, real *restrict b_bar_dot,
                                         real *restrict s_bar_dot, const real *restrict y_bar_dot)
{
    const real *restrict h = w->h;
    const real *restrict h_dot = w->h_dot;
    const real *restrict y_bar = w->y_bar;
    for (size_t c = 0; c < w->n; c++) {
        s_bar_dot[c] += y_bar_dot[c] * h[c] + y_bar[c] * h_dot[c];
        b_bar_dot[c] += y_bar_dot[c];
    }
}

static void layer_norm_backward_tangent(const struct stj_layer *layer, size_t nvec,
                                        const real *beta, real *x_bar_dot, real *x2_bar_dot,
                                        real *theta_bar_dot, const struct stj_layer_values *at,
                                        const real *x_dot, const real *x2_dot,
                                        const real *theta_dot, const real *y_bar_dot, real *scratch)
{
    (void)x2_bar_dot;
    (void)x2_dot;
    const size_t n = stj_shape_cols(&layer->in);
    const size_t rows = stj_shape_positions(&layer->in);
    struct row w = {.n = n,
                    .s = at->theta + n,
                    .g = scratch,
                    .q = scratch + n,
                    .h_dot = scratch + 2 * n,
                    .g_dot = scratch + 3 * n};
    memset(w.h_dot, 0, n * sizeof *w.h_dot);
    if (theta_bar_dot)
        memset(theta_bar_dot, 0, layer->n_params * nvec * sizeof *theta_bar_dot);
    for (size_t i = 0; i < at->batch * rows; i++) {
        const real *saved = at->saved + i / rows * layer->n_saved;
        w.r = saved[rows * n + i % rows];
        w.h = saved + i % rows * n;
        w.y_bar = at->y_bar + i * n;
        row_primal(&w);
        for (size_t j = 0; j < nvec; j++) {
            const size_t o = (i * nvec + j) * n;
            if (x_bar_dot)
                row_backward_tangent(&w, beta[0], x_bar_dot + o, x_dot ? x_dot + o : NULL,
                                     theta_dot + (nvec + j) * n, y_bar_dot + o);
            else if (x_dot)
                row_h_dot(&w, x_dot + o);
            if (theta_bar_dot)
                row_theta_bar_dot(&w, theta_bar_dot + j * n, theta_bar_dot + (nvec + j) * n,
                                  y_bar_dot + o);
        }
    }
}

const struct stj_layer_ops stj_layer_layer_norm = {
    .info = {.name = "layer_norm",
             .doc = "normalisation of the last dimension to mean 0 and variance 1, scale and bias",
             .options = layer_norm_options,
             .config_size = sizeof(struct layer_norm_config)},
    .sample = layer_norm_sample,
    .setup = layer_norm_setup,
    .n_scratch = layer_norm_n_scratch,
    .forward = layer_norm_forward,
    .forward_tangent = layer_norm_forward_tangent,
    .backward = layer_norm_backward,
    .backward_tangent = layer_norm_backward_tangent,
};
