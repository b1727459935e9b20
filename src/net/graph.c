/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/graph.c: the nodes of a network from the layers of a config, in their order.
 *
 * A layer reads the one before it, or those that `input` and `inputs` name: layers before it, by
 * their names, or `data`.  So there are no cycles, and the order of the config is topological.  A
 * plug-in that stands for several nodes (parts, body, more inputs than its node has) is known by
 * its name as the last of them.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/blas.h"
#include "base/error.h"
#include "base/memory.h"
#include "net/layers/layers.h"
#include "net/network_internal.h"
#include "options/option_value.h"

enum { LABEL_BYTES = STJ_LABEL_BYTES, SUFFIX_BYTES = 24 };

/* A node to be made for a plug-in of the config; inputs are node numbers. */
struct insertion {
    const struct stj_plugin *plugin;
    const struct stj_layer_ops *ops; /* the plug-in's, or those of one of its parts */
    size_t number;                   /* of the first of its nodes, in labels */
    char suffix[SUFFIX_BYTES];       /* which of its nodes; "": the last */
    size_t input[STJ_MAX_INPUTS];
};

static const struct stj_layer_ops *ops_of(const struct stj_plugin *plugin)
{
    return (const struct stj_layer_ops *)stj_own_plugin(&stj_layers, plugin->info);
}

static const struct stj_layer_keys *keys_of(const struct stj_plugin *plugin)
{
    return plugin->common;
}

static size_t n_parts(const struct stj_layer_ops *ops)
{
    size_t n = 0;
    while (ops->parts && ops->parts[n])
        n++;
    return n;
}

/* Nodes that the layers will take, at most: one for each of many inputs, and for copies of them. */
static size_t count_nodes(const struct stj_plugins *layers)
{
    size_t n = 0;
    for (size_t i = 0; layers && i < layers->n; i++) {
        const struct stj_layer_ops *ops = ops_of(&layers->item[i]);
        const void *config = layers->item[i].config;
        n += 2 * (1 + n_parts(ops) + keys_of(&layers->item[i])->inputs.n);
        n += ops->body ? count_nodes(ops->body(config)) : 0;
        n += ops->shortcut ? count_nodes(ops->shortcut(config)) : 0;
    }
    return n;
}

/* text[LABEL_BYTES] <- the name of a plug-in: the config's `name`, else type and number. Returns
 * the bytes that it has, or would have. */
static size_t plugin_name(const struct stj_plugin *plugin, size_t number, char *text)
{
    const int n = plugin->label ? snprintf(text, LABEL_BYTES, "%s", plugin->label)
                                : snprintf(text, LABEL_BYTES, "%s%zu", plugin->info->name, number);
    return (size_t)n;
}

static enum stj_status set_label(struct stj_node *node, const struct insertion *what,
                                 struct stj_error *err)
{
    const size_t n = plugin_name(what->plugin, what->number, node->label);
    const size_t more = what->suffix[0] ? 1 + strlen(what->suffix) : 0;
    STJ_NEED(err, n + more < LABEL_BYTES, STJ_ECONFIG,
             "layer '%s...': its name has %zu bytes, the limit is %d", node->label, n + more,
             LABEL_BYTES - 1);
    node->name_length = n;
    if (more)
        snprintf(node->label + n, LABEL_BYTES - n, ".%s", what->suffix);
    return STJ_OK;
}

static const struct stj_shape *shape_at(const struct stj_network *net, size_t node)
{
    return node == STJ_NETWORK_INPUT ? &net->input : &net->node[node].layer.out;
}

/* *number (to be freed) <- the numbers of the inputs that the value of a node is, in its order:
 * layers that only move values are run on them.  Else *number stays NULL: they are computed. */
static enum stj_status inputs_of(const struct stj_network *net, size_t i, real **number,
                                 struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    real *x[STJ_MAX_INPUTS] = {NULL};
    const struct stj_node *node = i == STJ_NETWORK_INPUT ? NULL : &net->node[i];
    const size_t n = stj_shape_size(shape_at(net, i));
    bool known = !node || node->layer.ops->moves;
    *number = NULL;
    for (size_t k = 0; known && node && k < node->layer.n_inputs; k++) {
        STJ_TRY(inputs_of(net, node->input[k], &x[k], err));
        known = x[k] != NULL;
    }
    if (!known)
        goto out;
    STJ_TRY(stj_new(number, n, sizeof **number, err));
    const struct stj_layer_values at = {.whole = 1, .batch = 1, .x = x[0], .x2 = x[1]};
    if (node)
        node->layer.ops->forward(&node->layer, *number, &at, NULL);
    for (size_t k = 0; !node && k < n; k++)
        (*number)[k] = (real)k;
out:
    free(x[0]);
    free(x[1]);
    return st;
}

/* Token numbers come from the data, never from a layer that computes. */
static enum stj_status set_ids(struct stj_network *net, const struct stj_node *node,
                               struct stj_error *err)
{
    const size_t n_ids = node->layer.n_ids;
    STJ_FREED real *number = NULL;
    if (n_ids == 0)
        return STJ_OK;
    STJ_MUST(inputs_of(net, node->input[0], &number, err));
    STJ_NEED(err, number, STJ_ECONFIG,
             "layer '%s' reads token ids, but its input is the output of layer '%s': put it first, "
             "or say `input: data`",
             node->label, net->node[node->input[0]].label);
    if (!net->ids)
        STJ_MUST(stj_new(&net->ids, stj_shape_size(&net->input), sizeof *net->ids, err));
    for (size_t k = 0; k < stj_shape_size(&node->layer.in); k++) {
        size_t *limit = &net->ids[(size_t)number[k]];
        *limit = *limit && *limit < n_ids ? *limit : n_ids;
    }
    net->n_ids = net->n_ids && net->n_ids < n_ids ? net->n_ids : n_ids;
    return STJ_OK;
}

static enum stj_status append_node(struct stj_network *net, const struct insertion *what,
                                   struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct stj_node *node = &net->node[net->n_nodes];
    struct stj_layer *layer = &node->layer;
    STJ_TRY(set_label(node, what, err));
    node->plugin = what->plugin;
    node->trainable = net->inherited;
    layer->ops = what->ops;
    layer->config = what->plugin->config;
    layer->label = node->label;
    layer->seed = net->n_nodes;
    layer->forgets = what->ops->forgets;
    layer->n_inputs = what->ops->n_inputs ? what->ops->n_inputs : 1;
    assert(layer->n_inputs <= STJ_MAX_INPUTS);
    layer->in = *shape_at(net, what->input[0]);
    for (size_t k = 0; k < layer->n_inputs; k++)
        node->input[k] = what->input[k];
    const bool knows_two = layer->n_inputs > 1 || what->ops->reads_second;
    st = layer->ops->setup(layer, knows_two ? shape_at(net, what->input[1]) : NULL, err);
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

/* A node that reads a value twice would write two bars to one place: it reads a copy. */
static enum stj_status append_copy(struct stj_network *net, struct insertion *what,
                                   struct stj_error *err)
{
    const size_t n = what->ops->n_inputs;
    if (n < 2 || what->input[0] != what->input[1] || what->input[0] == STJ_NETWORK_INPUT)
        return STJ_OK;
    struct insertion copy = *what;
    copy.ops = &stj_layer_identity.ops;
    snprintf(copy.suffix, sizeof copy.suffix, "copy%.*s", SUFFIX_BYTES - 6, what->suffix);
    STJ_MUST(append_node(net, &copy, err));
    what->input[1] = net->n_nodes - 1;
    return STJ_OK;
}

/* ---- names ---- */

/* *node <- the last node of the layer of that name. */
static bool find_node(const struct stj_network *net, const char *name, size_t *node)
{
    for (size_t i = net->n_nodes; i-- > 0;) {
        const struct stj_node *n = &net->node[i];
        *node = i;
        if (strlen(name) == n->name_length && strncmp(n->label, name, n->name_length) == 0)
            return true;
    }
    return false;
}

/* The name nearest to `word` into best[LABEL_BYTES]; search <- that. */
static void suggest_name(const struct stj_network *net, struct stj_suggest_search *search,
                         char *best)
{
    char label[LABEL_BYTES];
    for (size_t i = 0; i < net->n_nodes; i++) {
        const struct stj_suggest_search before = *search;
        snprintf(label, sizeof label, "%.*s", (int)net->node[i].name_length, net->node[i].label);
        stj_suggest_offer(search, label);
        if (search->best == label && (!before.best || search->distance < before.distance))
            snprintf(best, LABEL_BYTES, "%s", label);
        search->best = search->best == label ? best : search->best;
    }
}

static enum stj_status find_input(const struct stj_network *net, const char *reader,
                                  const char *name, size_t *node, struct stj_error *err)
{
    static const char data[] = "data";
    struct stj_suggest_search search = {.word = name};
    char hint[STJ_GOT_MAX], best[LABEL_BYTES];
    const bool found = find_node(net, name, node);
    if (strcmp(name, data) == 0 && net->n_named == 0) {
        STJ_NEED(err, !found, STJ_ECONFIG,
                 "layer '%s': `data` names the network's input, and a layer too; rename the layer",
                 reader);
        *node = STJ_NETWORK_INPUT;
        return STJ_OK;
    }
    if (net->n_named == 0)
        stj_suggest_offer(&search, data);
    suggest_name(net, &search, best);
    stj_suggest_hint(&search, hint);
    STJ_NEED(err, found, STJ_ECONFIG,
             "layer '%s': its input '%.60s' is no layer before it%s; %s and layers before it "
             "can be named (spectraj info lists them)",
             reader, name, hint, net->n_named ? "network.inputs" : "`data`");
    return STJ_OK;
}

/* ---- inputs ---- */

/* The nodes that a plug-in reads. */
struct inputs {
    size_t n, *node;
};

/* The count of inputs that a plug-in takes in a config. */
static enum stj_status check_count(const struct stj_layer_ops *ops, const char *name, size_t n,
                                   struct stj_error *err)
{
    const size_t least = ops->n_inputs && !ops->body ? ops->n_inputs : 1;
    const size_t most = ops->most_inputs > least ? ops->most_inputs : least;
    STJ_NEED(err, n >= least, STJ_ECONFIG,
             "layer '%s': %s reads %s layers, the config names %s; give inputs: [A, B]", name,
             ops->info.name, most > 2 ? "two or more" : "two", n == 1 ? "one" : "none");
    STJ_NEED(err, n <= most, STJ_ECONFIG,
             "layer '%s': %s reads %s, `inputs` names %zu; a layer of type concat or add makes "
             "one of them",
             name, ops->info.name, most == 1 ? "one layer" : "at most two layers", n);
    return STJ_OK;
}

/* in <- what the config names, or the layer before; to be freed. */
static enum stj_status find_inputs(const struct stj_network *net, const struct stj_plugin *plugin,
                                   size_t before, struct inputs *in, struct stj_error *err)
{
    const struct stj_layer_keys *keys = keys_of(plugin);
    char name[LABEL_BYTES];
    plugin_name(plugin, net->n_nodes, name);
    STJ_NEED(err, !keys->input || keys->inputs.n == 0, STJ_ECONFIG,
             "layer '%s': input and inputs exclude each other; leave one of them out", name);
    in->n = keys->inputs.n ? keys->inputs.n : 1;
    STJ_MUST(check_count(ops_of(plugin), name, in->n, err));
    STJ_MUST(stj_new(&in->node, in->n, sizeof *in->node, err));
    in->node[0] = before;
    STJ_NEED(err, keys->input || keys->inputs.n || before != STJ_NETWORK_INPUT || net->n_named == 0,
             STJ_ECONFIG, "layer '%s': the network has several inputs; say which: input: %s", name,
             net->named[0].axes.name);
    if (keys->input)
        STJ_MUST(find_input(net, name, keys->input, &in->node[0], err));
    for (size_t k = 0; k < keys->inputs.n; k++)
        STJ_MUST(find_input(net, name, keys->inputs.item[k], &in->node[k], err));
    return STJ_OK;
}

/* ---- plug-ins ---- */

static enum stj_status append_layers(struct stj_network *net, const struct stj_plugins *layers,
                                     size_t input, size_t *last, struct stj_error *err);

/* The nodes of a plug-in with parts, in a row. */
static enum stj_status append_parts(struct stj_network *net, struct insertion *what,
                                    struct stj_error *err)
{
    const struct stj_layer_ops *ops = ops_of(what->plugin);
    const size_t n_inputs = keys_of(what->plugin)->inputs.n;
    for (const struct stj_layer_ops *const *part = n_inputs == 2 ? ops->parts_of_two : ops->parts;
         *part; part++) {
        const size_t first = what->input[0], second = what->input[1];
        const bool swap = (*part)->reads_second;
        what->ops = *part;
        snprintf(what->suffix, sizeof what->suffix, "%s", what->ops->info.name);
        what->input[0] = swap ? second : first;
        what->input[1] = swap ? first : second;
        STJ_MUST(append_copy(net, what, err));
        STJ_MUST(append_node(net, what, err));
        what->input[0] = swap ? first : net->n_nodes - 1;
        what->input[1] = swap ? net->n_nodes - 1 : second;
    }
    return STJ_OK;
}

/* One node, or where a node of two has more inputs, one for each after the first. */
static enum stj_status append_joined(struct stj_network *net, struct insertion *what,
                                     const struct inputs *in, struct stj_error *err)
{
    const size_t n = in->n > 2 ? in->n - 1 : 1;
    for (size_t k = 1; k <= n; k++) {
        if (in->n > 1)
            what->input[1] = in->node[k];
        what->suffix[0] = '\0';
        if (k < n)
            snprintf(what->suffix, sizeof what->suffix, "%zu", k);
        STJ_MUST(append_copy(net, what, err));
        STJ_MUST(append_node(net, what, err));
        what->input[0] = net->n_nodes - 1;
    }
    return STJ_OK;
}

/* What is said to be trained or not must be there, and be its own. */
static enum stj_status check_trainable(const struct stj_network *net,
                                       const struct stj_plugin *plugin, size_t first,
                                       struct stj_error *err)
{
    size_t n_tensors = 0;
    const char *shared = NULL;
    for (size_t i = first; i < net->n_nodes; i++)
        for (size_t t = 0; t < net->node[i].layer.n_tensors; t++, n_tensors++)
            if (net->node[i].place[t].shared && net->node[i].place[t].owner < first)
                shared = net->node[i].layer.tensor[t].name;
    if (!keys_of(plugin)->has_trainable)
        return STJ_OK;
    STJ_NEED(err, n_tensors > 0, STJ_ECONFIG,
             "layer '%s': it has no parameters; leave trainable out",
             net->node[net->n_nodes - 1].label);
    STJ_NEED(err, !shared, STJ_ECONFIG,
             "layer '%s': its %s is shared: say trainable at the layer that it is of",
             net->node[net->n_nodes - 1].label, shared);
    return STJ_OK;
}

/* *last <- the node that gives the plug-in's output. */
static enum stj_status append_plugin(struct stj_network *net, const struct stj_plugin *plugin,
                                     size_t before, size_t *last, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct inputs in = {0};
    struct insertion what = {.plugin = plugin, .ops = ops_of(plugin)};
    const size_t first = net->n_nodes;
    const enum stj_trainable outside = net->inherited;
    if (keys_of(plugin)->has_trainable)
        net->inherited = keys_of(plugin)->trainable ? STJ_TRAINED : STJ_FROZEN;
    STJ_TRY(find_inputs(net, plugin, before, &in, err));
    what.input[0] = in.node[0];
    what.input[1] = in.node[in.n > 1 ? 1 : 0];
    if (what.ops->body)
        STJ_TRY(
            append_layers(net, what.ops->body(plugin->config), in.node[0], &what.input[1], err));
    if (what.ops->shortcut)
        STJ_TRY(append_layers(net, what.ops->shortcut(plugin->config), in.node[0], &what.input[0],
                              err));
    what.number = net->n_nodes;
    STJ_TRY(what.ops->parts ? append_parts(net, &what, err) : append_joined(net, &what, &in, err));
    *last = net->n_nodes - 1;
    STJ_TRY(stj_network_share(net, plugin, first, err));
    STJ_TRY(check_trainable(net, plugin, first, err));
    net->inherited = outside;
out:
    free(in.node);
    return st;
}

/* Layers behind node `input`; *last <- the node of their end. */
static enum stj_status append_layers(struct stj_network *net, const struct stj_plugins *layers,
                                     size_t input, size_t *last, struct stj_error *err)
{
    *last = input;
    for (size_t i = 0; i < layers->n; i++)
        STJ_MUST(append_plugin(net, &layers->item[i], *last, last, err));
    return STJ_OK;
}

/* ---- inputs by name ---- */

/* An input by name is a node that passes on its part of a sample; the layers' `config` is that. */
static enum stj_status part_setup(struct stj_layer *layer, const struct stj_shape *in2,
                                  struct stj_error *err)
{
    (void)in2;
    (void)err;
    const struct stj_named_input *part = layer->config;
    layer->out = (struct stj_shape){.n_dims = part->axes.n};
    memcpy(layer->out.dim, part->axes.length, part->axes.n * sizeof layer->out.dim[0]);
    return STJ_OK;
}

static void part_forward(const struct stj_layer *layer, real *y, const struct stj_layer_values *at,
                         real *scratch)
{
    (void)scratch;
    const struct stj_named_input *part = layer->config;
    const size_t n_in = stj_shape_size(&layer->in);
    for (size_t s = 0; s < at->batch; s++)
        memcpy(y + s * part->size, at->x + s * n_in + part->first, part->size * sizeof *y);
}

/* What follows is of networks whose inputs move alone.  A tangent of the input is one position of
 * all its numbers: number i of vector j of sample s in that of the part, and in that. */
static size_t part_place(const struct stj_layer *layer, size_t nvec, size_t s, size_t j, size_t i)
{
    const size_t cols = stj_shape_cols(&layer->out), rows = stj_shape_positions(&layer->out);
    return ((s * rows + i / cols) * nvec + j) * cols + i % cols;
}

static size_t whole_place(const struct stj_layer *layer, size_t nvec, size_t s, size_t j, size_t i)
{
    const struct stj_named_input *part = layer->config;
    return (s * nvec + j) * stj_shape_size(&layer->in) + part->first + i;
}

static void part_forward_tangent(const struct stj_layer *layer, size_t nvec, real *y_dot,
                                 const struct stj_layer_values *at, const real *x_dot,
                                 const real *x2_dot, const real *theta_dot, real *scratch)
{
    (void)x2_dot;
    (void)theta_dot;
    (void)scratch;
    const size_t n = stj_shape_size(&layer->out);
    for (size_t s = 0; s < at->batch; s++)
        for (size_t j = 0; j < nvec; j++)
            for (size_t i = 0; i < n; i++)
                y_dot[part_place(layer, nvec, s, j, i)] =
                    x_dot ? x_dot[whole_place(layer, nvec, s, j, i)] : 0;
}

static void part_backward(const struct stj_layer *layer, const real *beta, real *x_bar,
                          real *x2_bar, real *theta_bar, const struct stj_layer_values *at,
                          real *scratch)
{
    (void)layer;
    (void)beta;
    (void)x_bar; /* of the network's input: nobody wants it */
    (void)x2_bar;
    (void)theta_bar;
    (void)at;
    (void)scratch;
}

static void part_backward_tangent(const struct stj_layer *layer, size_t nvec, const real *beta,
                                  real *x_bar_dot, real *x2_bar_dot, real *theta_bar_dot,
                                  const struct stj_layer_values *at, const real *x_dot,
                                  const real *x2_dot, const real *theta_dot, const real *y_bar_dot,
                                  real *scratch)
{
    (void)beta; /* 1 */
    (void)x2_bar_dot;
    (void)theta_bar_dot;
    (void)x_dot;
    (void)x2_dot;
    (void)theta_dot;
    (void)scratch;
    const size_t n = stj_shape_size(&layer->out);
    for (size_t s = 0; x_bar_dot && s < at->batch; s++)
        for (size_t j = 0; j < nvec; j++)
            for (size_t i = 0; i < n; i++)
                x_bar_dot[whole_place(layer, nvec, s, j, i)] +=
                    y_bar_dot[part_place(layer, nvec, s, j, i)];
}

static const struct stj_layer_ops part_ops = {
    .info = {.name = "input", .doc = "one of the network's inputs"},
    .moves = true,
    .forgets = STJ_FORGETS_ALL,
    .setup = part_setup,
    .forward = part_forward,
    .forward_tangent = part_forward_tangent,
    .backward = part_backward,
    .backward_tangent = part_backward_tangent,
};

static enum stj_status append_named(struct stj_network *net, struct stj_error *err)
{
    static const struct stj_plugin none = {.info = &part_ops.info};
    for (size_t i = 0; i < net->n_named; i++) {
        struct stj_plugin plugin = none;
        plugin.label = (char *)(uintptr_t)net->named[i].axes.name;
        plugin.config = &net->named[i];
        const struct insertion what = {
            .plugin = &plugin, .ops = &part_ops, .input = {STJ_NETWORK_INPUT, STJ_NETWORK_INPUT}};
        STJ_MUST(append_node(net, &what, err));
        net->node[i].plugin = &none;
    }
    return STJ_OK;
}

/* ---- checks ---- */

/* What nobody reads would be computed, and trained, for nothing. */
enum stj_status stj_network_check_ends(const struct stj_network *net, struct stj_error *err)
{
    STJ_FREED bool *used = NULL;
    STJ_MUST(stj_new(&used, net->n_nodes, sizeof *used, err));
    used[net->n_nodes - 1] = true;
    if (net->weigh)
        used[net->weigh - net->named] = true;
    for (size_t i = 0; i < net->n_nodes; i++)
        for (size_t k = 0; k < net->node[i].layer.n_inputs; k++)
            if (net->node[i].input[k] != STJ_NETWORK_INPUT)
                used[net->node[i].input[k]] = true;
    for (size_t i = 0; i < net->n_named; i++)
        STJ_NEED(
            err, used[i], STJ_ECONFIG,
            "network.inputs: nothing reads '%s'; name it in the `input` of a layer, or leave it "
            "out",
            net->node[i].label);
    for (size_t i = net->n_named; i < net->n_nodes; i++)
        STJ_NEED(err, used[i], STJ_ECONFIG,
                 "layer '%s': no layer reads its output; name it in `inputs` of a later one, or "
                 "leave it out",
                 net->node[i].label);
    return STJ_OK;
}

/* A label among others, in an order that puts "a.b" directly behind "a". */
struct label {
    const char *text;
    bool has_tensors, is_input;
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
    for (size_t i = 1; i < n; i++) {
        const char *one = label[i - 1].text;
        const char *two = label[i].text;
        const size_t length = strlen(one);
        STJ_NEED(err, strcmp(one, two) != 0, STJ_ECONFIG,
                 "network.layers: two layers%s are called '%s', by `name`, or by type and number "
                 "where none is given; rename one",
                 label[i].is_input || label[i - 1].is_input ? ", one of them an input," : "", one);
        STJ_NEED(err,
                 !label[i - 1].has_tensors || strncmp(one, two, length) != 0 || two[length] != '.',
                 STJ_ECONFIG,
                 "network.layers: '%s' would be a tensor of the layer '%s', and is a layer too; "
                 "rename one",
                 two, one);
    }
    return STJ_OK;
}

static enum stj_status check_labels(const struct stj_network *net, struct stj_error *err)
{
    STJ_FREED struct label *label = NULL;
    const size_t n = net->n_nodes;
    STJ_MUST(stj_new(&label, n, sizeof *label, err));
    for (size_t i = 0; i < n; i++)
        label[i] =
            (struct label){net->node[i].label, net->node[i].layer.n_tensors > 0, i < net->n_named};
    qsort(label, n, sizeof *label, compare_labels);
    STJ_MUST(check_neighbours(label, n, err));
    for (size_t i = 0; i < n; i++)
        for (size_t t = 0; t < net->node[i].layer.n_tensors; t++) {
            const struct label kind = {.text = net->node[i].layer.tensor[t].name};
            STJ_NEED(err, !bsearch(&kind, label, n, sizeof *label, compare_labels), STJ_ECONFIG,
                     "network.layers: a layer is called '%s', as a tensor of layer '%s' is; rename "
                     "it",
                     kind.text, net->node[i].label);
        }
    return STJ_OK;
}

enum stj_status stj_network_make_nodes(struct stj_network *net, const struct stj_plugins *layers,
                                       struct stj_error *err)
{
    size_t last = 0;
    STJ_NEED(err, layers->n > 0, STJ_ECONFIG, "network.layers is empty, it needs a layer");
    STJ_MUST(stj_new(&net->node, net->n_named + count_nodes(layers), sizeof *net->node, err));
    STJ_MUST(append_named(net, err));
    STJ_MUST(append_layers(net, layers, net->n_named == 1 ? 0 : STJ_NETWORK_INPUT, &last, err));
    net->output = net->node[last].layer.out;
    return check_labels(net, err);
}
