/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/network.c: building a network: shapes, parameter layout, and where every value of a pass
 * lies.
 *
 * Buffers of y_bar_dot are shared: a node's is needed from the visit of its last consumer (in the
 * backward order the first) until its own visit, so a chain needs two however deep it is.
 */
#include "net/network.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/blas.h"
#include "base/error.h"
#include "base/memory.h"
#include "net/initializer.h"
#include "net/network_internal.h"

const struct stj_option stj_network_options[] = {
    {.name = "input",
     .type = STJ_OPTION_SIZES,
     .offset = offsetof(struct stj_network_config, input),
     .min = 1,
     .max = 1e9,
     .doc = "shape of one sample: [features], [positions, channels] or [height, width, channels]"},
    {.name = "layers",
     .type = STJ_OPTION_PLUGINS,
     .offset = offsetof(struct stj_network_config, layers),
     .kind = &stj_layers,
     .doc = "the layers, in order"},
    {.name = "loss",
     .type = STJ_OPTION_PLUGIN,
     .offset = offsetof(struct stj_network_config, loss),
     .kind = &stj_losses,
     .doc = "the loss of one sample; the loss of a step is its mean over the batch"},
    {.name = "l2",
     .type = STJ_OPTION_REAL,
     .offset = offsetof(struct stj_network_config, l2),
     .fallback = "0",
     .min = 0,
     .max = 1e300,
     .doc = "lambda: each step's loss has the penalty lambda/2 |theta|^2 of all parameters"},
    {.name = NULL},
};

static enum stj_status set_input(struct stj_network *net, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const struct stj_sizes *sizes = &net->config->input;
    STJ_CHECK(err, sizes->n >= 1 && sizes->n <= STJ_MAX_DIMS, STJ_ECONFIG,
              "network.input has %zu dimensions, a sample has 1 to %d", sizes->n, STJ_MAX_DIMS);
    net->input.n_dims = sizes->n;
    size_t total = 1;
    for (size_t i = 0; i < sizes->n; i++) {
        STJ_CHECK(err, sizes->item[i] > 0, STJ_ECONFIG,
                  "network.input: dimension %zu is 0, each must be at least 1", i);
        net->input.dim[i] = sizes->item[i];
        STJ_TRY(stj_size_mul(total, sizes->item[i], &total, err));
    }
    STJ_TRY(stj_blas_fits(total, "the size of network.input", err));
out:
    return st;
}

/* A node to be made for a plug-in of the config; inputs are node numbers. */
struct insertion {
    const struct stj_plugin *plugin;
    const struct stj_layer_ops *ops; /* the plug-in's, or those of one of its parts */
    size_t number;                   /* of the first of its nodes, in labels */
    size_t input[STJ_MAX_INPUTS];
};

static const struct stj_layer_ops *ops_of(const struct stj_plugin *plugin)
{
    return (const struct stj_layer_ops *)plugin->info;
}

static size_t n_parts(const struct stj_layer_ops *ops)
{
    size_t n = 0;
    while (ops->parts && ops->parts[n])
        n++;
    return n;
}

/* Nodes that the layers will take. */
static size_t count_nodes(const struct stj_plugins *layers)
{
    size_t n = 0;
    for (size_t i = 0; i < layers->n; i++) {
        const struct stj_layer_ops *ops = ops_of(&layers->item[i]);
        n += ops->parts ? n_parts(ops) : 1;
        n += ops->body ? count_nodes(ops->body(layers->item[i].config)) : 0;
    }
    return n;
}

static enum stj_status set_label(struct stj_node *node, const struct insertion *what,
                                 struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    int n = 0;
    const struct stj_plugin *plugin = what->plugin;
    const char *part = what->ops == ops_of(plugin) ? "" : what->ops->info.name;
    const char *dot = part[0] ? "." : "";
    if (plugin->label)
        n = snprintf(node->label, sizeof node->label, "%s%s%s", plugin->label, dot, part);
    else
        n = snprintf(node->label, sizeof node->label, "%s%zu%s%s", plugin->info->name, what->number,
                     dot, part);
    STJ_CHECK(err, (size_t)n < sizeof node->label, STJ_ECONFIG,
              "layer '%s...': its name has %d bytes, the limit is %zu", node->label, n,
              sizeof node->label - 1);
out:
    return st;
}

static const struct stj_shape *shape_at(const struct stj_network *net, size_t node)
{
    return node == STJ_NETWORK_INPUT ? &net->input : &net->node[node].layer.out;
}

/* Token numbers come from the data, never from a layer. */
static enum stj_status set_ids(struct stj_network *net, const struct stj_node *node,
                               struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const size_t n_ids = node->layer.n_ids;
    if (n_ids == 0)
        goto out;
    STJ_CHECK(err, node->input[0] == STJ_NETWORK_INPUT, STJ_ECONFIG,
              "layer '%s' reads token ids, but its input is the output of layer '%s': put it first",
              node->label, net->node[node->input[0]].label);
    net->n_ids = net->n_ids && net->n_ids < n_ids ? net->n_ids : n_ids;
out:
    return st;
}

static enum stj_status append_node(struct stj_network *net, const struct insertion *what,
                                   struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct stj_node *node = &net->node[net->n_nodes];
    struct stj_layer *layer = &node->layer;
    STJ_TRY(set_label(node, what, err));
    layer->ops = what->ops;
    layer->config = what->plugin->config;
    layer->label = node->label;
    layer->seed = net->n_nodes;
    layer->n_inputs = what->ops->n_inputs ? what->ops->n_inputs : 1;
    assert(layer->n_inputs <= STJ_MAX_INPUTS);
    layer->in = *shape_at(net, what->input[0]);
    for (size_t k = 0; k < layer->n_inputs; k++)
        node->input[k] = what->input[k];
    st = layer->ops->setup(layer, layer->n_inputs > 1 ? shape_at(net, what->input[1]) : NULL, err);
    if (st != STJ_OK) {
        stj_error_prefix(err, "layer '%s'", node->label);
        goto out;
    }
    STJ_TRY(set_ids(net, node, err));
    node->n_in = stj_shape_size(&layer->in);
    node->n_out = stj_shape_size(&layer->out);
    STJ_TRY(stj_blas_fits(node->n_out, "the number of outputs of a layer", err));
    net->n_nodes++;
out:
    return st;
}

static enum stj_status append_layers(struct stj_network *net, const struct stj_plugins *layers,
                                     size_t input, size_t *last, struct stj_error *err);

/* *last <- the node that gives the plug-in's output. */
static enum stj_status append_plugin(struct stj_network *net, const struct stj_plugin *plugin,
                                     size_t input, size_t *last, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct insertion what = {.plugin = plugin, .ops = ops_of(plugin), .input = {input, input}};
    if (what.ops->body)
        STJ_TRY(append_layers(net, what.ops->body(plugin->config), input, &what.input[1], err));
    what.number = net->n_nodes;
    if (!what.ops->parts) {
        STJ_TRY(append_node(net, &what, err));
    } else {
        for (const struct stj_layer_ops *const *part = ops_of(plugin)->parts; *part; part++) {
            what.ops = *part;
            STJ_TRY(append_node(net, &what, err));
            what.input[0] = net->n_nodes - 1;
        }
    }
    *last = net->n_nodes - 1;
out:
    return st;
}

/* A chain of layers behind node `input`; *last <- the node of its end. */
static enum stj_status append_layers(struct stj_network *net, const struct stj_plugins *layers,
                                     size_t input, size_t *last, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    *last = input;
    for (size_t i = 0; i < layers->n; i++)
        STJ_TRY(append_plugin(net, &layers->item[i], *last, last, err));
out:
    return st;
}

static enum stj_status make_nodes(struct stj_network *net, const struct stj_plugins *layers,
                                  struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    size_t last = 0;
    STJ_CHECK(err, layers->n > 0, STJ_ECONFIG, "network.layers is empty, it needs a layer");
    STJ_TRY(stj_new(&net->node, count_nodes(layers), sizeof *net->node, err));
    STJ_TRY(append_layers(net, layers, STJ_NETWORK_INPUT, &last, err));
    net->output = net->node[last].layer.out;
out:
    return st;
}

/* A label among others, in an order that puts "a.b" directly behind "a". */
struct label {
    const char *text;
    bool has_tensors;
};

static int compare_labels(const void *a, const void *b)
{
    const char *p = ((const struct label *)a)->text;
    const char *q = ((const struct label *)b)->text;
    for (; *p && *p == *q; p++)
        q++;
    const int left = *p == '.' ? 1 : (unsigned char)*p;
    const int right = *q == '.' ? 1 : (unsigned char)*q;
    return left - right;
}

/* Two layers, and a layer and a tensor, have different names: in --layers and init.names one must
 * not mean both.  label[n_nodes] are sorted. */
static enum stj_status check_neighbours(const struct label *label, size_t n, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    for (size_t i = 1; i < n; i++) {
        const char *one = label[i - 1].text;
        const char *two = label[i].text;
        const size_t length = strlen(one);
        STJ_CHECK(err, strcmp(one, two) != 0, STJ_ECONFIG,
                  "network.layers: two layers are called '%s', by `name`, or by type and number "
                  "where none is given; rename one",
                  one);
        STJ_CHECK(err,
                  !label[i - 1].has_tensors || strncmp(one, two, length) != 0 || two[length] != '.',
                  STJ_ECONFIG,
                  "network.layers: '%s' would be a tensor of the layer '%s', and is a layer too; "
                  "rename one",
                  two, one);
    }
out:
    return st;
}

static enum stj_status check_labels(const struct stj_network *net, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct label *label = NULL;
    const size_t n = net->n_nodes;
    STJ_TRY(stj_new(&label, n, sizeof *label, err));
    for (size_t i = 0; i < n; i++)
        label[i] = (struct label){net->node[i].label, net->node[i].layer.n_tensors > 0};
    qsort(label, n, sizeof *label, compare_labels);
    STJ_TRY(check_neighbours(label, n, err));
    for (size_t i = 0; i < n; i++)
        for (size_t t = 0; t < net->node[i].layer.n_tensors; t++) {
            const struct label kind = {.text = net->node[i].layer.tensor[t].name};
            STJ_CHECK(
                err, !bsearch(&kind, label, n, sizeof *label, compare_labels), STJ_ECONFIG,
                "network.layers: a layer is called '%s', as a tensor of layer '%s' is; rename "
                "it",
                kind.text, net->node[i].label);
        }
out:
    free(label);
    return st;
}

static enum stj_status set_layout(struct stj_network *net, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    size_t n_tensors = 0;
    for (size_t i = 0; i < net->n_nodes; i++)
        n_tensors += net->node[i].layer.n_tensors;
    STJ_TRY(stj_new(&net->layout.tensor, n_tensors, sizeof *net->layout.tensor, err));
    size_t offset = 0;
    for (size_t i = 0; i < net->n_nodes; i++) {
        struct stj_layer *layer = &net->node[i].layer;
        net->node[i].theta = offset;
        for (size_t t = 0; t < layer->n_tensors; t++)
            net->layout.tensor[net->layout.n_tensors++] = (struct stj_tensor_shape){
                .offset = offset + layer->tensor[t].offset,
                .rows = layer->tensor[t].rows,
                .cols = layer->tensor[t].cols,
            };
        offset += layer->n_params;
    }
    STJ_CHECK(err, offset > 0, STJ_ECONFIG, "the network has no parameters: nothing to train");
    STJ_TRY(stj_blas_fits(offset, "the number of parameters", err));
    net->layout.n_params = offset;
out:
    return st;
}

static bool input_has_tangent(const struct stj_network *net, const struct stj_node *node, size_t k)
{
    return node->input[k] != STJ_NETWORK_INPUT && net->node[node->input[k]].has_tangent;
}

/* Values of the primal pass, then tangents: which nodes have one, and where it lies. */
static void place_values(struct stj_network *net)
{
    size_t linear = 0;
    size_t tangent = 0;
    for (size_t i = 0; i < net->n_nodes; i++) {
        struct stj_node *node = &net->node[i];
        node->y = linear;
        node->y_bar = linear + node->n_out;
        node->saved = linear + 2 * node->n_out;
        linear += 2 * node->n_out + node->layer.n_saved;
        node->has_tangent = node->layer.n_params > 0;
        for (size_t k = 0; k < node->layer.n_inputs; k++)
            node->has_tangent |= input_has_tangent(net, node, k);
        node->y_dot = tangent;
        tangent += node->has_tangent ? node->n_out : 0;
    }
    net->loss_saved = linear;
    net->n_linear = linear + net->loss->n_saved(&net->output);
    net->n_tangent = tangent;
}

/* A pool of y_bar_dot buffers: slots[] are per-sample sizes. */
struct bar_pool {
    size_t n;
    size_t *size;
    bool *busy;
};

static size_t pool_take(struct bar_pool *pool, size_t size)
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

/* Visit the nodes backwards as a product will: take a slot for an input's y_bar_dot at its first
 * consumer, give back the node's own after its visit; then turn slots into offsets. */
static enum stj_status place_bar_tangents(struct stj_network *net, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct bar_pool pool = {0};
    bool *written = NULL;
    size_t *at = NULL;
    STJ_TRY(stj_new(&pool.size, net->n_nodes, sizeof *pool.size, err));
    STJ_TRY(stj_new(&pool.busy, net->n_nodes, sizeof *pool.busy, err));
    STJ_TRY(stj_new(&written, net->n_nodes, sizeof *written, err));
    STJ_TRY(stj_new(&at, net->n_nodes + 1, sizeof *at, err));
    struct stj_node *last = &net->node[net->n_nodes - 1];
    last->y_bar_dot = pool_take(&pool, last->n_out);
    for (size_t i = net->n_nodes; i-- > 0;) {
        struct stj_node *node = &net->node[i];
        for (size_t k = 0; k < node->layer.n_inputs; k++) {
            size_t from = node->input[k];
            if (from == STJ_NETWORK_INPUT)
                continue;
            node->beta[k] = written[from] ? 1 : 0;
            if (!written[from] && net->node[from].has_tangent)
                net->node[from].y_bar_dot = pool_take(&pool, net->node[from].n_out);
            written[from] = true;
        }
        if (node->has_tangent)
            pool.busy[node->y_bar_dot] = false;
    }
    at[0] = net->n_tangent;
    for (size_t s = 0; s < pool.n; s++)
        at[s + 1] = at[s] + pool.size[s];
    for (size_t i = 0; i < net->n_nodes; i++)
        if (net->node[i].has_tangent)
            net->node[i].y_bar_dot = at[net->node[i].y_bar_dot];
    net->n_tangent = at[pool.n];
out:
    free(at);
    free(written);
    free(pool.busy);
    free(pool.size);
    return st;
}

/* Where a walk has to stop for the records of other slices: at layers that have some, both ways. */
static enum stj_status place_stops(struct stj_network *net, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const size_t n = net->n_nodes;
    STJ_TRY(stj_new(&net->stop, 2 * n, sizeof *net->stop, err));
    for (size_t p = 0; p <= 2 * n; p++)
        if (stj_node_at(net, p) && stj_node_at(net, p)->layer.ops->record)
            net->stop[net->n_stops++] = p;
out:
    return st;
}

enum stj_status stj_network_create(const struct stj_network_config *config,
                                   struct stj_network **net, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct stj_network *n = NULL;
    STJ_TRY(stj_new(&n, 1, sizeof *n, err));
    n->config = config;
    n->loss = (const struct stj_loss_ops *)config->loss.info;
    STJ_TRY(set_input(n, err));
    STJ_TRY(make_nodes(n, &config->layers, err));
    STJ_TRY(check_labels(n, err));
    STJ_TRY(set_layout(n, err));
    place_values(n);
    STJ_TRY(place_bar_tangents(n, err));
    STJ_TRY(place_stops(n, err));
    *net = n;
    n = NULL;
out:
    stj_network_destroy(n);
    return st;
}

void stj_network_destroy(struct stj_network *net)
{
    if (!net)
        return;
    free(net->layout.tensor);
    free(net->node);
    free(net->stop);
    free(net);
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

const struct stj_shape *stj_network_output(const struct stj_network *net)
{
    return &net->output;
}

const struct stj_loss_ops *stj_network_loss(const struct stj_network *net)
{
    return net->loss;
}

bool stj_network_couples_samples(const struct stj_network *net)
{
    return net->n_stops > 0;
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
    *offset = net->node[i].theta;
    return &net->node[i].layer;
}

enum stj_status stj_network_initialize(const struct stj_network *net, uint64_t seed, double *theta,
                                       struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct stj_rng *rng = NULL;
    STJ_TRY(stj_rng_create(seed, STJ_STREAM_INIT, 0, &rng, err));
    for (size_t i = 0; i < net->n_nodes; i++) {
        const struct stj_node *node = &net->node[i];
        for (size_t t = 0; t < node->layer.n_tensors; t++) {
            const struct stj_tensor *tensor = &node->layer.tensor[t];
            const struct stj_initializer_ops *ops =
                (const struct stj_initializer_ops *)tensor->init->info;
            ops->fill(tensor->init->config, tensor->rows * tensor->cols, tensor->fan_in,
                      tensor->fan_out, rng, theta + node->theta + tensor->offset);
        }
    }
out:
    stj_rng_destroy(rng);
    return st;
}
