/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/losses/softmax_cross_entropy.c: cross-entropy of the softmax of the last dimension.
 *
 * For one item with outputs z[cols] and class c, p = softmax(z), and label smoothing s in [0, 1),
 * the target distribution is q = (1 - s) e_c + s / cols (PyTorch's CrossEntropyLoss):
 *
 *     value              -q' log p = log sum_k exp(z_k) - q' z       (shifted by max z; saves p)
 *     backward           z_bar     = w (p - q)
 *     backward_tangent   z_bar_dot = w (p z_dot - p (p' z_dot)),       H = diag(p) - p p'
 *
 * With several positions (tokens), the loss of a sample is the mean over its positions.
 */
#include "net/losses/losses.h"

#include <math.h>
#include <stdio.h>

#include "base/target_clones.h"
#include "net/vector_math.h"

struct softmax_config {
    double label_smoothing;
};

static const struct stj_option softmax_options[] = {
    {.name = "label_smoothing",
     .type = STJ_OPTION_REAL,
     .offset = offsetof(struct softmax_config, label_smoothing),
     .fallback = "0",
     .min = 0,
     .max = 1,
     .below_max = true,
     .doc = "share of the target that is spread evenly over all classes"},
    {.name = NULL},
};

static void softmax_sample(struct stj_rng *rng, char *text, size_t size)
{
    if (stj_rng_index(rng, 2))
        snprintf(text, size, "{type: softmax_cross_entropy, label_smoothing: %.3f}",
                 0.9 * stj_rng_uniform(rng));
    else
        snprintf(text, size, "softmax_cross_entropy");
}

static size_t softmax_n_saved(const struct stj_shape *out)
{
    return stj_shape_size(out);
}

/* p[n] <- softmax(z); returns log sum exp(z). */
STJ_CLONES static double softmax(size_t n, const real *restrict z, real *restrict p)
{
    real top = z[0];
    for (size_t k = 1; k < n; k++)
        top = z[k] > top ? z[k] : top;
    double sum = 0;
    for (size_t k = 0; k < n; k++)
        p[k] = (real)stj_exp((double)(z[k] - top));
    for (size_t k = 0; k < n; k++)
        sum += (double)p[k];
    for (size_t k = 0; k < n; k++)
        p[k] = (real)((double)p[k] / sum);
    return log(sum) + (double)top;
}

/* The class of item r of a slice: of position r % positions of its sample. */
static size_t item_class(const struct stj_targets *targets, size_t positions, size_t r)
{
    return targets->label[targets->row[r / positions] * positions + r % positions];
}

/* sum_k (log_sum - z_k): how far all classes together are from certain. */
static double distance_from_all(size_t n, const real *z, double log_sum)
{
    double sum = 0;
    for (size_t k = 0; k < n; k++)
        sum += log_sum - (double)z[k];
    return sum;
}

static double softmax_value(const void *config, const struct stj_shape *out, size_t batch,
                            real weight, const real *z, const struct stj_targets *targets,
                            real *saved)
{
    const double s = ((const struct softmax_config *)config)->label_smoothing;
    const size_t cols = stj_shape_cols(out);
    const size_t positions = stj_shape_positions(out);
    double sum = 0;
    for (size_t r = 0; r < batch * positions; r++) {
        const real *row = z + r * cols;
        const double log_sum = softmax(cols, row, saved + r * cols);
        sum += (1 - s) * (log_sum - (double)row[item_class(targets, positions, r)]);
        if (s > 0)
            sum += s / (double)cols * distance_from_all(cols, row, log_sum);
    }
    return (double)weight * sum / (double)positions;
}

static void softmax_backward(const void *config, const struct stj_shape *out, size_t batch,
                             real weight, real *z_bar, const real *z,
                             const struct stj_targets *targets, const real *saved)
{
    (void)z;
    const real s = (real)((const struct softmax_config *)config)->label_smoothing;
    const size_t cols = stj_shape_cols(out);
    const size_t positions = stj_shape_positions(out);
    const real w = weight / (real)positions;
    for (size_t r = 0; r < batch * positions; r++) {
        for (size_t k = 0; k < cols; k++)
            z_bar[r * cols + k] = w * (saved[r * cols + k] - s / (real)cols);
        z_bar[r * cols + item_class(targets, positions, r)] -= w * (1 - s);
    }
}

/* z_bar_dot = w p (z_dot - p' z_dot) for the nvec tangents of one item. */
STJ_CLONES static void item_tangent(size_t nvec, size_t n, real w, const real *restrict p,
                                    const real *restrict z_dot, real *restrict z_bar_dot)
{
    for (size_t j = 0; j < nvec; j++) {
        const real *u = z_dot + j * n;
        real mean = 0;
        for (size_t k = 0; k < n; k++)
            mean += p[k] * u[k];
        for (size_t k = 0; k < n; k++)
            z_bar_dot[j * n + k] = w * p[k] * (u[k] - mean);
    }
}

static void softmax_backward_tangent(const void *config, const struct stj_shape *out, size_t batch,
                                     real weight, size_t nvec, real *z_bar_dot, const real *z,
                                     const real *saved, const real *z_dot)
{
    (void)config;
    (void)z;
    const size_t cols = stj_shape_cols(out);
    const size_t positions = stj_shape_positions(out);
    const real w = weight / (real)positions;
    for (size_t r = 0; r < batch * positions; r++)
        item_tangent(nvec, cols, w, saved + r * cols, z_dot + r * nvec * cols,
                     z_bar_dot + r * nvec * cols);
}

/* sum_k p_k (log p_k - log q_k) of the laws of one item, p = softmax(z), q = softmax(other). */
static double item_divergence(size_t n, const real *z, const real *other)
{
    double top = z[0], other_top = other[0], sum = 0, other_sum = 0, mean = 0;
    for (size_t k = 1; k < n; k++) {
        top = fmax(top, z[k]);
        other_top = fmax(other_top, other[k]);
    }
    for (size_t k = 0; k < n; k++) {
        const double e = exp((double)z[k] - top);
        sum += e;
        other_sum += exp((double)other[k] - other_top);
        mean += e * (((double)z[k] - top) - ((double)other[k] - other_top));
    }
    return fmax(0, mean / sum - log(sum) + log(other_sum)); /* rounding may fall below 0 */
}

/* Label smoothing is of the targets, and no part of the prediction. */
static void softmax_divergence(const struct stj_shape *out, size_t batch, const real *z,
                               const real *other, double *kl)
{
    const size_t cols = stj_shape_cols(out);
    const size_t positions = stj_shape_positions(out);
    for (size_t s = 0; s < batch; s++) {
        double sum = 0;
        for (size_t r = s * positions; r < (s + 1) * positions; r++)
            sum += item_divergence(cols, z + r * cols, other + r * cols);
        kl[s] = sum / (double)positions;
    }
}

const struct stj_loss_ops stj_loss_softmax_cross_entropy = {
    .info = {.name = "softmax_cross_entropy",
             .doc = "cross-entropy of the softmax of the last dimension with class labels",
             .options = softmax_options,
             .config_size = sizeof(struct softmax_config)},
    .wants_labels = true,
    .sample = softmax_sample,
    .n_saved = softmax_n_saved,
    .value = softmax_value,
    .backward = softmax_backward,
    .backward_tangent = softmax_backward_tangent,
    .divergence = softmax_divergence,
};
