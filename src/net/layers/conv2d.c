/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/layers/conv2d.c: the convolution of images [height][width][channels] with a kernel
 * [height][width][channels][filters].
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
 */
#include "net/layers/layers.h"

#include <stdio.h>
#include <string.h>

#include "base/blas.h"
#include "base/error.h"
#include "base/memory.h"
#include "net/initializer.h"
#include "net/layers/im2col.h"

struct conv2d_config {
    size_t filters;
    struct stj_window_config window;
    struct stj_plugin kernel_init, bias_init;
    bool bias;
};

static const char *const paddings[] = {"valid", "same", NULL};

static const struct stj_option conv2d_options[] = {
    {.name = "filters",
     .type = STJ_OPTION_SIZE,
     .offset = offsetof(struct conv2d_config, filters),
     .min = 1,
     .max = 1e9,
     .doc = "output channels"},
    {.name = "kernel",
     .type = STJ_OPTION_SIZES,
     .offset = offsetof(struct conv2d_config, window.size),
     .min = 1,
     .max = 1e9,
     .doc = "height and width of the kernel, or one number for both"},
    {.name = "stride",
     .type = STJ_OPTION_SIZES,
     .offset = offsetof(struct conv2d_config, window.stride),
     .fallback = "1",
     .min = 1,
     .max = 1e9,
     .doc = "distance between positions, down and across, or one number for both"},
    {.name = "padding",
     .type = STJ_OPTION_CHOICE,
     .offset = offsetof(struct conv2d_config, window.padding),
     .fallback = "valid",
     .choices = paddings,
     .doc = "valid: the kernel stays within the image; same: zeros around it, placed as in "
            "TensorFlow and JAX, so that stride 1 keeps the size"},
    {.name = "kernel_init",
     .type = STJ_OPTION_PLUGIN,
     .offset = offsetof(struct conv2d_config, kernel_init),
     .fallback = "lecun_normal",
     .kind = &stj_initializers,
     .doc = "initialiser of the kernel [height][width][in][filters]"},
    {.name = "bias_init",
     .type = STJ_OPTION_PLUGIN,
     .offset = offsetof(struct conv2d_config, bias_init),
     .fallback = "zeros",
     .kind = &stj_initializers,
     .doc = "initialiser of the bias [filters]"},
    {.name = "bias",
     .type = STJ_OPTION_BOOL,
     .offset = offsetof(struct conv2d_config, bias),
     .fallback = "true",
     .doc = "whether there is a bias"},
    {.name = NULL},
};

static void conv2d_sample(struct stj_rng *rng, char *text, size_t size)
{
    char kernel[96];
    const size_t larger = stj_rng_index(rng, 6) ? 0 : 32; /* than a band */
    const size_t height = 1 + larger + stj_rng_index(rng, 6);
    const size_t width = 1 + larger + stj_rng_index(rng, 6);
    const bool same = stj_rng_index(rng, 2);
    stj_window_sample(rng, same ? 3 : height, same ? 3 : width, "kernel", kernel, sizeof kernel);
    snprintf(text, size,
             "{input: [%zu, %zu, %zu], layers: [{type: conv2d, filters: %zu, %s, padding: %s, "
             "bias: %s}]}",
             height, width, 1 + larger / 8 + stj_rng_index(rng, 3), 1 + stj_rng_index(rng, 4),
             kernel, same ? "same" : "valid", stj_rng_index(rng, 3) ? "true" : "false");
}

static enum stj_status conv2d_setup(struct stj_layer *layer, const struct stj_shape *in2,
                                    struct stj_error *err)
{
    (void)in2;
    enum stj_status st = STJ_OK;
    const struct conv2d_config *config = layer->config;
    STJ_TRY(stj_window_check(layer, &config->window, "kernel", err));
    const struct stj_window w = stj_window_of(&layer->in, &config->window);
    size_t area = 0;
    size_t fan_in = 0;
    size_t fan_out = 0;
    size_t n_kernel = 0;
    STJ_TRY(stj_size_mul(w.height, w.width, &area, err));
    STJ_TRY(stj_size_mul(area, w.channels, &fan_in, err));
    STJ_TRY(stj_size_mul(area, config->filters, &fan_out, err));
    STJ_TRY(stj_size_mul(fan_in, config->filters, &n_kernel, err));
    STJ_TRY(stj_blas_fits(n_kernel, "the size of its kernel", err));
    layer->out = (struct stj_shape){.n_dims = 3, .dim = {w.out_h, w.out_w, config->filters}};
    if (config->bias)
        stj_layer_add_tensor(layer, "bias", 1, config->filters, fan_in, fan_out,
                             &config->bias_init);
    struct stj_tensor *kernel = stj_layer_add_tensor(layer, "kernel", fan_in, config->filters,
                                                     fan_in, fan_out, &config->kernel_init);
    kernel->role = STJ_TENSOR_KERNEL;
    kernel->height = w.height;
    kernel->width = w.width;
out:
    return st;
}

/* The layer's sizes, and its scratch. */
struct conv2d_view {
    struct stj_window w;
    size_t taps, filters;
    size_t ones;       /* columns before P(X), and rows of [b; W] before W: 1 with a bias, else 0 */
    size_t kernel;     /* offset of W, to be multiplied by nvec in a tile */
    real *patches;     /* [positions][ones + taps]: 1, P(X) */
    real *patches_dot; /* [positions][nvec][taps]: of tangents or of adjoints */
    real *strip;
};

static size_t conv2d_n_scratch(const struct stj_layer *layer, size_t batch, size_t nvec)
{
    const struct conv2d_config *config = layer->config;
    const struct stj_window w = stj_window_of(&layer->in, &config->window);
    const struct stj_band_sizes n = stj_band_sizes(&w, batch, nvec);
    return n.positions * (1 + stj_window_taps(&w)) + n.patches + n.strip;
}

static struct conv2d_view conv2d_view(const struct stj_layer *layer, size_t batch, size_t nvec,
                                      real *scratch)
{
    const struct conv2d_config *config = layer->config;
    const struct stj_window w = stj_window_of(&layer->in, &config->window);
    const struct stj_band_sizes n = stj_band_sizes(&w, batch, nvec);
    struct conv2d_view v = {
        .w = w,
        .taps = stj_window_taps(&w),
        .filters = config->filters,
        .ones = config->bias ? 1 : 0,
        .kernel = config->bias ? config->filters : 0,
        .patches = scratch,
    };
    v.patches_dot = v.patches + n.positions * (1 + v.taps);
    v.strip = v.patches_dot + n.patches;
    return v;
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
    const size_t n_in = v->w.in_h * v->w.in_w * v->w.channels * nvec;
    if (beta == 0 && band->row == 0)
        memset(x + band->sample * n_in, 0, band->n_samples * n_in * sizeof *x);
}

static void conv2d_forward(const struct stj_layer *layer, real *y,
                           const struct stj_layer_values *at, real *scratch)
{
    const struct conv2d_view v = conv2d_view(layer, at->batch, 1, scratch);
    struct stj_band band = {0};
    while (stj_band_next(&v.w, at->batch, 1, &band)) {
        const size_t positions = stj_band_positions(&v.w, &band);
        /* Y = [1 P(X)] [b; W] */
        primal_patches(&v, &band, at->x);
        stj_gemm(STJ_BLAS_NO_TRANS, STJ_BLAS_NO_TRANS, positions, v.filters, v.ones + v.taps, 1,
                 v.patches, v.ones + v.taps, at->theta, v.filters, 0,
                 y + stj_band_first(&v.w, &band) * v.filters, v.filters);
    }
}

static void conv2d_forward_tangent(const struct stj_layer *layer, size_t nvec, real *y_dot,
                                   const struct stj_layer_values *at, const real *x_dot,
                                   const real *x2_dot, const real *theta_dot, real *scratch)
{
    (void)x2_dot;
    const struct conv2d_view v = conv2d_view(layer, at->batch, nvec, scratch);
    const size_t ldy = nvec * v.filters;
    struct stj_band band = {0};
    while (stj_band_next(&v.w, at->batch, nvec, &band)) {
        const size_t positions = stj_band_positions(&v.w, &band);
        real *y = y_dot + stj_band_first(&v.w, &band) * ldy;
        /* Y_dot = [1 P(X)] [b_dot; W_dot] + P(X_dot) W */
        primal_patches(&v, &band, at->x);
        stj_gemm(STJ_BLAS_NO_TRANS, STJ_BLAS_NO_TRANS, positions, ldy, v.ones + v.taps, 1,
                 v.patches, v.ones + v.taps, theta_dot, ldy, 0, y, ldy);
        if (!x_dot)
            continue;
        stj_im2col(&v.w, &band, nvec, x_dot, v.strip, v.patches_dot, v.taps);
        stj_gemm(STJ_BLAS_NO_TRANS, STJ_BLAS_NO_TRANS, positions * nvec, v.filters, v.taps, 1,
                 v.patches_dot, v.taps, at->theta + v.kernel, v.filters, 1, y, v.filters);
    }
}

static void conv2d_backward(const struct stj_layer *layer, const real *beta, real *x_bar,
                            real *x2_bar, real *theta_bar, const struct stj_layer_values *at,
                            real *scratch)
{
    (void)x2_bar;
    const struct conv2d_view v = conv2d_view(layer, at->batch, 1, scratch);
    struct stj_band band = {0};
    real sum = 0; /* of the bands before */
    for (; stj_band_next(&v.w, at->batch, 1, &band); sum = 1) {
        const size_t positions = stj_band_positions(&v.w, &band);
        const real *y_bar = at->y_bar + stj_band_first(&v.w, &band) * v.filters;
        if (theta_bar) {
            /* [b_bar; W_bar] = [1 P(X)]' Y_bar */
            primal_patches(&v, &band, at->x);
            stj_gemm(STJ_BLAS_TRANS, STJ_BLAS_NO_TRANS, v.ones + v.taps, v.filters, positions, 1,
                     v.patches, v.ones + v.taps, y_bar, v.filters, sum, theta_bar, v.filters);
        }
        if (x_bar) {
            /* X_bar = P'(Y_bar W') */
            stj_gemm(STJ_BLAS_NO_TRANS, STJ_BLAS_TRANS, positions, v.taps, v.filters, 1, y_bar,
                     v.filters, at->theta + v.kernel, v.filters, 0, v.patches_dot, v.taps);
            begin_samples(&v, &band, 1, beta[0], x_bar);
            stj_col2im(&v.w, &band, 1, v.patches_dot, v.taps, v.strip, x_bar);
        }
    }
}

/* [b_bar_dot; W_bar_dot] <- sum of the bands before + [1 P(X)]' Y_bar_dot + P(X_dot)' Y_bar. */
static void add_theta_bar_dot(const struct conv2d_view *v, const struct stj_band *band, size_t nvec,
                              const struct stj_layer_values *at, const real *x_dot,
                              const real *y_bar, const real *y_bar_dot, real sum,
                              real *theta_bar_dot)
{
    const size_t positions = stj_band_positions(&v->w, band);
    const size_t ldy = nvec * v->filters;
    real *w_bar_dot = theta_bar_dot + nvec * v->kernel;
    primal_patches(v, band, at->x);
    stj_gemm(STJ_BLAS_TRANS, STJ_BLAS_NO_TRANS, v->ones + v->taps, ldy, positions, 1, v->patches,
             v->ones + v->taps, y_bar_dot, ldy, sum, theta_bar_dot, ldy);
    if (!x_dot)
        return;
    stj_im2col(&v->w, band, nvec, x_dot, v->strip, v->patches_dot, v->taps);
    for (size_t j = 0; j < nvec; j++)
        stj_gemm(STJ_BLAS_TRANS, STJ_BLAS_NO_TRANS, v->taps, v->filters, positions, 1,
                 v->patches_dot + j * v->taps, nvec * v->taps, y_bar, v->filters, 1,
                 w_bar_dot + j * v->filters, ldy);
}

/* X_bar_dot <- X_bar_dot + P'(Y_bar_dot W' + Y_bar W_dot'). */
static void add_x_bar_dot(const struct conv2d_view *v, const struct stj_band *band, size_t nvec,
                          const struct stj_layer_values *at, const real *theta_dot,
                          const real *y_bar, const real *y_bar_dot, real *x_bar_dot)
{
    const size_t positions = stj_band_positions(&v->w, band);
    const real *w_dot = theta_dot + nvec * v->kernel;
    stj_gemm(STJ_BLAS_NO_TRANS, STJ_BLAS_TRANS, positions * nvec, v->taps, v->filters, 1, y_bar_dot,
             v->filters, at->theta + v->kernel, v->filters, 0, v->patches_dot, v->taps);
    for (size_t j = 0; j < nvec; j++)
        stj_gemm(STJ_BLAS_NO_TRANS, STJ_BLAS_TRANS, positions, v->taps, v->filters, 1, y_bar,
                 v->filters, w_dot + j * v->filters, nvec * v->filters, 1,
                 v->patches_dot + j * v->taps, nvec * v->taps);
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
    const struct conv2d_view v = conv2d_view(layer, at->batch, nvec, scratch);
    struct stj_band band = {0};
    real sum = 0;
    for (; stj_band_next(&v.w, at->batch, nvec, &band); sum = 1) {
        const size_t first = stj_band_first(&v.w, &band);
        const real *bar = at->y_bar + first * v.filters;
        const real *bar_dot = y_bar_dot + first * v.filters * nvec;
        if (theta_bar_dot)
            add_theta_bar_dot(&v, &band, nvec, at, x_dot, bar, bar_dot, sum, theta_bar_dot);
        if (x_bar_dot) {
            begin_samples(&v, &band, nvec, beta[0], x_bar_dot);
            add_x_bar_dot(&v, &band, nvec, at, theta_dot, bar, bar_dot, x_bar_dot);
        }
    }
}

const struct stj_layer_ops stj_layer_conv2d = {
    .info = {.name = "conv2d",
             .doc = "convolution of an image",
             .options = conv2d_options,
             .config_size = sizeof(struct conv2d_config)},
    .sample = conv2d_sample,
    .setup = conv2d_setup,
    .n_scratch = conv2d_n_scratch,
    .forward = conv2d_forward,
    .forward_tangent = conv2d_forward_tangent,
    .backward = conv2d_backward,
    .backward_tangent = conv2d_backward_tangent,
};
