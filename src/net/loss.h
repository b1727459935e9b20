/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/loss.h: the contract of a loss.
 *
 * A loss maps the network's output z of a slice to the sum of the slice's per-item losses times
 * `weight` (1 / batch size: the loss of a step is the mean over its batch):
 *
 *     value              weight * sum_i loss(z_i, target_i);   also saves what the others need
 *     backward           z_bar     = d value / d z
 *     backward_tangent   z_bar_dot = (d^2 value / d z^2) z_dot          (symmetric)
 *
 * Layouts and rules are those of net/layer.h.
 */
#ifndef STJ_NET_LOSS_H
#define STJ_NET_LOSS_H

#include "net/layer.h"

/* The targets of a slice: whichever the loss asks for.  Sample i of the slice is row[i] of the data
 * set's arrays; a loss saves what its backward_tangent needs of them. */
struct stj_targets {
    const size_t *row;   /* [batch] */
    const size_t *label; /* [data set][positions]: class numbers */
    const double *value; /* [data set][out] */
};

struct stj_loss_ops {
    struct stj_plugin_info info;
    bool wants_labels; /* class numbers, else values: as many as the network's outputs */
    double min_target, max_target; /* values: inclusive range; both 0: no limit */
    /* text <- a random valid instance, "{type: NAME, ...}", for the conformance tests. */
    void (*sample)(struct stj_rng *rng, char *text, size_t size);
    size_t (*n_saved)(const struct stj_shape *out); /* reals per sample */
    double (*value)(const void *config, const struct stj_shape *out, size_t batch, real weight,
                    const real *z, const struct stj_targets *targets, real *saved);
    void (*backward)(const void *config, const struct stj_shape *out, size_t batch, real weight,
                     real *z_bar, const real *z, const struct stj_targets *targets,
                     const real *saved);
    void (*backward_tangent)(const void *config, const struct stj_shape *out, size_t batch,
                             real weight, size_t nvec, real *z_bar_dot, const real *z,
                             const real *saved, const real *z_dot);

    /* kl[batch] <- the Kullback-Leibler divergence of each sample's prediction from another one,
     * KL(p_z | p_other), p_z being the law of targets with density proportional to exp(-value):
     * classes, coin tosses, normal numbers.  Its second derivative at other = z is backward_tangent
     * with weight 1. */
    void (*divergence)(const struct stj_shape *out, size_t batch, const real *z, const real *other,
                       double *kl);
};

extern const struct stj_kind stj_losses; /* the registry: net/losses/losses.c */

#endif
