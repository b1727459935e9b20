/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cli/validate.c: spectraj validate: check a run against itself. */
#include "cli.h"

struct validate_options {
    size_t dense_limit;
};

static int validate(struct cli *cli, const void *options)
{
    const struct validate_options *o = options;
    struct stj_validation v = {.passed = false};
    struct stj_run *run = NULL;

    enum stj_status st = stj_run_open(cli->args.positional[0], &run, &cli->err);
    if (st == STJ_OK)
        st = stj_run_validate(run, cli->args.shared.seed, o->dense_limit, &cli->progress, &v,
                              &cli->err);
    cli_progress_end();
    if (st == STJ_OK)
        st = stj_report_validate(stdout, cli->format, &v, &cli->err);
    stj_run_destroy(run);
    if (st != STJ_OK)
        return cli_failed(st);
    return v.passed ? CLI_DONE : CLI_NOT_CONVERGED;
}

static const struct args_option options[] = {
    {.name = "dense-limit",
     .type = ARGS_SIZE,
     .offset = offsetof(struct validate_options, dense_limit),
     .fallback = "1000",
     .metavar = "N",
     .doc = "compare with the dense Jacobian when there are at most N parameters"},
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
        "trainings, that training again gives the same bits, and, for a small network, that\n"
        "the matrix-free singular values are those of the dense Jacobian.\n",
    .shared = ARGS_USES_SEED | ARGS_THREADS,
    .options = options,
    .options_size = sizeof(struct validate_options),
    .unconverged = "a check did not pass",
    .example = "  spectraj validate digits-run\n",
    .run = validate,
};
