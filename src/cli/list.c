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
        "trained, and by which version; its parameters, steps and optimizer; and of every stored\n"
        "result the file, when and by which version it was made, one number, and the request that\n"
        "it answers.  The number is the largest singular value, or where there is none the bound\n"
        "of the smallest; how many values are chaotic; or the trace.  DIR is the current folder\n"
        "where none is given.  Every file is compared with its checksums; what cannot be read has\n"
        "a line that says why.\n",
    .example = "  spectraj list\n  spectraj list . digits-run --json\n",
    .run = list,
};
