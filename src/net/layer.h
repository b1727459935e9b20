/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/layer.h: the contract of a layer.
 *
 * A layer maps x to y = f(x, theta), sample by sample (unless it has records).  It provides f and
 * the three functions that a gradient and a block Hessian-vector product need:
 *
 *     forward            y         = f(x, theta)
 *     forward_tangent    y_dot     = f_x x_dot + f_theta theta_dot
 *     backward           x_bar    += f_x' y_bar            theta_bar    += f_theta' y_bar
 *     backward_tangent   the tangent of `backward`, for (x_dot, theta_dot, y_bar_dot):
 *                        x_bar_dot, theta_bar_dot
 *
 * Layout.  A tensor of a batch has `rows` = batch * positions and `cols` = channels, where channels
 * is the last dimension of the sample's shape and positions the product of the others; a flat
 * vector is one position.  Values are [rows][cols] row-major.  A block of nvec tangents of a
 * tensor, activation or parameter, is [rows][nvec][cols] (base/block.h).
 *
 * Rules.  The four functions never allocate, never fail, touch no globals, and may run at the same
 * time on different slices of a batch; `scratch` holds n_scratch(layer, batch, nvec) reals.  What a
 * layer says that it forgets is kept for no one else's sake, and NULL when it might be read.  A
 * layer whose samples depend on the rest of their batch leaves a *record* of its slice before each
 * of the four, which then see the records of all slices (parallel/slice_sync.h).  Outputs do not
 * overlap inputs.  Whether an output is overwritten or accumulated into is said at each slot.  At
 * non-smooth points all directions take the branch that `forward` took.
 */
#ifndef STJ_NET_LAYER_H
#define STJ_NET_LAYER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/block.h"
#include "parallel/slice_sync.h"
#include "options/option.h"
#include "base/real.h"
#include "base/rng.h"

enum { STJ_MAX_DIMS = 4, STJ_MAX_TENSORS = 12, STJ_MAX_INPUTS = 2 };

/* The shape of one sample, outermost dimension first: {n}, {positions, channels} or {height, width,
 * channels}. */
struct stj_shape {
    size_t n_dims;
    size_t dim[STJ_MAX_DIMS];
};

size_t stj_shape_size(const struct stj_shape *shape);      /* product of all dimensions */
size_t stj_shape_cols(const struct stj_shape *shape);      /* last dimension */
size_t stj_shape_positions(const struct stj_shape *shape); /* product of all but the last */
/* The shape as an image: of three dimensions, or flat and a square of numbers; false: it is none. */
bool stj_shape_image(const struct stj_shape *shape, size_t *height, size_t *width,
                     size_t *channels);
/* "28x28x6" into text (at least 96 bytes); returns text. */
const char *stj_shape_text(const struct stj_shape *shape, char *text);

/* What the rows and columns of a tensor stand for; other programs lay them out otherwise. */
enum stj_tensor_role {
    STJ_TENSOR_TABLE,  /* [rows][cols], or [cols] of one row: a number for each channel */
    STJ_TENSOR_DENSE,  /* a matrix [in][out] */
    STJ_TENSOR_KERNEL, /* of a convolution: [height][width][in][out] */
};

/* The keys that every layer has in a config. */
struct stj_layer_keys {
    char *input; /* what it reads; NULL: the layer before */
    struct stj_texts inputs;
    bool has_trainable, trainable;
    struct stj_names share; /* its tensors: those of layers before it */
};

/* One parameter tensor of a layer. */
struct stj_tensor {
    const char *name; /* "kernel", "bias" */
    size_t rows, cols;
    size_t offset; /* within the layer's parameters */
    size_t fan_in, fan_out;
    enum stj_tensor_role role;
    bool fixed;                    /* never trained: statistics */
    size_t height, width;          /* KERNEL; height 0: of sequences, without this axis */
    size_t head;                   /* of an attention's projections: numbers of a head */
    const struct stj_plugin *init; /* initialiser; borrowed from the layer's config */
};

/* Values of the primal pass that a layer can do without after it: memory of every step. */
enum {
    STJ_FORGETS_X = 1,     /* x and x2 are read by forward (and its record) alone, */
    STJ_FORGETS_Y = 2,     /* y by nothing, */
    STJ_FORGETS_Y_BAR = 4, /* y_bar by backward (and its record) alone: else they are NULL */
    STJ_FORGETS_ALL = 7,
};

struct stj_layer_ops;

/* One layer of one network: filled by its `setup`. */
struct stj_layer {
    const struct stj_layer_ops *ops; /* `setup` may put the functions of a variant there */
    const void *config;              /* parsed options; borrowed from the network's specification */
    const char *label;               /* its name in messages: the config's `name`, else "dense0" */
    size_t n_inputs;
    struct stj_shape in, out;
    struct stj_shape in2; /* set by the `setup` of a layer of two inputs that wants to know */
    size_t n_tensors;
    struct stj_tensor tensor[STJ_MAX_TENSORS];
    size_t n_params;  /* sum over tensors */
    size_t n_saved;   /* reals per sample that forward leaves for the other three */
    unsigned forgets; /* STJ_FORGETS_...: those of the ops, and what `setup` adds */
    size_t n_at;      /* positions at which its tensors are multiplied; 0: those of the output */
    double products;  /* multiplications of a sample by what are no tensors, in forward */
    size_t n_ids;     /* the input is numbers of a vocabulary of this size; 0: real values */
    uint64_t seed;    /* for masks: drawn from (seed, step) only; before setup: the number
                                of the node, so that equal layers differ */
};

/* What every direction may see of the primal pass, for the rows of one slice of the batch. */
struct stj_layer_values {
    size_t whole;      /* samples in the batch */
    size_t batch;      /* samples in the slice */
    size_t first;      /* number of the slice's first sample among those of the step */
    size_t step;       /* training step */
    bool evaluate;     /* not training: nothing is dropped */
    const real *theta; /* [n_params] */
    const real *x;     /* [batch][in] */
    const real *x2;    /* second input of a layer that has two, else NULL */
    const real *y;     /* [batch][out] */
    const real *y_bar; /* [batch][out]; not yet known in the two forward directions: NULL */
    real *saved;       /* [batch][n_saved]; written by forward, read by the others */
    struct stj_slice_sync meeting; /* with the other slices, where the layer has records */
};

/* The four functions. */
enum stj_pass { STJ_FORWARD, STJ_FORWARD_TANGENT, STJ_BACKWARD, STJ_BACKWARD_TANGENT };

struct stj_layer_ops {
    struct stj_plugin_info info;
    size_t n_inputs;    /* 0 means 1 */
    size_t most_inputs; /* that a config may name.  With 2 inputs, SIZE_MAX: any number, nodes in a
                         * row; with `parts`, 2: then they are `parts_of_two` */
    bool switches;      /* not smooth: relu, max-pool */
    bool moves;         /* outputs are inputs, elsewhere: token ids stay what they are */
    unsigned forgets;   /* STJ_FORGETS_...: of every layer of this type */

    /* A plug-in that stands for several nodes has one of these.  parts: the nodes in a row, each
     * set up with the plug-in's config; NULL-terminated.  body: the config's layers, which come
     * first; these ops are then the node that joins the group's input and the body's output. */
    const struct stj_layer_ops *const *parts;
    const struct stj_layer_ops *const *parts_of_two; /* where the config names two inputs */
    bool reads_second; /* a part that reads the second input, and whose output is it from then on;
                        * its setup knows the first as in2 */
    const struct stj_plugins *(*body)(const void *config);
    const struct stj_plugins *(*shortcut)(const void *config); /* and other layers, first input */

    /* Check in (and in2 for two inputs) against the config; set out, tensors, n_params, n_saved. */
    enum stj_status (*setup)(struct stj_layer *layer, const struct stj_shape *in2,
                             struct stj_error *err);

    /* text <- a random small valid instance, "{input: [...], layers: [...]}", of at most a few
     * hundred parameters: what the conformance tests run.  Every option takes every branch
     * sometimes. */
    void (*sample)(struct stj_rng *rng, char *text, size_t size);

    /* Reals of scratch that any of the four functions needs for a slice; NULL: none. */
    size_t (*n_scratch)(const struct stj_layer *layer, size_t batch, size_t nvec);

    /* A sample's output depends on its batch: numbers of a slice's record for a pass with nvec
     * tangents (0: a primal one), the same for every slice; and record <- what all slices need to
     * know of this one before `pass`.  Arguments as of that function, those that it does not have
     * NULL.  NULL: samples are independent. */
    size_t (*n_record)(const struct stj_layer *layer, size_t nvec);
    void (*record)(const struct stj_layer *layer, enum stj_pass pass, size_t nvec, real *record,
                   const struct stj_layer_values *at, const real *x_dot, const real *y_bar_dot);

    /* y is overwritten. */
    void (*forward)(const struct stj_layer *layer, real *y, const struct stj_layer_values *at,
                    real *scratch);

    /* y_dot is overwritten.  x_dot (x2_dot) NULL: zero.  theta_dot points at the layer's part of a
     * tile. */
    void (*forward_tangent)(const struct stj_layer *layer, size_t nvec, real *y_dot,
                            const struct stj_layer_values *at, const real *x_dot,
                            const real *x2_dot, const real *theta_dot, real *scratch);

    /* x_bar <- beta[0] x_bar + ..., x2_bar <- beta[1] x2_bar + ... with beta 0 (not read) or 1;
     * NULL: not wanted.  theta_bar is overwritten; NULL: not wanted. */
    void (*backward)(const struct stj_layer *layer, const real *beta, real *x_bar, real *x2_bar,
                     real *theta_bar, const struct stj_layer_values *at, real *scratch);

    /* x_bar_dot <- beta[0] x_bar_dot + ...; theta_bar_dot is overwritten; NULL as in backward.
     * x_dot NULL: zero. */
    void (*backward_tangent)(const struct stj_layer *layer, size_t nvec, const real *beta,
                             real *x_bar_dot, real *x2_bar_dot, real *theta_bar_dot,
                             const struct stj_layer_values *at, const real *x_dot,
                             const real *x2_dot, const real *theta_dot, const real *y_bar_dot,
                             real *scratch);
};

extern const struct stj_kind stj_layers; /* the registry: net/layers/layers.c */

#endif
