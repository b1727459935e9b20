/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/layers/vector.c: learned positions before or behind those of the input, the same for every
 * sample: a class token, prompts.
 *
 * With x [positions][cols] and V [count][cols]:
 *
 *     forward            y         = (V, x)
 *     forward_tangent    y_dot     = (V_dot, x_dot)
 *     backward           (V_bar, x_bar)         = y_bar, V_bar summed over samples
 *     backward_tangent   (V_bar_dot, x_bar_dot) = y_bar_dot, V_bar_dot summed over samples
 */
#include "net/layers/layers.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "net/initializer.h"
#include "net/kernels.h"

struct vector_config {
    size_t count;
    bool last;
    struct stj_plugin vector_init;
};

#define OPTION(...) STJ_OPTION_ROW(struct vector_config, __VA_ARGS__)
static const struct stj_option vector_options[] = {
    OPTION("count", SIZE, count, "1", "number of positions that are added", .min = 1, .max = 1e9),
    OPTION("last", BOOL, last, "false", "whether they come behind the others"),
    OPTION("vector_init", PLUGIN, vector_init, "{type: normal, stddev: 0.02}",
           "initialiser of the vectors [count][cols]", .kind = &stj_initializers),
    {.name = NULL},
};

static void vector_sample(struct stj_rng *rng, char *text, size_t size)
{
    snprintf(text, size, "{input: [%zu, %zu], layers: [{type: vector, count: %zu, last: %s}]}",
             1 + stj_rng_index(rng, 4), 1 + stj_rng_index(rng, 5), 1 + stj_rng_index(rng, 3),
             stj_rng_index(rng, 2) ? "true" : "false");
}

static enum stj_status vector_setup(struct stj_layer *layer, const struct stj_shape *in2,
                                    struct stj_error *err)
{
    (void)in2;
    const struct vector_config *config = layer->config;
    const size_t cols = stj_shape_cols(&layer->in);
    char text[96];
    STJ_NEED(err, layer->in.n_dims == 2, STJ_ECONFIG,
             "its input is %s, it needs positions x channels", stj_shape_text(&layer->in, text));
    layer->out = layer->in;
    layer->out.dim[0] += config->count;
    stj_layer_add_tensor(layer, "vector", config->count, cols, config->count, cols,
                         &config->vector_init);
    return STJ_OK;
}

/* The runs of a sample's block of tangents: the vectors, the input, and where they begin. */
struct runs {
    size_t n_vector, n_x, vector, x;
};

static struct runs runs_of(const struct stj_layer *layer, size_t nvec)
{
    const struct vector_config *config = layer->config;
    const size_t n_vector = nvec * layer->n_params, n_x = nvec * stj_shape_size(&layer->in);
    return (struct runs){n_vector, n_x, config->last ? n_x : 0, config->last ? 0 : n_vector};
}

/* NULL: zero. */
static void join(struct runs r, size_t batch, const real *vector, const real *x, real *y)
{
    for (size_t s = 0; s < batch; s++) {
        real *to = y + s * (r.n_vector + r.n_x);
        memcpy(to + r.vector, vector, r.n_vector * sizeof *y);
        if (x)
            memcpy(to + r.x, x + s * r.n_x, r.n_x * sizeof *y);
        else
            memset(to + r.x, 0, r.n_x * sizeof *y);
    }
}

static void part(struct runs r, size_t batch, const real *y, real beta, real *x, real *vector)
{
    for (size_t s = 0; s < batch; s++) {
        const real *from = y + s * (r.n_vector + r.n_x);
        if (x)
            stj_add(r.n_x, from + r.x, beta, x + s * r.n_x);
        if (vector)
            stj_add(r.n_vector, from + r.vector, s > 0, vector);
    }
}

static void vector_forward(const struct stj_layer *layer, real *y,
                           const struct stj_layer_values *at, real *scratch)
{
    (void)scratch;
    join(runs_of(layer, 1), at->batch, at->theta, at->x, y);
}

static void vector_forward_tangent(const struct stj_layer *layer, size_t nvec, real *y_dot,
                                   const struct stj_layer_values *at, const real *x_dot,
                                   const real *x2_dot, const real *theta_dot, real *scratch)
{
    (void)x2_dot;
    (void)scratch;
    join(runs_of(layer, nvec), at->batch, theta_dot, x_dot, y_dot);
}

static void vector_backward(const struct stj_layer *layer, const real *beta, real *x_bar,
                            real *x2_bar, real *theta_bar, const struct stj_layer_values *at,
                            real *scratch)
{
    (void)x2_bar;
    (void)scratch;
    part(runs_of(layer, 1), at->batch, at->y_bar, beta[0], x_bar, theta_bar);
}

static void vector_backward_tangent(const struct stj_layer *layer, size_t nvec, const real *beta,
                                    real *x_bar_dot, real *x2_bar_dot, real *theta_bar_dot,
                                    const struct stj_layer_values *at, const real *x_dot,
                                    const real *x2_dot, const real *theta_dot,
                                    const real *y_bar_dot, real *scratch)
{
    (void)x2_bar_dot;
    (void)x_dot;
    (void)x2_dot;
    (void)theta_dot;
    (void)scratch;
    part(runs_of(layer, nvec), at->batch, y_bar_dot, beta[0], x_bar_dot, theta_bar_dot);
}

const struct stj_layer_ops stj_layer_vector = {
    .info = {.name = "vector",
             .doc = "learned positions beside those of the input, as a class token",
             .options = vector_options,
             .config_size = sizeof(struct vector_config)},
    .sample = vector_sample,
    .forgets = STJ_FORGETS_ALL,
    .setup = vector_setup,
    .forward = vector_forward,
    .forward_tangent = vector_forward_tangent,
    .backward = vector_backward,
    .backward_tangent = vector_backward_tangent,
};
