/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cli/export.c: spectraj export: results as CSV or NPY files. */
#include "cli.h"

struct export_options {
    char *output;
    bool csv, npy;
};

static enum stj_status work(struct cli *cli, struct stj_run *run, const void *options,
                            int *exit_status)
{
    const struct export_options *o = options;
    const char *result = cli->args.n_positional > 1 ? cli->args.positional[1] : NULL;
    (void)exit_status;
    if (o->csv && o->npy)
        return stj_error_set(&cli->err, STJ_EINVAL, __FILE__, __LINE__,
                             "--csv and --npy are both given: choose one");
    return stj_report_export(stdout, run, result, o->npy ? STJ_EXPORT_NPY : STJ_EXPORT_CSV,
                             o->output, &cli->err);
}

#define OPTION(...) STJ_OPTION_ROW(struct export_options, __VA_ARGS__)
static const struct stj_option options[] = {
    OPTION("output", STRING, output, NULL, "folder for the files, created if necessary",
           .letter = 'o', .value = "DIR"),
    OPTION("csv", BOOL, csv, "", "comma-separated text, 17 digits (the default)"),
    OPTION("npy", BOOL, npy, "", "NumPy's binary format"),
    {.name = NULL},
};

const struct command command_export = {
    .name = "export",
    .summary = "write stored results as CSV or NPY files",
    .positional = "RUN [RESULT] -o DIR",
    .min_positional = 1,
    .max_positional = 2,
    .description =
        "Write each array of a stored result to its own file, RESULT-NAME.csv or\n"
        "RESULT-NAME.npy, and its numbers and texts to RESULT-attributes.csv.  RESULT is the\n"
        "name of a result file without .h5, as listed by 'spectraj info'; without it, all results\n"
        "are written.  docs/results-format.md describes the arrays.\n",
    .options = options,
    .options_size = sizeof(struct export_options),
    .example = "  spectraj export digits-run -o arrays\n"
               "  spectraj export digits-run svd --npy -o arrays\n",
    .work = work,
};
