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
 * In groups, each makes its part of the filters of its part of the input: W is [height][width]
 * [filters/groups][in], and the products are of a group's columns of X and W.
 *
 * As in PyTorch, whose ConvTranspose2d has the kernel [in][filters/groups][height][width],
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
    size_t filters, groups;
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
    OPTION("groups", SIZE, groups, "1",
           "parts of the input's channels, each of which makes its part of the filters", .min = 1,
           .max = 1e9),
    OPTION("kernel_init", PLUGIN, kernel_init, "lecun_normal",
           "initialiser of the kernel [height][width][filters/groups][in]",
           .kind = &stj_initializers),
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
    const size_t groups = stj_rng_index(rng, 2) ? 1 : 1 + stj_rng_index(rng, 3);
    const size_t height = stj_rng_index(rng, 6) ? 1 + stj_rng_index(rng, 4) : 21;
    snprintf(
        text, size,
        "{input: [%zu, %zu, %zu], layers: [{type: conv2d_transpose, filters: %zu, groups: %zu, "
        "%s, bias: %s}]}",
        height, height > 4 ? height : 1 + stj_rng_index(rng, 4),
        groups * (1 + stj_rng_index(rng, 3 / groups)),
        groups * (1 + stj_rng_index(rng, 3 / groups)), groups, options[stj_rng_index(rng, 4)],
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

/* The window that slides over the output, with a position for each number of the input; it sees the
 * channels of a group. */
static struct stj_window window_of(const struct stj_layer *layer)
{
    const struct transpose_config *config = layer->config;
    struct stj_window w = stj_window_of(&layer->out, &config->window);
    w.channels /= config->groups;
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
    const size_t in = stj_shape_cols(&layer->in);
    STJ_NEED(err, in % config->groups == 0, STJ_ECONFIG,
             "%zu groups do not divide the %zu channels of its input", config->groups, in);
    STJ_NEED(err, config->filters % config->groups == 0, STJ_ECONFIG,
             "%zu groups do not divide its %zu filters", config->groups, config->filters);
    layer->out = (struct stj_shape){.n_dims = 3, .dim = {0, 0, config->filters}};
    for (size_t i = 0; i < 2; i++)
        STJ_MUST(out_size(layer, i, &layer->out.dim[i], err));
    const struct stj_window w = window_of(layer);
    size_t taps = 0;
    size_t n_kernel = 0;
    STJ_MUST(stj_size_mul(w.height * w.width, w.channels, &taps, err));
    STJ_MUST(stj_size_mul(taps, in, &n_kernel, err));
    STJ_MUST(stj_blas_fits(n_kernel, "the size of its kernel", err));
    const size_t fan_in = w.height * w.width * (in / config->groups);
    if (config->bias)
        stj_layer_add_tensor(layer, "bias", 1, config->filters, fan_in, taps, &config->bias_init);
    struct stj_tensor *kernel =
        stj_layer_add_tensor(layer, "kernel", taps, in, fan_in, taps, &config->kernel_init);
    kernel->role = STJ_TENSOR_KERNEL;
    kernel->height = w.height;
    kernel->width = w.width;
    layer->n_at = stj_shape_positions(&layer->in);
    return STJ_OK;
}

/* The layer's sizes, and its scratch. */
struct view {
    struct stj_window w;
    size_t taps, in;            /* of a group: rows of W, and columns */
    size_t filters, groups, ld; /* all filters; all columns of W and X */
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
                     .in = stj_shape_cols(&layer->in) / config->groups,
                     .groups = config->groups,
                     .ld = stj_shape_cols(&layer->in),
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

/* Turn to a group; returns its first column of X and W. */
static size_t to_group(struct view *v, size_t group)
{
    v->w.channel = group * v->w.channels;
    return group * v->in;
}

/* C [m][nvec][in] <- op(A) B [k][nvec][in] + C, of one group's columns: those of all tangents lie
 * together only where there is one group. */
static void add_columns(const struct view *v, size_t nvec, enum stj_blas_trans trans, size_t m,
                        size_t k, const real *a, const real *b, real *c)
{
    const size_t n_blocks = v->groups == 1 ? 1 : nvec;
    const size_t n = v->groups == 1 ? nvec * v->in : v->in;
    for (size_t j = 0; j < n_blocks; j++)
        stj_gemm(trans, STJ_BLAS_NO_TRANS, m, n, k, 1, a, v->taps, b + j * v->ld, nvec * v->ld, 1,
                 c + j * v->ld, nvec * v->ld);
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
    struct view v = view_of(layer, at->batch, 1, scratch);
    struct stj_band band = {0};
    begin_y(&v, at->batch, 1, at->theta, y);
    while (stj_band_next(&v.w, at->batch, 1, &band))
        for (size_t g = 0; g < v.groups; g++) {
            const size_t column = to_group(&v, g);
            stj_gemm(STJ_BLAS_NO_TRANS, STJ_BLAS_TRANS, stj_band_positions(&v.w, &band), v.taps,
                     v.in, 1, at->x + stj_band_first(&v.w, &band) * v.ld + column, v.ld,
                     at->theta + v.kernel + column, v.ld, 0, v.patches_dot, v.taps);
            stj_col2im(&v.w, &band, 1, v.patches_dot, v.taps, v.strip, y);
        }
}

/* v->patches_dot <- X_dot W' + X W_dot' of a band and a group, whose first column the pointers are
 * at; x_dot NULL: zero. */
static void outputs_tangent(const struct view *v, size_t nvec, size_t positions, const real *x,
                            const real *x_dot, const real *w, const real *w_dot)
{
    if (x_dot)
        stj_gemm(STJ_BLAS_NO_TRANS, STJ_BLAS_TRANS, positions * nvec, v->taps, v->in, 1, x_dot,
                 v->ld, w, v->ld, 0, v->patches_dot, v->taps);
    for (size_t j = 0; j < nvec; j++)
        stj_gemm(STJ_BLAS_NO_TRANS, STJ_BLAS_TRANS, positions, v->taps, v->in, 1, x, v->ld,
                 w_dot + j * v->ld, nvec * v->ld, x_dot ? 1 : 0, v->patches_dot + j * v->taps,
                 nvec * v->taps);
}

static void transpose_forward_tangent(const struct stj_layer *layer, size_t nvec, real *y_dot,
                                      const struct stj_layer_values *at, const real *x_dot,
                                      const real *x2_dot, const real *theta_dot, real *scratch)
{
    (void)x2_dot;
    struct view v = view_of(layer, at->batch, nvec, scratch);
    struct stj_band band = {0};
    begin_y(&v, at->batch, nvec, theta_dot, y_dot);
    while (stj_band_next(&v.w, at->batch, nvec, &band))
        for (size_t g = 0; g < v.groups; g++) {
            const size_t column = to_group(&v, g);
            const size_t first = stj_band_first(&v.w, &band) * v.ld;
            outputs_tangent(&v, nvec, stj_band_positions(&v.w, &band), at->x + first + column,
                            x_dot ? x_dot + first * nvec + column : NULL,
                            at->theta + v.kernel + column, theta_dot + nvec * v.kernel + column);
            stj_col2im(&v.w, &band, nvec, v.patches_dot, v.taps, v.strip, y_dot);
        }
}

static void transpose_backward(const struct stj_layer *layer, const real *beta, real *x_bar,
                               real *x2_bar, real *theta_bar, const struct stj_layer_values *at,
                               real *scratch)
{
    (void)x2_bar;
    struct view v = view_of(layer, at->batch, 1, scratch);
    struct stj_band band = {0};
    real sum = 0; /* of the bands before */
    if (theta_bar && v.has_bias)
        stj_rows_sum(at->batch * v.w.in_h * v.w.in_w, v.filters, at->y_bar, theta_bar);
    for (; stj_band_next(&v.w, at->batch, 1, &band); sum = 1)
        for (size_t g = 0; g < v.groups; g++) {
            const size_t column = to_group(&v, g);
            const size_t positions = stj_band_positions(&v.w, &band);
            const size_t first = stj_band_first(&v.w, &band) * v.ld + column;
            stj_im2col(&v.w, &band, 1, at->y_bar, v.strip, v.patches, v.taps);
            if (x_bar)
                stj_gemm(STJ_BLAS_NO_TRANS, STJ_BLAS_NO_TRANS, positions, v.in, v.taps, 1,
                         v.patches, v.taps, at->theta + v.kernel + column, v.ld, beta[0],
                         x_bar + first, v.ld);
            if (theta_bar)
                stj_gemm(STJ_BLAS_TRANS, STJ_BLAS_NO_TRANS, v.taps, v.in, positions, 1, v.patches,
                         v.taps, at->x + first, v.ld, sum, theta_bar + v.kernel + column, v.ld);
        }
}

/* w_bar_dot <- sum w_bar_dot + P(Y_bar_dot)' X + P(Y_bar)' X_dot of a band and a group, whose first
 * column the pointers are at; x_dot NULL: zero. */
static void kernel_tangent(const struct view *v, size_t nvec, size_t positions, real sum,
                           const real *x, const real *x_dot, real *w_bar_dot)
{
    for (size_t j = 0; j < nvec; j++)
        stj_gemm(STJ_BLAS_TRANS, STJ_BLAS_NO_TRANS, v->taps, v->in, positions, 1,
                 v->patches_dot + j * v->taps, nvec * v->taps, x, v->ld, sum, w_bar_dot + j * v->ld,
                 nvec * v->ld);
    if (x_dot)
        add_columns(v, nvec, STJ_BLAS_TRANS, v->taps, positions, v->patches, x_dot, w_bar_dot);
}

static void transpose_backward_tangent(const struct stj_layer *layer, size_t nvec, const real *beta,
                                       real *x_bar_dot, real *x2_bar_dot, real *theta_bar_dot,
                                       const struct stj_layer_values *at, const real *x_dot,
                                       const real *x2_dot, const real *theta_dot,
                                       const real *y_bar_dot, real *scratch)
{
    (void)x2_bar_dot;
    (void)x2_dot;
    struct view v = view_of(layer, at->batch, nvec, scratch);
    struct stj_band band = {0};
    real sum = 0;
    if (theta_bar_dot && v.has_bias)
        stj_rows_sum(at->batch * v.w.in_h * v.w.in_w, nvec * v.filters, y_bar_dot, theta_bar_dot);
    for (; stj_band_next(&v.w, at->batch, nvec, &band); sum = 1)
        for (size_t g = 0; g < v.groups; g++) {
            const size_t column = to_group(&v, g);
            const size_t positions = stj_band_positions(&v.w, &band);
            const size_t first = stj_band_first(&v.w, &band) * v.ld;
            const size_t first_dot = first * nvec + column;
            stj_im2col(&v.w, &band, 1, at->y_bar, v.strip, v.patches, v.taps);
            stj_im2col(&v.w, &band, nvec, y_bar_dot, v.strip, v.patches_dot, v.taps);
            if (x_bar_dot) {
                stj_gemm(STJ_BLAS_NO_TRANS, STJ_BLAS_NO_TRANS, positions * nvec, v.in, v.taps, 1,
                         v.patches_dot, v.taps, at->theta + v.kernel + column, v.ld, beta[0],
                         x_bar_dot + first_dot, v.ld);
                add_columns(&v, nvec, STJ_BLAS_NO_TRANS, positions, v.taps, v.patches,
                            theta_dot + nvec * v.kernel + column, x_bar_dot + first_dot);
            }
            if (theta_bar_dot)
                kernel_tangent(&v, nvec, positions, sum, at->x + first + column,
                               x_dot ? x_dot + first_dot : NULL,
                               theta_bar_dot + nvec * v.kernel + column);
        }
}

const struct stj_layer_ops stj_layer_conv2d_transpose = {
    .info = {.name = "conv2d_transpose",
             .doc = "transpose of a convolution, which makes an image larger",
             .options = transpose_options,
             .config_size = sizeof(struct transpose_config)},
    .sample = transpose_sample,
    .forgets = STJ_FORGETS_Y,
    .setup = transpose_setup,
    .n_scratch = transpose_n_scratch,
    .forward = transpose_forward,
    .forward_tangent = transpose_forward_tangent,
    .backward = transpose_backward,
    .backward_tangent = transpose_backward_tangent,
};
