/* SPDX-License-Identifier: GPL-3.0-or-later */
/* train/given_step.c: e = d U(theta, slots, g) / d u, u being the rate, the momentum or the weight
 * decay of a step, or a factor of a group's rates, all else as it is.
 *
 *     rate       the step's theta is affine in it and its slots do not depend on it: a step at a rate
 *                beside which theta is as nothing tells the direction, to rounding
 *     scale      the same times the rate
 *     momentum   the optimizer knows it
 *     decay      lambda theta is a part of the gradient: the tangent of the update along g_dot = theta;
 *                or of the step itself: -eta theta
 */
#include "train/given_step.h"

#include <math.h>
#include <string.h>

#include "base/error.h"
#include "train/optimizers.h"

enum { LARGE = 40 }; /* the power of 2 of a large rate */

size_t stj_given_step_vectors(const struct stj_recipe *recipe)
{
    if (!stj_given_is_of_steps(recipe->given))
        return 0;
    const bool slots = recipe->given == STJ_GIVEN_MOMENTA || recipe->given == STJ_GIVEN_DECAYS;
    return 1 + (slots ? stj_recipe_optimizer(recipe)->n_slots : 0);
}

static enum stj_status check_momenta(const struct stj_recipe *recipe, size_t from, size_t to,
                                     size_t n_steps, struct stj_error *err)
{
    const char *name = recipe->optimizer->info->name;
    STJ_NEED(err, stj_recipe_optimizer(recipe)->by_momentum, STJ_EUNSUPPORTED,
             "%s has no derivative with respect to its momentum here; sgd, adam and adamw have "
             "one, adam and adamw without amsgrad",
             name);
    for (size_t t = from; t < to; t++)
        for (size_t i = 0; i <= recipe->n_groups; i++)
            STJ_NEED(err,
                     stj_recipe_share(recipe, STJ_GIVEN_MOMENTA, i, t, n_steps) > 0, /* no NaN */
                     STJ_EUNSUPPORTED,
                     "the momentum of %s is 0 at step %zu, and so the end of its range: there is "
                     "no derivative with respect to it",
                     name, t);
    return STJ_OK;
}

enum stj_status stj_given_step_check(const struct stj_recipe *recipe, enum stj_given given,
                                     size_t from, size_t to, size_t n_steps, struct stj_error *err)
{
    const char *name = recipe->optimizer->info->name;
    STJ_NEED(err, recipe->optimizer->info != &stj_optimizer_own_step.info, STJ_EUNSUPPORTED,
             "the steps of this problem are its process's own (optimizer: " STJ_OWN_STEP
             "), and so are their rates: there is no derivative with respect to them");
    STJ_NEED(err,
             given != STJ_GIVEN_DECAYS || stj_recipe_optimizer(recipe)->decay != STJ_DECAY_OTHER,
             STJ_EUNSUPPORTED,
             "%s has no derivative with respect to its weight decay here; sgd, adam, adamw, "
             "rmsprop and adagrad have one",
             name);
    return given == STJ_GIVEN_MOMENTA ? check_momenta(recipe, from, to, n_steps, err) : STJ_OK;
}

static void by_rate(const struct stj_optimizer_ops *optimizer, const void *config,
                    struct stj_step at, double share, const struct stj_update *before,
                    const real *g, const struct stj_update *moved)
{
    memcpy(moved->theta, before->theta, before->n * sizeof *moved->theta);
    for (size_t k = 0; k < optimizer->n_slots; k++)
        memcpy(moved->slot[k], before->slot[k], before->n * sizeof *moved->slot[k]);
    at.eta = ldexp(share, LARGE);
    optimizer->step(config, &at, moved, g);
    for (size_t i = 0; i < before->n; i++)
        moved->theta[i] = (real)ldexp((double)(moved->theta[i] - before->theta[i]), -LARGE);
}

static void by_decay(const struct stj_optimizer_ops *optimizer, const void *config,
                     const struct stj_step *at, const struct stj_update *before, real *const *coef,
                     const struct stj_update *moved)
{
    struct stj_update_tile tile = {.rows = 1,
                                   .nvec = 1,
                                   .cols = before->n,
                                   .theta = moved->theta,
                                   .g = before->theta, /* read alone */
                                   .tensor = before->tensor,
                                   .point = before->theta,
                                   .work = before->work};
    if (optimizer->decay == STJ_DECAY_DECOUPLED) {
        for (size_t i = 0; i < before->n; i++)
            moved->theta[i] = (real)-at->eta * before->theta[i];
        return;
    }
    for (size_t k = 0; k < optimizer->n_slots; k++)
        tile.slot[k] = moved->slot[k];
    for (size_t k = 0; k < optimizer->n_coef; k++)
        tile.coef[k] = coef[k];
    optimizer->tangent(config, at, &tile);
}

static void scale(size_t n, double share, real *x)
{
    for (size_t i = 0; share != 1 && i < n; i++)
        x[i] *= (real)share;
}

void stj_given_step(const struct stj_recipe *recipe, size_t number, const struct stj_step *at,
                    size_t n_steps, const struct stj_update *before, const real *g,
                    real *const *coef, const struct stj_update *moved)
{
    const struct stj_optimizer_ops *optimizer = stj_recipe_optimizer(recipe);
    const void *config = stj_recipe_rule(recipe, number).optimizer->config;
    const double share = recipe->given == STJ_GIVEN_SCALES
                             ? at->eta
                             : stj_recipe_share(recipe, recipe->given, number, at->index, n_steps);
    if (recipe->given == STJ_GIVEN_RATES || recipe->given == STJ_GIVEN_SCALES) {
        by_rate(optimizer, config, *at, share, before, g, moved);
        return;
    }
    memset(moved->theta, 0, before->n * sizeof *moved->theta);
    for (size_t k = 0; k < optimizer->n_slots; k++)
        memset(moved->slot[k], 0, before->n * sizeof *moved->slot[k]);
    if (recipe->given == STJ_GIVEN_MOMENTA)
        optimizer->by_momentum(config, at, before, g, moved);
    else
        by_decay(optimizer, config, at, before, coef, moved);
    scale(before->n, share, moved->theta);
    for (size_t k = 0; k < optimizer->n_slots; k++)
        scale(before->n, share, moved->slot[k]);
}
