/* SPDX-License-Identifier: GPL-3.0-or-later */
/* train/schedules.h: every learning-rate schedule. */
#ifndef STJ_TRAIN_SCHEDULES_H
#define STJ_TRAIN_SCHEDULES_H

#include "train/schedule.h"

extern const struct stj_schedule_ops stj_schedule_constant;
extern const struct stj_schedule_ops stj_schedule_cosine;
extern const struct stj_schedule_ops stj_schedule_polynomial;
extern const struct stj_schedule_ops stj_schedule_step;
extern const struct stj_schedule_ops stj_schedule_one_cycle;
extern const struct stj_schedule_ops stj_schedule_warmup;
extern const struct stj_schedule_ops stj_schedule_sequence;

#endif
