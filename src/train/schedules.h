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
extern const struct stj_schedule_ops stj_schedule_multistep;
extern const struct stj_schedule_ops stj_schedule_cyclic;
extern const struct stj_schedule_ops stj_schedule_product;
extern const struct stj_schedule_ops stj_schedule_list;
extern const struct stj_schedule_ops stj_schedule_file;

/* The last part of a sequence, or of one within; any other schedule itself. */
const struct stj_plugin *stj_schedule_last_part(const struct stj_plugin *schedule);

/* The config of list and file. */
struct stj_listed {
    char *file;              /* NULL: a list */
    struct stj_reals values; /* of a file: once it was read, n 0 before */
};

/* Read the file, once. */
enum stj_status stj_schedule_file_read(struct stj_listed *listed, struct stj_error *err);

#endif
