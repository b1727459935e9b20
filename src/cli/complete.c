/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cli/complete.c: what may stand at the cursor: `spectraj help --complete WORD...`, whose last word is
 * the one that is being typed.  The scripts of the shells ask this; where nothing is printed they
 * offer files.
 */
#include "cli.h"
#include "manual.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

/* The line so far, and the word that is being typed: `typed` is what of it is compared, behind the
 * last comma of a list, and `before` what stands in front of that. */
struct line {
    const struct command *command;
    char **word;
    size_t n; /* words between the command and the one that is typed */
    const char *typed, *before;
    int n_before;
    const struct stj_option *option; /* whose value is typed; NULL: none */
    const char *positional[2];
    size_t n_positional;
};

static void offer(const struct line *line, const char *prefix, const char *name)
{
    char whole[ARGS_NAME_MAX + 4];
    snprintf(whole, sizeof whole, "%s%s", prefix, name);
    if (strncmp(whole, line->typed, strlen(line->typed)) == 0)
        printf("%.*s%s\n", line->n_before, line->before, whole);
}

static void offer_names(const struct line *line, stj_names_fn names)
{
    const char *name = NULL, *doc = NULL;
    for (size_t i = 0; names && names(i, &name, &doc); i++)
        offer(line, "", name);
}

/* The row of "--name" or "-k"; NULL: it is none. */
static const struct stj_option *find_row(const struct command *command, const char *word)
{
    const struct stj_option *row = NULL;
    char name[ARGS_NAME_MAX];
    for (size_t i = 0; word[0] == '-' && (row = args_row(command, i)); i++)
        if ((word[1] == '-' && strcmp(args_name(row, name), word + 2) == 0) ||
            (row->letter && word[1] == row->letter && !word[2]))
            return row;
    return NULL;
}

static void read_line(struct line *line)
{
    for (size_t i = 0; i < line->n; i++) {
        const struct stj_option *row = find_row(line->command, line->word[i]);
        const bool takes = row && stj_option_get_value(row);
        if (takes && i + 1 == line->n)
            line->option = row;
        i += takes;
        if (!row && line->word[i][0] != '-' && line->n_positional < 2)
            line->positional[line->n_positional++] = line->word[i];
    }
}

/* The results of a run by their files: whole names for export, else the tags of this command's, and
 * for plot those of any. */
static void offer_results(const struct line *line, bool tags)
{
    DIR *dir = line->n_positional ? opendir(line->positional[0]) : NULL;
    const char *name = line->command->name;
    const bool any = strcmp(name, "plot") == 0;
    char start[ARGS_NAME_MAX + 1];
    snprintf(start, sizeof start, "%.*s-", ARGS_NAME_MAX - 2, name);
    for (char *p = start; *p; p++)
        *p = *p == ' ' ? '-' : *p; /* study-NAME */
    for (struct dirent *entry = NULL; dir && (entry = readdir(dir));) {
        char *end = strrchr(entry->d_name, '.');
        if (!end || strcmp(end, ".h5") != 0 || strcmp(entry->d_name, "trajectory.h5") == 0)
            continue;
        *end = '\0';
        const char *dash = strchr(entry->d_name, '-');
        if (!tags)
            offer(line, "", entry->d_name);
        else if (any && dash)
            offer(line, "", dash + 1);
        else if (strncmp(entry->d_name, start, strlen(start)) == 0)
            offer(line, "", entry->d_name + strlen(start));
    }
    if (dir)
        closedir(dir);
}

/* The layers and tensors of a run. */
static void offer_parameters(const struct line *line, bool layers)
{
    struct stj_run *run = NULL;
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_run_layer layer;
    struct stj_run_parameter parameter;
    if (line->n_positional == 0 || stj_run_open(line->positional[0], &run, &err) != STJ_OK)
        return;
    for (size_t i = 0; layers && stj_run_get_layer(run, i, &layer); i++)
        if (layer.label && layer.n_params > 0)
            offer(line, "", layer.label);
    for (size_t i = 0; stj_run_get_parameter(run, i, &parameter); i++)
        offer(line, "", parameter.name);
    stj_run_destroy(run);
}

static void offer_value(const struct line *line)
{
    const char *name = NULL, *doc = NULL;
    const char *option = line->option->name;
    for (size_t i = 0; stj_option_get_name(line->option, i, &name, &doc); i++)
        offer(line, "", name);
    if (strcmp(option, "tag") == 0 || strcmp(option, "tags") == 0)
        offer_results(line, true);
    else if (strcmp(option, "layers") == 0 || strcmp(option, "tensor") == 0)
        offer_parameters(line, option[0] == 'l');
    else if (strcmp(option, "figure") == 0)
        offer_names(line, stj_report_figure);
}

static void offer_word(const struct line *line)
{
    const struct stj_option *row = NULL;
    char name[ARGS_NAME_MAX];
    if (line->option)
        offer_value(line);
    else if (line->typed[0] == '-')
        for (size_t i = 0; (row = args_row(line->command, i)); i++)
            offer(line, "--", args_name(row, name));
    else if (strcmp(line->command->name, "plot") == 0 && line->n_positional == 1)
        offer_names(line, stj_report_figure);
    else if (strcmp(line->command->name, "export") == 0 && line->n_positional == 1)
        offer_results(line, false);
    else if (line->n_positional == 0)
        offer_names(line, line->command->list); /* studies, examples */
}

void complete_print(const struct command *command, size_t n, char **word)
{
    struct line line = {.command = command, .word = word, .n = n - 1, .typed = word[n - 1]};
    const struct command *special =
        line.n > 0 && command->specialize ? command->specialize(word[0]) : NULL;
    if (special) {
        line.command = special;
        line.word++;
        line.n--;
    }
    read_line(&line);
    const char *comma = line.option ? strrchr(line.typed, ',') : NULL;
    if (comma) {
        line.before = line.typed;
        line.n_before = (int)(comma + 1 - line.typed);
        line.typed = comma + 1;
    }
    offer_word(&line);
}
