/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/layers/conv2d_transpose.c: the transpose of a convolution, which makes images larger.
 *
 * With P the patches of the larger image Y that a window sees, one for each position of the smaller
 * image X, P' its adjoint (net/layers/im2col.h), and a kernel W [height][width][filters][in], that
 * is [taps][in]:
 *
 *     forward            Y         = 1 b' + P'(X W')
 *     forward_tangent    Y_dot     = 1 b_dot' + P'(X_dot W' + X W_dot')
 *     backward           X_bar     = P(Y_bar) W
 *                        W_bar     = P(Y_bar)' X,   b_bar = 1' Y_bar
 *     backward_tangent   X_bar_dot = P(Y_bar_dot) W + P(Y_bar) W_dot
 *                        W_bar_dot = P(Y_bar_dot)' X + P(Y_bar)' X_dot,   b_bar_dot = 1' Y_bar_dot
 *
 * As in PyTorch, whose ConvTranspose2d has the kernel [in][filters][height][width],
 *
 *     out = (in - 1) stride - padding before and behind + (size - 1) dilation + 1 + output_padding
 */
#include "net/layers/layers.h"

#include <stdio.h>
#include <string.h>

#include "base/blas.h"
#include "base/error.h"
#include "base/memory.h"
#include "net/initializer.h"
#include "net/kernels.h"
#include "net/layers/im2col.h"

struct transpose_config {
    size_t filters;
    struct stj_window_config window;
    struct stj_sizes output_padding;
    struct stj_plugin kernel_init, bias_init;
    bool bias;
};

#define OPTION(...) STJ_OPTION_ROW(struct transpose_config, __VA_ARGS__)
static const struct stj_option transpose_options[] = {
    OPTION("filters", SIZE, filters, NULL, "output channels", .min = 1, .max = 1e9),
    OPTION("kernel", SIZES, window.size, NULL,
           "height and width of the kernel, or one number for both", .min = 1, .max = 1e9),
    OPTION("stride", SIZES, window.stride, "1",
           "distance between the kernel's places in the output, down and across, or one number",
           .min = 1, .max = 1e9),
    OPTION("padding", SIZES, window.padding, "0",
           "what is cut off the output: N on all sides, [vertical, horizontal] or [top, bottom, "
           "left, right]",
           .max = 1e9),
    OPTION("output_padding", SIZES, output_padding, "0",
           "rows and columns more at the bottom and at the right, or one number for both; below "
           "the stride or the dilation",
           .max = 1e9),
    STJ_WINDOW_DILATION(offsetof(struct transpose_config, window.dilation)),
    OPTION("kernel_init", PLUGIN, kernel_init, "lecun_normal",
           "initialiser of the kernel [height][width][filters][in]", .kind = &stj_initializers),
    OPTION("bias_init", PLUGIN, bias_init, "zeros", "initialiser of the bias [filters]",
           .kind = &stj_initializers),
    OPTION("bias", BOOL, bias, "true", "whether there is a bias"),
    {.name = NULL},
};

static void transpose_sample(struct stj_rng *rng, char *text, size_t size)
{
    static const char *const options[] = {
        "kernel: 3", "kernel: 2, stride: 2", "kernel: 3, stride: 2, padding: 1, output_padding: 1",
        "kernel: [2, 3], stride: [1, 2], dilation: 2, padding: [1, 0, 0, 2]"};
    const size_t height = stj_rng_index(rng, 6) ? 1 + stj_rng_index(rng, 4) : 21;
    snprintf(text, size,
             "{input: [%zu, %zu, %zu], layers: [{type: conv2d_transpose, filters: %zu, %s, bias: "
             "%s}]}",
             height, height > 4 ? height : 1 + stj_rng_index(rng, 4), 1 + stj_rng_index(rng, 3),
             1 + stj_rng_index(rng, 3), options[stj_rng_index(rng, 4)],
             stj_rng_index(rng, 3) ? "true" : "false");
}

static size_t item(const struct stj_sizes *sizes, size_t i)
{
    return sizes->item[sizes->n == 1 ? 0 : i];
}

/* *out <- rows (0) or columns (1) of the output. */
static enum stj_status out_size(const struct stj_layer *layer, size_t i, size_t *out,
                                struct stj_error *err)
{
    const struct transpose_config *config = layer->config;
    const size_t stride = item(&config->window.stride, i);
    const size_t dilation = item(&config->window.dilation, i);
    const size_t more = item(&config->output_padding, i);
    size_t side[4];
    stj_padding_sides(&layer->in, &config->window.padding, side);
    const size_t full =
        (layer->in.dim[i] - 1) * stride + (item(&config->window.size, i) - 1) * dilation + 1 + more;
    const size_t cut = side[2 * i] + side[2 * i + 1];
    STJ_NEED(err, more < stride || more < dilation, STJ_ECONFIG,
             "output_padding %zu must be below the stride %zu or the dilation %zu", more, stride,
             dilation);
    STJ_NEED(err, cut < full, STJ_ECONFIG, "padding cuts %zu off an output of %zu", cut, full);
    *out = full - cut;
    return STJ_OK;
}

static enum stj_status check_two(const struct stj_sizes *sizes, const char *what,
                                 struct stj_error *err)
{
    STJ_NEED(err, sizes->n == 1 || sizes->n == 2, STJ_ECONFIG,
             "%s has %zu numbers, give one for a square or two for height and width", what,
             sizes->n);
    return STJ_OK;
}

/* The window that slides over the output, with a position for each number of the input. */
static struct stj_window window_of(const struct stj_layer *layer)
{
    const struct transpose_config *config = layer->config;
    struct stj_window w = stj_window_of(&layer->out, &config->window);
    w.out_h = layer->in.dim[0];
    w.out_w = layer->in.dim[1];
    return w;
}

static enum stj_status transpose_setup(struct stj_layer *layer, const struct stj_shape *in2,
                                       struct stj_error *err)
{
    (void)in2;
    const struct transpose_config *config = layer->config;
    char text[96];
    STJ_NEED(err, layer->in.n_dims == 3, STJ_ECONFIG,
             "its input is %s, but conv2d_transpose takes height x width x channels",
             stj_shape_text(&layer->in, text));
    STJ_MUST(check_two(&config->window.size, "kernel", err));
    STJ_MUST(check_two(&config->window.stride, "stride", err));
    STJ_MUST(check_two(&config->window.dilation, "dilation", err));
    STJ_MUST(check_two(&config->output_padding, "output_padding", err));
    STJ_MUST(stj_padding_check(&layer->in, &config->window.padding, err));
    layer->out = (struct stj_shape){.n_dims = 3, .dim = {0, 0, config->filters}};
    for (size_t i = 0; i < 2; i++)
        STJ_MUST(out_size(layer, i, &layer->out.dim[i], err));
    const struct stj_window w = window_of(layer);
    const size_t in = stj_shape_cols(&layer->in);
    size_t taps = 0;
    size_t n_kernel = 0;
    STJ_MUST(stj_size_mul(w.height * w.width, config->filters, &taps, err));
    STJ_MUST(stj_size_mul(taps, in, &n_kernel, err));
    STJ_MUST(stj_blas_fits(n_kernel, "the size of its kernel", err));
    const size_t fan_in = w.height * w.width * in;
    if (config->bias)
        stj_layer_add_tensor(layer, "bias", 1, config->filters, fan_in, taps, &config->bias_init);
    struct stj_tensor *kernel =
        stj_layer_add_tensor(layer, "kernel", taps, in, fan_in, taps, &config->kernel_init);
    kernel->role = STJ_TENSOR_KERNEL;
    kernel->height = w.height;
    kernel->width = w.width;
    return STJ_OK;
}

/* The layer's sizes, and its scratch. */
struct view {
    struct stj_window w;
    size_t taps, in, filters;
    bool has_bias;
    size_t kernel; /* offset of W, to be multiplied by nvec in a tile */
    real *patches, *patches_dot, *strip;
};

static size_t transpose_n_scratch(const struct stj_layer *layer, size_t batch, size_t nvec)
{
    const struct stj_window w = window_of(layer);
    const struct stj_band_sizes n = stj_band_sizes(&w, batch, nvec);
    return n.positions * stj_window_taps(&w) + n.patches + n.strip;
}

static struct view view_of(const struct stj_layer *layer, size_t batch, size_t nvec, real *scratch)
{
    const struct transpose_config *config = layer->config;
    struct view v = {.w = window_of(layer),
                     .in = stj_shape_cols(&layer->in),
                     .filters = config->filters,
                     .has_bias = config->bias,
                     .kernel = config->bias ? config->filters : 0,
                     .patches = scratch};
    const struct stj_band_sizes n = stj_band_sizes(&v.w, batch, nvec);
    v.taps = stj_window_taps(&v.w);
    v.patches_dot = v.patches + n.positions * v.taps;
    v.strip = v.patches_dot + n.patches;
    return v;
}

/* y <- the bias at the head of theta or of a tile, or nothing, at every position. */
static void begin_y(const struct view *v, size_t batch, size_t nvec, const real *theta, real *y)
{
    const size_t positions = batch * v->w.in_h * v->w.in_w;
    const size_t n = nvec * v->filters;
    if (v->has_bias)
        stj_rows_copy(positions, n, theta, y);
    else
        memset(y, 0, positions * n * sizeof *y);
}

static void transpose_forward(const struct stj_layer *layer, real *y,
                              const struct stj_layer_values *at, real *scratch)
{
    const struct view v = view_of(layer, at->batch, 1, scratch);
    struct stj_band band = {0};
    begin_y(&v, at->batch, 1, at->theta, y);
    while (stj_band_next(&v.w, at->batch, 1, &band)) {
        stj_gemm(STJ_BLAS_NO_TRANS, STJ_BLAS_TRANS, stj_band_positions(&v.w, &band), v.taps, v.in,
                 1, at->x + stj_band_first(&v.w, &band) * v.in, v.in, at->theta + v.kernel, v.in, 0,
                 v.patches_dot, v.taps);
        stj_col2im(&v.w, &band, 1, v.patches_dot, v.taps, v.strip, y);
    }
}

static void transpose_forward_tangent(const struct stj_layer *layer, size_t nvec, real *y_dot,
                                      const struct stj_layer_values *at, const real *x_dot,
                                      const real *x2_dot, const real *theta_dot, real *scratch)
{
    (void)x2_dot;
    const struct view v = view_of(layer, at->batch, nvec, scratch);
    struct stj_band band = {0};
    begin_y(&v, at->batch, nvec, theta_dot, y_dot);
    while (stj_band_next(&v.w, at->batch, nvec, &band)) {
        const size_t positions = stj_band_positions(&v.w, &band);
        const size_t first = stj_band_first(&v.w, &band);
        if (x_dot)
            stj_gemm(STJ_BLAS_NO_TRANS, STJ_BLAS_TRANS, positions * nvec, v.taps, v.in, 1,
                     x_dot + first * nvec * v.in, v.in, at->theta + v.kernel, v.in, 0,
                     v.patches_dot, v.taps);
        for (size_t j = 0; j < nvec; j++)
            stj_gemm(STJ_BLAS_NO_TRANS, STJ_BLAS_TRANS, positions, v.taps, v.in, 1,
                     at->x + first * v.in, v.in, theta_dot + nvec * v.kernel + j * v.in,
                     nvec * v.in, x_dot ? 1 : 0, v.patches_dot + j * v.taps, nvec * v.taps);
        stj_col2im(&v.w, &band, nvec, v.patches_dot, v.taps, v.strip, y_dot);
    }
}

static void transpose_backward(const struct stj_layer *layer, const real *beta, real *x_bar,
                               real *x2_bar, real *theta_bar, const struct stj_layer_values *at,
                               real *scratch)
{
    (void)x2_bar;
    const struct view v = view_of(layer, at->batch, 1, scratch);
    struct stj_band band = {0};
    real sum = 0; /* of the bands before */
    if (theta_bar && v.has_bias)
        stj_rows_sum(at->batch * v.w.in_h * v.w.in_w, v.filters, at->y_bar, theta_bar);
    for (; stj_band_next(&v.w, at->batch, 1, &band); sum = 1) {
        const size_t positions = stj_band_positions(&v.w, &band);
        const size_t first = stj_band_first(&v.w, &band) * v.in;
        stj_im2col(&v.w, &band, 1, at->y_bar, v.strip, v.patches, v.taps);
        if (x_bar)
            stj_gemm(STJ_BLAS_NO_TRANS, STJ_BLAS_NO_TRANS, positions, v.in, v.taps, 1, v.patches,
                     v.taps, at->theta + v.kernel, v.in, beta[0], x_bar + first, v.in);
        if (theta_bar)
            stj_gemm(STJ_BLAS_TRANS, STJ_BLAS_NO_TRANS, v.taps, v.in, positions, 1, v.patches,
                     v.taps, at->x + first, v.in, sum, theta_bar + v.kernel, v.in);
    }
}

static void transpose_backward_tangent(const struct stj_layer *layer, size_t nvec, const real *beta,
                                       real *x_bar_dot, real *x2_bar_dot, real *theta_bar_dot,
                                       const struct stj_layer_values *at, const real *x_dot,
                                       const real *x2_dot, const real *theta_dot,
                                       const real *y_bar_dot, real *scratch)
{
    (void)x2_bar_dot;
    (void)x2_dot;
    const struct view v = view_of(layer, at->batch, nvec, scratch);
    const size_t ld = nvec * v.in;
    struct stj_band band = {0};
    real sum = 0;
    if (theta_bar_dot && v.has_bias)
        stj_rows_sum(at->batch * v.w.in_h * v.w.in_w, nvec * v.filters, y_bar_dot, theta_bar_dot);
    for (; stj_band_next(&v.w, at->batch, nvec, &band); sum = 1) {
        const size_t positions = stj_band_positions(&v.w, &band);
        const size_t first = stj_band_first(&v.w, &band) * v.in;
        stj_im2col(&v.w, &band, 1, at->y_bar, v.strip, v.patches, v.taps);
        stj_im2col(&v.w, &band, nvec, y_bar_dot, v.strip, v.patches_dot, v.taps);
        if (x_bar_dot) {
            stj_gemm(STJ_BLAS_NO_TRANS, STJ_BLAS_NO_TRANS, positions * nvec, v.in, v.taps, 1,
                     v.patches_dot, v.taps, at->theta + v.kernel, v.in, beta[0],
                     x_bar_dot + first * nvec, v.in);
            stj_gemm(STJ_BLAS_NO_TRANS, STJ_BLAS_NO_TRANS, positions, ld, v.taps, 1, v.patches,
                     v.taps, theta_dot + nvec * v.kernel, ld, 1, x_bar_dot + first * nvec, ld);
        }
        if (!theta_bar_dot)
            continue;
        real *w_bar_dot = theta_bar_dot + nvec * v.kernel;
        for (size_t j = 0; j < nvec; j++)
            stj_gemm(STJ_BLAS_TRANS, STJ_BLAS_NO_TRANS, v.taps, v.in, positions, 1,
                     v.patches_dot + j * v.taps, nvec * v.taps, at->x + first, v.in, sum,
                     w_bar_dot + j * v.in, ld);
        if (x_dot)
            stj_gemm(STJ_BLAS_TRANS, STJ_BLAS_NO_TRANS, v.taps, ld, positions, 1, v.patches, v.taps,
                     x_dot + first * nvec, ld, 1, w_bar_dot, ld);
    }
}

const struct stj_layer_ops stj_layer_conv2d_transpose = {
    .info = {.name = "conv2d_transpose",
             .doc = "transpose of a convolution, which makes an image larger",
             .options = transpose_options,
             .config_size = sizeof(struct transpose_config)},
    .sample = transpose_sample,
    .setup = transpose_setup,
    .n_scratch = transpose_n_scratch,
    .forward = transpose_forward,
    .forward_tangent = transpose_forward_tangent,
    .backward = transpose_backward,
    .backward_tangent = transpose_backward_tangent,
};
