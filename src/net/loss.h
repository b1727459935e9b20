/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/loss.h: the contract of a loss.
 *
 * A loss maps the network's output z of a slice to the sum of the slice's per-item losses, each the
 * mean over its terms (positions of labels, outputs), times `weight`, which its reduction says
 * (stj_loss_weight: the loss of a step is the mean over its batch, of weight 1 / batch size, where
 * nothing else is said):
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

/* The targets of a slice: whichever the data have.  Sample i of the slice is row[i] of the data
 * set's arrays. */
struct stj_targets {
    const size_t *row;   /* [batch] */
    const size_t *label; /* [data set][positions]: class numbers, STJ_IGNORED_LABEL; or NULL */
    const double *value; /* [data set][out] */
};

/* What the losses of a batch become. */
enum stj_reduction {
    STJ_REDUCE_MEAN,       /* over all terms, or weighted, as `mass` says */
    STJ_REDUCE_SUM,        /* of all terms */
    STJ_REDUCE_BATCH_MEAN, /* of the terms of a sample, over the samples */
};

/* Every config of a loss begins with it. */
struct stj_loss_config {
    int reduction;
    char *sample_weights; /* the input with the weights of samples; NULL: all 1 */
};

/* Every config of a loss of labels. */
struct stj_label_loss_config {
    struct stj_loss_config common;
    struct stj_reals class_weights; /* [classes]; n == 0: all 1 */
    double ignore_index;            /* a label that does not count */
    bool has_ignore;
};

struct stj_loss_ops {
    struct stj_plugin_info info;
    bool switches;      /* not smooth: l1 */
    bool wants_labels;  /* class numbers, else values: as many as the network's outputs; its config
                          begins with struct stj_label_loss_config */
    bool probabilities; /* values are: those of a position sum to 1; with wants_labels: they may
                           come in place of the labels */
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
                             const struct stj_targets *targets, const real *saved,
                             const real *z_dot);

    /* to += M from, M = d z_bar / d targets, or M' from where `adjoint`; labels are targets of 1 for
     * their class and 0 for the others.  NULL: it has no derivative with respect to targets. */
    void (*by_target)(const void *config, const struct stj_shape *out, size_t batch, real weight,
                      size_t nvec, bool adjoint, real *to, const real *z,
                      const struct stj_targets *targets, const real *saved, const real *from);

    /* What a mean divides by, of the samples of n rows, where that is not their number; NULL: it
     * always is. */
    double (*mass)(const void *config, const struct stj_shape *out, size_t n,
                   const struct stj_targets *targets);

    /* kl[batch] <- the Kullback-Leibler divergence of each sample's prediction from another one,
     * KL(p_z | p_other), p_z being the law of targets with density proportional to exp(-value):
     * classes, coin tosses, normal numbers.  Its second derivative at other = z is backward_tangent
     * with weight 1 and without class weights.  NULL: no law has this loss. */
    void (*divergence)(const struct stj_shape *out, size_t batch, const real *z, const real *other,
                       double *kl);
};

/* Does a mean of the loss depend on the labels of the batch? */
bool stj_loss_has_mass(const struct stj_loss_ops *loss, const void *config,
                       const struct stj_targets *targets);

/* The weight of a batch of n samples, `mass` being theirs, or n. */
real stj_loss_weight(const struct stj_loss_ops *loss, const void *config,
                     const struct stj_shape *out, size_t n, double mass);

extern const struct stj_kind stj_losses; /* the registry: net/losses/losses.c */

#endif
