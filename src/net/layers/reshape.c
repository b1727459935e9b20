/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/layers/reshape.c: the numbers of a sample, in their order, as another shape.
 *
 *     forward            y         = x
 *     forward_tangent    y_dot     = x_dot
 *     backward           x_bar    += y_bar
 *     backward_tangent   x_bar_dot += y_bar_dot
 *
 * Blocks of tangents [positions][nvec][channels] are copied in runs that stay within the channels
 * of both shapes.
 */
#include "net/layers/layers.h"

#include <stdio.h>

#include "base/error.h"
#include "base/memory.h"

struct reshape_config {
    struct stj_sizes shape;
};

#define OPTION(...) STJ_OPTION_ROW(struct reshape_config, __VA_ARGS__)
static const struct stj_option reshape_options[] = {
    OPTION("shape", SIZES, shape, NULL,
           "the dimensions of the output, channels last; their product is that of the input",
           .min = 1, .max = 1e9),
    {.name = NULL},
};

static void reshape_sample(struct stj_rng *rng, char *text, size_t size)
{
    static const char *const shape[] = {"12", "2, 6", "4, 3", "2, 2, 3", "3, 1, 4"};
    snprintf(text, size, "{input: [%s], layers: [{type: reshape, shape: [%s]}]}",
             shape[stj_rng_index(rng, 5)], shape[stj_rng_index(rng, 5)]);
}

static enum stj_status reshape_setup(struct stj_layer *layer, const struct stj_shape *in2,
                                     struct stj_error *err)
{
    (void)in2;
    const struct reshape_config *config = layer->config;
    size_t size = 1;
    char text[96];
    STJ_NEED(err, config->shape.n >= 1 && config->shape.n <= 3, STJ_ECONFIG,
             "shape has %zu dimensions, a sample has 1 to 3", config->shape.n);
    layer->out.n_dims = config->shape.n;
    for (size_t d = 0; d < config->shape.n; d++) {
        layer->out.dim[d] = config->shape.item[d];
        STJ_MUST(stj_size_mul(size, config->shape.item[d], &size, err));
    }
    STJ_NEED(err, size == stj_shape_size(&layer->in), STJ_ECONFIG,
             "shape has %zu numbers, its input %s has %zu", size, stj_shape_text(&layer->in, text),
             stj_shape_size(&layer->in));
    return STJ_OK;
}

/* Where number i of a sample lies in a block of tangents of a shape with so many channels. */
static size_t place(size_t i, size_t nvec, size_t cols, size_t j)
{
    return (i / cols * nvec + j) * cols + i % cols;
}

/* The length of a run from number i on. */
static size_t run_length(const struct stj_layer *layer, size_t i)
{
    const size_t in = stj_shape_cols(&layer->in), out = stj_shape_cols(&layer->out);
    const size_t a = in - i % in, b = out - i % out;
    return a < b ? a : b;
}

static void reshape_apply(const struct stj_layer *layer, size_t nvec, const real *saved,
                          const real *restrict x, real *restrict y)
{
    (void)saved;
    const size_t in = stj_shape_cols(&layer->in), out = stj_shape_cols(&layer->out);
    for (size_t i = 0, n; i < stj_shape_size(&layer->in); i += n) {
        n = run_length(layer, i);
        for (size_t j = 0; j < nvec; j++)
            for (size_t k = 0; k < n; k++)
                y[place(i, nvec, out, j) + k] = x[place(i, nvec, in, j) + k];
    }
}

static void reshape_apply_adjoint(const struct stj_layer *layer, size_t nvec, const real *saved,
                                  const real *restrict y, real *restrict x)
{
    (void)saved;
    const size_t in = stj_shape_cols(&layer->in), out = stj_shape_cols(&layer->out);
    for (size_t i = 0, n; i < stj_shape_size(&layer->in); i += n) {
        n = run_length(layer, i);
        for (size_t j = 0; j < nvec; j++)
            for (size_t k = 0; k < n; k++)
                x[place(i, nvec, in, j) + k] += y[place(i, nvec, out, j) + k];
    }
}

const struct stj_linear_map stj_layer_reshape = {
    .ops = {.info = {.name = "reshape",
                     .doc = "the numbers of a sample, in their order, as another shape",
                     .options = reshape_options,
                     .config_size = sizeof(struct reshape_config)},
            .moves = true,
            .sample = reshape_sample,
            .setup = reshape_setup,
            .forward = stj_linear_map_forward,
            STJ_LINEAR_MAP_SLOTS},
    .apply = reshape_apply,
    .apply_adjoint = reshape_apply_adjoint,
};
