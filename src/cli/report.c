/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cli/report.c: spectraj report: everything that is known of a run on one HTML page. */
#include "cli.h"

struct report_options {
    char *output;
};

static enum stj_status work(struct cli *cli, struct stj_run *run, const void *options,
                            int *exit_status)
{
    const struct report_options *o = options;
    (void)exit_status;
    const enum stj_status st = stj_report_html(run, o->output, &cli->err);
    return st == STJ_OK ? stj_report_page(stdout, cli->format, run, o->output, &cli->err) : st;
}

#define OPTION(...) STJ_OPTION_ROW(struct report_options, __VA_ARGS__)
static const struct stj_option options[] = {
    OPTION("output", STRING, output, "", "write the page to FILE (default: report.html of the run)",
           .letter = 'o', .value = "FILE"),
    {.name = NULL},
};

const struct command command_report = {
    .name = "report",
    .summary = "one HTML page of everything that is known of a run",
    .positional = "RUN",
    .min_positional = 1,
    .max_positional = 1,
    .description =
        "Write one page, complete in itself: what was trained, the figures of all stored\n"
        "results, the regions with their intervals, tables of the largest and smallest\n"
        "singular values with residuals, costs, versions, and the commands that make it\n"
        "again.  Nothing is computed, and the page needs no network.\n",
    .options = options,
    .options_size = sizeof(struct report_options),
    .example = "  spectraj report digits-run\n"
               "  spectraj report digits-run -o page.html\n",
    .work = work,
};
