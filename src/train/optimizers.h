/* SPDX-License-Identifier: GPL-3.0-or-later */
/* train/optimizers.h: every optimizer. */
#ifndef STJ_TRAIN_OPTIMIZERS_H
#define STJ_TRAIN_OPTIMIZERS_H

#include "train/optimizer.h"

extern const struct stj_optimizer_ops stj_optimizer_sgd;
extern const struct stj_optimizer_ops stj_optimizer_adam;
extern const struct stj_optimizer_ops stj_optimizer_adamw;
extern const struct stj_optimizer_ops stj_optimizer_rmsprop;
extern const struct stj_optimizer_ops stj_optimizer_adagrad;
extern const struct stj_optimizer_ops stj_optimizer_nadam;
extern const struct stj_optimizer_ops stj_optimizer_lars;
extern const struct stj_optimizer_ops stj_optimizer_lamb;
extern const struct stj_optimizer_ops stj_optimizer_muon;

/* No update of ours: the process of a problem has the next state. */
#define STJ_OWN_STEP "own_step"
extern const struct stj_optimizer_ops stj_optimizer_own_step;

#endif
