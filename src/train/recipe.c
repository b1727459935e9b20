/* SPDX-License-Identifier: GPL-3.0-or-later */
/* train/recipe.c: which rule updates which tensors. */
#include "train/recipe.h"

#include <math.h>
#include <stdio.h>

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
    return step;
}

/* A momentum goes with the schedule of the rate itself, not with one within it. */
static enum stj_status find_cycle(void *ctx, struct stj_plugin *schedule, bool inner,
                                  struct stj_error *err)
{
    const bool cycles = !isnan(stj_schedule_momentum(schedule, 0, 1));
    *(bool *)ctx = *(bool *)ctx || cycles;
    STJ_NEED(err, !cycles || !inner, STJ_ECONFIG,
             "%s within another schedule cannot cycle the momentum: leave cycle_momentum out, and "
             "give the optimizer's momentum as a schedule",
             schedule->info->name);
    return STJ_OK;
}

/* where: "training.groups[0]", the place of what is wrong. */
static enum stj_status check_rule(const struct stj_rule *rule, const char *where, size_t n_steps,
                                  struct stj_error *err)
{
    static const struct stj_option rate[] = {
        {.name = "learning_rate", .type = STJ_OPTION_PLUGIN, .kind = &stj_schedules},
        {.name = NULL}};
    const struct stj_by_step *momentum = NULL;
    const struct stj_option *row = stj_optimizer_momentum(rule->optimizer, &momentum);
    const bool by_step = row && momentum->schedule.info;
    bool cycles = false;
    enum stj_status st =
        stj_options_visit(rate, (void *)(uintptr_t)rule->schedule, find_cycle, &cycles, err);
    if (st == STJ_OK)
        st = stj_schedule_check(rule->schedule, rate, n_steps, err);
    if (st != STJ_OK) {
        stj_error_prefix(err, "%s.learning_rate", where);
        return st;
    }
    STJ_NEED(err, !cycles || row, STJ_ECONFIG,
             "%s.learning_rate: cycle_momentum: %s has no momentum or beta1", where,
             rule->optimizer->info->name);
    STJ_NEED(err, !cycles || !by_step, STJ_ECONFIG,
             "%s.learning_rate cycles the momentum, and %s is given by step; leave one of them out",
             where, row ? row->name : "");
    if (by_step)
        st = stj_schedule_check(&momentum->schedule, row, n_steps, err);
    if (st != STJ_OK)
        stj_error_prefix(err, "%s: %s", where, row->name);
    return st;
}

enum stj_status stj_recipe_check(const struct stj_recipe *recipe, size_t n_steps,
                                 struct stj_error *err)
{
    for (size_t i = 0; i <= recipe->n_groups; i++) {
        const struct stj_rule rule = stj_recipe_rule(recipe, i);
        char where[64] = "training";
        if (i)
            snprintf(where, sizeof where, "training.groups[%zu]", i - 1);
        STJ_NEED(err, stj_optimizer_of(rule.optimizer) == stj_recipe_optimizer(recipe), STJ_ECONFIG,
                 "%s: amsgrad is of all tensors or of none; give it at training.optimizer", where);
        STJ_MUST(check_rule(&rule, where, n_steps, err));
    }
    return STJ_OK;
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
