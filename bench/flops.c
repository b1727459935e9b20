/* SPDX-License-Identifier: GPL-3.0-or-later */
/* bench/flops.c: the useful arithmetic of the tangent pass, from the shapes of a network alone.
 *
 * Only matrix products count, each 2 m n k, and only those of the mathematics: not the elementwise
 * work, not the primal pass, nothing that an implementation forms twice or against zeros.
 *
 * A layer with a kernel W [in][out] that is applied to `rows` rows X (samples times positions; for a
 * convolution output positions, and in = the taps of a patch) takes 2 rows in out for each of
 *
 *     X W_dot,   X_dot W *,   X' Y_bar_dot,   X_dot' Y_bar *,   Y_bar_dot W' *,   Y_bar W_dot' *
 *
 * where those with a star fall away when the layer's input does not depend on any parameter.
 *
 * Attention takes for each head of width d over T positions 2 T T d for each of
 *
 *     S_dot = Q_dot K' + Q K_dot',   Y_dot = P_dot V + P V_dot,   P_bar_dot = Y_bar_dot V' + Y_bar V_dot'
 *     Q_bar_dot = S_bar_dot K + S_bar K_dot,   K_bar_dot = S_bar_dot' Q + S_bar' Q_dot
 *     V_bar_dot = P' Y_bar_dot + P_dot' Y_bar
 *
 * twelve products; a causal head, half of that.
 */
#include "flops.h"

#include <string.h>

#include "net/layers/attention.h"
#include "net/network_internal.h"

static bool input_has_tangent(const struct stj_network *net, const struct stj_node *node)
{
    return node->input[0] != STJ_NETWORK_INPUT && net->node[node->input[0]].has_tangent;
}

static double kernel_flops(const struct stj_network *net, const struct stj_node *node, size_t batch)
{
    const struct stj_layer *layer = &node->layer;
    const double rows = (double)batch * (double)stj_shape_positions(&layer->out);
    const double n_products = input_has_tangent(net, node) ? 6 : 2;
    double flops = 0;
    for (size_t k = 0; k < layer->n_tensors; k++) {
        const struct stj_tensor *w = &layer->tensor[k];
        if (strcmp(w->name, "kernel") == 0)
            flops += n_products * 2 * rows * (double)w->rows * (double)w->cols;
    }
    return flops;
}

static double attention_flops(const struct stj_layer *layer, size_t batch)
{
    const struct stj_attention_config *config = layer->config;
    const double t = (double)stj_shape_positions(&layer->out);
    const double width = (double)stj_shape_cols(&layer->out); /* of all heads */
    return 12 * 2 * t * t * width * (double)batch * (config->causal ? 0.5 : 1);
}

double tangent_flops(const struct stj_network *net, size_t batch)
{
    double flops = 0;
    for (size_t i = 0; i < net->n_nodes; i++) {
        const struct stj_node *node = &net->node[i];
        if (!node->has_tangent)
            continue;
        flops += node->layer.ops == &stj_layer_attention_heads
                     ? attention_flops(&node->layer, batch)
                     : kernel_flops(net, node, batch);
    }
    return flops;
}
