/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/losses/losses.h: every loss. */
#ifndef STJ_NET_LOSSES_LOSSES_H
#define STJ_NET_LOSSES_LOSSES_H

#include "net/loss.h"

extern const struct stj_loss_ops stj_loss_softmax_cross_entropy;
extern const struct stj_loss_ops stj_loss_mean_squared_error;
extern const struct stj_loss_ops stj_loss_binary_cross_entropy;

#endif
