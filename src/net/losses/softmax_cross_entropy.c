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
 * In place of e_c there may be target probabilities t, and q_k is times the weight of class k; then,
 * with a = sum_k q_k,
 *
 *     value  a log sum_k exp(z_k) - q' z,   backward  w (a p - q),   H = a (diag(p) - p p')
 *
 * and q = 0 of a label that is ignored.
 *
 * With several positions (tokens), the loss of a sample is the mean over its positions.
 */
#include "net/losses/losses.h"

#include <math.h>
#include <stdio.h>

#include "base/target_clones.h"
#include "net/vector_math.h"

struct softmax_config {
    struct stj_label_loss_config labels;
    double label_smoothing;
};

#define OPTION(...) STJ_OPTION_ROW(struct softmax_config, __VA_ARGS__)
static const struct stj_option softmax_options[] = {
    OPTION("label_smoothing", REAL, label_smoothing, "0",
           "share of the target that is spread evenly over all classes", .min = 0, .max = 1,
           .below_max = true),
    STJ_CLASS_WEIGHTS_OPTION,
    STJ_IGNORE_INDEX_OPTION,
    STJ_REDUCTION_OPTION,
    {.name = NULL},
};

static void softmax_sample(struct stj_rng *rng, char *text, size_t size)
{
    static const char *const more[] = {"", ", ignore_index: -100",
                                       ", class_weights: [0.5, 2, 0, 1.25]",
                                       ", ignore_index: 2, class_weights: [0.5, 2, 0.25, 1.25]"};
    if (stj_rng_index(rng, 2))
        snprintf(text, size, "{type: softmax_cross_entropy, label_smoothing: %.3f%s}",
                 0.9 * stj_rng_uniform(rng), more[stj_rng_index(rng, 4)]);
    else
        snprintf(text, size, "{type: softmax_cross_entropy%s}", more[stj_rng_index(rng, 4)]);
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

/* Is every target a label that counts as any other? */
static bool is_plain(const struct softmax_config *c, const struct stj_targets *targets)
{
    return targets->label && !c->labels.class_weights.n && !c->labels.has_ignore;
}

/* Item r of a slice, as its target distribution needs it. */
struct item {
    const struct softmax_config *config;
    size_t cols, label; /* STJ_IGNORED_LABEL; not read where there are probabilities */
    const double *value;
};

static struct item item_of(const struct softmax_config *c, const struct stj_shape *out,
                           const struct stj_targets *targets, size_t r)
{
    const size_t cols = stj_shape_cols(out), positions = stj_shape_positions(out);
    struct item item = {.config = c, .cols = cols};
    if (targets->label)
        item.label = stj_item_label(targets, positions, r);
    else
        item.value =
            targets->value + (targets->row[r / positions] * positions + r % positions) * cols;
    return item;
}

/* q_k */
static double target(const struct item *item, size_t k)
{
    const double s = item->config->label_smoothing;
    const double of_class = stj_label_weight(&item->config->labels, k);
    if (!item->value && item->label == STJ_IGNORED_LABEL)
        return 0;
    return of_class *
           ((1 - s) * (item->value ? item->value[k] : k == item->label) + s / (double)item->cols);
}

/* a */
static double target_sum(const struct item *item)
{
    double sum = 0;
    for (size_t k = 0; k < item->cols; k++)
        sum += target(item, k);
    return sum;
}

/* sum_k q_k (log_sum - z_k) */
static double target_value(const struct item *item, const real *z, double log_sum)
{
    double sum = 0;
    for (size_t k = 0; k < item->cols; k++)
        sum += target(item, k) * (log_sum - (double)z[k]);
    return sum;
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
    const bool plain = is_plain(config, targets);
    double sum = 0;
    for (size_t r = 0; r < batch * positions; r++) {
        const real *row = z + r * cols;
        const double log_sum = softmax(cols, row, saved + r * cols);
        const struct item item = item_of(config, out, targets, r);
        if (!plain) {
            sum += target_value(&item, row, log_sum);
            continue;
        }
        sum += (1 - s) * (log_sum - (double)row[item.label]);
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
    const bool plain = is_plain(config, targets);
    for (size_t r = 0; r < batch * positions; r++) {
        const struct item item = item_of(config, out, targets, r);
        const real a = plain ? 1 : (real)target_sum(&item);
        for (size_t k = 0; k < cols && !plain; k++)
            z_bar[r * cols + k] = w * (a * saved[r * cols + k] - (real)target(&item, k));
        for (size_t k = 0; k < cols && plain; k++)
            z_bar[r * cols + k] = w * (saved[r * cols + k] - s / (real)cols);
        if (plain)
            z_bar[r * cols + item.label] -= w * (1 - s);
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
                                     const struct stj_targets *targets, const real *saved,
                                     const real *z_dot)
{
    (void)z;
    const size_t cols = stj_shape_cols(out);
    const size_t positions = stj_shape_positions(out);
    const real w = weight / (real)positions;
    const bool plain = is_plain(config, targets);
    for (size_t r = 0; r < batch * positions; r++) {
        const struct item item = item_of(config, out, targets, r);
        const real a = plain ? 1 : (real)target_sum(&item);
        item_tangent(nvec, cols, w * a, saved + r * cols, z_dot + r * nvec * cols,
                     z_bar_dot + r * nvec * cols);
    }
}

/* z_bar = w (a p - q) moves with the targets t by M = w (1 - s) (p c' - diag(c)), c_k being the
 * weight of class k. */
static void softmax_by_target(const void *config, const struct stj_shape *out, size_t batch,
                              real weight, size_t nvec, bool adjoint, real *to, const real *z,
                              const struct stj_targets *targets, const real *saved,
                              const real *from)
{
    (void)z;
    (void)targets;
    const struct softmax_config *c = config;
    const size_t cols = stj_shape_cols(out), positions = stj_shape_positions(out);
    const real w = weight / (real)positions * (real)(1 - c->label_smoothing);
    for (size_t i = 0; i < batch * positions * nvec; i++) {
        const real *p = saved + i / nvec * cols, *x = from + i * cols;
        real sum = 0;
        for (size_t k = 0; k < cols; k++)
            sum += (adjoint ? p[k] : (real)stj_label_weight(&c->labels, k)) * x[k];
        for (size_t k = 0; k < cols; k++) {
            const real of_class = (real)stj_label_weight(&c->labels, k);
            to[i * cols + k] +=
                w * (adjoint ? of_class * (sum - x[k]) : p[k] * sum - of_class * x[k]);
        }
    }
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
             .doc = "cross-entropy of the softmax of the last dimension with class labels, or "
                    "target probabilities",
             .options = softmax_options,
             .config_size = sizeof(struct softmax_config),
             .check = stj_label_loss_check},
    .wants_labels = true,
    .probabilities = true,
    .min_target = 0,
    .max_target = 1,
    .sample = softmax_sample,
    .n_saved = softmax_n_saved,
    .value = softmax_value,
    .backward = softmax_backward,
    .backward_tangent = softmax_backward_tangent,
    .by_target = softmax_by_target,
    .mass = stj_label_mass,
    .divergence = softmax_divergence,
};
