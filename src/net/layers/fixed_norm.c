/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/layers/fixed_norm.c: batch normalisation by statistics that are given and do not move, as a
 * network in evaluation mode has them.
 *
 * Mean m and variance v are tensors of the layer that are never trained.  Per channel, with
 *
 *     u = x - m,   r = (v + eps)^(-1/2),   r' = -r^3 / 2,   r'' = 3 r^5 / 4,   a = s r
 *
 *     forward            y         = a u + b
 *     forward_tangent    y_dot     = a u_dot + a_dot u + b_dot,   u_dot = x_dot - m_dot,
 *                        a_dot     = s_dot r + s r' v_dot
 *     backward           x_bar    += a y_bar,   A = sum y_bar,   B = sum u y_bar
 *                        b_bar     = A,   s_bar = r B,   m_bar = -a A,   v_bar = s r' B
 *     backward_tangent   x_bar_dot += a y_bar_dot + a_dot y_bar,
 *                        A_dot     = sum y_bar_dot,   B_dot = sum u y_bar_dot + u_dot y_bar
 *                        b_bar_dot = A_dot,   s_bar_dot = r B_dot + r' v_dot B
 *                        m_bar_dot = -a A_dot - a_dot A
 *                        v_bar_dot = s r' B_dot + (s_dot r' + s r'' v_dot) B
 *
 * The derivatives along m and v are zero or dropped in a network; they are here so that the layer is
 * a function of all its tensors like any other.
 */
#include "net/layers/norm.h"

#include <math.h>
#include <string.h>

#include "base/target_clones.h"

struct view {
    size_t rows, cols, nvec;
    struct stj_norm_theta t;
    const real *mean, *mean_dot, *variance_dot; /* _dot [nvec][cols]; NULL without theta_dot */
    real *mean_bar, *variance_bar;              /* [nvec][cols]; NULL without theta_bar */
    real *r, *a, *a_dot;                        /* [cols], a_dot [nvec][cols] */
    real *sum, *dot;                            /* A, B [cols] */
    real *sum_dot, *dot_dot;                    /* A_dot, B_dot [nvec][cols] */
};

static size_t fixed_n_scratch(const struct stj_layer *layer, size_t batch, size_t nvec)
{
    (void)batch;
    return (4 + 3 * (nvec ? nvec : 1)) * stj_shape_cols(&layer->in) +
           stj_norm_n_scratch(layer, nvec);
}

static struct view view_of(const struct stj_layer *layer, size_t nvec,
                           const struct stj_layer_values *at, const real *theta_dot,
                           real *theta_bar, real *scratch)
{
    const struct stj_norm_config *config = layer->config;
    const size_t cols = stj_shape_cols(&layer->in), n = nvec * cols;
    const size_t mean = layer->n_params - 2 * cols, variance = layer->n_params - cols;
    struct view v = {.rows = at->batch * stj_shape_positions(&layer->in),
                     .cols = cols,
                     .nvec = nvec,
                     .mean = at->theta + mean,
                     .mean_dot = theta_dot ? theta_dot + nvec * mean : NULL,
                     .variance_dot = theta_dot ? theta_dot + nvec * variance : NULL,
                     .mean_bar = theta_bar ? theta_bar + nvec * mean : NULL,
                     .variance_bar = theta_bar ? theta_bar + nvec * variance : NULL};
    v.r = scratch;
    v.a = v.r + cols;
    v.sum = v.a + cols;
    v.dot = v.sum + cols;
    v.a_dot = v.dot + cols;
    v.sum_dot = v.a_dot + n;
    v.dot_dot = v.sum_dot + n;
    v.t = stj_norm_theta(layer, nvec, at->theta, theta_dot, theta_bar, v.dot_dot + n);
    for (size_t c = 0; c < cols; c++) {
        v.r[c] = 1 / (real)sqrt((double)at->theta[variance + c] + config->eps);
        v.a[c] = v.t.scale[c] * v.r[c];
    }
    for (size_t i = 0; theta_dot && i < n; i++) {
        const real r = v.r[i % cols];
        v.a_dot[i] = v.t.scale_dot[i] * r - v.t.scale[i % cols] * r * r * r / 2 * v.variance_dot[i];
    }
    return v;
}

static void fixed_forward(const struct stj_layer *layer, real *y, const struct stj_layer_values *at,
                          real *scratch)
{
    const struct view v = view_of(layer, 1, at, NULL, NULL, scratch);
    for (size_t i = 0; i < v.rows; i++)
        for (size_t c = 0; c < v.cols; c++)
            y[i * v.cols + c] = v.a[c] * (at->x[i * v.cols + c] - v.mean[c]) + v.t.bias[c];
}

static void fixed_forward_tangent(const struct stj_layer *layer, size_t nvec, real *y_dot,
                                  const struct stj_layer_values *at, const real *x_dot,
                                  const real *x2_dot, const real *theta_dot, real *scratch)
{
    (void)x2_dot;
    const struct view v = view_of(layer, nvec, at, theta_dot, NULL, scratch);
    const size_t n = nvec * v.cols;
    for (size_t i = 0; i < v.rows; i++)
        for (size_t k = 0; k < n; k++) {
            const size_t c = k % v.cols;
            const real u = at->x[i * v.cols + c] - v.mean[c];
            const real u_dot = (x_dot ? x_dot[i * n + k] : 0) - v.mean_dot[k];
            y_dot[i * n + k] = v.a[c] * u_dot + v.a_dot[k] * u + v.t.bias_dot[k];
        }
}

/* A, B. */
static void sum_rows(const struct view *v, const real *x, const real *y_bar)
{
    memset(v->sum, 0, 2 * v->cols * sizeof *v->sum);
    for (size_t i = 0; i < v->rows; i++)
        for (size_t c = 0; c < v->cols; c++) {
            v->sum[c] += y_bar[i * v->cols + c];
            v->dot[c] += (x[i * v->cols + c] - v->mean[c]) * y_bar[i * v->cols + c];
        }
}

static void fixed_backward(const struct stj_layer *layer, const real *beta, real *x_bar,
                           real *x2_bar, real *theta_bar, const struct stj_layer_values *at,
                           real *scratch)
{
    (void)x2_bar;
    const struct view v = view_of(layer, 1, at, NULL, theta_bar, scratch);
    for (size_t i = 0; x_bar && i < v.rows * v.cols; i++)
        x_bar[i] = (beta[0] == 0 ? 0 : x_bar[i]) + v.a[i % v.cols] * at->y_bar[i];
    if (!theta_bar)
        return;
    sum_rows(&v, at->x, at->y_bar);
    for (size_t c = 0; c < v.cols; c++) {
        v.t.bias_bar[c] = v.sum[c];
        v.t.scale_bar[c] = v.r[c] * v.dot[c];
        v.mean_bar[c] = -v.a[c] * v.sum[c];
        v.variance_bar[c] = -v.a[c] * v.r[c] * v.r[c] / 2 * v.dot[c];
    }
}

/* A_dot, B_dot; x_dot NULL: zero. */
static void sum_tangents(const struct view *v, const struct stj_layer_values *at, const real *x_dot,
                         const real *y_bar_dot)
{
    const size_t n = v->nvec * v->cols;
    memset(v->sum_dot, 0, 2 * n * sizeof *v->sum_dot);
    for (size_t i = 0; i < v->rows; i++)
        for (size_t k = 0; k < n; k++) {
            const size_t o = i * v->cols + k % v->cols;
            const real u = at->x[o] - v->mean[k % v->cols];
            const real u_dot = (x_dot ? x_dot[i * n + k] : 0) - v->mean_dot[k];
            v->sum_dot[k] += y_bar_dot[i * n + k];
            v->dot_dot[k] += u * y_bar_dot[i * n + k] + u_dot * at->y_bar[o];
        }
}

static void fixed_backward_tangent(const struct stj_layer *layer, size_t nvec, const real *beta,
                                   real *x_bar_dot, real *x2_bar_dot, real *theta_bar_dot,
                                   const struct stj_layer_values *at, const real *x_dot,
                                   const real *x2_dot, const real *theta_dot, const real *y_bar_dot,
                                   real *scratch)
{
    (void)x2_bar_dot;
    (void)x2_dot;
    const struct view v = view_of(layer, nvec, at, theta_dot, theta_bar_dot, scratch);
    const size_t n = nvec * v.cols;
    for (size_t i = 0; x_bar_dot && i < v.rows; i++)
        for (size_t k = 0; k < n; k++) {
            const size_t c = k % v.cols;
            x_bar_dot[i * n + k] = (beta[0] == 0 ? 0 : x_bar_dot[i * n + k]) +
                                   v.a[c] * y_bar_dot[i * n + k] +
                                   v.a_dot[k] * at->y_bar[i * v.cols + c];
        }
    if (!theta_bar_dot)
        return;
    sum_rows(&v, at->x, at->y_bar);
    sum_tangents(&v, at, x_dot, y_bar_dot);
    for (size_t k = 0; k < n; k++) {
        const size_t c = k % v.cols;
        const real r = v.r[c], r1 = -r * r * r / 2, r2 = 3 * r * r * r * r * r / 4;
        const real s = v.t.scale[c], v_dot = v.variance_dot[k];
        v.t.bias_bar[k] = v.sum_dot[k];
        v.t.scale_bar[k] = r * v.dot_dot[k] + r1 * v_dot * v.dot[c];
        v.mean_bar[k] = -v.a[c] * v.sum_dot[k] - v.a_dot[k] * v.sum[c];
        v.variance_bar[k] =
            s * r1 * v.dot_dot[k] + (v.t.scale_dot[k] * r1 + s * r2 * v_dot) * v.dot[c];
    }
}

const struct stj_layer_ops stj_layer_fixed_norm = {
    .info = {.name = "batch_norm"},
    .n_scratch = fixed_n_scratch,
    .forward = fixed_forward,
    .forward_tangent = fixed_forward_tangent,
    .backward = fixed_backward,
    .backward_tangent = fixed_backward_tangent,
};
