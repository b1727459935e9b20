/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/layers/conv2d.c: the convolution of images [height][width][channels], or of sequences, which
 * are images of height 1, with a kernel [height][width][channels][filters].
 *
 * With P(X) the patches of X that the kernel sees, [positions][taps] (net/layers/im2col.h), W
 * [taps][filters], b [filters], and tangents [positions][nvec][.], this is the dense layer of P(X):
 *
 *     forward            Y         = P(X) W + 1 b'
 *     forward_tangent    Y_dot     = P(X_dot) W + P(X) W_dot + 1 b_dot'
 *     backward           X_bar     = P'(Y_bar W')
 *                        W_bar     = P(X)' Y_bar,                 b_bar     = 1' Y_bar
 *     backward_tangent   X_bar_dot = P'(Y_bar_dot W' + Y_bar W_dot')
 *                        W_bar_dot = P(X)' Y_bar_dot + P(X_dot)' Y_bar, b_bar_dot = 1' Y_bar_dot
 *
 * The bias lies before the kernel, so [b; W] is one matrix of 1 + taps rows, and a column of ones
 * before P(X) takes care of it.  The images are worked off in bands whose patches stay in cache.
 * Useful arithmetic: 2 positions taps filters per product and tangent, at most six products.
 *
 * In groups, each has its part of the channels and of the filters and is a convolution by itself:
 * the same products, of those columns.  One channel a group and one filter (depthwise) leaves no
 * product worth the name: depthwise.c.
 */
#include "net/layers/layers.h"

#include <stdio.h>
#include <string.h>

#include "base/blas.h"
#include "base/error.h"
#include "base/memory.h"
#include "net/initializer.h"
#include "net/layers/depthwise.h"
#include "net/layers/im2col.h"

struct conv2d_config {
    size_t filters, groups;
    struct stj_window_config window;
    struct stj_plugin kernel_init, bias_init;
    bool bias;
};

/* The rows that conv2d and conv1d have alike. */
#define FILTERS                                                                                    \
    {                                                                                              \
        .name = "filters", .type = STJ_OPTION_SIZE,                                                \
        .offset = offsetof(struct conv2d_config, filters), .min = 1, .max = 1e9,                   \
        .doc = "output channels"                                                                   \
    }
#define GROUPS                                                                                     \
    {                                                                                              \
        .name = "groups", .type = STJ_OPTION_SIZE,                                                 \
        .offset = offsetof(struct conv2d_config, groups), .fallback = "1", .min = 1, .max = 1e9,   \
        .doc = "parts of the channels and of the filters, each convolved by itself; as many as "   \
               "there are channels: depthwise"                                                     \
    }
#define INITS                                                                                      \
    {.name = "kernel_init",                                                                        \
     .type = STJ_OPTION_PLUGIN,                                                                    \
     .offset = offsetof(struct conv2d_config, kernel_init),                                        \
     .fallback = "lecun_normal",                                                                   \
     .kind = &stj_initializers,                                                                    \
     .doc = "initialiser of the kernel [height][width][in/groups][filters]"},                      \
        {.name = "bias_init",                                                                      \
         .type = STJ_OPTION_PLUGIN,                                                                \
         .offset = offsetof(struct conv2d_config, bias_init),                                      \
         .fallback = "zeros",                                                                      \
         .kind = &stj_initializers,                                                                \
         .doc = "initialiser of the bias [filters]"},                                              \
    {                                                                                              \
        .name = "bias", .type = STJ_OPTION_BOOL, .offset = offsetof(struct conv2d_config, bias),   \
        .fallback = "true", .doc = "whether there is a bias"                                       \
    }

#define OPTION(...) STJ_OPTION_ROW(struct conv2d_config, __VA_ARGS__)
static const struct stj_option conv2d_options[] = {
    FILTERS,
    OPTION("kernel", SIZES, window.size, NULL,
           "height and width of the kernel, or one number for both", .min = 1, .max = 1e9),
    OPTION("stride", SIZES, window.stride, "1",
           "distance between positions, down and across, or one number for both", .min = 1,
           .max = 1e9),
    STJ_WINDOW_PADDING(offsetof(struct conv2d_config, window.padding), stj_paddings),
    STJ_WINDOW_DILATION(offsetof(struct conv2d_config, window.dilation)),
    GROUPS,
    INITS,
    {.name = NULL},
};

static const struct stj_option conv1d_options[] = {
    FILTERS,
    OPTION("kernel", SIZES, window.size, NULL, "width of the kernel", .min = 1, .max = 1e9),
    OPTION("stride", SIZES, window.stride, "1", "distance between positions", .min = 1, .max = 1e9),
    OPTION("padding", SIZES, window.padding, "valid",
           "valid: none; same: on both sides, so that stride 1 keeps the length; causal: the same, "
           "but all before, so that no position sees a later one; or the amount: N on both sides "
           "or [before, after]",
           .max = 1e9, .choices = stj_sequence_paddings),
    STJ_WINDOW_DILATION(offsetof(struct conv2d_config, window.dilation)),
    GROUPS,
    INITS,
    {.name = NULL},
};

static const char *const sample_paddings[] = {"same", "1", "[1, 2]", "[2, 0, 1, 3]", "valid"};

static void conv2d_sample(struct stj_rng *rng, char *text, size_t size)
{
    char kernel[96];
    const size_t larger = stj_rng_index(rng, 6) ? 0 : 32; /* than a band */
    const size_t height = 1 + larger + stj_rng_index(rng, 6);
    const size_t width = 1 + larger + stj_rng_index(rng, 6);
    const size_t groups = stj_rng_index(rng, 3) ? 1 : 1 + stj_rng_index(rng, 3);
    const size_t channels = 1 + larger / 8 + stj_rng_index(rng, 3);
    const size_t filters = 1 + stj_rng_index(rng, 4);
    const size_t kind = stj_rng_index(rng, 8);
    const char *padding = sample_paddings[kind < 4 ? kind : 4];
    const bool padded = kind == 0 || kind == 3; /* by more than any kernel of 3 needs */
    stj_window_sample(rng, padded ? 3 : height, padded ? 3 : width, "kernel", kernel,
                      sizeof kernel);
    snprintf(text, size,
             "{input: [%zu, %zu, %zu], layers: [{type: conv2d, filters: %zu, %s, padding: %s, "
             "groups: %zu%s, bias: %s}]}",
             height, width, groups * channels,
             groups * (stj_rng_index(rng, 2) ? filters : channels), kernel, padding, groups,
             kind == 0 ? ", dilation: 2" : "", stj_rng_index(rng, 3) ? "true" : "false");
}

static void conv1d_sample(struct stj_rng *rng, char *text, size_t size)
{
    static const char *const paddings[] = {"same", "causal", "2", "[3, 0]"};
    const size_t channels = 1 + stj_rng_index(rng, 3);
    const size_t groups = 1 + stj_rng_index(rng, 2);
    snprintf(text, size,
             "{input: [%zu, %zu], layers: [{type: conv1d, filters: %zu, kernel: %zu, stride: %zu, "
             "padding: %s, dilation: %zu, groups: %zu}]}",
             2 + stj_rng_index(rng, 7), groups * channels, groups * (1 + stj_rng_index(rng, 3)),
             1 + stj_rng_index(rng, 2), 1 + stj_rng_index(rng, 3), paddings[stj_rng_index(rng, 4)],
             1 + stj_rng_index(rng, 3), groups);
}

static enum stj_status setup(struct stj_layer *layer, size_t n_dims, struct stj_error *err)
{
    const struct conv2d_config *config = layer->config;
    STJ_MUST(stj_window_check(layer, n_dims, &config->window, "kernel", err));
    const struct stj_window w = stj_window_of(&layer->in, &config->window);
    STJ_NEED(err, w.channels % config->groups == 0, STJ_ECONFIG,
             "%zu groups do not divide the %zu channels of its input", config->groups, w.channels);
    STJ_NEED(err, config->filters % config->groups == 0, STJ_ECONFIG,
             "%zu groups do not divide its %zu filters", config->groups, config->filters);
    size_t area = 0;
    size_t fan_in = 0;
    size_t fan_out = 0;
    size_t n_kernel = 0;
    STJ_MUST(stj_size_mul(w.height, w.width, &area, err));
    STJ_MUST(stj_size_mul(area, w.channels / config->groups, &fan_in, err));
    STJ_MUST(stj_size_mul(area, config->filters / config->groups, &fan_out, err));
    STJ_MUST(stj_size_mul(fan_in, config->filters, &n_kernel, err));
    STJ_MUST(stj_blas_fits(n_kernel, "the size of its kernel", err));
    layer->out = stj_window_out(&w, &layer->in, config->filters);
    if (config->bias)
        stj_layer_add_tensor(layer, "bias", 1, config->filters, fan_in, fan_out,
                             &config->bias_init);
    struct stj_tensor *kernel = stj_layer_add_tensor(layer, "kernel", fan_in, config->filters,
                                                     fan_in, fan_out, &config->kernel_init);
    kernel->role = STJ_TENSOR_KERNEL;
    kernel->height = n_dims == 2 ? 0 : w.height;
    kernel->width = w.width;
    return STJ_OK;
}

static enum stj_status conv2d_setup(struct stj_layer *layer, const struct stj_shape *in2,
                                    struct stj_error *err)
{
    (void)in2;
    return setup(layer, 3, err);
}

static enum stj_status conv1d_setup(struct stj_layer *layer, const struct stj_shape *in2,
                                    struct stj_error *err)
{
    (void)in2;
    return setup(layer, 2, err);
}

/* The layer's sizes, and its scratch; `w` sees the channels of one group. */
struct conv2d_view {
    struct stj_window w;
    size_t taps, filters; /* of a group */
    size_t groups, ld;    /* all filters */
    size_t ones;       /* columns before P(X), and rows of [b; W] before W: 1 with a bias, else 0 */
    size_t kernel;     /* offset of W, to be multiplied by nvec in a tile */
    real *patches;     /* [positions][ones + taps]: 1, P(X) */
    real *patches_dot; /* [positions][nvec][taps]: of tangents or of adjoints */
    real *strip;
};

static struct stj_window group_window(const struct stj_layer *layer)
{
    const struct conv2d_config *config = layer->config;
    struct stj_window w = stj_window_of(&layer->in, &config->window);
    w.channels /= config->groups;
    return w;
}

static bool is_depthwise(const struct stj_layer *layer)
{
    const struct conv2d_config *config = layer->config;
    return config->groups > 1 && config->groups == config->filters &&
           config->groups == stj_shape_cols(&layer->in);
}

static size_t conv2d_n_scratch(const struct stj_layer *layer, size_t batch, size_t nvec)
{
    const struct stj_window w = group_window(layer);
    const struct stj_band_sizes n = stj_band_sizes(&w, batch, nvec);
    return is_depthwise(layer) ? 0 : n.positions * (1 + stj_window_taps(&w)) + n.patches + n.strip;
}

static struct conv2d_view conv2d_view(const struct stj_layer *layer, size_t batch, size_t nvec,
                                      real *scratch)
{
    const struct conv2d_config *config = layer->config;
    const struct stj_window w = group_window(layer);
    const struct stj_band_sizes n = stj_band_sizes(&w, batch, nvec);
    struct conv2d_view v = {
        .w = w,
        .taps = stj_window_taps(&w),
        .filters = config->filters / config->groups,
        .groups = config->groups,
        .ld = config->filters,
        .ones = config->bias ? 1 : 0,
        .kernel = config->bias ? config->filters : 0,
        .patches = scratch,
    };
    v.patches_dot = v.patches + n.positions * (1 + v.taps);
    v.strip = v.patches_dot + n.patches;
    return v;
}

/* Turn to a group; returns its first filter. */
static size_t to_group(struct conv2d_view *v, size_t group)
{
    v->w.channel = group * v->w.channels;
    return group * v->filters;
}

/* C [m][nvec][filters] <- op(A) B [k][nvec][filters] + beta C, of one group's columns: those of all
 * tangents lie together only where there is one group. */
static void multiply_columns(const struct conv2d_view *v, size_t nvec, enum stj_blas_trans trans,
                             size_t m, size_t k, const real *a, size_t lda, const real *b,
                             real beta, real *c)
{
    const size_t n_blocks = v->groups == 1 ? 1 : nvec;
    const size_t n = v->groups == 1 ? nvec * v->filters : v->filters;
    for (size_t j = 0; j < n_blocks; j++)
        stj_gemm(trans, STJ_BLAS_NO_TRANS, m, n, k, 1, a, lda, b + j * v->ld, nvec * v->ld, beta,
                 c + j * v->ld, nvec * v->ld);
}

/* v->patches <- 1, P(X) of a band. */
static void primal_patches(const struct conv2d_view *v, const struct stj_band *band, const real *x)
{
    const size_t ld = v->ones + v->taps;
    const size_t positions = stj_band_positions(&v->w, band);
    for (size_t p = 0; v->ones && p < positions; p++)
        v->patches[p * ld] = 1;
    stj_im2col(&v->w, band, 1, x, v->strip, v->patches + v->ones, ld);
}

/* x <- beta x for the samples that a band begins. */
static void begin_samples(const struct conv2d_view *v, const struct stj_band *band, size_t nvec,
                          real beta, real *x)
{
    const size_t n_in = v->w.in_h * v->w.in_w * v->w.pitch * nvec;
    if (beta == 0 && band->row == 0)
        memset(x + band->sample * n_in, 0, band->n_samples * n_in * sizeof *x);
}

static void conv2d_forward(const struct stj_layer *layer, real *y,
                           const struct stj_layer_values *at, real *scratch)
{
    struct conv2d_view v = conv2d_view(layer, at->batch, 1, scratch);
    struct stj_band band = {0};
    if (is_depthwise(layer)) {
        stj_depthwise_forward(&v.w, at, v.ones, y);
        return;
    }
    while (stj_band_next(&v.w, at->batch, 1, &band))
        for (size_t g = 0; g < v.groups; g++) {
            const size_t column = to_group(&v, g);
            /* Y = [1 P(X)] [b; W] */
            primal_patches(&v, &band, at->x);
            multiply_columns(&v, 1, STJ_BLAS_NO_TRANS, stj_band_positions(&v.w, &band),
                             v.ones + v.taps, v.patches, v.ones + v.taps, at->theta + column, 0,
                             y + stj_band_first(&v.w, &band) * v.ld + column);
        }
}

static void conv2d_forward_tangent(const struct stj_layer *layer, size_t nvec, real *y_dot,
                                   const struct stj_layer_values *at, const real *x_dot,
                                   const real *x2_dot, const real *theta_dot, real *scratch)
{
    (void)x2_dot;
    struct conv2d_view v = conv2d_view(layer, at->batch, nvec, scratch);
    struct stj_band band = {0};
    if (is_depthwise(layer)) {
        stj_depthwise_forward_tangent(&v.w, nvec, at, v.ones, x_dot, theta_dot, y_dot);
        return;
    }
    while (stj_band_next(&v.w, at->batch, nvec, &band))
        for (size_t g = 0; g < v.groups; g++) {
            const size_t column = to_group(&v, g);
            const size_t positions = stj_band_positions(&v.w, &band);
            real *y = y_dot + stj_band_first(&v.w, &band) * nvec * v.ld + column;
            /* Y_dot = [1 P(X)] [b_dot; W_dot] + P(X_dot) W */
            primal_patches(&v, &band, at->x);
            multiply_columns(&v, nvec, STJ_BLAS_NO_TRANS, positions, v.ones + v.taps, v.patches,
                             v.ones + v.taps, theta_dot + column, 0, y);
            if (!x_dot)
                continue;
            stj_im2col(&v.w, &band, nvec, x_dot, v.strip, v.patches_dot, v.taps);
            stj_gemm(STJ_BLAS_NO_TRANS, STJ_BLAS_NO_TRANS, positions * nvec, v.filters, v.taps, 1,
                     v.patches_dot, v.taps, at->theta + v.kernel + column, v.ld, 1, y, v.ld);
        }
}

/* One group of one band; `sum`: 1 where bands came before. */
static void add_backward(const struct conv2d_view *v, const struct stj_band *band, size_t column,
                         const struct stj_layer_values *at, real sum, real *theta_bar, real *x_bar)
{
    const size_t positions = stj_band_positions(&v->w, band);
    const real *y_bar = at->y_bar + stj_band_first(&v->w, band) * v->ld + column;
    if (theta_bar) {
        /* [b_bar; W_bar] = [1 P(X)]' Y_bar */
        primal_patches(v, band, at->x);
        multiply_columns(v, 1, STJ_BLAS_TRANS, v->ones + v->taps, positions, v->patches,
                         v->ones + v->taps, y_bar, sum, theta_bar + column);
    }
    if (x_bar) {
        /* X_bar = P'(Y_bar W') */
        stj_gemm(STJ_BLAS_NO_TRANS, STJ_BLAS_TRANS, positions, v->taps, v->filters, 1, y_bar, v->ld,
                 at->theta + v->kernel + column, v->ld, 0, v->patches_dot, v->taps);
        stj_col2im(&v->w, band, 1, v->patches_dot, v->taps, v->strip, x_bar);
    }
}

static void conv2d_backward(const struct stj_layer *layer, const real *beta, real *x_bar,
                            real *x2_bar, real *theta_bar, const struct stj_layer_values *at,
                            real *scratch)
{
    (void)x2_bar;
    struct conv2d_view v = conv2d_view(layer, at->batch, 1, scratch);
    struct stj_band band = {0};
    real sum = 0;
    if (is_depthwise(layer)) {
        stj_depthwise_backward(&v.w, at, v.ones, beta[0], x_bar, theta_bar);
        return;
    }
    for (; stj_band_next(&v.w, at->batch, 1, &band); sum = 1) {
        if (x_bar)
            begin_samples(&v, &band, 1, beta[0], x_bar);
        for (size_t g = 0; g < v.groups; g++) {
            const size_t column = to_group(&v, g);
            add_backward(&v, &band, column, at, sum, theta_bar, x_bar);
        }
    }
}

/* [b_bar_dot; W_bar_dot] <- sum of the bands before + [1 P(X)]' Y_bar_dot + P(X_dot)' Y_bar, of a
 * group, whose first columns the pointers are at. */
static void add_theta_bar_dot(const struct conv2d_view *v, const struct stj_band *band, size_t nvec,
                              const struct stj_layer_values *at, const real *x_dot,
                              const real *y_bar, const real *y_bar_dot, real sum,
                              real *theta_bar_dot)
{
    const size_t positions = stj_band_positions(&v->w, band);
    real *w_bar_dot = theta_bar_dot + nvec * v->kernel;
    primal_patches(v, band, at->x);
    multiply_columns(v, nvec, STJ_BLAS_TRANS, v->ones + v->taps, positions, v->patches,
                     v->ones + v->taps, y_bar_dot, sum, theta_bar_dot);
    if (!x_dot)
        return;
    stj_im2col(&v->w, band, nvec, x_dot, v->strip, v->patches_dot, v->taps);
    for (size_t j = 0; j < nvec; j++)
        stj_gemm(STJ_BLAS_TRANS, STJ_BLAS_NO_TRANS, v->taps, v->filters, positions, 1,
                 v->patches_dot + j * v->taps, nvec * v->taps, y_bar, v->ld, 1,
                 w_bar_dot + j * v->ld, nvec * v->ld);
}

/* X_bar_dot <- X_bar_dot + P'(Y_bar_dot W' + Y_bar W_dot'), of a group. */
static void add_x_bar_dot(const struct conv2d_view *v, const struct stj_band *band, size_t nvec,
                          const real *w, const real *w_dot, const real *y_bar,
                          const real *y_bar_dot, real *x_bar_dot)
{
    const size_t positions = stj_band_positions(&v->w, band);
    stj_gemm(STJ_BLAS_NO_TRANS, STJ_BLAS_TRANS, positions * nvec, v->taps, v->filters, 1, y_bar_dot,
             v->ld, w, v->ld, 0, v->patches_dot, v->taps);
    for (size_t j = 0; j < nvec; j++)
        stj_gemm(STJ_BLAS_NO_TRANS, STJ_BLAS_TRANS, positions, v->taps, v->filters, 1, y_bar, v->ld,
                 w_dot + j * v->ld, nvec * v->ld, 1, v->patches_dot + j * v->taps, nvec * v->taps);
    stj_col2im(&v->w, band, nvec, v->patches_dot, v->taps, v->strip, x_bar_dot);
}

static void conv2d_backward_tangent(const struct stj_layer *layer, size_t nvec, const real *beta,
                                    real *x_bar_dot, real *x2_bar_dot, real *theta_bar_dot,
                                    const struct stj_layer_values *at, const real *x_dot,
                                    const real *x2_dot, const real *theta_dot,
                                    const real *y_bar_dot, real *scratch)
{
    (void)x2_bar_dot;
    (void)x2_dot;
    struct conv2d_view v = conv2d_view(layer, at->batch, nvec, scratch);
    struct stj_band band = {0};
    real sum = 0;
    if (is_depthwise(layer)) {
        stj_depthwise_backward_tangent(&v.w, nvec, at, v.ones, beta[0], x_dot, theta_dot, y_bar_dot,
                                       x_bar_dot, theta_bar_dot);
        return;
    }
    for (; stj_band_next(&v.w, at->batch, nvec, &band); sum = 1) {
        const size_t first = stj_band_first(&v.w, &band);
        if (x_bar_dot)
            begin_samples(&v, &band, nvec, beta[0], x_bar_dot);
        for (size_t g = 0; g < v.groups; g++) {
            const size_t column = to_group(&v, g);
            const real *bar = at->y_bar + first * v.ld + column;
            const real *bar_dot = y_bar_dot + first * v.ld * nvec + column;
            if (theta_bar_dot)
                add_theta_bar_dot(&v, &band, nvec, at, x_dot, bar, bar_dot, sum,
                                  theta_bar_dot + column);
            if (x_bar_dot)
                add_x_bar_dot(&v, &band, nvec, at->theta + v.kernel + column,
                              theta_dot + nvec * v.kernel + column, bar, bar_dot, x_bar_dot);
        }
    }
}

/* The slots of both, beside info, sample and setup. */
#define CONV_SLOTS                                                                                 \
    .forgets = STJ_FORGETS_Y, .n_scratch = conv2d_n_scratch, .forward = conv2d_forward,            \
    .forward_tangent = conv2d_forward_tangent, .backward = conv2d_backward,                        \
    .backward_tangent = conv2d_backward_tangent

const struct stj_layer_ops stj_layer_conv2d = {
    .info = {.name = "conv2d",
             .doc = "convolution of an image",
             .options = conv2d_options,
             .config_size = sizeof(struct conv2d_config)},
    .sample = conv2d_sample,
    .setup = conv2d_setup,
    CONV_SLOTS,
};

const struct stj_layer_ops stj_layer_conv1d = {
    .info = {.name = "conv1d",
             .doc = "convolution of a sequence over its positions",
             .options = conv1d_options,
             .config_size = sizeof(struct conv2d_config)},
    .sample = conv1d_sample,
    .setup = conv1d_setup,
    CONV_SLOTS,
};
