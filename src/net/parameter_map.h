/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/parameter_map.h: the parameter tensors of a network by name, and how files of other programs
 * lay them out.
 *
 * Here a convolution's kernel is [height][width][in][out], a dense one [in][out], and an image that
 * is flattened runs over height, width and channels; PyTorch has [out][in][height][width],
 * [out][in], and channels first.  So a dense kernel behind a flattened image differs in the order
 * of its inputs too, and so do the vectors of a normalisation between them.
 */
#ifndef STJ_NET_PARAMETER_MAP_H
#define STJ_NET_PARAMETER_MAP_H

#include "net/network.h"

enum stj_conv_layout { STJ_CONV_HWIO, STJ_CONV_OIHW };
enum stj_dense_layout { STJ_DENSE_IN_OUT, STJ_DENSE_OUT_IN };
enum stj_flatten_layout { STJ_FLATTEN_HWC, STJ_FLATTEN_CHW };

struct stj_parameter_layout {
    int conv, dense, flatten; /* of the enums above; zero: ours */
};

enum { STJ_PARAMETER_NAME_MAX = 96, STJ_PARAMETER_AXES = 4 };

/* One tensor.  A file has its items as an array of the shape given; item by item that array has
 * n_axes axes, of which the k-th is our axis order[k] of length length[order[k]]. */
struct stj_parameter {
    char name[STJ_PARAMETER_NAME_MAX]; /* LABEL.TENSOR: "conv2d0.kernel" */
    const char *label, *tensor;        /* the parts of the name; borrowed */
    const char *kind;                  /* of its layer, or part of one: "dense", "qkv" */
    size_t offset, n;                  /* in theta, or where it is frozen among the frozen values */
    bool frozen;
    size_t head, width; /* of an attention's projections: numbers of a head, and of the input */
    size_t position; /* in a vector of all parameters, trained and frozen, in the network's order */
    size_t n_dims, shape[STJ_PARAMETER_AXES];
    size_t n_axes, length[STJ_PARAMETER_AXES], order[STJ_PARAMETER_AXES];
};

/* Tensors, those that layers share once; the trained ones, [0, n_trained), come first. */
size_t stj_network_n_tensors(const struct stj_network *net);
size_t stj_network_n_trained(const struct stj_network *net);

/* parameter <- the i-th tensor of the network in files of this layout.  An error where the layout
 * cannot be carried over: a flattened image that is added to something that is none. */
enum stj_status stj_network_parameter(const struct stj_network *net,
                                      const struct stj_parameter_layout *layout, size_t i,
                                      struct stj_parameter *parameter, struct stj_error *err);

/* theta[n] (the tensor's part of the parameter vector) <- the items of a file's array. */
void stj_parameter_arrange(const struct stj_parameter *parameter, const double *item,
                           double *theta);

#endif
