/* SPDX-License-Identifier: GPL-3.0-or-later */
/* run/run.c: opening a run, and what is in it. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "io/file.h"
#include "base/memory.h"
#include "parallel/ranks.h"
#include "op/function_jacobian.h"
#include "op/given_jacobian.h"
#include "run/run_internal.h"
#include "trajectory/record.h"

static enum stj_status check_complete(const char *dir, const char *config, const char *trajectory,
                                      const char *log, struct stj_error *err)
{
    STJ_NEED(err, stj_file_exists(dir), STJ_EIO,
             "%s: no such run; make it with: spectraj train CONFIG -o %s", dir, dir);
    STJ_NEED(err, stj_file_exists(trajectory) || !stj_file_exists(log), STJ_EFORMAT,
             "%s: its training is not finished; go on with: spectraj train CONFIG -o %s", dir, dir);
    STJ_NEED(err, stj_file_exists(config), STJ_EFORMAT,
             "%s: is not a run: it has no " STJ_CONFIG_NAME
             "; make one with: spectraj train CONFIG -o RUN",
             dir);
    STJ_MUST(stj_file_check_plain(config, err));
    STJ_NEED(err, stj_file_exists(trajectory), STJ_EFORMAT,
             "%s: is not complete: it has no " STJ_TRAJECTORY_NAME
             "; train again with: spectraj train CONFIG -o %s",
             dir, dir);
    return STJ_OK;
}

/* What does not fit, in words, when the identity is not the recorded one. */
static enum stj_status explain_mismatch(const struct stj_run *run, const char *difference,
                                        struct stj_error *err)
{
    STJ_NEED(err, strncmp(difference, "\"numerics", 9) != 0, STJ_EMISMATCH,
             "%s: was trained by a spectraj that calculates differently: %s; train again (--force)",
             run->dir, difference);
    STJ_NEED(err, strncmp(difference, "\"data.", 6) != 0, STJ_EMISMATCH,
             "%s: the data changed since the training: %s; put the data back or train again "
             "(--force)",
             run->dir, difference);
    STJ_NEED(err, strncmp(difference, "\"batches", 8) != 0, STJ_EMISMATCH,
             "%s: the file training.batches changed since the training: %s; put it back or train "
             "again (--force)",
             run->dir, difference);
    STJ_NEED(err, !difference[0], STJ_EMISMATCH,
             "%s: " STJ_CONFIG_NAME " is not the one that was trained: %s; undo the change or "
             "train again (--force)",
             run->dir, difference);
    return STJ_OK;
}

enum stj_status stj_run_check_data(const struct stj_run *run, const struct stj_run *with,
                                   struct stj_error *err)
{
    char difference[STJ_ERROR_TEXT_MAX / 2];
    char now[STJ_DATA_LINES_BYTES];
    char recorded[STJ_DATA_LINES_BYTES];
    stj_run_data_lines(with, now);
    stj_run_data_lines(run, recorded);
    stj_run_difference(now, recorded, difference, sizeof difference);
    return explain_mismatch(run, difference, err);
}

/* Does the trajectory fit what the config says? */
static enum stj_status check_run_sizes(const struct stj_run *run, struct stj_error *err)
{
    const struct stj_trajectory *trajectory = run->trajectory;
    char fingerprint[STJ_FINGERPRINT_BYTES];
    stj_run_fingerprint(run->about.identity, fingerprint);
    STJ_NEED(err,
             strcmp(fingerprint, run->about.fingerprint) == 0 &&
                 stj_trajectory_n_params(trajectory) == stj_network_n_params(run->net) &&
                 stj_trajectory_n_steps(trajectory) == run->n_steps &&
                 stj_trajectory_n_slots(trajectory) == stj_recipe_n_slots(&run->recipe),
             STJ_EMISMATCH, "%s: " STJ_TRAJECTORY_NAME " contradicts itself; train again (--force)",
             run->dir);
    return STJ_OK;
}

/* The states that were given are those of the trajectory: their files may be gone. */
static void take_imported(struct stj_run *run)
{
    const char *line = strstr(run->about.identity, "\nstates: ");
    const char *crc = line ? strstr(line, "crc32 ") : NULL;
    run->given.crc = crc ? (uint32_t)strtoul(crc + strlen("crc32 "), NULL, 16) : 0;
}

/* The run as its config is now must be the one that was trained. */
static enum stj_status check_identity(struct stj_run *run, struct stj_error *err)
{
    struct stj_trajectory_view view = {0};
    char difference[STJ_ERROR_TEXT_MAX / 2];
    STJ_FREED char *now = NULL;
    STJ_FREED char *recorded = NULL;
    STJ_FREED double *theta = NULL;
    size_t n = stj_trajectory_n_params(run->trajectory);
    STJ_MUST(stj_trajectory_visit(run->trajectory, 0, 1, &view, err));
    STJ_MUST(stj_new(&theta, n, sizeof *theta, err));
    for (size_t i = 0; i < n; i++)
        theta[i] = view.state[i];
    run->slots_crc = stj_state_crc(stj_recipe_optimizer(&run->recipe)->n_slots * n, view.state + n);
    take_imported(run);
    STJ_MUST(stj_run_identity(run, theta, n, &now, err));
    STJ_MUST(stj_run_recorded_identity(&run->about, &recorded, err));
    stj_run_difference(now, recorded, difference, sizeof difference);
    STJ_MUST(explain_mismatch(run, difference, err));
    return check_run_sizes(run, err);
}

enum stj_status stj_run_attach(struct stj_run *run, struct stj_error *err)
{
    struct stj_storage least;
    const size_t last = stj_trajectory_n_steps(run->trajectory);
    stj_trajectory_set_training(run->trajectory, run->problem, &run->recipe);
    (void)stj_trajectory_storage(run->trajectory, 0, last, 1, 0, &least);
    return stj_trajectory_fit(run->trajectory, 0, last, 1, least.minimum, err);
}

static enum stj_status open_trajectory(struct stj_run *run, const char *dir, const char *trajectory,
                                       struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    STJ_TRY(stj_strdup(&run->dir, dir, err));
    STJ_TRY(stj_trajectory_read(trajectory, NULL, &run->trajectory, &run->about, err));
out:
    return stj_ranks_agree(st, err);
}

static enum stj_status attach_and_check(struct stj_run *run, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    STJ_TRY(stj_run_attach(run, err));
    STJ_TRY(check_identity(run, err));
out:
    return stj_ranks_agree(st, err);
}

enum stj_status stj_run_open(const char *dir, struct stj_run **run, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    STJ_NOT_NULL(err, dir, run);
    struct stj_run *made = NULL;
    char *config = NULL;
    char *trajectory = NULL;
    char *log = NULL;
    STJ_TRY(stj_path_join(dir, STJ_CONFIG_NAME, &config, err));
    STJ_TRY(stj_path_join(dir, STJ_TRAJECTORY_NAME, &trajectory, err));
    STJ_TRY(stj_path_join(dir, STJ_TRAINING_JOURNAL, &log, err));
    STJ_TRY(stj_ranks_agree(check_complete(dir, config, trajectory, log, err), err));
    STJ_TRY(stj_new(&made, 1, sizeof *made, err));
    STJ_TRY(open_trajectory(made, dir, trajectory, err));
    STJ_TRY(stj_run_recall(made, config, err));
    STJ_TRY(attach_and_check(made, err));
    STJ_TRY(stj_ranks_same(strtoull(made->about.fingerprint, NULL, 16), dir, err));
out:
    free(log);
    free(trajectory);
    free(config);
    if (st != STJ_OK) {
        stj_run_destroy(made);
        made = NULL;
    }
    *run = made;
    return st;
}

/* Of the losses of single steps the median is one that a row or two that are easy do not decide. */
enum { ROWS_AT_START = 32 };
static const double most_growth = 10;

static int compare_losses(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double loss_at_start(const struct stj_run *run)
{
    double first[ROWS_AT_START];
    const double *loss = stj_run_loss_curve(run);
    const struct stj_training_config *t = &run->config.training;
    const size_t batch = t->batch_size * stj_run_accumulate(t);
    const size_t wanted = batch > 0 ? (ROWS_AT_START + batch - 1) / batch : 1;
    const size_t n = wanted < run->n_steps ? wanted : run->n_steps;
    if (!loss || n == 0)
        return (double)NAN;
    memcpy(first, loss, n * sizeof *first);
    qsort(first, n, sizeof *first, compare_losses);
    return first[n / 2];
}

struct stj_training_remarks stj_run_remarks(const struct stj_run_info *info)
{
    const bool imported = info->imported.is_imported;
    return (struct stj_training_remarks){
        .diverged = info->diverged,
        .first_loss = info->first_loss,
        .zero_start = info->zero_start,
        .train_loss = info->train_loss,
        .deviation = imported ? info->imported.deviation : (double)NAN,
        .tolerance = imported ? info->imported.tolerance : (double)NAN,
    };
}

static int compare_numbers(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* run->n_examples <- how many different ones there are. */
enum stj_status stj_run_count_examples(struct stj_run *run, struct stj_error *err)
{
    const uint64_t *example = stj_run_get_examples(run);
    const size_t n = run->train->n_rows;
    STJ_FREED uint64_t *sorted = NULL;
    run->n_examples = 0;
    if (!example)
        return STJ_OK;
    STJ_MUST(stj_new(&sorted, n, sizeof *sorted, err));
    memcpy(sorted, example, n * sizeof *sorted);
    qsort(sorted, n, sizeof *sorted, compare_numbers);
    for (size_t i = 0; i < n; i++)
        run->n_examples += i == 0 || sorted[i] != sorted[i - 1];
    return STJ_OK;
}

void stj_run_get_info(const struct stj_run *run, struct stj_run_info *info)
{
    if (!run || !info)
        return;
    const struct stj_trajectory_about *about = &run->about;
    const bool trained = run->trajectory != NULL;
    struct stj_imported_states imported = {0};
    const bool is_imported = trained && stj_trajectory_imported(run->trajectory, &imported);
    *info = (struct stj_run_info){
        .trained = trained,
        .dir = run->dir,
        .fingerprint = about->fingerprint,
        .zero_start = trained ? about->zero_start : NULL,
        .average = run->average_text,
        .sam_adaptive = run->recipe.sam_adaptive,
        .sam_rho = run->recipe.sam_rho > 0 ? run->recipe.sam_rho : (double)NAN,
        .optimizer = run->config.training.optimizer.info->name,
        .loss = run->config.has_problem ? "problem" : run->config.network.loss.info->name,
        .n_params = stj_network_n_params(run->net),
        .n_steps = run->n_steps,
        .n_slots = stj_recipe_n_slots(&run->recipe),
        .n_layers = stj_network_n_layers(run->net),
        .batch_size = run->config.training.batch_size * stj_run_accumulate(&run->config.training),
        .accumulate = stj_run_accumulate(&run->config.training),
        .train_rows = run->train->n_rows,
        .test_rows = run->test ? run->test->n_rows : 0,
        .train_loss = trained ? about->train_loss : (double)NAN,
        .test_loss = trained ? about->test_loss : (double)NAN,
        .test_accuracy = trained ? about->test_accuracy : (double)NAN,
        .seconds = trained ? about->seconds : (double)NAN,
        .version = about->version,
        .blas = about->blas,
        .imported = {.is_imported = is_imported,
                     .n_states = imported.n,
                     .deviation = imported.deviation,
                     .deviation_step = imported.step,
                     .tolerance = about->tolerance},
        .first_loss = trained ? loss_at_start(run) : (double)NAN,
        .unused = run->unused,
        .n_examples = run->n_examples,
    };
    info->first_steps = about->earlier ? strtoull(about->earlier, NULL, 10) : info->n_steps;
    info->earlier = about->earlier;
    info->diverged =
        trained && (!isfinite(info->train_loss) ||
                    (info->first_loss > 0 && info->train_loss > most_growth * info->first_loss));
}

bool stj_run_get_layer(const struct stj_run *run, size_t i, struct stj_run_layer *layer)
{
    struct stj_network_about about;
    if (!run || !layer || i >= stj_network_n_layers(run->net))
        return false;
    const struct stj_layer *l = stj_network_layer(run->net, i, NULL);
    stj_network_describe(run->net, i, &about);
    *layer = (struct stj_run_layer){.label = l->label,
                                    .type = l->ops->info.name,
                                    .shape = run->shape[i],
                                    .n_params = about.n_params,
                                    .offset = about.offset,
                                    .inputs = run->inputs[i],
                                    .n_frozen = about.n_frozen,
                                    .n_shared = about.n_shared,
                                    .flops = about.flops,
                                    .bytes = about.bytes};
    return true;
}

static void describe_parameter(const struct stj_run_tensor *t, bool frozen,
                               struct stj_run_parameter *parameter)
{
    *parameter = (struct stj_run_parameter){.name = t->name,
                                            .shape = t->shape,
                                            .file_name = t->file_name,
                                            .n_params = t->n,
                                            .offset = t->offset,
                                            .frozen = frozen};
}

bool stj_run_get_parameter(const struct stj_run *run, size_t i, struct stj_run_parameter *parameter)
{
    if (!run || !parameter || i >= stj_network_n_trained(run->net))
        return false;
    describe_parameter(&run->tensor[i], false, parameter);
    if (run->recipe.n_groups)
        parameter->update = run->rule_text[run->rule_of[i]];
    return true;
}

bool stj_run_get_frozen(const struct stj_run *run, size_t i, struct stj_run_parameter *parameter)
{
    if (!run || !parameter)
        return false;
    const size_t first = stj_network_n_trained(run->net);
    if (i >= stj_network_n_tensors(run->net) - first)
        return false;
    describe_parameter(&run->tensor[first + i], true, parameter);
    return true;
}

/* Those that were trained on, not those of a file that changed since. */
const uint64_t *stj_run_get_examples(const struct stj_run *run)
{
    if (!run)
        return NULL;
    return run->about.example || run->trajectory ? run->about.example : run->train->example;
}

const double *stj_run_loss_curve(const struct stj_run *run)
{
    return run && run->trajectory ? stj_trajectory_loss(run->trajectory) : NULL;
}

enum stj_status stj_run_check_trained(const struct stj_run *run, struct stj_error *err)
{
    STJ_NEED(err, run->trajectory, STJ_EINVAL,
             "the run is described from its config alone: train it, and open it");
    return STJ_OK;
}

enum stj_status stj_run_theta(struct stj_run *run, size_t t, double *theta, struct stj_error *err)
{
    STJ_NOT_NULL(err, run, theta);
    struct stj_trajectory_view view;
    STJ_MUST(stj_run_check_trained(run, err));
    if (t <= run->n_steps && !stj_trajectory_has(run->trajectory, t))
        STJ_MUST(stj_run_need_data(run, err)); /* it is replayed */
    STJ_MUST(stj_trajectory_visit(run->trajectory, t, 1, &view, err));
    const size_t n = stj_network_n_params(run->net);
    for (size_t i = 0; i < n; i++)
        theta[i] = view.state[stj_recipe_end(&run->recipe) * n + i];
    return STJ_OK;
}

void stj_run_set_memory(struct stj_run *run, size_t memory_bytes)
{
    if (run)
        run->memory = memory_bytes;
}

void stj_run_get_divergence(const struct stj_run *run, struct stj_storage *storage)
{
    if (run && storage && run->trajectory)
        stj_trajectory_divergence(run->trajectory, storage);
}

enum stj_status stj_run_storage(const struct stj_run *run, size_t from, size_t to,
                                size_t memory_bytes, size_t nvec, struct stj_storage *storage,
                                struct stj_error *err)
{
    const struct stj_run_part part = {.from = from, .to = to};
    return stj_run_part_storage(run, &part, memory_bytes, nvec, storage, err);
}

/* *outline <- the trajectory that training would leave. */
static enum stj_status make_outline(const struct stj_run *run, struct stj_trajectory **outline,
                                    struct stj_error *err)
{
    size_t every = 1;
    STJ_MUST(stj_run_every(run, &every, err));
    STJ_MUST(stj_trajectory_outline(stj_network_n_params(run->net),
                                    stj_recipe_n_slots(&run->recipe), run->n_steps, every, outline,
                                    err));
    stj_trajectory_set_training(*outline, run->problem, &run->recipe);
    return STJ_OK;
}

enum stj_status stj_run_part_storage(const struct stj_run *run, const struct stj_run_part *part,
                                     size_t memory_bytes, size_t nvec, struct stj_storage *storage,
                                     struct stj_error *err)
{
    STJ_NOT_NULL(err, run, storage);
    const struct stj_training_jacobian_settings settings = {
        .from = part->from,
        .to = part->to,
        .memory_bytes = memory_bytes ? memory_bytes : run->memory,
        .single = part->precision == STJ_PRECISION_SINGLE};
    STJ_HELD(stj_trajectory_destroy_at) struct stj_trajectory *outline = NULL;
    *storage = (struct stj_storage){.policy = STJ_STORAGE_NONE};
    if (!run->trajectory)
        STJ_MUST(make_outline(run, &outline, err));
    return stj_training_jacobian_predict(run->problem, &run->recipe,
                                         outline ? outline : run->trajectory, &settings, nvec,
                                         storage, err);
}

enum stj_status stj_run_given_bytes(const struct stj_run *run, const struct stj_run_part *part,
                                    enum stj_given given, size_t memory_bytes, size_t nvec,
                                    size_t *n_given, size_t *more, struct stj_error *err)
{
    STJ_HELD(stj_trajectory_destroy_at) struct stj_trajectory *outline = NULL;
    if (!run->trajectory)
        STJ_MUST(make_outline(run, &outline, err));
    const struct stj_training_window window = {.problem = run->problem,
                                               .recipe = &run->recipe,
                                               .trajectory = outline ? outline : run->trajectory,
                                               .from = part->from,
                                               .to = part->to ? part->to : run->n_steps};
    return stj_given_jacobian_predict(&window, given, memory_bytes ? memory_bytes : run->memory,
                                      nvec, n_given, more, err);
}

enum stj_status stj_run_function_jacobian(struct stj_run *run, size_t step, size_t n_rows,
                                          const double *inputs, struct stj_op **op,
                                          struct stj_error *err)
{
    STJ_NOT_NULL(err, run, op);
    STJ_MUST(stj_run_need_network(run, "the parameter-function Jacobian", err));
    const size_t n_in = stj_shape_size(stj_network_input(run->net));
    STJ_FREED double *theta = NULL;
    STJ_FREED real *x = NULL;
    size_t size = 0;
    if (!inputs)
        STJ_MUST(stj_run_need_data(run, err));
    const struct stj_dataset *data = run->test ? run->test : run->train;
    STJ_NEED(err, step <= run->n_steps, STJ_EINVAL, "step %zu is past the last one, %zu", step,
             run->n_steps);
    STJ_NEED(err, inputs || n_rows <= data->n_rows, STJ_EINVAL,
             "%zu rows of inputs, but the data set has %zu", n_rows, data->n_rows);
    n_rows = !inputs && n_rows == 0 ? data->n_rows : n_rows;
    STJ_MUST(stj_size_mul(n_rows, n_in, &size, err));
    STJ_MUST(stj_new(&x, size, sizeof *x, err));
    for (size_t i = 0; i < size; i++)
        x[i] = (real)(inputs ? inputs[i] : data->inputs[i]);
    STJ_MUST(stj_new(&theta, stj_network_n_params(run->net), sizeof *theta, err));
    STJ_MUST(stj_run_theta(run, step, theta, err));
    return stj_function_jacobian_create(run->net, n_rows, x, theta, op, err);
}
