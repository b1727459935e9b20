/* SPDX-License-Identifier: GPL-3.0-or-later */
/* train/schedules.c: the registry of schedules, and what all of them have. */
#include "train/schedules.h"

#include <math.h>

#include "base/crc.h"
#include "base/error.h"

static const struct stj_plugin_info *const schedule_list[] = {
    &stj_schedule_constant.info,
    &stj_schedule_cosine.info,
    &stj_schedule_polynomial.info,
    &stj_schedule_step.info,
    &stj_schedule_one_cycle.info,
    &stj_schedule_warmup.info,
    &stj_schedule_sequence.info,
    &stj_schedule_multistep.info,
    &stj_schedule_cyclic.info,
    &stj_schedule_product.info,
    &stj_schedule_list.info,
    &stj_schedule_file.info,
    NULL,
};

struct schedule_common {
    double scale;
    bool has_scale;
};

static const struct stj_option common_options[] = {
    STJ_OPTION_ROW(struct schedule_common, "scale", REAL, scale, "",
                   "factor of all its values; alone, in a group: of the training's learning rate",
                   .min = 0, .max = 1e300,
                   .present_offset = offsetof(struct schedule_common, has_scale)),
    {.name = NULL},
};

const struct stj_kind stj_schedules = {.what = "schedule",
                                       .key = "schedule",
                                       .common = common_options,
                                       .common_size = sizeof(struct schedule_common),
                                       .list = schedule_list,
                                       .number = "constant",
                                       .value = "peak",
                                       .sequence = "list",
                                       .items = "values"};

static const struct stj_schedule_ops *ops_of(const struct stj_plugin *schedule)
{
    return (const struct stj_schedule_ops *)schedule->info;
}

double stj_schedule_eta(const struct stj_plugin *schedule, size_t step, size_t n_steps)
{
    const struct schedule_common *common = schedule->common;
    const double eta = ops_of(schedule)->eta(schedule->config, step, n_steps);
    return common && common->has_scale ? common->scale * eta : eta;
}

double stj_schedule_momentum(const struct stj_plugin *schedule, size_t step, size_t n_steps)
{
    const struct stj_schedule_ops *ops = ops_of(schedule);
    return ops->momentum ? ops->momentum(schedule->config, step, n_steps) : (double)NAN;
}

void stj_schedule_scale_as(struct stj_plugin *schedule, const struct stj_plugin *other)
{
    const struct stj_plugin *last = stj_schedule_last_part(other);
    const struct schedule_common *its = last->common;
    struct schedule_common *own = schedule->common;
    if (its && its->has_scale && !own->has_scale)
        *own = *its;
}

/* ---- values that are listed ---- */

struct reading {
    size_t n_steps;
    uint32_t *crc;
    bool *found;
};

static enum stj_status read_one(void *ctx, struct stj_plugin *plugin, bool inner,
                                struct stj_error *err)
{
    const struct reading *r = ctx;
    (void)inner;
    if (plugin->info != &stj_schedule_file.info)
        return STJ_OK;
    STJ_MUST(stj_schedule_file_read(plugin->config, err));
    const struct stj_listed *listed = plugin->config;
    const size_t n = listed->values.n < r->n_steps ? listed->values.n : r->n_steps;
    *r->crc = stj_crc32(*r->crc, listed->values.item, n * sizeof *listed->values.item);
    *r->found = true;
    return STJ_OK;
}

enum stj_status stj_schedules_read(const struct stj_option *table, void *config, size_t n_steps,
                                   uint32_t *crc, bool *found, struct stj_error *err)
{
    struct reading r = {n_steps, crc, found};
    *crc = 0;
    *found = false;
    return stj_options_visit(table, config, read_one, &r, err);
}

bool stj_schedule_listed(const struct stj_plugin *schedule, const char **file, size_t *n)
{
    const struct stj_listed *listed = schedule->config;
    if (schedule->info != &stj_schedule_file.info && schedule->info != &stj_schedule_list.info)
        return false;
    *file = listed->file;
    *n = listed->values.n;
    return true;
}

/* The shortest list in a schedule. */
struct shortest {
    const char *file;
    size_t n;
    bool found;
};

static enum stj_status compare_length(void *ctx, struct stj_plugin *plugin, bool inner,
                                      struct stj_error *err)
{
    struct shortest *s = ctx;
    const char *file = NULL;
    size_t n = 0;
    (void)inner;
    (void)err;
    if (stj_schedule_listed(plugin, &file, &n) && (!s->found || n < s->n))
        *s = (struct shortest){file, n, true};
    return STJ_OK;
}

enum stj_status stj_schedule_check(const struct stj_plugin *schedule, const struct stj_option *row,
                                   size_t n_steps, struct stj_error *err)
{
    struct shortest list = {NULL, 0, false};
    const struct stj_option one[] = {
        {.name = "", .type = STJ_OPTION_PLUGIN, .kind = &stj_schedules}, {.name = NULL}};
    const bool is_rate = row->type == STJ_OPTION_PLUGIN;
    STJ_MUST(stj_options_visit(one, (void *)(uintptr_t)schedule, compare_length, &list, err));
    for (size_t t = 0; (!is_rate || list.found) && t < n_steps; t++) {
        const double value = stj_schedule_eta(schedule, t, n_steps);
        STJ_NEED(err, !isnan(value), STJ_EMISMATCH,
                 "%s: has %zu values, the training has %zu steps: step %zu has none",
                 list.file ? list.file : "the list", list.n, n_steps, t);
        STJ_NEED(err, is_rate || (value > 0 && value < 1), STJ_ECONFIG,
                 "the value of step %zu is %g; by step it is above 0 and below 1", t, value);
    }
    return STJ_OK;
}
