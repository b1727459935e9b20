/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cli/run.c: spectraj run: train, then every analysis that the config asks for.
 *
 * What is complete is not done again: a run that matches the config is opened instead of trained,
 * and a stored result of the same settings is read.
 */
#include "cli.h"

#include <stdio.h>

enum { ANALYSES_MAX = 32 };

/* What has been computed so far. */
struct parts {
    bool tell;
    struct stj_run *run;
    struct stj_result *result[ANALYSES_MAX];
    size_t n;
};

/* Text is printed as soon as there is some; JSON is one object at the end. */
static bool prints_now(const struct cli *cli, const struct parts *parts)
{
    cli_progress_end();
    return parts->tell && cli->format != STJ_REPORT_JSON;
}

/* One analysis that the config asks for; *status <- its exit status where it is not done. */
static enum stj_status analyse(struct cli *cli, const char *name, struct parts *parts, int *status)
{
    const struct args_shared *shared = &cli->args.shared;
    struct stj_request *request = NULL;
    struct stj_result **result = &parts->result[parts->n];
    char seed[24], memory[24];
    snprintf(seed, sizeof seed, "%llu", (unsigned long long)shared->seed);
    snprintf(memory, sizeof memory, "%zu", shared->memory);
    enum stj_status st = stj_request_create(name, &request, &cli->err);
    if (st == STJ_OK && shared->force)
        st = stj_request_set(request, "force", "true", &cli->err);
    if (st == STJ_OK && shared->memory)
        st = stj_request_set(request, "memory", memory, &cli->err);
    if (st == STJ_OK && shared->seed_given && stj_request_has(request, "seed"))
        st = stj_request_set(request, "seed", seed, &cli->err);
    if (st == STJ_OK)
        st = stj_analyse(parts->run, request, &cli->progress, result, &cli->err);
    if (st == STJ_OK)
        parts->n++;
    if (st == STJ_OK && cli_result_exit(*result) != CLI_DONE)
        *status = cli_result_exit(*result);
    if (st == STJ_OK && prints_now(cli, parts)) {
        fputc('\n', stdout);
        st = stj_report_result(stdout, cli->format, *result, &cli->err);
    }
    if (st == STJ_OK && stj_result_to_go_on(*result)) {
        char text[STJ_ERROR_TEXT_MAX];
        snprintf(text, sizeof text, "%s was interrupted; %s", name, stj_result_to_go_on(*result));
        cli_tell_to_go_on(text, sizeof text, NULL);
        cli_complain("%s", text);
    }
    stj_request_destroy(request);
    return st;
}

static enum stj_status report(struct cli *cli, const struct parts *parts)
{
    enum stj_status st = stj_report_html(parts->run, NULL, &cli->err);
    if (st == STJ_OK && prints_now(cli, parts)) {
        fputc('\n', stdout);
        st = stj_report_page(stdout, cli->format, parts->run, NULL, &cli->err);
    }
    return st;
}

enum stj_status cli_run_into(struct cli *cli, const char *config, const char *dir,
                             struct stj_run_train_settings settings, bool tell,
                             struct stj_run **run, int *exit_status)
{
    struct parts parts = {.tell = tell};
    const char *name = NULL;
    settings.keep = true;
    enum stj_status st = stj_run_train(config, dir, &settings, &parts.run, &cli->err);
    if (st == STJ_OK)
        stj_run_set_memory(parts.run, cli->args.shared.memory);
    if (st == STJ_OK && prints_now(cli, &parts))
        st = stj_report_train(stdout, cli->format, parts.run, &cli->err);
    for (size_t i = 0; st == STJ_OK && *exit_status != CLI_INTERRUPTED && i < ANALYSES_MAX &&
                       stj_run_get_analysis(parts.run, i, &name);
         i++)
        st = analyse(cli, name, &parts, exit_status);
    cli_progress_end();
    if (st == STJ_OK && *exit_status != CLI_INTERRUPTED)
        st = report(cli, &parts);
    if (st == STJ_OK && tell && cli->format == STJ_REPORT_JSON)
        st = stj_report_run(stdout, cli->format, parts.run, parts.n, parts.result, &cli->err);
    for (size_t i = 0; i < parts.n; i++)
        stj_result_destroy(parts.result[i]);
    *run = parts.run;
    return st;
}

static int run(struct cli *cli, const void *options)
{
    const struct cli_train_options *o = options;
    struct stj_run *run = NULL;
    int exit_status = CLI_DONE;
    const enum stj_status st = cli_run_into(cli, cli->args.positional[0], o->output,
                                            cli_train_settings(cli, o), true, &run, &exit_status);
    stj_run_destroy(run);
    return st == STJ_OK ? exit_status : cli_failed(st);
}

const struct command command_run = {
    .name = "run",
    .summary = "train, run the analyses of the config, write the report",
    .positional = "CONFIG -o RUN",
    .min_positional = 1,
    .max_positional = 1,
    .description =
        "Train as CONFIG says, unless RUN already holds that training.  Then run each analysis in\n"
        "its 'analysis' group whose result is not stored yet, and write report.html.\n",
    .shared = ARGS_CONFIG_SEED | ARGS_SET | ARGS_THREADS | ARGS_RANKS | ARGS_MEMORY | ARGS_FORCE,
    .options = cli_train_rows,
    .options_size = sizeof(struct cli_train_options),
    .unconverged = "fewer pairs than asked for have converged",
    .kept = "complete results are kept",
    .example = "  spectraj run digits.yaml -o digits-run\n"
               "  spectraj run digits.yaml --set training.learning_rate.peak=0.3 -o fast\n",
    .run = run,
};
