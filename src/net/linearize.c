/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/linearize.c: the primal pass of a slice of a batch: forward, loss, backward.
 *
 *     y_i = f_i(y_input(i), theta_i),   L = weight sum loss(y_last),   y_bar_i = dL / dy_i
 *     theta_bar_i = dL / dtheta_i, and the share of an L2 penalty
 *
 * All of it is left in the linearisation, whole-batch arrays [whole][per sample] one after another.
 * Layers whose samples depend on each other cut the walk into stages (network_internal.h).
 */
#include <string.h>

#include "net/network_internal.h"

const struct stj_node *stj_node_at(const struct stj_network *net, size_t position)
{
    if (position == net->n_nodes)
        return NULL;
    return &net->node[position < net->n_nodes ? position : 2 * net->n_nodes - position];
}

size_t stj_network_n_linear(const struct stj_network *net, size_t whole)
{
    return net->n_linear * whole;
}

size_t stj_network_n_stages(const struct stj_network *net)
{
    return net->n_stops + 1;
}

size_t stj_network_n_record(const struct stj_network *net, size_t nvec)
{
    size_t most = 0;
    for (size_t i = 0; i < net->n_nodes; i++) {
        const struct stj_layer *layer = &net->node[i].layer;
        const size_t wanted = layer->ops->n_record ? layer->ops->n_record(layer, nvec) : 0;
        most = wanted > most ? wanted : most;
    }
    return most;
}

void stj_network_walk(const struct stj_network *net, const struct stj_batch *b,
                      const struct stj_walk *walk, const void *self)
{
    const bool alone = stj_slice_sync_alone(&b->meeting);
    const size_t k = b->meeting.stage;
    const size_t from = alone || k == 0 ? walk->from : net->stop[k - 1];
    const size_t to = alone || k == net->n_stops ? walk->to : net->stop[k];
    for (size_t p = from; p < to; p++) {
        if (alone)
            walk->record(self, p);
        walk->visit(self, p);
    }
    if (to < walk->to)
        walk->record(self, to);
}

/* The most that a record of a primal pass, or of one of nvec tangents, has. */
static size_t any_record(const struct stj_network *net, size_t nvec)
{
    const size_t primal = stj_network_n_record(net, 0), tangent = stj_network_n_record(net, nvec);
    return primal > tangent ? primal : tangent;
}

/* Reals that the layers ask for: the most that any of them needs. */
static size_t layer_scratch(const struct stj_network *net, size_t batch, size_t nvec)
{
    size_t most = 0;
    for (size_t i = 0; i < net->n_nodes; i++) {
        const struct stj_layer *layer = &net->node[i].layer;
        size_t wanted = layer->ops->n_scratch ? layer->ops->n_scratch(layer, batch, nvec) : 0;
        most = wanted > most ? wanted : most;
    }
    return most;
}

size_t stj_network_n_scratch(const struct stj_network *net, size_t batch, size_t nvec)
{
    const size_t least = nvec ? nvec : 1;
    return net->n_tangent * batch * nvec + layer_scratch(net, batch, least) +
           stj_parameters_scratch(net, least) + any_record(net, least);
}

real *stj_parameters_room(const struct stj_network *net, size_t batch, size_t nvec, real *scratch)
{
    if (net->n_room == 0)
        return NULL;
    return scratch + net->n_tangent * batch * nvec + layer_scratch(net, batch, nvec ? nvec : 1);
}

struct stj_batch stj_batch_with_record(const struct stj_network *net, const struct stj_batch *b,
                                       size_t nvec, real *scratch)
{
    struct stj_batch with = *b;
    if (stj_slice_sync_alone(&b->meeting)) {
        with.meeting.size = any_record(net, nvec ? nvec : 1);
        with.meeting.record =
            scratch + stj_network_n_scratch(net, b->batch, nvec) - with.meeting.size;
    }
    return with;
}

real *stj_loss_saved(const struct stj_network *net, const struct stj_batch *b, const real *lin)
{
    return (real *)lin + net->loss_saved * b->whole + b->first * (net->n_linear - net->loss_saved);
}

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
        .whole = b->whole,
        .batch = b->batch,
        .first = b->origin + b->first,
        .step = b->step,
        .evaluate = b->evaluate,
        .theta = theta,
        .x = input[0],
        .x2 = input[1],
        .y = lin + node->y * b->whole + b->first * node->n_out,
        .y_bar = lin + node->y_bar * b->whole + b->first * node->n_out,
        .saved = (real *)lin + node->saved * b->whole + b->first * node->layer.n_saved,
        .meeting = b->meeting,
    };
}

/* The primal pass of a slice. */
struct primal {
    const struct stj_network *net;
    const struct stj_batch *b;
    const real *theta;
    real *lin, *theta_bar, *scratch;
    double *loss;
    real *room; /* for parameters that have to be gathered */
};

/* The bar of input k of a node, where it is wanted and has a place. */
static real *input_bar(const struct primal *w, const struct stj_node *node, size_t k)
{
    if (k >= node->layer.n_inputs || node->input[k] == STJ_NETWORK_INPUT)
        return NULL;
    const struct stj_node *from = &w->net->node[node->input[k]];
    return from->has_tangent ? w->lin + from->y_bar * w->b->whole + w->b->first * from->n_out
                             : NULL;
}

/* The slice's share of the mean loss of the data, and what the loss saves of it. */
static double loss_value(const struct primal *w, const real *z)
{
    return stj_slice_loss(w->net, w->b, z, stj_loss_saved(w->net, w->b, w->lin));
}

static void primal_loss(const struct primal *w)
{
    const struct stj_network *net = w->net;
    const struct stj_node *last = &net->node[net->n_nodes - 1];
    const struct stj_layer_values out = stj_node_values(net, last, w->b, NULL, w->lin);
    const double value = loss_value(w, out.y);
    if (w->loss)
        *w->loss = value + (w->b->evaluate ? 0 : stj_penalty_value(net, w->b, w->theta));
    stj_slice_loss_backward(net, w->b, (real *)out.y_bar, out.y, stj_loss_saved(net, w->b, w->lin));
}

static struct stj_layer_values values_of(const struct primal *w, const struct stj_node *node)
{
    return stj_node_values(w->net, node, w->b, stj_node_theta(w->net, node, w->theta, w->room),
                           w->lin);
}

static void primal_record(const void *self, size_t position)
{
    const struct primal *w = self;
    const bool forward = position < w->net->n_nodes;
    const struct stj_node *node = stj_node_at(w->net, position);
    if (!node || !node->layer.ops->record || !(forward || node->has_tangent))
        return;
    const struct stj_layer_values at = values_of(w, node);
    node->layer.ops->record(&node->layer, forward ? STJ_FORWARD : STJ_BACKWARD, 0,
                            stj_slice_sync_own(&at.meeting), &at, NULL, NULL);
}

static void primal_visit(const void *self, size_t position)
{
    const struct primal *w = self;
    const struct stj_node *node = stj_node_at(w->net, position);
    if (position == w->net->n_nodes) {
        primal_loss(w);
        return;
    }
    const struct stj_layer_values at = values_of(w, node);
    if (position < w->net->n_nodes)
        node->layer.ops->forward(&node->layer, (real *)at.y, &at, w->scratch);
    else if (node->has_tangent)
        node->layer.ops->backward(
            &node->layer, node->beta, input_bar(w, node, 0), input_bar(w, node, 1),
            stj_node_theta_bar(w->net, node, 1, w->theta_bar, w->room), &at, w->scratch);
    if (position > w->net->n_nodes && node->has_tangent)
        stj_node_scatter(w->net, node, 1, w->theta_bar, w->room);
    if (position == 2 * w->net->n_nodes && w->theta_bar && !w->b->evaluate)
        stj_penalty_add(w->net, w->b, 1, w->theta, w->theta_bar);
}

void stj_network_linearize(const struct stj_network *net, const struct stj_batch *b,
                           const real *theta, real *lin, double *loss, real *theta_bar,
                           real *scratch)
{
    const struct stj_walk all = {0, 2 * net->n_nodes + 1, primal_record, primal_visit};
    const struct stj_batch with = stj_batch_with_record(net, b, 0, scratch);
    real *room = stj_parameters_room(net, b->batch, 0, scratch);
    const struct primal w = {net, &with, theta, lin, theta_bar, scratch, loss, room};
    stj_network_walk(net, &with, &all, &w);
}

void stj_network_evaluate(const struct stj_network *net, const struct stj_batch *b,
                          const real *theta, real *lin, real *z, double *loss, real *scratch)
{
    const struct stj_walk forward = {0, net->n_nodes, primal_record, primal_visit};
    const struct stj_node *last = &net->node[net->n_nodes - 1];
    const struct stj_batch with = stj_batch_with_record(net, b, 0, scratch);
    real *room = stj_parameters_room(net, b->batch, 0, scratch);
    const struct primal w = {net, &with, theta, lin, NULL, scratch, NULL, room};
    stj_network_walk(net, &with, &forward, &w);
    const struct stj_layer_values out = stj_node_values(net, last, b, NULL, lin);
    memcpy(z, out.y, b->batch * last->n_out * sizeof *z);
    if (loss)
        *loss = loss_value(&w, out.y);
}

void stj_network_predict(const struct stj_network *net, const struct stj_batch *b,
                         const real *theta, real *lin, real *z, real *scratch)
{
    stj_network_evaluate(net, b, theta, lin, z, NULL, scratch);
}
