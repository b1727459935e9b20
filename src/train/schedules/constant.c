/* SPDX-License-Identifier: GPL-3.0-or-later */
/* train/schedules/constant.c: the same learning rate at every step: eta_t = peak. */
#include "train/schedules.h"

struct constant_config {
    double peak;
};

static const struct stj_option constant_options[] = {
    {.name = "peak",
     .type = STJ_OPTION_REAL,
     .offset = offsetof(struct constant_config, peak),
     .min = 0,
     .max = 1e300,
     .doc = "the learning rate"},
    {.name = NULL},
};

static double constant_eta(const void *config, size_t step, size_t n_steps)
{
    (void)step;
    (void)n_steps;
    return ((const struct constant_config *)config)->peak;
}

const struct stj_schedule_ops stj_schedule_constant = {
    .info = {.name = "constant",
             .doc = "the same rate at every step",
             .options = constant_options,
             .config_size = sizeof(struct constant_config)},
    .eta = constant_eta,
};
