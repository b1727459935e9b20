/* SPDX-License-Identifier: GPL-3.0-or-later */
/* train/schedules/one_cycle.c: one rise and one fall (Smith and Topin 2019), as PyTorch's
 * OneCycleLR with two phases.  With cycle_momentum the momentum goes the other way, from
 * max_momentum to base_momentum at the peak and back.
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

#include "base/error.h"
#include "train/schedules.h"

enum { COSINE, LINEAR };

struct one_cycle_config {
    double peak, rise, div_factor, final_div_factor, base_momentum, max_momentum;
    int anneal;
    bool cycle_momentum, has_cycle, has_base, has_max;
};

static const char *const anneal_choices[] = {"cosine", "linear", NULL};

#define OPTION(...) STJ_OPTION_ROW(struct one_cycle_config, __VA_ARGS__)
#define GIVEN(member) .present_offset = offsetof(struct one_cycle_config, member)
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
    OPTION("cycle_momentum", BOOL, cycle_momentum, "",
           "whether the momentum (beta1 of Adam) goes the other way, as by default in PyTorch; "
           "default: false",
           GIVEN(has_cycle)),
    OPTION("base_momentum", REAL, base_momentum, "",
           "smallest momentum, at the peak; default: 0.85", GIVEN(has_base), .min = 0, .max = 1,
           .above_min = true, .below_max = true),
    OPTION("max_momentum", REAL, max_momentum, "",
           "largest momentum, of the first and the last step; default: 0.95", GIVEN(has_max),
           .min = 0, .max = 1, .above_min = true, .below_max = true),
    {.name = NULL},
};

static enum stj_status one_cycle_check(const void *config, struct stj_error *err)
{
    const struct one_cycle_config *c = config;
    STJ_NEED(
        err, c->cycle_momentum || (!c->has_base && !c->has_max), STJ_ECONFIG,
        "base_momentum and max_momentum are of a momentum that cycles; add cycle_momentum: true");
    return STJ_OK;
}

/* The rate at step t of a phase that goes from rate a at step `from` to rate b at step `to`. */
static double anneal(int shape, double a, double b, double from, double to, double t)
{
    const double x = to > from ? (t - from) / (to - from) : 1;
    return shape == LINEAR ? a + (b - a) * x : b + (a - b) * ((1 + cos(acos(-1.0) * x)) / 2);
}

/* What goes from `first` to `peak` and on to `last`. */
static double cycle(const struct one_cycle_config *c, double first, double peak, double last,
                    size_t step, size_t n_steps)
{
    const double t = (double)step;
    const double up = c->rise * (double)n_steps - 1;
    if (t <= up)
        return anneal(c->anneal, first, peak, 0, up, t);
    return anneal(c->anneal, peak, last, up, (double)n_steps - 1, t);
}

static double one_cycle_eta(const void *config, size_t step, size_t n_steps)
{
    const struct one_cycle_config *c = config;
    const double first = c->peak / c->div_factor;
    return cycle(c, first, c->peak, first / c->final_div_factor, step, n_steps);
}

static double one_cycle_momentum(const void *config, size_t step, size_t n_steps)
{
    const struct one_cycle_config *c = config;
    const double most = c->has_max ? c->max_momentum : 0.95;
    const double least = c->has_base ? c->base_momentum : 0.85;
    return c->cycle_momentum ? cycle(c, most, least, most, step, n_steps) : (double)NAN;
}

const struct stj_schedule_ops stj_schedule_one_cycle = {
    .info = {.name = "one_cycle",
             .doc = "one rise to the peak and one fall far below where it began",
             .options = one_cycle_options,
             .config_size = sizeof(struct one_cycle_config),
             .check = one_cycle_check},
    .eta = one_cycle_eta,
    .momentum = one_cycle_momentum,
};
