/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/layers/attention.c: multi-head attention (Vaswani et al. 2017), three nodes in a row.
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
 * Of two inputs, queries x and memory m [positions'][C'] (cross-attention), qkv is two nodes:
 *
 *     q        Q = x W_q + 1 b_q',     W_q [C][C]
 *     kv       K, V = m W_kv + 1 b_kv',    W_kv [C'][2 d kv_heads]
 *
 * The parameters in order: b, W, b_o, W_o, or b_q, W_q, b_kv, W_kv, b_o, W_o.  PyTorch's MultiheadAttention has the same under the
 * names in_proj_bias = b, in_proj_weight = W', out_proj.bias = b_o, out_proj.weight = W_o'; of two inputs
 * b_q and b_kv, W_q' and W_kv' are one below the other in these.
 */
#include "net/layers/attention.h"

#include <stdio.h>

#include "base/error.h"
#include "net/initializer.h"
#include "net/layers/dense.h"

static const char *const pairs[] = {"halves", "neighbours", NULL};
static const char *const qk_norms[] = {"none", "rms_norm", "layer_norm", NULL};

static const struct stj_option rope_options[] = {
    STJ_OPTION_ROW(struct stj_rope_config, "base", REAL, base, "10000",
                   "pair k of n turns by base^(-k/n) radians from one position to the next",
                   .above_min = true),
    STJ_OPTION_ROW(struct stj_rope_config, "fraction", REAL, fraction, "1",
                   "the part of each head's numbers, the first ones, that is rotated",
                   .above_min = true, .max = 1),
    STJ_OPTION_ROW(
        struct stj_rope_config, "pairs", CHOICE, pairs, "halves",
        "which numbers turn together: k and k + half of them (GPT-NeoX; LLaMA in Hugging Face's "
        "layout), or 2 k and 2 k + 1 (RoFormer, Meta's LLaMA)",
        .choices = pairs),
    {.name = NULL},
};

static const struct stj_option attention_options[] = {
    STJ_OPTION_ROW(struct stj_attention_config, "heads", SIZE, heads, NULL,
                   "number of heads; it divides the width of the input", .min = 1, .max = 1e9),
    STJ_OPTION_ROW(
        struct stj_attention_config, "kv_heads", SIZE, kv_heads, "",
        "number of heads of keys and values, which consecutive heads share; it divides heads; "
        "default: heads",
        .min = 1, .max = 1e9),
    STJ_OPTION_ROW(struct stj_attention_config, "causal", BOOL, causal, "false",
                   "whether a position sees only itself and the positions before it"),
    STJ_OPTION_ROW(struct stj_attention_config, "bias", BOOL, bias, "true",
                   "whether the two projections have biases"),
    STJ_OPTION_ROW(
        struct stj_attention_config, "rope", GROUP, rope, "",
        "rotate queries and keys by their positions (rotary embedding); {} for the defaults; "
        "default: not",
        .present_offset = offsetof(struct stj_attention_config, has_rope), .group = rope_options),
    STJ_OPTION_ROW(
        struct stj_attention_config, "qk_norm", CHOICE, qk_norm, "none",
        "normalise each head's queries and keys, before they are rotated, with a learned scale "
        "[head width] for the queries (q_scale) and one for the keys (k_scale)",
        .choices = qk_norms),
    STJ_OPTION_ROW(struct stj_attention_config, "eps", REAL, eps, "1e-5",
                   "added to the variance by qk_norm", .min = 0, .above_min = true),
    STJ_OPTION_ROW(
        struct stj_attention_config, "kernel_init", PLUGIN, kernel_init, "lecun_normal",
        "initialiser of the kernels [width][queries, keys and values] and [width][width]",
        .kind = &stj_initializers),
    STJ_OPTION_ROW(struct stj_attention_config, "bias_init", PLUGIN, bias_init, "zeros",
                   "initialiser of the biases", .kind = &stj_initializers),
    STJ_OPTION_ROW(struct stj_attention_config, "scale_init", PLUGIN, scale_init, "ones",
                   "initialiser of the scales of qk_norm", .kind = &stj_initializers),
    {.name = NULL},
};

static void attention_sample(struct stj_rng *rng, char *text, size_t size)
{
    static const char *const ropes[] = {"", ", rope: {}", ", rope: {base: 10, pairs: neighbours}",
                                        ", rope: {fraction: 0.5}"};
    const size_t kv = 1 + stj_rng_index(rng, 2);
    if (stj_rng_index(rng, 3) == 0) {
        snprintf(
            text, size,
            "{input: [%zu, 4], layers: [{type: slice, axis: positions, from: 1, name: memory}, "
            "{type: attention, heads: 2, kv_heads: %zu, bias: %s, inputs: [%s]}]}",
            2 + stj_rng_index(rng, 4), kv, stj_rng_index(rng, 2) ? "true" : "false",
            stj_rng_index(rng, 2) ? "data, memory" : "memory, data");
        return;
    }
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
    layer->tensor[layer->n_tensors - 1].head = stj_shape_cols(&layer->in) / config->heads;
    return STJ_OK;
}

/* Queries, and the memory's keys and values. */
static enum stj_status q_setup(struct stj_layer *layer, const struct stj_shape *in2,
                               struct stj_error *err)
{
    (void)in2;
    const struct stj_attention_config *config = layer->config;
    const size_t width = stj_shape_cols(&layer->in), kv = stj_attention_kv(config);
    char text[96];
    STJ_NEED(err, !config->causal && !config->has_rope && config->qk_norm == STJ_QK_NONE,
             STJ_ECONFIG,
             "of two inputs it has no order of positions in common: leave out causal, rope and "
             "qk_norm");
    STJ_NEED(err, layer->in.n_dims >= 2, STJ_ECONFIG,
             "its queries are %s, they need [positions, width]", stj_shape_text(&layer->in, text));
    STJ_NEED(err, width % config->heads == 0, STJ_ECONFIG,
             "%zu heads do not divide the width %zu of its queries", config->heads, width);
    STJ_NEED(err, config->heads % kv == 0, STJ_ECONFIG, "%zu kv_heads do not divide %zu heads", kv,
             config->heads);
    STJ_MUST(out_setup(layer, NULL, err));
    layer->tensor[0].head = width / config->heads; /* of the bias too */
    return STJ_OK;
}

static enum stj_status kv_setup(struct stj_layer *layer, const struct stj_shape *queries,
                                struct stj_error *err)
{
    const struct stj_attention_config *config = layer->config;
    const size_t d = stj_shape_cols(queries) / config->heads;
    char text[96];
    STJ_NEED(err, layer->in.n_dims >= 2, STJ_ECONFIG,
             "its second input, of keys and values, is %s, it needs [positions, width]",
             stj_shape_text(&layer->in, text));
    stj_dense_add(layer, 2 * d * stj_attention_kv(config), &config->kernel_init,
                  config->bias ? &config->bias_init : NULL);
    for (size_t t = 0; t < layer->n_tensors; t++)
        layer->tensor[t].head = d;
    return STJ_OK;
}

static const struct stj_layer_ops cross_q = {
    .info = {.name = "q"},
    .setup = q_setup,
    STJ_DENSE_SLOTS,
};

static const struct stj_layer_ops cross_kv = {
    .info = {.name = "kv"},
    .reads_second = true,
    .setup = kv_setup,
    STJ_DENSE_SLOTS,
};

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

static const struct stj_layer_ops *const cross_parts[] = {
    &cross_q, &cross_kv, &stj_layer_cross_heads, &attention_out, NULL,
};

const struct stj_layer_ops stj_layer_attention = {
    .info = {.name = "attention",
             .doc = "multi-head self-attention; of two inputs, the second has the keys and values",
             .options = attention_options,
             .config_size = sizeof(struct stj_attention_config)},
    .most_inputs = 2,
    .parts = attention_parts,
    .parts_of_two = cross_parts,
    .sample = attention_sample,
};
