/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/outline.c: a network of which only the tensors are known.
 *
 * "rnn.weight_ih" is the tensor weight_ih of a layer rnn, "scale" the tensor `value` of a layer
 * scale.  Neighbours of one layer are one node.  A tensor is a vector, or a matrix of its first axis
 * and all others, outputs first as in PyTorch.
 */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "net/network_internal.h"

static const struct stj_layer_ops outline_ops = {.info = {.name = "problem"}};

/* The length of a tensor's layer, and the tensor's own name. */
static size_t layer_length(const char *name, const char **own)
{
    const char *dot = strrchr(name, '.');
    const bool split = dot && dot > name && dot[1];
    *own = split ? dot + 1 : "value";
    return split ? (size_t)(dot - name) : strlen(name);
}

static void add_tensor(struct stj_node *node, const char *own, const struct stj_sizes *shape)
{
    struct stj_layer *layer = &node->layer;
    struct stj_tensor *tensor = &layer->tensor[layer->n_tensors++];
    size_t n = 1;
    for (size_t k = 0; k < shape->n; k++)
        n *= shape->item[k];
    const size_t rows = shape->n > 1 ? shape->item[0] : 1;
    *tensor = (struct stj_tensor){.name = own,
                                  .rows = rows,
                                  .cols = n / rows,
                                  .offset = layer->n_params,
                                  .role = STJ_TENSOR_TABLE};
    layer->n_params += n;
}

/* The node that the next tensor belongs to: the last one, or a new one behind it. */
static struct stj_node *node_for(struct stj_network *net, const char *name, size_t length)
{
    const struct stj_shape one = {.n_dims = 1, .dim = {1}};
    struct stj_node *last = net->n_nodes ? &net->node[net->n_nodes - 1] : NULL;
    if (last && strlen(last->label) == length && strncmp(last->label, name, length) == 0 &&
        last->layer.n_tensors < STJ_MAX_TENSORS)
        return last;
    struct stj_node *node = &net->node[net->n_nodes++];
    snprintf(node->label, sizeof node->label, "%.*s", (int)length, name);
    node->name_length = length;
    node->input[0] = net->n_nodes > 1 ? net->n_nodes - 2 : STJ_NETWORK_INPUT;
    node->layer = (struct stj_layer){
        .ops = &outline_ops, .label = node->label, .n_inputs = 1, .in = one, .out = one};
    return node;
}

enum stj_status stj_network_create_outline(const struct stj_network_config *config,
                                           const struct stj_shapes *tensors,
                                           struct stj_network **net, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct stj_network *n = NULL;
    const char *own = NULL;
    STJ_TRY(stj_new(&n, 1, sizeof *n, err));
    n->config = config;
    n->input = n->output = (struct stj_shape){.n_dims = 1, .dim = {1}};
    STJ_TRY(stj_new(&n->node, tensors->n, sizeof *n->node, err));
    for (size_t i = 0; i < tensors->n; i++) {
        const struct stj_named_sizes *tensor = &tensors->item[i];
        const size_t length = layer_length(tensor->key, &own);
        STJ_CHECK(err, length < STJ_LABEL_BYTES, STJ_ECONFIG,
                  "problem.tensors: '%.80s': the name of a layer has at most %d letters",
                  tensor->key, STJ_LABEL_BYTES - 1);
        add_tensor(node_for(n, tensor->key, length), own, &tensor->sizes);
    }
    STJ_TRY(stj_network_place_parameters(n, err));
    *net = n;
    n = NULL;
out:
    stj_network_destroy(n);
    return st;
}
