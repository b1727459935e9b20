/* SPDX-License-Identifier: GPL-3.0-or-later */
/* run/recipe.c: the recipe that a config's training group says: groups of tensors, and values by
 * step that are in files. */
#include <fnmatch.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"
#include "options/option_value.h"
#include "run/run_internal.h"
#include "train/schedule.h"

/* ---- groups ---- */

static bool matches(const struct stj_run *run, size_t tensor, const char *pattern)
{
    const struct stj_run_tensor *t = &run->tensor[tensor];
    bool good = fnmatch(pattern, t->name, 0) == 0 || fnmatch(pattern, t->file_name, 0) == 0;
    char whole[STJ_PARAMETER_NAME_MAX];
    snprintf(whole, sizeof whole, "%s", t->name);
    for (char *dot = strrchr(whole, '.'); dot && !good; dot = strrchr(whole, '.')) {
        *dot = '\0'; /* its part of a layer, then the layer */
        good = fnmatch(pattern, whole, 0) == 0;
    }
    return good;
}

/* Give the tensors that a pattern means to a group, unless one before has them. */
static enum stj_status apply_pattern(struct stj_run *run, size_t group, const char *pattern,
                                     struct stj_error *err)
{
    struct stj_suggest_search search = {.word = pattern};
    char hint[STJ_GOT_MAX];
    bool found = false;
    for (size_t i = 0; i < stj_network_n_trained(run->net); i++) {
        const bool good = matches(run, i, pattern);
        found = found || good;
        stj_suggest_offer(&search, run->tensor[i].name);
        if (good && run->rule_of[i] == 0)
            run->rule_of[i] = group + 1;
    }
    stj_suggest_hint(&search, hint);
    STJ_NEED(err, found, STJ_ECONFIG,
             "training.groups[%zu].match: '%.60s' is no tensor or layer that is trained%s; "
             "`spectraj info CONFIG` lists them without the groups",
             group, pattern, hint);
    return STJ_OK;
}

struct stj_recipe stj_training_recipe(const struct stj_training_config *training)
{
    return (struct stj_recipe){
        .optimizer = &training->optimizer,
        .schedule = &training->schedule,
        .clip_norm = training->clip_norm,
        .clip_eps = training->clip_eps,
        .clip_tensor_norm = training->clip_tensor_norm,
        .clip_value = training->clip_value,
        .clip_factor = training->clip_factor.info ? &training->clip_factor : NULL,
        .sam_adaptive = training->sam.adaptive,
        .sam_rho = training->has_sam ? training->sam.rho : 0,
        .average = training->average.info ? &training->average : NULL,
    };
}

enum stj_status stj_run_make_recipe(struct stj_run *run, struct stj_error *err)
{
    const struct stj_training_config *t = &run->config.training;
    const struct stj_plugins *groups = &t->groups;
    run->recipe = stj_training_recipe(t);
    run->recipe.n_before = run->config.init.step;
    run->recipe.n_groups = groups->n;
    STJ_MUST(stj_new(&run->rule, groups->n, sizeof *run->rule, err));
    STJ_MUST(stj_new(&run->rule_of, stj_network_n_trained(run->net), sizeof *run->rule_of, err));
    for (size_t i = 0; i < groups->n; i++) {
        const struct stj_group_config *group = groups->item[i].common;
        run->rule[i] = (struct stj_rule){&groups->item[i], &group->schedule};
        for (size_t k = 0; k < group->match.n; k++)
            STJ_MUST(apply_pattern(run, i, group->match.item[k], err));
    }
    run->recipe.rule = run->rule;
    run->recipe.rule_of = run->rule_of;
    return STJ_OK;
}

/* ---- values by step ---- */

void stj_run_note_unused(struct stj_run *run, const char *file, const char *what, size_t n)
{
    if (n > run->n_steps && !strstr(run->unused, file))
        stj_text_add(run->unused, sizeof run->unused,
                     "%s%.200s has the %s of %zu steps, the first %zu are taken",
                     run->unused[0] ? "; " : "", file, what, n, run->n_steps);
}

/* A file within another schedule may be of a part of the steps. */
static enum stj_status note_longer(void *ctx, struct stj_plugin *plugin, bool inner,
                                   struct stj_error *err)
{
    const char *file = NULL;
    size_t n = 0;
    (void)err;
    if (plugin->kind == &stj_schedules && !inner && stj_schedule_listed(plugin, &file, &n))
        stj_run_note_unused(ctx, file ? file : "a list", "values", n);
    return STJ_OK;
}

enum stj_status stj_run_read_rates(struct stj_run *run, struct stj_error *err)
{
    enum stj_status st = stj_schedules_read(stj_training_options, &run->config.training,
                                            run->n_steps, &run->rates_crc, &run->has_rates, err);
    if (st != STJ_OK) {
        stj_error_prefix(err, "training");
        return st;
    }
    STJ_MUST(stj_recipe_check(&run->recipe, run->n_steps, err));
    return stj_options_visit(stj_training_options, &run->config.training, note_longer, run, err);
}

/* ---- in words ---- */

/* Write lines of YAML as one line: "momentum: 0.9, weight_decay: 0". */
static void write_joined(FILE *out, const char *text)
{
    const char *between = "";
    while (*text) {
        text += strspn(text, " ");
        const size_t n = strcspn(text, "\n");
        fprintf(out, "%s%.*s", between, (int)n, text);
        between = n > 0 && text[n - 1] == ':' ? " " : ", "; /* a value comes, or another key */
        text += n + (text[n] == '\n');
    }
}

/* *text <- who rule `number` is of and what it is (owned by the caller). */
static enum stj_status describe_rule(const struct stj_run *run, size_t number, char **text,
                                     struct stj_error *err)
{
    STJ_HELD(stj_text_drop) struct stj_text_output lines = {0}, out = {0};
    STJ_FREED char *options = NULL;
    const struct stj_rule rule = stj_recipe_rule(&run->recipe, number);
    const struct stj_option rate[] = {
        {.name = "learning_rate", .type = STJ_OPTION_PLUGIN, .kind = &stj_schedules},
        {.name = NULL}};
    const char *name = number ? rule.optimizer->label : NULL;
    STJ_MUST(stj_text_open(&lines, err));
    stj_options_write(lines.file, 0, rate, rule.schedule);
    if (rule.optimizer->info->options)
        stj_options_write(lines.file, 0, rule.optimizer->info->options, rule.optimizer->config);
    STJ_MUST(stj_text_take(&lines, &options, err));
    STJ_MUST(stj_text_open(&out, err));
    if (number)
        fprintf(out.file, "group %zu%s%s: ", number, name ? " " : "", name ? name : "");
    else
        fputs("the rest: ", out.file);
    write_joined(out.file, options);
    return stj_text_take(&out, text, err);
}

/* run->average_text <- what the end point is. */
static enum stj_status describe_average(struct stj_run *run, struct stj_error *err)
{
    static const char name[] = "average";
    STJ_HELD(stj_text_drop) struct stj_text_output lines = {0}, out = {0};
    STJ_FREED char *options = NULL;
    const struct stj_option row[] = {
        {.name = name, .type = STJ_OPTION_PLUGIN, .kind = &stj_averages}, {.name = NULL}};
    if (!stj_recipe_averages(&run->recipe))
        return STJ_OK;
    STJ_MUST(stj_text_open(&lines, err));
    stj_options_write(lines.file, 0, row, run->recipe.average);
    STJ_MUST(stj_text_take(&lines, &options, err));
    STJ_MUST(stj_text_open(&out, err));
    write_joined(out.file, options + sizeof name + 1); /* behind "average:" */
    return stj_text_take(&out, &run->average_text, err);
}

enum stj_status stj_run_describe_rules(struct stj_run *run, struct stj_error *err)
{
    STJ_MUST(describe_average(run, err));
    const size_t n = run->recipe.n_groups ? run->recipe.n_groups + 1 : 0;
    STJ_MUST(stj_new(&run->rule_text, n, sizeof *run->rule_text, err));
    for (size_t i = 0; i < n; i++)
        STJ_MUST(describe_rule(run, i, &run->rule_text[i], err));
    return STJ_OK;
}

void stj_run_free_rules(struct stj_run *run)
{
    for (size_t i = 0; run->rule_text && i <= run->recipe.n_groups && run->recipe.n_groups; i++)
        free(run->rule_text[i]);
    free(run->rule_text);
    free(run->average_text);
    free(run->rule);
    free(run->rule_of);
}
