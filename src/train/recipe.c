/* SPDX-License-Identifier: GPL-3.0-or-later */
/* train/recipe.c: which rule updates which tensors. */
#include "train/recipe.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "options/option_value.h"
#include "train/schedule.h"

struct stj_rule stj_recipe_rule(const struct stj_recipe *recipe, size_t number)
{
    return number ? recipe->rule[number - 1]
                  : (struct stj_rule){recipe->optimizer, recipe->schedule};
}

const struct stj_option *stj_optimizer_momentum(const struct stj_plugin *optimizer,
                                                const struct stj_by_step **momentum)
{
    for (const struct stj_option *row = optimizer->info->options; row && row->name; row++)
        if (row->type == STJ_OPTION_BY_STEP) {
            *momentum = stj_option_field(optimizer->config, row->offset);
            return row;
        }
    return NULL;
}

static double rate_share(const struct stj_recipe *recipe, size_t number, size_t t, size_t n_steps)
{
    for (size_t k = 0; number > 0 && k < n_steps; k++) {
        const size_t at = (t + k) % n_steps;
        const double all = stj_schedule_eta(recipe->schedule, at, n_steps);
        if (all != 0)
            return stj_schedule_eta(stj_recipe_rule(recipe, number).schedule, at, n_steps) / all;
    }
    return 1;
}

/* The rule's weight decay; 0: it has none. */
static double decay_of(const struct stj_recipe *recipe, size_t number)
{
    const struct stj_plugin *optimizer = stj_recipe_rule(recipe, number).optimizer;
    for (const struct stj_option *row = optimizer->info->options; row && row->name; row++)
        if (strcmp(row->name, "weight_decay") == 0)
            return *(const double *)stj_option_field(optimizer->config, row->offset);
    return 0;
}

/* That which the others are in proportion to: the first that is not 0. */
static double main_decay(const struct stj_recipe *recipe)
{
    double decay = 0;
    for (size_t i = 0; decay == 0 && i <= recipe->n_groups; i++)
        decay = decay_of(recipe, i);
    return decay;
}

/* Of a rule at a step, without a shift; NaN: it has none. */
static double momentum_of(const struct stj_recipe *recipe, size_t number, size_t t, size_t n_steps)
{
    const struct stj_rule rule = stj_recipe_rule(recipe, number);
    const struct stj_by_step *momentum = NULL;
    const double cycled = stj_schedule_momentum(rule.schedule, t, n_steps);
    if (!isnan(cycled) || !stj_optimizer_momentum(rule.optimizer, &momentum))
        return cycled;
    return momentum->schedule.info ? stj_schedule_eta(&momentum->schedule, t, n_steps)
                                   : momentum->value;
}

double stj_recipe_share(const struct stj_recipe *recipe, enum stj_given given, size_t number,
                        size_t t, size_t n_steps)
{
    const double decay = main_decay(recipe);
    if (given == STJ_GIVEN_MOMENTA)
        return momentum_of(recipe, number, t, n_steps) / momentum_of(recipe, 0, t, n_steps);
    if (given == STJ_GIVEN_DECAYS)
        return decay == 0 ? 1 : decay_of(recipe, number) / decay;
    return rate_share(recipe, number, t, n_steps);
}

bool stj_recipe_value(const struct stj_recipe *recipe, enum stj_given given, size_t t,
                      size_t n_steps, double *value)
{
    *value = given == STJ_GIVEN_MOMENTA  ? momentum_of(recipe, 0, t, n_steps)
             : given == STJ_GIVEN_DECAYS ? main_decay(recipe)
             : given == STJ_GIVEN_RATES  ? stj_schedule_eta(recipe->schedule, t, n_steps)
                                         : 1;
    return !isnan(*value);
}

/* What is added to what the recipe is given, at a step of a rule. */
static void shift_step(const struct stj_recipe *recipe, size_t number, size_t n_steps,
                       struct stj_step *step)
{
    const size_t t = step->index;
    if (recipe->given == STJ_GIVEN_SCALES) {
        step->eta *= 1 + recipe->shift[number];
        return;
    }
    const double shift =
        stj_recipe_share(recipe, recipe->given, number, t, n_steps) * recipe->shift[t];
    if (recipe->given == STJ_GIVEN_MOMENTA) {
        step->momentum = momentum_of(recipe, number, t, n_steps) + shift;
        step->has_momentum = true;
    } else if (recipe->given == STJ_GIVEN_DECAYS) {
        step->more_decay = shift;
    } else {
        step->eta += shift;
    }
}

struct stj_step stj_recipe_step(const struct stj_recipe *recipe, size_t number, size_t t,
                                size_t n_steps)
{
    const struct stj_rule rule = stj_recipe_rule(recipe, number);
    const struct stj_by_step *momentum = NULL;
    struct stj_step step = {.index = t,
                            .count = recipe->n_before + t,
                            .eta = stj_schedule_eta(rule.schedule, t, n_steps)};
    step.momentum = stj_schedule_momentum(rule.schedule, t, n_steps);
    if (isnan(step.momentum) && stj_optimizer_momentum(rule.optimizer, &momentum) &&
        momentum->schedule.info)
        step.momentum = stj_schedule_eta(&momentum->schedule, t, n_steps);
    step.has_momentum = !isnan(step.momentum);
    if (recipe->shift)
        shift_step(recipe, number, n_steps, &step);
    return step;
}

void stj_recipe_replace(const struct stj_recipe *recipe, size_t n, size_t t, const real *theta,
                        real *state)
{
    const double w = stj_recipe_averages(recipe) ? stj_average_weight(recipe->average, t) : 0;
    real *average = state + stj_recipe_end(recipe) * n;
    for (size_t i = 0; i < n; i++) {
        if (w == 1)
            average[i] = theta[i];
        else if (w > 0)
            average[i] += (real)w * (theta[i] - state[i]);
        state[i] = theta[i];
    }
}

static const struct stj_option rate_rows[] = {
    {.name = "learning_rate", .type = STJ_OPTION_PLUGIN, .kind = &stj_schedules}, {.name = NULL}};

struct cycles {
    bool allowed, found;
};

void stj_recipe_begin(const struct stj_recipe *recipe, size_t n, size_t t, real *state)
{
    if (stj_recipe_averages(recipe))
        stj_average_update(n, stj_average_begin(recipe->average, t), state,
                           state + stj_recipe_end(recipe) * n);
}

/* A momentum goes with the schedule of the rate itself, not with one within it or with another. */
static enum stj_status find_cycle(void *ctx, struct stj_plugin *schedule, bool inner,
                                  struct stj_error *err)
{
    struct cycles *cycles = ctx;
    const bool here = !isnan(stj_schedule_momentum(schedule, 0, 1));
    cycles->found = cycles->found || here;
    STJ_NEED(err, !here || (cycles->allowed && !inner), STJ_ECONFIG,
             "cycle_momentum is for the learning rate's own schedule: leave it out here, and give "
             "the optimizer's momentum as a schedule");
    return STJ_OK;
}

/* See that a schedule is good as what the row is, at training.where. */
static enum stj_status check_schedule(const struct stj_plugin *schedule,
                                      const struct stj_option *row, const char *where,
                                      struct cycles *cycles, size_t n_steps, struct stj_error *err)
{
    enum stj_status st =
        stj_options_visit(rate_rows, (void *)(uintptr_t)schedule, find_cycle, cycles, err);
    if (st == STJ_OK)
        st = stj_schedule_check(schedule, row, n_steps, err);
    if (st != STJ_OK)
        stj_error_prefix(err, "training.%s%s", where, row->name);
    return st;
}

/* where: "groups[0].", or "". */
static enum stj_status check_rule(const struct stj_rule *rule, const char *where, size_t n_steps,
                                  struct stj_error *err)
{
    const struct stj_by_step *momentum = NULL;
    const struct stj_option *row = stj_optimizer_momentum(rule->optimizer, &momentum);
    const bool by_step = row && momentum->schedule.info;
    struct cycles cycles = {.allowed = true}, none = {.allowed = false};
    STJ_MUST(check_schedule(rule->schedule, rate_rows, where, &cycles, n_steps, err));
    STJ_NEED(err, !cycles.found || row, STJ_ECONFIG,
             "training.%slearning_rate: cycle_momentum: %s has no momentum or beta1", where,
             rule->optimizer->info->name);
    STJ_NEED(err, !cycles.found || !by_step, STJ_ECONFIG,
             "training.%slearning_rate cycles the momentum, and %s is given by step; leave one of "
             "them out",
             where, row ? row->name : "");
    return by_step ? check_schedule(&momentum->schedule, row, where, &none, n_steps, err) : STJ_OK;
}

static enum stj_status check_average(const struct stj_recipe *recipe, size_t n_steps,
                                     struct stj_error *err)
{
    const struct stj_average_config *c =
        stj_recipe_averages(recipe) ? recipe->average->common : NULL;
    STJ_NEED(err, !c || c->start <= n_steps, STJ_ECONFIG,
             "training.average.start is %zu, and the last state is %zu: none would count; begin "
             "before that",
             c->start, n_steps);
    return STJ_OK;
}

enum stj_status stj_recipe_check(const struct stj_recipe *recipe, size_t n_steps,
                                 struct stj_error *err)
{
    static const struct stj_option factor = {.name = "clip_factor", .type = STJ_OPTION_PLUGIN};
    struct cycles none = {.allowed = false};
    STJ_MUST(check_average(recipe, n_steps, err));
    for (size_t i = 0; i <= recipe->n_groups; i++) {
        const struct stj_rule rule = stj_recipe_rule(recipe, i);
        char where[64] = "";
        if (i)
            snprintf(where, sizeof where, "groups[%zu].", i - 1);
        STJ_NEED(
            err, stj_optimizer_of(rule.optimizer) == stj_recipe_optimizer(recipe), STJ_ECONFIG,
            "training.%samsgrad: it is of all tensors or of none; give it at training.optimizer",
            where);
        STJ_MUST(check_rule(&rule, where, n_steps, err));
    }
    return recipe->clip_factor
               ? check_schedule(recipe->clip_factor, &factor, "", &none, n_steps, err)
               : STJ_OK;
}

bool stj_recipe_next_run(const struct stj_recipe *recipe, const struct stj_layout *layout,
                         struct stj_tensor_run *run)
{
    size_t end = run->first + run->count;
    if (end == layout->n_tensors)
        return false;
    run->first = end;
    run->offset = layout->tensor[end].offset;
    run->rule = stj_recipe_rule_of(recipe, end);
    do
        end++;
    while (end < layout->n_tensors && stj_recipe_rule_of(recipe, end) == run->rule &&
           !stj_recipe_optimizer(recipe)->whole);
    run->count = end - run->first;
    run->n =
        (end < layout->n_tensors ? layout->tensor[end].offset : layout->n_params) - run->offset;
    return true;
}
