/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cli/validate.c: spectraj validate: check a run against itself. */
#include "cli.h"

struct validate_options {
    size_t dense_limit;
};

static enum stj_status validate_work(struct cli *cli, struct stj_run *run, const void *options,
                                     int *exit_status)
{
    const struct validate_options *o = options;
    const struct args_shared *shared = &cli->args.shared;
    const struct stj_run_part part = {.from = shared->from,
                                      .to = shared->to,
                                      .layers = shared->layers,
                                      .full_state = shared->state == 1,
                                      .precision = (enum stj_precision)shared->precision};
    struct stj_validation v = {.passed = false};
    enum stj_status st =
        stj_run_validate(run, &part, cli_seed(cli), o->dense_limit, &cli->progress, &v, &cli->err);
    cli_progress_end();
    if (st == STJ_OK && !v.passed)
        *exit_status = CLI_NOT_CONVERGED;
    return st == STJ_OK ? stj_report_validate(stdout, cli->format, &v, &cli->err) : st;
}

#define OPTION(...) STJ_OPTION_ROW(struct validate_options, __VA_ARGS__)
static const struct stj_option options[] = {
    OPTION("dense-limit", SIZE, dense_limit, "1000",
           "compare with the dense Jacobian if there are at most N parameters", .value = "N"),
    {.name = NULL},
};

const struct command command_validate = {
    .name = "validate",
    .summary = "check the derivatives and the stored trajectory of a run",
    .positional = "RUN",
    .min_positional = 1,
    .max_positional = 1,
    .description =
        "Check that J and J' are adjoint, that J agrees with finite differences of whole\n"
        "trainings, that training again gives the same bits, and, for small networks, that\n"
        "matrix-free singular values agree with those of the dense Jacobian.\n",
    .shared = ARGS_USES_SEED | ARGS_THREADS | ARGS_RANKS | ARGS_MEMORY | ARGS_WINDOW,
    .options = options,
    .options_size = sizeof(struct validate_options),
    .unconverged = "a check did not pass",
    .example = "  spectraj validate digits-run\n",
    .work = validate_work,
};
