/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/layers/group_norm.c: normalisation of groups of channels over all positions of a sample
 * (Wu and He 2018); with a group for each channel, instance normalisation.
 *
 * Per sample x [positions][cols] and group of channels, <.> the mean over the group's channels and
 * all positions, v = <(x - <x>)^2>, products elementwise, s and b [cols]:
 *
 *     h = r (x - <x>),   r = (v + eps)^(-1/2)           saved: <x> and r, for each channel
 *
 *     forward            y         = s h + b
 *     forward_tangent    h_dot     = r (x_dot - <x_dot> - h <h x_dot>),   r_dot = -r^2 <h x_dot>
 *                        y_dot     = s h_dot + s_dot h + b_dot
 *     backward           g = s y_bar,   q = g - <g> - h <h g>,   x_bar += r q
 *                        s_bar     = sum y_bar h,   b_bar = sum y_bar
 *     backward_tangent   g_dot     = s y_bar_dot + s_dot y_bar
 *                        x_bar_dot += r_dot q + r (g_dot - <g_dot> - h_dot <h g>
 *                                                  - h (<h_dot g> + <h g_dot>))
 *                        s_bar_dot = sum (y_bar_dot h + y_bar h_dot),   b_bar_dot = sum y_bar_dot
 *
 * All means come from sums over the positions, a channel each, of which those of a group are added
 * with their scales: the data are read twice, in the order in which they lie.
 */
#include "net/layers/norm.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/target_clones.h"
#include "net/kernels.h"

struct group_norm_config {
    struct stj_norm_config norm;
    size_t groups;
};

#define OPTION(...) STJ_OPTION_ROW(struct group_norm_config, __VA_ARGS__)
static const struct stj_option group_norm_options[] = {
    OPTION("groups", SIZE, groups, NULL,
           "into how many groups the channels are divided; as many as there are channels: "
           "instance normalisation",
           .min = 1, .max = 1e9),
    STJ_NORM_OPTIONS,
    {.name = NULL},
};

static const struct stj_option instance_norm_options[] = {
    STJ_NORM_OPTIONS,
    {.name = NULL},
};

static void group_norm_sample(struct stj_rng *rng, char *text, size_t size)
{
    static const char *const outer[] = {"3, ", "2, 2, ", ""};
    const size_t groups = 1 + stj_rng_index(rng, 3);
    const size_t shape = stj_rng_index(rng, 3);
    snprintf(text, size,
             "{input: [%s%zu], layers: [{type: group_norm, groups: %zu, eps: 0.1, scale_init: "
             "{type: normal, mean: 1}%s}]}",
             outer[shape], groups * (1 + shape / 2 + stj_rng_index(rng, 3)), groups,
             stj_norm_sample(rng));
}

static void instance_norm_sample(struct stj_rng *rng, char *text, size_t size)
{
    static const char *const outer[] = {"3", "2, 2"};
    snprintf(text, size,
             "{input: [%s, %zu], layers: [{type: instance_norm, eps: 0.1, scale_init: {type: "
             "normal, mean: 1}%s}]}",
             outer[stj_rng_index(rng, 2)], 1 + stj_rng_index(rng, 5), stj_norm_sample(rng));
}

/* Channels of a group. */
static size_t group_size(const struct stj_layer *layer)
{
    const struct group_norm_config *config = layer->config;
    return config->groups ? stj_shape_cols(&layer->in) / config->groups : 1;
}

static enum stj_status group_norm_setup(struct stj_layer *layer, const struct stj_shape *in2,
                                        struct stj_error *err)
{
    (void)in2;
    const struct group_norm_config *config = layer->config;
    const size_t cols = stj_shape_cols(&layer->in);
    char text[96];
    STJ_NEED(err, !config->groups || cols % config->groups == 0, STJ_ECONFIG,
             "%zu groups do not divide the %zu channels of its input", config->groups, cols);
    STJ_NEED(err, group_size(layer) * stj_shape_positions(&layer->in) > 1, STJ_ECONFIG,
             "its input is %s: a group of one number has no variance",
             stj_shape_text(&layer->in, text));
    layer->out = layer->in;
    layer->n_saved = 2 * cols;
    stj_norm_add_tensors(layer);
    return STJ_OK;
}

/* One sample, and the means of its groups, for each channel: of values [cols], of tangents
 * [nvec][cols]. */
struct sample {
    size_t rows, cols, group;
    const real *x, *y_bar; /* [rows][cols] */
    const real *mean, *r;
    real *sum_y_bar, *sum_h_y_bar, *g, *h_g;                       /* of values */
    real *x_dot, *h_x_dot, *sum_dot, *sum_h_dot, *sum_y_bar_h_dot; /* of tangents */
    real *g_dot, *h_g_dot;                                         /* <h_dot g> + <h g_dot> */
};

enum { N_VALUES = 4, N_TANGENTS = 7 };

static size_t group_norm_n_scratch(const struct stj_layer *layer, size_t batch, size_t nvec)
{
    (void)batch;
    return (N_VALUES + N_TANGENTS * nvec) * stj_shape_cols(&layer->in) +
           stj_norm_n_scratch(layer, nvec);
}

static struct sample sample_of(const struct stj_layer *layer, const struct stj_layer_values *at,
                               size_t i, size_t nvec, real *scratch)
{
    const size_t cols = stj_shape_cols(&layer->in);
    const size_t n = stj_shape_size(&layer->in);
    const size_t block = nvec * cols;
    real *tangents = scratch + N_VALUES * cols;
    return (struct sample){
        .rows = n / cols,
        .cols = cols,
        .group = group_size(layer),
        .x = at->x + i * n,
        .y_bar = at->y_bar ? at->y_bar + i * n : NULL,
        .mean = at->saved + i * 2 * cols,
        .r = at->saved + (i * 2 + 1) * cols,
        .sum_y_bar = scratch,
        .sum_h_y_bar = scratch + cols,
        .g = scratch + 2 * cols,
        .h_g = scratch + 3 * cols,
        .x_dot = tangents,
        .h_x_dot = tangents + block,
        .sum_dot = tangents + 2 * block,
        .sum_h_dot = tangents + 3 * block,
        .sum_y_bar_h_dot = tangents + 4 * block,
        .g_dot = tangents + 5 * block,
        .h_g_dot = tangents + 6 * block,
    };
}

static struct stj_norm_theta theta_of(const struct stj_layer *layer, size_t nvec,
                                      const struct stj_layer_values *at, const real *theta_dot,
                                      real *theta_bar, real *scratch)
{
    return stj_norm_theta(layer, nvec, at->theta, theta_dot, theta_bar,
                          scratch + (N_VALUES + N_TANGENTS * nvec) * stj_shape_cols(&layer->in));
}

STJ_INLINE real h_at(const struct sample *s, size_t row, size_t c)
{
    return s->r[c] * (s->x[row * s->cols + c] - s->mean[c]);
}

/* Each channel's number <- the mean of its group, of n blocks [cols] that hold sums over rows. */
static void spread_means(const struct sample *s, size_t n, real *a)
{
    const real share = 1 / (real)(s->rows * s->group);
    for (size_t k = 0; k < n * s->cols; k += s->group) {
        real sum = 0;
        for (size_t c = 0; c < s->group; c++)
            sum += a[k + c];
        for (size_t c = 0; c < s->group; c++)
            a[k + c] = share * sum;
    }
}

/* sum, dot [nvec][cols] <- sums over rows of a [rows][nvec][cols] and of h a. */
STJ_CLONES static void row_sums(const struct sample *s, size_t nvec, const real *restrict a,
                                real *restrict sum, real *restrict dot)
{
    const size_t cols = s->cols;
    memset(sum, 0, nvec * cols * sizeof *sum);
    memset(dot, 0, nvec * cols * sizeof *dot);
    for (size_t i = 0; i < s->rows; i++)
        for (size_t j = 0; j < nvec; j++)
            for (size_t c = 0; c < cols; c++) {
                sum[j * cols + c] += a[(i * nvec + j) * cols + c];
                dot[j * cols + c] += h_at(s, i, c) * a[(i * nvec + j) * cols + c];
            }
}

/* mean, r [cols]; m is work space. */
STJ_CLONES static void moments(const struct sample *s, double eps, real *restrict mean,
                               real *restrict r)
{
    stj_rows_sum(s->rows, s->cols, s->x, mean);
    spread_means(s, 1, mean);
    memset(r, 0, s->cols * sizeof *r);
    for (size_t i = 0; i < s->rows; i++)
        for (size_t c = 0; c < s->cols; c++) {
            const real d = s->x[i * s->cols + c] - mean[c];
            r[c] += d * d;
        }
    spread_means(s, 1, r);
    for (size_t c = 0; c < s->cols; c++)
        r[c] = 1 / (real)sqrt((double)r[c] + eps);
}

/* y <- s h + b */
STJ_CLONES static void normalize(const struct sample *s, const struct stj_norm_theta *t,
                                 real *restrict y)
{
    for (size_t i = 0; i < s->rows; i++)
        for (size_t c = 0; c < s->cols; c++)
            y[i * s->cols + c] = t->scale[c] * h_at(s, i, c) + t->bias[c];
}

static void group_norm_forward(const struct stj_layer *layer, real *y,
                               const struct stj_layer_values *at, real *scratch)
{
    const struct group_norm_config *config = layer->config;
    const struct stj_norm_theta t = theta_of(layer, 1, at, NULL, NULL, scratch);
    for (size_t i = 0; i < at->batch; i++) {
        const struct sample s = sample_of(layer, at, i, 1, scratch);
        moments(&s, config->norm.eps, (real *)s.mean, (real *)s.r);
        normalize(&s, &t, y + i * s.rows * s.cols);
    }
}

/* x_dot, h_x_dot [nvec][cols] <- <x_dot>, <h x_dot>; x_dot NULL: zero. */
static void means_of_x_dot(const struct sample *s, size_t nvec, const real *x_dot)
{
    if (!x_dot) {
        memset(s->x_dot, 0, nvec * s->cols * sizeof(real));
        memset(s->h_x_dot, 0, nvec * s->cols * sizeof(real));
        return;
    }
    row_sums(s, nvec, x_dot, s->x_dot, s->h_x_dot);
    spread_means(s, nvec, s->x_dot);
    spread_means(s, nvec, s->h_x_dot);
}

/* y_dot <- s h_dot + s_dot h + b_dot; x_dot NULL: h_dot is zero. */
STJ_CLONES static void tangent(const struct sample *s, const struct stj_norm_theta *t, size_t nvec,
                               const real *restrict x_dot, real *restrict y_dot)
{
    const size_t cols = s->cols;
    for (size_t k = 0; k < s->rows * nvec; k++)
        for (size_t c = 0; c < cols; c++) {
            const size_t o = k % nvec * cols + c;
            const real h = h_at(s, k / nvec, c);
            const real h_dot =
                x_dot ? s->r[c] * (x_dot[k * cols + c] - s->x_dot[o] - h * s->h_x_dot[o]) : 0;
            y_dot[k * cols + c] = t->scale[c] * h_dot + t->scale_dot[o] * h + t->bias_dot[o];
        }
}

static void group_norm_forward_tangent(const struct stj_layer *layer, size_t nvec, real *y_dot,
                                       const struct stj_layer_values *at, const real *x_dot,
                                       const real *x2_dot, const real *theta_dot, real *scratch)
{
    (void)x2_dot;
    const struct stj_norm_theta t = theta_of(layer, nvec, at, theta_dot, NULL, scratch);
    const size_t n = nvec * stj_shape_size(&layer->in);
    for (size_t i = 0; i < at->batch; i++) {
        const struct sample s = sample_of(layer, at, i, nvec, scratch);
        const real *dot = x_dot ? x_dot + i * n : NULL;
        means_of_x_dot(&s, nvec, dot);
        tangent(&s, &t, nvec, dot, y_dot + i * n);
    }
}

/* The sums of y_bar and h y_bar, <g> and <h g>. */
static void means_of_g(const struct sample *s, const struct stj_norm_theta *t)
{
    row_sums(s, 1, s->y_bar, s->sum_y_bar, s->sum_h_y_bar);
    for (size_t c = 0; c < s->cols; c++) {
        s->g[c] = t->scale[c] * s->sum_y_bar[c];
        s->h_g[c] = t->scale[c] * s->sum_h_y_bar[c];
    }
    spread_means(s, 1, s->g);
    spread_means(s, 1, s->h_g);
}

/* x_bar <- beta x_bar + r q */
STJ_CLONES static void add_x_bar(const struct sample *s, const struct stj_norm_theta *t, real beta,
                                 real *restrict x_bar)
{
    for (size_t i = 0; i < s->rows; i++)
        for (size_t c = 0; c < s->cols; c++) {
            const size_t o = i * s->cols + c;
            const real q = t->scale[c] * s->y_bar[o] - s->g[c] - h_at(s, i, c) * s->h_g[c];
            x_bar[o] = (beta == 0 ? 0 : x_bar[o]) + s->r[c] * q;
        }
}

static void group_norm_backward(const struct stj_layer *layer, const real *beta, real *x_bar,
                                real *x2_bar, real *theta_bar, const struct stj_layer_values *at,
                                real *scratch)
{
    (void)x2_bar;
    const struct stj_norm_theta t = theta_of(layer, 1, at, NULL, theta_bar, scratch);
    for (size_t i = 0; i < at->batch; i++) {
        const struct sample s = sample_of(layer, at, i, 1, scratch);
        means_of_g(&s, &t);
        if (x_bar)
            add_x_bar(&s, &t, beta[0], x_bar + i * s.rows * s.cols);
        if (!theta_bar)
            continue;
        stj_add(s.cols, s.sum_y_bar, 1, t.bias_bar);
        stj_add(s.cols, s.sum_h_y_bar, 1, t.scale_bar);
    }
}

/* sum_y_bar_h_dot [nvec][cols] <- sum over rows of y_bar h_dot
 *     = r (sum y_bar x_dot - <x_dot> sum y_bar - <h x_dot> sum h y_bar). */
STJ_CLONES static void cross_sums(const struct sample *s, size_t nvec, const real *restrict x_dot)
{
    const size_t cols = s->cols;
    real *restrict sum = s->sum_y_bar_h_dot;
    memset(sum, 0, nvec * cols * sizeof *sum);
    if (!x_dot)
        return;
    for (size_t k = 0; k < s->rows * nvec; k++)
        for (size_t c = 0; c < cols; c++)
            sum[k % nvec * cols + c] += s->y_bar[k / nvec * cols + c] * x_dot[k * cols + c];
    for (size_t j = 0; j < nvec; j++)
        for (size_t c = 0; c < cols; c++) {
            const size_t o = j * cols + c;
            sum[o] = s->r[c] *
                     (sum[o] - s->x_dot[o] * s->sum_y_bar[c] - s->h_x_dot[o] * s->sum_h_y_bar[c]);
        }
}

/* <g_dot>, and <h_dot g> + <h g_dot>. */
static void means_of_g_dot(const struct sample *s, const struct stj_norm_theta *t, size_t nvec)
{
    for (size_t o = 0; o < nvec * s->cols; o++) {
        const size_t c = o % s->cols;
        s->g_dot[o] = t->scale[c] * s->sum_dot[o] + t->scale_dot[o] * s->sum_y_bar[c];
        s->h_g_dot[o] = t->scale[c] * (s->sum_y_bar_h_dot[o] + s->sum_h_dot[o]) +
                        t->scale_dot[o] * s->sum_h_y_bar[c];
    }
    spread_means(s, nvec, s->g_dot);
    spread_means(s, nvec, s->h_g_dot);
}

STJ_CLONES static void add_x_bar_dot(const struct sample *s, const struct stj_norm_theta *t,
                                     size_t nvec, const real *restrict x_dot,
                                     const real *restrict y_bar_dot, real beta,
                                     real *restrict x_bar_dot)
{
    const size_t cols = s->cols;
    for (size_t k = 0; k < s->rows * nvec; k++)
        for (size_t c = 0; c < cols; c++) {
            const size_t i = k * cols + c;
            const size_t o = k % nvec * cols + c;
            const real r = s->r[c];
            const real h = h_at(s, k / nvec, c);
            const real y_bar = s->y_bar[k / nvec * cols + c];
            const real q = t->scale[c] * y_bar - s->g[c] - h * s->h_g[c];
            const real h_dot = x_dot ? r * (x_dot[i] - s->x_dot[o] - h * s->h_x_dot[o]) : 0;
            const real g_dot = t->scale[c] * y_bar_dot[i] + t->scale_dot[o] * y_bar;
            const real q_dot = g_dot - s->g_dot[o] - h_dot * s->h_g[c] - h * s->h_g_dot[o];
            x_bar_dot[i] = (beta == 0 ? 0 : x_bar_dot[i]) - r * r * s->h_x_dot[o] * q + r * q_dot;
        }
}

static void group_norm_backward_tangent(const struct stj_layer *layer, size_t nvec,
                                        const real *beta, real *x_bar_dot, real *x2_bar_dot,
                                        real *theta_bar_dot, const struct stj_layer_values *at,
                                        const real *x_dot, const real *x2_dot,
                                        const real *theta_dot, const real *y_bar_dot, real *scratch)
{
    (void)x2_bar_dot;
    (void)x2_dot;
    const struct stj_norm_theta t = theta_of(layer, nvec, at, theta_dot, theta_bar_dot, scratch);
    const size_t n = nvec * stj_shape_size(&layer->in);
    for (size_t i = 0; i < at->batch; i++) {
        const struct sample s = sample_of(layer, at, i, nvec, scratch);
        const real *dot = x_dot ? x_dot + i * n : NULL;
        means_of_x_dot(&s, nvec, dot);
        means_of_g(&s, &t);
        row_sums(&s, nvec, y_bar_dot + i * n, s.sum_dot, s.sum_h_dot);
        cross_sums(&s, nvec, dot);
        if (theta_bar_dot) {
            stj_add(nvec * s.cols, s.sum_dot, 1, t.bias_bar);
            stj_add(nvec * s.cols, s.sum_h_dot, 1, t.scale_bar);
            stj_add(nvec * s.cols, s.sum_y_bar_h_dot, 1, t.scale_bar);
        }
        means_of_g_dot(&s, &t, nvec);
        if (x_bar_dot)
            add_x_bar_dot(&s, &t, nvec, dot, y_bar_dot + i * n, beta[0], x_bar_dot + i * n);
    }
}

#define GROUP_NORM_SLOTS                                                                           \
    .forgets = STJ_FORGETS_Y, .setup = group_norm_setup, .n_scratch = group_norm_n_scratch,        \
    .forward = group_norm_forward, .forward_tangent = group_norm_forward_tangent,                  \
    .backward = group_norm_backward, .backward_tangent = group_norm_backward_tangent

const struct stj_layer_ops stj_layer_group_norm = {
    .info = {.name = "group_norm",
             .doc = "normalisation of groups of channels over the positions of each sample",
             .options = group_norm_options,
             .config_size = sizeof(struct group_norm_config)},
    .sample = group_norm_sample,
    GROUP_NORM_SLOTS,
};

const struct stj_layer_ops stj_layer_instance_norm = {
    .info = {.name = "instance_norm",
             .doc = "normalisation of each channel over the positions of each sample",
             .options = instance_norm_options,
             .config_size = sizeof(struct group_norm_config)},
    .sample = instance_norm_sample,
    GROUP_NORM_SLOTS,
};
