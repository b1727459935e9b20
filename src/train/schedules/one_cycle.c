/* SPDX-License-Identifier: GPL-3.0-or-later */
/* train/schedules/one_cycle.c: one rise and one fall (Smith and Topin 2019), as PyTorch's
 * OneCycleLR with two phases; the momentum is not cycled.
 *
 * From first = peak / div_factor to peak at step up = rise n_steps - 1, and on to first /
 * final_div_factor at the last step, n_steps - 1.  Within a phase from rate a to b, with x in [0,
 * 1] the share of it that is done:
 *
 *     cosine    b + (a - b) (1 + cos(pi x)) / 2
 *     linear    a + (b - a) x
 *
 * `up` need not be a whole number, and is negative where the rise has less than one step: then
 * step 0 is in the fall already.
 */
#include <math.h>

#include "train/schedules.h"

enum { COSINE, LINEAR };

struct one_cycle_config {
    double peak, rise, div_factor, final_div_factor;
    int anneal;
};

static const char *const anneal_choices[] = {"cosine", "linear", NULL};

#define OPTION(...) STJ_OPTION_ROW(struct one_cycle_config, __VA_ARGS__)
static const struct stj_option one_cycle_options[] = {
    OPTION("peak", REAL, peak, NULL, "largest learning rate", .min = 0, .max = 1e300),
    OPTION("rise", REAL, rise, "0.3",
           "share of the steps in which the rate rises (PyTorch: pct_start)", .min = 0, .max = 1),
    OPTION("div_factor", REAL, div_factor, "25", "the peak over the first rate", .min = 0,
           .max = 1e300, .above_min = true),
    OPTION("final_div_factor", REAL, final_div_factor, "1e4", "the first rate over the last",
           .min = 0, .max = 1e300, .above_min = true),
    OPTION("anneal", CHOICE, anneal, "cosine", "shape of the rise and the fall",
           .choices = anneal_choices),
    {.name = NULL},
};

/* The rate at step t of a phase that goes from rate a at step `from` to rate b at step `to`. */
static double anneal(int shape, double a, double b, double from, double to, double t)
{
    const double x = to > from ? (t - from) / (to - from) : 1;
    return shape == LINEAR ? a + (b - a) * x : b + (a - b) * ((1 + cos(acos(-1.0) * x)) / 2);
}

static double one_cycle_eta(const void *config, size_t step, size_t n_steps)
{
    const struct one_cycle_config *c = config;
    const double t = (double)step;
    const double up = c->rise * (double)n_steps - 1;
    const double first = c->peak / c->div_factor;
    if (t <= up)
        return anneal(c->anneal, first, c->peak, 0, up, t);
    return anneal(c->anneal, c->peak, first / c->final_div_factor, up, (double)n_steps - 1, t);
}

const struct stj_schedule_ops stj_schedule_one_cycle = {
    .info = {.name = "one_cycle",
             .doc = "one rise to the peak and one fall far below where it began",
             .options = one_cycle_options,
             .config_size = sizeof(struct one_cycle_config)},
    .eta = one_cycle_eta,
};
