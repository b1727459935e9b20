/* SPDX-License-Identifier: GPL-3.0-or-later */
/* train/schedules/constant.c: the same learning rate at every step: eta_t = peak. */
#include "train/schedules.h"

struct constant_config {
    double peak;
};

#define OPTION(...) STJ_OPTION_ROW(struct constant_config, __VA_ARGS__)
static const struct stj_option constant_options[] = {
    OPTION("peak", REAL, peak, NULL, "the learning rate", .min = 0, .max = 1e300),
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
