/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cli/study.c: spectraj study: experiments on a run.
 *
 * The library says which studies there are and what their options are; a command of its own is made
 * for the study that the command line names, so that parsing and help are those of any command.
 */
#include "cli.h"

#include <string.h>

enum { OPTIONS_MAX = 24, STUDIES_MAX = 32, NAME_MAX_BYTES = 64, DOC_MAX_BYTES = 400 };

/* What was given: a text, or a flag; NULL and false are left to the library. */
struct study_options {
    const char *text[OPTIONS_MAX];
    bool flag[OPTIONS_MAX];
};

/* The command of one study.  There is one, since a process runs one command. */
static struct {
    struct command command;
    char name[NAME_MAX_BYTES];
    const char *study;
    struct args_option row[OPTIONS_MAX + 1];
    char doc[OPTIONS_MAX][DOC_MAX_BYTES];
    size_t n;
} special;

static void list_studies(FILE *out)
{
    struct stj_study_about about;
    for (size_t i = 0; stj_study_get(i, &about); i++)
        fprintf(out, "  %-18s %s\n", about.name, about.doc);
}

/* The options that were given, as the library wants them. */
static size_t gather(const struct study_options *o, struct stj_study_setting *setting)
{
    size_t n = 0;
    for (size_t i = 0; i < special.n; i++) {
        if (o->text[i])
            setting[n++] = (struct stj_study_setting){special.row[i].name, o->text[i]};
        else if (o->flag[i])
            setting[n++] = (struct stj_study_setting){special.row[i].name, "true"};
    }
    return n;
}

static enum stj_status work(struct cli *cli, struct stj_run *run, const void *options,
                            int *exit_status)
{
    struct stj_study_setting setting[OPTIONS_MAX];
    const struct stj_study_settings settings = {.n = gather(options, setting),
                                                .setting = setting,
                                                .seed = cli_seed(cli),
                                                .progress = cli->progress};
    const struct stj_analysis_settings analysis = cli_analysis_settings(cli);
    struct stj_study_result *result = NULL;
    struct stj_run *other = NULL;
    bool stored = false;
    enum stj_status st = STJ_OK;
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

static int study(struct cli *cli, const void *options)
{
    return cli_on_run(cli, options, work);
}

/* Row i of the study's command. */
static void make_row(size_t i, const struct stj_study_option *option)
{
    const bool has_default = option->value && option->fallback[0];
    snprintf(special.doc[i], sizeof special.doc[i], "%s%s%s%s", option->doc,
             has_default ? " (default: " : "", has_default ? option->fallback : "",
             has_default ? ")" : "");
    special.row[i] = (struct args_option){
        .name = option->name,
        .type = option->value ? ARGS_TEXT : ARGS_FLAG,
        .offset = option->value ? offsetof(struct study_options, text) + i * sizeof(char *)
                                : offsetof(struct study_options, flag) + i * sizeof(bool),
        .metavar = option->value,
        .doc = special.doc[i]};
}

static const struct command *make_command(const struct stj_study_about *about)
{
    struct stj_study_option option;
    special.study = about->name;
    snprintf(special.name, sizeof special.name, "study %s", about->name);
    for (special.n = 0;
         special.n < OPTIONS_MAX && stj_study_get_option(about->name, special.n, &option);
         special.n++)
        make_row(special.n, &option);
    special.command = command_study;
    special.command.name = special.name;
    special.command.summary = about->doc;
    special.command.positional = about->two_runs ? "RUN RUN2" : "RUN";
    special.command.min_positional = special.command.max_positional = about->two_runs ? 2 : 1;
    special.command.description = about->description;
    special.command.example = about->example;
    special.command.options = special.row;
    special.command.options_size = sizeof(struct study_options);
    special.command.specialize = NULL;
    special.command.list_title = NULL;
    special.command.run = study;
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
    const char *names[STUDIES_MAX];
    struct stj_study_about about;
    const char *word = cli->args.positional[0];
    size_t n = 0;
    (void)options;
    if (strcmp(word, "help") == 0) {
        list_studies(stdout);
        return CLI_DONE;
    }
    for (; n < STUDIES_MAX && stj_study_get(n, &about); n++)
        names[n] = about.name;
    const char *near = args_nearest(word, names, n);
    if (near)
        stj_error_set(&cli->err, STJ_EINVAL, __FILE__, __LINE__,
                      "there is no study '%s'; did you mean '%s'?", word, near);
    else
        stj_error_set(&cli->err, STJ_EINVAL, __FILE__, __LINE__,
                      "there is no study '%s' (spectraj study help lists them)", word);
    return CLI_ERROR;
}

const struct command command_study = {
    .name = "study",
    .summary = "the paper's experiments on a run",
    .positional = "NAME RUN [RUN2]",
    .min_positional = 1,
    .max_positional = 3,
    .description =
        "Do the experiment NAME and keep its numbers in RUN/study-NAME.h5.  'spectraj study help'\n"
        "lists the studies, 'spectraj study NAME --help' says what one of them does and which\n"
        "options it has.  Singular vectors are those of RUN/dense.h5, else of RUN/svd.h5.  Asking\n"
        "the same again prints what is stored; an interrupted study goes on where it was.\n",
    .shared = ARGS_USES_SEED | ARGS_THREADS | ARGS_RANKS | ARGS_MEMORY | ARGS_TAG | ARGS_FORCE,
    .specialize = specialize,
    .list_title = "Studies",
    .list = list_studies,
    .example = "  spectraj study help\n"
               "  spectraj study alignment digits-run\n"
               "  spectraj plot digits-run alignment\n",
    .run = without_study,
};
