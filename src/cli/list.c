/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cli/list.c: spectraj list: runs and their results. */
#include "cli.h"

#include <stdint.h>

static int list(struct cli *cli, const void *options)
{
    static char here[] = ".";
    char *const folder[] = {here};
    const struct args *args = &cli->args;
    (void)options;
    const enum stj_status st =
        args->n_positional > 0
            ? stj_report_list(stdout, cli->format, args->n_positional, args->positional, &cli->err)
            : stj_report_list(stdout, cli->format, 1, folder, &cli->err);
    return st == STJ_OK ? CLI_DONE : cli_failed(st);
}

const struct command command_list = {
    .name = "list",
    .summary = "list runs and their results",
    .positional = "[DIR]...",
    .max_positional = SIZE_MAX,
    .description =
        "List the runs in the folders, and in those one and two levels below: when each was\n"
        "trained, and by which version; its parameters, steps and optimizer; and for every stored\n"
        "result its file, date and version, one number, and the request that it answers.  The\n"
        "number is the largest singular value (or, without one, the bound of the smallest), the\n"
        "number of chaotic values, or the trace.  The default DIR is the current folder.  Every\n"
        "file is compared with its checksums; a file that cannot be read has a line that says\n"
        "why.\n",
    .example = "  spectraj list\n  spectraj list . digits-run --json\n",
    .run = list,
};
