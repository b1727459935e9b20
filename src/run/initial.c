/* SPDX-License-Identifier: GPL-3.0-or-later */
/* run/initial.c: the initial parameters of a run, trained and frozen: drawn, or read from a file. */
#include <stdlib.h>

#include "base/error.h"
#include "base/memory.h"
#include "run/import/imported.h"
#include "run/import/parameter_file.h"
#include "trajectory/record.h"

static enum stj_status read_initial(const struct stj_run *run, double *theta, double *frozen,
                                    struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct stj_parameter_file *file = NULL;
    if (run->config.trajectory.states)
        return stj_imported_initial(run, theta, frozen, err);
    STJ_TRY(stj_parameter_file_open(run, "init.file", run->config.init.file, false, &file, err));
    st = stj_parameter_file_read(file, 0, theta, frozen, err);
    if (st != STJ_OK)
        stj_error_prefix(err, "init.file");
out:
    stj_parameter_file_close(file);
    return st;
}

enum stj_status stj_run_initial(const struct stj_run *run, double *theta, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const struct stj_init_config *init = &run->config.init;
    double *frozen = NULL;
    if (run->process && !init->file && !run->config.trajectory.states)
        return stj_process_initial(run->process, init->seed, theta, err);
    if (!run->config.trajectory.states && !init->file)
        return stj_network_initialize(run->net, init->seed, theta, err);
    STJ_TRY(stj_new(&frozen, stj_network_n_frozen(run->net), sizeof *frozen, err));
    STJ_TRY(read_initial(run, theta, frozen, err));
    stj_network_set_frozen(run->net, frozen);
out:
    free(frozen);
    return st;
}

/* slot[n_params] <- slot k of the optimizer. */
static enum stj_status read_slot(const struct stj_run *run, size_t k, double *slot,
                                 struct stj_error *err)
{
    const struct stj_optimizer_ops *ops = stj_recipe_optimizer(&run->recipe);
    const size_t n = stj_network_n_params(run->net);
    struct stj_parameter_file *file = NULL;
    STJ_MUST(
        stj_slot_file_open(run, "init.slots", run->config.init.slots, ops->slot[k], &file, err));
    const enum stj_status st = stj_parameter_file_read(file, 0, slot, NULL, err);
    stj_parameter_file_close(file);
    if (st != STJ_OK) {
        stj_error_prefix(err, "init.slots");
        return st;
    }
    for (size_t i = 0; i < n; i++)
        STJ_NEED(err, !(ops->squares & 1u << k) || slot[i] >= 0, STJ_EFORMAT,
                 "init.slots: %s: %s of parameter %zu is %g, and is a mean of squares",
                 run->config.init.slots, ops->slot[k], i, slot[i]);
    return STJ_OK;
}

/* Is there a tensor whose update uses it? */
static bool uses_slot(const struct stj_recipe *recipe, size_t k)
{
    const struct stj_optimizer_ops *ops = stj_recipe_optimizer(recipe);
    bool uses = !ops->uses;
    for (size_t i = 0; i <= recipe->n_groups && !uses; i++)
        uses = ops->uses(stj_recipe_rule(recipe, i).optimizer->config, k);
    return uses;
}

enum stj_status stj_run_initial_slots(struct stj_run *run, real *slots, struct stj_error *err)
{
    const struct stj_optimizer_ops *ops = stj_recipe_optimizer(&run->recipe);
    const struct stj_plugin *plugin = run->recipe.optimizer;
    const size_t n = stj_network_n_params(run->net);
    STJ_FREED double *slot = NULL;
    bool any = false;
    if (!run->config.init.slots)
        return STJ_OK;
    STJ_MUST(stj_new(&slot, n, sizeof *slot, err));
    for (size_t k = 0; k < ops->n_slots; k++) {
        if (!uses_slot(&run->recipe, k))
            continue;
        STJ_NEED(err, ops->slot[k], STJ_EUNSUPPORTED,
                 "init.slots: those of %s cannot be given; train its first steps here too",
                 plugin->info->name);
        STJ_MUST(read_slot(run, k, slot, err));
        for (size_t i = 0; i < n; i++)
            slots[k * n + i] = (real)slot[i];
        any = true;
    }
    STJ_NEED(err, any, STJ_ECONFIG,
             "init.slots: %s has no state with these options; leave slots and step out",
             plugin->info->name);
    run->slots_crc = stj_state_crc(ops->n_slots * n, slots);
    return STJ_OK;
}

enum stj_status stj_run_check_start(struct stj_run *run, struct stj_error *err)
{
    STJ_NOT_NULL(err, run);
    const size_t n = stj_network_n_params(run->net);
    STJ_FREED double *theta = NULL;
    STJ_FREED real *state = NULL;
    STJ_HELD(stj_imported_close_at) struct stj_imported *given = NULL;
    if (run->trajectory)
        return STJ_OK;
    if (run->config.trajectory.states)
        STJ_MUST(stj_imported_open(run, &given, err));
    STJ_MUST(stj_new(&theta, n, sizeof *theta, err));
    STJ_MUST(stj_new(&state, stj_run_state_size(run), sizeof *state, err));
    STJ_MUST(stj_run_initial_slots(run, state + n, err));
    return stj_run_initial(run, theta, err);
}
