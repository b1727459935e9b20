/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/layers/attention.h: the part of multi-head attention without parameters. */
#ifndef STJ_NET_LAYERS_ATTENTION_H
#define STJ_NET_LAYERS_ATTENTION_H

#include "net/layers/layers.h"

struct stj_attention_config {
    size_t heads;
    bool causal, bias;
    struct stj_plugin kernel_init, bias_init;
};

extern const struct stj_layer_ops stj_layer_attention_heads;

#endif
