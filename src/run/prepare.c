/* SPDX-License-Identifier: GPL-3.0-or-later */
/* run/prepare.c: from a config to data, network and problem. */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "run/run_internal.h"

static enum stj_status read_data(const char *name, const struct stj_dataset_config *config,
                                 struct stj_dataset **data, struct stj_error *err)
{
    enum stj_status st = stj_dataset_create(config, data, err);
    if (st != STJ_OK)
        stj_error_prefix(err, "data.%s", name);
    return st;
}

/* The test set must suit the network as the training set does. */
static enum stj_status check_test(const struct stj_run *run, struct stj_error *err)
{
    enum stj_status st = stj_network_check_data(run->net, run->test, err);
    if (st != STJ_OK)
        stj_error_prefix(err, "data.test");
    return st;
}

static enum stj_status create_order(struct stj_run *run, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const struct stj_training_config *t = &run->config.training;
    const struct stj_batch_order_settings settings = {.n_rows = run->train->n_rows,
                                                      .batch_size = t->batch_size,
                                                      .drop_last = t->drop_last,
                                                      .shuffle = t->shuffle,
                                                      .seed = t->seed};
    st = stj_batch_order_create(&settings, &run->order, err);
    if (st != STJ_OK) {
        stj_error_prefix(err, "training");
        goto out;
    }
    run->n_steps = t->steps;
    if (t->has_epochs)
        STJ_TRY(stj_size_mul(t->epochs, stj_batch_order_steps_per_epoch(run->order), &run->n_steps,
                             err));
out:
    return st;
}

static enum stj_status describe_layers(struct stj_run *run, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    size_t offset = 0;
    size_t n = stj_network_n_layers(run->net);
    STJ_TRY(stj_new(&run->shape, n, sizeof *run->shape, err));
    for (size_t i = 0; i < n; i++)
        stj_shape_text(&stj_network_layer(run->net, i, &offset)->out, run->shape[i]);
out:
    return st;
}

static enum stj_status make_parts(struct stj_run *run, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const struct stj_run_config *config = &run->config;
    STJ_TRY(stj_network_create(&config->network, &run->net, err));
    STJ_TRY(read_data("train", &config->data.train, &run->train, err));
    if (config->data.has_test)
        STJ_TRY(read_data("test", &config->data.test, &run->test, err));
    STJ_TRY(create_order(run, err));
    STJ_TRY(stj_network_problem_create(run->net, run->train, run->order, run->n_steps,
                                       &run->problem, err));
    if (run->test)
        STJ_TRY(check_test(run, err));
    STJ_TRY(describe_layers(run, err));
    STJ_TRY(stj_run_describe_tensors(run, err));
    run->recipe = (struct stj_recipe){.optimizer = &config->training.optimizer,
                                      .schedule = &config->training.schedule,
                                      .clip_norm = config->training.clip_norm};
out:
    return st;
}

enum stj_status stj_run_prepare(const char *config_path, bool seed_given, uint64_t seed,
                                struct stj_run **run, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct stj_run *made = NULL;
    STJ_TRY(stj_new(&made, 1, sizeof *made, err));
    STJ_TRY(stj_run_config_read(config_path, &made->config, err));
    if (seed_given) {
        made->config.training.seed = seed;
        if (made->config.init.has_seed)
            made->config.init.seed = seed;
    }
    st = make_parts(made, err);
    if (st != STJ_OK && !strstr(err ? err->text : "", config_path))
        stj_error_prefix(err, "%s", config_path);
out:
    if (st != STJ_OK) {
        stj_run_destroy(made);
        made = NULL;
    }
    *run = made;
    return st;
}

enum stj_status stj_run_describe(const char *config_path, struct stj_run **run,
                                 struct stj_error *err)
{
    return stj_run_prepare(config_path, false, 0, run, err);
}
