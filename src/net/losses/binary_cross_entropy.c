/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/losses/binary_cross_entropy.c: mean over the outputs of the cross-entropy of their sigmoids.
 *
 * For one sample with outputs (logits) z[n], targets t[n] in [0, 1] and p = 1 / (1 + exp(-z));
 * over a batch it is the mean over batch and outputs, PyTorch's BCEWithLogitsLoss with its default
 * reduction:
 *
 *     value              mean_k of  max(z, 0) - t z + log(1 + exp(-|z|))    (saves p (1 - p))
 *     backward           z_bar     = w / n (p - t)
 *     backward_tangent   z_bar_dot = w / n p (1 - p) z_dot
 *
 * With e = exp(-|z|), p is 1 / (1 + e) for z >= 0 and e / (1 + e) below, and p (1 - p) is
 * e / (1 + e)^2: nothing overflows or cancels, however large z is.
 */
#include "net/losses/losses.h"

#include <math.h>
#include <stdio.h>

#include "base/target_clones.h"

static void binary_sample(struct stj_rng *rng, char *text, size_t size)
{
    (void)rng;
    snprintf(text, size, "binary_cross_entropy");
}

static size_t binary_n_saved(const struct stj_shape *out)
{
    return stj_shape_size(out);
}

static double binary_value(const void *config, const struct stj_shape *out, size_t batch,
                           real weight, const real *z, const struct stj_targets *targets,
                           real *saved)
{
    (void)config;
    const size_t n = stj_shape_size(out);
    double sum = 0;
    for (size_t s = 0; s < batch; s++)
        for (size_t k = 0; k < n; k++) {
            const double x = (double)z[s * n + k];
            const double e = exp(-fabs(x));
            sum += fmax(x, 0) - targets->value[targets->row[s] * n + k] * x + log1p(e);
            saved[s * n + k] = (real)(e / ((1 + e) * (1 + e)));
        }
    return (double)weight * sum / (double)n;
}

static void binary_backward(const void *config, const struct stj_shape *out, size_t batch,
                            real weight, real *z_bar, const real *z,
                            const struct stj_targets *targets, const real *saved)
{
    (void)config;
    (void)saved;
    const size_t n = stj_shape_size(out);
    const real w = weight / (real)n;
    for (size_t s = 0; s < batch; s++)
        for (size_t k = 0; k < n; k++) {
            const double x = (double)z[s * n + k];
            const double e = exp(-fabs(x));
            const double p = (x >= 0 ? 1 : e) / (1 + e);
            z_bar[s * n + k] = w * (real)(p - targets->value[targets->row[s] * n + k]);
        }
}

/* z_bar_dot = w p (1 - p) z_dot for the nvec tangents of one row. */
STJ_CLONES static void row_tangent(size_t nvec, size_t n, real w, const real *restrict slope,
                                   const real *restrict z_dot, real *restrict z_bar_dot)
{
    for (size_t j = 0; j < nvec; j++)
        for (size_t k = 0; k < n; k++)
            z_bar_dot[j * n + k] = w * slope[k] * z_dot[j * n + k];
}

static void binary_backward_tangent(const void *config, const struct stj_shape *out, size_t batch,
                                    real weight, size_t nvec, real *z_bar_dot, const real *z,
                                    const struct stj_targets *targets, const real *saved,
                                    const real *z_dot)
{
    (void)config;
    (void)targets;
    (void)z;
    const size_t cols = stj_shape_cols(out);
    const real w = weight / (real)stj_shape_size(out);
    for (size_t r = 0; r < batch * stj_shape_positions(out); r++)
        row_tangent(nvec, cols, w, saved + r * cols, z_dot + r * nvec * cols,
                    z_bar_dot + r * nvec * cols);
}

static double binary_targets(const void *config, int order, double z, double t)
{
    (void)config;
    (void)order;
    (void)z;
    (void)t;
    return -1;
}
STJ_TERM_TARGETS(binary_targets)

/* log(1 + exp(x)), for large x too. */
static double soft_plus(double x)
{
    return fmax(x, 0) + log1p(exp(-fabs(x)));
}

/* The mean over the outputs of p log (p / q) + (1 - p) log ((1 - p) / (1 - q)), which is
 * p (x - y) - s(x) + s(y) with s the softplus of the logits x and y. */
static void binary_divergence(const struct stj_shape *out, size_t batch, const real *z,
                              const real *other, double *kl)
{
    const size_t n = stj_shape_size(out);
    for (size_t i = 0; i < batch; i++) {
        double sum = 0;
        for (size_t k = i * n; k < (i + 1) * n; k++) {
            const double x = (double)z[k], y = (double)other[k];
            const double e = exp(-fabs(x));
            const double p = (x >= 0 ? 1 : e) / (1 + e);
            sum += fmax(0, p * (x - y) - soft_plus(x) + soft_plus(y));
        }
        kl[i] = sum / (double)n;
    }
}

const struct stj_loss_ops stj_loss_binary_cross_entropy = {
    .info = {.name = "binary_cross_entropy",
             .doc = "cross-entropy of sigmoids of the outputs (logits) with targets in [0, 1]",
             .options = stj_reduction_options,
             .config_size = sizeof(struct stj_loss_config)},
    .min_target = 0,
    .max_target = 1,
    .sample = binary_sample,
    .n_saved = binary_n_saved,
    .value = binary_value,
    .backward = binary_backward,
    .backward_tangent = binary_backward_tangent,
    .by_target = binary_targets_by_target,
    .divergence = binary_divergence,
};
