/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cli/export.c: spectraj export: results as CSV or NPY files. */
#include "cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct export_options {
    char *output;
    bool csv, npy;
};

/* The paths, one a line, as a JSON object. */
static void print_json(char *paths)
{
    bool first = true;
    printf("{\"schema\": 1, \"files\": [");
    for (char *line = strtok(paths, "\n"); line; line = strtok(NULL, "\n")) {
        fputs(first ? "" : ", ", stdout);
        cli_put_json_text(stdout, line);
        first = false;
    }
    printf("]}\n");
}

static enum stj_status export_work(struct cli *cli, struct stj_run *run, const void *options,
                                   int *exit_status)
{
    const struct export_options *o = options;
    const char *result = cli->args.n_positional > 1 ? cli->args.positional[1] : NULL;
    (void)exit_status;
    if (o->csv && o->npy)
        return stj_error_set(&cli->err, STJ_EINVAL, __FILE__, __LINE__,
                             "--csv and --npy are both given: choose one");
    char *paths = NULL;
    size_t size = 0;
    FILE *told = cli->format == STJ_REPORT_JSON ? open_memstream(&paths, &size) : stdout;
    if (!told)
        return stj_error_set(&cli->err, STJ_ENOMEM, __FILE__, __LINE__, "out of memory");
    const enum stj_status st = stj_report_export(
        told, run, result, o->npy ? STJ_EXPORT_NPY : STJ_EXPORT_CSV, o->output, &cli->err);
    if (told != stdout && fclose(told) == 0 && st == STJ_OK)
        print_json(paths);
    free(paths);
    return st;
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
    .work = export_work,
};
