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

static const struct stj_option step_options[] = {
    {.name = "peak",
     .type = STJ_OPTION_REAL,
     .offset = offsetof(struct step_config, peak),
     .min = 0,
     .max = 1e300,
     .doc = "learning rate of the first steps"},
    {.name = "gamma",
     .type = STJ_OPTION_REAL,
     .offset = offsetof(struct step_config, gamma),
     .fallback = "0.1",
     .min = 0,
     .max = 1e3,
     .doc = "factor by which the rate changes"},
    {.name = "every",
     .type = STJ_OPTION_SIZE,
     .offset = offsetof(struct step_config, every),
     .min = 1,
     .max = 1e15,
     .doc = "steps between two changes"},
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
