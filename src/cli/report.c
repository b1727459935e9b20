/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cli/report.c: spectraj report: everything that is known of a run on one HTML page. */
#include "cli.h"

struct report_options {
    char *output;
};

static enum stj_status report_work(struct cli *cli, struct stj_run *run, const void *options,
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
    .summary = "write one HTML page with everything known about a run",
    .positional = "RUN",
    .min_positional = 1,
    .max_positional = 1,
    .description =
        "Write one self-contained page: what was trained, the figures of all stored results,\n"
        "the regions with their intervals, tables of the largest and smallest singular values\n"
        "with residuals, costs, versions, and the commands that reproduce it.  Nothing is\n"
        "computed, and the page loads nothing from the network.\n",
    .options = options,
    .options_size = sizeof(struct report_options),
    .example = "  spectraj report digits-run\n"
               "  spectraj report digits-run -o page.html\n",
    .work = report_work,
};
