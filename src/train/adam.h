/* SPDX-License-Identifier: GPL-3.0-or-later */
/* train/adam.h: what optimizers that are made of Adam share. */
#ifndef STJ_TRAIN_ADAM_H
#define STJ_TRAIN_ADAM_H

#include "train/optimizer.h"

enum { STJ_ADAM_M, STJ_ADAM_V, STJ_ADAM_SLOTS };                /* slots of adam and adamw */
enum { STJ_ADAM_CM, STJ_ADAM_CV, STJ_ADAM_CG, STJ_ADAM_COEFS }; /* coefficients */

struct stj_adam_config {
    struct stj_by_step beta1;
    double beta2, eps, eps_root, weight_decay;
    bool amsgrad;
};

/* Adam and AdamW where amsgrad is true. */
extern const struct stj_optimizer_ops stj_optimizer_adam_amsgrad;
extern const struct stj_optimizer_ops stj_optimizer_adamw_amsgrad;

#endif
