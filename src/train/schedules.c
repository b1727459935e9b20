/* SPDX-License-Identifier: GPL-3.0-or-later */
/* train/schedules.c: the registry of learning-rate schedules. */
#include "train/schedules.h"

static const struct stj_plugin_info *const schedule_list[] = {
    &stj_schedule_constant.info,   &stj_schedule_cosine.info,
    &stj_schedule_polynomial.info, &stj_schedule_step.info,
    &stj_schedule_one_cycle.info,  &stj_schedule_warmup.info,
    &stj_schedule_sequence.info,   NULL,
};

const struct stj_kind stj_schedules = {
    .what = "schedule", .key = "schedule", .list = schedule_list};

double stj_schedule_eta(const struct stj_plugin *schedule, size_t step, size_t n_steps)
{
    const struct stj_schedule_ops *ops = (const struct stj_schedule_ops *)schedule->info;
    return ops->eta(schedule->config, step, n_steps);
}
