/* SPDX-License-Identifier: GPL-3.0-or-later */
/* run/callback_training.c: a problem of the caller's own, trained and kept in memory. */
#include <spectraj/training.h>

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/progress.h"
#include "options/yaml.h"
#include "op/training_jacobian.h"
#include "run/import/imported.h"
#include "run/run_internal.h"
#include "train/optimizers.h"
#include "train/schedule.h"

STJ_HOLDS(struct stj_training, stj_training_destroy)

struct stj_training {
    const struct stj_problem *problem; /* borrowed */
    struct stj_training_config config; /* of which the recipe counts */
    struct stj_recipe recipe;
    struct stj_trajectory *trajectory;
};

/* The rows of the config's training group that make a recipe: the first ones, but for groups, as
 * tensors have no names here. */
enum { MOST_ROWS = 16 };

static void recipe_table(struct stj_option table[MOST_ROWS])
{
    size_t n = 0;
    for (const struct stj_option *row = stj_training_options;
         strcmp(row->name, "batch_size") != 0 && n + 1 < MOST_ROWS; row++)
        if (strcmp(row->name, "groups") != 0)
            table[n++] = *row;
    table[n] = (struct stj_option){.name = NULL};
}

static enum stj_status parse_recipe(const char *text, struct stj_training *training,
                                    struct stj_error *err)
{
    struct stj_option table[MOST_ROWS];
    STJ_HELD(stj_yaml_destroy_at) struct stj_yaml_node *root = NULL;
    uint32_t crc = 0;
    bool found = false;
    recipe_table(table);
    STJ_NEED(err, text, STJ_EINVAL, "a training needs a recipe");
    STJ_MUST(stj_yaml_parse(text, strlen(text), "recipe", &root, err));
    STJ_MUST(stj_options_parse(table, root, &training->config, err));
    STJ_NEED(err, training->config.optimizer.info != &stj_optimizer_own_step.info, STJ_EUNSUPPORTED,
             "optimizer: " STJ_OWN_STEP " is for a problem in another process, which takes its own "
             "steps: give an optimizer");
    STJ_MUST(stj_run_config_check_clipping(root, &training->config, err));
    STJ_MUST(stj_schedules_read(table, &training->config, stj_problem_n_steps(training->problem),
                                &crc, &found, err));
    training->recipe = stj_training_recipe(&training->config);
    return stj_recipe_check(&training->recipe, stj_problem_n_steps(training->problem), err);
}

/* Step t landed at `state`: the given state t + 1 takes its place. */
static enum stj_status land(const struct stj_training *training,
                            const struct stj_training_settings *settings, size_t t, real *state,
                            struct stj_error *err)
{
    const size_t n = stj_problem_n_params(training->problem);
    const double *last = settings->states + t * n, *theta = last + n;
    const double limit = settings->tolerance > 0 ? settings->tolerance : sqrt(DBL_EPSILON);
    for (size_t i = 0; i < n; i++)
        STJ_NEED(err, isfinite(theta[i]), STJ_EINVAL, "given state %zu has %g at parameter %zu",
                 t + 1, theta[i], i);
    const double deviation = stj_landed_deviation(n, state, theta, last, DBL_EPSILON);
    STJ_NEED(err, deviation <= limit, STJ_EMISMATCH,
             "step %zu lands %.3g off the given state %zu, relative to what that moves, and the "
             "tolerance is %.3g: check recipe and gradients, or raise `tolerance`",
             t, deviation, t + 1, limit);
    stj_recipe_replace(&training->recipe, n, t + 1, theta, state);
    return STJ_OK;
}

/* Every step, from where the given states have it. */
static enum stj_status follow(struct stj_training *training,
                              const struct stj_training_settings *settings, real *state,
                              struct stj_error *err)
{
    const size_t n = stj_problem_n_params(training->problem);
    const size_t n_steps = stj_problem_n_steps(training->problem);
    STJ_HELD(stj_train_work_destroy_at) struct stj_train_work *work = NULL;
    STJ_FREED real *before = NULL;
    double loss = 0;
    const size_t n_state = (1 + stj_recipe_n_slots(&training->recipe)) * n;
    STJ_MUST(stj_train_work_create(training->problem, &training->recipe, &work, err));
    STJ_MUST(stj_new(&before, n_state, sizeof *before, err));
    for (size_t t = 0; t < n_steps; t++) {
        STJ_MUST(
            stj_progress_report(&settings->progress, "replaying", (double)t, (double)n_steps, err));
        stj_recipe_begin(&training->recipe, n, t, state);
        memcpy(before, state, n_state * sizeof *state);
        STJ_MUST(stj_train_step(training->problem, &training->recipe, t, state, &loss, work, err));
        STJ_MUST(stj_trajectory_record(training->trajectory, t, before, loss, err));
        STJ_MUST(land(training, settings, t, state, err));
    }
    stj_recipe_begin(&training->recipe, n, n_steps, state);
    return stj_trajectory_record(training->trajectory, n_steps, state, (double)NAN, err);
}

static enum stj_status train_problem(struct stj_training *training,
                                     const struct stj_training_settings *settings,
                                     struct stj_error *err)
{
    const size_t n = stj_problem_n_params(training->problem);
    const size_t n_steps = stj_problem_n_steps(training->problem);
    const size_t n_slots = stj_recipe_n_slots(&training->recipe);
    const double *theta0 = settings->states ? settings->states : settings->theta0;
    STJ_FREED real *state = NULL;
    STJ_NEED(err, theta0, STJ_EINVAL, "a training needs theta0");
    STJ_NEED(err, !settings->states || !settings->theta0, STJ_EINVAL,
             "theta0 is the first of the states: give one of the two");
    STJ_MUST(stj_new(&state, (1 + n_slots) * n, sizeof *state, err));
    for (size_t i = 0; i < n; i++)
        state[i] = (real)theta0[i];
    STJ_MUST(stj_trajectory_create(n, n_slots, n_steps, &training->trajectory, err));
    if (settings->states)
        return follow(training, settings, state, err);
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
    stj_options_free(stj_training_options, &training->config);
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
    const size_t end = stj_recipe_end(&training->recipe) * stj_problem_n_params(training->problem);
    for (size_t i = 0; i < stj_problem_n_params(training->problem); i++)
        theta[i] = view.state[end + i];
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
