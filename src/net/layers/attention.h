/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/layers/attention.h: the parts of multi-head attention. */
#ifndef STJ_NET_LAYERS_ATTENTION_H
#define STJ_NET_LAYERS_ATTENTION_H

#include "net/layers/layers.h"

struct stj_attention_config {
    size_t heads, kv_heads; /* kv_heads 0: heads */
    bool causal, bias;
    bool has_rope;
    struct stj_rope_config {
        double base, fraction;
        int pairs; /* 0: halves, 1: neighbours */
    } rope;
    int qk_norm; /* enum stj_qk_norm */
    double eps;
    struct stj_plugin kernel_init, bias_init, scale_init;
};

enum stj_qk_norm { STJ_QK_NONE, STJ_QK_RMS, STJ_QK_LAYER };

/* Heads of the keys, and of the values. */
static inline size_t stj_attention_kv(const struct stj_attention_config *config)
{
    return config->kv_heads ? config->kv_heads : config->heads;
}

/* The projection of queries, keys and values; and the part without parameters. */
extern const struct stj_layer_ops stj_layer_attention_qkv;
extern const struct stj_layer_ops stj_layer_attention_heads;
extern const struct stj_layer_ops stj_layer_cross_heads; /* keys and values are a second input */

#endif
