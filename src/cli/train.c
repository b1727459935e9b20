/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cli/train.c: spectraj train: train once and record the trajectory. */
#include "cli.h"

struct stj_run_train_settings cli_train_settings(const struct cli *cli,
                                                 const struct cli_train_options *options)
{
    const struct args_shared *shared = &cli->args.shared;
    return (struct stj_run_train_settings){.size = sizeof(struct stj_run_train_settings),
                                           .force = shared->force,
                                           .seed_given = shared->seed_given,
                                           .seed = shared->seed,
                                           .accept_deviation = options->accept_deviation,
                                           .progress = cli->progress};
}

static int train(struct cli *cli, const void *options)
{
    const struct cli_train_options *o = options;
    const struct stj_run_train_settings settings = cli_train_settings(cli, o);
    struct stj_run *run = NULL;
    enum stj_status st =
        stj_run_train(cli->args.positional[0], o->output, &settings, &run, &cli->err);
    cli_progress_end();
    if (st == STJ_OK)
        st = stj_report_train(stdout, cli->format, run, &cli->err);
    stj_run_destroy(run);
    return st == STJ_OK ? CLI_DONE : cli_failed(st);
}

#define OPTION(...) STJ_OPTION_ROW(struct cli_train_options, __VA_ARGS__)
const struct stj_option cli_train_rows[] = {
    OPTION("output", STRING, output, NULL, "directory of the run, created when there is none",
           .letter = 'o', .value = "RUN"),
    OPTION("accept-deviation", BOOL, accept_deviation, "",
           "take the states of trajectory.states however far from them their replay lands"),
    {.name = NULL},
};

const struct command command_train = {
    .name = "train",
    .summary = "train a network once and record the trajectory",
    .positional = "CONFIG -o RUN",
    .min_positional = 1,
    .max_positional = 1,
    .description =
        "Train the network of the YAML file CONFIG and record every state of the training in\n"
        "the directory RUN: config.yaml (the resolved config) and trajectory.h5.  A training\n"
        "that was interrupted or killed goes on from its last state when the same is asked\n"
        "again, and ends with the same bits.  With trajectory.states in CONFIG the states are\n"
        "those of a training elsewhere; the steps between them are replayed and compared.\n",
    .shared = ARGS_CONFIG_SEED | ARGS_THREADS | ARGS_RANKS | ARGS_FORCE,
    .options = cli_train_rows,
    .options_size = sizeof(struct cli_train_options),
    .example = "  spectraj train digits.yaml -o digits-run\n",
    .run = train,
};
