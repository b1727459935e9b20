/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/linearize.c: the primal pass of a slice of a batch: forward, loss, backward.
 *
 *     y_i = f_i(y_input(i), theta_i),   L = weight sum loss(y_last),   y_bar_i = dL / dy_i
 *     theta_bar_i = dL / dtheta_i, and the share of an L2 penalty
 *
 * All of it is left in the linearisation, whole-batch arrays [whole][per sample] one after another.
 */
#include <string.h>

#include "net/network_internal.h"

struct stj_layer_values stj_node_values(const struct stj_network *net, const struct stj_node *node,
                                        const struct stj_batch *b, const real *theta,
                                        const real *lin)
{
    const real *input[STJ_MAX_INPUTS] = {NULL, NULL};
    for (size_t k = 0; k < node->layer.n_inputs; k++) {
        const struct stj_node *from =
            node->input[k] == STJ_NETWORK_INPUT ? NULL : &net->node[node->input[k]];
        input[k] = from ? lin + from->y * b->whole + b->first * from->n_out
                        : b->x + b->first * stj_shape_size(&net->input);
    }
    return (struct stj_layer_values){
        .batch = b->batch,
        .first = b->first,
        .step = b->step,
        .evaluate = b->evaluate,
        .theta = theta + node->theta,
        .x = input[0],
        .x2 = input[1],
        .y = lin + node->y * b->whole + b->first * node->n_out,
        .y_bar = lin + node->y_bar * b->whole + b->first * node->n_out,
        .saved = (real *)lin + node->saved * b->whole + b->first * node->layer.n_saved,
    };
}

static void forward(const struct stj_network *net, const struct stj_batch *b, const real *theta,
                    real *lin, real *scratch)
{
    for (size_t i = 0; i < net->n_nodes; i++) {
        const struct stj_node *node = &net->node[i];
        const struct stj_layer_values at = stj_node_values(net, node, b, theta, lin);
        node->layer.ops->forward(&node->layer, (real *)at.y, &at, scratch);
    }
}

/* The bar of input k of a node, where it is wanted and has a place. */
static real *input_bar(const struct stj_network *net, const struct stj_node *node, size_t k,
                       const struct stj_batch *b, real *lin)
{
    if (k >= node->layer.n_inputs || node->input[k] == STJ_NETWORK_INPUT)
        return NULL;
    const struct stj_node *from = &net->node[node->input[k]];
    return from->has_tangent ? lin + from->y_bar * b->whole + b->first * from->n_out : NULL;
}

static void backward(const struct stj_network *net, const struct stj_batch *b, const real *theta,
                     real *lin, real *theta_bar, real *scratch)
{
    for (size_t i = net->n_nodes; i-- > 0;) {
        const struct stj_node *node = &net->node[i];
        if (!node->has_tangent)
            continue;
        const struct stj_layer_values at = stj_node_values(net, node, b, theta, lin);
        node->layer.ops->backward(&node->layer, node->beta, input_bar(net, node, 0, b, lin),
                                  input_bar(net, node, 1, b, lin),
                                  theta_bar ? theta_bar + node->theta : NULL, &at, scratch);
    }
}

static struct stj_targets slice_targets(const struct stj_batch *b)
{
    struct stj_targets targets = b->targets;
    targets.row += b->first;
    return targets;
}

void stj_network_linearize(const struct stj_network *net, const struct stj_batch *b,
                           const real *theta, real *lin, double *loss, real *theta_bar,
                           real *scratch)
{
    const struct stj_node *last = &net->node[net->n_nodes - 1];
    const struct stj_targets targets = slice_targets(b);
    const real weight = 1 / (real)b->whole;
    const void *config = net->config->loss.config;
    forward(net, b, theta, lin, scratch);
    const struct stj_layer_values out = stj_node_values(net, last, b, theta, lin);
    real *saved = lin + net->loss_saved * b->whole + b->first * (net->n_linear - net->loss_saved);
    double value = net->loss->value(config, &net->output, b->batch, weight, out.y, &targets, saved);
    if (loss)
        *loss = value + stj_penalty_value(net, b, theta);
    net->loss->backward(config, &net->output, b->batch, weight, (real *)out.y_bar, out.y, &targets,
                        saved);
    backward(net, b, theta, lin, theta_bar, scratch);
    if (theta_bar)
        stj_penalty_add(net, b, 1, theta, theta_bar);
}

void stj_network_predict(const struct stj_network *net, const struct stj_batch *b,
                         const real *theta, real *lin, real *z, real *scratch)
{
    const struct stj_node *last = &net->node[net->n_nodes - 1];
    forward(net, b, theta, lin, scratch);
    const struct stj_layer_values out = stj_node_values(net, last, b, theta, lin);
    memcpy(z, out.y, b->batch * last->n_out * sizeof *z);
}

void stj_network_evaluate(const struct stj_network *net, const struct stj_batch *b,
                          const real *theta, real *lin, real *z, double *loss, real *scratch)
{
    const struct stj_node *last = &net->node[net->n_nodes - 1];
    const struct stj_targets targets = slice_targets(b);
    stj_network_predict(net, b, theta, lin, z, scratch);
    const struct stj_layer_values out = stj_node_values(net, last, b, theta, lin);
    if (loss)
        *loss = net->loss->value(
            net->config->loss.config, &net->output, b->batch, 1 / (real)b->whole, out.y, &targets,
            lin + net->loss_saved * b->whole + b->first * (net->n_linear - net->loss_saved));
}
