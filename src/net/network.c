/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/network.c: building a network: input, parameter layout, and where every value of a pass lies
 * (its nodes: graph.c).
 *
 * Buffers of y_bar_dot are shared: a node's is needed from the visit of its last consumer (in the
 * backward order the first) until its own visit, so a chain needs two however deep it is.  So are
 * those of values that pass: what the layers of a linearisation forget, a y until the last of its
 * consumers went forward, and a y_bar as a y_bar_dot is.
 */
#include "net/network.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/blas.h"
#include "base/error.h"
#include "base/memory.h"
#include "net/initializer.h"
#include "net/network_internal.h"

#define OPTION(...) STJ_OPTION_ROW(struct stj_network_config, __VA_ARGS__)
const struct stj_option stj_network_options[] = {
    OPTION("input", SIZES, input, "",
           "shape of one sample: [features], [positions, channels] or [height, width, channels]; "
           "required unless there are inputs",
           .min = 1, .max = 1e9),
    OPTION("inputs", SHAPES, inputs, "",
           "several inputs in place of one: their names, each with the shape of a sample, {image: "
           "[28, 28, 1], mask: [10]}; layers and the loss read them by name",
           .min = 1, .max = 1e9),
    OPTION("layers", PLUGINS, layers, NULL, "the layers, in order", .kind = &stj_layers),
    OPTION("loss", PLUGIN, loss, NULL,
           "the loss of one sample; the loss of a step is its mean over the batch",
           .kind = &stj_losses),
    OPTION("l2", REAL, l2, "0",
           "lambda: adds the penalty lambda/2 |theta|^2 over all trained parameters to each step's "
           "loss",
           .min = 0, .max = 1e300),
    OPTION("trainable", TEXTS, trainable, "",
           "the trained tensors, by name (LAYER.TENSOR) or by layer, with * for any characters; "
           "default: all.  N, theta and J cover only these"),
    {.name = NULL},
};

static enum stj_status set_shape(const char *key, const struct stj_sizes *sizes,
                                 struct stj_shape *shape, struct stj_error *err)
{
    STJ_NEED(err, sizes->n >= 1 && sizes->n <= STJ_MAX_DIMS, STJ_ECONFIG,
             "network.%s has %zu dimensions, a sample has 1 to %d", key, sizes->n, STJ_MAX_DIMS);
    shape->n_dims = sizes->n;
    size_t total = 1;
    for (size_t i = 0; i < sizes->n; i++) {
        STJ_NEED(err, sizes->item[i] > 0, STJ_ECONFIG,
                 "network.%s: dimension %zu is 0, each must be at least 1", key, i);
        shape->dim[i] = sizes->item[i];
        STJ_MUST(stj_size_mul(total, sizes->item[i], &total, err));
    }
    return stj_blas_fits(total, "the size of network.input", err);
}

/* Inputs by name lie side by side in a flat sample. */
static enum stj_status set_named(struct stj_network *net, struct stj_error *err)
{
    const struct stj_shapes *inputs = &net->config->inputs;
    net->input = (struct stj_shape){.n_dims = 1};
    STJ_MUST(stj_new(&net->named, inputs->n, sizeof *net->named, err));
    net->n_named = inputs->n;
    for (size_t i = 0; i < inputs->n; i++) {
        struct stj_named_input *input = &net->named[i];
        struct stj_shape shape;
        char key[STJ_LABEL_BYTES + 16];
        snprintf(key, sizeof key, "inputs.%.*s", STJ_LABEL_BYTES, inputs->item[i].key);
        STJ_MUST(set_shape(key, &inputs->item[i].sizes, &shape, err));
        input->axes = (struct stj_axes){.n = shape.n_dims, .name = inputs->item[i].key};
        memcpy(input->axes.length, shape.dim, shape.n_dims * sizeof shape.dim[0]);
        input->first = net->input.dim[0];
        input->size = stj_shape_size(&shape);
        net->input.dim[0] += input->size;
        STJ_MUST(stj_blas_fits(net->input.dim[0], "the size of network.inputs", err));
    }
    return STJ_OK;
}

static enum stj_status set_input(struct stj_network *net, struct stj_error *err)
{
    const struct stj_network_config *config = net->config;
    STJ_NEED(err, config->input.n == 0 || config->inputs.n == 0, STJ_ECONFIG,
             "network: input and inputs exclude each other; leave one of them out");
    return config->inputs.n ? set_named(net, err)
                            : set_shape("input", &config->input, &net->input, err);
}

/* The input that the loss takes the weights of samples from. */
static enum stj_status find_weights(struct stj_network *net, struct stj_error *err)
{
    const struct stj_loss_config *loss = net->config->loss.config;
    const struct stj_label_loss_config *labels = net->config->loss.config;
    const char *name = loss->sample_weights;
    if (!name)
        return STJ_OK;
    for (size_t i = 0; i < net->n_named; i++)
        if (strcmp(net->named[i].axes.name, name) == 0)
            net->weigh = &net->named[i];
    STJ_NEED(err, net->weigh, STJ_ECONFIG,
             "network.loss.sample_weights: '%.60s' is none of network.inputs; say inputs: {%.60s: "
             "[1], ...}",
             name, name);
    const size_t n = net->weigh->size, positions = stj_shape_positions(&net->output);
    STJ_NEED(err, n == 1 || n == positions, STJ_ECONFIG,
             "network.loss.sample_weights: the input '%s' has %zu numbers a sample, the loss takes "
             "one%s",
             name, n, positions > 1 ? ", or one for each position of the output" : "");
    STJ_NEED(err,
             !net->loss->wants_labels || loss->reduction == STJ_REDUCE_SUM ||
                 (labels->class_weights.n == 0 && !labels->has_ignore),
             STJ_ECONFIG,
             "network.loss: a mean with class_weights or ignore_index divides by their sum, one "
             "with sample_weights by the number of samples: multiply them into the sample_weights, "
             "or take reduction: sum");
    return STJ_OK;
}

static bool input_has_tangent(const struct stj_network *net, const struct stj_node *node, size_t k)
{
    return node->input[k] == STJ_NETWORK_INPUT ? net->inputs_move
                                               : net->node[node->input[k]].has_tangent;
}

/* Which nodes have tangents, and where they lie. */
static void place_tangents(struct stj_network *net)
{
    for (size_t i = 0; i < net->n_nodes; i++) {
        struct stj_node *node = &net->node[i];
        node->has_tangent = node->is_trained;
        for (size_t k = 0; k < node->layer.n_inputs; k++)
            node->has_tangent |= input_has_tangent(net, node, k);
        node->y_dot = net->n_tangent;
        net->n_tangent += node->has_tangent ? node->n_out : 0;
    }
}

/* Which values of the primal pass products will read: those of nodes that have tangents, unless
 * their layers forget them; and those of the output, at the loss. */
static void choose_kept(struct stj_network *net)
{
    const struct stj_node *last = &net->node[net->n_nodes - 1];
    for (size_t i = 0; i < net->n_nodes; i++) {
        struct stj_node *node = &net->node[i];
        const unsigned forgets = node->has_tangent ? node->layer.forgets : STJ_FORGETS_ALL;
        node->y.passes = node != last && (forgets & STJ_FORGETS_Y);
        node->y_bar.passes = node != last && (forgets & STJ_FORGETS_Y_BAR);
        node->saved.passes = !node->has_tangent;
        for (size_t k = 0; k < node->layer.n_inputs; k++)
            if (node->input[k] != STJ_NETWORK_INPUT && !(forgets & STJ_FORGETS_X))
                net->node[node->input[k]].y.passes = false;
    }
}

/* n reals more in a linearisation, if they are to stay there. */
static void keep(struct stj_network *net, struct stj_node *node, struct stj_value_place *place,
                 size_t n)
{
    if (place->passes)
        return;
    place->at = net->n_linear;
    net->n_linear += n;
    node->n_kept += n;
}

static void place_kept(struct stj_network *net)
{
    choose_kept(net);
    for (size_t i = 0; i < net->n_nodes; i++) {
        struct stj_node *node = &net->node[i];
        keep(net, node, &node->y, node->n_out);
        keep(net, node, &node->y_bar, node->n_out);
        keep(net, node, &node->saved, node->layer.n_saved);
    }
    net->loss_saved = net->n_linear;
    net->n_linear += net->loss->n_saved(&net->output);
}

/* A pool of buffers: `size` are per-sample sizes of the slots, and their places in the end. */
struct pool {
    size_t n;
    size_t *size;
    bool *busy;
};

/* For a value of each node, and one more. */
static enum stj_status pool_init(struct pool *pool, size_t n_nodes, struct stj_error *err)
{
    STJ_MUST(stj_new(&pool->size, n_nodes + 1, sizeof *pool->size, err));
    return stj_new(&pool->busy, n_nodes + 1, sizeof *pool->busy, err);
}

static void pool_free(struct pool *pool)
{
    free(pool->size);
    free(pool->busy);
}

static size_t pool_take(struct pool *pool, size_t size)
{
    size_t s = 0;
    while (s < pool->n && pool->busy[s])
        s++;
    if (s == pool->n)
        pool->n++;
    pool->busy[s] = true;
    pool->size[s] = pool->size[s] > size ? pool->size[s] : size;
    return s;
}

/* pool->size <- where each slot begins, from `first` on; returns where the last one ends. */
static size_t pool_place(struct pool *pool, size_t first)
{
    for (size_t s = 0; s < pool->n; s++) {
        const size_t size = pool->size[s];
        pool->size[s] = first;
        first += size;
    }
    return first;
}

/* last[i] <- the last node that reads the value of node i, itself if there is none. */
static void find_last_readers(const struct stj_network *net, size_t *last)
{
    for (size_t i = 0; i < net->n_nodes; i++) {
        last[i] = i;
        for (size_t k = 0; k < net->node[i].layer.n_inputs; k++)
            if (net->node[i].input[k] != STJ_NETWORK_INPUT)
                last[net->node[i].input[k]] = i;
    }
}

/* Visit the nodes as a pass goes forward: take slots for what passes, give back a y's behind its last
 * reader. */
static void pass_forward(struct stj_network *net, const size_t *last, struct pool *pool)
{
    for (size_t i = 0; i < net->n_nodes; i++) {
        struct stj_node *node = &net->node[i];
        if (node->y.passes)
            node->y.at = pool_take(pool, node->n_out);
        if (node->saved.passes) {
            node->saved.at = pool_take(pool, node->layer.n_saved);
            pool->busy[node->saved.at] = false;
        }
        if (node->y.passes && last[i] == i)
            pool->busy[node->y.at] = false;
        for (size_t k = 0; k < node->layer.n_inputs; k++) {
            const size_t from = node->input[k];
            if (from != STJ_NETWORK_INPUT && net->node[from].y.passes && last[from] == i)
                pool->busy[net->node[from].y.at] = false;
        }
    }
}

/* A node's bar and its tangents have their first consumer. */
static void take_bars(struct stj_node *node, struct pool *bars, struct pool *tangents)
{
    node->y_bar_dot = pool_take(tangents, node->n_out);
    if (node->y_bar.passes)
        node->y_bar.at = pool_take(bars, node->n_out);
}

/* Visit the nodes backwards as a pass and a product will: take slots for an input's bar at its first
 * consumer, give back the node's own after its visit. */
static void pass_back(struct stj_network *net, bool *written, struct pool *bars,
                      struct pool *tangents)
{
    take_bars(&net->node[net->n_nodes - 1], bars, tangents);
    for (size_t i = net->n_nodes; i-- > 0;) {
        struct stj_node *node = &net->node[i];
        for (size_t k = 0; k < node->layer.n_inputs; k++) {
            const size_t from = node->input[k];
            if (from == STJ_NETWORK_INPUT) {
                node->beta[k] = net->inputs_move ? 1 : 0; /* the bar of the input begins as zero */
                continue;
            }
            node->beta[k] = written[from] ? 1 : 0;
            if (!written[from] && net->node[from].has_tangent)
                take_bars(&net->node[from], bars, tangents);
            written[from] = true;
        }
        if (node->has_tangent)
            tangents->busy[node->y_bar_dot] = false;
        if (node->has_tangent && node->y_bar.passes)
            bars->busy[node->y_bar.at] = false;
    }
}

/* From slots to offsets. */
static void place_slots(struct stj_network *net, struct pool *passing, struct pool *tangents)
{
    net->n_passing = pool_place(passing, 0);
    net->n_tangent = pool_place(tangents, net->n_tangent);
    for (size_t i = 0; i < net->n_nodes; i++) {
        struct stj_node *node = &net->node[i];
        struct stj_value_place *const place[] = {&node->y, &node->saved, &node->y_bar};
        for (size_t k = 0; k < sizeof place / sizeof *place; k++)
            if (place[k]->passes)
                place[k]->at = passing->size[place[k]->at];
        if (node->has_tangent)
            node->y_bar_dot = tangents->size[node->y_bar_dot];
    }
}

static enum stj_status place_values(struct stj_network *net, struct stj_error *err)
{
    STJ_HELD(pool_free) struct pool passing = {0};
    STJ_HELD(pool_free) struct pool tangents = {0};
    STJ_FREED size_t *last = NULL;
    STJ_FREED bool *written = NULL;
    STJ_MUST(pool_init(&passing, net->n_nodes, err));
    STJ_MUST(pool_init(&tangents, net->n_nodes, err));
    STJ_MUST(stj_new(&last, net->n_nodes, sizeof *last, err));
    STJ_MUST(stj_new(&written, net->n_nodes, sizeof *written, err));
    place_tangents(net);
    place_kept(net);
    find_last_readers(net, last);
    pass_forward(net, last, &passing);
    pass_back(net, written, &passing, &tangents);
    place_slots(net, &passing, &tangents);
    return STJ_OK;
}

/* Where a walk has to stop for the records of other slices: at layers that have some, both ways. */
static enum stj_status place_stops(struct stj_network *net, struct stj_error *err)
{
    const size_t n = net->n_nodes;
    STJ_MUST(stj_new(&net->stop, 2 * n, sizeof *net->stop, err));
    for (size_t p = 0; p <= 2 * n; p++)
        if (stj_node_at(net, p) && stj_node_at(net, p)->layer.ops->record)
            net->stop[net->n_stops++] = p;
    return STJ_OK;
}

static enum stj_status create(const struct stj_network_config *config, bool inputs_move,
                              struct stj_network **net, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct stj_network *n = NULL;
    STJ_TRY(stj_new(&n, 1, sizeof *n, err));
    n->config = config;
    n->loss = (const struct stj_loss_ops *)stj_own_plugin(&stj_losses, config->loss.info);
    n->inputs_move = inputs_move;
    STJ_TRY(set_input(n, err));
    STJ_TRY(stj_network_make_nodes(n, &config->layers, err));
    STJ_TRY(find_weights(n, err));
    STJ_TRY(stj_network_check_ends(n, err));
    STJ_TRY(stj_network_place_parameters(n, err));
    STJ_TRY(place_values(n, err));
    STJ_TRY(place_stops(n, err));
    *net = n;
    n = NULL;
out:
    stj_network_destroy(n);
    return st;
}

enum stj_status stj_network_create(const struct stj_network_config *config,
                                   struct stj_network **net, struct stj_error *err)
{
    return create(config, false, net, err);
}

enum stj_status stj_network_create_moving(const struct stj_network *net,
                                          struct stj_network **moving, struct stj_error *err)
{
    STJ_MUST(create(net->config, true, moving, err));
    if (net->n_frozen > 0)
        memcpy((*moving)->frozen, net->frozen, net->n_frozen * sizeof *net->frozen);
    return STJ_OK;
}

void stj_network_destroy(struct stj_network *net)
{
    if (!net)
        return;
    free(net->layout.tensor);
    free(net->node);
    free(net->stop);
    free(net->ids);
    free(net->named);
    free(net->frozen);
    free(net);
}

const struct stj_network_config *stj_network_config_of(const struct stj_network *net)
{
    return net->config;
}

size_t stj_network_n_params(const struct stj_network *net)
{
    return net->layout.n_params;
}

const struct stj_layout *stj_network_layout(const struct stj_network *net)
{
    return &net->layout;
}

const struct stj_shape *stj_network_input(const struct stj_network *net)
{
    return &net->input;
}

const struct stj_named_input *stj_network_named_inputs(const struct stj_network *net, size_t *n)
{
    *n = net->n_named;
    return net->named;
}

const struct stj_shape *stj_network_output(const struct stj_network *net)
{
    return &net->output;
}

const struct stj_loss_ops *stj_network_loss(const struct stj_network *net)
{
    return net->loss;
}

bool stj_network_weighs(const struct stj_network *net)
{
    return net->weigh;
}

const void *stj_network_loss_config(const struct stj_network *net)
{
    return net->config->loss.config;
}

bool stj_network_couples_samples(const struct stj_network *net)
{
    return net->n_stops > 0;
}

const size_t *stj_network_ids(const struct stj_network *net)
{
    return net->ids;
}

size_t stj_network_n_ids(const struct stj_network *net)
{
    return net->n_ids;
}

size_t stj_network_positions(const struct stj_network *net)
{
    size_t most = 0;
    size_t positions = 1;
    for (size_t i = 0; i < net->n_nodes; i++) {
        const struct stj_layer *layer = &net->node[i].layer;
        const size_t rows = stj_shape_positions(&layer->out);
        if (layer->n_params * rows > most) {
            most = layer->n_params * rows;
            positions = rows;
        }
    }
    return positions;
}

size_t stj_network_n_layers(const struct stj_network *net)
{
    return net->n_nodes;
}

const struct stj_layer *stj_network_layer(const struct stj_network *net, size_t i, size_t *offset)
{
    if (offset)
        *offset = net->node[i].theta;
    return &net->node[i].layer;
}

/* Of a tensor of so many rows and columns in products of all positions: 2 a number. */
static double product_flops(const struct stj_layer *layer, const struct stj_tensor *tensor)
{
    const size_t at = layer->n_at ? layer->n_at : stj_shape_positions(&layer->out);
    const bool product = tensor->role != STJ_TENSOR_TABLE;
    return product ? 2.0 * (double)(tensor->rows * tensor->cols) * (double)at : 0;
}

void stj_network_describe(const struct stj_network *net, size_t i, struct stj_network_about *about)
{
    const struct stj_node *node = &net->node[i];
    *about = (struct stj_network_about){.offset = node->theta,
                                        .n_params = node->n_trained,
                                        .n_inputs = i < net->n_named ? 0 : node->layer.n_inputs,
                                        .bytes = node->n_kept * sizeof(real),
                                        .flops = (double)node->n_out + 2 * node->layer.products};
    for (size_t k = 0; k < about->n_inputs; k++)
        about->input[k] =
            node->input[k] == STJ_NETWORK_INPUT ? NULL : net->node[node->input[k]].label;
    for (size_t t = 0; t < node->layer.n_tensors; t++) {
        const struct stj_tensor *tensor = &node->layer.tensor[t];
        const size_t n = tensor->rows * tensor->cols;
        about->flops += product_flops(&node->layer, tensor);
        about->n_shared += node->place[t].shared ? n : 0;
        about->n_frozen += node->place[t].frozen && !node->place[t].shared ? n : 0;
    }
}

size_t stj_network_n_frozen(const struct stj_network *net)
{
    return net->n_frozen;
}

const real *stj_network_frozen(const struct stj_network *net)
{
    return net->frozen;
}

void stj_network_set_frozen(struct stj_network *net, const double *value)
{
    for (size_t i = 0; i < net->n_frozen; i++)
        net->frozen[i] = (real)value[i];
}

enum stj_status stj_network_initialize(struct stj_network *net, uint64_t seed, double *theta,
                                       struct stj_error *err)
{
    STJ_HELD(stj_rng_destroy_at) struct stj_rng *rng = NULL;
    STJ_FREED double *frozen = NULL;
    STJ_MUST(stj_new(&frozen, net->n_frozen, sizeof *frozen, err));
    STJ_MUST(stj_rng_create(seed, STJ_STREAM_INIT, 0, &rng, err));
    for (size_t i = 0; i < net->n_nodes; i++) {
        const struct stj_node *node = &net->node[i];
        for (size_t t = 0; t < node->layer.n_tensors; t++) {
            const struct stj_tensor *tensor = &node->layer.tensor[t];
            const struct stj_initializer_ops *ops =
                (const struct stj_initializer_ops *)tensor->init->info;
            const struct stj_tensor_place *place = &node->place[t];
            if (!place->shared)
                ops->fill(tensor->init->config, tensor->rows * tensor->cols, tensor->fan_in,
                          tensor->fan_out, rng, (place->frozen ? frozen : theta) + place->offset);
        }
    }
    stj_network_set_frozen(net, frozen);
    return STJ_OK;
}
