/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cli/study.c: spectraj study: experiments on a run.
 *
 * The library says which studies there are and what their options are; a command of its own is made
 * for the study that the command line names, so that parsing and help are those of any command.
 */
#include "cli.h"

#include <string.h>

enum { NAME_MAX_BYTES = 64 };

/* The command of one study.  There is one, since a process runs one command. */
static struct {
    struct command command;
    char name[NAME_MAX_BYTES];
    const char *study;
} special;

static bool get_study(size_t i, const char **name, const char **doc)
{
    struct stj_study_about about;
    if (!stj_study_get(i, &about))
        return false;
    *name = about.name;
    *doc = about.doc;
    return true;
}

static enum stj_status study_work(struct cli *cli, struct stj_run *run, const void *options,
                                  int *exit_status)
{
    const struct stj_study_settings settings = {.n = cli->args.n_given,
                                                .setting = cli->args.given,
                                                .seed = cli_seed(cli),
                                                .progress = cli->progress};
    const struct stj_analysis_settings analysis = cli_analysis_settings(cli);
    struct stj_study_result *result = NULL;
    struct stj_run *other = NULL;
    bool stored = false;
    enum stj_status st = STJ_OK;
    (void)options;
    (void)exit_status;
    if (cli->args.n_positional > 1)
        st = stj_run_open(cli->args.positional[1], &other, &cli->err);
    if (st == STJ_OK)
        st = stj_analysis_study(run, other, special.study, &settings, &analysis, &result, &stored,
                                &cli->err);
    cli_progress_end();
    if (st == STJ_OK)
        st = stj_report_study(stdout, cli->format, result, &cli->err);
    stj_study_result_destroy(result);
    stj_run_destroy(other);
    return st;
}

static const struct command *make_command(const struct stj_study_about *about)
{
    special.study = about->name;
    snprintf(special.name, sizeof special.name, "study %s", about->name);
    special.command = command_study;
    special.command.name = special.name;
    special.command.summary = about->doc;
    special.command.positional = about->two_runs ? "RUN RUN2" : "RUN";
    special.command.min_positional = special.command.max_positional = about->two_runs ? 2 : 1;
    special.command.description = about->description;
    special.command.example = about->example;
    special.command.options = stj_study_options(about->name);
    special.command.specialize = NULL;
    special.command.list_title = NULL;
    special.command.run = NULL;
    special.command.work = study_work;
    return &special.command;
}

static const struct command *specialize(const char *word)
{
    struct stj_study_about about;
    for (size_t i = 0; stj_study_get(i, &about); i++)
        if (strcmp(about.name, word) == 0)
            return make_command(&about);
    return NULL;
}

/* The command line names no study, or one that there is not. */
static int without_study(struct cli *cli, const void *options)
{
    const char *word = cli->args.positional[0];
    (void)options;
    if (strcmp(word, "help") == 0) {
        args_print_names(stdout, get_study);
        return CLI_DONE;
    }
    args_no_such("study", word, get_study, "spectraj study help", &cli->err);
    return CLI_ERROR;
}

const struct command command_study = {
    .name = "study",
    .summary = "repeat one of the paper's experiments on a run",
    .positional = "NAME RUN [RUN2]",
    .min_positional = 1,
    .max_positional = 3,
    .description =
        "Perform the experiment NAME and store its numbers in RUN/study-NAME.h5.  'spectraj study\n"
        "help' lists the studies; 'spectraj study NAME --help' describes one of them and its\n"
        "options.  Singular vectors come from RUN/dense.h5, else from RUN/svd.h5.  Repeating a\n"
        "command prints the stored result, or continues an interrupted study.\n",
    .shared = ARGS_USES_SEED | ARGS_THREADS | ARGS_RANKS | ARGS_MEMORY | ARGS_TAG | ARGS_FORCE,
    .specialize = specialize,
    .list_title = "Studies",
    .list = get_study,
    .kept = "what was finished is kept beside the results of the run",
    .example = "  spectraj study help\n"
               "  spectraj study alignment digits-run\n"
               "  spectraj plot digits-run alignment\n",
    .run = without_study,
};
