/* SPDX-License-Identifier: GPL-3.0-or-later */
/* train/schedule.h: the contract of a schedule: a learning rate, or a momentum, as a function of the
 * step. */
#ifndef STJ_TRAIN_SCHEDULE_H
#define STJ_TRAIN_SCHEDULE_H

#include <stddef.h>

#include "options/option.h"

struct stj_schedule_ops {
    struct stj_plugin_info info;
    double (*eta)(const void *config, size_t step, size_t n_steps); /* NaN: it ends before */

    /* The momentum that goes with the rate; NaN: none does.  NULL: none ever does. */
    double (*momentum)(const void *config, size_t step, size_t n_steps);
};

extern const struct stj_kind stj_schedules; /* the registry: train/schedules.c */

/* The schedule, for its first `steps` steps, and then `next`: both are taken over, also where it
 * fails. */
enum stj_status stj_schedule_then(struct stj_plugin *schedule, size_t steps,
                                  struct stj_plugin *next, struct stj_error *err);

/* eta of one step. */
double stj_schedule_eta(const struct stj_plugin *schedule, size_t step, size_t n_steps);

/* The momentum of one step; NaN: the optimizer's. */
double stj_schedule_momentum(const struct stj_plugin *schedule, size_t step, size_t n_steps);

/* Read the files that schedules within a config name, where they were not read; *crc <- of their
 * values for n_steps steps, *found <- there are such files. */
enum stj_status stj_schedules_read(const struct stj_option *table, void *config, size_t n_steps,
                                   uint32_t *crc, bool *found, struct stj_error *err);

/* Give a schedule the scale of another, of its last part where it has some, unless it has one. */
void stj_schedule_scale_as(struct stj_plugin *schedule, const struct stj_plugin *other);

/* See that a schedule has a value in the range of the row for every step.  Without values that are
 * listed, those of rates need no look. */
enum stj_status stj_schedule_check(const struct stj_plugin *schedule, const struct stj_option *row,
                                   size_t n_steps, struct stj_error *err);

/* What a listed schedule has: its values, and the file that they are from (NULL: none); false: it
 * is another. */
bool stj_schedule_listed(const struct stj_plugin *schedule, const char **file, size_t *n);

#endif
