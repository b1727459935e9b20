/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/make_run.c: small trainings from YAML texts and a seed. */
#include "make_run.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/rng.h"
#include "options/yaml.h"

enum stj_status plugin_from_text(const struct stj_kind *kind, const char *text,
                                 struct stj_plugin *plugin, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct stj_yaml_node *root = NULL;
    STJ_TRY(stj_yaml_parse(text, strlen(text), "text", &root, err));
    STJ_TRY(stj_plugin_parse(kind, root, plugin, err));
out:
    stj_yaml_destroy(root);
    return st;
}

enum stj_status seeded_normal(size_t n, uint64_t seed, double **x, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct stj_rng *rng = NULL;
    double *numbers = NULL;
    STJ_TRY(stj_new(&numbers, n, sizeof *numbers, err));
    STJ_TRY(stj_rng_create(seed, STJ_STREAM_DATA, 7, &rng, err));
    stj_rng_fill_normal(rng, n, numbers);
    *x = numbers;
    numbers = NULL;
out:
    free(numbers);
    stj_rng_destroy(rng);
    return st;
}

/* A whole number below n, from a normal number. */
static size_t whole_below(size_t n, double normal)
{
    return (size_t)(fabs(normal) * 1e6) % n;
}

/* Normal inputs, or tokens drawn evenly for a network that reads tokens; labels drawn evenly for a
 * loss that wants them, else normal targets, or within the range that the loss takes. */
static enum stj_status make_data(const struct stj_network *net, const struct small_spec *spec,
                                 struct stj_dataset **data, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const struct stj_loss_ops *loss = stj_network_loss(net);
    const size_t n_in = stj_shape_size(stj_network_input(net));
    const size_t n_out = stj_shape_size(stj_network_output(net));
    const size_t cols = stj_shape_cols(stj_network_output(net));
    const size_t n_labels = n_out / cols;
    const double range = loss->max_target - loss->min_target;
    const bool wants = loss->wants_labels;
    double *inputs = NULL;
    double *targets = NULL;
    size_t *labels = NULL;
    STJ_TRY(seeded_normal(spec->rows * n_in, spec->seed, &inputs, err));
    STJ_TRY(seeded_normal(spec->rows * n_out, spec->seed + 1, &targets, err));
    STJ_TRY(stj_new(&labels, spec->rows * n_labels, sizeof *labels, err));
    for (size_t i = 0; stj_network_n_ids(net) && i < spec->rows * n_in; i++)
        inputs[i] = (double)whole_below(stj_network_n_ids(net), inputs[i]);
    for (size_t i = 0; i < spec->rows * n_labels; i++)
        labels[i] = whole_below(cols, targets[i]);
    for (size_t i = 0; range > 0 && i < spec->rows * n_out; i++)
        targets[i] = loss->min_target + range * (1 + sin(targets[i])) / 2;
    for (size_t i = 0; loss->probabilities && i < spec->rows * n_labels; i++) {
        double sum = 0;
        for (size_t k = 0; k < cols; k++)
            sum += targets[i * cols + k] = fabs(targets[i * cols + k]);
        for (size_t k = 0; k < cols; k++)
            targets[i * cols + k] /= sum;
    }
    STJ_TRY(stj_dataset_from_arrays(spec->rows, n_in, inputs, n_labels, wants ? labels : NULL,
                                    n_out, wants ? NULL : targets, data, err));
out:
    free(inputs);
    free(targets);
    free(labels);
    return st;
}

static enum stj_status make_problem(struct small_run *run, const struct small_spec *spec,
                                    struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct stj_yaml_node *root = NULL;
    const struct stj_batch_order_settings order = {
        .n_rows = spec->rows, .batch_size = spec->batch, .drop_last = true};
    STJ_TRY(stj_yaml_parse(spec->network, strlen(spec->network), "network", &root, err));
    STJ_TRY(stj_options_parse(stj_network_options, root, &run->config, err));
    STJ_TRY(stj_network_create(&run->config, &run->net, err));
    STJ_TRY(make_data(run->net, spec, &run->data, err));
    STJ_TRY(stj_batch_order_create(&order, &run->order, err));
    STJ_TRY(stj_network_problem_create(run->net, run->data, run->order, spec->steps, &run->problem,
                                       err));
    STJ_TRY(plugin_from_text(&stj_optimizers, spec->optimizer, &run->optimizer, err));
    STJ_TRY(plugin_from_text(&stj_schedules, spec->schedule, &run->schedule, err));
    run->recipe = (struct stj_recipe){
        .optimizer = &run->optimizer, .schedule = &run->schedule, .clip_norm = spec->clip_norm};
    if (spec->average)
        STJ_TRY(plugin_from_text(&stj_averages, spec->average, &run->average, err));
    run->recipe.sam_adaptive = spec->sam_adaptive;
    run->recipe.sam_rho = spec->sam_rho;
    run->recipe.average = spec->average ? &run->average : NULL;
    run->n = stj_network_n_params(run->net);
    run->n_steps = spec->steps;
out:
    stj_yaml_destroy(root);
    return st;
}

static enum stj_status train(struct small_run *run, uint64_t seed, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const size_t n_slots = stj_recipe_n_slots(&run->recipe);
    double *state = NULL;
    STJ_TRY(stj_new(&run->state, (1 + n_slots) * run->n, sizeof *run->state, err));
    STJ_TRY(stj_network_initialize(run->net, seed, run->state, err));
    STJ_TRY(stj_trajectory_create(run->n, n_slots, run->n_steps, &run->trajectory, err));
    STJ_TRY(stj_new(&state, (1 + n_slots) * run->n, sizeof *state, err));
    memcpy(state, run->state, (1 + n_slots) * run->n * sizeof *state);
    STJ_TRY(stj_train(run->problem, &run->recipe, 0, run->n_steps, state, stj_trajectory_record,
                      run->trajectory, NULL, err));
out:
    free(state);
    return st;
}

enum stj_status small_run_make(const struct small_spec *spec, struct small_run **run,
                               struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct small_run *r = NULL;
    STJ_TRY(stj_new(&r, 1, sizeof *r, err));
    STJ_TRY(make_problem(r, spec, err));
    STJ_TRY(train(r, spec->seed, err));
    *run = r;
    r = NULL;
out:
    small_run_destroy(r);
    return st;
}

void small_run_destroy(struct small_run *run)
{
    if (!run)
        return;
    stj_trajectory_destroy(run->trajectory);
    stj_problem_destroy(run->problem);
    stj_batch_order_destroy(run->order);
    stj_dataset_destroy(run->data);
    stj_network_destroy(run->net);
    stj_plugin_free(&run->optimizer);
    stj_plugin_free(&run->schedule);
    stj_plugin_free(&run->average);
    stj_options_free(stj_network_options, &run->config);
    free(run->state);
    free(run);
}
