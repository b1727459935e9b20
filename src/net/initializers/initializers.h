/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/initializers/initializers.h: every initialiser. */
#ifndef STJ_NET_INITIALIZERS_INITIALIZERS_H
#define STJ_NET_INITIALIZERS_INITIALIZERS_H

#include "net/initializer.h"

extern const struct stj_initializer_ops stj_init_zeros;
extern const struct stj_initializer_ops stj_init_ones;
extern const struct stj_initializer_ops stj_init_constant;
extern const struct stj_initializer_ops stj_init_normal;
extern const struct stj_initializer_ops stj_init_truncated_normal;
extern const struct stj_initializer_ops stj_init_uniform;
extern const struct stj_initializer_ops stj_init_lecun_normal;
extern const struct stj_initializer_ops stj_init_lecun_uniform;
extern const struct stj_initializer_ops stj_init_glorot_normal;
extern const struct stj_initializer_ops stj_init_glorot_uniform;
extern const struct stj_initializer_ops stj_init_he_normal;
extern const struct stj_initializer_ops stj_init_he_uniform;
extern const struct stj_initializer_ops stj_init_pytorch_default;

#endif
