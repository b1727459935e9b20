/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/layers/batch_norm.c: normalisation of each channel over the batch (Ioffe and Szegedy 2015).
 *
 * The training-mode function: statistics are those of the batch, over its samples and positions, and
 * are differentiated.  There are no running averages: evaluation uses the statistics of the data set
 * that is evaluated.  Per channel (column) of x [rows][cols], with <.> the mean over the rows and the
 * biased variance v = <(x - <x>)^2>, as in PyTorch:
 *
 *     h = r (x - <x>),   r = (v + eps)^(-1/2)           saved: h and r
 *
 *     forward            y         = s h + b
 *     forward_tangent    h_dot     = r (x_dot - <x_dot> - h <h x_dot>),   r_dot = -r^2 <h x_dot>
 *                        y_dot     = s h_dot + s_dot h + b_dot
 *     backward           s_bar     = sum y_bar h,   b_bar = sum y_bar
 *                        q         = y_bar - <y_bar> - h <h y_bar>,   x_bar += s r q
 *     backward_tangent   s_bar_dot = sum (y_bar_dot h + y_bar h_dot),   b_bar_dot = sum y_bar_dot
 *                        x_bar_dot += (s_dot r + s r_dot) q + s r (y_bar_dot - <y_bar_dot>
 *                                     - h_dot <h y_bar> - h (<h_dot y_bar> + <h y_bar_dot>))
 *
 * A sample's output depends on its batch, so the batch is one slice.  With a single row v = 0, h = 0
 * and y = b: eps keeps everything finite.
 */
#include "net/layers/layers.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clones.h"
#include "net/initializer.h"
#include "net/kernels.h"

struct batch_norm_config {
    double eps;
    struct stj_plugin scale_init, bias_init;
};

static const struct stj_option batch_norm_options[] = {
    {.name = "eps",
     .type = STJ_OPTION_REAL,
     .offset = offsetof(struct batch_norm_config, eps),
     .fallback = "1e-5",
     .min = 0,
     .above_min = true,
     .doc = "added to the variance"},
    {.name = "scale_init",
     .type = STJ_OPTION_PLUGIN,
     .offset = offsetof(struct batch_norm_config, scale_init),
     .fallback = "ones",
     .kind = &stj_initializers,
     .doc = "initialiser of the scale [channels]"},
    {.name = "bias_init",
     .type = STJ_OPTION_PLUGIN,
     .offset = offsetof(struct batch_norm_config, bias_init),
     .fallback = "zeros",
     .kind = &stj_initializers,
     .doc = "initialiser of the bias [channels]"},
    {.name = NULL},
};

static void batch_norm_sample(struct stj_rng *rng, char *text, size_t size)
{
    static const char *const outer[] = {"", "3, ", "2, 2, "};
    snprintf(text, size,
             "{input: [%s%zu], layers: [{type: batch_norm, eps: 0.1, scale_init: {type: normal, "
             "mean: 1}}]}",
             outer[stj_rng_index(rng, 3)], 1 + stj_rng_index(rng, 9));
}

/* The batch is one slice, so what is saved is one array: h [rows][cols], then r [cols], repeated for
 * every sample since saved numbers are counted by the sample. */
static enum stj_status batch_norm_setup(struct stj_layer *layer, const struct stj_shape *in2,
                                        struct stj_error *err)
{
    (void)in2;
    (void)err;
    const struct batch_norm_config *config = layer->config;
    const size_t cols = stj_shape_cols(&layer->in);
    layer->out = layer->in;
    layer->n_saved = stj_shape_size(&layer->in) + cols;
    stj_layer_add_tensor(layer, "bias", 1, cols, cols, cols, &config->bias_init);
    stj_layer_add_tensor(layer, "scale", 1, cols, cols, cols, &config->scale_init);
    return STJ_OK;
}

/* Sums over the rows: primal [cols] first, then [nvec][cols] of each kind. */
enum { N_PRIMAL_SUMS = 2, N_SUMS = 5 };

static size_t batch_norm_n_scratch(const struct stj_layer *layer, size_t batch, size_t nvec)
{
    (void)batch;
    return (N_PRIMAL_SUMS + N_SUMS * nvec) * stj_shape_cols(&layer->in);
}

struct batch_view {
    size_t rows, cols;
    const real *bias, *scale; /* [cols] */
    const real *h;            /* [rows][cols] */
    const real *r;            /* [cols] */
};

static struct batch_view batch_view(const struct stj_layer *layer,
                                    const struct stj_layer_values *at)
{
    const size_t cols = stj_shape_cols(&layer->in);
    const size_t rows = at->batch * stj_shape_positions(&layer->in);
    return (struct batch_view){.rows = rows,
                               .cols = cols,
                               .bias = at->theta,
                               .scale = at->theta + cols,
                               .h = at->saved,
                               .r = at->saved + rows * cols};
}

/* sum[cols] += a [rows][cols] summed over rows; dot[cols] += a b likewise. */
STJ_CLONES static void column_sums(size_t rows, size_t cols, const real *restrict a,
                                   const real *restrict b, real *restrict sum, real *restrict dot)
{
    for (size_t i = 0; i < rows; i++)
        for (size_t c = 0; c < cols; c++) {
            sum[c] += a[i * cols + c];
            dot[c] += a[i * cols + c] * b[i * cols + c];
        }
}

/* h <- x - <x>, r <- 1 / sqrt(<h h> + eps), h <- r h, y <- s h + b */
STJ_CLONES static void normalize(const struct batch_view *v, double eps, const real *restrict x,
                                 real *restrict h, real *restrict r, real *restrict y)
{
    const size_t cols = v->cols;
    stj_rows_sum(v->rows, cols, x, r);
    for (size_t i = 0; i < v->rows; i++)
        for (size_t c = 0; c < cols; c++)
            h[i * cols + c] = x[i * cols + c] - r[c] / (real)v->rows;
    memset(r, 0, cols * sizeof *r);
    for (size_t i = 0; i < v->rows; i++)
        for (size_t c = 0; c < cols; c++)
            r[c] += h[i * cols + c] * h[i * cols + c];
    for (size_t c = 0; c < cols; c++)
        r[c] = 1 / (real)sqrt((double)(r[c] / (real)v->rows) + eps);
    for (size_t i = 0; i < v->rows; i++)
        for (size_t c = 0; c < cols; c++) {
            h[i * cols + c] *= r[c];
            y[i * cols + c] = v->scale[c] * h[i * cols + c] + v->bias[c];
        }
}

static void batch_norm_forward(const struct stj_layer *layer, real *y,
                               const struct stj_layer_values *at, real *scratch)
{
    (void)scratch;
    const struct batch_norm_config *config = layer->config;
    const struct batch_view v = batch_view(layer, at);
    real *r = at->saved + v.rows * v.cols;
    normalize(&v, config->eps, at->x, at->saved, r, y);
    stj_rows_copy(at->batch - 1, v.cols, r, r + v.cols);
}

/* sum, dot [nvec][cols] <- sums over rows of x_dot and of h x_dot. */
STJ_CLONES static void tangent_sums(const struct batch_view *v, size_t nvec,
                                    const real *restrict x_dot, real *restrict sum,
                                    real *restrict dot)
{
    const size_t cols = v->cols;
    memset(sum, 0, nvec * cols * sizeof *sum);
    memset(dot, 0, nvec * cols * sizeof *dot);
    for (size_t i = 0; i < v->rows; i++)
        for (size_t j = 0; j < nvec; j++)
            for (size_t c = 0; c < cols; c++) {
                sum[j * cols + c] += x_dot[(i * nvec + j) * cols + c];
                dot[j * cols + c] += v->h[i * cols + c] * x_dot[(i * nvec + j) * cols + c];
            }
}

/* y_dot <- s_dot h + b_dot */
STJ_CLONES static void affine_tangent(const struct batch_view *v, size_t nvec, real *restrict y_dot,
                                      const real *restrict theta_dot)
{
    const size_t cols = v->cols;
    const real *restrict s_dot = theta_dot + nvec * cols;
    for (size_t i = 0; i < v->rows; i++)
        for (size_t j = 0; j < nvec; j++)
            for (size_t c = 0; c < cols; c++)
                y_dot[(i * nvec + j) * cols + c] =
                    s_dot[j * cols + c] * v->h[i * cols + c] + theta_dot[j * cols + c];
}

/* y_dot += s h_dot */
STJ_CLONES static void add_h_dot(const struct batch_view *v, size_t nvec, real *restrict y_dot,
                                 const real *restrict x_dot, const real *restrict sum,
                                 const real *restrict dot)
{
    const size_t cols = v->cols;
    const real share = 1 / (real)v->rows;
    for (size_t i = 0; i < v->rows; i++)
        for (size_t j = 0; j < nvec; j++)
            for (size_t c = 0; c < cols; c++)
                y_dot[(i * nvec + j) * cols + c] +=
                    v->scale[c] * v->r[c] *
                    (x_dot[(i * nvec + j) * cols + c] - share * sum[j * cols + c] -
                     v->h[i * cols + c] * share * dot[j * cols + c]);
}

static void batch_norm_forward_tangent(const struct stj_layer *layer, size_t nvec, real *y_dot,
                                       const struct stj_layer_values *at, const real *x_dot,
                                       const real *x2_dot, const real *theta_dot, real *scratch)
{
    (void)x2_dot;
    const struct batch_view v = batch_view(layer, at);
    real *dot = scratch + nvec * v.cols;
    affine_tangent(&v, nvec, y_dot, theta_dot);
    if (!x_dot)
        return;
    tangent_sums(&v, nvec, x_dot, scratch, dot);
    add_h_dot(&v, nvec, y_dot, x_dot, scratch, dot);
}

/* x_bar <- beta x_bar + s r q, with sum = sum y_bar and dot = sum h y_bar */
STJ_CLONES static void add_x_bar(const struct batch_view *v, real beta, real *restrict x_bar,
                                 const real *restrict y_bar, const real *restrict sum,
                                 const real *restrict dot)
{
    const size_t cols = v->cols;
    const real share = 1 / (real)v->rows;
    for (size_t i = 0; i < v->rows; i++)
        for (size_t c = 0; c < cols; c++) {
            const size_t o = i * cols + c;
            const real q = y_bar[o] - share * sum[c] - v->h[o] * share * dot[c];
            x_bar[o] = (beta == 0 ? 0 : x_bar[o]) + v->scale[c] * v->r[c] * q;
        }
}

static void batch_norm_backward(const struct stj_layer *layer, const real *beta, real *x_bar,
                                real *x2_bar, real *theta_bar, const struct stj_layer_values *at,
                                real *scratch)
{
    (void)x2_bar;
    const struct batch_view v = batch_view(layer, at);
    real *sum = scratch;
    real *dot = scratch + v.cols;
    memset(sum, 0, 2 * v.cols * sizeof *sum);
    column_sums(v.rows, v.cols, at->y_bar, v.h, sum, dot);
    if (x_bar)
        add_x_bar(&v, beta[0], x_bar, at->y_bar, sum, dot);
    if (theta_bar)
        memcpy(theta_bar, sum, 2 * v.cols * sizeof *theta_bar);
}

/* Sums over rows that backward_tangent needs: of y_bar, h y_bar; per tangent of x_dot, h x_dot,
 * y_bar_dot, h y_bar_dot, and y_bar x_dot, which becomes s_bar_dot. */
struct batch_sums {
    real *y_bar, *h_y_bar;                                       /* [cols] */
    real *x_dot, *h_x_dot, *y_bar_dot, *h_y_bar_dot, *s_bar_dot; /* [nvec][cols] */
};

static struct batch_sums batch_sums(size_t nvec, size_t cols, real *scratch)
{
    real *tangent = scratch + N_PRIMAL_SUMS * cols;
    const size_t n = nvec * cols;
    return (struct batch_sums){scratch,         scratch + cols,  tangent,        tangent + n,
                               tangent + 2 * n, tangent + 3 * n, tangent + 4 * n};
}

/* s_bar_dot <- sum y_bar x_dot */
STJ_CLONES static void cross_sums(const struct batch_view *v, size_t nvec,
                                  const real *restrict y_bar, const real *restrict x_dot,
                                  real *restrict s_bar_dot)
{
    const size_t cols = v->cols;
    for (size_t i = 0; i < v->rows; i++)
        for (size_t j = 0; j < nvec; j++)
            for (size_t c = 0; c < cols; c++)
                s_bar_dot[j * cols + c] += y_bar[i * cols + c] * x_dot[(i * nvec + j) * cols + c];
}

/* s_bar_dot <- sum y_bar h_dot + sum h y_bar_dot, where
 * sum y_bar h_dot = r (sum y_bar x_dot - <x_dot> sum y_bar - <h x_dot> sum h y_bar). */
STJ_CLONES static void finish_sums(const struct batch_view *v, size_t nvec,
                                   const struct batch_sums *t)
{
    const real share = 1 / (real)v->rows;
    for (size_t j = 0; j < nvec; j++)
        for (size_t c = 0; c < v->cols; c++) {
            const size_t o = j * v->cols + c;
            const real h_dot = v->r[c] * (t->s_bar_dot[o] - share * t->x_dot[o] * t->y_bar[c] -
                                          share * t->h_x_dot[o] * t->h_y_bar[c]);
            t->s_bar_dot[o] = h_dot + t->h_y_bar_dot[o];
        }
}

static void make_sums(const struct batch_view *v, size_t nvec, const struct batch_sums *t,
                      const real *y_bar, const real *x_dot, const real *y_bar_dot)
{
    const size_t n = nvec * v->cols;
    memset(t->y_bar, 0, N_PRIMAL_SUMS * v->cols * sizeof(real));
    column_sums(v->rows, v->cols, y_bar, v->h, t->y_bar, t->h_y_bar);
    tangent_sums(v, nvec, y_bar_dot, t->y_bar_dot, t->h_y_bar_dot);
    memset(t->s_bar_dot, 0, n * sizeof(real));
    if (x_dot) {
        tangent_sums(v, nvec, x_dot, t->x_dot, t->h_x_dot);
        cross_sums(v, nvec, y_bar, x_dot, t->s_bar_dot);
    } else {
        memset(t->x_dot, 0, 2 * n * sizeof(real));
    }
    finish_sums(v, nvec, t);
}

/* One row of one tangent: x_bar_dot <- beta x_bar_dot + ...; x_dot NULL: zero. */
STJ_CLONES static void row_x_bar_dot(const struct batch_view *v, const struct batch_sums *t,
                                     size_t j, const real *restrict h, const real *restrict s_dot,
                                     const real *restrict y_bar, const real *restrict x_dot,
                                     const real *restrict y_bar_dot, real beta,
                                     real *restrict x_bar_dot)
{
    const size_t o = j * v->cols;
    const real share = 1 / (real)v->rows;
    for (size_t c = 0; c < v->cols; c++) {
        const real r = v->r[c];
        const real s = v->scale[c];
        const real m1 = share * t->h_x_dot[o + c];
        const real q = y_bar[c] - share * t->y_bar[c] - h[c] * share * t->h_y_bar[c];
        const real h_dot = r * ((x_dot ? x_dot[c] : 0) - share * t->x_dot[o + c] - h[c] * m1);
        const real q_dot = y_bar_dot[c] - share * t->y_bar_dot[o + c] -
                           h_dot * share * t->h_y_bar[c] - h[c] * share * t->s_bar_dot[o + c];
        x_bar_dot[c] =
            (beta == 0 ? 0 : x_bar_dot[c]) + (s_dot[c] * r - s * r * r * m1) * q + s * r * q_dot;
    }
}

static void batch_norm_backward_tangent(const struct stj_layer *layer, size_t nvec,
                                        const real *beta, real *x_bar_dot, real *x2_bar_dot,
                                        real *theta_bar_dot, const struct stj_layer_values *at,
                                        const real *x_dot, const real *x2_dot,
                                        const real *theta_dot, const real *y_bar_dot, real *scratch)
{
    (void)x2_bar_dot;
    (void)x2_dot;
    const struct batch_view v = batch_view(layer, at);
    const size_t cols = v.cols;
    const struct batch_sums t = batch_sums(nvec, cols, scratch);
    make_sums(&v, nvec, &t, at->y_bar, x_dot, y_bar_dot);
    for (size_t i = 0; x_bar_dot && i < v.rows; i++)
        for (size_t j = 0; j < nvec; j++) {
            const size_t o = (i * nvec + j) * cols;
            row_x_bar_dot(&v, &t, j, v.h + i * cols, theta_dot + (nvec + j) * cols,
                          at->y_bar + i * cols, x_dot ? x_dot + o : NULL, y_bar_dot + o, beta[0],
                          x_bar_dot + o);
        }
    if (!theta_bar_dot)
        return;
    memcpy(theta_bar_dot, t.y_bar_dot, nvec * cols * sizeof *theta_bar_dot);
    memcpy(theta_bar_dot + nvec * cols, t.s_bar_dot, nvec * cols * sizeof *theta_bar_dot);
}

const struct stj_layer_ops stj_layer_batch_norm = {
    .info = {.name = "batch_norm",
             .doc = "normalisation of each channel by the statistics of the batch, scale and bias",
             .options = batch_norm_options,
             .config_size = sizeof(struct batch_norm_config)},
    .couples_samples = true,
    .sample = batch_norm_sample,
    .setup = batch_norm_setup,
    .n_scratch = batch_norm_n_scratch,
    .forward = batch_norm_forward,
    .forward_tangent = batch_norm_forward_tangent,
    .backward = batch_norm_backward,
    .backward_tangent = batch_norm_backward_tangent,
};
