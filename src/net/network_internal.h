/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/network_internal.h: the struct behind net/network.h, for the files that walk it. */
#ifndef STJ_NET_NETWORK_INTERNAL_H
#define STJ_NET_NETWORK_INTERNAL_H

#include "net/network.h"

#define STJ_NETWORK_INPUT SIZE_MAX /* as a node's input: the network's own input */

enum { STJ_LABEL_BYTES = 64 };

/* Where a tensor of a node lies. */
struct stj_tensor_place {
    size_t offset;   /* in theta, or among the frozen values */
    bool frozen;     /* it is not trained */
    bool shared;     /* it is tensor `tensor` of node `owner`, */
    bool transposed; /* transposed */
    size_t owner, tensor;
    bool has_sharers; /* others share it */
    bool first;       /* of its users, in the backward pass: it writes the bar, the others add */
    bool seen;        /* while that is found out */
};

/* What a config says of a layer, or of the group that it is in. */
enum stj_trainable { STJ_BY_PATTERN, STJ_TRAINED, STJ_FROZEN };

/* Where values of the primal pass lie: in the linearisation, or only while the pass needs them, in
 * its scratch. */
struct stj_value_place {
    size_t at;
    bool passes;
};

/* Offsets are in reals per sample: multiply by the whole batch (linearisation), by the slice's
 * (values that pass), or by batch * nvec (tangents). */
struct stj_node {
    struct stj_layer layer;
    const struct stj_plugin *plugin; /* that it comes from; borrowed */
    char label[STJ_LABEL_BYTES];
    size_t name_length; /* bytes of the label that are the name of its layer in the config */
    size_t input[STJ_MAX_INPUTS]; /* node numbers, or STJ_NETWORK_INPUT */
    enum stj_trainable trainable;
    struct stj_tensor_place place[STJ_MAX_TENSORS];
    size_t theta, n_trained; /* offset and number of the parameters that are its own, trained */
    bool is_trained;         /* one of its tensors is, its own or shared */
    bool all_frozen;         /* it has tensors, all frozen, its own */
    bool gathers, scatters;  /* its parameters come together in scratch; their bars do */
    size_t n_in, n_out;      /* reals per sample */
    struct stj_value_place y, saved, y_bar;
    size_t n_kept;             /* reals per sample of these in a linearisation */
    size_t y_dot, y_bar_dot;   /* in the tangents' scratch; y_bar_dot slots are shared */
    bool has_tangent;          /* depends on a parameter: false before the first one */
    real beta[STJ_MAX_INPUTS]; /* 1: a consumer visited before wrote this input's bar already */
};

struct stj_network {
    const struct stj_network_config *config;
    struct stj_shape input, output;
    size_t n_named;                      /* inputs with names; the first nodes are these */
    struct stj_named_input *named;       /* [n_named], owned */
    const struct stj_named_input *weigh; /* of the loss's sample_weights; NULL: all 1 */
    bool inputs_move;                    /* they have tangents */
    size_t n_nodes;
    struct stj_node *node;
    struct stj_layout layout;
    size_t n_owned;               /* tensors, without those that are shared */
    size_t n_frozen;              /* numbers of those that are not trained, */
    real *frozen;                 /* [n_frozen], owned */
    size_t n_room;                /* reals that a node gathers, the most */
    enum stj_trainable inherited; /* while the nodes are made: of the group */
    const struct stj_loss_ops *loss;
    size_t loss_saved;     /* offset in a linearisation */
    size_t n_linear;       /* reals per sample of a linearisation */
    size_t n_passing;      /* reals per sample of scratch for values that pass */
    size_t n_tangent;      /* reals per sample and tangent of scratch */
    size_t output_bar_dot; /* offset of the loss's z_bar_dot: the last node's y_bar_dot */
    size_t n_stops;        /* of a walk through the nodes: where slices have to meet */
    size_t *stop;          /* [n_stops] positions, in their order */
    size_t *ids;           /* [in] vocabulary of each input, 0: real values; NULL: all are real */
    size_t n_ids;          /* the smallest of them */
};

/* The plug-in of a registry in this precision: configs are parsed with those in double. */
static inline const struct stj_plugin_info *stj_own_plugin(const struct stj_kind *kind,
                                                           const struct stj_plugin_info *info)
{
#ifdef STJ_SINGLE
    (void)stj_kind_find(kind, info->name, &info, NULL);
#else
    (void)kind;
#endif
    return info;
}

/* net->node <- the nodes of a config's layers (graph.c), net->output. */
enum stj_status stj_network_make_nodes(struct stj_network *net, const struct stj_plugins *layers,
                                       struct stj_error *err);

/* What nobody reads, neither a layer nor the loss, is an error. */
enum stj_status stj_network_check_ends(const struct stj_network *net, struct stj_error *err);

/* The tensors of a plug-in's nodes, `first` and those after it, that its `share` names. */
enum stj_status stj_network_share(struct stj_network *net, const struct stj_plugin *plugin,
                                  size_t first, struct stj_error *err);

/* net->layout and where the nodes have their tensors. */
enum stj_status stj_network_place_parameters(struct stj_network *net, struct stj_error *err);

/* Reals of scratch (`room` below) for what nodes gather and scatter. */
size_t stj_parameters_scratch(const struct stj_network *net, size_t nvec);

/* The parameters of a node, their tangents, the place for what it leaves of their bars (NULL: not
 * wanted); for nvec tangents, or values: 1.  And behind its backward pass: to their places. */
const real *stj_node_theta(const struct stj_network *net, const struct stj_node *node,
                           const real *theta, real *room);
const real *stj_node_theta_dot(const struct stj_network *net, const struct stj_node *node,
                               size_t nvec, const real *theta_dot, real *room);
real *stj_node_theta_bar(const struct stj_network *net, const struct stj_node *node, size_t nvec,
                         real *theta_bar, real *room);
void stj_node_scatter(const struct stj_network *net, const struct stj_node *node, size_t nvec,
                      real *theta_bar, real *room);

/* The room in the scratch of a pass. */
real *stj_parameters_room(const struct stj_network *net, size_t batch, size_t nvec, real *scratch);

/* A walk through the network, of a slice: positions from .. to - 1 of 0 .. 2 n, where position p is
 * node p forward below n, the loss at n, and node 2 n - p backward above it. */
struct stj_walk {
    size_t from, to;
    void (*record)(const void *self, size_t position); /* of a layer that has one; else nothing */
    void (*visit)(const void *self, size_t position);
};

/* The stage of it that b->meeting says: from a position whose record is there up to the record of
 * the next. A slice that is the whole batch walks all of it. */
void stj_network_walk(const struct stj_network *net, const struct stj_batch *b,
                      const struct stj_walk *walk, const void *self);

/* The node of a position; NULL: the loss's. */
const struct stj_node *stj_node_at(const struct stj_network *net, size_t position);

/* *b, with a place for the record where its slice is the whole batch: at the end of `scratch`. */
struct stj_batch stj_batch_with_record(const struct stj_network *net, const struct stj_batch *b,
                                       size_t nvec, real *scratch);

/* The targets of the slice's own samples. */
static inline struct stj_targets stj_slice_targets(const struct stj_batch *b)
{
    struct stj_targets targets = b->targets;
    targets.row += b->first;
    return targets;
}

static inline real stj_batch_weight(const struct stj_batch *b)
{
    return b->weight > 0 ? b->weight : 1 / (real)b->whole;
}

/* The share of a slice in the loss of its batch, with the weights of its samples; z_bar, z_bar_dot <-
 * of it (net/loss.h, with `saved` as stj_loss_saved). */
double stj_slice_loss(const struct stj_network *net, const struct stj_batch *b, const real *z,
                      real *saved);
void stj_slice_loss_backward(const struct stj_network *net, const struct stj_batch *b, real *z_bar,
                             const real *z, const real *saved);
void stj_slice_loss_tangent(const struct stj_network *net, const struct stj_batch *b, size_t nvec,
                            real *z_bar_dot, const real *z, const real *saved, const real *z_dot);

/* to += (d z_bar / d targets) from, or its transpose where `adjoint`. */
void stj_slice_loss_by_target(const struct stj_network *net, const struct stj_batch *b, size_t nvec,
                              bool adjoint, real *to, const real *z, const real *saved,
                              const real *from);

/* What the loss saved of a slice in a linearisation. */
real *stj_loss_saved(const struct stj_network *net, const struct stj_batch *b, const real *lin);

/* What a layer may see of a slice of the batch in a linearisation; theta (may be NULL) its own.  Of
 * what passes the values are in `values`, while the pass goes forward, and the bars in `bars`, while
 * it goes back; NULL: they are gone. */
struct stj_layer_values stj_node_values(const struct stj_network *net, const struct stj_node *node,
                                        const struct stj_batch *b, const real *theta,
                                        const real *lin, const real *values, const real *bars);

/* The slice's share of the L2 penalty at theta. */
double stj_penalty_value(const struct stj_network *net, const struct stj_batch *b,
                         const real *theta);

/* y += the slice's share of lambda x, for parameter vectors (nvec 1) or tiles. */
void stj_penalty_add(const struct stj_network *net, const struct stj_batch *b, size_t nvec,
                     const real *x, real *y);

#endif
