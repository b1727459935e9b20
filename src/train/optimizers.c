/* SPDX-License-Identifier: GPL-3.0-or-later */
/* train/optimizers.c: the registry of optimizers. */
#include "train/optimizers.h"

#include "train/recipe.h"
#include "train/schedule.h"

static const struct stj_plugin_info *const optimizer_list[] = {
    &stj_optimizer_sgd.info,
    &stj_optimizer_adam.info,
    &stj_optimizer_adamw.info,
    &stj_optimizer_rmsprop.info,
    &stj_optimizer_adagrad.info,
    &stj_optimizer_nadam.info,
    &stj_optimizer_lars.info,
    &stj_optimizer_lamb.info,
    &stj_optimizer_muon.info,
    &stj_optimizer_own_step.info,
    NULL,
};

const struct stj_kind stj_optimizers = {.what = "optimizer", .list = optimizer_list};

static const struct stj_option group_options[] = {
    STJ_OPTION_ROW(struct stj_group_config, "match", TEXTS, match, NULL,
                   "names of its tensors or layers, ours or the file's, * for any text; the first "
                   "group that matches counts"),
    STJ_OPTION_ROW(struct stj_group_config, "learning_rate", PLUGIN, schedule, NULL,
                   "its rate; keys that are not given, or all, are those of the training's, so "
                   "{scale: 0.1} is a tenth of that",
                   .kind = &stj_schedules),
    {.name = NULL},
};

const struct stj_kind stj_groups = {.what = "group",
                                    .common = group_options,
                                    .common_size = sizeof(struct stj_group_config),
                                    .list = optimizer_list};
