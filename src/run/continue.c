/* SPDX-License-Identifier: GPL-3.0-or-later */
/* run/continue.c: lengthen a run in place.
 *
 * The longer training is that of the run's config with more steps.  Its first states, losses and
 * checksums are those that the run has, put into train.journal as if they had come from this
 * training; from there on it is trained like any other (run/train.c), so that two goes give the bits
 * of one.  What the run has is kept: its results are of steps that stay as they are, and the new
 * trajectory.h5 lists the lengths before with their fingerprints, by which they are known.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"
#include "options/yaml.h"
#include "parallel/ranks.h"
#include "run/run_internal.h"
#include "train/optimizers.h"
#include "train/schedule.h"

/* What ends where it ends. */
static enum stj_status check_can_go_on(const struct stj_run *run, struct stj_error *err)
{
    STJ_NEED(err, !run->config.trajectory.states, STJ_EINVAL,
             "%s: its states were given (trajectory.states), and what its steps were from there on "
             "is not known here; name the further states in the config, and train it again",
             run->dir);
    STJ_NEED(
        err, !run->config.training.batches, STJ_EINVAL,
        "%s: its batches are listed (training.batches) for the steps that it has; list more of "
        "them in the config, and train it again",
        run->dir);
    return STJ_OK;
}

/* schedule <- what the text says: a number, or a schedule as in a config. */
static enum stj_status parse_rate(const char *text, struct stj_plugin *schedule,
                                  struct stj_error *err)
{
    static const char name[] = "--learning-rate";
    struct stj_yaml_node *root = NULL;
    STJ_MUST(stj_yaml_parse(text, strlen(text), name, &root, err));
    const enum stj_status st = stj_plugin_parse(&stj_schedules, root, schedule, err);
    stj_yaml_destroy(root);
    return st;
}

/* config <- that of the run, with `steps` more. */
static enum stj_status longer_config(const struct stj_run *run,
                                     const struct stj_run_continue_settings *settings,
                                     struct stj_run_config *config, struct stj_error *err)
{
    struct stj_plugin next = {0};
    struct stj_training_config *t = &config->training;
    STJ_MUST(stj_run_config_parse(run->about.config, STJ_CONFIG_NAME, config, err));
    STJ_NEED(err, !settings->learning_rate || t->optimizer.info != &stj_optimizer_own_step.info,
             STJ_EINVAL,
             "%s: its steps and their rate are those of its process: leave the learning rate out",
             run->dir);
    STJ_NEED(err, settings->steps <= SIZE_MAX - run->n_steps, STJ_EINVAL,
             "%zu steps more than %zu are too many", settings->steps, run->n_steps);
    t->has_epochs = false;
    t->has_steps = true;
    t->steps = run->n_steps + settings->steps;
    if (!settings->learning_rate)
        return STJ_OK;
    for (size_t i = 0; i < t->groups.n; i++) { /* a share of the training's rate stays one */
        struct stj_group_config *group = t->groups.item[i].common;
        STJ_MUST(parse_rate(settings->learning_rate, &next, err));
        stj_schedule_scale_as(&next, &group->schedule);
        STJ_MUST(stj_schedule_then(&group->schedule, run->n_steps, &next, err));
    }
    STJ_MUST(parse_rate(settings->learning_rate, &next, err));
    return stj_schedule_then(&t->schedule, run->n_steps, &next, err);
}

/* STJ_EINVAL where a value of a step follows from the number of steps. */
static enum stj_status check_value(const struct stj_run *run, size_t t, const char *what,
                                   double before, double now, const char *remedy,
                                   struct stj_error *err)
{
    STJ_NEED(err, before == now || (isnan(before) && isnan(now)), STJ_EINVAL,
             "%s: its %s follows from the number of steps: step %zu had %g and would have %g; %s",
             run->dir, what, t, before, now, remedy);
    return STJ_OK;
}

/* The steps that the run has must be the same in the longer one, by every rule. */
static enum stj_status check_rates(const struct stj_run *run, const struct stj_run *longer,
                                   struct stj_error *err)
{
    const size_t n_rules = 1 + run->recipe.n_groups;
    static const char list[] = "give it as a list or a file of as many steps, and train it again";
    for (size_t i = 0; i < n_rules * run->n_steps; i++) {
        const size_t rule = i % n_rules, t = i / n_rules;
        const struct stj_step before = stj_recipe_step(&run->recipe, rule, t, run->n_steps);
        const struct stj_step now = stj_recipe_step(&longer->recipe, rule, t, longer->n_steps);
        char what[64];
        snprintf(what, sizeof what, "learning rate (%s)",
                 stj_recipe_rule(&run->recipe, rule).schedule->info->name);
        STJ_MUST(check_value(run, t, what, before.eta, now.eta,
                             "say what the further steps have with --learning-rate RATE", err));
        STJ_MUST(check_value(run, t, "momentum", before.momentum, now.momentum, list, err));
    }
    const struct stj_plugin *factor = run->recipe.clip_factor;
    for (size_t t = 0; factor && t < run->n_steps; t++)
        STJ_MUST(check_value(run, t, "clip_factor", stj_schedule_eta(factor, t, run->n_steps),
                             stj_schedule_eta(longer->recipe.clip_factor, t, longer->n_steps), list,
                             err));
    return STJ_OK;
}

/* Files by step that the run was trained with are what they were, as far as it went; the longer one
 * may have others for the further steps. */
static enum stj_status check_same_data(struct stj_run *run, struct stj_run *longer,
                                       struct stj_error *err)
{
    const uint32_t crc = longer->rates_crc;
    const bool has_rates = longer->has_rates;
    STJ_MUST(stj_schedules_read(stj_training_options, &run->config.training, run->n_steps,
                                &longer->rates_crc, &longer->has_rates, err));
    const enum stj_status st = stj_run_check_data(run, longer, err);
    longer->rates_crc = crc;
    longer->has_rates = has_rates;
    return st;
}

static enum stj_status write_command(const struct stj_run *run,
                                     const struct stj_run_continue_settings *settings,
                                     char **command, struct stj_error *err)
{
    STJ_HELD(stj_text_drop) struct stj_text_output out = {0};
    STJ_MUST(stj_text_open(&out, err));
    fputs("spectraj train --continue ", out.file);
    stj_text_word(out.file, run->dir);
    fprintf(out.file, " --steps %zu", settings->steps);
    if (settings->learning_rate) {
        fputs(" --learning-rate ", out.file);
        stj_text_word(out.file, settings->learning_rate);
    }
    return stj_text_take(&out, command, err);
}

enum stj_status stj_run_continue(const char *dir, const struct stj_run_continue_settings *settings,
                                 struct stj_run **run, struct stj_error *err)
{
    STJ_HELD(stj_run_destroy_at) struct stj_run *before = NULL, *longer = NULL;
    STJ_HELD(stj_run_config_free) struct stj_run_config config = {0};
    STJ_FREED char *command = NULL;
    STJ_GOOD_SETTINGS(err, settings);
    STJ_NOT_NULL(err, dir);
    if (run)
        *run = NULL;
    STJ_NEED(err, settings->steps > 0, STJ_EINVAL,
             "steps is 0: at least one is needed to lengthen a run");
    STJ_MUST(stj_run_open(dir, &before, err));
    STJ_MUST(check_can_go_on(before, err));
    STJ_MUST(longer_config(before, settings, &config, err));
    STJ_MUST(stj_run_prepare_config(&config, dir, &longer, err));
    STJ_MUST(check_same_data(before, longer, err));
    STJ_MUST(check_rates(before, longer, err));
    /* What is not stored is replayed with these data, which are the same. */
    stj_trajectory_set_training(before->trajectory, longer->problem, &longer->recipe);
    STJ_MUST(stj_strdup(&longer->dir, dir, err));
    STJ_MUST(write_command(before, settings, &command, err));
    const struct stj_run_train_settings training = {
        .size = sizeof training, .force = settings->force, .progress = settings->progress};
    STJ_MUST(stj_run_train_into(longer, before, command, &training, err));
    if (run) {
        *run = longer;
        longer = NULL;
    }
    return STJ_OK;
}
