/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/layers/norm.c: what normalisations share. */
#include "net/layers/norm.h"

#include <math.h>
#include <string.h>

#include "base/target_clones.h"
#include "net/kernels.h"
#include "net/row_sums.h"

const char *stj_norm_sample(struct stj_rng *rng)
{
    static const char *const text[] = {"", ", bias: false", ", affine: false"};
    const size_t kind = stj_rng_index(rng, 5);
    return text[kind < 3 ? kind : 0];
}

static const struct stj_norm_config *config_of(const struct stj_layer *layer)
{
    return layer->config;
}

static bool has_bias(const struct stj_layer *layer)
{
    return config_of(layer)->affine && config_of(layer)->bias;
}

void stj_norm_add_tensors(struct stj_layer *layer)
{
    const struct stj_norm_config *config = config_of(layer);
    const size_t cols = stj_shape_cols(&layer->in);
    if (has_bias(layer))
        stj_layer_add_tensor(layer, "bias", 1, cols, cols, cols, &config->bias_init);
    if (config->affine)
        stj_layer_add_tensor(layer, "scale", 1, cols, cols, cols, &config->scale_init);
}

size_t stj_norm_n_scratch(const struct stj_layer *layer, size_t nvec)
{
    return has_bias(layer) ? 0 : (1 + 2 * (nvec ? nvec : 1)) * stj_shape_cols(&layer->in);
}

struct stj_norm_theta stj_norm_theta(const struct stj_layer *layer, size_t nvec, const real *theta,
                                     const real *theta_dot, real *theta_bar, real *scratch)
{
    const size_t cols = stj_shape_cols(&layer->in);
    const size_t scale = has_bias(layer) ? cols : 0;
    struct stj_norm_theta t = {theta,     theta + scale,
                               theta_dot, theta_dot ? theta_dot + nvec * scale : NULL,
                               theta_bar, theta_bar ? theta_bar + nvec * scale : NULL};
    if (theta_bar)
        memset(theta_bar, 0, layer->n_params * nvec * sizeof *theta_bar);
    if (has_bias(layer))
        return t;
    real *ones = scratch;
    real *zeros = ones + cols;
    real *unseen = zeros + nvec * cols;
    memset(zeros, 0, 2 * nvec * cols * sizeof *zeros);
    for (size_t c = 0; c < cols; c++)
        ones[c] = 1;
    t.bias = t.bias_dot = zeros;
    t.bias_bar = theta_bar ? unseen : NULL;
    if (config_of(layer)->affine)
        return t;
    t.scale = ones;
    t.scale_dot = zeros;
    t.scale_bar = t.bias_bar;
    return t;
}

STJ_CLONES real stj_row_normalize(size_t n, bool centred, double eps, const real *restrict x,
                                  real *restrict h)
{
    const real mean = centred ? stj_row_sum(n, x) / (real)n : 0;
    for (size_t c = 0; c < n; c++)
        h[c] = x[c] - mean;
    const real r = 1 / (real)sqrt((double)(stj_row_dot(n, h, h) / (real)n) + eps);
    for (size_t c = 0; c < n; c++)
        h[c] *= r;
    return r;
}

STJ_CLONES void stj_row_affine(size_t n, const real *restrict s, const real *restrict h,
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

STJ_CLONES void stj_row_tangent(size_t n, bool centred, size_t nvec, real *restrict y_dot,
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
        const real m0 = centred ? stj_row_sum(n, x_dot + o) / (real)n : 0;
        const real m1 = stj_row_dot(n, h, x_dot + o) / (real)n;
        for (size_t c = 0; c < n; c++)
            y_dot[o + c] += s[c] * (r * (x_dot[o + c] - m0 - h[c] * m1));
    }
}

STJ_CLONES void stj_row_backward(size_t n, bool centred, real beta, real *restrict x_bar,
                                 const real *restrict s, const real *restrict y_bar,
                                 const real *restrict h, real r, real *restrict g, real *restrict q)
{
    for (size_t c = 0; c < n; c++)
        g[c] = s[c] * y_bar[c];
    project(n, g, centred ? stj_row_sum(n, g) / (real)n : 0, h, stj_row_dot(n, h, g) / (real)n, q);
    if (beta == 0)
        for (size_t c = 0; c < n; c++)
            x_bar[c] = r * q[c];
    else
        for (size_t c = 0; c < n; c++)
            x_bar[c] += r * q[c];
}

STJ_CLONES void stj_row_theta_bar(size_t n, real *restrict b_bar, real *restrict s_bar,
                                  const real *restrict y_bar, const real *restrict h)
{
    for (size_t c = 0; c < n; c++) {
        s_bar[c] += y_bar[c] * h[c];
        b_bar[c] += y_bar[c];
    }
}

STJ_CLONES void stj_row_primal(struct stj_norm_row *w)
{
    for (size_t c = 0; c < w->n; c++)
        w->g[c] = w->s[c] * w->y_bar[c];
    w->m1 = stj_row_dot(w->n, w->h, w->g) / (real)w->n;
    project(w->n, w->g, w->centred ? stj_row_sum(w->n, w->g) / (real)w->n : 0, w->h, w->m1, w->q);
}

STJ_INLINE real row_h_dot(const struct stj_norm_row *w, const real *restrict x_dot)
{
    const size_t n = w->n;
    const real m = stj_row_dot(n, w->h, x_dot) / (real)n;
    project(n, x_dot, w->centred ? stj_row_sum(n, x_dot) / (real)n : 0, w->h, m, w->h_dot);
    for (size_t c = 0; c < n; c++)
        w->h_dot[c] *= w->r;
    return -w->r * w->r * m;
}

real stj_row_h_dot(const struct stj_norm_row *w, const real *x_dot)
{
    return row_h_dot(w, x_dot);
}

STJ_CLONES void stj_row_backward_tangent(const struct stj_norm_row *w, real beta,
                                         real *restrict x_bar_dot, const real *restrict x_dot,
                                         const real *restrict s_dot, const real *restrict y_bar_dot)
{
    const size_t n = w->n;
    real *restrict g_dot = w->g_dot;
    const real *h_dot = w->h_dot; /* row_h_dot writes it: not restrict */
    const real *restrict q = w->q;
    const real *restrict h = w->h;
    const real r_dot = x_dot ? row_h_dot(w, x_dot) : 0;
    for (size_t c = 0; c < n; c++)
        g_dot[c] = w->s[c] * y_bar_dot[c] + s_dot[c] * w->y_bar[c];
    const real m0 = w->centred ? stj_row_sum(n, g_dot) / (real)n : 0;
    const real m2 = (stj_row_dot(n, h_dot, w->g) + stj_row_dot(n, h, g_dot)) / (real)n;
    for (size_t c = 0; c < n; c++)
        g_dot[c] = r_dot * q[c] + w->r * (g_dot[c] - m0 - h_dot[c] * w->m1 - h[c] * m2);
    stj_add(n, g_dot, beta, x_bar_dot);
}

STJ_CLONES void stj_row_theta_bar_dot(const struct stj_norm_row *w, real *restrict b_bar_dot,
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
