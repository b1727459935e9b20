/* SPDX-License-Identifier: GPL-3.0-or-later */
/* run/train.c: train what a config says and keep it in a directory.
 *
 * The states go into train.journal as they come.  When the last is there, the trajectory is written
 * beside its final name, config.yaml replaced, the trajectory renamed, the results of an older run
 * removed, and last of all train.journal: a run is complete when it has trajectory.h5 and no train.journal.
 * Whatever ends the process before, the same command goes on from what the log holds, and comes to
 * the same bits; an old run is whole until the new one takes its place.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <spectraj/training.h>
#include <spectraj/version.h>

#include "base/blas_library.h"
#include "base/error.h"
#include "io/file.h"
#include "io/lock.h"
#include "io/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "run/folder/run_lock.h"
#include "run/import/imported.h"
#include "run/run_internal.h"
#include "trajectory/recording.h"

/* theta[n_params], and the slots of state (zeros) <- where the training begins: that of the run which
 * is lengthened, or as the config asks for. */
static enum stj_status begin_at(struct stj_run *run, const struct stj_run *before, double *theta,
                                real *state, struct stj_error *err)
{
    struct stj_trajectory_view view = {0};
    const size_t n = stj_network_n_params(run->net);
    if (!before) {
        STJ_MUST(stj_run_initial_slots(run, state + n, err));
        return stj_run_initial(run, theta, err);
    }
    STJ_MUST(stj_trajectory_visit(before->trajectory, 0, 1, &view, err));
    for (size_t i = 0; i < n; i++)
        theta[i] = (double)view.state[i];
    run->slots_crc = before->slots_crc;
    stj_network_set_frozen(run->net, before->about.frozen);
    return STJ_OK;
}

/* theta[n_params] and state <- where the training begins; run->about <- what is known before it. */
static enum stj_status identify(struct stj_run *run, const struct stj_run *before, double *theta,
                                real *state, struct stj_error *err)
{
    const size_t n = stj_network_n_params(run->net);
    struct stj_trajectory_about *about = &run->about;
    char fingerprint[STJ_FINGERPRINT_BYTES];
    char blas[256];
    size_t every = 1;
    STJ_MUST(stj_imported_survey(run, err));
    STJ_MUST(begin_at(run, before, theta, state, err));
    STJ_MUST(stj_run_every(run, &every, err));
    about->tolerance = stj_imported_tolerance(run, every);
    STJ_MUST(stj_run_identity(run, theta, n, &about->identity, err));
    stj_run_fingerprint(about->identity, fingerprint);
    STJ_MUST(stj_strdup(&about->fingerprint, fingerprint, err));
    snprintf(blas, sizeof blas, "%s, kernel %s", stj_blas_config(), stj_blas_kernel());
    STJ_MUST(stj_strdup(&about->blas, blas, err));
    STJ_MUST(stj_strdup(&about->version, stj_version(), err));
    about->seed = run->config.training.seed;
    about->n_frozen = stj_network_n_frozen(run->net);
    STJ_MUST(stj_new(&about->frozen, about->n_frozen, sizeof *about->frozen, err));
    for (size_t i = 0; i < about->n_frozen; i++)
        about->frozen[i] = (double)stj_network_frozen(run->net)[i];
    return STJ_OK;
}

/* The config that is kept: what it was made with, then the resolved values. */
static enum stj_status describe_config(struct stj_run *run, struct stj_error *err)
{
    struct stj_trajectory_about *about = &run->about;
    STJ_FREED char *resolved = NULL;
    STJ_MUST(stj_run_config_print(&run->config, &resolved, err));
    size_t bytes = strlen(resolved) + strlen(about->blas) + strlen(about->version) + 256;
    STJ_MUST(stj_new(&about->config, bytes, 1, err));
    snprintf(about->config, bytes,
             "# Resolved config of a run; do not change it by hand.\n"
             "# spectraj %s\n# BLAS: %s\n# fingerprint: %s\n%s",
             about->version, about->blas, about->fingerprint, resolved);
    return STJ_OK;
}

/* The rows of every batch. */
static enum stj_status list_batches(struct stj_run *run, struct stj_error *err)
{
    struct stj_trajectory_about *about = &run->about;
    const size_t batch = run->order ? stj_batch_order_most(run->order, run->n_steps) : 0;
    STJ_FREED size_t *row = NULL; /* none of a problem in another process */
    size_t most = 0;
    STJ_MUST(stj_size_mul(run->n_steps, batch, &most, err));
    STJ_MUST(stj_new(&row, batch, sizeof *row, err));
    STJ_MUST(stj_new(&about->batch_start, run->n_steps + 1, sizeof *about->batch_start, err));
    STJ_MUST(stj_new(&about->batch_row, most, sizeof *about->batch_row, err));
    for (size_t t = 0; run->order && t < run->n_steps; t++) {
        const size_t n = stj_batch_order_count(run->order, t);
        STJ_MUST(stj_batch_order_rows(run->order, t, 0, n, row, err));
        uint64_t *to = about->batch_row + about->batch_start[t];
        for (size_t i = 0; i < n; i++)
            to[i] = row[i];
        about->batch_start[t + 1] = about->batch_start[t] + n;
    }
    return STJ_OK;
}

/* What its rows were made of. */
static enum stj_status list_examples(struct stj_run *run, struct stj_error *err)
{
    const struct stj_dataset *train = run->train;
    struct stj_trajectory_about *about = &run->about;
    if (!train->example)
        return STJ_OK;
    about->n_rows = train->n_rows;
    STJ_MUST(stj_new(&about->example, train->n_rows, sizeof *about->example, err));
    memcpy(about->example, train->example, train->n_rows * sizeof *about->example);
    return STJ_OK;
}

/* Losses at theta_n, or its average. */
static enum stj_status evaluate_run(struct stj_run *run, const real *theta_n, struct stj_error *err)
{
    const size_t n = stj_network_n_params(run->net);
    struct stj_evaluation result = {0};
    STJ_FREED double *theta = NULL;
    run->about.test_loss = (double)NAN;
    run->about.test_accuracy = (double)NAN;
    STJ_MUST(stj_new(&theta, n, sizeof *theta, err));
    for (size_t i = 0; i < n; i++)
        theta[i] = (double)theta_n[i];
    STJ_MUST(stj_run_evaluate(run, run->train, theta, &result, err));
    run->about.train_loss = result.loss;
    if (run->test) {
        STJ_MUST(stj_run_evaluate(run, run->test, theta, &result, err));
        run->about.test_loss = result.loss;
        run->about.test_accuracy = result.accuracy;
    }
    return STJ_OK;
}

/* A training on its way. */
struct training {
    struct stj_run *run;
    const struct stj_run *before; /* the run in the folder that it lengthens; NULL: begun anew */
    const char *command;          /* that goes on after an interruption */
    enum stj_folder_state folder; /* as it was found */
    bool made;                    /* the folder is of this training */
    struct stj_lock *lock;        /* of the whole folder */
    size_t every;                 /* states that are kept */
    char *log_path, *header;
    struct stj_recording *recording; /* NULL: the log is not ours */
};

static void training_end(struct training *t)
{
    stj_recording_close(t->recording);
    t->recording = NULL;
    stj_lock_release(t->lock);
    t->lock = NULL;
    free(t->log_path);
    free(t->header);
}

/* The lengths that the run had before, and what it was called then. */
static enum stj_status list_lengths(const struct training *t, struct stj_error *err)
{
    const struct stj_run *before = t->before;
    if (!before)
        return STJ_OK;
    const char *earlier = before->about.earlier ? before->about.earlier : "";
    const size_t bytes = strlen(earlier) + 64;
    STJ_MUST(stj_new(&t->run->about.earlier, bytes, 1, err));
    snprintf(t->run->about.earlier, bytes, "%s%zu %s\n", earlier, before->n_steps,
             before->about.fingerprint);
    return STJ_OK;
}

/* t->header and t->every: those of an unfinished log of this training, else new ones. */
static enum stj_status choose_header(struct training *t, bool force, struct stj_error *err)
{
    STJ_MUST(stj_run_every(t->run, &t->every, err));
    if (t->folder == STJ_FOLDER_UNFINISHED && !force)
        STJ_MUST(stj_log_read_header(t->log_path, &t->header, err));
    if (t->header)
        STJ_MUST(stj_train_log_header_check(t->run, t->header, &t->every, err));
    else
        STJ_MUST(stj_train_log_header_print(&t->run->about, t->every, &t->header, err));
    return STJ_OK;
}

/* Bytes that the folder must still take: the log and the trajectory from it, less what is there. */
static enum stj_status bytes_wanted(const struct training *t, size_t *bytes, struct stj_error *err)
{
    const size_t n_steps = t->run->n_steps;
    const size_t n_stored = 1 + n_steps / t->every + (n_steps % t->every != 0);
    STJ_MUST(stj_size_mul(stj_run_state_size(t->run) * sizeof(double), 2 * n_stored, bytes, err));
    const size_t have = t->header ? stj_file_bytes(t->log_path) : 0;
    *bytes = have < *bytes / 2 ? *bytes - have : *bytes / 2;
    return STJ_OK;
}

/* Versions before this one called the journal train.log. */
static enum stj_status refuse_old_journal(const char *dir, struct stj_error *err)
{
    STJ_FREED char *old = NULL;
    STJ_MUST(stj_path_join(dir, "train.log", &old, err));
    STJ_NEED(err, stj_file_bytes(old) == 0, STJ_EEXIST,
             "%s: holds an unfinished training of an earlier version; rename train.log "
             "to " STJ_TRAINING_JOURNAL " to go on with it, --force starts anew",
             dir);
    return STJ_OK;
}

static enum stj_status open_recording(struct training *t, bool force, struct stj_error *err)
{
    struct stj_trajectory_shape shape;
    size_t bytes = 0;
    if (!force)
        STJ_MUST(refuse_old_journal(t->run->dir, err));
    STJ_MUST(stj_path_join(t->run->dir, STJ_TRAINING_JOURNAL, &t->log_path, err));
    STJ_MUST(choose_header(t, force, err));
    STJ_MUST(bytes_wanted(t, &bytes, err));
    STJ_MUST(stj_folder_check_room(t->run->dir, bytes, err));
    if (force)
        stj_file_remove(t->log_path);
    STJ_MUST(stj_trajectory_shape_set(stj_network_n_params(t->run->net),
                                      stj_recipe_n_slots(&t->run->recipe), t->run->n_steps, &shape,
                                      err));
    return stj_recording_open(t->log_path, t->header, &shape, t->every,
                              t->run->config.trajectory.states != NULL, &t->recording, err);
}

/* Train from the last state kept, or from theta; state[n_state] <- the last. */
static enum stj_status train_from_log(const struct training *t, const double *theta, real *state,
                                      const struct stj_progress *progress, struct stj_error *err)
{
    const struct stj_run *run = t->run;
    size_t from = 0;
    for (size_t i = 0; i < stj_network_n_params(run->net); i++)
        state[i] = (real)theta[i];
    if (t->before)
        STJ_MUST(stj_recording_adopt(t->recording, t->before->trajectory, t->before->about.seconds,
                                     err));
    if (stj_recording_n_kept(t->recording) > 0)
        STJ_MUST(stj_recording_last(t->recording, &from, state, err));
    if (from < run->n_steps)
        STJ_MUST(stj_train(run->problem, &run->recipe, from, run->n_steps, state, stj_recording_add,
                           t->recording, progress, err));
    return STJ_OK;
}

/* The same, or replay the states that are given; what the losses are at the end. */
static enum stj_status train_or_replay(struct training *t, const double *theta, real *state,
                                       const struct stj_run_train_settings *settings,
                                       struct stj_error *err)
{
    if (t->run->config.trajectory.states)
        STJ_MUST(stj_imported_replay(t->run, t->recording, settings->accept_deviation, state,
                                     &settings->progress, err));
    else
        STJ_MUST(train_from_log(t, theta, state, &settings->progress, err));
    t->run->about.seconds = stj_recording_seconds(t->recording);
    STJ_MUST(stj_run_find_zero_start(t->run, theta, err));
    return evaluate_run(
        t->run, state + stj_recipe_end(&t->run->recipe) * stj_network_n_params(t->run->net), err);
}

/* Write the files of the run into its directory. */
static enum stj_status save(struct training *t, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct stj_run *run = t->run;
    char *config = NULL;
    char *trajectory = NULL;
    char *fresh = NULL;
    STJ_TRY(stj_path_join(run->dir, STJ_CONFIG_NAME, &config, err));
    STJ_TRY(stj_path_join(run->dir, STJ_TRAJECTORY_NAME, &trajectory, err));
    STJ_TRY(stj_path_join(run->dir, STJ_TRAJECTORY_NAME ".new", &fresh, err));
    STJ_TRY(stj_recording_write(t->recording, fresh, &run->about, err));
    st = stj_file_write_text(config, run->about.config, err);
    if (st != STJ_OK) {
        stj_file_remove(fresh);
        goto out;
    }
    STJ_TRY(stj_file_commit(fresh, trajectory, err));
    if (!t->before)
        stj_folder_clear_results(run->dir);
    STJ_TRY(stj_trajectory_read(trajectory, NULL, &run->trajectory, NULL, err));
    STJ_TRY(stj_run_attach(run, err));
    stj_file_remove(t->log_path);
out:
    free(fresh);
    free(trajectory);
    free(config);
    return st;
}

/* After a failure: is there anything in the log that is worth going on from? */
static bool worth_keeping(const struct training *t, enum stj_status st)
{
    const bool passing = st == STJ_EINTERRUPTED || st == STJ_EIO || st == STJ_ENOMEM;
    return passing && stj_recording_n_kept(t->recording) > 1;
}

/* The training ended before its time: why, and how to go on. */
static enum stj_status report_end(const struct training *t, const struct stj_error *why,
                                  struct stj_error *err)
{
    if (!worth_keeping(t, why->code))
        return stj_error_pass(why, err);
    return stj_error_set(err, why->code, why->file, why->line,
                         "%s; %zu of %zu states are kept, to go on: %s", why->text,
                         stj_recording_n_kept(t->recording), stj_recording_n_wanted(t->recording),
                         t->command);
}

/* What a training that failed leaves behind: a log that is worth it, else nothing. */
static void clean_up(struct training *t, enum stj_status st)
{
    if (t->recording && !worth_keeping(t, st))
        stj_file_remove(t->log_path);
    stj_lock_release(t->lock);
    t->lock = NULL;
    if (t->made)
        (void)rmdir(t->run->dir); /* stays when there is something in it */
}

/* From theta_0 to the files of a complete run. */
static enum stj_status train_and_save(struct training *t,
                                      const struct stj_run_train_settings *settings,
                                      struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct stj_error why = STJ_ERROR_INIT;
    double *theta = NULL;
    real *state = NULL;
    STJ_TRY(stj_new(&theta, stj_network_n_params(t->run->net), sizeof *theta, err));
    STJ_TRY(stj_new(&state, stj_run_state_size(t->run), sizeof *state, err));
    STJ_TRY(identify(t->run, t->before, theta, state, err));
    STJ_TRY(describe_config(t->run, err));
    STJ_TRY(list_lengths(t, err));
    STJ_TRY(open_recording(t, settings->force, err));
    st = train_or_replay(t, theta, state, settings, &why);
    if (st == STJ_OK)
        st = list_batches(t->run, &why);
    if (st == STJ_OK)
        st = list_examples(t->run, &why);
    if (st == STJ_OK)
        st = save(t, &why);
    if (st != STJ_OK)
        STJ_TRY(report_end(t, &why, err));
out:
    free(theta);
    free(state);
    return st;
}

/* text <- how the training that `run` describes differs from the one recorded in the directory:
 * empty when it does not. */
static enum stj_status compare_with_folder(struct stj_run *run, const char *dir, char *text,
                                           size_t size, struct stj_error *err)
{
    STJ_HELD(stj_trajectory_about_free) struct stj_trajectory_about about = {0};
    STJ_FREED char *path = NULL, *now = NULL;
    STJ_FREED char *recorded = NULL;
    STJ_FREED double *theta = NULL;
    STJ_FREED real *state = NULL;
    size_t n = stj_network_n_params(run->net);
    STJ_MUST(stj_path_join(dir, STJ_TRAJECTORY_NAME, &path, err));
    STJ_MUST(stj_trajectory_read_about(path, &about, err));
    STJ_MUST(stj_new(&theta, n, sizeof *theta, err));
    STJ_MUST(stj_new(&state, stj_run_state_size(run), sizeof *state, err));
    STJ_MUST(stj_imported_survey(run, err));
    STJ_MUST(begin_at(run, NULL, theta, state, err));
    STJ_MUST(stj_run_identity(run, theta, n, &now, err));
    STJ_MUST(stj_run_recorded_identity(&about, &recorded, err));
    stj_run_difference(now, recorded, text, size);
    return STJ_OK;
}

static enum stj_status refuse_complete(struct stj_run *run, struct stj_error *err)
{
    char difference[STJ_ERROR_TEXT_MAX / 2] = "";
    if (compare_with_folder(run, run->dir, difference, sizeof difference, NULL) != STJ_OK)
        difference[0] = '\0'; /* it cannot be told */
    return stj_error_set(err, STJ_EEXIST, __FILE__, __LINE__,
                         "%s: holds a complete run%s%s; --force replaces it", run->dir,
                         difference[0] ? " of another config: now " : "", difference);
}

/* Take the folder for this training; what it holds may have changed since it was looked at. */
static enum stj_status enter(struct training *t, const struct stj_run_train_settings *settings,
                             struct stj_error *err)
{
    STJ_MUST(stj_folder_make(t->run->dir, &t->made, err));
    STJ_MUST(stj_lock_take(t->run->dir, NULL, &settings->progress, &t->lock, err));
    STJ_MUST(stj_folder_look(t->run->dir, &t->folder, err));
    if (t->before)
        return stj_run_check_unchanged(t->before, err);
    if (t->folder == STJ_FOLDER_COMPLETE && !settings->force)
        STJ_MUST(refuse_complete(t->run, err));
    return STJ_OK;
}

/* Has one of the step's micro-batches a single row? */
static bool has_one_row(const struct stj_batch_order *order, size_t t)
{
    size_t begin = 0;
    for (size_t k = 0; k < stj_batch_order_parts(order, t); k++)
        if (stj_batch_order_part(order, t, k, &begin) == 1)
            return true;
    return false;
}

/* A layer whose statistics are of one row makes a constant of it.  PyTorch refuses such a step too;
 * a warning would be lost in the logs of who trains with --quiet, and nothing of what is then
 * computed means what was asked.  Runs and imports that have such steps are read all the same. */
static enum stj_status refuse_one_row(const struct stj_run *run, struct stj_error *err)
{
    size_t first = run->n_steps, count = 0;
    for (size_t t = run->order ? run->n_steps : 0; t-- > 0;)
        if (has_one_row(run->order, t)) {
            first = t;
            count++;
        }
    for (size_t i = 0; count > 0 && i < stj_network_n_layers(run->net); i++) {
        const struct stj_layer *layer = stj_network_layer(run->net, i, NULL);
        STJ_NEED(err, !layer->ops->n_record || stj_shape_positions(&layer->in) > 1, STJ_ECONFIG,
                 "network.layers: %s has one row for its statistics at %zu of %zu steps, first at "
                 "step %zu, and puts out a constant: take a training.batch_size of 2 or more, or "
                 "drop_last: true where an epoch's last batch is one sample",
                 layer->label, count, run->n_steps, first);
    }
    return STJ_OK;
}

enum stj_status stj_run_train_into(struct stj_run *run, const struct stj_run *before,
                                   const char *command,
                                   const struct stj_run_train_settings *settings,
                                   struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct training training = {.run = run, .before = before, .command = command};
    STJ_TRY(refuse_one_row(run, err));
    stj_run_divide(run, 1, &settings->progress);
    STJ_TRY(enter(&training, settings, err));
    STJ_TRY(train_and_save(&training, settings, err));
out:
    if (st != STJ_OK)
        clean_up(&training, st);
    training_end(&training);
    return st;
}

/* *command <- what goes on with a training that was interrupted. */
static enum stj_status write_command(const char *config_path, const char *dir,
                                     const struct stj_run_train_settings *settings, char **command,
                                     struct stj_error *err)
{
    STJ_HELD(stj_text_drop) struct stj_text_output out = {0};
    STJ_MUST(stj_text_open(&out, err));
    fputs("spectraj train ", out.file);
    stj_text_word(out.file, config_path);
    fputs(" -o ", out.file);
    stj_text_word(out.file, dir);
    if (settings->seed_given)
        fprintf(out.file, " --seed %ju", (uintmax_t)settings->seed);
    for (size_t i = 0; i < settings->n_set; i++) {
        STJ_HELD(stj_text_drop) struct stj_text_output pair = {0};
        STJ_FREED char *text = NULL;
        STJ_MUST(stj_text_open(&pair, err));
        fprintf(pair.file, "%s=%s", settings->set[i].name, settings->set[i].text);
        STJ_MUST(stj_text_take(&pair, &text, err));
        fputs(" --set ", out.file);
        stj_text_word(out.file, text);
    }
    return stj_text_take(&out, command, err);
}

/* *opened <- the complete run in the folder, where it is this one; else NULL. */
static enum stj_status open_same(struct stj_run *run, const char *dir, struct stj_run **opened,
                                 struct stj_error *err)
{
    char difference[STJ_ERROR_TEXT_MAX / 2];
    STJ_MUST(compare_with_folder(run, dir, difference, sizeof difference, err));
    if (difference[0])
        return STJ_OK;
    STJ_MUST(stj_run_open(dir, opened, err));
    /* The training is the same; what is to be computed of it may have changed since. */
    const struct stj_plugins was = (*opened)->config.analysis;
    const bool had = (*opened)->config.has_analysis;
    (*opened)->config.analysis = run->config.analysis;
    (*opened)->config.has_analysis = run->config.has_analysis;
    run->config.analysis = was;
    run->config.has_analysis = had;
    return STJ_OK;
}

enum stj_status stj_run_train(const char *config_path, const char *dir,
                              const struct stj_run_train_settings *settings, struct stj_run **run,
                              struct stj_error *err)
{
    enum stj_folder_state folder = STJ_FOLDER_COMPLETE;
    STJ_HELD(stj_run_destroy_at) struct stj_run *made = NULL;
    STJ_HELD(stj_run_destroy_at) struct stj_run *same = NULL;
    STJ_FREED char *command = NULL;
    STJ_GOOD_SETTINGS(err, settings);
    STJ_NOT_NULL(err, config_path, dir);
    STJ_NEED(err, settings->set || settings->n_set == 0, STJ_EINVAL,
             "%zu values to be set, and none is given", settings->n_set);
    const struct stj_run_changes changes = {.n = settings->n_set,
                                            .set = settings->set,
                                            .seed_given = settings->seed_given,
                                            .seed = settings->seed};
    if (run)
        *run = NULL;
    STJ_MUST(stj_folder_look(dir, &folder, err));
    STJ_MUST(stj_run_prepare(config_path, &changes, true, &made, err));
    STJ_MUST(stj_strdup(&made->dir, dir, err));
    if (folder == STJ_FOLDER_COMPLETE && !settings->force && settings->keep)
        STJ_MUST(open_same(made, dir, &same, err));
    if (folder == STJ_FOLDER_COMPLETE && !settings->force && !same)
        STJ_MUST(refuse_complete(made, err));
    if (!same) {
        STJ_MUST(write_command(config_path, dir, settings, &command, err));
        STJ_MUST(stj_run_train_into(made, NULL, command, settings, err));
    }
    if (run) {
        struct stj_run **result = same ? &same : &made;
        *run = *result;
        *result = NULL;
    }
    return STJ_OK;
}

/* *run <- a run of functions, its config checked, before any training. */
static enum stj_status prepare_problem(const struct stj_problem *problem,
                                       const struct stj_run_problem_settings *settings,
                                       struct stj_run **run, struct stj_error *err)
{
    STJ_HELD(stj_run_config_free) struct stj_run_config config = {0};
    const size_t n = stj_problem_n_params(problem);
    STJ_NEED(err, settings->config, STJ_EINVAL, "a run of a problem needs a config");
    STJ_MUST(stj_run_config_parse(settings->config, "config", &config, err));
    const bool given = config.init.file || config.trajectory.states;
    STJ_NEED(err, given == !settings->theta0, STJ_EINVAL,
             "a run of a problem needs theta0, or a config with init.file or trajectory.states, "
             "and not both");
    STJ_NEED(err, config.has_problem && config.problem.callbacks, STJ_ECONFIG,
             "config: a run of callbacks has problem: {callbacks: true}, and not the numbers of "
             "something else");
    struct stj_program **program = &config.problem.program;
    STJ_MUST(stj_new(program, 1, sizeof **program + n * sizeof(double), err));
    (*program)->problem = problem;
    (*program)->fingerprint = settings->fingerprint;
    if (!given)
        memcpy((*program)->theta0, settings->theta0, n * sizeof(double));
    return stj_run_prepare_config(&config, "config", run, err);
}

/* *run <- the run in the folder of `made`, with its functions. */
static enum stj_status open_made(struct stj_run *made, struct stj_run **run, struct stj_error *err)
{
    char difference[STJ_ERROR_TEXT_MAX / 2];
    STJ_MUST(compare_with_folder(made, made->dir, difference, sizeof difference, err));
    STJ_NEED(err, !difference[0], STJ_EEXIST,
             "%s: holds a complete run of another config: now %s; `force` replaces it", made->dir,
             difference);
    if (!run)
        return STJ_OK;
    STJ_MUST(stj_run_open(made->dir, run, err));
    (*run)->config.problem.program = made->config.problem.program;
    made->config.problem.program = NULL;
    return STJ_OK;
}

enum stj_status stj_run_create_problem(const struct stj_problem *problem, const char *dir,
                                       const struct stj_run_problem_settings *settings,
                                       struct stj_run **run, struct stj_error *err)
{
    enum stj_folder_state folder = STJ_FOLDER_COMPLETE;
    STJ_HELD(stj_run_destroy_at) struct stj_run *made = NULL;
    STJ_GOOD_SETTINGS(err, settings);
    STJ_NOT_NULL(err, problem, dir);
    if (run)
        *run = NULL;
    STJ_MUST(stj_folder_look(dir, &folder, err));
    STJ_MUST(prepare_problem(problem, settings, &made, err));
    STJ_MUST(stj_strdup(&made->dir, dir, err));
    if (folder == STJ_FOLDER_COMPLETE && !settings->force)
        return open_made(made, run, err);
    const struct stj_run_train_settings training = {
        .size = sizeof training, .force = settings->force, .progress = settings->progress};
    STJ_MUST(stj_run_train_into(made, NULL, "call stj_run_create_problem again", &training, err));
    if (run) {
        *run = made;
        made = NULL;
    }
    return STJ_OK;
}

enum stj_status stj_run_matches(const char *config_path, const char *dir, bool *matches,
                                struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    enum stj_folder_state state = STJ_FOLDER_ABSENT;
    char difference[STJ_ERROR_TEXT_MAX / 2];
    struct stj_run *run = NULL;
    STJ_NOT_NULL(err, config_path, dir, matches);
    *matches = false;
    STJ_TRY(stj_folder_look(dir, &state, err));
    if (state != STJ_FOLDER_COMPLETE)
        goto out;
    STJ_TRY(stj_run_prepare(config_path, NULL, true, &run, err));
    STJ_TRY(compare_with_folder(run, dir, difference, sizeof difference, err));
    *matches = !difference[0];
out:
    stj_run_destroy(run);
    return st;
}
