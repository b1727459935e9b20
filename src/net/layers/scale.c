/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/layers/scale.c: a constant times a learned number, or one for each channel, times the input.
 *
 * With rows x [cols], the constant a, and s [cols] (one number for all, or absent: 1):
 *
 *     forward            y          = a s x
 *     forward_tangent    y_dot      = a (s x_dot + s_dot x)
 *     backward           x_bar     += a s y_bar                        s_bar     = a sum y_bar x
 *     backward_tangent   x_bar_dot += a (s y_bar_dot + s_dot y_bar)
 *                        s_bar_dot  = a sum (y_bar_dot x + y_bar x_dot)
 */
#include "net/layers/layers.h"

#include <stdio.h>
#include <string.h>

#include "base/target_clones.h"
#include "net/initializer.h"

enum { LEARN_NONE, LEARN_ONE, LEARN_CHANNELS };

struct scale_config {
    double factor;
    int learn;
    struct stj_plugin scale_init;
};

static const char *const learn_names[] = {"none", "one", "channels", NULL};

#define OPTION(...) STJ_OPTION_ROW(struct scale_config, __VA_ARGS__)
static const struct stj_option scale_options[] = {
    OPTION("factor", REAL, factor, "1", "the constant"),
    OPTION("learn", CHOICE, learn, "none",
           "what is learned beside it: nothing, one number, or one for each channel",
           .choices = learn_names),
    OPTION("scale_init", PLUGIN, scale_init, "ones", "initialiser of what is learned",
           .kind = &stj_initializers),
    {.name = NULL},
};

static void scale_sample(struct stj_rng *rng, char *text, size_t size)
{
    snprintf(
        text, size,
        "{input: [%s%zu], layers: [{type: scale, factor: -0.7, learn: %s, scale_init: normal}]}",
        stj_rng_index(rng, 2) ? "3, " : "", 1 + stj_rng_index(rng, 5),
        learn_names[stj_rng_index(rng, 3)]);
}

static enum stj_status scale_setup(struct stj_layer *layer, const struct stj_shape *in2,
                                   struct stj_error *err)
{
    (void)in2;
    (void)err;
    const struct scale_config *config = layer->config;
    const size_t cols = config->learn == LEARN_CHANNELS ? stj_shape_cols(&layer->in) : 1;
    layer->out = layer->in;
    if (config->learn == LEARN_NONE)
        layer->forgets = STJ_FORGETS_ALL;
    else
        stj_layer_add_tensor(layer, "scale", 1, cols, cols, cols, &config->scale_init);
    return STJ_OK;
}

/* The loops: rows, channels, and the step of s along them, 0 where there is one for all. */
struct extent {
    size_t rows, cols, cols_s, step;
    real factor;
};

static struct extent extent_of(const struct stj_layer *layer, size_t batch)
{
    const struct scale_config *config = layer->config;
    const size_t cols_s = layer->n_params ? layer->n_params : 1;
    return (struct extent){.rows = batch * stj_shape_positions(&layer->in),
                           .cols = stj_shape_cols(&layer->in),
                           .cols_s = cols_s,
                           .step = cols_s > 1,
                           .factor = (real)config->factor};
}

/* Y [rows][nvec][cols] <- beta Y + a S X, of which X or S has tangents; s NULL: 1. */
STJ_CLONES static void scale_rows(const struct extent *e, size_t nvec, const real *s, bool s_moves,
                                  const real *x, bool x_moves, real beta, real *restrict y)
{
    for (size_t r = 0; r < e->rows; r++)
        for (size_t j = 0; j < nvec; j++) {
            const real *row = x + (x_moves ? r * nvec + j : r) * e->cols;
            const real *own = s && s_moves ? s + j * e->cols_s : s;
            real *to = y + (r * nvec + j) * e->cols;
            for (size_t c = 0; c < e->cols; c++)
                to[c] = (beta == 0 ? 0 : to[c]) + e->factor * (own ? own[e->step * c] : 1) * row[c];
        }
}

/* sum [nvec][cols_s] += a sum over rows of X Y, of which one may have tangents. */
STJ_CLONES static void sum_rows(const struct extent *e, size_t nvec, const real *x, bool x_moves,
                                const real *y, bool y_moves, real *restrict sum)
{
    for (size_t r = 0; r < e->rows; r++)
        for (size_t j = 0; j < nvec; j++) {
            const real *one = x + (x_moves ? r * nvec + j : r) * e->cols;
            const real *two = y + (y_moves ? r * nvec + j : r) * e->cols;
            for (size_t c = 0; c < e->cols; c++)
                sum[j * e->cols_s + e->step * c] += e->factor * one[c] * two[c];
        }
}

static const real *scales(const struct stj_layer *layer, const real *theta)
{
    return layer->n_params ? theta : NULL;
}

static void scale_forward(const struct stj_layer *layer, real *y, const struct stj_layer_values *at,
                          real *scratch)
{
    (void)scratch;
    const struct extent e = extent_of(layer, at->batch);
    scale_rows(&e, 1, scales(layer, at->theta), false, at->x, true, 0, y);
}

static void scale_forward_tangent(const struct stj_layer *layer, size_t nvec, real *y_dot,
                                  const struct stj_layer_values *at, const real *x_dot,
                                  const real *x2_dot, const real *theta_dot, real *scratch)
{
    (void)x2_dot;
    (void)scratch;
    const struct extent e = extent_of(layer, at->batch);
    if (x_dot)
        scale_rows(&e, nvec, scales(layer, at->theta), false, x_dot, true, 0, y_dot);
    else
        memset(y_dot, 0, e.rows * nvec * e.cols * sizeof *y_dot);
    if (layer->n_params)
        scale_rows(&e, nvec, theta_dot, true, at->x, false, 1, y_dot);
}

static void scale_backward(const struct stj_layer *layer, const real *beta, real *x_bar,
                           real *x2_bar, real *theta_bar, const struct stj_layer_values *at,
                           real *scratch)
{
    (void)x2_bar;
    (void)scratch;
    const struct extent e = extent_of(layer, at->batch);
    if (x_bar)
        scale_rows(&e, 1, scales(layer, at->theta), false, at->y_bar, true, beta[0], x_bar);
    if (!theta_bar || !layer->n_params)
        return;
    memset(theta_bar, 0, layer->n_params * sizeof *theta_bar);
    sum_rows(&e, 1, at->x, true, at->y_bar, true, theta_bar);
}

static void scale_backward_tangent(const struct stj_layer *layer, size_t nvec, const real *beta,
                                   real *x_bar_dot, real *x2_bar_dot, real *theta_bar_dot,
                                   const struct stj_layer_values *at, const real *x_dot,
                                   const real *x2_dot, const real *theta_dot, const real *y_bar_dot,
                                   real *scratch)
{
    (void)x2_bar_dot;
    (void)x2_dot;
    (void)scratch;
    const struct extent e = extent_of(layer, at->batch);
    if (x_bar_dot)
        scale_rows(&e, nvec, scales(layer, at->theta), false, y_bar_dot, true, beta[0], x_bar_dot);
    if (x_bar_dot && layer->n_params)
        scale_rows(&e, nvec, theta_dot, true, at->y_bar, false, 1, x_bar_dot);
    if (!theta_bar_dot || !layer->n_params)
        return;
    memset(theta_bar_dot, 0, nvec * layer->n_params * sizeof *theta_bar_dot);
    sum_rows(&e, nvec, at->x, false, y_bar_dot, true, theta_bar_dot);
    if (x_dot)
        sum_rows(&e, nvec, x_dot, true, at->y_bar, false, theta_bar_dot);
}

const struct stj_layer_ops stj_layer_scale = {
    .info = {.name = "scale",
             .doc = "the input times a constant, and what is learned",
             .options = scale_options,
             .config_size = sizeof(struct scale_config)},
    .sample = scale_sample,
    .forgets = STJ_FORGETS_Y,
    .setup = scale_setup,
    .forward = scale_forward,
    .forward_tangent = scale_forward_tangent,
    .backward = scale_backward,
    .backward_tangent = scale_backward_tangent,
};
