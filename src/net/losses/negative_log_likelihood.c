/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/losses/negative_log_likelihood.c: minus the output of the label, of outputs that are
 * log-probabilities (PyTorch's NLLLoss).
 *
 *     value      - w_c z_c for an item of class c and class weight w_c;  z_bar = - w_c e_c;  no second
 *                derivative
 *
 * The loss of a sample is the mean over its positions; the mean over a batch divides by the sum of
 * the w_c.
 */
#include "net/losses/losses.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const struct stj_option likelihood_options[] = {
    STJ_CLASS_WEIGHTS_OPTION,
    STJ_IGNORE_INDEX_OPTION,
    STJ_REDUCTION_OPTION,
    {.name = NULL},
};

static void likelihood_sample(struct stj_rng *rng, char *text, size_t size)
{
    static const char *const texts[] = {
        "negative_log_likelihood",
        "{type: negative_log_likelihood, ignore_index: -1}",
        "{type: negative_log_likelihood, class_weights: [0.5, 2, 0, 1.25]}",
    };
    snprintf(text, size, "%s", texts[stj_rng_index(rng, 3)]);
}

static double likelihood_value(const void *config, const struct stj_shape *out, size_t batch,
                               real weight, const real *z, const struct stj_targets *targets,
                               real *saved)
{
    (void)saved;
    const size_t cols = stj_shape_cols(out), positions = stj_shape_positions(out);
    double sum = 0;
    for (size_t r = 0; r < batch * positions; r++) {
        const size_t label = stj_item_label(targets, positions, r);
        if (label != STJ_IGNORED_LABEL)
            sum -= stj_label_weight(config, label) * (double)z[r * cols + label];
    }
    return (double)weight * sum / (double)positions;
}

static void likelihood_backward(const void *config, const struct stj_shape *out, size_t batch,
                                real weight, real *z_bar, const real *z,
                                const struct stj_targets *targets, const real *saved)
{
    (void)z;
    (void)saved;
    const size_t cols = stj_shape_cols(out), positions = stj_shape_positions(out);
    memset(z_bar, 0, batch * positions * cols * sizeof *z_bar);
    for (size_t r = 0; r < batch * positions; r++) {
        const size_t label = stj_item_label(targets, positions, r);
        if (label != STJ_IGNORED_LABEL)
            z_bar[r * cols + label] =
                -weight / (real)positions * (real)stj_label_weight(config, label);
    }
}

static void likelihood_backward_tangent(const void *config, const struct stj_shape *out,
                                        size_t batch, real weight, size_t nvec, real *z_bar_dot,
                                        const real *z, const struct stj_targets *targets,
                                        const real *saved, const real *z_dot)
{
    (void)config;
    (void)weight;
    (void)z;
    (void)targets;
    (void)saved;
    (void)z_dot;
    memset(z_bar_dot, 0, batch * stj_shape_size(out) * nvec * sizeof *z_bar_dot);
}

const struct stj_loss_ops stj_loss_negative_log_likelihood = {
    .info = {.name = "negative_log_likelihood",
             .doc = "minus the output of the class label, of outputs that are log-probabilities",
             .options = likelihood_options,
             .config_size = sizeof(struct stj_label_loss_config),
             .check = stj_label_loss_check},
    .wants_labels = true,
    .sample = likelihood_sample,
    .n_saved = stj_loss_saves_nothing,
    .value = likelihood_value,
    .backward = likelihood_backward,
    .backward_tangent = likelihood_backward_tangent,
    .mass = stj_label_mass,
};
