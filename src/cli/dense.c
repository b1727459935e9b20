/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cli/dense.c: spectraj dense: the whole Jacobian, column by column, and its full SVD. */
#include "cli.h"

struct dense_options {
    double epsilon;
};

static enum stj_status work(struct cli *cli, struct stj_run *run, const void *options,
                            int *exit_status)
{
    const struct dense_options *o = options;
    const struct stj_analysis_settings settings = cli_analysis_settings(cli);
    struct stj_dense_result *result = NULL;
    bool stored = false;
    (void)exit_status;
    enum stj_status st =
        stj_analysis_dense(run, o->epsilon, &settings, &cli->progress, &result, &stored, &cli->err);
    cli_progress_end();
    if (st == STJ_OK)
        st = stj_report_dense(stdout, cli->format, result, &cli->err);
    stj_dense_result_destroy(result);
    return st;
}

static int dense(struct cli *cli, const void *options)
{
    return cli_on_run(cli, options, work);
}

static const struct stj_option options[] = {
    {.name = "epsilon",
     .type = STJ_OPTION_REAL,
     .offset = offsetof(struct dense_options, epsilon),
     .fallback = "0.1",
     .max = 1,
     .above_min = true,
     .below_max = true,
     .value = "EPS",
     .doc = "half width of the bulk: chaotic above 1 + EPS, stable below 1 - EPS"},
    {.name = NULL},
};

const struct command command_dense = {
    .name = "dense",
    .summary = "all singular values, from the dense Jacobian",
    .positional = "RUN",
    .min_positional = 1,
    .max_positional = 1,
    .description =
        "Build J = d theta_n / d theta_0 column by column, decompose it with LAPACK, and keep\n"
        "the result in RUN/dense.h5.  For networks of some thousand parameters; refuses, with\n"
        "the numbers, when the matrices do not fit the memory.\n",
    .shared = ARGS_THREADS | ARGS_RANKS | ARGS_MEMORY | ARGS_TAG | ARGS_FORCE | ARGS_WINDOW,
    .options = options,
    .options_size = sizeof(struct dense_options),
    .example = "  spectraj dense digits-run --json\n",
    .run = dense,
};
