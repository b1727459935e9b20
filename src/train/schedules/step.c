/* SPDX-License-Identifier: GPL-3.0-or-later */
/* train/schedules/step.c: a rate that falls by a factor every so many steps (PyTorch's StepLR).
 *
 *     eta_t = peak gamma^floor(t / every)
 */
#include <math.h>

#include "train/schedules.h"

struct step_config {
    double peak, gamma;
    size_t every;
};

#define OPTION(...) STJ_OPTION_ROW(struct step_config, __VA_ARGS__)
static const struct stj_option step_options[] = {
    OPTION("peak", REAL, peak, NULL, "learning rate of the first steps", .min = 0, .max = 1e300),
    OPTION("gamma", REAL, gamma, "0.1", "factor by which the rate changes", .min = 0, .max = 1e3),
    OPTION("every", SIZE, every, NULL, "steps between two changes", .min = 1, .max = 1e15),
    {.name = NULL},
};

static double step_eta(const void *config, size_t step, size_t n_steps)
{
    (void)n_steps;
    const struct step_config *c = config;
    return c->peak * pow(c->gamma, (double)(step / c->every));
}

const struct stj_schedule_ops stj_schedule_step = {
    .info = {.name = "step",
             .doc = "multiplied by gamma every so many steps",
             .options = step_options,
             .config_size = sizeof(struct step_config)},
    .eta = step_eta,
};
