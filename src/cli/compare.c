/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cli/compare.c: spectraj compare: runs beside each other. */
#include "cli.h"

#include <stdint.h>

struct compare_options {
    char *output, *figure, *by;
    bool terminal, data;
};

static int compare(struct cli *cli, const void *options)
{
    const struct compare_options *o = options;
    const struct stj_compare_settings settings = {.size = sizeof settings,
                                                  .by = o->by,
                                                  .figure = o->figure,
                                                  .path = o->output,
                                                  .data = o->data};
    enum stj_status st = STJ_OK;
    if ((o->terminal || o->data) && !o->figure)
        st = stj_error_set(&cli->err, STJ_EINVAL, __FILE__, __LINE__,
                           "--terminal and --data are of one figure: --figure NAME");
    else if (o->figure && !o->output && !o->terminal && !o->data)
        st = stj_error_set(&cli->err, STJ_EINVAL, __FILE__, __LINE__,
                           "where to with the figure: -o FILE, --terminal or --data");
    else if (o->terminal && (o->output || o->data))
        st = stj_error_set(&cli->err, STJ_EINVAL, __FILE__, __LINE__,
                           "--terminal excludes --output and --data");
    if (st == STJ_OK)
        st = stj_report_compare(stdout, cli->format, cli->args.n_positional, cli->args.positional,
                                &settings, &cli->err);
    return st == STJ_OK ? CLI_DONE : cli_failed(st);
}

#define OPTION(...) STJ_OPTION_ROW(struct compare_options, __VA_ARGS__)
static const struct stj_option options[] = {
    OPTION(
        "output", STRING, output, "",
        "draw all common figures into this folder; with --figure, draw that figure into this file",
        .letter = 'o', .value = "PATH"),
    OPTION("figure", STRING, figure, "",
           "draw only this figure: one of plot's, with all runs in it, or by-QUANTITY, a number "
           "against a key of the config",
           .value = "NAME"),
    OPTION(
        "by", STRING, by, "",
        "the key against which numbers are drawn (default: the one with the most distinct numbers, "
        "other than seeds)",
        .value = "KEY"),
    OPTION("terminal", BOOL, terminal, "", "draw the figure with characters on standard output",
           .letter = 't'),
    OPTION("data", BOOL, data, "", "write the numbers of the figure as CSV instead", .letter = 'd'),
    {.name = NULL},
};

const struct command command_compare = {
    .name = "compare",
    .summary = "show what runs differ in and what they share",
    .positional = "RUN RUN2... | DIR",
    .min_positional = 1,
    .max_positional = SIZE_MAX,
    .description =
        "Print the keys in which the configs of the runs differ, and the numbers of their stored\n"
        "results side by side; for runs that differ only in seeds, the mean with its 95 %\n"
        "interval.  DIR is a folder of runs, such as that of a sweep.  -o FOLDER also draws the\n"
        "figures: those of each run overlaid, and each result's number against a key.\n",
    .options = options,
    .options_size = sizeof(struct compare_options),
    .example = "  spectraj compare digits-run digits-run\n"
               "  spectraj compare peaks -o peaks/figures\n"
               "  spectraj compare peaks --figure by-test_loss --terminal\n",
    .run = compare,
};
