/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/layers/attention.c: multi-head self-attention (Vaswani et al. 2017), three nodes in a row.
 *
 * For x [positions][C], three nodes that share one config:
 *
 *     qkv      U = x W + 1 b',    W [C][3 C], b [3 C]: queries, keys and values side by side, in
 *              each the heads side by side
 *     heads    y = softmax(scale Q K') V for each head (attention_heads.c)
 *     out      z = y W_o + 1 b_o',    W_o [C][C]
 *
 * The parameters in order: b, W, b_o, W_o.  PyTorch's MultiheadAttention has the same under the
 * names in_proj_bias = b, in_proj_weight = W', out_proj.bias = b_o, out_proj.weight = W_o'.
 */
#include "net/layers/attention.h"

#include <stdio.h>

#include "base/error.h"
#include "net/initializer.h"
#include "net/layers/dense.h"

static const struct stj_option attention_options[] = {
    {.name = "heads",
     .type = STJ_OPTION_SIZE,
     .offset = offsetof(struct stj_attention_config, heads),
     .min = 1,
     .max = 1e9,
     .doc = "number of heads; it divides the width of the input"},
    {.name = "causal",
     .type = STJ_OPTION_BOOL,
     .offset = offsetof(struct stj_attention_config, causal),
     .fallback = "false",
     .doc = "whether a position sees only itself and the positions before it"},
    {.name = "bias",
     .type = STJ_OPTION_BOOL,
     .offset = offsetof(struct stj_attention_config, bias),
     .fallback = "true",
     .doc = "whether the two projections have biases"},
    {.name = "kernel_init",
     .type = STJ_OPTION_PLUGIN,
     .offset = offsetof(struct stj_attention_config, kernel_init),
     .fallback = "lecun_normal",
     .kind = &stj_initializers,
     .doc = "initialiser of the kernels [C][3 C] and [C][C]"},
    {.name = "bias_init",
     .type = STJ_OPTION_PLUGIN,
     .offset = offsetof(struct stj_attention_config, bias_init),
     .fallback = "zeros",
     .kind = &stj_initializers,
     .doc = "initialiser of the biases"},
    {.name = NULL},
};

static void attention_sample(struct stj_rng *rng, char *text, size_t size)
{
    const size_t heads = 1 + stj_rng_index(rng, 3);
    snprintf(text, size,
             "{input: [%zu, %zu], layers: [{type: attention, heads: %zu, causal: %s, bias: %s}]}",
             1 + stj_rng_index(rng, 6), heads * (1 + stj_rng_index(rng, 3)), heads,
             stj_rng_index(rng, 2) ? "true" : "false", stj_rng_index(rng, 2) ? "true" : "false");
}

static const struct stj_plugin *bias_init(const struct stj_attention_config *config)
{
    return config->bias ? &config->bias_init : NULL;
}

static enum stj_status qkv_setup(struct stj_layer *layer, const struct stj_shape *in2,
                                 struct stj_error *err)
{
    (void)in2;
    enum stj_status st = STJ_OK;
    const struct stj_attention_config *config = layer->config;
    const size_t width = stj_shape_cols(&layer->in);
    char text[96];
    STJ_CHECK(err, layer->in.n_dims >= 2, STJ_ECONFIG,
              "its input is %s, it needs [positions, width]", stj_shape_text(&layer->in, text));
    STJ_CHECK(err, width % config->heads == 0, STJ_ECONFIG,
              "%zu heads do not divide the width %zu of its input", config->heads, width);
    stj_dense_add(layer, 3 * width, &config->kernel_init, bias_init(config));
out:
    return st;
}

static const struct stj_layer_ops attention_qkv = {
    .info = {.name = "qkv"},
    .setup = qkv_setup,
    STJ_DENSE_SLOTS,
};

static enum stj_status out_setup(struct stj_layer *layer, const struct stj_shape *in2,
                                 struct stj_error *err)
{
    (void)in2;
    (void)err;
    const struct stj_attention_config *config = layer->config;
    stj_dense_add(layer, stj_shape_cols(&layer->in), &config->kernel_init, bias_init(config));
    return STJ_OK;
}

static const struct stj_layer_ops attention_out = {
    .info = {.name = "out"},
    .setup = out_setup,
    STJ_DENSE_SLOTS,
};

static const struct stj_layer_ops *const attention_parts[] = {
    &attention_qkv,
    &stj_layer_attention_heads,
    &attention_out,
    NULL,
};

const struct stj_layer_ops stj_layer_attention = {
    .info = {.name = "attention",
             .doc = "multi-head self-attention",
             .options = attention_options,
             .config_size = sizeof(struct stj_attention_config)},
    .parts = attention_parts,
    .sample = attention_sample,
};
