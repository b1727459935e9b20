/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/losses/hinge.c: how far other outputs come within a margin of the label's (PyTorch's
 * MultiMarginLoss).
 *
 * For an item with outputs z[cols], class c of weight w and m_k = margin - z_c + z_k:
 *
 *     value              w / cols sum_{k != c, m_k > 0} m_k^p,    p = 1 or 2
 *     backward           z_bar = w / cols sum_k p m_k^(p - 1) (e_k - e_c)
 *     backward_tangent   p = 2: z_bar_dot = 2 w / cols sum_k (z_k_dot - z_c_dot) (e_k - e_c), else 0
 *
 * With several positions the loss of a sample is their mean; class weights do not change what a mean
 * over the batch divides by.
 */
#include "net/losses/losses.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

struct hinge_config {
    struct stj_label_loss_config labels;
    size_t p;
    double margin;
};

#define OPTION(...) STJ_OPTION_ROW(struct hinge_config, __VA_ARGS__)
static const struct stj_option hinge_options[] = {
    OPTION("p", SIZE, p, "1", "power of what is within the margin, 1 or 2", .min = 1, .max = 2),
    OPTION("margin", REAL, margin, "1",
           "distance that other outputs should keep from that of the label"),
    STJ_CLASS_WEIGHTS_OPTION,
    STJ_REDUCTION_OPTION,
    {.name = NULL},
};

static void hinge_sample(struct stj_rng *rng, char *text, size_t size)
{
    snprintf(text, size, "{type: hinge, p: %zu, margin: %.3f%s}", 1 + stj_rng_index(rng, 2),
             0.5 + stj_rng_uniform(rng),
             stj_rng_index(rng, 2) ? ", class_weights: [0.5, 2, 0, 1.25]" : "");
}

/* What output k of an item is within the margin; 0 of the label's own. */
static double within(const struct hinge_config *c, const real *z, size_t label, size_t k)
{
    return k == label ? 0 : fmax(0, c->margin - (double)z[label] + (double)z[k]);
}

static double hinge_value(const void *config, const struct stj_shape *out, size_t batch,
                          real weight, const real *z, const struct stj_targets *targets,
                          real *saved)
{
    (void)saved;
    const struct hinge_config *c = config;
    const size_t cols = stj_shape_cols(out), positions = stj_shape_positions(out);
    double sum = 0;
    for (size_t r = 0; r < batch * positions; r++) {
        const size_t label = stj_item_label(targets, positions, r);
        double item = 0;
        for (size_t k = 0; k < cols; k++) {
            const double m = within(c, z + r * cols, label, k);
            item += c->p == 1 ? m : m * m;
        }
        sum += stj_label_weight(&c->labels, label) * item / (double)cols;
    }
    return (double)weight * sum / (double)positions;
}

static void hinge_backward(const void *config, const struct stj_shape *out, size_t batch,
                           real weight, real *z_bar, const real *z,
                           const struct stj_targets *targets, const real *saved)
{
    (void)saved;
    const struct hinge_config *c = config;
    const size_t cols = stj_shape_cols(out), positions = stj_shape_positions(out);
    for (size_t r = 0; r < batch * positions; r++) {
        const size_t label = stj_item_label(targets, positions, r);
        const real w =
            weight * (real)stj_label_weight(&c->labels, label) / (real)(cols * positions);
        real *bar = z_bar + r * cols;
        real sum = 0;
        for (size_t k = 0; k < cols; k++) {
            const double m = within(c, z + r * cols, label, k);
            bar[k] = w * (real)(c->p == 1 ? m > 0 : 2 * m);
            sum += bar[k];
        }
        bar[label] = -sum;
    }
}

static void hinge_backward_tangent(const void *config, const struct stj_shape *out, size_t batch,
                                   real weight, size_t nvec, real *z_bar_dot, const real *z,
                                   const struct stj_targets *targets, const real *saved,
                                   const real *z_dot)
{
    (void)saved;
    const struct hinge_config *c = config;
    const size_t cols = stj_shape_cols(out), positions = stj_shape_positions(out);
    for (size_t i = 0; i < batch * positions * nvec; i++) { /* item i / nvec, tangent i % nvec */
        const real *at = z + i / nvec * cols, *dot = z_dot + i * cols;
        const size_t label = stj_item_label(targets, positions, i / nvec);
        const real factor = c->p == 1 ? 0 : 2 * (real)stj_label_weight(&c->labels, label);
        const real w = weight * factor / (real)(cols * positions);
        real *bar_dot = z_bar_dot + i * cols;
        real sum = 0;
        for (size_t k = 0; k < cols; k++) {
            bar_dot[k] = within(c, at, label, k) > 0 ? w * (dot[k] - dot[label]) : 0;
            sum += bar_dot[k];
        }
        bar_dot[label] = -sum;
    }
}

const struct stj_loss_ops stj_loss_hinge = {
    .info = {.name = "hinge",
             .doc = "how far other outputs come within a margin of the class label's",
             .options = hinge_options,
             .config_size = sizeof(struct hinge_config),
             .check = stj_label_loss_check},
    .switches = true,
    .wants_labels = true,
    .sample = hinge_sample,
    .n_saved = stj_loss_saves_nothing,
    .value = hinge_value,
    .backward = hinge_backward,
    .backward_tangent = hinge_backward_tangent,
};
