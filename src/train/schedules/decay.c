/* SPDX-License-Identifier: GPL-3.0-or-later */
/* train/schedules/decay.c: smooth decay over the whole of training: cosine and polynomial.
 *
 *     eta_t = peak (final + (1 - final) d),     x = t / n_steps
 *     cosine        d = (1 + cos(pi x)) / 2           (Loshchilov and Hutter 2017)
 *     polynomial    d = (1 - x)^power                 (power 1: linear)
 *
 * The last step has t = n_steps - 1; peak final would be reached after it.  As optax's
 * cosine_decay_schedule (alpha = final) and polynomial_schedule with decay over n_steps.
 */
#include <math.h>

#include "train/schedules.h"

struct decay_config {
    double peak, final, power;
};

#define OPTION(field, standard, limit, text)                                                       \
    {                                                                                              \
        .name = #field, .type = STJ_OPTION_REAL, .offset = offsetof(struct decay_config, field),   \
        .fallback = standard, .min = 0, .max = limit, .doc = text                                  \
    }

static const struct stj_option cosine_options[] = {
    OPTION(peak, NULL, 1e300, "largest learning rate, of step 0"),
    OPTION(final, "0", 1, "share of the peak after the last step"),
    {.name = NULL},
};

static const struct stj_option polynomial_options[] = {
    OPTION(peak, NULL, 1e300, "largest learning rate, of step 0"),
    OPTION(final, "0", 1, "share of the peak after the last step"),
    OPTION(power, "1", 1e3, "power of the share of the steps that is left"),
    {.name = NULL},
};

static double between(const struct decay_config *c, double share)
{
    return c->peak * (c->final + (1 - c->final) * share);
}

static double cosine_eta(const void *config, size_t step, size_t n_steps)
{
    return between(config, (1 + cos(acos(-1.0) * (double)step / (double)n_steps)) / 2);
}

static double polynomial_eta(const void *config, size_t step, size_t n_steps)
{
    const struct decay_config *c = config;
    return between(c, pow(1 - (double)step / (double)n_steps, c->power));
}

const struct stj_schedule_ops stj_schedule_cosine = {
    .info = {.name = "cosine",
             .doc = "half a cosine from the peak at step 0 to zero, or `final`, after the last",
             .options = cosine_options,
             .config_size = sizeof(struct decay_config)},
    .eta = cosine_eta,
};

const struct stj_schedule_ops stj_schedule_polynomial = {
    .info = {.name = "polynomial",
             .doc = "a power of the steps that are left, from the peak to zero, or `final`",
             .options = polynomial_options,
             .config_size = sizeof(struct decay_config)},
    .eta = polynomial_eta,
};
