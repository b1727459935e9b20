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
                                           .n_set = cli->args.n_set,
                                           .set = cli->args.set,
                                           .accept_deviation = options->accept_deviation,
                                           .progress = cli->progress};
}

#define OPTION(...) STJ_OPTION_ROW(struct cli_train_options, __VA_ARGS__)
const struct stj_option cli_train_rows[] = {
    OPTION("output", STRING, output, NULL, "directory of the run, created if necessary",
           .letter = 'o', .value = "RUN"),
    OPTION("accept-deviation", BOOL, accept_deviation, "",
           "accept trajectory.states however far their replay deviates"),
    {.name = NULL},
};
#undef OPTION

struct train_options {
    struct cli_train_options common;
    char *run, *rate;
    size_t steps;
};

#define OPTION(...) STJ_OPTION_ROW(struct train_options, __VA_ARGS__)
static const struct stj_option train_rows[] = {
    OPTION("output", STRING, common.output, "", "directory of the run, created if necessary",
           .letter = 'o', .value = "RUN"),
    OPTION("accept-deviation", BOOL, common.accept_deviation, "",
           "accept trajectory.states however far their replay deviates"),
    OPTION("continue", STRING, run, "", "lengthen this run in place; its results stay",
           .value = "RUN"),
    OPTION("steps", SIZE, steps, "", "with --continue: number of additional steps", .min = 1,
           .max = 1e15),
    OPTION("learning-rate", STRING, rate, "",
           "with --continue: of the further steps, a number or a schedule as in a config; where "
           "the run's schedule follows from its length, it is needed",
           .value = "RATE"),
    {.name = NULL},
};

#define REFUSE(cli, text) stj_error_set(&(cli)->err, STJ_EINVAL, __FILE__, __LINE__, text)

/* What belongs together. */
static enum stj_status train_check(struct cli *cli, const struct train_options *o)
{
    const bool config = cli->args.n_positional > 0;
    if (o->run && (config || o->common.output || o->common.accept_deviation ||
                   cli->args.shared.seed_given || cli->args.n_set))
        return REFUSE(cli,
                      "--continue takes everything from the run: with it go --steps and "
                      "--learning-rate, not CONFIG, --output, --seed, --set or --accept-deviation");
    if (o->run && !o->steps)
        return REFUSE(cli, "'--steps M' is missing: how many more (spectraj train --help)");
    if (!o->run && (o->steps || o->rate))
        return REFUSE(cli, "--steps and --learning-rate are of --continue; those of a new training "
                           "are in CONFIG");
    if (!o->run && !config)
        return REFUSE(cli, "too few arguments (usage: spectraj train [OPTION]... CONFIG -o RUN, or "
                           "--continue RUN --steps M)");
    if (!o->run && !o->common.output)
        return REFUSE(cli, "'--output RUN' is missing (spectraj train --help)");
    return STJ_OK;
}

static enum stj_status lengthen(const struct cli *cli, const struct train_options *o,
                                struct stj_run **run, struct stj_error *err)
{
    const struct stj_run_continue_settings settings = {.size = sizeof settings,
                                                       .steps = o->steps,
                                                       .learning_rate = o->rate,
                                                       .force = cli->args.shared.force,
                                                       .progress = cli->progress};
    return stj_run_continue(o->run, &settings, run, err);
}

static int train(struct cli *cli, const void *options)
{
    const struct train_options *o = options;
    struct stj_run *run = NULL;
    enum stj_status st = train_check(cli, o);
    if (st != STJ_OK)
        return cli_failed(st);
    const struct stj_run_train_settings settings = cli_train_settings(cli, &o->common);
    st = o->run
             ? lengthen(cli, o, &run, &cli->err)
             : stj_run_train(cli->args.positional[0], o->common.output, &settings, &run, &cli->err);
    cli_progress_end();
    if (st == STJ_OK)
        st = stj_report_train(stdout, cli->format, run, &cli->err);
    stj_run_destroy(run);
    return st == STJ_OK ? CLI_DONE : cli_failed(st);
}

const struct command command_train = {
    .name = "train",
    .summary = "train a network once and record the trajectory",
    .positional = "CONFIG -o RUN | --continue RUN --steps M",
    .min_positional = 0,
    .max_positional = 1,
    .description =
        "Train the network of the YAML file CONFIG and record every state of the training in\n"
        "the directory RUN: config.yaml (the resolved config) and trajectory.h5.  If the training\n"
        "was interrupted or killed, repeating the command continues from its last state and ends\n"
        "with the same bits.  With trajectory.states in CONFIG, the states of another program's\n"
        "training are imported; the steps between them are replayed and compared.\n"
        "\n"
        "With --continue RUN, the training of RUN gets M further steps, with the same bits as a\n"
        "training of that length from the start.  Results are kept: svd RUN --to N, where N is\n"
        "the former length, prints the stored ones.\n",
    .shared = ARGS_CONFIG_SEED | ARGS_SET | ARGS_THREADS | ARGS_RANKS | ARGS_FORCE_RUN,
    .options = train_rows,
    .options_size = sizeof(struct train_options),
    .example = "  spectraj train digits.yaml -o digits-run\n"
               "  spectraj train digits.yaml --set training.batch_size=32 -o small-batch\n"
               "  spectraj train --continue digits-run --steps 100 --learning-rate 0.001\n",
    .run = train,
};
