/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/layers/concat.c: layers side by side, along their channels or their positions.
 *
 *     forward            y         = (x, x2)
 *     forward_tangent    y_dot     = (x_dot, x2_dot)
 *     backward           (x_bar, x2_bar)         += y_bar
 *     backward_tangent   (x_bar_dot, x2_bar_dot) += y_bar_dot
 *
 * Either is a copy of runs in turn: of each row's channels, or of each sample's rows.
 */
#include "net/layers/layers.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "net/kernels.h"

struct concat_config {
    int axis;
};

#define OPTION(...) STJ_OPTION_ROW(struct concat_config, __VA_ARGS__)
static const struct stj_option concat_options[] = {
    OPTION("axis", CHOICE, axis, "channels", "along the last dimension, or the first",
           .choices = stj_axis_names),
    {.name = NULL},
};

static void concat_sample(struct stj_rng *rng, char *text, size_t size)
{
    const bool positions = stj_rng_index(rng, 2);
    snprintf(text, size,
             "{input: [2, %s3], layers: [{type: dense, units: 4, name: a}, {type: dense, units: "
             "%zu, input: data}, {type: tanh, name: b}, {type: concat, inputs: [a, b%s], axis: "
             "%s}]}",
             stj_rng_index(rng, 2) ? "2, " : "", positions ? 4 : 1 + stj_rng_index(rng, 4),
             stj_rng_index(rng, 2) ? ", a, b" : "", stj_axis_names[positions]);
}

/* The dimension along which they are put. */
static size_t axis_of(const struct stj_layer *layer)
{
    const struct concat_config *config = layer->config;
    return config->axis == STJ_AXIS_CHANNELS ? layer->in.n_dims - 1 : 0;
}

static enum stj_status concat_setup(struct stj_layer *layer, const struct stj_shape *in2,
                                    struct stj_error *err)
{
    const struct stj_shape *in = &layer->in;
    const size_t axis = axis_of(layer);
    char one[96];
    char two[96];
    bool fits = in->n_dims == in2->n_dims;
    for (size_t d = 0; fits && d < in->n_dims; d++)
        fits = d == axis || in->dim[d] == in2->dim[d];
    stj_shape_text(in, one);
    STJ_NEED(err,
             ((const struct concat_config *)layer->config)->axis == STJ_AXIS_CHANNELS ||
                 in->n_dims > 1,
             STJ_ECONFIG, "its input is %s, it has no positions", one);
    STJ_NEED(err, fits, STJ_ECONFIG,
             "its inputs have the shapes %s and %s, which differ beside dimension %zu (from 0)",
             one, stj_shape_text(in2, two), axis);
    layer->out = *in;
    layer->out.dim[axis] += in2->dim[axis];
    layer->in2 = *in2;
    return STJ_OK;
}

/* Copies in turn, a run of n[0] numbers and one of n[1]. */
struct runs {
    size_t count, n[2];
};

static struct runs runs_of(const struct stj_layer *layer, size_t batch, size_t nvec)
{
    const bool channels = axis_of(layer) > 0 || layer->in.n_dims == 1;
    const struct stj_shape *in2 = &layer->in2;
    if (channels)
        return (struct runs){batch * stj_shape_positions(&layer->in) * nvec,
                             {stj_shape_cols(&layer->in), stj_shape_cols(in2)}};
    return (struct runs){batch, {nvec * stj_shape_size(&layer->in), nvec * stj_shape_size(in2)}};
}

/* y <- the parts; NULL: zero. */
static void join(struct runs runs, const real *x, const real *x2, real *y)
{
    for (size_t i = 0; i < runs.count; i++)
        for (size_t k = 0; k < 2; k++) {
            const real *part = k ? x2 : x;
            if (part)
                memcpy(y, part + i * runs.n[k], runs.n[k] * sizeof *y);
            else
                memset(y, 0, runs.n[k] * sizeof *y);
            y += runs.n[k];
        }
}

/* part[k] <- beta[k] part[k] + its part of y; NULL: not wanted. */
static void part(struct runs runs, const real *y, const real *beta, real *x, real *x2)
{
    for (size_t i = 0; i < runs.count; i++)
        for (size_t k = 0; k < 2; k++) {
            real *to = k ? x2 : x;
            if (to)
                stj_add(runs.n[k], y, beta[k], to + i * runs.n[k]);
            y += runs.n[k];
        }
}

static void concat_forward(const struct stj_layer *layer, real *y,
                           const struct stj_layer_values *at, real *scratch)
{
    (void)scratch;
    join(runs_of(layer, at->batch, 1), at->x, at->x2, y);
}

static void concat_forward_tangent(const struct stj_layer *layer, size_t nvec, real *y_dot,
                                   const struct stj_layer_values *at, const real *x_dot,
                                   const real *x2_dot, const real *theta_dot, real *scratch)
{
    (void)theta_dot;
    (void)scratch;
    join(runs_of(layer, at->batch, nvec), x_dot, x2_dot, y_dot);
}

static void concat_backward(const struct stj_layer *layer, const real *beta, real *x_bar,
                            real *x2_bar, real *theta_bar, const struct stj_layer_values *at,
                            real *scratch)
{
    (void)theta_bar;
    (void)scratch;
    part(runs_of(layer, at->batch, 1), at->y_bar, beta, x_bar, x2_bar);
}

static void concat_backward_tangent(const struct stj_layer *layer, size_t nvec, const real *beta,
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
    part(runs_of(layer, at->batch, nvec), y_bar_dot, beta, x_bar_dot, x2_bar_dot);
}

const struct stj_layer_ops stj_layer_concat = {
    .info = {.name = "concat",
             .doc = "layers side by side",
             .options = concat_options,
             .config_size = sizeof(struct concat_config)},
    .n_inputs = 2,
    .most_inputs = SIZE_MAX,
    .moves = true,
    .sample = concat_sample,
    .forgets = STJ_FORGETS_ALL,
    .setup = concat_setup,
    .forward = concat_forward,
    .forward_tangent = concat_forward_tangent,
    .backward = concat_backward,
    .backward_tangent = concat_backward_tangent,
};
