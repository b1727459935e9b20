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
    layer->n_saved = stj_mask_reals(stj_shape_size(&layer->in));
    layer->seed = mix(mix(config->seed) + layer->seed);
    return STJ_OK;
}

static double rate_of(const struct stj_layer *layer, const struct stj_layer_values *at)
{
    return at->evaluate ? 0 : ((const struct dropout_config *)layer->config)->rate;
}

/* What an entry that stays is multiplied by. */
static real kept_factor(double rate)
{
    return (real)(1 / (1 - rate));
}

static size_t dropout_n_scratch(const struct stj_layer *layer, size_t batch, size_t nvec)
{
    (void)batch;
    (void)nvec;
    return stj_shape_size(&layer->in);
}

/* m[n] <- the mask of one sample; an entry is dropped when its 53 random bits, a number in [0, 1),
 * are below the rate. */
STJ_CLONES static void fill_mask(uint64_t key, double rate, size_t n, real *m)
{
    const uint64_t limit = (uint64_t)(rate * 0x1p53);
    const real kept = kept_factor(rate);
    for (size_t i = 0; i < n; i++)
        m[i] = mix(key + i * 0x9e3779b97f4a7c15u) >> 11 < limit ? 0 : kept;
}

static void dropout_forward(const struct stj_layer *layer, real *y,
                            const struct stj_layer_values *at, real *scratch)
{
    const size_t n = stj_shape_size(&layer->in);
    const double rate = rate_of(layer, at);
    for (size_t s = 0; s < at->batch; s++) {
        fill_mask(mix(mix(layer->seed + at->step) + at->first + s), rate, n, scratch);
        stj_mask_pack(n, scratch, kept_factor(rate), at->saved + s * layer->n_saved);
        stj_scale(n, scratch, at->x + s * n, 0, y + s * n);
    }
}

/* Y [batch][.][nvec][.] <- beta Y + mask X */
static void apply_mask(const struct stj_layer *layer, const struct stj_layer_values *at,
                       size_t nvec, const real *x, real beta, real *y, real *mask)
{
    const size_t n = stj_shape_size(&layer->in), cols = stj_shape_cols(&layer->in);
    const real kept = kept_factor(rate_of(layer, at));
    for (size_t s = 0; s < at->batch; s++) {
        stj_mask_unpack(n, at->saved + s * layer->n_saved, kept, 0, mask);
        stj_scale_block(n / cols, nvec, cols, mask, x + s * nvec * n, beta, y + s * nvec * n);
    }
}

static void dropout_forward_tangent(const struct stj_layer *layer, size_t nvec, real *y_dot,
                                    const struct stj_layer_values *at, const real *x_dot,
                                    const real *x2_dot, const real *theta_dot, real *scratch)
{
    (void)x2_dot;
    (void)theta_dot;
    if (x_dot)
        apply_mask(layer, at, nvec, x_dot, 0, y_dot, scratch);
    else
        memset(y_dot, 0, at->batch * nvec * stj_shape_size(&layer->in) * sizeof *y_dot);
}

static void dropout_backward(const struct stj_layer *layer, const real *beta, real *x_bar,
                             real *x2_bar, real *theta_bar, const struct stj_layer_values *at,
                             real *scratch)
{
    (void)x2_bar;
    (void)theta_bar;
    if (x_bar)
        apply_mask(layer, at, 1, at->y_bar, beta[0], x_bar, scratch);
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
    if (x_bar_dot)
        apply_mask(layer, at, nvec, y_bar_dot, beta[0], x_bar_dot, scratch);
}

const struct stj_layer_ops stj_layer_dropout = {
    .info = {.name = "dropout",
             .doc = "entries set to zero at random in training, the others scaled up",
             .options = dropout_options,
             .config_size = sizeof(struct dropout_config)},
    .sample = dropout_sample,
    .forgets = STJ_FORGETS_ALL,
    .setup = dropout_setup,
    .n_scratch = dropout_n_scratch,
    .forward = dropout_forward,
    .forward_tangent = dropout_forward_tangent,
    .backward = dropout_backward,
    .backward_tangent = dropout_backward_tangent,
};
