/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/layers/slice.c: a range of the channels or of the positions.
 *
 *     forward            y         = x[from .. to - 1]
 *     forward_tangent    y_dot     = x_dot[from .. to - 1]
 *     backward           x_bar[from .. to - 1]     += y_bar
 *     backward_tangent   x_bar_dot[from .. to - 1] += y_bar_dot
 */
#include "net/layers/layers.h"

#include <stdio.h>

#include "base/error.h"
#include "net/kernels.h"

struct slice_config {
    int axis;
    size_t from, to;
};

#define OPTION(...) STJ_OPTION_ROW(struct slice_config, __VA_ARGS__)
static const struct stj_option slice_options[] = {
    OPTION("axis", CHOICE, axis, "channels", "of the last dimension, or of the first",
           .choices = stj_axis_names),
    OPTION("from", SIZE, from, "0", "the first, from 0"),
    OPTION("to", SIZE, to, "0", "the one behind the last; 0: all that follow"),
    {.name = NULL},
};

static void slice_sample(struct stj_rng *rng, char *text, size_t size)
{
    const size_t from = stj_rng_index(rng, 3);
    snprintf(text, size, "{input: [%s4], layers: [{type: slice, from: %zu, to: %zu, axis: %s}]}",
             stj_rng_index(rng, 2) ? "4, 2, " : "4, ", from,
             stj_rng_index(rng, 3) ? from + 1 + stj_rng_index(rng, 4 - from) : 0,
             stj_axis_names[stj_rng_index(rng, 2)]);
}

static enum stj_status slice_setup(struct stj_layer *layer, const struct stj_shape *in2,
                                   struct stj_error *err)
{
    (void)in2;
    const struct slice_config *config = layer->config;
    const bool channels = config->axis == STJ_AXIS_CHANNELS;
    const size_t axis = channels ? layer->in.n_dims - 1 : 0;
    const size_t there = layer->in.dim[axis];
    const size_t to = config->to ? config->to : there;
    char text[96];
    stj_shape_text(&layer->in, text);
    STJ_NEED(err, channels || layer->in.n_dims > 1, STJ_ECONFIG,
             "its input is %s, it has no positions", text);
    STJ_NEED(err, config->from < to && to <= there, STJ_ECONFIG,
             "from %zu to %zu is no range of the %zu %s of its input %s", config->from, to, there,
             stj_axis_names[config->axis], text);
    layer->out = layer->in;
    layer->out.dim[axis] = to - config->from;
    return STJ_OK;
}

/* Runs of numbers, `step` apart in x. */
struct runs {
    size_t count, n, first, step;
};

static struct runs runs_of(const struct stj_layer *layer, size_t nvec)
{
    const struct slice_config *config = layer->config;
    const size_t size = stj_shape_size(&layer->in);
    if (config->axis == STJ_AXIS_CHANNELS)
        return (struct runs){nvec * stj_shape_positions(&layer->in), stj_shape_cols(&layer->out),
                             config->from, stj_shape_cols(&layer->in)};
    return (struct runs){1, nvec * stj_shape_size(&layer->out),
                         nvec * (size / layer->in.dim[0]) * config->from, nvec * size};
}

static void slice_apply(const struct stj_layer *layer, size_t nvec, const real *saved,
                        const real *restrict x, real *restrict y)
{
    (void)saved;
    const struct runs r = runs_of(layer, nvec);
    for (size_t i = 0; i < r.count; i++)
        stj_add(r.n, x + r.first + i * r.step, 0, y + i * r.n);
}

static void slice_apply_adjoint(const struct stj_layer *layer, size_t nvec, const real *saved,
                                const real *restrict y, real *restrict x)
{
    (void)saved;
    const struct runs r = runs_of(layer, nvec);
    for (size_t i = 0; i < r.count; i++)
        stj_add(r.n, y + i * r.n, 1, x + r.first + i * r.step);
}

const struct stj_linear_map stj_layer_slice = {
    .ops = {.info = {.name = "slice",
                     .doc = "a range of the channels or of the positions",
                     .options = slice_options,
                     .config_size = sizeof(struct slice_config)},
            .moves = true,
            .sample = slice_sample,
            .setup = slice_setup,
            .forward = stj_linear_map_forward,
            STJ_LINEAR_MAP_SLOTS},
    .apply = slice_apply,
    .apply_adjoint = slice_apply_adjoint,
};
