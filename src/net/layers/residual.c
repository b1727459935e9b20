/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/layers/residual.c: sums: of two layers, and of a group of layers and its input.
 *
 *     forward            y         = x + x2
 *     forward_tangent    y_dot     = x_dot + x2_dot
 *     backward           x_bar    += y_bar,         x2_bar += y_bar
 *     backward_tangent   x_bar_dot += y_bar_dot,    x2_bar_dot += y_bar_dot
 *
 * The layers of a group are nodes of the network like any others; what follows is the node that
 * adds, x being the group's input, or what the layers of `shortcut` make of it, and x2 the output of
 * its `layers`.
 */
#include "net/layers/layers.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "net/kernels.h"

struct residual_config {
    struct stj_plugins layers, shortcut;
};

#define OPTION(...) STJ_OPTION_ROW(struct residual_config, __VA_ARGS__)
static const struct stj_option residual_options[] = {
    OPTION("layers", PLUGINS, layers, NULL, "the layers whose input is added to their output",
           .kind = &stj_layers),
    OPTION("shortcut", PLUGINS, shortcut, "",
           "layers of the input on its own way to the sum, as a projection to another shape; "
           "default: none, the input itself",
           .kind = &stj_layers),
    {.name = NULL},
};

static const struct stj_plugins *residual_body(const void *config)
{
    return &((const struct residual_config *)config)->layers;
}

static const struct stj_plugins *residual_shortcut(const void *config)
{
    return &((const struct residual_config *)config)->shortcut;
}

static void residual_sample(struct stj_rng *rng, char *text, size_t size)
{
    static const char *const body[] = {
        "{type: dense, units: %zu}",
        "{type: dense, units: 3}, {type: residual, layers: [silu]}, {type: dense, units: %zu}",
        "{type: residual, layers: [{type: dense, units: %zu, bias: false}]}, sigmoid"};
    const size_t n = 1 + stj_rng_index(rng, 6);
    char layers[160];
    snprintf(layers, sizeof layers, body[stj_rng_index(rng, 3)], n);
    snprintf(text, size, "{input: [%s%zu], layers: [{type: residual, layers: [%s]%s}]}",
             stj_rng_index(rng, 2) ? "2, " : "", n, layers,
             stj_rng_index(rng, 2) ? ", shortcut: [tanh]" : "");
}

static enum stj_status residual_setup(struct stj_layer *layer, const struct stj_shape *in2,
                                      struct stj_error *err)
{
    char from[96];
    char to[96];
    const bool same = strcmp(stj_shape_text(&layer->in, from), stj_shape_text(in2, to)) == 0;
    STJ_NEED(err, residual_body(layer->config)->n > 0, STJ_ECONFIG,
             "`layers` is empty, a residual group needs a layer");
    STJ_NEED(err, same || residual_shortcut(layer->config)->n > 0, STJ_ECONFIG,
             "the layers of a residual group must keep its shape, these turn %s into %s; give it "
             "a `shortcut` of layers that do the same",
             from, to);
    STJ_NEED(err, same, STJ_ECONFIG,
             "the two ways of a residual group must end in one shape: `layers` in %s, `shortcut` "
             "in %s",
             to, from);
    layer->out = layer->in;
    return STJ_OK;
}

static void add_sample(struct stj_rng *rng, char *text, size_t size)
{
    const size_t n = 1 + stj_rng_index(rng, 6);
    snprintf(text, size,
             "{input: [%s%zu], layers: [{type: dense, units: %zu, name: a}, {type: dense, units: "
             "%zu}, tanh, {type: add, inputs: [a, tanh2%s]}]}",
             stj_rng_index(rng, 2) ? "2, " : "", n, n, n, stj_rng_index(rng, 2) ? ", data, a" : "");
}

static enum stj_status add_setup(struct stj_layer *layer, const struct stj_shape *in2,
                                 struct stj_error *err)
{
    char one[96];
    char two[96];
    STJ_NEED(err, strcmp(stj_shape_text(&layer->in, one), stj_shape_text(in2, two)) == 0,
             STJ_ECONFIG, "its inputs have the shapes %s and %s, a sum needs equal ones", one, two);
    layer->out = layer->in;
    return STJ_OK;
}

static void residual_forward(const struct stj_layer *layer, real *y,
                             const struct stj_layer_values *at, real *scratch)
{
    (void)scratch;
    const size_t n = at->batch * stj_shape_size(&layer->in);
    stj_sum(n, at->x, at->x2, y);
}

static void residual_forward_tangent(const struct stj_layer *layer, size_t nvec, real *y_dot,
                                     const struct stj_layer_values *at, const real *x_dot,
                                     const real *x2_dot, const real *theta_dot, real *scratch)
{
    (void)theta_dot;
    (void)scratch;
    const size_t n = at->batch * stj_shape_size(&layer->in) * nvec;
    if (x_dot && x2_dot)
        stj_sum(n, x_dot, x2_dot, y_dot);
    else if (x_dot || x2_dot)
        stj_add(n, x_dot ? x_dot : x2_dot, 0, y_dot);
    else
        memset(y_dot, 0, n * sizeof *y_dot);
}

static void residual_backward(const struct stj_layer *layer, const real *beta, real *x_bar,
                              real *x2_bar, real *theta_bar, const struct stj_layer_values *at,
                              real *scratch)
{
    (void)theta_bar;
    (void)scratch;
    const size_t n = at->batch * stj_shape_size(&layer->in);
    if (x_bar)
        stj_add(n, at->y_bar, beta[0], x_bar);
    if (x2_bar)
        stj_add(n, at->y_bar, beta[1], x2_bar);
}

static void residual_backward_tangent(const struct stj_layer *layer, size_t nvec, const real *beta,
                                      real *x_bar_dot, real *x2_bar_dot, real *theta_bar_dot,
                                      const struct stj_layer_values *at, const real *x_dot,
                                      const real *x2_dot, const real *theta_dot,
                                      const real *y_bar_dot, real *scratch)
{
    (void)theta_bar_dot;
    (void)x_dot;
    (void)x2_dot;
    (void)theta_dot;
    (void)scratch;
    const size_t n = at->batch * stj_shape_size(&layer->in) * nvec;
    if (x_bar_dot)
        stj_add(n, y_bar_dot, beta[0], x_bar_dot);
    if (x2_bar_dot)
        stj_add(n, y_bar_dot, beta[1], x2_bar_dot);
}

const struct stj_layer_ops stj_layer_residual = {
    .info = {.name = "residual",
             .doc = "a group of layers whose input is added to its output",
             .options = residual_options,
             .config_size = sizeof(struct residual_config)},
    .n_inputs = 2,
    .body = residual_body,
    .shortcut = residual_shortcut,
    .sample = residual_sample,
    .forgets = STJ_FORGETS_ALL,
    .setup = residual_setup,
    .forward = residual_forward,
    .forward_tangent = residual_forward_tangent,
    .backward = residual_backward,
    .backward_tangent = residual_backward_tangent,
};

const struct stj_layer_ops stj_layer_add = {
    .info = {.name = "add", .doc = "the sum of layers of one shape"},
    .n_inputs = 2,
    .most_inputs = SIZE_MAX,
    .sample = add_sample,
    .forgets = STJ_FORGETS_ALL,
    .setup = add_setup,
    .forward = residual_forward,
    .forward_tangent = residual_forward_tangent,
    .backward = residual_backward,
    .backward_tangent = residual_backward_tangent,
};
