/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/layers/layers.h: every layer, and what they share. */
#ifndef STJ_NET_LAYERS_LAYERS_H
#define STJ_NET_LAYERS_LAYERS_H

#include "net/layer.h"
#include "net/layers/elementwise.h"
#include "net/layers/linear_map.h"

extern const struct stj_layer_ops stj_layer_dense;
extern const struct stj_layer_ops stj_layer_conv2d;
extern const struct stj_layer_ops stj_layer_conv1d;
extern const struct stj_layer_ops stj_layer_conv2d_transpose;
extern const struct stj_linear_map stj_layer_pad;
extern const struct stj_linear_map stj_layer_upsample;
extern const struct stj_linear_map stj_layer_max_pool;
extern const struct stj_linear_map stj_layer_average_pool;
extern const struct stj_linear_map stj_layer_adaptive_average_pool;
extern const struct stj_linear_map stj_layer_global_average_pool;
extern const struct stj_linear_map stj_layer_flatten;
extern const struct stj_activation stj_layer_relu;
extern const struct stj_activation stj_layer_gelu;
extern const struct stj_activation stj_layer_silu;
extern const struct stj_activation stj_layer_tanh;
extern const struct stj_activation stj_layer_sigmoid;
extern const struct stj_activation stj_layer_softplus;
extern const struct stj_activation stj_layer_leaky_relu;
extern const struct stj_layer_ops stj_layer_prelu;
extern const struct stj_activation stj_layer_relu6;
extern const struct stj_activation stj_layer_elu;
extern const struct stj_activation stj_layer_selu;
extern const struct stj_activation stj_layer_hardswish;
extern const struct stj_activation stj_layer_hardsigmoid;
extern const struct stj_activation stj_layer_mish;
extern const struct stj_activation stj_layer_exp;
extern const struct stj_activation stj_layer_sin;
extern const struct stj_activation stj_layer_abs;
extern const struct stj_activation stj_layer_square;
extern const struct stj_activation stj_layer_identity;
extern const struct stj_layer_ops stj_layer_softmax;
extern const struct stj_layer_ops stj_layer_log_softmax;
extern const struct stj_layer_ops stj_layer_layer_norm;
extern const struct stj_layer_ops stj_layer_rms_norm;
extern const struct stj_layer_ops stj_layer_group_norm;
extern const struct stj_layer_ops stj_layer_instance_norm;
extern const struct stj_layer_ops stj_layer_batch_norm;
extern const struct stj_layer_ops stj_layer_embedding;
extern const struct stj_layer_ops stj_layer_positions;
extern const struct stj_layer_ops stj_layer_attention;
extern const struct stj_layer_ops stj_layer_rnn;
extern const struct stj_layer_ops stj_layer_lstm;
extern const struct stj_layer_ops stj_layer_gru;
extern const struct stj_layer_ops stj_layer_residual;
extern const struct stj_layer_ops stj_layer_dropout;
extern const struct stj_layer_ops stj_layer_add;
extern const struct stj_layer_ops stj_layer_bias;
extern const struct stj_layer_ops stj_layer_scale;
extern const struct stj_layer_ops stj_layer_vector;
extern const struct stj_layer_ops stj_layer_multiply;
extern const struct stj_layer_ops stj_layer_concat;
extern const struct stj_linear_map stj_layer_slice;
extern const struct stj_linear_map stj_layer_select;
extern const struct stj_linear_map stj_layer_transpose;
extern const struct stj_linear_map stj_layer_reshape;

/* What layers call the last dimension of a shape and the first: for STJ_OPTION_CHOICE. */
enum stj_axis { STJ_AXIS_CHANNELS, STJ_AXIS_POSITIONS };
extern const char *const stj_axis_names[];

/* Append a parameter tensor, a table; called by setup, which may then say another role. */
struct stj_tensor *stj_layer_add_tensor(struct stj_layer *layer, const char *name, size_t rows,
                                        size_t cols, size_t fan_in, size_t fan_out,
                                        const struct stj_plugin *init);

#endif
