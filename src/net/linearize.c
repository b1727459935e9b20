/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/linearize.c: the primal pass of a slice of a batch: forward, loss, backward.
 *
 *     y_i = f_i(y_input(i), theta_i),   L = weight sum loss(y_last),   y_bar_i = dL / dy_i
 *     theta_bar_i = dL / dtheta_i, and the share of an L2 penalty
 *
 * What products need of it is left in the linearisation, whole-batch arrays [whole][per sample] one
 * after another.  What all layers forget lies in the scratch, of the slice alone, and gives its place
 * to others as soon as it was read (network.c).
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

/* Reals at the head of the scratch: tangents, or values that pass. */
static size_t n_passing(const struct stj_network *net, size_t batch, size_t nvec)
{
    const size_t tangents = net->n_tangent * nvec;
    return batch * (tangents > net->n_passing ? tangents : net->n_passing);
}

size_t stj_network_n_scratch(const struct stj_network *net, size_t batch, size_t nvec)
{
    const size_t least = nvec ? nvec : 1;
    return n_passing(net, batch, nvec) + layer_scratch(net, batch, least) +
           stj_parameters_scratch(net, least) + any_record(net, least);
}

real *stj_parameters_room(const struct stj_network *net, size_t batch, size_t nvec, real *scratch)
{
    if (net->n_room == 0)
        return NULL;
    return scratch + n_passing(net, batch, nvec) + layer_scratch(net, batch, nvec ? nvec : 1);
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

/* The slice's rows of n numbers. */
static const real *place_of(const struct stj_batch *b, const struct stj_value_place *place,
                            size_t n, const real *lin, const real *passing)
{
    if (place->passes)
        return passing ? passing + place->at * b->batch : NULL;
    return lin + place->at * b->whole + b->first * n;
}

struct stj_layer_values stj_node_values(const struct stj_network *net, const struct stj_node *node,
                                        const struct stj_batch *b, const real *theta,
                                        const real *lin, const real *values, const real *bars)
{
    const real *input[STJ_MAX_INPUTS] = {NULL, NULL};
    for (size_t k = 0; k < node->layer.n_inputs; k++) {
        const struct stj_node *from =
            node->input[k] == STJ_NETWORK_INPUT ? NULL : &net->node[node->input[k]];
        input[k] = from ? place_of(b, &from->y, from->n_out, lin, values)
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
        .y = place_of(b, &node->y, node->n_out, lin, values),
        .y_bar = place_of(b, &node->y_bar, node->n_out, lin, bars),
        .saved = (real *)place_of(b, &node->saved, node->layer.n_saved, lin, values),
        .meeting = b->meeting,
    };
}

/* The primal pass of a slice. */
struct primal {
    const struct stj_network *net;
    const struct stj_batch *b;
    const real *theta;
    real *lin, *theta_bar;
    real *passing, *scratch; /* of values that pass, and of the layers */
    double *loss;
    real *room; /* for parameters that have to be gathered */
};

static struct primal primal_of(const struct stj_network *net, const struct stj_batch *b,
                               const real *theta, real *lin, real *theta_bar, double *loss,
                               real *scratch)
{
    return (struct primal){.net = net,
                           .b = b,
                           .theta = theta,
                           .lin = lin,
                           .theta_bar = theta_bar,
                           .passing = scratch,
                           .scratch = scratch + n_passing(net, b->batch, 0),
                           .loss = loss,
                           .room = stj_parameters_room(net, b->batch, 0, scratch)};
}

/* The bar of input k of a node, where it is wanted and has a place. */
static real *input_bar(const struct primal *w, const struct stj_node *node, size_t k)
{
    if (k >= node->layer.n_inputs || node->input[k] == STJ_NETWORK_INPUT)
        return NULL;
    const struct stj_node *from = &w->net->node[node->input[k]];
    return from->has_tangent ? (real *)place_of(w->b, &from->y_bar, from->n_out, w->lin, w->passing)
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
    const struct stj_layer_values out = stj_node_values(net, last, w->b, NULL, w->lin, NULL, NULL);
    const double value = loss_value(w, out.y);
    if (w->loss)
        *w->loss = value + (w->b->evaluate ? 0 : stj_penalty_value(net, w->b, w->theta));
    stj_slice_loss_backward(net, w->b, (real *)out.y_bar, out.y, stj_loss_saved(net, w->b, w->lin));
}

static struct stj_layer_values values_of(const struct primal *w, const struct stj_node *node,
                                         bool forward)
{
    return stj_node_values(w->net, node, w->b, stj_node_theta(w->net, node, w->theta, w->room),
                           w->lin, forward ? w->passing : NULL, forward ? NULL : w->passing);
}

static void primal_record(const void *self, size_t position)
{
    const struct primal *w = self;
    const bool forward = position < w->net->n_nodes;
    const struct stj_node *node = stj_node_at(w->net, position);
    if (!node || !node->layer.ops->record || !(forward || node->has_tangent))
        return;
    const struct stj_layer_values at = values_of(w, node, forward);
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
    const bool forward = position < w->net->n_nodes;
    const struct stj_layer_values at = values_of(w, node, forward);
    if (forward)
        node->layer.ops->forward(&node->layer, (real *)at.y, &at, w->scratch);
    else if (node->has_tangent)
        node->layer.ops->backward(
            &node->layer, node->beta, input_bar(w, node, 0), input_bar(w, node, 1),
            stj_node_theta_bar(w->net, node, 1, w->theta_bar, w->room), &at, w->scratch);
    if (!forward && node->has_tangent)
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
    const struct primal w = primal_of(net, &with, theta, lin, theta_bar, loss, scratch);
    stj_network_walk(net, &with, &all, &w);
}

void stj_network_evaluate(const struct stj_network *net, const struct stj_batch *b,
                          const real *theta, real *lin, real *z, double *loss, real *scratch)
{
    const struct stj_walk forward = {0, net->n_nodes, primal_record, primal_visit};
    const struct stj_node *last = &net->node[net->n_nodes - 1];
    const struct stj_batch with = stj_batch_with_record(net, b, 0, scratch);
    const struct primal w = primal_of(net, &with, theta, lin, NULL, NULL, scratch);
    stj_network_walk(net, &with, &forward, &w);
    const struct stj_layer_values out = stj_node_values(net, last, b, NULL, lin, NULL, NULL);
    memcpy(z, out.y, b->batch * last->n_out * sizeof *z);
    if (loss)
        *loss = loss_value(&w, out.y);
}

void stj_network_predict(const struct stj_network *net, const struct stj_batch *b,
                         const real *theta, real *lin, real *z, real *scratch)
{
    stj_network_evaluate(net, b, theta, lin, z, NULL, scratch);
}
