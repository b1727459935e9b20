/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/layers/attention.c: multi-head self-attention (Vaswani et al. 2017), three nodes in a row.
 *
 * For x [positions][C], three nodes that share one config:
 *
 *     qkv      U = x W + 1 b',    W [C][3 C], b [3 C]: queries, keys and values side by side, in
 *              each the heads side by side; queries and keys normalised and rotated where that
 *              is asked for (attention_qkv.c)
 *     heads    y = softmax(scale Q K') V for each head (attention_heads.c)
 *     out      z = y W_o + 1 b_o',    W_o [C][C]
 *
 * With fewer heads of keys and values than of queries (grouped queries; Ainslie et al. 2023), W is
 * [C][C + 2 d kv_heads] with d = C / heads, and consecutive heads share theirs.
 *
 * The parameters in order: b, W, b_o, W_o.  PyTorch's MultiheadAttention has the same under the
 * names in_proj_bias = b, in_proj_weight = W', out_proj.bias = b_o, out_proj.weight = W_o'.
 */
#include "net/layers/attention.h"

#include <stdio.h>

#include "net/initializer.h"
#include "net/layers/dense.h"

static const char *const pairs[] = {"halves", "neighbours", NULL};
static const char *const qk_norms[] = {"none", "rms_norm", "layer_norm", NULL};

static const struct stj_option rope_options[] = {
    {.name = "base",
     .type = STJ_OPTION_REAL,
     .offset = offsetof(struct stj_rope_config, base),
     .fallback = "10000",
     .above_min = true,
     .doc = "pair k of n turns by base^(-k/n) radians from one position to the next"},
    {.name = "fraction",
     .type = STJ_OPTION_REAL,
     .offset = offsetof(struct stj_rope_config, fraction),
     .fallback = "1",
     .above_min = true,
     .max = 1,
     .doc = "the part of each head's numbers, the first ones, that is rotated"},
    {.name = "pairs",
     .type = STJ_OPTION_CHOICE,
     .offset = offsetof(struct stj_rope_config, pairs),
     .fallback = "halves",
     .choices = pairs,
     .doc =
         "which numbers turn together: k and k + half of them (GPT-NeoX; LLaMA in Hugging Face's "
         "layout), or 2 k and 2 k + 1 (RoFormer, Meta's LLaMA)"},
    {.name = NULL},
};

static const struct stj_option attention_options[] = {
    {.name = "heads",
     .type = STJ_OPTION_SIZE,
     .offset = offsetof(struct stj_attention_config, heads),
     .min = 1,
     .max = 1e9,
     .doc = "number of heads; it divides the width of the input"},
    {.name = "kv_heads",
     .type = STJ_OPTION_SIZE,
     .offset = offsetof(struct stj_attention_config, kv_heads),
     .fallback = "",
     .min = 1,
     .max = 1e9,
     .doc = "number of heads of keys and values, which consecutive heads share; it divides heads; "
            "default: heads"},
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
    {.name = "rope",
     .type = STJ_OPTION_GROUP,
     .offset = offsetof(struct stj_attention_config, rope),
     .present_offset = offsetof(struct stj_attention_config, has_rope),
     .fallback = "",
     .group = rope_options,
     .doc = "rotate queries and keys by their positions (rotary embedding); {} for the defaults; "
            "default: not"},
    {.name = "qk_norm",
     .type = STJ_OPTION_CHOICE,
     .offset = offsetof(struct stj_attention_config, qk_norm),
     .fallback = "none",
     .choices = qk_norms,
     .doc = "normalise each head's queries and keys, before they are rotated, with a learned scale "
            "[head width] for the queries (q_scale) and one for the keys (k_scale)"},
    {.name = "eps",
     .type = STJ_OPTION_REAL,
     .offset = offsetof(struct stj_attention_config, eps),
     .fallback = "1e-5",
     .min = 0,
     .above_min = true,
     .doc = "added to the variance by qk_norm"},
    {.name = "kernel_init",
     .type = STJ_OPTION_PLUGIN,
     .offset = offsetof(struct stj_attention_config, kernel_init),
     .fallback = "lecun_normal",
     .kind = &stj_initializers,
     .doc = "initialiser of the kernels [width][queries, keys and values] and [width][width]"},
    {.name = "bias_init",
     .type = STJ_OPTION_PLUGIN,
     .offset = offsetof(struct stj_attention_config, bias_init),
     .fallback = "zeros",
     .kind = &stj_initializers,
     .doc = "initialiser of the biases"},
    {.name = "scale_init",
     .type = STJ_OPTION_PLUGIN,
     .offset = offsetof(struct stj_attention_config, scale_init),
     .fallback = "ones",
     .kind = &stj_initializers,
     .doc = "initialiser of the scales of qk_norm"},
    {.name = NULL},
};

static void attention_sample(struct stj_rng *rng, char *text, size_t size)
{
    static const char *const ropes[] = {"", ", rope: {}", ", rope: {base: 10, pairs: neighbours}",
                                        ", rope: {fraction: 0.5}"};
    const size_t kv = 1 + stj_rng_index(rng, 2);
    const size_t heads = kv * (1 + stj_rng_index(rng, 2));
    const size_t rope = stj_rng_index(rng, 2) ? 0 : stj_rng_index(rng, 4);
    const size_t width = rope ? 4 : 1 + stj_rng_index(rng, 3);
    snprintf(text, size,
             "{input: [%zu, %zu], layers: [{type: attention, heads: %zu, causal: %s, bias: %s, "
             "kv_heads: %zu, qk_norm: %s, eps: 0.1, scale_init: {type: normal, mean: 1}%s}]}",
             1 + stj_rng_index(rng, 6), heads * width, heads,
             stj_rng_index(rng, 2) ? "true" : "false", stj_rng_index(rng, 2) ? "true" : "false", kv,
             qk_norms[stj_rng_index(rng, 2) ? 0 : stj_rng_index(rng, 3)], ropes[rope]);
}

static enum stj_status out_setup(struct stj_layer *layer, const struct stj_shape *in2,
                                 struct stj_error *err)
{
    (void)in2;
    (void)err;
    const struct stj_attention_config *config = layer->config;
    stj_dense_add(layer, stj_shape_cols(&layer->in), &config->kernel_init,
                  config->bias ? &config->bias_init : NULL);
    return STJ_OK;
}

static const struct stj_layer_ops attention_out = {
    .info = {.name = "out"},
    .setup = out_setup,
    STJ_DENSE_SLOTS,
};

static const struct stj_layer_ops *const attention_parts[] = {
    &stj_layer_attention_qkv,
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
