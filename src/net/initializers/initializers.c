/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/initializers/initializers.c: the registry of initialisers. */
#include "net/initializers/initializers.h"

static const struct stj_plugin_info *const initializer_list[] = {
    &stj_init_lecun_normal.info,
    &stj_init_lecun_uniform.info,
    &stj_init_glorot_normal.info,
    &stj_init_glorot_uniform.info,
    &stj_init_he_normal.info,
    &stj_init_he_uniform.info,
    &stj_init_pytorch_default.info,
    &stj_init_normal.info,
    &stj_init_truncated_normal.info,
    &stj_init_uniform.info,
    &stj_init_zeros.info,
    &stj_init_ones.info,
    &stj_init_constant.info,
    NULL,
};

const struct stj_kind stj_initializers = {.what = "initialiser", .list = initializer_list};
