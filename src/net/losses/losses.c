/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/losses/losses.c: the registry of losses. */
#include "net/losses/losses.h"

static const struct stj_plugin_info *const loss_list[] = {
    &stj_loss_softmax_cross_entropy.info,
    &stj_loss_mean_squared_error.info,
    &stj_loss_binary_cross_entropy.info,
    NULL,
};

const struct stj_kind stj_losses = {.what = "loss", .list = loss_list};
