/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/hvp.c: block Hessian-vector product by forward-over-reverse, exact, at a linearisation.
 *
 * For tangents theta_dot [N][nvec]:  forward tangents y_dot_i in the order of the nodes, the loss's
 * z_bar_dot = H_loss z_dot, then the tangents of the backward pass in the reverse order, which give
 * theta_bar_dot = H theta_dot, to which an L2 penalty adds lambda theta_dot.  The primal pass is
 * not repeated.
 *
 * The two halves alone are the products with the Jacobian of the outputs, G = dz / dtheta: the
 * forward tangents end in z_dot = G theta_dot; the tangents of the backward pass, with all forward
 * tangents zero, take z_bar to theta_bar = G' z_bar.  With H_loss between them they are the product
 * with the Gauss-Newton matrix G' H_loss G.
 */
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "net/network_internal.h"

/* The tangents of one product: `block` = batch * nvec. */
struct tangents {
    const struct stj_network *net;
    const struct stj_batch *b;
    const real *theta, *lin;
    size_t nvec, block;
    bool moving; /* else the tangents of the forward pass are zero, and theta_dot with them */
    const real *theta_dot;
    real *theta_bar_dot;
    real *base, *layer_scratch;
    real *room; /* for parameters that have to be gathered */
};

static struct tangents tangents_of(const struct stj_network *net, const struct stj_batch *b,
                                   const real *theta, const real *lin, size_t nvec,
                                   const real *theta_dot, real *theta_bar_dot, real *scratch)
{
    const size_t block = b->batch * nvec;
    return (struct tangents){.net = net,
                             .b = b,
                             .theta = theta,
                             .lin = lin,
                             .nvec = nvec,
                             .block = block,
                             .moving = true,
                             .theta_dot = theta_dot,
                             .theta_bar_dot = theta_bar_dot,
                             .base = scratch,
                             .layer_scratch = scratch + net->n_tangent * block,
                             .room = stj_parameters_room(net, b->batch, nvec, scratch)};
}

/* The node that input k reads, where that has tangents; else NULL. */
static const struct stj_node *moving_input(const struct tangents *t, const struct stj_node *node,
                                           size_t k)
{
    if (k >= node->layer.n_inputs || node->input[k] == STJ_NETWORK_INPUT)
        return NULL;
    const struct stj_node *from = &t->net->node[node->input[k]];
    return from->has_tangent ? from : NULL;
}

/* Does input k read the network's, which has tangents in this product? */
static bool reads_given(const struct tangents *t, const struct stj_node *node, size_t k)
{
    return t->net->inputs_move && k < node->layer.n_inputs && node->input[k] == STJ_NETWORK_INPUT &&
           t->b->given;
}

/* Where the slice begins in tangents of what a sample has n numbers of. */
static size_t given_at(const struct tangents *t, size_t n)
{
    return t->b->first * t->nvec * n;
}

static const real *y_dot(const struct tangents *t, const struct stj_node *node, size_t k)
{
    const struct stj_node *from = moving_input(t, node, k);
    if (reads_given(t, node, k))
        return t->b->given->dot ? t->b->given->dot + given_at(t, stj_shape_size(&t->net->input))
                                : NULL;
    return from && t->moving ? t->base + from->y_dot * t->block : NULL;
}

static real *y_bar_dot(const struct tangents *t, const struct stj_node *node, size_t k)
{
    const struct stj_node *from = moving_input(t, node, k);
    if (reads_given(t, node, k))
        return t->b->given->bar ? t->b->given->bar + given_at(t, stj_shape_size(&t->net->input))
                                : NULL;
    return from ? t->base + from->y_bar_dot * t->block : NULL;
}

static const real *theta_dot(const struct tangents *t, const struct stj_node *node)
{
    return stj_node_theta_dot(t->net, node, t->nvec, t->theta_dot, t->room);
}

static struct stj_layer_values values_of(const struct tangents *t, const struct stj_node *node)
{
    return stj_node_values(t->net, node, t->b, stj_node_theta(t->net, node, t->theta, t->room),
                           t->lin, NULL, NULL);
}

static void forward_tangent(const struct tangents *t, const struct stj_node *node,
                            const struct stj_layer_values *at)
{
    node->layer.ops->forward_tangent(&node->layer, t->nvec, t->base + node->y_dot * t->block, at,
                                     y_dot(t, node, 0), y_dot(t, node, 1), theta_dot(t, node),
                                     t->layer_scratch);
}

static void backward_tangent(const struct tangents *t, const struct stj_node *node,
                             const struct stj_layer_values *at)
{
    node->layer.ops->backward_tangent(
        &node->layer, t->nvec, node->beta, y_bar_dot(t, node, 0), y_bar_dot(t, node, 1),
        stj_node_theta_bar(t->net, node, t->nvec, t->theta_bar_dot, t->room), at, y_dot(t, node, 0),
        y_dot(t, node, 1), theta_dot(t, node), t->base + node->y_bar_dot * t->block,
        t->layer_scratch);
    stj_node_scatter(t->net, node, t->nvec, t->theta_bar_dot, t->room);
}

/* With the weights of samples (base/block.h), at the loss: z_bar_dot += w_dot_i z_bar_i, from where
 * the backward pass takes it on as it takes z_bar; and z_bar_i . z_dot_i, the tangent of the sample's
 * share of the loss. */
static void weight_tangents(const struct tangents *t, const struct stj_layer_values *out)
{
    const size_t cols = stj_shape_cols(&t->net->output);
    const size_t positions = stj_shape_size(&t->net->output) / cols;
    const struct stj_node *last = &t->net->node[t->net->n_nodes - 1];
    const struct stj_given_tangents *w = t->b->given;
    const size_t first = given_at(t, 1);
    for (size_t i = 0; i < t->block * positions; i++) {
        const size_t row = i / t->nvec, at = first + row / positions * t->nvec + i % t->nvec;
        const real *z_bar = out->y_bar + row * cols;
        const real *z_dot = t->base + last->y_dot * t->block + i * cols;
        real *z_bar_dot = t->base + last->y_bar_dot * t->block + i * cols;
        for (size_t k = 0; w->bar && k < cols; k++)
            w->bar[at] += z_bar[k] * z_dot[k];
        for (size_t k = 0; w->dot && k < cols; k++)
            z_bar_dot[k] += w->dot[at] * z_bar[k];
    }
}

/* With tangents of targets, or for their adjoints. */
static void target_tangents(const struct tangents *t, const struct stj_layer_values *out)
{
    const struct stj_network *net = t->net;
    const struct stj_node *last = &net->node[net->n_nodes - 1];
    const struct stj_given_tangents *y = t->b->given;
    const real *saved = stj_loss_saved(net, t->b, t->lin);
    const size_t first = given_at(t, last->n_out);
    if (y->dot)
        stj_slice_loss_by_target(net, t->b, t->nvec, false, t->base + last->y_bar_dot * t->block,
                                 out->y, saved, y->dot + first);
    if (y->bar)
        stj_slice_loss_by_target(net, t->b, t->nvec, true, y->bar + first, out->y, saved,
                                 t->base + last->y_dot * t->block);
}

/* z_bar_dot = H_loss z_dot */
static void loss_tangent(const struct tangents *t)
{
    const struct stj_network *net = t->net;
    const struct stj_node *last = &net->node[net->n_nodes - 1];
    const struct stj_layer_values out = stj_node_values(net, last, t->b, NULL, t->lin, NULL, NULL);
    stj_slice_loss_tangent(net, t->b, t->nvec, t->base + last->y_bar_dot * t->block, out.y,
                           stj_loss_saved(net, t->b, t->lin), t->base + last->y_dot * t->block);
    if (!t->b->given || !last->has_tangent)
        return;
    if (t->b->given->given == STJ_GIVEN_WEIGHTS)
        weight_tangents(t, &out);
    if (t->b->given->given == STJ_GIVEN_TARGETS)
        target_tangents(t, &out);
}

static void tangents_record(const void *self, size_t position)
{
    const struct tangents *t = self;
    const bool forward = position < t->net->n_nodes;
    const struct stj_node *node = stj_node_at(t->net, position);
    if (!node || !node->layer.ops->record || !node->has_tangent)
        return;
    const struct stj_layer_values at = values_of(t, node);
    node->layer.ops->record(&node->layer, forward ? STJ_FORWARD_TANGENT : STJ_BACKWARD_TANGENT,
                            t->nvec, stj_slice_sync_own(&at.meeting), &at, y_dot(t, node, 0),
                            forward ? NULL : t->base + node->y_bar_dot * t->block);
}

static void tangents_visit(const void *self, size_t position)
{
    const struct tangents *t = self;
    const struct stj_node *node = stj_node_at(t->net, position);
    if (position == t->net->n_nodes) {
        loss_tangent(t);
        return;
    }
    const struct stj_layer_values at = values_of(t, node);
    if (node->has_tangent && position < t->net->n_nodes)
        forward_tangent(t, node, &at);
    else if (node->has_tangent)
        backward_tangent(t, node, &at);
    const bool penalty = !t->b->evaluate && !(t->b->curvature && t->b->curvature->no_penalty);
    if (position == 2 * t->net->n_nodes && t->moving && penalty)
        stj_penalty_add(t->net, t->b, t->nvec, t->theta_dot, t->theta_bar_dot);
}

/* Positions from .. to - 1 of a product. */
static void walk(const struct tangents *t, size_t from, size_t to)
{
    const struct stj_walk positions = {from, to, tangents_record, tangents_visit};
    stj_network_walk(t->net, t->b, &positions, t);
}

void stj_network_hvp(const struct stj_network *net, const struct stj_batch *b, const real *theta,
                     const real *lin, size_t nvec, const real *theta_dot, real *theta_bar_dot,
                     real *scratch)
{
    const struct stj_batch with = stj_batch_with_record(net, b, nvec, scratch);
    const real *zero = b->curvature ? b->curvature->zero : NULL;
    struct tangents t =
        tangents_of(net, &with, theta, lin, nvec, theta_dot, theta_bar_dot, scratch);
    walk(&t, 0, zero ? net->n_nodes + 1 : 2 * net->n_nodes + 1);
    if (zero) { /* back as G' goes */
        t.moving = false;
        t.theta_dot = zero;
        walk(&t, net->n_nodes + 1, 2 * net->n_nodes + 1);
    }
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
        if (!is_finite(node->n_trained, theta_bar_dot + node->theta))
            return node->label;
    }
    return NULL;
}

void stj_network_jvp(const struct stj_network *net, const struct stj_batch *b, const real *theta,
                     const real *lin, size_t nvec, const real *theta_dot, real *z_dot,
                     real *scratch)
{
    const struct stj_batch with = stj_batch_with_record(net, b, nvec, scratch);
    const struct tangents t = tangents_of(net, &with, theta, lin, nvec, theta_dot, NULL, scratch);
    const struct stj_node *last = &net->node[net->n_nodes - 1];
    walk(&t, 0, net->n_nodes);
    memcpy(z_dot, t.base + last->y_dot * t.block, t.block * last->n_out * sizeof *z_dot);
}

void stj_network_vjp(const struct stj_network *net, const struct stj_batch *b, const real *theta,
                     const real *lin, size_t nvec, const real *zero, const real *z_bar,
                     real *theta_bar, real *scratch)
{
    const struct stj_batch with = stj_batch_with_record(net, b, nvec, scratch);
    struct tangents t = tangents_of(net, &with, theta, lin, nvec, zero, theta_bar, scratch);
    const struct stj_node *last = &net->node[net->n_nodes - 1];
    t.moving = false;
    memcpy(t.base + last->y_bar_dot * t.block, z_bar, t.block * last->n_out * sizeof *z_bar);
    walk(&t, net->n_nodes + 1, 2 * net->n_nodes + 1);
}
