/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cli/info.c: spectraj info: what is in a run. */
#include "cli.h"

static enum stj_status work(struct cli *cli, struct stj_run *run, const void *options,
                            int *exit_status)
{
    (void)options;
    (void)exit_status;
    return stj_report_info(stdout, cli->format, run, &cli->err);
}

const struct command command_info = {
    .name = "info",
    .summary = "say what is in a run, or in a config",
    .positional = "RUN|CONFIG",
    .min_positional = 1,
    .max_positional = 1,
    .description =
        "Print the network, the training and the stored results of a run, after checking that\n"
        "its files are whole and belong together; or, of a config file, what it would train.\n"
        "The names and shapes of the parameters are those that init.file must have; the states\n"
        "are as an analysis with that memory would have them at hand.\n",
    .shared = ARGS_MEMORY,
    .example = "  spectraj info digits-run\n  spectraj info digits.yaml\n",
    .work = work,
    .takes_config = true,
};
