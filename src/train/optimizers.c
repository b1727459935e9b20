/* SPDX-License-Identifier: GPL-3.0-or-later */
/* train/optimizers.c: the registry of optimizers. */
#include "train/optimizers.h"

static const struct stj_plugin_info *const optimizer_list[] = {
    &stj_optimizer_sgd.info,
    &stj_optimizer_adam.info,
    &stj_optimizer_adamw.info,
    &stj_optimizer_rmsprop.info,
    NULL,
};

const struct stj_kind stj_optimizers = {.what = "optimizer", .list = optimizer_list};
