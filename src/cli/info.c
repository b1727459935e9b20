/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cli/info.c: spectraj info: what is in a run. */
#include "cli.h"

static enum stj_status info_work(struct cli *cli, struct stj_run *run, const void *options,
                                 int *exit_status)
{
    (void)options;
    (void)exit_status;
    const enum stj_status st = stj_report_info(stdout, cli->format, run, &cli->err);
    /* What its files must have is printed already. */
    return st == STJ_OK ? stj_run_check_start(run, &cli->err) : st;
}

const struct command command_info = {
    .name = "info",
    .summary = "show what is in a run, or in a config",
    .positional = "RUN|CONFIG",
    .min_positional = 1,
    .max_positional = 1,
    .description =
        "Print the network, the training and the stored results of a run, after checking that\n"
        "its files are complete and belong together; or, for a config file, what it would train.\n"
        "The names and shapes of the parameters are those that init.file must have.  If "
        "init.file,\n"
        "init.slots or trajectory.states are missing or do not fit, the last line is the error "
        "that\n"
        "train would print.  The line on states describes an analysis with the given memory.\n",
    .shared = ARGS_SET | ARGS_MEMORY | ARGS_PROBLEM,
    .example = "  spectraj info digits-run\n  spectraj info digits.yaml\n",
    .work = info_work,
    .takes_config = true,
};
