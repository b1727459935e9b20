/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/hvp.c: block Hessian-vector product by forward-over-reverse, exact, at a linearisation.
 *
 * For tangents theta_dot [N][nvec]:  forward tangents y_dot_i in the order of the nodes, the loss's
 * z_bar_dot = H_loss z_dot, then the tangents of the backward pass in the reverse order, which give
 * theta_bar_dot = H theta_dot, to which an L2 penalty adds lambda theta_dot.  The primal pass is not
 * repeated.
 *
 * The two halves alone are the products with the Jacobian of the outputs, G = dz / dtheta: the forward
 * tangents end in z_dot = G theta_dot; the tangents of the backward pass, with all forward tangents
 * zero, take z_bar to theta_bar = G' z_bar.
 */
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "net/network_internal.h"

/* Reals that the layers ask for: the most that any of them needs. */
size_t stj_network_layer_scratch(const struct stj_network *net, size_t batch, size_t nvec)
{
    size_t most = 0;
    for (size_t i = 0; i < net->n_nodes; i++) {
        const struct stj_layer *layer = &net->node[i].layer;
        size_t wanted = layer->ops->n_scratch ? layer->ops->n_scratch(layer, batch, nvec) : 0;
        most = wanted > most ? wanted : most;
    }
    return most;
}

size_t stj_network_n_linear(const struct stj_network *net, size_t whole)
{
    return net->n_linear * whole;
}

size_t stj_network_n_scratch(const struct stj_network *net, size_t batch, size_t nvec)
{
    return net->n_tangent * batch * nvec + stj_network_layer_scratch(net, batch, nvec ? nvec : 1);
}

/* The tangents of one product: `block` = batch * nvec. */
struct tangents {
    const struct stj_network *net;
    size_t block;
    real *base;
};

static real *y_dot(const struct tangents *t, const struct stj_node *node, size_t k)
{
    if (k >= node->layer.n_inputs || node->input[k] == STJ_NETWORK_INPUT)
        return NULL;
    const struct stj_node *from = &t->net->node[node->input[k]];
    return from->has_tangent ? t->base + from->y_dot * t->block : NULL;
}

static real *y_bar_dot(const struct tangents *t, const struct stj_node *node, size_t k)
{
    if (k >= node->layer.n_inputs || node->input[k] == STJ_NETWORK_INPUT)
        return NULL;
    const struct stj_node *from = &t->net->node[node->input[k]];
    return from->has_tangent ? t->base + from->y_bar_dot * t->block : NULL;
}

/* y_dot of every node, from theta_dot. */
static void forward_tangents(const struct tangents *t, const struct stj_batch *b, const real *theta,
                             const real *lin, size_t nvec, const real *theta_dot,
                             real *layer_scratch)
{
    for (size_t i = 0; i < t->net->n_nodes; i++) {
        const struct stj_node *node = &t->net->node[i];
        if (!node->has_tangent)
            continue;
        const struct stj_layer_values at = stj_node_values(t->net, node, b, theta, lin);
        node->layer.ops->forward_tangent(&node->layer, nvec, t->base + node->y_dot * t->block, &at,
                                         y_dot(t, node, 0), y_dot(t, node, 1),
                                         theta_dot + nvec * node->theta, layer_scratch);
    }
}

/* theta_bar_dot, from the last node's y_bar_dot; `moving`: with the tangents of the forward pass, else
 * they are zero, and theta_dot with them. */
static void backward_tangents(const struct tangents *t, const struct stj_batch *b,
                              const real *theta, const real *lin, size_t nvec, bool moving,
                              const real *theta_dot, real *theta_bar_dot, real *layer_scratch)
{
    for (size_t i = t->net->n_nodes; i-- > 0;) {
        const struct stj_node *node = &t->net->node[i];
        if (!node->has_tangent)
            continue;
        const struct stj_layer_values at = stj_node_values(t->net, node, b, theta, lin);
        node->layer.ops->backward_tangent(
            &node->layer, nvec, node->beta, y_bar_dot(t, node, 0), y_bar_dot(t, node, 1),
            theta_bar_dot + nvec * node->theta, &at, moving ? y_dot(t, node, 0) : NULL,
            moving ? y_dot(t, node, 1) : NULL, theta_dot + nvec * node->theta,
            t->base + node->y_bar_dot * t->block, layer_scratch);
    }
}

void stj_network_hvp(const struct stj_network *net, const struct stj_batch *b, const real *theta,
                     const real *lin, size_t nvec, const real *theta_dot, real *theta_bar_dot,
                     real *scratch)
{
    const struct tangents t = {net, b->batch * nvec, scratch};
    real *layer_scratch = scratch + net->n_tangent * t.block;
    const struct stj_node *last = &net->node[net->n_nodes - 1];
    const struct stj_layer_values out = stj_node_values(net, last, b, theta, lin);
    forward_tangents(&t, b, theta, lin, nvec, theta_dot, layer_scratch);
    net->loss->backward_tangent(
        net->config->loss.config, &net->output, b->batch, 1 / (real)b->whole, nvec,
        t.base + last->y_bar_dot * t.block, out.y,
        lin + net->loss_saved * b->whole + b->first * (net->n_linear - net->loss_saved),
        t.base + last->y_dot * t.block);
    backward_tangents(&t, b, theta, lin, nvec, true, theta_dot, theta_bar_dot, layer_scratch);
    stj_penalty_add(net, b, nvec, theta_dot, theta_bar_dot);
}

static bool is_finite(size_t n, const real *x)
{
    for (size_t i = 0; i < n; i++)
        if (!isfinite(x[i]))
            return false;
    return true;
}

const char *stj_network_suspect(const struct stj_network *net, const struct stj_batch *b,
                                const real *theta_bar_dot, const real *scratch)
{
    for (size_t i = 0; i < net->n_nodes; i++) { /* as forward_tangents went */
        const struct stj_node *node = &net->node[i];
        if (node->has_tangent &&
            !is_finite(b->batch * node->n_out, scratch + node->y_dot * b->batch))
            return node->label;
    }
    for (size_t i = net->n_nodes;
         i-- > 0;) { /* as backward_tangents went; its blocks share their places */
        const struct stj_node *node = &net->node[i];
        if (!is_finite(node->layer.n_params, theta_bar_dot + node->theta))
            return node->label;
    }
    return NULL;
}

void stj_network_jvp(const struct stj_network *net, const struct stj_batch *b, const real *theta,
                     const real *lin, size_t nvec, const real *theta_dot, real *z_dot,
                     real *scratch)
{
    const struct tangents t = {net, b->batch * nvec, scratch};
    const struct stj_node *last = &net->node[net->n_nodes - 1];
    forward_tangents(&t, b, theta, lin, nvec, theta_dot, scratch + net->n_tangent * t.block);
    memcpy(z_dot, t.base + last->y_dot * t.block, t.block * last->n_out * sizeof *z_dot);
}

void stj_network_vjp(const struct stj_network *net, const struct stj_batch *b, const real *theta,
                     const real *lin, size_t nvec, const real *zero, const real *z_bar,
                     real *theta_bar, real *scratch)
{
    const struct tangents t = {net, b->batch * nvec, scratch};
    const struct stj_node *last = &net->node[net->n_nodes - 1];
    memcpy(t.base + last->y_bar_dot * t.block, z_bar, t.block * last->n_out * sizeof *z_bar);
    backward_tangents(&t, b, theta, lin, nvec, false, zero, theta_bar,
                      scratch + net->n_tangent * t.block);
}
