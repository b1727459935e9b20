/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/parameters.c: where the tensors of layers lie: in theta, which is what is trained, among the
 * frozen values, or in the place of another layer's tensor (`share`), transposed where it says so.
 *
 * A layer finds its tensors one behind the other, as if all were its own.  Where they lie so in
 * theta, or all are frozen, it is pointed there.  Else a walk gathers values and tangents for it
 * into scratch, tensor by tensor, before each visit, and adds what it leaves of theta_bar to the
 * places of the tensors: the last of several users writes, those before it add in the order of the
 * backward pass, whatever the threads.  Tangents of frozen tensors are zero, their bars dropped.
 */
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#include "base/blas.h"
#include "base/error.h"
#include "base/memory.h"
#include "net/kernels.h"
#include "net/network_internal.h"
#include "options/option_value.h"

/* ---- sharing ---- */

enum { NAME_BYTES = STJ_LABEL_BYTES + 32 };

static void tensor_name(const struct stj_node *node, size_t t, char name[NAME_BYTES])
{
    snprintf(name, NAME_BYTES, "%s.%s", node->label, node->layer.tensor[t].name);
}

/* Of a tensor, what the config of its layer calls it: "kernel", of a part "qkv.kernel". */
static const char *own_name(const struct stj_node *node, const char *name)
{
    return name + node->name_length + 1;
}

/* The node among the first n and its tensor of that name; false: there is none. */
static bool find_tensor(const struct stj_network *net, size_t n, const char *wanted, size_t *node,
                        size_t *tensor)
{
    char name[NAME_BYTES];
    for (*node = 0; *node < n; ++*node)
        for (*tensor = 0; *tensor < net->node[*node].layer.n_tensors; ++*tensor) {
            tensor_name(&net->node[*node], *tensor, name);
            if (strcmp(name, wanted) == 0)
                return true;
        }
    return false;
}

/* Does a tensor fit in the place of another, and must it be transposed?  Tables and dense kernels
 * are transposed to each other, as token embeddings and output layers are. */
static bool fits(const struct stj_tensor *mine, const struct stj_tensor *other, bool turn,
                 bool *transposed)
{
    const bool same = mine->rows == other->rows && mine->cols == other->cols;
    const bool turned = mine->rows == other->cols && mine->cols == other->rows;
    const bool kernels = mine->role == STJ_TENSOR_KERNEL || other->role == STJ_TENSOR_KERNEL;
    *transposed = turn || !same || (turned && mine->role != other->role);
    if (kernels)
        return same && !turn && mine->role == other->role && mine->height == other->height &&
               mine->width == other->width;
    return *transposed ? turned : same;
}

/* An offer of every tensor's name, nearest to what was written. */
static enum stj_status fail_no_tensor(const struct stj_network *net, size_t from, size_t n,
                                      bool own, const char *layer, const char *word,
                                      struct stj_error *err)
{
    struct stj_suggest_search search = {.word = word};
    char best[NAME_BYTES] = "", name[NAME_BYTES], hint[STJ_GOT_MAX];
    size_t distance = SIZE_MAX;
    for (size_t i = from; i < n; i++)
        for (size_t t = 0; t < net->node[i].layer.n_tensors; t++) {
            tensor_name(&net->node[i], t, name);
            search.best = NULL;
            stj_suggest_offer(&search, own ? own_name(&net->node[i], name) : name);
            if (!search.best || search.distance >= distance)
                continue;
            distance = search.distance;
            snprintf(best, sizeof best, "%s", search.best);
        }
    search.best = best[0] ? best : NULL;
    stj_suggest_hint(&search, hint);
    return stj_error_set(
        err, STJ_ECONFIG, __FILE__, __LINE__,
        own ? "layer '%s': share: it has no tensor '%.60s'%s"
            : "layer '%s': share: no layer before it has a tensor '%.60s'%s; write "
              "LAYER.TENSOR, or LAYER.TENSOR.T for its transpose",
        layer, word, hint);
}

/* Tensor t of node i takes the place of the one that `source` names. */
static enum stj_status share_tensor(struct stj_network *net, size_t i, size_t t, const char *source,
                                    size_t first, struct stj_error *err)
{
    struct stj_node *node = &net->node[i];
    struct stj_tensor_place *place = &node->place[t];
    const struct stj_tensor *mine = &node->layer.tensor[t];
    const size_t length = strlen(source);
    size_t k, other;
    char wanted[2 * NAME_BYTES];
    bool found = find_tensor(net, first, source, &k, &other), turn = false;
    snprintf(wanted, sizeof wanted, "%s", source);
    if (!found && length > 2 && strcmp(source + length - 2, ".T") == 0) {
        wanted[length - 2 < sizeof wanted ? length - 2 : 0] = '\0';
        turn = found = find_tensor(net, first, wanted, &k, &other);
    }
    if (!found)
        return fail_no_tensor(net, 0, first, false, node->label, wanted, err);
    const struct stj_tensor *its = &net->node[k].layer.tensor[other];
    const struct stj_tensor_place *from = &net->node[k].place[other];
    const bool can = fits(mine, its, turn, &place->transposed);
    STJ_NEED(err, can, STJ_ECONFIG,
             "layer '%s': share: %s [%zu][%zu] cannot be %s [%zu][%zu]: shapes differ, or one is "
             "the kernel of a convolution",
             node->label, mine->name, mine->rows, mine->cols, source, its->rows, its->cols);
    place->shared = true;
    place->owner = from->shared ? from->owner : k;
    place->tensor = from->shared ? from->tensor : other;
    place->transposed = place->transposed != from->transposed;
    net->node[place->owner].place[place->tensor].has_sharers = true;
    return STJ_OK;
}

/* *node, *tensor <- of a plug-in's nodes, `first` and those after it, the tensor that its config
 * calls `key`. */
static bool find_own(const struct stj_network *net, const struct stj_plugin *plugin, size_t first,
                     const char *key, size_t *node, size_t *tensor)
{
    char name[NAME_BYTES];
    for (*node = first; *node < net->n_nodes; ++*node) {
        const struct stj_node *n = &net->node[*node];
        for (*tensor = 0; n->plugin == plugin && *tensor < n->layer.n_tensors; ++*tensor) {
            tensor_name(n, *tensor, name);
            if (strcmp(own_name(n, name), key) == 0)
                return true;
        }
    }
    return false;
}

enum stj_status stj_network_share(struct stj_network *net, const struct stj_plugin *plugin,
                                  size_t first, struct stj_error *err)
{
    const struct stj_layer_keys *keys = plugin->common;
    for (size_t s = 0; s < keys->share.n; s++) {
        const struct stj_name *pair = &keys->share.item[s];
        size_t node, tensor;
        if (!find_own(net, plugin, first, pair->key, &node, &tensor))
            return fail_no_tensor(net, first, net->n_nodes, true, net->node[net->n_nodes - 1].label,
                                  pair->key, err);
        STJ_MUST(share_tensor(net, node, tensor, pair->value, first, err));
    }
    return STJ_OK;
}

/* ---- what is trained ---- */

/* Is a tensor named by a pattern, or its layer? */
static bool matches(const struct stj_node *node, size_t t, const char *pattern)
{
    char name[NAME_BYTES];
    tensor_name(node, t, name);
    return fnmatch(pattern, name, 0) == 0 || fnmatch(pattern, node->label, 0) == 0;
}

/* Every pattern must mean something that a layer does not share. */
static enum stj_status check_pattern(const struct stj_network *net, const char *pattern,
                                     struct stj_error *err)
{
    struct stj_suggest_search search = {.word = pattern};
    char hint[STJ_GOT_MAX];
    bool found = false;
    for (size_t i = 0; i < net->n_nodes; i++) {
        const struct stj_node *node = &net->node[i];
        for (size_t t = 0; t < node->layer.n_tensors; t++)
            found = found || (!node->place[t].shared && matches(node, t, pattern));
        if (node->layer.n_tensors)
            stj_suggest_offer(&search, node->label);
    }
    stj_suggest_hint(&search, hint);
    STJ_NEED(err, found, STJ_ECONFIG,
             "network.trainable: '%.60s' is no tensor or layer with parameters of its own%s; "
             "names are LAYER.TENSOR, * stands for any letters (spectraj info lists them)",
             pattern, hint);
    return STJ_OK;
}

/* A layer's own word counts, then the patterns; without any, all is trained. */
static enum stj_status set_frozen(struct stj_network *net, struct stj_error *err)
{
    const struct stj_texts *pattern = &net->config->trainable;
    for (size_t p = 0; p < pattern->n; p++)
        STJ_MUST(check_pattern(net, pattern->item[p], err));
    for (size_t i = 0; i < net->n_nodes; i++) {
        struct stj_node *node = &net->node[i];
        for (size_t t = 0; t < node->layer.n_tensors; t++) {
            struct stj_tensor_place *place = &node->place[t];
            bool trained = node->trainable == STJ_TRAINED || pattern->n == 0;
            for (size_t p = 0; p < pattern->n; p++)
                trained = trained || matches(node, t, pattern->item[p]);
            place->frozen =
                node->trainable == STJ_FROZEN || !trained || node->layer.tensor[t].fixed;
            if (place->shared)
                place->frozen = net->node[place->owner].place[place->tensor].frozen;
        }
    }
    return STJ_OK;
}

/* ---- places ---- */

static struct stj_tensor_shape shape_of(const struct stj_node *node, size_t t)
{
    const struct stj_tensor *tensor = &node->layer.tensor[t];
    const bool vector = tensor->role == STJ_TENSOR_TABLE && tensor->rows == 1;
    return (struct stj_tensor_shape){.offset = node->place[t].offset,
                                     .rows = tensor->rows,
                                     .cols = tensor->cols,
                                     .form = vector                             ? STJ_FORM_VECTOR
                                             : tensor->role == STJ_TENSOR_TABLE ? STJ_FORM_OUT_IN
                                                                                : STJ_FORM_IN_OUT};
}

static void place_own(struct stj_network *net, struct stj_node *node, size_t *theta, size_t *frozen)
{
    node->theta = *theta;
    for (size_t t = 0; t < node->layer.n_tensors; t++) {
        const struct stj_tensor *tensor = &node->layer.tensor[t];
        struct stj_tensor_place *place = &node->place[t];
        size_t *at = place->frozen ? frozen : theta;
        if (place->shared)
            continue;
        place->offset = *at;
        *at += tensor->rows * tensor->cols;
        net->n_owned++;
        if (!place->frozen)
            net->layout.tensor[net->layout.n_tensors++] = shape_of(node, t);
    }
    node->n_trained = *theta - node->theta;
}

/* How a node comes to its tensors. */
static void set_access(const struct stj_network *net, struct stj_node *node)
{
    bool trained = true, frozen = true;
    for (size_t t = 0; t < node->layer.n_tensors; t++) {
        struct stj_tensor_place *place = &node->place[t];
        if (place->shared)
            place->offset = net->node[place->owner].place[place->tensor].offset;
        trained = trained && !place->shared && !place->frozen;
        frozen = frozen && !place->shared && place->frozen;
        node->is_trained = node->is_trained || !place->frozen;
        node->scatters = node->scatters || place->has_sharers;
    }
    node->all_frozen = node->layer.n_tensors > 0 && frozen;
    node->gathers = !trained && !node->all_frozen;
    node->scatters = node->is_trained && (node->scatters || node->gathers);
}

/* The users of each tensor, in the order of the backward pass: the first of them writes its bar. */
static void set_first(struct stj_network *net)
{
    for (size_t i = net->n_nodes; i-- > 0;)
        for (size_t t = 0; t < net->node[i].layer.n_tensors; t++) {
            struct stj_tensor_place *mine = &net->node[i].place[t];
            struct stj_tensor_place *owner =
                mine->shared ? &net->node[mine->owner].place[mine->tensor] : mine;
            mine->first = !owner->seen;
            owner->seen = true;
        }
}

enum stj_status stj_network_place_parameters(struct stj_network *net, struct stj_error *err)
{
    size_t n_tensors = 0, theta = 0, frozen = 0;
    for (size_t i = 0; i < net->n_nodes; i++)
        n_tensors += net->node[i].layer.n_tensors;
    STJ_MUST(stj_new(&net->layout.tensor, n_tensors, sizeof *net->layout.tensor, err));
    STJ_MUST(set_frozen(net, err));
    for (size_t i = 0; i < net->n_nodes; i++)
        place_own(net, &net->node[i], &theta, &frozen);
    STJ_NEED(err, theta > 0, STJ_ECONFIG, "the network has no parameters%s: nothing to train",
             frozen ? " that are trained (network.trainable, a layer's trainable)" : "");
    STJ_MUST(stj_blas_fits(theta, "the number of parameters", err));
    net->layout.n_params = theta;
    net->n_frozen = frozen;
    STJ_MUST(stj_new(&net->frozen, frozen, sizeof *net->frozen, err));
    for (size_t i = 0; i < net->n_nodes; i++) {
        struct stj_node *node = &net->node[i];
        set_access(net, node);
        if ((node->gathers || node->scatters || node->all_frozen) &&
            node->layer.n_params > net->n_room)
            net->n_room = node->layer.n_params;
    }
    set_first(net);
    return STJ_OK;
}

/* ---- access ---- */

size_t stj_parameters_scratch(const struct stj_network *net, size_t nvec)
{
    return net->n_room * (1 + 2 * nvec);
}

/* The parts of the room: values, tangents, bars (of values: nvec 1). */
static real *room_of_tangents(const struct stj_network *net, real *room)
{
    return room + net->n_room;
}

static real *room_of_bars(const struct stj_network *net, size_t nvec, real *room)
{
    return room + net->n_room * (1 + nvec);
}

/* The rows [nvec][cols] of a tensor's tangents, copied from where they are. */
static void gather(const struct stj_tensor *tensor, bool transposed, size_t nvec, const real *from,
                   real *to)
{
    const size_t rows = tensor->rows, cols = tensor->cols;
    if (!transposed) {
        memcpy(to, from, rows * nvec * cols * sizeof *to);
        return;
    }
    for (size_t r = 0; r < rows; r++)
        for (size_t j = 0; j < nvec; j++)
            for (size_t c = 0; c < cols; c++)
                to[(r * nvec + j) * cols + c] = from[(c * nvec + j) * rows + r];
}

/* And bars, where they are added, or written by the first. */
static void scatter(const struct stj_tensor *tensor, const struct stj_tensor_place *place,
                    size_t nvec, const real *from, real *to)
{
    const size_t rows = tensor->rows, cols = tensor->cols, n = rows * nvec * cols;
    const real beta = place->first ? 0 : 1;
    if (!place->transposed) {
        stj_add(n, from, beta, to);
        return;
    }
    if (place->first)
        memset(to, 0, n * sizeof *to);
    for (size_t r = 0; r < rows; r++)
        for (size_t j = 0; j < nvec; j++)
            for (size_t c = 0; c < cols; c++)
                to[(c * nvec + j) * rows + r] += from[(r * nvec + j) * cols + c];
}

const real *stj_node_theta(const struct stj_network *net, const struct stj_node *node,
                           const real *theta, real *room)
{
    if (node->all_frozen)
        return net->frozen + node->place[0].offset;
    for (size_t t = 0; node->gathers && t < node->layer.n_tensors; t++) {
        const struct stj_tensor *tensor = &node->layer.tensor[t];
        const struct stj_tensor_place *place = &node->place[t];
        gather(tensor, place->transposed, 1, (place->frozen ? net->frozen : theta) + place->offset,
               room + tensor->offset);
    }
    return node->gathers ? room : theta + node->theta;
}

const real *stj_node_theta_dot(const struct stj_network *net, const struct stj_node *node,
                               size_t nvec, const real *theta_dot, real *room)
{
    real *to = room_of_tangents(net, room);
    if (node->all_frozen) {
        memset(to, 0, node->layer.n_params * nvec * sizeof *to);
        return to;
    }
    for (size_t t = 0; node->gathers && t < node->layer.n_tensors; t++) {
        const struct stj_tensor *tensor = &node->layer.tensor[t];
        const struct stj_tensor_place *place = &node->place[t];
        real *part = to + tensor->offset * nvec;
        if (place->frozen)
            memset(part, 0, tensor->rows * tensor->cols * nvec * sizeof *part);
        else
            gather(tensor, place->transposed, nvec, theta_dot + place->offset * nvec, part);
    }
    return node->gathers ? to : theta_dot + node->theta * nvec;
}

real *stj_node_theta_bar(const struct stj_network *net, const struct stj_node *node, size_t nvec,
                         real *theta_bar, real *room)
{
    if (!theta_bar || (node->layer.n_tensors > 0 && !node->is_trained))
        return NULL;
    return node->scatters ? room_of_bars(net, nvec, room) : theta_bar + node->theta * nvec;
}

void stj_node_scatter(const struct stj_network *net, const struct stj_node *node, size_t nvec,
                      real *theta_bar, real *room)
{
    const real *from = room_of_bars(net, nvec, room);
    for (size_t t = 0; node->scatters && theta_bar && t < node->layer.n_tensors; t++)
        if (!node->place[t].frozen)
            scatter(&node->layer.tensor[t], &node->place[t], nvec,
                    from + node->layer.tensor[t].offset * nvec,
                    theta_bar + node->place[t].offset * nvec);
}
