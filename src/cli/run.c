/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cli/run.c: spectraj run: train, then every analysis that the config asks for.
 *
 * What is complete is not done again: a run that matches the config is opened instead of trained,
 * and a stored result of the same settings is read.
 */
#include "cli.h"

struct run_options {
    char *output;
    bool accept_deviation;
};

/* What has been computed so far; the reports of parts that are NULL are left out. */
struct parts {
    struct stj_run *run;
    struct stj_svd_result *svd;
    struct stj_density_result *density;
    struct stj_dense_result *dense;
};

/* Text is printed as soon as there is some; JSON is one object at the end. */
static bool prints_now(const struct cli *cli)
{
    cli_progress_end();
    return cli->format == STJ_REPORT_TEXT;
}

static enum stj_status open_or_train(struct cli *cli, const struct run_options *o,
                                     struct parts *parts)
{
    const char *config = cli->args.positional[0];
    const char *dir = o->output;
    const struct args_shared *shared = &cli->args.shared;
    const struct stj_run_train_settings settings = {.size = sizeof settings,
                                                    .force = shared->force,
                                                    .seed_given = shared->seed_given,
                                                    .seed = shared->seed,
                                                    .accept_deviation = o->accept_deviation,
                                                    .progress = cli->progress};
    bool matches = false;
    enum stj_status st = STJ_OK;
    if (!shared->force && !shared->seed_given)
        st = stj_run_matches(config, dir, &matches, &cli->err);
    if (st != STJ_OK)
        return st;
    st = matches ? stj_run_open(dir, &parts->run, &cli->err)
                 : stj_run_train(config, dir, &settings, &parts->run, &cli->err);
    if (st == STJ_OK)
        stj_run_set_memory(parts->run, shared->memory);
    if (st == STJ_OK && prints_now(cli))
        st = stj_report_train(stdout, cli->format, parts->run, &cli->err);
    return st;
}

static enum stj_status analyse_svd(struct cli *cli, struct parts *parts, int *exit_status)
{
    const struct stj_analysis_settings settings = cli_analysis_settings(cli);
    const struct stj_svd_settings svd = cli_svd_settings(cli, parts->run);
    bool stored = false;
    enum stj_status st =
        stj_analysis_svd(parts->run, &svd, &settings, &parts->svd, &stored, &cli->err);
    if (st == STJ_OK)
        *exit_status = cli_svd_exit(parts->svd);
    if (st == STJ_OK && prints_now(cli)) {
        fputc('\n', stdout);
        st = stj_report_svd(stdout, cli->format, parts->svd, &cli->err);
    }
    return st;
}

static enum stj_status analyse_density(struct cli *cli, struct parts *parts, int *exit_status)
{
    const struct stj_analysis_settings settings = cli_analysis_settings(cli);
    const struct stj_density_settings density = cli_density_settings(cli, parts->run);
    bool stored = false;
    enum stj_status st = stj_analysis_density(parts->run, &density, true, &settings,
                                              &parts->density, &stored, &cli->err);
    if (st == STJ_OK && cli_density_exit(parts->density) != CLI_DONE)
        *exit_status = cli_density_exit(parts->density);
    if (st == STJ_OK && prints_now(cli)) {
        fputc('\n', stdout);
        st = stj_report_density(stdout, cli->format, parts->density, NULL, &cli->err);
    }
    return st;
}

static enum stj_status analyse_dense(struct cli *cli, struct parts *parts)
{
    const struct stj_analysis_settings settings = cli_analysis_settings(cli);
    struct stj_run_analysis analysis;
    bool stored = false;
    stj_run_get_analysis(parts->run, &analysis);
    enum stj_status st = stj_analysis_dense(parts->run, analysis.dense_epsilon, &settings,
                                            &cli->progress, &parts->dense, &stored, &cli->err);
    if (st == STJ_OK && prints_now(cli)) {
        fputc('\n', stdout);
        st = stj_report_dense(stdout, cli->format, parts->dense, &cli->err);
    }
    return st;
}

static int run(struct cli *cli, const void *options)
{
    const struct run_options *o = options;
    struct parts parts = {.run = NULL};
    struct stj_run_analysis analysis = {.has_svd = false};
    int exit_status = CLI_DONE;

    enum stj_status st = open_or_train(cli, o, &parts);
    if (st == STJ_OK)
        stj_run_get_analysis(parts.run, &analysis);
    if (st == STJ_OK && analysis.has_svd)
        st = analyse_svd(cli, &parts, &exit_status);
    if (st == STJ_OK && analysis.has_density && exit_status != CLI_INTERRUPTED)
        st = analyse_density(cli, &parts, &exit_status);
    if (st == STJ_OK && analysis.has_dense && exit_status != CLI_INTERRUPTED)
        st = analyse_dense(cli, &parts);
    cli_progress_end();
    if (st == STJ_OK && exit_status != CLI_INTERRUPTED)
        st = stj_report_html(parts.run, NULL, &cli->err);
    if (st == STJ_OK && exit_status != CLI_INTERRUPTED && prints_now(cli)) {
        fputc('\n', stdout);
        st = stj_report_page(stdout, cli->format, parts.run, NULL, &cli->err);
    }
    if (st == STJ_OK && cli->format == STJ_REPORT_JSON)
        st = stj_report_run(stdout, cli->format, parts.run, parts.svd, parts.density, parts.dense,
                            &cli->err);
    stj_dense_result_destroy(parts.dense);
    stj_density_result_destroy(parts.density);
    stj_svd_result_destroy(parts.svd);
    stj_run_destroy(parts.run);
    return st == STJ_OK ? exit_status : cli_failed(st);
}

static const struct stj_option options[] = {
    {.name = "output",
     .letter = 'o',
     .type = STJ_OPTION_STRING,
     .offset = offsetof(struct run_options, output),
     .value = "RUN",
     .doc = "directory of the run, created when there is none"},
    {.name = "accept-deviation",
     .type = STJ_OPTION_BOOL,
     .offset = offsetof(struct run_options, accept_deviation),
     .fallback = "",
     .doc = "take the states of trajectory.states however far from them their replay lands"},
    {.name = NULL},
};

const struct command command_run = {
    .name = "run",
    .summary = "train, analyse as the config says, write the report",
    .positional = "CONFIG -o RUN",
    .min_positional = 1,
    .max_positional = 1,
    .description =
        "Train as CONFIG says unless RUN holds that training already, then do each analysis\n"
        "that its 'analysis' group names and that is not stored already, and write report.html.\n",
    .shared = ARGS_USES_SEED | ARGS_THREADS | ARGS_RANKS | ARGS_MEMORY | ARGS_FORCE,
    .options = options,
    .options_size = sizeof(struct run_options),
    .unconverged = "fewer pairs than asked for have converged",
    .example = "  spectraj run digits.yaml -o digits-run\n",
    .run = run,
};
