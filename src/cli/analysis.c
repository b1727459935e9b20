/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cli/analysis.c: a command for each analysis of the library, made from what the library says of
 * it. */
#include "cli.h"

#include <spectraj/option.h>

#include <stdio.h>
#include <stdlib.h>
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
    static const char *const precision[] = {NULL, "single", "mixed"};
    const struct stj_option_pair pair[] = {
        {"from", from},
        {"to", s->to ? to : NULL},
        {"layers", s->layers},
        {"state", s->state ? "full" : NULL},
        {"precision", precision[s->precision]},
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

/* What --at asks for must be clear before anything is computed. */
static enum stj_status check_at(const struct args_shared *s, struct stj_run *run,
                                struct stj_error *err)
{
    struct stj_run_info info;
    stj_run_get_info(run, &info);
    const size_t end = s->to_end && s->to ? s->to : info.n_steps;
    if (s->to_end && s->at.n == 0)
        return stj_error_set(err, STJ_EINVAL, __FILE__, __LINE__,
                             "--to-end is about the steps of --at: give these too");
    if (s->at.n > 0 && s->tag)
        return stj_error_set(
            err, STJ_EINVAL, __FILE__, __LINE__,
            "--at and --tag exclude each other: each window has a name of its own");
    if (s->at.n > 0 && (s->to_end ? s->from : s->to))
        return stj_error_set(err, STJ_EINVAL, __FILE__, __LINE__,
                             "--at says where the windows %s: leave out %s",
                             s->to_end ? "begin" : "end", s->to_end ? "--from" : "--to");
    for (size_t i = 0; i < s->at.n; i++) {
        const size_t t = s->at.item[i];
        if (s->to_end ? t >= end : t <= s->from || t > end)
            return stj_error_set(err, STJ_EINVAL, __FILE__, __LINE__,
                                 "--at: step %zu must be %s %zu and %s %zu", t,
                                 s->to_end ? "at least" : "above", s->to_end ? 0 : s->from,
                                 s->to_end ? "below" : "at most", end);
    }
    return STJ_OK;
}

/* *request <- what is asked for, of the window at step number i of --at where that is given. */
static enum stj_status make_request(const struct cli *cli, size_t i, struct stj_request **request,
                                    struct stj_error *err)
{
    struct args_shared s = cli->args.shared;
    enum stj_status st = stj_request_create(cli->command->name, request, err);
    if (i < s.at.n && s.to_end)
        s.from = s.at.item[i];
    else if (i < s.at.n)
        s.to = s.at.item[i];
    if (st == STJ_OK)
        st = set_shared(&s, *request, err);
    for (size_t k = 0; st == STJ_OK && k < cli->args.n_given; k++)
        st = stj_request_set(*request, cli->args.given[k].name, cli->args.given[k].text, err);
    return st;
}

/* One window; the exit status is the worst of all. */
static enum stj_status analyse(struct cli *cli, struct stj_run *run, size_t i,
                               struct stj_result **result, int *exit_status)
{
    struct stj_request *request = NULL;
    enum stj_status st = make_request(cli, i, &request, &cli->err);
    if (st == STJ_OK)
        st = stj_analyse(run, request, &cli->progress, result, &cli->err);
    cli_progress_end();
    if (st == STJ_OK && cli_result_exit(*result) != CLI_DONE && *exit_status != CLI_INTERRUPTED)
        *exit_status = cli_result_exit(*result);
    stj_request_destroy(request);
    return st;
}

static enum stj_status report(struct cli *cli, size_t n, struct stj_result *const *result)
{
    enum stj_status st = cli->args.shared.at.n
                             ? stj_report_windows(stdout, cli->format, n, result, &cli->err)
                             : stj_report_result(stdout, cli->format, result[0], &cli->err);
    for (size_t i = 0; st == STJ_OK && i < n; i++)
        if (stj_result_to_go_on(result[i]))
            cli_complain("%s was interrupted; %s", cli->command->name,
                         stj_result_to_go_on(result[i]));
    return st;
}

static enum stj_status analysis_work(struct cli *cli, struct stj_run *run, const void *options,
                                     int *exit_status)
{
    const size_t n = cli->args.shared.at.n ? cli->args.shared.at.n : 1;
    struct stj_result **result = calloc(n, sizeof *result);
    enum stj_status st = STJ_OK;
    size_t done = 0;
    (void)options;
    if (!result)
        st = stj_error_set(&cli->err, STJ_ENOMEM, __FILE__, __LINE__,
                           "out of memory for %zu results", n);
    if (st == STJ_OK)
        st = check_at(&cli->args.shared, run, &cli->err);
    while (st == STJ_OK && done < n && *exit_status != CLI_INTERRUPTED) {
        st = analyse(cli, run, done, &result[done], exit_status);
        done++;
    }
    if (st == STJ_OK)
        st = report(cli, done, result);
    for (size_t i = 0; result && i < n; i++)
        stj_result_destroy(result[i]);
    free(result);
    return st;
}

/* Has the analysis an option `at` of its own? */
static bool has_at(const struct stj_option *option)
{
    for (; option && option->name; option++)
        if (strcmp(option->name, "at") == 0)
            return true;
    return false;
}

const struct command *cli_analysis_command(size_t i)
{
    static struct command command[ANALYSES_MAX];
    struct stj_analysis_about about;
    if (i >= ANALYSES_MAX || !stj_analysis_get(i, &about))
        return NULL;
    command[i] =
        (struct command){.name = about.name,
                         .summary = about.doc,
                         .positional = "RUN",
                         .min_positional = 1,
                         .max_positional = 1,
                         .description = about.description,
                         .shared = ARGS_THREADS | ARGS_RANKS | ARGS_MEMORY | ARGS_TAG | ARGS_FORCE |
                                   ARGS_WINDOW | (has_at(about.options) ? 0 : ARGS_AT),
                         .options = about.options,
                         .example = about.example,
                         .unconverged = about.unconverged,
                         .work = analysis_work};
    return &command[i];
}
