/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/layers/dense.c: the affine map of the last dimension.
 *
 * With X [rows][in], W [in][out], b [out], and tangents [rows][nvec][.]:
 *
 *     forward            Y         = X W + 1 b'
 *     forward_tangent    Y_dot     = X_dot W + X W_dot + 1 b_dot'
 *     backward           X_bar     = Y_bar W'
 *                        W_bar     = X' Y_bar,                  b_bar     = 1' Y_bar
 *     backward_tangent   X_bar_dot = Y_bar_dot W' + Y_bar W_dot'
 *                        W_bar_dot = X' Y_bar_dot + X_dot' Y_bar, b_bar_dot = 1' Y_bar_dot
 *
 * Products of a primal matrix with all tangents of W, or of all tangents of X with W, are one GEMM
 * in this layout; those of a primal matrix with the tangents of X in the contracted dimension are
 * one GEMM a tangent.  Useful arithmetic: 2 rows in out per product and tangent, at most six
 * products.
 */
#include "net/layers/layers.h"

#include <stdio.h>

#include "base/blas.h"
#include "base/error.h"
#include "net/initializer.h"
#include "net/kernels.h"
#include "net/layers/dense.h"

struct dense_config {
    size_t units;
    struct stj_plugin kernel_init, bias_init;
    bool bias;
};

#define OPTION(...) STJ_OPTION_ROW(struct dense_config, __VA_ARGS__)
static const struct stj_option dense_options[] = {
    OPTION("units", SIZE, units, NULL, "outputs", .min = 1, .max = 1e9),
    OPTION("kernel_init", PLUGIN, kernel_init, "lecun_normal",
           "initialiser of the kernel [in][out]", .kind = &stj_initializers),
    OPTION("bias_init", PLUGIN, bias_init, "zeros", "initialiser of the bias [out]",
           .kind = &stj_initializers),
    OPTION("bias", BOOL, bias, "true", "whether there is a bias"),
    {.name = NULL},
};

static void dense_sample(struct stj_rng *rng, char *text, size_t size)
{
    static const char *const shape[] = {"", "3, ", "2, 3, "};
    snprintf(text, size, "{input: [%s%zu], layers: [{type: dense, units: %zu, bias: %s}]}",
             shape[stj_rng_index(rng, 3)], 1 + stj_rng_index(rng, 9), 1 + stj_rng_index(rng, 9),
             stj_rng_index(rng, 2) ? "true" : "false");
}

void stj_dense_add(struct stj_layer *layer, size_t n_out, const struct stj_plugin *kernel_init,
                   const struct stj_plugin *bias_init)
{
    const size_t n_in = stj_shape_cols(&layer->in);
    layer->out = layer->in;
    layer->out.dim[layer->out.n_dims - 1] = n_out;
    if (bias_init)
        stj_layer_add_tensor(layer, "bias", 1, n_out, n_in, n_out, bias_init);
    stj_layer_add_tensor(layer, "kernel", n_in, n_out, n_in, n_out, kernel_init)->role =
        STJ_TENSOR_DENSE;
}

static enum stj_status dense_setup(struct stj_layer *layer, const struct stj_shape *in2,
                                   struct stj_error *err)
{
    (void)in2;
    (void)err;
    const struct dense_config *config = layer->config;
    stj_dense_add(layer, config->units, &config->kernel_init,
                  config->bias ? &config->bias_init : NULL);
    return STJ_OK;
}

/* Where the tensors lie in the layer's part of a parameter vector or tile. */
struct dense_view {
    size_t rows, in, out;
    size_t bias, kernel; /* offsets, to be multiplied by nvec in a tile */
    bool has_bias;
};

static struct dense_view dense_view(const struct stj_layer *layer, size_t batch)
{
    const bool has_bias = layer->tensor[0].role != STJ_TENSOR_DENSE; /* then it comes first */
    return (struct dense_view){
        .rows = batch * stj_shape_positions(&layer->in),
        .in = stj_shape_cols(&layer->in),
        .out = stj_shape_cols(&layer->out),
        .kernel = has_bias ? stj_shape_cols(&layer->out) : 0,
        .has_bias = has_bias,
    };
}

void stj_dense_forward(const struct stj_layer *layer, real *y, const struct stj_layer_values *at,
                       real *scratch)
{
    (void)scratch;
    const struct dense_view v = dense_view(layer, at->batch);
    /* Y = X W + 1 b' */
    if (v.has_bias)
        stj_rows_copy(v.rows, v.out, at->theta + v.bias, y);
    stj_gemm(STJ_BLAS_NO_TRANS, STJ_BLAS_NO_TRANS, v.rows, v.out, v.in, 1, at->x, v.in,
             at->theta + v.kernel, v.out, v.has_bias ? 1 : 0, y, v.out);
}

void stj_dense_forward_tangent(const struct stj_layer *layer, size_t nvec, real *y_dot,
                               const struct stj_layer_values *at, const real *x_dot,
                               const real *x2_dot, const real *theta_dot, real *scratch)
{
    (void)x2_dot;
    (void)scratch;
    const struct dense_view v = dense_view(layer, at->batch);
    /* Y_dot = X W_dot + 1 b_dot' + X_dot W */
    if (v.has_bias)
        stj_rows_copy(v.rows, nvec * v.out, theta_dot + nvec * v.bias, y_dot);
    stj_gemm(STJ_BLAS_NO_TRANS, STJ_BLAS_NO_TRANS, v.rows, nvec * v.out, v.in, 1, at->x, v.in,
             theta_dot + nvec * v.kernel, nvec * v.out, v.has_bias ? 1 : 0, y_dot, nvec * v.out);
    if (x_dot)
        stj_gemm(STJ_BLAS_NO_TRANS, STJ_BLAS_NO_TRANS, v.rows * nvec, v.out, v.in, 1, x_dot, v.in,
                 at->theta + v.kernel, v.out, 1, y_dot, v.out);
}

void stj_dense_backward(const struct stj_layer *layer, const real *beta, real *x_bar, real *x2_bar,
                        real *theta_bar, const struct stj_layer_values *at, real *scratch)
{
    (void)x2_bar;
    (void)scratch;
    const struct dense_view v = dense_view(layer, at->batch);
    /* X_bar = Y_bar W' */
    if (x_bar)
        stj_gemm(STJ_BLAS_NO_TRANS, STJ_BLAS_TRANS, v.rows, v.in, v.out, 1, at->y_bar, v.out,
                 at->theta + v.kernel, v.out, beta[0], x_bar, v.in);
    if (!theta_bar)
        return;
    /* W_bar = X' Y_bar, b_bar = 1' Y_bar */
    stj_gemm(STJ_BLAS_TRANS, STJ_BLAS_NO_TRANS, v.in, v.out, v.rows, 1, at->x, v.in, at->y_bar,
             v.out, 0, theta_bar + v.kernel, v.out);
    if (v.has_bias)
        stj_rows_sum(v.rows, v.out, at->y_bar, theta_bar + v.bias);
}

void stj_dense_backward_tangent(const struct stj_layer *layer, size_t nvec, const real *beta,
                                real *x_bar_dot, real *x2_bar_dot, real *theta_bar_dot,
                                const struct stj_layer_values *at, const real *x_dot,
                                const real *x2_dot, const real *theta_dot, const real *y_bar_dot,
                                real *scratch)
{
    (void)x2_bar_dot;
    (void)x2_dot;
    (void)scratch;
    const struct dense_view v = dense_view(layer, at->batch);
    const size_t ldx = nvec * v.in;
    const size_t ldy = nvec * v.out;
    const real *w_dot = theta_dot + nvec * v.kernel;
    /* X_bar_dot = Y_bar_dot W' + Y_bar W_dot' */
    if (x_bar_dot) {
        stj_gemm(STJ_BLAS_NO_TRANS, STJ_BLAS_TRANS, v.rows * nvec, v.in, v.out, 1, y_bar_dot, v.out,
                 at->theta + v.kernel, v.out, beta[0], x_bar_dot, v.in);
        for (size_t j = 0; j < nvec; j++)
            stj_gemm(STJ_BLAS_NO_TRANS, STJ_BLAS_TRANS, v.rows, v.in, v.out, 1, at->y_bar, v.out,
                     w_dot + j * v.out, ldy, 1, x_bar_dot + j * v.in, ldx);
    }
    if (!theta_bar_dot)
        return;
    /* W_bar_dot = X' Y_bar_dot + X_dot' Y_bar, b_bar_dot = 1' Y_bar_dot */
    real *w_bar_dot = theta_bar_dot + nvec * v.kernel;
    stj_gemm(STJ_BLAS_TRANS, STJ_BLAS_NO_TRANS, v.in, ldy, v.rows, 1, at->x, v.in, y_bar_dot, ldy,
             0, w_bar_dot, ldy);
    for (size_t j = 0; x_dot && j < nvec; j++)
        stj_gemm(STJ_BLAS_TRANS, STJ_BLAS_NO_TRANS, v.in, v.out, v.rows, 1, x_dot + j * v.in, ldx,
                 at->y_bar, v.out, 1, w_bar_dot + j * v.out, ldy);
    if (v.has_bias)
        stj_rows_sum(v.rows, ldy, y_bar_dot, theta_bar_dot + nvec * v.bias);
}

const struct stj_layer_ops stj_layer_dense = {
    .info = {.name = "dense",
             .doc = "affine map of the last dimension",
             .options = dense_options,
             .config_size = sizeof(struct dense_config)},
    .sample = dense_sample,
    .setup = dense_setup,
    STJ_DENSE_SLOTS,
};
