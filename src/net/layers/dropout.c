/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/layers/dropout.c: entries set to zero at random, the others scaled up.
 *
 *     forward            y         = m x,    m_i = 0 with probability `rate`, else 1/(1 - rate)
 *     forward_tangent    y_dot     = m x_dot
 *     backward           x_bar     = m y_bar
 *     backward_tangent   x_bar_dot = m y_bar_dot
 *
 * The mask is a function of (seed, node, step, number of the sample in its batch, element) alone,
 * through a counter-based generator: splitmix64 (Steele, Lea, Flood 2014) of a key of the first
 * four and the element.  So a step has the same mask whenever and however it is computed again.  In
 * evaluation m = 1.
 */
#include "net/layers/layers.h"

#include <stdio.h>
#include <string.h>

#include "base/target_clones.h"
#include "net/kernels.h"

struct dropout_config {
    double rate;
    uint64_t seed;
};

#define OPTION(...) STJ_OPTION_ROW(struct dropout_config, __VA_ARGS__)
static const struct stj_option dropout_options[] = {
    OPTION("rate", REAL, rate, "0.1", "probability that an entry is set to zero in a training step",
           .min = 0, .max = 1, .below_max = true),
    OPTION("seed", SEED, seed, "0",
           "seed of the masks; layers of one network have different masks anyway"),
    {.name = NULL},
};

static void dropout_sample(struct stj_rng *rng, char *text, size_t size)
{
    static const char *const rates[] = {"0", "0.1", "0.5", "0.9"};
    snprintf(text, size, "{input: [%s%zu], layers: [{type: dropout, rate: %s, seed: %zu}]}",
             stj_rng_index(rng, 2) ? "3, " : "", 1 + stj_rng_index(rng, 9),
             rates[stj_rng_index(rng, 4)], stj_rng_index(rng, 1000));
}

/* The finaliser of splitmix64. */
STJ_INLINE uint64_t mix(uint64_t z)
{
    z += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static enum stj_status dropout_setup(struct stj_layer *layer, const struct stj_shape *in2,
                                     struct stj_error *err)
{
    (void)in2;
    (void)err;
    const struct dropout_config *config = layer->config;
    layer->out = layer->in;
    layer->n_saved = stj_shape_size(&layer->in);
    layer->seed = mix(mix(config->seed) + layer->seed);
    return STJ_OK;
}

/* m[n] <- the mask of one sample; an entry is dropped when its 53 random bits, a number in [0, 1),
 * are below the rate. */
STJ_CLONES static void fill_mask(uint64_t key, double rate, size_t n, real *m)
{
    const uint64_t limit = (uint64_t)(rate * 0x1p53);
    const real kept = (real)(1 / (1 - rate));
    for (size_t i = 0; i < n; i++)
        m[i] = mix(key + i * 0x9e3779b97f4a7c15u) >> 11 < limit ? 0 : kept;
}

static void dropout_forward(const struct stj_layer *layer, real *y,
                            const struct stj_layer_values *at, real *scratch)
{
    (void)scratch;
    const struct dropout_config *config = layer->config;
    const size_t n = stj_shape_size(&layer->in);
    const double rate = at->evaluate ? 0 : config->rate;
    for (size_t s = 0; s < at->batch; s++)
        fill_mask(mix(mix(layer->seed + at->step) + at->first + s), rate, n, at->saved + s * n);
    stj_scale(at->batch * n, at->saved, at->x, 0, y);
}

static void dropout_forward_tangent(const struct stj_layer *layer, size_t nvec, real *y_dot,
                                    const struct stj_layer_values *at, const real *x_dot,
                                    const real *x2_dot, const real *theta_dot, real *scratch)
{
    (void)x2_dot;
    (void)theta_dot;
    (void)scratch;
    const size_t cols = stj_shape_cols(&layer->in);
    const size_t rows = at->batch * stj_shape_positions(&layer->in);
    if (x_dot)
        stj_scale_block(rows, nvec, cols, at->saved, x_dot, 0, y_dot);
    else
        memset(y_dot, 0, rows * nvec * cols * sizeof *y_dot);
}

static void dropout_backward(const struct stj_layer *layer, const real *beta, real *x_bar,
                             real *x2_bar, real *theta_bar, const struct stj_layer_values *at,
                             real *scratch)
{
    (void)x2_bar;
    (void)theta_bar;
    (void)scratch;
    if (x_bar)
        stj_scale(at->batch * stj_shape_size(&layer->in), at->saved, at->y_bar, beta[0], x_bar);
}

static void dropout_backward_tangent(const struct stj_layer *layer, size_t nvec, const real *beta,
                                     real *x_bar_dot, real *x2_bar_dot, real *theta_bar_dot,
                                     const struct stj_layer_values *at, const real *x_dot,
                                     const real *x2_dot, const real *theta_dot,
                                     const real *y_bar_dot, real *scratch)
{
    (void)x2_bar_dot;
    (void)theta_bar_dot;
    (void)x_dot;
    (void)x2_dot;
    (void)theta_dot;
    (void)scratch;
    if (x_bar_dot)
        stj_scale_block(at->batch * stj_shape_positions(&layer->in), nvec,
                        stj_shape_cols(&layer->in), at->saved, y_bar_dot, beta[0], x_bar_dot);
}

const struct stj_layer_ops stj_layer_dropout = {
    .info = {.name = "dropout",
             .doc = "entries set to zero at random in training, the others scaled up",
             .options = dropout_options,
             .config_size = sizeof(struct dropout_config)},
    .sample = dropout_sample,
    .setup = dropout_setup,
    .forward = dropout_forward,
    .forward_tangent = dropout_forward_tangent,
    .backward = dropout_backward,
    .backward_tangent = dropout_backward_tangent,
};
