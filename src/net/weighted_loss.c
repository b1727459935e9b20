/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/weighted_loss.c: the loss of a slice, of samples or positions that have weights of their own.
 *
 *     L = weight sum_i w_i loss(z_i)      w_i: numbers of an input, which no parameter moves, times
 *                                         those that a training gives to its samples
 *
 * Without either the loss takes the slice as a whole.  Else it takes its pieces one by
 * one, each with its weight: samples, or positions of them, whose losses have the sample's mean.
 */
#include "net/network_internal.h"

/* A loss at its arguments. */
struct pieces {
    const struct stj_network *net;
    const struct stj_batch *b;
    struct stj_shape out;      /* of a piece */
    size_t of_sample, n_saved; /* pieces of a sample; what one saves */
};

static struct pieces pieces_of(const struct stj_network *net, const struct stj_batch *b)
{
    struct pieces p = {.net = net, .b = b, .out = net->output, .of_sample = 1};
    if (net->weigh && net->weigh->size > 1) {
        p.of_sample = net->weigh->size;
        p.out = (struct stj_shape){.n_dims = 1, .dim = {stj_shape_cols(&net->output)}};
    }
    p.n_saved = net->loss->n_saved(&p.out);
    return p;
}

static bool has_weights(const struct stj_network *net, const struct stj_batch *b)
{
    return net->weigh || b->sample_weight;
}

/* The weight of piece i, and its target in the place of a data set's row. */
static real piece(const struct pieces *p, size_t i, size_t *row, struct stj_targets *targets)
{
    const struct stj_batch *b = p->b;
    const size_t s = b->first + i / p->of_sample, k = i % p->of_sample;
    const struct stj_named_input *weigh = p->net->weigh;
    const real own = weigh ? b->x[s * stj_shape_size(&p->net->input) + weigh->first + k] : 1;
    const real given = b->sample_weight ? (real)b->sample_weight[b->targets.row[s]] : 1;
    *row = b->targets.row ? b->targets.row[s] * p->of_sample + k : 0;
    *targets = b->targets;
    targets->row = row;
    return stj_batch_weight(b) / (real)p->of_sample * own * given;
}

double stj_slice_loss(const struct stj_network *net, const struct stj_batch *b, const real *z,
                      real *saved)
{
    const struct pieces p = pieces_of(net, b);
    const void *config = net->config->loss.config;
    struct stj_targets targets = stj_slice_targets(b);
    const size_t n = stj_shape_size(&p.out);
    size_t row = 0;
    double sum = 0;
    if (!has_weights(net, b))
        return net->loss->value(config, &net->output, b->batch, stj_batch_weight(b), z, &targets,
                                saved);
    for (size_t i = 0; i < b->batch * p.of_sample; i++) {
        const real weight = piece(&p, i, &row, &targets);
        sum +=
            net->loss->value(config, &p.out, 1, weight, z + i * n, &targets, saved + i * p.n_saved);
    }
    return sum;
}

void stj_slice_loss_backward(const struct stj_network *net, const struct stj_batch *b, real *z_bar,
                             const real *z, const real *saved)
{
    const struct pieces p = pieces_of(net, b);
    const void *config = net->config->loss.config;
    struct stj_targets targets = stj_slice_targets(b);
    const size_t n = stj_shape_size(&p.out);
    size_t row = 0;
    if (!has_weights(net, b))
        net->loss->backward(config, &net->output, b->batch, stj_batch_weight(b), z_bar, z, &targets,
                            saved);
    for (size_t i = 0; has_weights(net, b) && i < b->batch * p.of_sample; i++) {
        const real weight = piece(&p, i, &row, &targets);
        net->loss->backward(config, &p.out, 1, weight, z_bar + i * n, z + i * n, &targets,
                            saved + i * p.n_saved);
    }
}

void stj_slice_loss_tangent(const struct stj_network *net, const struct stj_batch *b, size_t nvec,
                            real *z_bar_dot, const real *z, const real *saved, const real *z_dot)
{
    const struct pieces p = pieces_of(net, b);
    const void *config = net->config->loss.config;
    struct stj_targets targets = stj_slice_targets(b);
    const size_t n = stj_shape_size(&p.out);
    size_t row = 0;
    if (!has_weights(net, b))
        net->loss->backward_tangent(config, &net->output, b->batch, stj_batch_weight(b), nvec,
                                    z_bar_dot, z, &targets, saved, z_dot);
    for (size_t i = 0; has_weights(net, b) && i < b->batch * p.of_sample; i++) {
        const real weight = piece(&p, i, &row, &targets);
        net->loss->backward_tangent(config, &p.out, 1, weight, nvec, z_bar_dot + i * n * nvec,
                                    z + i * n, &targets, saved + i * p.n_saved,
                                    z_dot + i * n * nvec);
    }
}

void stj_slice_loss_by_target(const struct stj_network *net, const struct stj_batch *b, size_t nvec,
                              bool adjoint, real *to, const real *z, const real *saved,
                              const real *from)
{
    const struct pieces p = pieces_of(net, b);
    const void *config = net->config->loss.config;
    struct stj_targets targets = stj_slice_targets(b);
    const size_t n = stj_shape_size(&p.out);
    size_t row = 0;
    if (!has_weights(net, b))
        net->loss->by_target(config, &net->output, b->batch, stj_batch_weight(b), nvec, adjoint, to,
                             z, &targets, saved, from);
    for (size_t i = 0; has_weights(net, b) && i < b->batch * p.of_sample; i++) {
        const real weight = piece(&p, i, &row, &targets);
        net->loss->by_target(config, &p.out, 1, weight, nvec, adjoint, to + i * n * nvec, z + i * n,
                             &targets, saved + i * p.n_saved, from + i * n * nvec);
    }
}
