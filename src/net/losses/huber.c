/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/losses/huber.c: squares of small distances to target values, distances where they are large.
 *
 * With d = z - t (PyTorch's HuberLoss, and SmoothL1Loss, which is Huber's with delta = beta, divided
 * by beta):
 *
 *     term       d^2 / 2 where |d| <= delta, else delta (|d| - delta / 2)
 *
 * The second derivative jumps at |d| = delta.
 */
#include "net/losses/losses.h"

#include <math.h>
#include <stdio.h>

struct huber_config {
    struct stj_loss_config common;
    double delta;
};

#define HUBER_OPTION(key)                                                                          \
    {                                                                                              \
        .name = key, .type = STJ_OPTION_REAL, .offset = offsetof(struct huber_config, delta),      \
        .fallback = "1", .above_min = true,                                                        \
        .doc = "distance from which on the loss grows as the distance",                            \
    }

static const struct stj_option huber_options[] = {
    HUBER_OPTION("delta"),
    STJ_REDUCTION_OPTION,
    {.name = NULL},
};

static const struct stj_option smooth_options[] = {
    HUBER_OPTION("beta"),
    STJ_REDUCTION_OPTION,
    {.name = NULL},
};

static void huber_sample(struct stj_rng *rng, char *text, size_t size)
{
    snprintf(text, size, "{type: huber, delta: %.3f}", 0.5 + 2 * stj_rng_uniform(rng));
}

static void smooth_sample(struct stj_rng *rng, char *text, size_t size)
{
    snprintf(text, size, "{type: smooth_l1, beta: %.3f}", 0.5 + 2 * stj_rng_uniform(rng));
}

static double huber(const void *config, int order, double z, double t)
{
    const double delta = ((const struct huber_config *)config)->delta;
    const double d = z - t;
    const bool square = fabs(d) <= delta;
    if (order == 0)
        return square ? d * d / 2 : delta * (fabs(d) - delta / 2);
    if (order == 1)
        return square ? d : copysign(delta, d);
    return order == STJ_TERM_BY_TARGET ? -(double)square : square;
}
STJ_TERMS_OPERATIONS(huber)

static double smooth(const void *config, int order, double z, double t)
{
    return huber(config, order, z, t) / ((const struct huber_config *)config)->delta;
}
STJ_TERMS_OPERATIONS(smooth)

const struct stj_loss_ops stj_loss_huber = {
    .info = {.name = "huber",
             .doc = "half the squared distance to target values, beyond delta the distance",
             .options = huber_options,
             .config_size = sizeof(struct huber_config)},
    .switches = true,
    .sample = huber_sample,
    STJ_TERMS_SLOTS(huber),
};

const struct stj_loss_ops stj_loss_smooth_l1 = {
    .info = {.name = "smooth_l1",
             .doc = "the distance to target values, a square below beta: huber divided by beta",
             .options = smooth_options,
             .config_size = sizeof(struct huber_config)},
    .switches = true,
    .sample = smooth_sample,
    STJ_TERMS_SLOTS(smooth),
};
