/* SPDX-License-Identifier: GPL-3.0-or-later */
/* train/schedule.h: the contract of a learning-rate schedule: eta as a function of the step. */
#ifndef STJ_TRAIN_SCHEDULE_H
#define STJ_TRAIN_SCHEDULE_H

#include <stddef.h>

#include "options/option.h"

struct stj_schedule_ops {
    struct stj_plugin_info info;
    double (*eta)(const void *config, size_t step, size_t n_steps);
};

extern const struct stj_kind stj_schedules; /* the registry: train/schedules.c */

/* The schedule, for its first `steps` steps, and then `next`: both are taken over, also where it
 * fails. */
enum stj_status stj_schedule_then(struct stj_plugin *schedule, size_t steps,
                                  struct stj_plugin *next, struct stj_error *err);

/* eta of one step. */
double stj_schedule_eta(const struct stj_plugin *schedule, size_t step, size_t n_steps);

#endif
