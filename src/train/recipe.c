/* SPDX-License-Identifier: GPL-3.0-or-later */
/* train/recipe.c: which rule updates which tensors. */
#include "train/recipe.h"

#include "train/schedule.h"

struct stj_rule stj_recipe_rule(const struct stj_recipe *recipe, size_t number)
{
    return number ? recipe->rule[number - 1]
                  : (struct stj_rule){recipe->optimizer, recipe->schedule};
}

struct stj_step stj_recipe_step(const struct stj_recipe *recipe, size_t number, size_t t,
                                size_t n_steps)
{
    const struct stj_rule rule = stj_recipe_rule(recipe, number);
    return (struct stj_step){.index = t, .eta = stj_schedule_eta(rule.schedule, t, n_steps)};
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
    while (end < layout->n_tensors && stj_recipe_rule_of(recipe, end) == run->rule)
        end++;
    run->count = end - run->first;
    run->n =
        (end < layout->n_tensors ? layout->tensor[end].offset : layout->n_params) - run->offset;
    return true;
}
