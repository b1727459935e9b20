/* SPDX-License-Identifier: GPL-3.0-or-later */
/* run/train.c: train what a config says and keep it in a directory.
 *
 * Nothing is written before the training is done, except to see that it can be.  Then the
 * trajectory is written beside the final name, config.yaml replaced, and last the trajectory
 * renamed: a run is complete when it has trajectory.h5, and an old run is whole until the new
 * one takes its place.
 */
#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <spectraj/version.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "run/run_internal.h"

static size_t state_size(const struct stj_run *run)
{
    return (1 + stj_recipe_optimizer(&run->recipe)->n_slots) * stj_network_n_params(run->net);
}

/* run->trajectory, and in `about` the time and the identity. */
static enum stj_status train(struct stj_run *run, const struct stj_progress *progress,
                             struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    size_t n = stj_network_n_params(run->net);
    real *state = NULL;
    double *theta = NULL;
    char fingerprint[STJ_FINGERPRINT_BYTES];
    STJ_TRY(stj_new(&theta, n, sizeof *theta, err));
    STJ_TRY(stj_new(&state, state_size(run), sizeof *state, err));
    STJ_TRY(stj_run_initial(run, theta, err));
    for (size_t i = 0; i < n; i++)
        state[i] = (real)theta[i];
    STJ_TRY(stj_run_identity(run, theta, n, &run->about.identity, err));
    stj_run_fingerprint(run->about.identity, fingerprint);
    STJ_TRY(stj_strdup(&run->about.fingerprint, fingerprint, err));
    STJ_TRY(stj_trajectory_create(n, stj_recipe_optimizer(&run->recipe)->n_slots, run->n_steps,
                                  &run->trajectory, err));
    double start = stj_clock();
    STJ_TRY(stj_train(run->problem, &run->recipe, 0, run->n_steps, state, stj_trajectory_record,
                      run->trajectory, progress, err));
    run->about.seconds = stj_clock() - start;
out:
    free(theta);
    free(state);
    return st;
}

/* Losses at theta_n. */
static enum stj_status evaluate(struct stj_run *run, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct stj_evaluation result = {0};
    double *theta = NULL;
    run->about.test_loss = (double)NAN;
    run->about.test_accuracy = (double)NAN;
    STJ_TRY(stj_new(&theta, stj_network_n_params(run->net), sizeof *theta, err));
    STJ_TRY(stj_run_theta(run, run->n_steps, theta, err));
    STJ_TRY(stj_evaluate(run->net, run->train, theta, &result, err));
    run->about.train_loss = result.loss;
    if (run->test) {
        STJ_TRY(stj_evaluate(run->net, run->test, theta, &result, err));
        run->about.test_loss = result.loss;
        run->about.test_accuracy = result.accuracy;
    }
out:
    free(theta);
    return st;
}

/* The config that is kept: what it was made with, then the resolved values. */
static enum stj_status describe(struct stj_run *run, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct stj_trajectory_about *about = &run->about;
    char *resolved = NULL;
    char blas[256];
    snprintf(blas, sizeof blas, "%s, kernel %s", openblas_get_config(), openblas_get_corename());
    STJ_TRY(stj_strdup(&about->version, stj_version(), err));
    STJ_TRY(stj_strdup(&about->blas, blas, err));
    about->seed = run->config.training.seed;
    STJ_TRY(stj_run_config_print(&run->config, &resolved, err));
    size_t bytes = strlen(resolved) + sizeof blas + 256;
    STJ_TRY(stj_new(&about->config, bytes, 1, err));
    snprintf(about->config, bytes,
             "# Resolved config of a run; do not change it by hand.\n"
             "# spectraj %s\n# BLAS: %s\n# fingerprint: %s\n%s",
             about->version, blas, about->fingerprint, resolved);
out:
    free(resolved);
    return st;
}

/* Write the files of the run into its directory. */
static enum stj_status save(struct stj_run *run, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    char *config = NULL;
    char *trajectory = NULL;
    char *fresh = NULL;
    STJ_TRY(stj_path_join(run->dir, STJ_CONFIG_NAME, &config, err));
    STJ_TRY(stj_path_join(run->dir, STJ_TRAJECTORY_NAME, &trajectory, err));
    STJ_TRY(stj_path_join(run->dir, STJ_TRAJECTORY_NAME ".new", &fresh, err));
    STJ_TRY(stj_trajectory_write(run->trajectory, fresh, &run->about, err));
    st = stj_file_write_text(config, run->about.config, err);
    if (st != STJ_OK) {
        unlink(fresh);
        goto out;
    }
    STJ_TRY(stj_file_commit(fresh, trajectory, err));
    stj_folder_clear_results(run->dir);
out:
    free(fresh);
    free(trajectory);
    free(config);
    return st;
}

/* text <- how the training that `run` describes differs from the one recorded in the directory:
 * empty when it does not. */
static enum stj_status compare_with_folder(const struct stj_run *run, const char *dir, char *text,
                                           size_t size, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct stj_trajectory_about about = {0};
    char *path = NULL;
    char *now = NULL;
    char *recorded = NULL;
    double *theta = NULL;
    size_t n = stj_network_n_params(run->net);
    STJ_TRY(stj_path_join(dir, STJ_TRAJECTORY_NAME, &path, err));
    STJ_TRY(stj_trajectory_read_about(path, &about, err));
    STJ_TRY(stj_new(&theta, n, sizeof *theta, err));
    STJ_TRY(stj_run_initial(run, theta, err));
    STJ_TRY(stj_run_identity(run, theta, n, &now, err));
    STJ_TRY(stj_run_recorded_identity(&about, &recorded, err));
    stj_run_difference(now, recorded, text, size);
out:
    stj_trajectory_about_free(&about);
    free(theta);
    free(recorded);
    free(now);
    free(path);
    return st;
}

static enum stj_status refuse_complete(const struct stj_run *run, struct stj_error *err)
{
    char difference[STJ_ERROR_TEXT_MAX / 2] = "";
    if (compare_with_folder(run, run->dir, difference, sizeof difference, NULL) != STJ_OK)
        difference[0] = '\0'; /* it cannot be told */
    return stj_error_set(err, STJ_EEXIST, __FILE__, __LINE__,
                         "%s: holds a complete run%s%s; --force replaces it", run->dir,
                         difference[0] ? " of another config: now " : "", difference);
}

enum stj_status stj_run_train(const char *config_path, const char *dir,
                              const struct stj_run_train_settings *settings, struct stj_run **run,
                              struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    enum stj_folder_state state = STJ_FOLDER_COMPLETE;
    struct stj_run *made = NULL;
    bool prepared = false;
    size_t bytes = 0;
    if (run)
        *run = NULL;
    STJ_TRY(stj_folder_look(dir, &state, err));
    STJ_TRY(stj_run_prepare(config_path, settings->seed_given, settings->seed, &made, err));
    STJ_TRY(stj_strdup(&made->dir, dir, err));
    if (state == STJ_FOLDER_COMPLETE && !settings->force)
        STJ_TRY(refuse_complete(made, err));
    STJ_TRY(stj_size_mul(state_size(made) * sizeof(double), made->n_steps + 1, &bytes, err));
    STJ_TRY(stj_folder_prepare(dir, state, bytes, err));
    prepared = true;
    STJ_TRY(train(made, &settings->progress, err));
    STJ_TRY(evaluate(made, err));
    STJ_TRY(describe(made, err));
    STJ_TRY(save(made, err));
    if (run) {
        *run = made;
        made = NULL;
    }
out:
    if (st != STJ_OK && prepared && state == STJ_FOLDER_ABSENT)
        rmdir(dir);
    stj_run_destroy(made);
    return st;
}

enum stj_status stj_run_matches(const char *config_path, const char *dir, bool *matches,
                                struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    enum stj_folder_state state = STJ_FOLDER_ABSENT;
    char difference[STJ_ERROR_TEXT_MAX / 2];
    struct stj_run *run = NULL;
    *matches = false;
    STJ_TRY(stj_folder_look(dir, &state, err));
    if (state != STJ_FOLDER_COMPLETE)
        goto out;
    STJ_TRY(stj_run_prepare(config_path, false, 0, &run, err));
    STJ_TRY(compare_with_folder(run, dir, difference, sizeof difference, err));
    *matches = !difference[0];
out:
    stj_run_destroy(run);
    return st;
}
