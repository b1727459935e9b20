/* SPDX-License-Identifier: GPL-3.0-or-later */
/* train/schedules/cyclic.c: up and down again (Smith 2017), as PyTorch's CyclicLR.
 *
 * With cycle c = floor(t / (up + down)) and s in [0, 1] the height in it, a straight line from 0 to
 * 1 in `up` steps and back in `down`:
 *
 *     eta_t = base + (peak - base) s w,      w = 1 (triangular), 2^-c (triangular2), gamma^t (exp_range)
 *     m_t = max_momentum - (max_momentum - base_momentum) s w          (with cycle_momentum)
 */
#include <math.h>

#include "base/error.h"
#include "train/schedules.h"

enum { TRIANGULAR, TRIANGULAR2, EXP_RANGE };

struct cyclic_config {
    double base, peak, gamma, base_momentum, max_momentum;
    size_t up, down;
    int mode;
    bool cycle_momentum, has_base, has_max;
};

static const char *const mode_choices[] = {"triangular", "triangular2", "exp_range", NULL};

#define OPTION(...) STJ_OPTION_ROW(struct cyclic_config, __VA_ARGS__)
#define GIVEN(member) .present_offset = offsetof(struct cyclic_config, member)
static const struct stj_option cyclic_options[] = {
    OPTION("base", REAL, base, NULL, "smallest learning rate, of step 0 (PyTorch: base_lr)",
           .min = 0, .max = 1e300),
    OPTION("peak", REAL, peak, NULL, "largest learning rate (PyTorch: max_lr)", .min = 0,
           .max = 1e300),
    OPTION("up", SIZE, up, "2000", "steps of a rise (PyTorch: step_size_up)", .min = 1,
           .max = 1e15),
    OPTION("down", SIZE, down, "", "steps of a fall; default: as of a rise", .min = 1, .max = 1e15),
    OPTION("mode", CHOICE, mode, "triangular", "how the height of the cycles changes",
           .choices = mode_choices),
    OPTION("gamma", REAL, gamma, "1", "factor of the height from step to step, of exp_range",
           .min = 0, .max = 1),
    OPTION("cycle_momentum", BOOL, cycle_momentum, "false",
           "whether the momentum (beta1 of Adam) goes the other way, as by default in PyTorch"),
    OPTION("base_momentum", REAL, base_momentum, "", "smallest momentum, at the peak; default: 0.8",
           GIVEN(has_base), .min = 0, .max = 1, .above_min = true, .below_max = true),
    OPTION("max_momentum", REAL, max_momentum, "", "largest momentum, of step 0; default: 0.9",
           GIVEN(has_max), .min = 0, .max = 1, .above_min = true, .below_max = true),
    {.name = NULL},
};

static enum stj_status cyclic_check(const void *config, struct stj_error *err)
{
    const struct cyclic_config *c = config;
    STJ_NEED(err, c->base <= c->peak, STJ_ECONFIG, "base is %g, above the peak %g", c->base,
             c->peak);
    STJ_NEED(
        err, c->cycle_momentum || (!c->has_base && !c->has_max), STJ_ECONFIG,
        "base_momentum and max_momentum are of a momentum that cycles; add cycle_momentum: true");
    return STJ_OK;
}

/* s w of step t. */
static double height(const struct cyclic_config *c, size_t t)
{
    const size_t down = c->down ? c->down : c->up;
    const size_t cycle = t / (c->up + down), at = t % (c->up + down);
    const double s =
        at <= c->up ? (double)at / (double)c->up : (double)(c->up + down - at) / (double)down;
    if (c->mode == TRIANGULAR2)
        return s * pow(2, -(double)cycle);
    return c->mode == EXP_RANGE ? s * pow(c->gamma, (double)t) : s;
}

static double cyclic_eta(const void *config, size_t step, size_t n_steps)
{
    const struct cyclic_config *c = config;
    (void)n_steps;
    return c->base + (c->peak - c->base) * height(c, step);
}

static double cyclic_momentum(const void *config, size_t step, size_t n_steps)
{
    const struct cyclic_config *c = config;
    const double most = c->has_max ? c->max_momentum : 0.9;
    const double least = c->has_base ? c->base_momentum : 0.8;
    (void)n_steps;
    return c->cycle_momentum ? most - (most - least) * height(c, step) : (double)NAN;
}

const struct stj_schedule_ops stj_schedule_cyclic = {
    .info = {.name = "cyclic",
             .doc = "up in a straight line and down again, time after time",
             .options = cyclic_options,
             .config_size = sizeof(struct cyclic_config),
             .check = cyclic_check},
    .eta = cyclic_eta,
    .momentum = cyclic_momentum,
};
