/* SPDX-License-Identifier: GPL-3.0-or-later */
/* run/process.c: the process of a run whose config has a `problem`: whether its command may be
 * started, what the run learns from it, and its losses.
 *
 * Whoever trains a config has chosen its command.  A run may come from a stranger: its command is
 * started where the same one, in the same directory, was trained by this user before, which files in
 * the user's state folder say, or where the caller allows it.
 */
#include <inttypes.h>
#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/crc.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"
#include "io/file.h"
#include "options/option_value.h"
#include "parallel/ranks.h"
#include "run/run_internal.h"
#include "train/optimizers.h"

static atomic_bool commands_allowed;

void stj_allow_problem_commands(bool allow)
{
    atomic_store(&commands_allowed, allow);
}

/* ---- what was trained before ---- */

/* *path <- where it is noted (owned by the caller); NULL: the user has no such folder. */
static enum stj_status note_path(const char *note, char **path, struct stj_error *err)
{
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    char hash[STJ_FINGERPRINT_BYTES];
    STJ_HELD(stj_text_drop) struct stj_text_output out = {0};
    *path = NULL;
    stj_run_fingerprint(note, hash);
    STJ_MUST(stj_text_open(&out, err));
    if (state && state[0] == '/')
        fprintf(out.file, "%s/spectraj/problem-commands/%s", state, hash);
    else if (home && home[0] == '/')
        fprintf(out.file, "%s/.local/state/spectraj/problem-commands/%s", home, hash);
    else
        return STJ_OK;
    return stj_text_take(&out, path, err);
}

/* *note <- the command and its directory, without a doubt where an argument ends. */
static enum stj_status write_note(const struct stj_process_config *config, char **note,
                                  struct stj_error *err)
{
    STJ_HELD(stj_text_drop) struct stj_text_output out = {0};
    STJ_MUST(stj_text_open(&out, err));
    fprintf(out.file, "%zu %s\n", strlen(config->directory), config->directory);
    for (size_t i = 0; i < config->command.n; i++)
        fprintf(out.file, "%zu %s\n", strlen(config->command.item[i]), config->command.item[i]);
    return stj_text_take(&out, note, err);
}

/* Is it noted?  All of it is compared: its hash alone could be met. */
static bool is_noted(const char *note, const char *path)
{
    STJ_FREED char *text = NULL;
    return path && stj_file_exists(path) &&
           stj_file_read_text(path, strlen(note) + 1, &text, NULL) == STJ_OK &&
           strcmp(text, note) == 0;
}

static void make_folders(char *path)
{
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        (void)mkdir(path, 0700);
        *slash = '/';
    }
}

/* STJ_EINVAL where the command may not be started; `chosen`: the user did so just now. */
static enum stj_status check_allowed(const struct stj_process_config *config, bool chosen,
                                     struct stj_error *err)
{
    STJ_FREED char *note = NULL, *path = NULL;
    STJ_MUST(write_note(config, &note, err));
    STJ_MUST(note_path(note, &path, err));
    /* All ranks have looked before one of them writes, and all do the same then. */
    const bool noted = stj_ranks_allreduce_or(is_noted(note, path));
    const bool nowhere = stj_ranks_allreduce_or(!path);
    STJ_NEED(err, chosen || noted || atomic_load(&commands_allowed), STJ_EINVAL,
             "problem.command: %.100s%s in %s: this user has not trained with this command: if you "
             "trust it, repeat with --allow-problem-command",
             config->command.item[0], config->command.n > 1 ? " ..." : "", config->directory);
    if (chosen && !noted && !nowhere) {
        make_folders(path);
        (void)stj_file_write_text(path, note, NULL); /* else the next call asks for the option */
    }
    return STJ_OK;
}

enum stj_status stj_run_start_process(const struct stj_run *run, bool chosen,
                                      struct stj_process **process, struct stj_error *err)
{
    if (!run->config.problem.callbacks)
        STJ_MUST(check_allowed(&run->config.problem, chosen, err));
    return stj_process_open(&run->config.problem, process, err);
}

/* ---- what it says ---- */

/* The config's tensors, where it does not list them. */
static enum stj_status take_tensors(const struct stj_hello *hello, struct stj_shapes *tensors,
                                    struct stj_error *err)
{
    if (tensors->n > 0)
        return STJ_OK;
    STJ_MUST(stj_new(&tensors->item, hello->tensors.n, sizeof *tensors->item, err));
    tensors->n = hello->tensors.n;
    for (size_t i = 0; i < tensors->n; i++) {
        const struct stj_sizes *from = &hello->tensors.item[i].sizes;
        struct stj_sizes *to = &tensors->item[i].sizes;
        STJ_MUST(stj_strdup(&tensors->item[i].key, hello->tensors.item[i].key, err));
        STJ_MUST(stj_new(&to->item, from->n, sizeof *to->item, err));
        to->n = from->n;
        memcpy(to->item, from->item, from->n * sizeof *to->item);
    }
    return STJ_OK;
}

enum stj_status stj_run_meet_process(struct stj_run *run, struct stj_error *err)
{
    STJ_MUST(stj_run_start_process(run, run->chosen, &run->process, err));
    return take_tensors(stj_process_hello(run->process), &run->config.problem.tensors, err);
}

static enum stj_status make_set(const struct stj_hello *hello, const char *name,
                                struct stj_dataset **data, struct stj_error *err)
{
    const struct stj_named_set *set = stj_hello_set(hello, name);
    if (!set)
        return STJ_OK;
    STJ_MUST(stj_new(data, 1, sizeof **data, err));
    (*data)->n_rows = set->n_rows;
    (*data)->crc = stj_crc32(0, &hello->fingerprint, sizeof hello->fingerprint);
    return STJ_OK;
}

enum stj_status stj_run_process_sets(const struct stj_process *process, struct stj_dataset **train,
                                     struct stj_dataset **test, struct stj_error *err)
{
    const struct stj_hello *hello = stj_process_hello(process);
    STJ_MUST(make_set(hello, "train", train, err));
    return make_set(hello, "test", test, err);
}

/* Whose steps: the process's, or gradients of it and an optimizer of ours. */
static enum stj_status check_steps(const struct stj_run *run, struct stj_error *err)
{
    const bool steps = stj_process_hello(run->process)->steps;
    const char *name = run->config.training.optimizer.info->name;
    STJ_NEED(
        err, !steps || strcmp(name, STJ_OWN_STEP) == 0, STJ_EMISMATCH,
        "training.optimizer is %s, and the process of the problem takes its own steps, without "
        "gradients: give optimizer: " STJ_OWN_STEP ", without learning_rate",
        name);
    STJ_NEED(err, steps || strcmp(name, STJ_OWN_STEP) != 0, STJ_EMISMATCH,
             "training.optimizer is " STJ_OWN_STEP ", and the problem has gradients, not steps of "
             "its own: give an optimizer and a learning_rate");
    return STJ_OK;
}

enum stj_status stj_run_process_problem(struct stj_run *run, struct stj_error *err)
{
    run->n_steps = run->config.training.steps;
    if (run->process) {
        const size_t most = stj_process_hello(run->process)->n_steps;
        STJ_NEED(err, most == 0 || run->n_steps <= most, STJ_EMISMATCH,
                 "training.steps is %zu, the process of the problem has %zu", run->n_steps, most);
        STJ_MUST(check_steps(run, err));
        STJ_MUST(stj_run_read_rates(run, err));
    }
    return stj_process_problem_create(run->process, stj_network_layout(run->net), run->n_steps,
                                      &run->problem, err);
}

enum stj_status stj_run_evaluate(const struct stj_run *run, const struct stj_dataset *data,
                                 const double *theta, struct stj_evaluation *result,
                                 struct stj_error *err)
{
    if (!run->config.has_problem)
        return stj_evaluate(run->net, data, theta, result, err);
    result->accuracy = (double)NAN;
    return stj_run_process_loss(run, data, theta, &result->loss, NULL, err);
}

enum stj_status stj_run_process_loss(const struct stj_run *run, const struct stj_dataset *data,
                                     const double *theta, double *loss, double *gradient,
                                     struct stj_error *err)
{
    STJ_NEED(err, run->process, STJ_EINTERNAL, "the process was not started");
    const struct stj_hello *hello = stj_process_hello(run->process);
    const struct stj_named_set *set = stj_hello_set(hello, data == run->test ? "test" : "train");
    return stj_process_loss(run->process, set, theta, loss, gradient, err);
}

enum stj_status stj_run_need_network(const struct stj_run *run, const char *what,
                                     struct stj_error *err)
{
    STJ_NEED(err, !run->config.has_problem, STJ_EUNSUPPORTED,
             "%s: needs the layers and data of a network, and this run's problem is another "
             "process, of which gradients and products are known alone",
             what);
    return STJ_OK;
}
