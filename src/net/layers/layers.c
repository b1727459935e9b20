/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/layers/layers.c: the registry of layers, and what they share. */
#include "net/layers/layers.h"

static const struct stj_plugin_info *const layer_list[] = {
    &stj_layer_dense.info,
    &stj_layer_conv2d.info,
    &stj_layer_conv1d.info,
    &stj_layer_conv2d_transpose.info,
    &stj_layer_pad.ops.info,
    &stj_layer_upsample.ops.info,
    &stj_layer_max_pool.ops.info,
    &stj_layer_average_pool.ops.info,
    &stj_layer_adaptive_average_pool.ops.info,
    &stj_layer_global_average_pool.ops.info,
    &stj_layer_flatten.ops.info,
    &stj_layer_relu.ops.info,
    &stj_layer_gelu.ops.info,
    &stj_layer_silu.ops.info,
    &stj_layer_tanh.ops.info,
    &stj_layer_sigmoid.ops.info,
    &stj_layer_softplus.ops.info,
    &stj_layer_leaky_relu.ops.info,
    &stj_layer_prelu.info,
    &stj_layer_relu6.ops.info,
    &stj_layer_elu.ops.info,
    &stj_layer_selu.ops.info,
    &stj_layer_hardswish.ops.info,
    &stj_layer_hardsigmoid.ops.info,
    &stj_layer_mish.ops.info,
    &stj_layer_exp.ops.info,
    &stj_layer_sin.ops.info,
    &stj_layer_abs.ops.info,
    &stj_layer_square.ops.info,
    &stj_layer_identity.ops.info,
    &stj_layer_softmax.info,
    &stj_layer_log_softmax.info,
    &stj_layer_layer_norm.info,
    &stj_layer_rms_norm.info,
    &stj_layer_group_norm.info,
    &stj_layer_instance_norm.info,
    &stj_layer_batch_norm.info,
    &stj_layer_embedding.info,
    &stj_layer_positions.info,
    &stj_layer_attention.info,
    &stj_layer_rnn.info,
    &stj_layer_lstm.info,
    &stj_layer_gru.info,
    &stj_layer_residual.info,
    &stj_layer_dropout.info,
    &stj_layer_add.info,
    &stj_layer_bias.info,
    &stj_layer_scale.info,
    &stj_layer_vector.info,
    &stj_layer_multiply.info,
    &stj_layer_concat.info,
    &stj_layer_slice.ops.info,
    &stj_layer_select.ops.info,
    &stj_layer_transpose.ops.info,
    &stj_layer_reshape.ops.info,
    NULL,
};

const char *const stj_axis_names[] = {"channels", "positions", NULL};

#define OPTION(...) STJ_OPTION_ROW(struct stj_layer_keys, __VA_ARGS__)
static const struct stj_option layer_keys[] = {
    OPTION("input", STRING, input, "",
           "the layer that it reads, by name, or `data`, the network's input; default: the "
           "previous layer"),
    OPTION("inputs", TEXTS, inputs, "", "the layers that it reads, if there are several"),
    OPTION("trainable", BOOL, trainable, "",
           "false: its parameters keep their initial values and do not count in N; in a group, the "
           "default for its layers; default: as network.trainable says",
           .present_offset = offsetof(struct stj_layer_keys, has_trainable)),
    OPTION("share", NAMES, share, "",
           "tensors shared with earlier layers, {kernel: embedding0.table}: transposed if the "
           "shapes, or a table and a dense kernel, require it; with the suffix .T, always"),
    {.name = NULL},
};

const struct stj_kind stj_layers = {.what = "layer",
                                    .common = layer_keys,
                                    .common_size = sizeof(struct stj_layer_keys),
                                    .list = layer_list};

struct stj_tensor *stj_layer_add_tensor(struct stj_layer *layer, const char *name, size_t rows,
                                        size_t cols, size_t fan_in, size_t fan_out,
                                        const struct stj_plugin *init)
{
    struct stj_tensor *tensor = &layer->tensor[layer->n_tensors++];
    *tensor = (struct stj_tensor){
        .name = name,
        .rows = rows,
        .cols = cols,
        .offset = layer->n_params,
        .fan_in = fan_in,
        .fan_out = fan_out,
        .init = init,
    };
    layer->n_params += rows * cols;
    return tensor;
}
