/* SPDX-License-Identifier: GPL-3.0-or-later */
/* run/callback_training.c: a problem of the caller's own, trained and kept in memory. */
#include <spectraj/training.h>

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "options/yaml.h"
#include "op/training_jacobian.h"
#include "run/run_internal.h"

STJ_HOLDS(struct stj_training, stj_training_destroy)

struct stj_training {
    const struct stj_problem *problem; /* borrowed */
    struct stj_training_config config; /* of which the recipe counts */
    struct stj_recipe recipe;
    struct stj_trajectory *trajectory;
};

/* The rows of the config's training group that make a recipe. */
enum { RECIPE_ROWS = 3 };

static void recipe_table(struct stj_option table[RECIPE_ROWS + 1])
{
    static const char *const names[RECIPE_ROWS] = {"optimizer", "learning_rate", "clip_norm"};
    for (size_t i = 0; i < RECIPE_ROWS; i++)
        for (const struct stj_option *option = stj_training_options; option->name; option++)
            if (strcmp(option->name, names[i]) == 0)
                table[i] = *option;
    table[RECIPE_ROWS] = (struct stj_option){.name = NULL};
}

static enum stj_status parse_recipe(const char *text, struct stj_training *training,
                                    struct stj_error *err)
{
    struct stj_option table[RECIPE_ROWS + 1];
    STJ_HELD(stj_yaml_destroy_at) struct stj_yaml_node *root = NULL;
    recipe_table(table);
    STJ_NEED(err, text, STJ_EINVAL, "a training needs a recipe");
    STJ_MUST(stj_yaml_parse(text, strlen(text), "recipe", &root, err));
    STJ_MUST(stj_options_parse(table, root, &training->config, err));
    training->recipe = (struct stj_recipe){.optimizer = &training->config.optimizer,
                                           .schedule = &training->config.schedule,
                                           .clip_norm = training->config.clip_norm};
    return STJ_OK;
}

static enum stj_status train_problem(struct stj_training *training,
                                     const struct stj_training_settings *settings,
                                     struct stj_error *err)
{
    const size_t n = stj_problem_n_params(training->problem);
    const size_t n_steps = stj_problem_n_steps(training->problem);
    const size_t n_slots = stj_recipe_optimizer(&training->recipe)->n_slots;
    STJ_FREED real *state = NULL;
    STJ_NEED(err, settings->theta0, STJ_EINVAL, "a training needs theta0");
    STJ_MUST(stj_new(&state, (1 + n_slots) * n, sizeof *state, err));
    for (size_t i = 0; i < n; i++)
        state[i] = (real)settings->theta0[i];
    STJ_MUST(stj_trajectory_create(n, n_slots, n_steps, &training->trajectory, err));
    return stj_train(training->problem, &training->recipe, 0, n_steps, state, stj_trajectory_record,
                     training->trajectory, &settings->progress, err);
}

enum stj_status stj_training_create(const struct stj_problem *problem,
                                    const struct stj_training_settings *settings,
                                    struct stj_training **training, struct stj_error *err)
{
    STJ_HELD(stj_training_destroy_at) struct stj_training *made = NULL;
    STJ_GOOD_SETTINGS(err, settings);
    STJ_NOT_NULL(err, problem, training);
    *training = NULL;
    STJ_NEED(err, stj_problem_n_steps(problem) > 0, STJ_EINVAL,
             "the problem has no steps: nothing to train");
    STJ_MUST(stj_new(&made, 1, sizeof *made, err));
    made->problem = problem;
    STJ_MUST(parse_recipe(settings->recipe, made, err));
    STJ_MUST(train_problem(made, settings, err));
    *training = made;
    made = NULL;
    return STJ_OK;
}

void stj_training_destroy(struct stj_training *training)
{
    if (!training)
        return;
    stj_trajectory_destroy(training->trajectory);
    stj_plugin_free(&training->config.optimizer);
    stj_plugin_free(&training->config.schedule);
    free(training);
}

enum stj_status stj_training_theta(struct stj_training *training, size_t t, double *theta,
                                   struct stj_error *err)
{
    STJ_NOT_NULL(err, training, theta);
    struct stj_trajectory_view view;
    STJ_NEED(err, t <= stj_problem_n_steps(training->problem), STJ_EINVAL,
             "state %zu is wanted, there are 0 to %zu", t, stj_problem_n_steps(training->problem));
    STJ_MUST(stj_trajectory_visit(training->trajectory, t, 1, &view, err));
    for (size_t i = 0; i < stj_problem_n_params(training->problem); i++)
        theta[i] = view.state[i];
    return STJ_OK;
}

const double *stj_training_loss_curve(const struct stj_training *training)
{
    return training ? stj_trajectory_loss(training->trajectory) : NULL;
}

enum stj_status stj_training_jacobian(struct stj_training *training, size_t from, size_t to,
                                      struct stj_op **op, struct stj_error *err)
{
    STJ_NOT_NULL(err, training, op);
    const struct stj_training_jacobian_settings settings = {.from = from, .to = to};
    return stj_training_jacobian_create(training->problem, &training->recipe, training->trajectory,
                                        &settings, op, err);
}

enum stj_status stj_training_validate(struct stj_training *training, uint64_t seed,
                                      size_t dense_limit, const struct stj_progress *progress,
                                      struct stj_validation *v, struct stj_error *err)
{
    STJ_NOT_NULL(err, training, v);
    STJ_HELD(stj_op_destroy_at) struct stj_op *op = NULL;
    STJ_MUST(stj_training_jacobian(training, 0, 0, &op, err));
    return stj_validate_jacobian(op, seed, dense_limit, progress, v, err);
}
