/* SPDX-License-Identifier: GPL-3.0-or-later */
/* train/recipe.h: how a training changes its parameters: one rule for all tensors, or one for each
 * group of them. */
#ifndef STJ_TRAIN_RECIPE_H
#define STJ_TRAIN_RECIPE_H

#include <stdbool.h>

#include "base/block.h"
#include "train/average.h"
#include "train/optimizer.h"

/* What the tensors of a group have of their own; plug-ins are borrowed. */
struct stj_rule {
    const struct stj_plugin *optimizer; /* the recipe's, with other values */
    const struct stj_plugin *schedule;
};

/* A group as a config has it: a plug-in of this kind, the recipe's optimizer. */
extern const struct stj_kind stj_groups; /* train/optimizers.c */
struct stj_group_config {
    struct stj_texts match; /* patterns of names of tensors and layers */
    struct stj_plugin schedule;
};

/* The recipe of a run beside its problem; plug-ins and tables are borrowed. */
struct stj_recipe {
    const struct stj_plugin *optimizer;
    const struct stj_plugin *schedule;
    double clip_norm;                     /* gradients are clipped to this global norm; 0: never */
    double clip_eps;                      /* see train/clip.h */
    double clip_tensor_norm, clip_value;  /* instead: by tensor, by value; 0: never */
    const struct stj_plugin *clip_factor; /* instead: their factor by step; NULL: none */
    size_t n_before;             /* updates that the optimizer has made before the training */
    size_t n_groups;             /* beside the rest, whose rule is number 0 */
    const struct stj_rule *rule; /* [n_groups]: of numbers 1, 2, ... */
    const size_t *rule_of;       /* [n_tensors]: the number of the rule of each */
    double sam_rho;              /* sharpness-aware: how far each step climbs first; 0: not */
    bool sam_adaptive;
    const struct stj_plugin *average; /* of states, the end point; NULL: the last state */
    enum stj_given given; /* of steps: what linearisations hold the derivative by, too; or START */
    const double *shift;  /* [n_steps], of scales [1 + n_groups]: added to that; NULL: nothing is */
};

static inline const struct stj_optimizer_ops *stj_recipe_optimizer(const struct stj_recipe *recipe)
{
    return stj_optimizer_of(recipe->optimizer);
}

static inline bool stj_recipe_averages(const struct stj_recipe *recipe)
{
    return recipe->average;
}

/* Vectors of a state beside theta: the optimizer's slots, and the average. */
static inline size_t stj_recipe_n_slots(const struct stj_recipe *recipe)
{
    return stj_recipe_optimizer(recipe)->n_slots + stj_recipe_averages(recipe);
}

/* Which vector of a state is where training has come to: theta, 0; or the average, its last. */
static inline size_t stj_recipe_end(const struct stj_recipe *recipe)
{
    return stj_recipe_averages(recipe) ? stj_recipe_n_slots(recipe) : 0;
}

/* Complete state t, of vectors of n numbers, before step t: up to the first state that counts, its
 * average is theta. */
void stj_recipe_begin(const struct stj_recipe *recipe, size_t n, size_t t, real *state);

/* Put theta in the place of the parameters that state t has come to; its average follows. */
void stj_recipe_replace(const struct stj_recipe *recipe, size_t n, size_t t, const real *theta,
                        real *state);

/* Gradients that a step takes: with sam a second one, where the first has climbed to. */
static inline size_t stj_recipe_n_gradients(const struct stj_recipe *recipe)
{
    return recipe->sam_rho > 0 ? 2 : 1;
}

/* Is anything done to gradients before the update? */
static inline bool stj_recipe_clips(const struct stj_recipe *recipe)
{
    return recipe->clip_norm > 0 || recipe->clip_tensor_norm > 0 || recipe->clip_value > 0 ||
           recipe->clip_factor;
}

/* The row of the optimizer's momentum or beta1, *momentum <- its value; NULL: it has none. */
const struct stj_option *stj_optimizer_momentum(const struct stj_plugin *optimizer,
                                                const struct stj_by_step **momentum);

/* Rule `number`, from 0 to n_groups; and where it is at step t of a training of n_steps. */
struct stj_rule stj_recipe_rule(const struct stj_recipe *recipe, size_t number);
struct stj_step stj_recipe_step(const struct stj_recipe *recipe, size_t number, size_t t,
                                size_t n_steps);

/* By how much its rate, momentum or decay at step t moves where that of the training moves by 1: in
 * proportion.  Where the training's rate is 0, it is as at the next step where it is not; decays that
 * are 0 stay, unless all are. */
double stj_recipe_share(const struct stj_recipe *recipe, enum stj_given given, size_t number,
                        size_t t, size_t n_steps);

/* *value <- the training's rate, momentum or decay at step t; false: it has none. */
bool stj_recipe_value(const struct stj_recipe *recipe, enum stj_given given, size_t t,
                      size_t n_steps, double *value);

/* See that all rules have good values for all steps. */
enum stj_status stj_recipe_check(const struct stj_recipe *recipe, size_t n_steps,
                                 struct stj_error *err);

static inline size_t stj_recipe_rule_of(const struct stj_recipe *recipe, size_t tensor)
{
    return recipe->n_groups ? recipe->rule_of[tensor] : 0;
}

/* Tensors that lie one after another and have one rule, or a single one where the optimizer is by
 * tensor: what a call of `step` or `linearize` gets. */
struct stj_tensor_run {
    size_t offset, n;    /* parameters */
    size_t first, count; /* tensors */
    size_t rule;         /* its number */
};

/* run <- the run that begins with tensor run->first + run->count (all zeros: the first of all);
 * false past the last. */
bool stj_recipe_next_run(const struct stj_recipe *recipe, const struct stj_layout *layout,
                         struct stj_tensor_run *run);

#endif
