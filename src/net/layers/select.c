/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/layers/select.c: one of the positions, as a class token or the last token of a text.
 *
 *     forward            y         = x_p
 *     forward_tangent    y_dot     = x_dot_p
 *     backward           x_bar_p     += y_bar
 *     backward_tangent   x_bar_dot_p += y_bar_dot
 */
#include "net/layers/layers.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "net/kernels.h"

struct select_config {
    size_t position;
    bool last;
};

#define OPTION(...) STJ_OPTION_ROW(struct select_config, __VA_ARGS__)
static const struct stj_option select_options[] = {
    OPTION("position", SIZE, position, "0", "which, from 0"),
    OPTION("last", BOOL, last, "false", "whether `position` counts back from the last"),
    {.name = NULL},
};

static void select_sample(struct stj_rng *rng, char *text, size_t size)
{
    snprintf(text, size, "{input: [3, %s2], layers: [{type: select, position: %zu, last: %s}]}",
             stj_rng_index(rng, 2) ? "2, " : "", stj_rng_index(rng, 3),
             stj_rng_index(rng, 2) ? "true" : "false");
}

static enum stj_status select_setup(struct stj_layer *layer, const struct stj_shape *in2,
                                    struct stj_error *err)
{
    (void)in2;
    const struct select_config *config = layer->config;
    char text[96];
    stj_shape_text(&layer->in, text);
    STJ_NEED(err, layer->in.n_dims > 1, STJ_ECONFIG, "its input is %s, it has no positions", text);
    STJ_NEED(err, config->position < layer->in.dim[0], STJ_ECONFIG,
             "position %zu (from 0) is none of the %zu of its input %s", config->position,
             layer->in.dim[0], text);
    layer->out.n_dims = layer->in.n_dims - 1;
    memcpy(layer->out.dim, layer->in.dim + 1, layer->out.n_dims * sizeof *layer->in.dim);
    return STJ_OK;
}

static size_t first_of(const struct stj_layer *layer, size_t nvec)
{
    const struct select_config *config = layer->config;
    return nvec * stj_shape_size(&layer->out) *
           (config->last ? layer->in.dim[0] - 1 - config->position : config->position);
}

static void select_apply(const struct stj_layer *layer, size_t nvec, const real *saved,
                         const real *restrict x, real *restrict y)
{
    (void)saved;
    stj_add(nvec * stj_shape_size(&layer->out), x + first_of(layer, nvec), 0, y);
}

static void select_apply_adjoint(const struct stj_layer *layer, size_t nvec, const real *saved,
                                 const real *restrict y, real *restrict x)
{
    (void)saved;
    stj_add(nvec * stj_shape_size(&layer->out), y, 1, x + first_of(layer, nvec));
}

const struct stj_linear_map stj_layer_select = {
    .ops = {.info = {.name = "select",
                     .doc = "one of the positions",
                     .options = select_options,
                     .config_size = sizeof(struct select_config)},
            .moves = true,
            .sample = select_sample,
            .setup = select_setup,
            .forward = stj_linear_map_forward,
            STJ_LINEAR_MAP_SLOTS},
    .apply = select_apply,
    .apply_adjoint = select_apply_adjoint,
};
