/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/losses/l1.c: mean over the outputs of the distance to target values (PyTorch's L1Loss).
 *
 *     term       |z - t|,    first derivative sign(z - t), 0 at z = t;    second derivative 0
 */
#include "net/losses/losses.h"

#include <math.h>
#include <stdio.h>

static void l1_sample(struct stj_rng *rng, char *text, size_t size)
{
    (void)rng;
    snprintf(text, size, "l1");
}

static double l1(const void *config, int order, double z, double t)
{
    (void)config;
    if (order == 0)
        return fabs(z - t);
    return order == 1 ? (z > t) - (z < t) : 0; /* second ones, of z - t, too */
}
STJ_TERMS_OPERATIONS(l1)

const struct stj_loss_ops stj_loss_l1 = {
    .info = {.name = "l1",
             .doc = "mean over the outputs of the distance to target values",
             .options = stj_reduction_options,
             .config_size = sizeof(struct stj_loss_config)},
    .switches = true,
    .sample = l1_sample,
    STJ_TERMS_SLOTS(l1),
};
