/* SPDX-License-Identifier: GPL-3.0-or-later */
/* train/schedules/compose.c: schedules made of schedules: warmup, sequence, product.
 *
 *     warmup      t < warmup_steps: eta_t = (start + (1 - start) t / warmup_steps) eta'_0,
 *                 then eta'_(t - warmup_steps), where eta' is the schedule `then` over the steps
 *                 that are left (as optax's warmup_* schedules)
 *     sequence    the parts one after another, each for its number of steps, the last for the rest
 *     product     the parts multiplied, each over all steps
 */
#include <stdlib.h>

#include "base/error.h"
#include "base/memory.h"
#include "train/schedules.h"

struct warmup_config {
    size_t warmup_steps;
    double start;
    struct stj_plugin then;
};

static const struct stj_option warmup_options[] = {
    STJ_OPTION_ROW(struct warmup_config, "warmup_steps", SIZE, warmup_steps, NULL,
                   "steps in which the rate rises in a straight line", .min = 0, .max = 1e15),
    STJ_OPTION_ROW(struct warmup_config, "start", REAL, start, "0",
                   "share of the full rate at step 0", .min = 0, .max = 1),
    STJ_OPTION_ROW(struct warmup_config, "then", PLUGIN, then, NULL,
                   "the schedule that follows, and whose first rate is risen to",
                   .kind = &stj_schedules),
    {.name = NULL},
};

static double warmup_eta(const void *config, size_t step, size_t n_steps)
{
    const struct warmup_config *c = config;
    const size_t left = n_steps > c->warmup_steps ? n_steps - c->warmup_steps : 1;
    if (step >= c->warmup_steps)
        return stj_schedule_eta(&c->then, step - c->warmup_steps, left);
    const double x = (double)step / (double)c->warmup_steps;
    return (c->start + (1 - c->start) * x) * stj_schedule_eta(&c->then, 0, left);
}

const struct stj_schedule_ops stj_schedule_warmup = {
    .info = {.name = "warmup",
             .doc = "a linear rise, then another schedule",
             .options = warmup_options,
             .config_size = sizeof(struct warmup_config)},
    .eta = warmup_eta,
};

struct sequence_config {
    struct stj_plugins parts;
    struct stj_sizes steps;
};

static const struct stj_option sequence_options[] = {
    STJ_OPTION_ROW(struct sequence_config, "parts", PLUGINS, parts, NULL,
                   "schedules, one after another", .kind = &stj_schedules),
    STJ_OPTION_ROW(struct sequence_config, "steps", SIZES, steps, NULL,
                   "how many steps each part but the last has", .min = 1, .max = 1e15),
    {.name = NULL},
};

static enum stj_status sequence_check(const void *config, struct stj_error *err)
{
    const struct sequence_config *c = config;
    STJ_NEED(err, c->parts.n > 0, STJ_ECONFIG, "parts is empty, it needs a schedule");
    STJ_NEED(err, c->steps.n == c->parts.n - 1, STJ_ECONFIG,
             "%zu parts need %zu numbers of steps, got %zu: each part but the last has one",
             c->parts.n, c->parts.n - 1, c->steps.n);
    return STJ_OK;
}

static double sequence_eta(const void *config, size_t step, size_t n_steps)
{
    const struct sequence_config *c = config;
    size_t first = 0;
    size_t part = 0;
    while (part < c->steps.n && step - first >= c->steps.item[part])
        first += c->steps.item[part++];
    const size_t length = part < c->steps.n ? c->steps.item[part] : n_steps - first;
    return stj_schedule_eta(&c->parts.item[part], step - first, length);
}

const struct stj_plugin *stj_schedule_last_part(const struct stj_plugin *schedule)
{
    while (schedule->info == &stj_schedule_sequence.info) {
        const struct stj_plugins *parts =
            &((const struct sequence_config *)schedule->config)->parts;
        schedule = &parts->item[parts->n - 1];
    }
    return schedule;
}

enum stj_status stj_schedule_then(struct stj_plugin *schedule, size_t steps,
                                  struct stj_plugin *next, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct stj_plugin *part = NULL;
    size_t *length = NULL;
    struct sequence_config *config = NULL;
    STJ_TRY(stj_new(&part, 2, sizeof *part, err));
    STJ_TRY(stj_new(&length, 1, sizeof *length, err));
    STJ_TRY(stj_new(&config, 1, sizeof *config, err));
    part[0] = *schedule;
    part[1] = *next;
    length[0] = steps;
    *config = (struct sequence_config){.parts = {2, part}, .steps = {1, length}};
    *schedule = (struct stj_plugin){.info = &stj_schedule_sequence.info, .config = config};
    return STJ_OK;
out:
    free(part);
    free(length);
    stj_plugin_free(next);
    return st;
}

const struct stj_schedule_ops stj_schedule_sequence = {
    .info = {.name = "sequence",
             .doc = "schedules one after another",
             .options = sequence_options,
             .config_size = sizeof(struct sequence_config),
             .check = sequence_check},
    .eta = sequence_eta,
};

static const struct stj_option product_options[] = {
    STJ_OPTION_ROW(struct sequence_config, "parts", PLUGINS, parts, NULL,
                   "schedules whose values are multiplied", .kind = &stj_schedules),
    {.name = NULL},
};

static enum stj_status product_check(const void *config, struct stj_error *err)
{
    STJ_NEED(err, ((const struct sequence_config *)config)->parts.n > 0, STJ_ECONFIG,
             "parts is empty, it needs a schedule");
    return STJ_OK;
}

static double product_eta(const void *config, size_t step, size_t n_steps)
{
    const struct stj_plugins *parts = &((const struct sequence_config *)config)->parts;
    double eta = 1;
    for (size_t i = 0; i < parts->n; i++)
        eta *= stj_schedule_eta(&parts->item[i], step, n_steps);
    return eta;
}

const struct stj_schedule_ops stj_schedule_product = {
    .info = {.name = "product",
             .doc = "schedules multiplied, such as a rise with a decay",
             .options = product_options,
             .config_size = sizeof(struct sequence_config),
             .check = product_check},
    .eta = product_eta,
};
