/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cli/info.c: spectraj info: what is in a run. */
#include "cli.h"

static int info(struct cli *cli, const void *options)
{
    (void)options;
    struct stj_run *run = NULL;
    enum stj_status st = stj_run_open(cli->args.positional[0], &run, &cli->err);
    if (st == STJ_OK)
        st = stj_report_info(stdout, cli->format, run, &cli->err);
    stj_run_destroy(run);
    return st == STJ_OK ? CLI_DONE : cli_failed(st);
}

const struct command command_info = {
    .name = "info",
    .summary = "say what is in a run",
    .positional = "RUN",
    .min_positional = 1,
    .max_positional = 1,
    .description =
        "Print the network, the training and the stored results of a run, after checking that\n"
        "its files are whole and belong together.\n",
    .example = "  spectraj info digits-run\n",
    .run = info,
};
