/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cli/sweep.c: spectraj sweep: what `run` does, for each combination of values of a config's keys.
 *
 * The runs share nothing, so each rank has its own of them and works as one of one; a run that is
 * complete is opened and one that was interrupted goes on, so that the same command does what is missing.
 */
#include "cli.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

#include <spectraj/ranks.h>
#include <spectraj/sweep.h>

enum { PATH_SIZE = 4096 };

struct sweep {
    struct cli *cli;
    struct cli_train_options options;
    size_t n, failed; /* runs in all; and those of this rank that failed */
    int exit_status;
};

#define FAIL(s, code, ...) stj_error_set(&(s)->cli->err, (code), __FILE__, __LINE__, __VA_ARGS__)

static void tell(const struct sweep *s, size_t i, const char *name, const struct stj_run *run)
{
    struct stj_run_info info;
    stj_run_get_info(run, &info);
    if (s->cli->format == STJ_REPORT_JSON)
        return;
    printf("%zu of %zu  %s  train loss %.6g", i + 1, s->n, name, info.train_loss);
    if (info.test_loss == info.test_loss) /* there is one */
        printf("  test loss %.6g", info.test_loss);
    puts(info.diverged ? "  diverged" : "");
    fflush(stdout);
}

/* One run; what is wrong with it is said, and only an interruption ends the others. */
static enum stj_status do_run(struct sweep *s, size_t i, const struct stj_config_sweep_run *which)
{
    struct stj_run_train_settings settings = cli_train_settings(s->cli, &s->options);
    struct stj_run *run = NULL;
    char dir[PATH_SIZE];
    int status = CLI_DONE;
    settings.n_set = which->n;
    settings.set = which->set;
    const int n = snprintf(dir, sizeof dir, "%s/%s", s->options.output, which->name);
    if (n < 0 || n >= PATH_SIZE)
        return FAIL(s, STJ_EINVAL, "the path of a run is longer than %d bytes", PATH_SIZE);
    const enum stj_status st =
        cli_run_into(s->cli, s->cli->args.positional[0], dir, settings, false, &run, &status);
    if (st == STJ_OK && status != CLI_INTERRUPTED)
        tell(s, i, which->name, run);
    stj_run_destroy(run);
    if (st == STJ_EINTERRUPTED || status == CLI_INTERRUPTED)
        return st == STJ_OK ? FAIL(s, STJ_EINTERRUPTED, "the sweep was interrupted") : st;
    if (st == STJ_OK) {
        s->exit_status = status == CLI_DONE ? s->exit_status : status;
        return STJ_OK;
    }
    s->failed++;
    cli_complain("%s: %s", which->name, s->cli->err.text);
    s->cli->err = (struct stj_error)STJ_ERROR_INIT;
    return STJ_OK;
}

static enum stj_status do_runs(struct sweep *s, const struct stj_config_sweep *sweep)
{
    struct stj_config_sweep_run which;
    const size_t rank = stj_rank(), n_ranks = stj_n_ranks();
    while (stj_config_sweep_get(sweep, s->n, &which))
        s->n++;
    if (mkdir(s->options.output, 0777) != 0 && errno != EEXIST)
        return FAIL(s, STJ_EIO, "%s could not be created: %s", s->options.output, strerror(errno));
    if (n_ranks > 1) {
        stj_ranks_leave_others();
        cli_speak(true); /* of its own runs */
    }
    for (size_t i = rank; stj_config_sweep_get(sweep, i, &which); i += n_ranks) {
        const enum stj_status st = do_run(s, i, &which);
        if (st != STJ_OK)
            return st;
    }
    if (s->failed)
        return FAIL(s, STJ_EINVAL,
                    "%zu of %zu runs failed, for the reasons above; the others are in %s",
                    s->failed, s->n, s->options.output);
    return STJ_OK;
}

static int sweep_run(struct cli *cli, const void *options)
{
    const char *const *output = options;
    struct sweep s = {.cli = cli, .options.output = (char *)(uintptr_t)*output};
    struct stj_config_sweep *sweep = NULL;
    enum stj_status st = STJ_OK;
    if (stj_n_ranks() > 1 && cli->format == STJ_REPORT_JSON)
        st = FAIL(&s, STJ_EINVAL,
                  "several ranks make no JSON object together: leave --json out, and "
                  "ask spectraj list DIR --json when they are done");
    if (st == STJ_OK)
        st = stj_config_sweep_create(cli->args.positional[0], cli->args.n_set, cli->args.set,
                                     &sweep, &cli->err);
    if (st == STJ_OK)
        st = do_runs(&s, sweep);
    stj_config_sweep_destroy(sweep);
    if (st == STJ_OK && cli->format == STJ_REPORT_JSON)
        st = stj_report_list(stdout, cli->format, 1, &s.options.output, &cli->err);
    return st == STJ_OK ? s.exit_status : cli_failed(st);
}

static const struct stj_option options[] = {
    {.name = "output",
     .letter = 'o',
     .type = STJ_OPTION_STRING,
     .value = "DIR",
     .doc = "folder of the runs, created if necessary"},
    {.name = NULL},
};

const struct command command_sweep = {
    .name = "sweep",
    .summary = "train and analyse a run for each of several values",
    .positional = "CONFIG --set KEY=VALUE,... -o DIR",
    .min_positional = 1,
    .max_positional = 1,
    .description =
        "Perform 'spectraj run' (train, run the analyses of the config, write the report) on "
        "CONFIG\n"
        "with each value of KEY, each in its own folder DIR/KEY=VALUE.  Repeating the command,\n"
        "after an interrupt or with further values, completes what is missing.  A run that fails\n"
        "is named, and the others are completed.  Under mpirun each rank does its share of the\n"
        "runs.  'spectraj compare DIR' then draws the results against KEY.\n",
    .shared = ARGS_SWEEP | ARGS_THREADS | ARGS_MEMORY | ARGS_FORCE,
    .options = options,
    .options_size = sizeof(char *),
    .unconverged = "fewer pairs than asked for have converged in a run",
    .kept = "complete runs and what is finished of the others are kept",
    .example = "  spectraj sweep digits.yaml --set training.learning_rate.peak=.1,.2 -o peaks\n"
               "  spectraj sweep digits.yaml --set training.steps=20 --set init.seed=0..2 -o s\n",
    .run = sweep_run,
    .deals = true,
};
