/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/initializer.h: the contract of an initialiser: fill one tensor from a random stream. */
#ifndef STJ_NET_INITIALIZER_H
#define STJ_NET_INITIALIZER_H

#include "options/option.h"
#include "base/rng.h"

struct stj_initializer_ops {
    struct stj_plugin_info info;
    /* Overwrites w[n]. */
    void (*fill)(const void *config, size_t n, size_t fan_in, size_t fan_out, struct stj_rng *rng,
                 double *w);
};

extern const struct stj_kind stj_initializers; /* the registry: net/initializers/initializers.c */

#endif
