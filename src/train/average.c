/* SPDX-License-Identifier: GPL-3.0-or-later */
/* train/average.c: the averages of states, as torch.optim.swa_utils.AveragedModel takes them: the
 * first state that counts is copied, and of the k-th behind it the weight is
 *
 *     ema            1 - decay              (get_ema_multi_avg_fn)
 *     swa, polyak    1 / (k + 1)            (the mean of all that count)
 */
#include "train/average.h"

#include <string.h>

#include "base/target_clones.h"

struct ema_config {
    double decay;
};

static const struct stj_option ema_options[] = {
    STJ_OPTION_ROW(struct ema_config, "decay", REAL, decay, "0.999",
                   "what a state that counts leaves of the average before it", .max = 1,
                   .below_max = true),
    {.name = NULL},
};

static double ema_weight(const void *config, size_t k)
{
    (void)k;
    return 1 - ((const struct ema_config *)config)->decay;
}

static double mean_weight(const void *config, size_t k)
{
    (void)config;
    return 1 / ((double)k + 1);
}

static const struct stj_average_ops ema = {
    .info = {.name = "ema",
             .doc = "exponential moving average",
             .options = ema_options,
             .config_size = sizeof(struct ema_config)},
    .weight = ema_weight,
};

static const struct stj_average_ops swa = {
    .info = {.name = "swa", .doc = "stochastic weight averaging: the mean"},
    .weight = mean_weight,
};

static const struct stj_average_ops polyak = {
    .info = {.name = "polyak", .doc = "the mean, by its older name"},
    .weight = mean_weight,
};

static const struct stj_plugin_info *const average_list[] = {&ema.info, &swa.info, &polyak.info,
                                                             NULL};

static const struct stj_option average_options[] = {
    STJ_OPTION_ROW(struct stj_average_config, "start", SIZE, start, "1",
                   "the first state that counts, by the steps before it; up to there the average "
                   "is the parameters",
                   .max = 1e15),
    STJ_OPTION_ROW(struct stj_average_config, "every", SIZE, every, "1",
                   "distance in steps of the states that count", .min = 1, .max = 1e15),
    {.name = NULL},
};

const struct stj_kind stj_averages = {.what = "average",
                                      .common = average_options,
                                      .common_size = sizeof(struct stj_average_config),
                                      .list = average_list};

double stj_average_weight(const struct stj_plugin *average, size_t s)
{
    const struct stj_average_config *c = average->common;
    if (s <= c->start)
        return 1;
    if ((s - c->start) % c->every != 0)
        return 0;
    const struct stj_average_ops *ops = (const struct stj_average_ops *)average->info;
    return ops->weight(average->config, (s - c->start) / c->every);
}

double stj_average_begin(const struct stj_plugin *average, size_t t)
{
    return t <= ((const struct stj_average_config *)average->common)->start;
}

STJ_CLONES static void approach(size_t n, real w, const real *restrict theta, real *restrict a)
{
    for (size_t i = 0; i < n; i++)
        a[i] += w * (theta[i] - a[i]);
}

void stj_average_update(size_t n, double w, const real *theta, real *average)
{
    if (w == 1)
        memcpy(average, theta, n * sizeof *average);
    else if (w != 0)
        approach(n, (real)w, theta, average);
}

STJ_CLONES static void leave(size_t n, real w, real *restrict theta_bar, real *restrict a_bar)
{
    for (size_t i = 0; i < n; i++) {
        theta_bar[i] += w * a_bar[i];
        a_bar[i] -= w * a_bar[i];
    }
}

void stj_average_adjoint(size_t n, double w, real *theta_bar, real *average_bar)
{
    if (w != 0)
        leave(n, (real)w, theta_bar, average_bar);
}
