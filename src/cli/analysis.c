/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cli/analysis.c: a command for each analysis of the library, made from what the library says of
 * it. */
#include "cli.h"

#include <spectraj/option.h>

#include <stdio.h>
#include <string.h>

enum { ANALYSES_MAX = 32, NUMBER_MAX = 24 };

int cli_result_exit(const struct stj_result *result)
{
    bool interrupted = false;
    if (stj_result_is_complete(result, &interrupted))
        return CLI_DONE;
    return interrupted ? CLI_INTERRUPTED : CLI_NOT_CONVERGED;
}

/* The options that all analyses have, where they were given. */
static enum stj_status set_shared(const struct args_shared *s, struct stj_request *request,
                                  struct stj_error *err)
{
    char from[NUMBER_MAX], to[NUMBER_MAX], memory[NUMBER_MAX];
    snprintf(from, sizeof from, "%zu", s->from);
    snprintf(to, sizeof to, "%zu", s->to);
    snprintf(memory, sizeof memory, "%zu", s->memory);
    const struct stj_option_pair pair[] = {
        {"from", from},
        {"to", s->to ? to : NULL},
        {"layers", s->layers},
        {"state", s->state ? "full" : NULL},
        {"tag", s->tag},
        {"force", s->force ? "true" : NULL},
        {"memory", s->memory ? memory : NULL},
    };
    enum stj_status st = STJ_OK;
    for (size_t i = 0; st == STJ_OK && i < sizeof pair / sizeof pair[0]; i++)
        if (pair[i].text)
            st = stj_request_set(request, pair[i].name, pair[i].text, err);
    return st;
}

static enum stj_status work(struct cli *cli, struct stj_run *run, const void *options,
                            int *exit_status)
{
    struct stj_request *request = NULL;
    struct stj_result *result = NULL;
    enum stj_status st = stj_request_create(cli->command->name, &request, &cli->err);
    (void)options;
    if (st == STJ_OK)
        st = set_shared(&cli->args.shared, request, &cli->err);
    for (size_t i = 0; st == STJ_OK && i < cli->args.n_given; i++)
        st = stj_request_set(request, cli->args.given[i].name, cli->args.given[i].text, &cli->err);
    if (st == STJ_OK)
        st = stj_analyse(run, request, &cli->progress, &result, &cli->err);
    cli_progress_end();
    if (st == STJ_OK)
        st = stj_report_result(stdout, cli->format, result, &cli->err);
    if (st == STJ_OK)
        *exit_status = cli_result_exit(result);
    if (st == STJ_OK && stj_result_to_go_on(result))
        cli_complain("%s was interrupted; %s", cli->command->name, stj_result_to_go_on(result));
    stj_result_destroy(result);
    stj_request_destroy(request);
    return st;
}

const struct command *cli_analysis_command(size_t i)
{
    static struct command command[ANALYSES_MAX];
    struct stj_analysis_about about;
    if (i >= ANALYSES_MAX || !stj_analysis_get(i, &about))
        return NULL;
    command[i] = (struct command){.name = about.name,
                                  .summary = about.doc,
                                  .positional = "RUN",
                                  .min_positional = 1,
                                  .max_positional = 1,
                                  .description = about.description,
                                  .shared = ARGS_THREADS | ARGS_RANKS | ARGS_MEMORY | ARGS_TAG |
                                            ARGS_FORCE | ARGS_WINDOW,
                                  .options = about.options,
                                  .example = about.example,
                                  .unconverged = about.unconverged,
                                  .work = work};
    return &command[i];
}
