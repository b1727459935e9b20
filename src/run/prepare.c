/* SPDX-License-Identifier: GPL-3.0-or-later */
/* run/prepare.c: from a config to data, network and problem.
 *
 * A run that is opened has the sizes of its data from the record of its training; the values come
 * when something is to be computed (stj_run_need_data).
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/crc.h"
#include "base/error.h"
#include "base/memory.h"
#include "parallel/ranks.h"
#include "data/matrix.h"
#include "options/option_value.h"
#include "run/run_internal.h"

struct stj_data_use stj_run_data_use(const struct stj_run *run)
{
    const struct stj_shape *shape = stj_network_input(run->net);
    struct stj_data_use use = {.input = {.n = shape->n_dims}};
    memcpy(use.input.length, shape->dim, shape->n_dims * sizeof shape->dim[0]);
    use.named = stj_network_named_inputs(run->net, &use.n_named);
    if (stj_network_loss(run->net)->wants_labels) {
        const struct stj_label_loss_config *loss = run->config.network.loss.config;
        use.ignores = loss->has_ignore;
        use.ignored = loss->ignore_index;
    }
    return use;
}

static enum stj_status read_data(const struct stj_run *run, const char *name,
                                 const struct stj_dataset_config *config, struct stj_dataset **data,
                                 struct stj_error *err)
{
    const struct stj_data_use use = stj_run_data_use(run);
    enum stj_status st = stj_dataset_create(config, &use, data, err);
    if (st != STJ_OK)
        stj_error_prefix(err, "data.%s", name);
    return st;
}

/* The data sets that the config names; test: NULL where it names none. */
static enum stj_status read_sets(const struct stj_run *run, struct stj_dataset **train,
                                 struct stj_dataset **test, struct stj_error *err)
{
    const struct stj_data_config *data = &run->config.data;
    if (run->config.has_problem)
        return stj_run_process_sets(run->process, train, test, err);
    STJ_MUST(read_data(run, "train", &data->train, train, err));
    if (data->has_test)
        STJ_MUST(read_data(run, "test", &data->test, test, err));
    return STJ_OK;
}

/* The same without their values, as the identity of a training has them. */
static enum stj_status recall_sets(struct stj_run *run, struct stj_error *err)
{
    const char *identity = run->about.identity;
    const char *list = strstr(identity, "\nbatches: crc32 ");
    const char *rates = strstr(identity, "\nrates: crc32 ");
    struct stj_dataset train = {0}, test = {0};
    STJ_NEED(err, stj_run_recall_data(identity, "train", &train), STJ_EFORMAT,
             "the record of the training does not say what its data were; train again (--force)");
    STJ_NEED(err, !run->about.example || run->about.n_rows == train.n_rows, STJ_EFORMAT,
             "the record of the training says of %zu rows what they were made of, and has %zu; "
             "train again (--force)",
             run->about.n_rows, train.n_rows);
    STJ_MUST(stj_new(&run->train, 1, sizeof *run->train, err));
    *run->train = train;
    if (stj_run_recall_data(identity, "test", &test)) {
        STJ_MUST(stj_new(&run->test, 1, sizeof *run->test, err));
        *run->test = test;
    }
    if (list)
        run->batches_crc = (uint32_t)strtoul(strstr(list, "crc32 ") + strlen("crc32 "), NULL, 16);
    run->has_rates = rates;
    if (rates)
        run->rates_crc = (uint32_t)strtoul(strstr(rates, "crc32 ") + strlen("crc32 "), NULL, 16);
    return STJ_OK;
}

/* The test set must suit the network as the training set does. */
static enum stj_status check_test(const struct stj_run *run, struct stj_error *err)
{
    enum stj_status st = stj_network_check_data(run->net, run->test, err);
    if (st != STJ_OK)
        stj_error_prefix(err, "data.test");
    return st;
}

/* *rows <- training.batches, [*n_listed][accumulate * batch_size], the caller's: -1 becomes STJ_NO_ROW. */
static enum stj_status read_batches(const struct stj_training_config *t, size_t **rows,
                                    size_t *n_listed, struct stj_error *err)
{
    STJ_HELD(stj_matrix_free) struct stj_matrix matrix = {0};
    STJ_MUST(stj_matrix_read(t->batches, &matrix, err));
    const size_t in_step = t->batch_size * stj_run_accumulate(t);
    STJ_NEED(err, matrix.cols == in_step, STJ_EMISMATCH,
             "%s: has %zu rows in each batch, batch_size is %zu%s", t->batches, matrix.cols,
             t->batch_size,
             in_step > t->batch_size ? ", of which a step takes as many as `accumulate` says" : "");
    STJ_MUST(stj_new(rows, matrix.rows * matrix.cols, sizeof **rows, err));
    for (size_t i = 0; i < matrix.rows * matrix.cols; i++) {
        const double value = matrix.data[i];
        STJ_NEED(err, value >= -1 && value < 1e15 && value == floor(value), STJ_EFORMAT,
                 "%s: the batch of step %zu has %g; expected the number of a row, from 0, or -1 "
                 "behind the last one of a shorter batch",
                 t->batches, i / matrix.cols, value);
        (*rows)[i] = value < 0 ? STJ_NO_ROW : (size_t)value;
    }
    *n_listed = matrix.rows;
    return STJ_OK;
}

static enum stj_status count_steps(struct stj_run *run, size_t n_listed, struct stj_error *err)
{
    const struct stj_training_config *t = &run->config.training;
    run->n_steps = t->steps;
    if (t->has_epochs)
        STJ_MUST(stj_size_mul(t->epochs, stj_batch_order_steps_per_epoch(run->order), &run->n_steps,
                              err));
    STJ_NEED(err, !t->batches || run->n_steps <= n_listed, STJ_EMISMATCH,
             "training.batches: %s: has the batches of %zu steps, the training has %zu", t->batches,
             n_listed, run->n_steps);
    if (t->batches && n_listed != SIZE_MAX)
        stj_run_note_unused(run, t->batches, "batches", n_listed);
    return STJ_OK;
}

/* settings <- what the config lists; without data, that it does. */
static enum stj_status list_batches(struct stj_run *run, struct stj_batch_order_settings *settings,
                                    size_t **listed, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const struct stj_training_config *t = &run->config.training;
    settings->n_listed = SIZE_MAX;
    if (!run->train->inputs)
        goto out;
    st = read_batches(t, listed, &settings->n_listed, err);
    if (st != STJ_OK) {
        stj_error_prefix(err, "training.batches");
        goto out;
    }
    settings->listed = *listed;
    run->batches_crc = stj_crc32_sizes(
        0, *listed, settings->n_listed * settings->batch_size * settings->accumulate);
out:
    return st;
}

static enum stj_status create_order(struct stj_run *run, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const struct stj_training_config *t = &run->config.training;
    struct stj_batch_order_settings settings = {.n_rows = run->train->n_rows,
                                                .batch_size = t->batch_size,
                                                .accumulate = stj_run_accumulate(t),
                                                .mean =
                                                    (enum stj_accumulate_mean)t->accumulate_mean,
                                                .drop_last = t->drop_last,
                                                .shuffle = t->shuffle,
                                                .seed = t->seed};
    size_t *listed = NULL;
    if (t->batches)
        STJ_TRY(list_batches(run, &settings, &listed, err));
    st = stj_batch_order_create(&settings, &run->order, err);
    if (st != STJ_OK) {
        stj_error_prefix(err, "training");
        goto out;
    }
    STJ_TRY(count_steps(run, settings.n_listed, err));
out:
    free(listed);
    return st;
}

/* What goes through the data, or would. */
static enum stj_status make_problem(struct stj_run *run, struct stj_error *err)
{
    run->unused[0] = '\0';
    if (run->config.has_problem)
        return stj_run_process_problem(run, err);
    STJ_MUST(create_order(run, err));
    if (run->train->inputs)
        STJ_MUST(stj_run_read_rates(run, err));
    STJ_MUST(stj_network_problem_create(run->net, run->train, run->order, run->n_steps,
                                        &run->problem, err));
    if (run->test && run->test->inputs)
        STJ_MUST(check_test(run, err));
    return STJ_OK;
}

/* text <- the names of what layer i reads; "" where that is the layer before. */
static void describe_inputs(const struct stj_run *run, size_t i, char text[STJ_INPUTS_TEXT_MAX])
{
    struct stj_network_about about;
    stj_network_describe(run->net, i, &about);
    const char *before = i > 0 ? stj_network_layer(run->net, i - 1, NULL)->label : NULL;
    text[0] = '\0';
    if (about.n_inputs == 1 && about.input[0] == before)
        return;
    for (size_t k = 0; k < about.n_inputs; k++)
        stj_text_add(text, STJ_INPUTS_TEXT_MAX, "%s%s", k ? ", " : "",
                     about.input[k] ? about.input[k] : "data");
}

static enum stj_status describe_layers(struct stj_run *run, struct stj_error *err)
{
    size_t n = stj_network_n_layers(run->net);
    STJ_MUST(stj_new(&run->shape, n, sizeof *run->shape, err));
    STJ_MUST(stj_new(&run->inputs, n, sizeof *run->inputs, err));
    for (size_t i = 0; i < n; i++)
        describe_inputs(run, i, run->inputs[i]);
    for (size_t i = 0; i < n; i++)
        if (run->config.has_problem)
            snprintf(run->shape[i], sizeof run->shape[i], "-");
        else
            stj_shape_text(&stj_network_layer(run->net, i, NULL)->out, run->shape[i]);
    return STJ_OK;
}

static enum stj_status make_network(struct stj_run *run, struct stj_error *err)
{
    const struct stj_shapes *tensors = &run->config.problem.tensors;
    if (!run->config.has_problem)
        return stj_network_create(&run->config.network, &run->net, err);
    if (!run->about.identity)
        STJ_MUST(stj_run_meet_process(run, err));
    STJ_NEED(
        err, tensors->n > 0, STJ_EFORMAT,
        "the record of the training does not say what its tensors were; train again (--force)");
    return stj_network_create_outline(&run->config.network, tensors, &run->net, err);
}

static enum stj_status make_parts(struct stj_run *run, struct stj_error *err)
{
    STJ_MUST(make_network(run, err));
    STJ_MUST(stj_run_describe_tensors(run, err));
    STJ_MUST(stj_run_make_recipe(run, err));
    if (run->about.identity)
        STJ_MUST(recall_sets(run, err));
    else
        STJ_MUST(read_sets(run, &run->train, &run->test, err));
    STJ_MUST(make_problem(run, err));
    STJ_MUST(stj_run_count_examples(run, err));
    STJ_MUST(describe_layers(run, err));
    return stj_run_describe_rules(run, err);
}

/* The parts of run->config; name: for messages. */
static enum stj_status make_named(struct stj_run *run, const char *name, struct stj_error *err)
{
    enum stj_status st = make_parts(run, err);
    if (st != STJ_OK && !strstr(err ? err->text : "", name))
        stj_error_prefix(err, "%s", name);
    return st;
}

static enum stj_status fill(struct stj_run *run, const char *config_path,
                            const struct stj_run_changes *changes, struct stj_error *err)
{
    STJ_MUST(stj_run_config_read(config_path, changes, &run->config, err));
    return make_named(run, config_path, err);
}

enum stj_status stj_run_prepare_config(struct stj_run_config *config, const char *name,
                                       struct stj_run **run, struct stj_error *err)
{
    STJ_HELD(stj_run_destroy_at) struct stj_run *made = NULL;
    STJ_MUST(stj_ranks_agree(stj_new(&made, 1, sizeof *made, err), err));
    made->config = *config;
    *config = (struct stj_run_config){0};
    STJ_MUST(stj_ranks_agree(make_named(made, name, err), err));
    *run = made;
    made = NULL;
    return STJ_OK;
}

enum stj_status stj_run_recall(struct stj_run *run, const char *config_path, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    STJ_TRY(fill(run, config_path, NULL, err));
    STJ_CHECK(err, run->about.n_frozen == stj_network_n_frozen(run->net), STJ_EMISMATCH,
              "%s: has %zu parameters that are frozen, the run keeps %zu; its config was changed: "
              "train again (--force)",
              config_path, stj_network_n_frozen(run->net), run->about.n_frozen);
    stj_network_set_frozen(run->net, run->about.frozen);
out:
    return stj_ranks_agree(st, err);
}

enum stj_status stj_run_prepare(const char *config_path, const struct stj_run_changes *changes,
                                bool chosen, struct stj_run **run, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct stj_run *made = NULL;
    STJ_TRY(stj_new(&made, 1, sizeof *made, err));
    made->chosen = chosen;
    STJ_TRY(fill(made, config_path, changes, err));
out:
    st = stj_ranks_agree(st, err);
    if (st != STJ_OK) {
        stj_run_destroy(made);
        made = NULL;
    }
    *run = made;
    return st;
}

/* Free what a run has of its data. */
static void drop_data(struct stj_run *run)
{
    stj_problem_destroy(run->problem);
    stj_process_close(run->process);
    stj_batch_order_destroy(run->order);
    stj_dataset_destroy(run->train);
    stj_dataset_destroy(run->test);
}

enum stj_status stj_run_need_data(struct stj_run *run, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct stj_run with = *run; /* the same with values in the place of sizes */
    if (run->train->inputs || run->process)
        return STJ_OK;
    with.train = with.test = NULL;
    with.order = NULL;
    with.problem = NULL;
    if (run->config.has_problem)
        st = stj_run_start_process(run, false, &with.process, err);
    if (st == STJ_OK)
        st = read_sets(&with, &with.train, &with.test, err);
    if (st == STJ_OK)
        st = make_problem(&with, err);
    if (st != STJ_OK) {
        stj_error_prefix(err, "%s", run->dir);
        goto out;
    }
    STJ_TRY(stj_run_check_data(run, &with, err));
    const struct stj_run before = *run;
    *run = with;
    with = before;
    STJ_TRY(stj_run_attach(run, err));
out:
    drop_data(&with);
    return stj_ranks_agree(st, err);
}

enum stj_status stj_run_describe(const char *config_path, struct stj_run **run,
                                 struct stj_error *err)
{
    STJ_NOT_NULL(err, config_path, run);
    return stj_run_prepare(config_path, NULL, false, run, err);
}

enum stj_status stj_run_describe_with(const char *config_path, size_t n,
                                      const struct stj_option_pair *set, struct stj_run **run,
                                      struct stj_error *err)
{
    STJ_NOT_NULL(err, config_path, run);
    STJ_NEED(err, set || n == 0, STJ_EINVAL, "%zu values to be set, and none is given", n);
    const struct stj_run_changes changes = {.n = n, .set = set};
    return stj_run_prepare(config_path, &changes, false, run, err);
}

void stj_run_destroy(struct stj_run *run)
{
    if (!run)
        return;
    stj_trajectory_destroy(run->trajectory);
    stj_trajectory_about_free(&run->about);
    drop_data(run);
    stj_network_destroy(run->net);
    stj_run_config_free(&run->config);
    free(run->shape);
    free(run->inputs);
    free(run->tensor);
    stj_run_free_rules(run);
    free(run->part_names);
    free(run->meter[0]);
    free(run->meter[1]);
    free(run->dir);
    free(run);
}

enum stj_status stj_run_every(const struct stj_run *run, size_t *every, struct stj_error *err)
{
    const struct stj_keep_config *keep = &run->config.trajectory;
    const double state = (double)stj_run_state_size(run) * sizeof(double);
    *every = keep->has_every ? keep->every : 1;
    if (!keep->has_max_bytes)
        return STJ_OK;
    const double room = floor((double)keep->max_bytes / state);
    STJ_NEED(err, room >= 2, STJ_ECONFIG,
             "trajectory.max_bytes is %zu, the first and the last state alone take %.0f",
             keep->max_bytes, 2 * state);
    if (room < (double)run->n_steps + 1)
        *every = (size_t)ceil((double)run->n_steps / (room - 1));
    return STJ_OK;
}
