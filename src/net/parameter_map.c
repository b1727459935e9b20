/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/parameter_map.c: the axes of parameter tensors, and their order in other programs. */
#include "net/parameter_map.h"

#include <stdio.h>

#include "base/error.h"
#include "net/network_internal.h"

/* The image whose flattened numbers a vector is, channels last; all zero: none. */
struct image {
    size_t height, width, channels;
};

static bool is_image(struct image image)
{
    return image.channels > 0;
}

/* Do the two orders of its numbers differ? */
static bool is_reordered(struct image image)
{
    return image.height * image.width > 1 && image.channels > 1;
}

static bool equal(struct image a, struct image b)
{
    return a.height == b.height && a.width == b.width && a.channels == b.channels;
}

static bool has_role(const struct stj_layer *layer, enum stj_tensor_role role)
{
    for (size_t t = 0; t < layer->n_tensors; t++)
        if (layer->tensor[t].role == role)
            return true;
    return false;
}

static struct image image_at(const struct stj_network *net, size_t node);

/* The image that a node reads flattened. */
static struct image image_read(const struct stj_network *net, const struct stj_node *node)
{
    return node->layer.in.n_dims == 1 ? image_at(net, node->input[0]) : (struct image){0};
}

/* The image that the value of a node is: of a layer that flattens, or keeps what was flattened. */
static struct image image_at(const struct stj_network *net, size_t i)
{
    if (i == STJ_NETWORK_INPUT)
        return (struct image){0};
    const struct stj_node *node = &net->node[i];
    const struct stj_shape *in = &node->layer.in;
    if (node->layer.out.n_dims != 1 || node->n_in != node->n_out)
        return (struct image){0};
    if (in->n_dims == 3)
        return (struct image){in->dim[0], in->dim[1], in->dim[2]};
    if (in->n_dims != 1 || has_role(&node->layer, STJ_TENSOR_DENSE))
        return (struct image){0};
    return image_read(net, node);
}

/* A layer that moves values finds a flattened image in an order of its own, and what makes an image
 * of a vector makes another one, where files flatten channels first. */
static enum stj_status check_moved(const struct stj_network *net, const struct stj_node *node,
                                   struct stj_error *err)
{
    const struct stj_shape *out = &node->layer.out;
    const struct image made = {out->dim[0], out->dim[1], out->dim[2]};
    const bool kept = out->n_dims == 1 && node->n_in == node->n_out;
    bool reordered = out->n_dims == 3 && is_reordered(made);
    for (size_t k = 0; k < node->layer.n_inputs; k++)
        reordered = reordered || is_reordered(image_at(net, node->input[k]));
    if (!node->layer.ops->moves || node->layer.in.n_dims != 1)
        return STJ_OK;
    STJ_NEED(err, kept || !reordered, STJ_EUNSUPPORTED,
             "layer '%s' takes parts of a flattened image, or makes an image of a vector: files "
             "that flatten channels first do not fit this network",
             node->label);
    return STJ_OK;
}

/* A tensor that two layers share has one order of its inputs. */
static enum stj_status check_shared(const struct stj_network *net, const struct stj_node *node,
                                    struct stj_error *err)
{
    const struct image mine = image_read(net, node);
    for (size_t t = 0; t < node->layer.n_tensors; t++) {
        const struct stj_tensor_place *place = &node->place[t];
        const struct image other = place->shared ? image_read(net, &net->node[place->owner]) : mine;
        STJ_NEED(err,
                 !place->shared || !(is_reordered(mine) || is_reordered(other)) ||
                     (equal(mine, other) && !place->transposed),
                 STJ_EUNSUPPORTED,
                 "layer '%s' shares %s, which one of the two layers uses on a flattened image: "
                 "files that flatten channels first do not fit this network",
                 node->label, node->layer.tensor[t].name);
    }
    return STJ_OK;
}

/* Where values are added both must be in the same order. */
static enum stj_status check_sums(const struct stj_network *net, struct stj_error *err)
{
    for (size_t i = net->n_named; i < net->n_nodes; i++) {
        const struct stj_node *node = &net->node[i];
        STJ_MUST(check_moved(net, node, err));
        STJ_MUST(check_shared(net, node, err));
        if (node->layer.n_inputs < 2 || node->layer.in.n_dims != 1)
            continue;
        const struct image a = image_at(net, node->input[0]);
        const struct image b = image_at(net, node->input[1]);
        STJ_NEED(err, equal(a, b) || !(is_reordered(a) || is_reordered(b)), STJ_EUNSUPPORTED,
                 "layer '%s' adds a flattened image to something that is none: files that "
                 "flatten channels first do not fit this network",
                 node->label);
    }
    return STJ_OK;
}

size_t stj_network_n_tensors(const struct stj_network *net)
{
    return net->n_owned;
}

size_t stj_network_n_trained(const struct stj_network *net)
{
    return net->layout.n_tensors;
}

/* Append an axis of ours. */
static void add_axis(struct stj_parameter *p, size_t length)
{
    p->order[p->n_axes] = p->n_axes;
    p->length[p->n_axes++] = length;
}

static void set_order(struct stj_parameter *p, size_t a, size_t b, size_t c, size_t d)
{
    const size_t order[STJ_PARAMETER_AXES] = {a, b, c, d};
    for (size_t k = 0; k < p->n_axes; k++)
        p->order[k] = order[k];
}

/* Put the axes of an image in a file's order: height, width, channels to channels, height, width,
 * from the k-th axis of the file on. */
static void channels_first(struct stj_parameter *p, size_t k)
{
    const size_t height = p->order[k];
    const size_t width = p->order[k + 1];
    p->order[k] = p->order[k + 2];
    p->order[k + 1] = height;
    p->order[k + 2] = width;
}

static void set_kernel(const struct stj_tensor *tensor, const struct stj_parameter_layout *layout,
                       struct stj_parameter *p)
{
    const size_t area = (tensor->height ? tensor->height : 1) * tensor->width;
    if (tensor->height)
        add_axis(p, tensor->height);
    add_axis(p, tensor->width);
    add_axis(p, tensor->rows / area);
    add_axis(p, tensor->cols);
    p->n_dims = p->n_axes;
    if (layout->conv == STJ_CONV_OIHW && tensor->height)
        set_order(p, 3, 2, 0, 1);
    else if (layout->conv == STJ_CONV_OIHW)
        set_order(p, 2, 1, 0, 3);
    for (size_t k = 0; k < p->n_dims; k++)
        p->shape[k] = p->length[p->order[k]];
}

/* `image`: the inputs as the file has them in another order, or none. */
static void set_dense(const struct stj_tensor *tensor, const struct stj_parameter_layout *layout,
                      struct image image, struct stj_parameter *p)
{
    const bool out_first = layout->dense == STJ_DENSE_OUT_IN;
    if (is_image(image)) {
        add_axis(p, image.height);
        add_axis(p, image.width);
        add_axis(p, image.channels);
    } else {
        add_axis(p, tensor->rows);
    }
    add_axis(p, tensor->cols);
    if (out_first) {
        const size_t last = p->n_axes - 1;
        set_order(p, last, 0, 1, 2);
    }
    if (is_image(image))
        channels_first(p, out_first ? 1 : 0);
    p->n_dims = 2;
    p->shape[0] = out_first ? tensor->cols : tensor->rows;
    p->shape[1] = out_first ? tensor->rows : tensor->cols;
}

static void set_table(const struct stj_tensor *tensor, struct image image, struct stj_parameter *p)
{
    p->n_dims = tensor->rows == 1 ? 1 : 2;
    p->shape[0] = tensor->rows == 1 ? tensor->cols : tensor->rows;
    p->shape[1] = tensor->cols;
    if (p->n_dims == 1 && is_image(image)) {
        add_axis(p, image.height);
        add_axis(p, image.width);
        add_axis(p, image.channels);
        channels_first(p, 0);
    } else {
        add_axis(p, p->shape[0]);
        if (p->n_dims == 2)
            add_axis(p, p->shape[1]);
    }
}

static void describe(const struct stj_network *net, const struct stj_node *node, size_t t,
                     const struct stj_parameter_layout *layout, struct stj_parameter *p)
{
    const struct stj_tensor *tensor = &node->layer.tensor[t];
    const bool reordered =
        layout->flatten == STJ_FLATTEN_CHW && is_reordered(image_read(net, node));
    const struct image none = {0};
    const struct image image = reordered ? image_read(net, node) : none;
    *p = (struct stj_parameter){.label = node->label,
                                .tensor = tensor->name,
                                .kind = node->layer.ops->info.name,
                                .offset = node->place[t].offset,
                                .frozen = node->place[t].frozen,
                                .head = tensor->head,
                                .width = stj_shape_cols(&node->layer.in),
                                .n = tensor->rows * tensor->cols};
    snprintf(p->name, sizeof p->name, "%s.%s", node->label, tensor->name);
    if (tensor->role == STJ_TENSOR_KERNEL)
        set_kernel(tensor, layout, p);
    else if (tensor->role == STJ_TENSOR_DENSE)
        set_dense(tensor, layout, image, p);
    else /* a bias beside a dense kernel belongs to the outputs */
        set_table(tensor, has_role(&node->layer, STJ_TENSOR_DENSE) ? none : image, p);
}

enum stj_status stj_network_parameter(const struct stj_network *net,
                                      const struct stj_parameter_layout *layout, size_t i,
                                      struct stj_parameter *parameter, struct stj_error *err)
{
    if (layout->flatten == STJ_FLATTEN_CHW)
        STJ_MUST(check_sums(net, err));
    const bool frozen = i >= net->layout.n_tensors;
    size_t left = frozen ? i - net->layout.n_tensors : i, position = 0;
    STJ_NEED(err, i < net->n_owned, STJ_EINVAL, "the network has no tensor of that number");
    for (size_t k = 0; k < net->n_nodes; k++)
        for (size_t t = 0; t < net->node[k].layer.n_tensors; t++) {
            const struct stj_tensor_place *place = &net->node[k].place[t];
            if (place->shared)
                continue;
            if (place->frozen == frozen && left-- == 0) {
                describe(net, &net->node[k], t, layout, parameter);
                parameter->position = position;
                return STJ_OK;
            }
            position += net->node[k].layer.tensor[t].rows * net->node[k].layer.tensor[t].cols;
        }
    return STJ_OK;
}

void stj_parameter_arrange(const struct stj_parameter *p, const double *item, double *theta)
{
    size_t stride[STJ_PARAMETER_AXES] = {0}; /* of our axes */
    size_t index[STJ_PARAMETER_AXES] = {0};
    size_t step = 1;
    for (size_t k = p->n_axes; k-- > 0;) {
        stride[k] = step;
        step *= p->length[k];
    }
    size_t to = 0;
    for (size_t i = 0; i < p->n; i++) {
        theta[to] = item[i];
        /* Count up the file's last axis and carry to the left. */
        for (size_t k = p->n_axes; k-- > 0;) {
            const size_t axis = p->order[k];
            to += stride[axis];
            if (++index[axis] < p->length[axis])
                break;
            to -= stride[axis] * index[axis];
            index[axis] = 0;
        }
    }
}
