/* SPDX-License-Identifier: GPL-3.0-or-later */
/* train/schedules/step.c: a rate that falls by a factor every so many steps (PyTorch's StepLR), or
 * at steps of a list (MultiStepLR).
 *
 *     step         eta_t = peak gamma^floor(t / every)
 *     multistep    eta_t = peak gamma^(milestones up to t)
 */
#include <math.h>

#include "train/schedules.h"

struct step_config {
    double peak, gamma;
    size_t every;
    struct stj_sizes milestones;
};

#define OPTION(...) STJ_OPTION_ROW(struct step_config, __VA_ARGS__)
static const struct stj_option step_options[] = {
    OPTION("peak", REAL, peak, NULL, "learning rate of the first steps", .min = 0, .max = 1e300),
    OPTION("gamma", REAL, gamma, "0.1", "factor by which the rate changes", .min = 0, .max = 1e3),
    OPTION("every", SIZE, every, NULL, "steps between two changes", .min = 1, .max = 1e15),
    {.name = NULL},
};

static const struct stj_option multistep_options[] = {
    OPTION("peak", REAL, peak, NULL, "learning rate of the first steps", .min = 0, .max = 1e300),
    OPTION("gamma", REAL, gamma, "0.1", "factor by which the rate changes", .min = 0, .max = 1e3),
    OPTION("milestones", SIZES, milestones, NULL,
           "steps from which the rate is another; in steps, where PyTorch counts epochs", .min = 0,
           .max = 1e15),
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

static double multistep_eta(const void *config, size_t step, size_t n_steps)
{
    const struct step_config *c = config;
    size_t passed = 0;
    (void)n_steps;
    for (size_t i = 0; i < c->milestones.n; i++)
        passed += c->milestones.item[i] <= step;
    return c->peak * pow(c->gamma, (double)passed);
}

const struct stj_schedule_ops stj_schedule_multistep = {
    .info = {.name = "multistep",
             .doc = "multiplied by gamma at each of some steps",
             .options = multistep_options,
             .config_size = sizeof(struct step_config)},
    .eta = multistep_eta,
};
