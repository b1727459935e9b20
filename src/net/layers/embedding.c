/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/layers/embedding.c: a vector for each token.
 *
 * With tokens x [positions], numbers below `vocabulary`, and a table E [vocabulary][width]:
 *
 *     forward            y_p       = E_(x_p)
 *     forward_tangent    y_dot_p   = E_dot_(x_p)
 *     backward           E_bar_k   = sum of y_bar_p over x_p = k
 *     backward_tangent   E_bar_dot = the same of y_bar_dot
 *
 * The output is linear in the table, and tokens have no tangent, so nothing of second order
 * appears.
 */
#include "net/layers/layers.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "net/initializer.h"
#include "net/kernels.h"

struct embedding_config {
    size_t vocabulary, width;
    struct stj_plugin table_init;
};

#define OPTION(...) STJ_OPTION_ROW(struct embedding_config, __VA_ARGS__)
static const struct stj_option embedding_options[] = {
    OPTION("vocabulary", SIZE, vocabulary, NULL,
           "number of different tokens; the data are whole numbers below it", .min = 1, .max = 1e9),
    OPTION("width", SIZE, width, NULL, "numbers that stand for a token", .min = 1, .max = 1e9),
    OPTION("table_init", PLUGIN, table_init, "normal",
           "initialiser of the table [vocabulary][width]", .kind = &stj_initializers),
    {.name = NULL},
};

static void embedding_sample(struct stj_rng *rng, char *text, size_t size)
{
    snprintf(text, size, "{input: [%zu], layers: [{type: embedding, vocabulary: %zu, width: %zu}]}",
             1 + stj_rng_index(rng, 5), 1 + stj_rng_index(rng, 6), 1 + stj_rng_index(rng, 9));
}

static enum stj_status embedding_setup(struct stj_layer *layer, const struct stj_shape *in2,
                                       struct stj_error *err)
{
    (void)in2;
    const struct embedding_config *config = layer->config;
    char text[96];
    size_t size = 0;
    STJ_NEED(err, layer->in.n_dims == 1, STJ_ECONFIG,
             "its input is %s, it needs [positions]: one token id at each",
             stj_shape_text(&layer->in, text));
    STJ_MUST(stj_size_mul(config->vocabulary, config->width, &size, err));
    layer->out =
        (struct stj_shape){.n_dims = 2, .dim = {stj_shape_size(&layer->in), config->width}};
    layer->n_ids = config->vocabulary;
    stj_layer_add_tensor(layer, "table", config->vocabulary, config->width, config->vocabulary,
                         config->width, &config->table_init);
    return STJ_OK;
}

/* y [n][width] <- rows of the table, or of a tile of tangents. */
static void gather(size_t n, size_t width, const real *id, const real *table, real *y)
{
    for (size_t i = 0; i < n; i++)
        memcpy(y + i * width, table + (size_t)id[i] * width, width * sizeof *y);
}

/* table [rows][width] <- at each row, the sum of the y that stand for it. */
static void scatter(size_t n, size_t width, const real *id, const real *y, size_t rows, real *table)
{
    memset(table, 0, rows * width * sizeof *table);
    for (size_t i = 0; i < n; i++)
        stj_add(width, y + i * width, 1, table + (size_t)id[i] * width);
}

static void embedding_forward(const struct stj_layer *layer, real *y,
                              const struct stj_layer_values *at, real *scratch)
{
    (void)scratch;
    gather(at->batch * stj_shape_size(&layer->in), stj_shape_cols(&layer->out), at->x, at->theta,
           y);
}

static void embedding_forward_tangent(const struct stj_layer *layer, size_t nvec, real *y_dot,
                                      const struct stj_layer_values *at, const real *x_dot,
                                      const real *x2_dot, const real *theta_dot, real *scratch)
{
    (void)x_dot;
    (void)x2_dot;
    (void)scratch;
    gather(at->batch * stj_shape_size(&layer->in), nvec * stj_shape_cols(&layer->out), at->x,
           theta_dot, y_dot);
}

static void embedding_backward(const struct stj_layer *layer, const real *beta, real *x_bar,
                               real *x2_bar, real *theta_bar, const struct stj_layer_values *at,
                               real *scratch)
{
    (void)beta;
    (void)x_bar;
    (void)x2_bar;
    (void)scratch;
    if (theta_bar)
        scatter(at->batch * stj_shape_size(&layer->in), stj_shape_cols(&layer->out), at->x,
                at->y_bar, layer->n_ids, theta_bar);
}

static void embedding_backward_tangent(const struct stj_layer *layer, size_t nvec, const real *beta,
                                       real *x_bar_dot, real *x2_bar_dot, real *theta_bar_dot,
                                       const struct stj_layer_values *at, const real *x_dot,
                                       const real *x2_dot, const real *theta_dot,
                                       const real *y_bar_dot, real *scratch)
{
    (void)beta;
    (void)x_bar_dot;
    (void)x2_bar_dot;
    (void)x_dot;
    (void)x2_dot;
    (void)theta_dot;
    (void)scratch;
    if (theta_bar_dot)
        scatter(at->batch * stj_shape_size(&layer->in), nvec * stj_shape_cols(&layer->out), at->x,
                y_bar_dot, layer->n_ids, theta_bar_dot);
}

const struct stj_layer_ops stj_layer_embedding = {
    .info = {.name = "embedding",
             .doc = "a vector for each token, from a table",
             .options = embedding_options,
             .config_size = sizeof(struct embedding_config)},
    .sample = embedding_sample,
    .forgets = STJ_FORGETS_Y | STJ_FORGETS_Y_BAR,
    .setup = embedding_setup,
    .forward = embedding_forward,
    .forward_tangent = embedding_forward_tangent,
    .backward = embedding_backward,
    .backward_tangent = embedding_backward_tangent,
};
