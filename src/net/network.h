/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/network.h: a network with its loss: gradient and block Hessian-vector product of one batch.
 *
 * The network is a topologically ordered array of nodes, one layer each.  The value of node i is
 * y_i; node i reads the values of one or two earlier nodes, or the network's input.
 *
 * A *linearisation* is everything of the primal pass of one batch that Hessian-vector products
 * need: the input, what layers saved, the y_i and y_bar_i that they do not forget, the loss's own.  It
 * is stored for the whole batch, so that a slice of the batch is a range of rows of it, whatever the
 * slicing.
 */
#ifndef STJ_NET_NETWORK_H
#define STJ_NET_NETWORK_H

#include "base/block.h"
#include "data/axes.h"
#include "net/layer.h"
#include "net/loss.h"

/* As parsed from the config's `network:` group. */
struct stj_network_config {
    struct stj_sizes input;   /* shape of one sample; n == 0: it has `inputs` */
    struct stj_shapes inputs; /* several, by their names */
    struct stj_plugins layers;
    struct stj_plugin loss;
    double l2;                  /* lambda of the penalty lambda/2 |theta|^2 */
    struct stj_texts trainable; /* patterns of names; none: all */
};

extern const struct stj_option stj_network_options[];

struct stj_network;

/* *net <- a network.  `config` is borrowed and must outlive it.  Errors name layer and shapes. */
enum stj_status stj_network_create(const struct stj_network_config *config,
                                   struct stj_network **net, struct stj_error *err);
void stj_network_destroy(struct stj_network *net); /* NULL is accepted */

/* *moving <- the same network, with tangents of its inputs in products: what does not depend on a
 * parameter has a place in linearisations and scratch, too.  The inputs must have derivatives. */
enum stj_status stj_network_create_moving(const struct stj_network *net,
                                          struct stj_network **moving, struct stj_error *err);

/* *net <- the outline of a network that only somebody else knows: tensors with names and shapes, in
 * the order of theta, all trained.  It has layers, which are what the names have before their last
 * dot, a layout and no functions: neither a pass nor a loss.  Everything is borrowed; config is all
 * zeros. */
enum stj_status stj_network_create_outline(const struct stj_network_config *config,
                                           const struct stj_shapes *tensors,
                                           struct stj_network **net, struct stj_error *err);

const struct stj_network_config *stj_network_config_of(const struct stj_network *net);
size_t stj_network_n_params(const struct stj_network *net);
const struct stj_layout *stj_network_layout(const struct stj_network *net);
const struct stj_shape *stj_network_input(const struct stj_network *net);
/* [*n]: the inputs by name, side by side in a sample, whose shape is then flat; NULL: one without. */
const struct stj_named_input *stj_network_named_inputs(const struct stj_network *net, size_t *n);
const struct stj_shape *stj_network_output(const struct stj_network *net);
const struct stj_loss_ops *stj_network_loss(const struct stj_network *net);
bool stj_network_weighs(
    const struct stj_network *net); /* one of the inputs is weights of the loss */
const void *stj_network_loss_config(const struct stj_network *net);
bool stj_network_couples_samples(const struct stj_network *net);
/* [in]: the inputs that are whole numbers are below these, 0: real values; NULL: all are real.  And
 * the smallest of them, or 0. */
const size_t *stj_network_ids(const struct stj_network *net);
size_t stj_network_n_ids(const struct stj_network *net);
/* Positions of a sample in the layer that has the most arithmetic: rows of its products. */
size_t stj_network_positions(const struct stj_network *net);
size_t stj_network_n_layers(const struct stj_network *net);
const struct stj_layer *stj_network_layer(const struct stj_network *net, size_t i,
                                          size_t *offset); /* of its parameters; or NULL */

/* What is known of layer i in its network. */
struct stj_network_about {
    size_t n_params, offset;   /* trained and its own; where they start in theta */
    size_t n_frozen, n_shared; /* its own, not trained; of other layers */
    size_t n_inputs;
    const char *input[STJ_MAX_INPUTS]; /* the layers that it reads; NULL: the network's input */
    double flops;                      /* of the forward pass of a sample: products, and outputs */
    size_t bytes;                      /* of a sample in a linearisation */
};
void stj_network_describe(const struct stj_network *net, size_t i, struct stj_network_about *about);

/* Parameters that are not trained: part of the network, no part of theta. */
size_t stj_network_n_frozen(const struct stj_network *net);
const real *stj_network_frozen(const struct stj_network *net);
void stj_network_set_frozen(struct stj_network *net, const double *value); /* [n_frozen] */

/* theta[n_params] and the network's frozen values <- initial parameters, drawn tensor by tensor from
 * the layers' initialisers. */
enum stj_status stj_network_initialize(struct stj_network *net, uint64_t seed, double *theta,
                                       struct stj_error *err);

/* One batch, or a slice of it: samples first .. first + batch - 1 of a batch of `whole`. */
struct stj_batch {
    size_t whole;                  /* samples of the batch: the loss is the mean over them */
    size_t first, batch;           /* the slice */
    size_t origin;                 /* samples of the step in the micro-batches before this batch */
    size_t step;                   /* training step, for dropout masks */
    bool evaluate;                 /* not training: nothing is dropped */
    struct stj_slice_sync meeting; /* the slice among the others: which stage of the work to do */
    const real *x;                 /* [whole][in]: the whole batch's inputs */
    struct stj_targets targets;    /* row[whole], of which those of the slice are read */
    real weight;                   /* of a sample in the loss; 0: 1 / whole */
    const double *sample_weight;   /* [data set]: a factor of each sample's weight; NULL: 1 */
    struct stj_given_tangents *given;      /* of a product; or NULL */
    const struct stj_curvature *curvature; /* of a product; NULL: the Hessian */
};

/* Reals of a linearisation for batches of up to `whole` samples. */
size_t stj_network_n_linear(const struct stj_network *net, size_t whole);
/* Reals of scratch for a slice of `batch` samples and nvec tangents (0: primal work only). */
size_t stj_network_n_scratch(const struct stj_network *net, size_t batch, size_t nvec);

/* Stages of stj_network_linearize and stj_network_hvp for slices that are not the whole batch, 1
 * where samples are independent: every slice goes through a stage before any begins the next
 * (parallel/slice_sync.h), with the same arguments and scratch.  Numbers of a record for nvec
 * tangents (0: primal work). */
size_t stj_network_n_stages(const struct stj_network *net);
size_t stj_network_n_record(const struct stj_network *net, size_t nvec);

/* Forward and backward pass of a slice into its rows of the linearisation `lin`.  *loss (may be
 * NULL) <- the slice's share of the batch's mean loss, L2 penalty included unless the batch is
 * evaluated, by one of the stages;
 * theta_bar (may be NULL) is overwritten with the slice's share of its gradient, a part by every
 * stage. */
void stj_network_linearize(const struct stj_network *net, const struct stj_batch *b,
                           const real *theta, real *lin, double *loss, real *theta_bar,
                           real *scratch);

/* theta_bar_dot (a tile) is overwritten with the slice's share of H theta_dot (a tile), at the
 * point and batch of `lin`; a part of it by every stage.  With a Gauss-Newton matrix in the place of
 * H a slice of a network that couples samples is the whole batch. */
void stj_network_hvp(const struct stj_network *net, const struct stj_batch *b, const real *theta,
                     const real *lin, size_t nvec, const real *theta_dot, real *theta_bar_dot,
                     real *scratch);

/* The layer in which a NaN or infinity came up first in the stj_network_hvp of one vector that has
 * just left theta_bar_dot and scratch: its label, borrowed; NULL: everywhere is finite. */
const char *stj_network_suspect(const struct stj_network *net, const struct stj_batch *b,
                                const real *theta_bar_dot, const real *scratch);

/* Products with the Jacobian of the slice's outputs with respect to the parameters, at a point
 * where a forward pass left `lin` (its y_bar are not read but must be finite).  Outputs are blocks
 * [rows][nvec][cols] (base/block.h), parameters tiles.  Where samples depend on each other, the
 * slice is the whole batch; likewise below.
 *     jvp    z_dot     = G theta_dot
 *     vjp    theta_bar = G' z_bar          zero: a tile of zeros */
void stj_network_jvp(const struct stj_network *net, const struct stj_batch *b, const real *theta,
                     const real *lin, size_t nvec, const real *theta_dot, real *z_dot,
                     real *scratch);
void stj_network_vjp(const struct stj_network *net, const struct stj_batch *b, const real *theta,
                     const real *lin, size_t nvec, const real *zero, const real *z_bar,
                     real *theta_bar, real *scratch);

/* Forward pass only: z[batch][out] <- the network's output of the slice, *loss (may be NULL) <- its
 * share of the mean loss of the data, without the L2 penalty.  lin is work space of
 * stj_network_n_linear(net, whole) reals. */
void stj_network_evaluate(const struct stj_network *net, const struct stj_batch *b,
                          const real *theta, real *lin, real *z, double *loss, real *scratch);

/* z[batch][out] <- the same without a loss: targets are not read. */
void stj_network_predict(const struct stj_network *net, const struct stj_batch *b,
                         const real *theta, real *lin, real *z, real *scratch);

#endif
