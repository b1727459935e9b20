/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/losses/mean_squared_error.c: mean over the outputs of the squared distance to target values.
 *
 * For one sample with outputs z[n] and targets t[n]; over a batch it is the mean over batch and
 * outputs, PyTorch's MSELoss with its default reduction:
 *
 *     value              |z - t|^2 / n
 *     backward           z_bar     = 2 w / n (z - t)
 *     backward_tangent   z_bar_dot = 2 w / n z_dot
 */
#include "net/losses/losses.h"

#include <stdio.h>

#include "base/target_clones.h"

static void squared_sample(struct stj_rng *rng, char *text, size_t size)
{
    (void)rng;
    snprintf(text, size, "mean_squared_error");
}

static double squared_value(const void *config, const struct stj_shape *out, size_t batch,
                            real weight, const real *z, const struct stj_targets *targets,
                            real *saved)
{
    (void)config;
    (void)saved;
    const size_t n = stj_shape_size(out);
    double sum = 0;
    for (size_t s = 0; s < batch; s++) {
        const double *t = targets->value + targets->row[s] * n;
        for (size_t k = 0; k < n; k++) {
            const double distance = (double)z[s * n + k] - t[k];
            sum += distance * distance;
        }
    }
    return (double)weight * sum / (double)n;
}

static void squared_backward(const void *config, const struct stj_shape *out, size_t batch,
                             real weight, real *z_bar, const real *z,
                             const struct stj_targets *targets, const real *saved)
{
    (void)config;
    (void)saved;
    const size_t n = stj_shape_size(out);
    const real w = 2 * weight / (real)n;
    for (size_t s = 0; s < batch; s++) {
        const double *t = targets->value + targets->row[s] * n;
        for (size_t k = 0; k < n; k++)
            z_bar[s * n + k] = w * (z[s * n + k] - (real)t[k]);
    }
}

STJ_CLONES static void times(size_t n, real w, const real *restrict x, real *restrict y)
{
    for (size_t i = 0; i < n; i++)
        y[i] = w * x[i];
}

static void squared_backward_tangent(const void *config, const struct stj_shape *out, size_t batch,
                                     real weight, size_t nvec, real *z_bar_dot, const real *z,
                                     const struct stj_targets *targets, const real *saved,
                                     const real *z_dot)
{
    (void)config;
    (void)targets;
    (void)z;
    (void)saved;
    const size_t n = stj_shape_size(out);
    times(batch * n * nvec, 2 * weight / (real)n, z_dot, z_bar_dot);
}

static double squared_targets(const void *config, int order, double z, double t)
{
    (void)config;
    (void)order;
    (void)z;
    (void)t;
    return -2;
}
STJ_TERM_TARGETS(squared_targets)

/* Of normal laws with mean z and variance n / 2 in each output: the mean squared distance. */
static void squared_divergence(const struct stj_shape *out, size_t batch, const real *z,
                               const real *other, double *kl)
{
    const size_t n = stj_shape_size(out);
    for (size_t s = 0; s < batch; s++) {
        double sum = 0;
        for (size_t k = 0; k < n; k++) {
            const double distance = (double)z[s * n + k] - (double)other[s * n + k];
            sum += distance * distance;
        }
        kl[s] = sum / (double)n;
    }
}

const struct stj_loss_ops stj_loss_mean_squared_error = {
    .info = {.name = "mean_squared_error",
             .doc = "mean over the outputs of the squared distance to target values",
             .options = stj_reduction_options,
             .config_size = sizeof(struct stj_loss_config)},
    .sample = squared_sample,
    .n_saved = stj_loss_saves_nothing,
    .value = squared_value,
    .backward = squared_backward,
    .backward_tangent = squared_backward_tangent,
    .by_target = squared_targets_by_target,
    .divergence = squared_divergence,
};
