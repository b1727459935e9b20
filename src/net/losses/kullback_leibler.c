/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/losses/kullback_leibler.c: the divergence of target probabilities from those of the outputs.
 *
 * The outputs are log-probabilities z = log q, the targets probabilities t (PyTorch's KLDivLoss):
 *
 *     term       t (log t - z),  0 where t = 0;    first derivative -t,  second 0
 *
 * PyTorch's mean is over all outputs; the divergence itself is the sum over the classes
 * (reduction: batch_mean).
 */
#include "net/losses/losses.h"

#include <math.h>
#include <stdio.h>

static const char *const reductions[] = {"mean", "sum", "batch_mean", NULL};

#define OPTION(...) STJ_OPTION_ROW(struct stj_loss_config, __VA_ARGS__)
static const struct stj_option divergence_options[] = {
    OPTION("reduction", CHOICE, reduction, "",
           "mean over the batch and the outputs (default), their sum, or the mean over the batch "
           "of the sums over the outputs",
           .choices = reductions),
    STJ_SAMPLE_WEIGHTS_OPTION,
    {.name = NULL},
};

static void kullback_sample(struct stj_rng *rng, char *text, size_t size)
{
    (void)rng;
    snprintf(text, size, "kullback_leibler");
}

static double kullback(const void *config, int order, double z, double t)
{
    (void)config;
    if (order == 0)
        return t > 0 ? t * (log(t) - z) : 0;
    if (order == STJ_TERM_BY_TARGET)
        return -1;
    return order == 1 ? -t : 0;
}
STJ_TERMS_OPERATIONS(kullback)

const struct stj_loss_ops stj_loss_kullback_leibler = {
    .info = {.name = "kullback_leibler",
             .doc =
                 "divergence of target probabilities from the outputs, which are log-probabilities",
             .options = divergence_options,
             .config_size = sizeof(struct stj_loss_config)},
    .probabilities = true,
    .min_target = 0,
    .max_target = 1,
    .sample = kullback_sample,
    STJ_TERMS_SLOTS(kullback),
};
