/* SPDX-License-Identifier: GPL-3.0-or-later */
/* report/contents.c: gathering what is told of a run. */
#include "report/contents.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "analysis/analysis.h"
#include "analysis/request.h"
#include "analysis/store.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"
#include "io/file.h"
#include "run/run_internal.h"
#include "study/study.h"

static bool begins_with(const char *name, const char *word)
{
    const size_t n = strlen(word);
    return strncmp(name, word, n) == 0 && (name[n] == '-' || name[n] == '.');
}

/* The plug-in, of this kind, whose results are called so; NULL: there is none. */
static const struct stj_plugin_info *maker(const struct stj_kind *kind, const char *name)
{
    for (size_t i = 0; kind->list[i]; i++)
        if (begins_with(name, kind->list[i]->name))
            return kind->list[i];
    return NULL;
}

static bool is_result(const char *name)
{
    const size_t length = strlen(name);
    return length > 3 && strcmp(name + length - 3, ".h5") == 0 &&
           (maker(&stj_analyses, name) || begins_with(name, "study"));
}

/* A text that is not there, or that says so. */
static enum stj_status read_text(struct stj_h5 *file, const char *name, char **text,
                                 struct stj_error *err)
{
    if (!stj_h5_has(file, name))
        return STJ_OK;
    STJ_MUST(stj_h5_get_text(file, name, text, err));
    if (strcmp(*text, stj_no_text) == 0) {
        free(*text);
        *text = NULL;
    }
    return STJ_OK;
}

/* A result of a run that was continued since is of the steps that the run had: its command says so. */
static enum stj_status end_command(const struct stj_run_info *info, struct stj_h5 *file,
                                   char **command, struct stj_error *err)
{
    STJ_FREED char *before = *command;
    size_t to = info->n_steps;
    if (before && stj_h5_has(file, "@to"))
        STJ_MUST(stj_h5_get_size(file, "@to", &to, err));
    if (!before || to == info->n_steps || strstr(before, " --to ")) {
        before = NULL;
        return STJ_OK;
    }
    const size_t bytes = strlen(before) + 32;
    *command = NULL;
    STJ_MUST(stj_new(command, bytes, 1, err));
    snprintf(*command, bytes, "%s --to %zu", before, to);
    return STJ_OK;
}

/* about <- what the file says of itself; all its bytes are compared with their checksum. */
static enum stj_status describe_result(const struct stj_run_info *info,
                                       struct stj_contents_result *about, struct stj_error *err)
{
    const struct stj_analysis *a = (const struct stj_analysis *)maker(&stj_analyses, about->name);
    STJ_HELD(stj_h5_close_at) struct stj_h5 *file = NULL;
    STJ_FREED char *path = NULL, *fingerprint = NULL;
    STJ_MUST(stj_path_join(info->dir, about->name, &path, err));
    STJ_MUST(stj_h5_open(path, &stj_any_result_format, &file, err));
    STJ_MUST(read_text(file, "@request", &about->request, err));
    STJ_MUST(read_text(file, "@command", &about->command, err));
    STJ_MUST(end_command(info, file, &about->command, err));
    STJ_MUST(read_text(file, "@created", &about->created, err));
    STJ_MUST(read_text(file, "@spectraj", &about->version, err));
    STJ_MUST(read_text(file, "@source", &about->source, err));
    STJ_MUST(read_text(file, "layers", &about->layers, err));
    STJ_MUST(read_text(file, "config_of_RUN2", &about->config2, err));
    STJ_MUST(stj_h5_get_text(file, "@fingerprint", &fingerprint, err));
    STJ_NEED(err, stj_run_has_made(info, fingerprint), STJ_EMISMATCH,
             "%s: is a result of the run with fingerprint %s, this run has %s; compute it again "
             "with --force",
             path, fingerprint, info->fingerprint);
    if (a)
        STJ_MUST(stj_schema_get_headline(file, a->schema, &about->headline, err));
    return STJ_OK;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const struct stj_contents_result *)a)->name,
                  ((const struct stj_contents_result *)b)->name);
}

bool stj_contents_next_source(const char **lines, struct stj_contents_source *source)
{
    const char *line = *lines;
    if (!line || !*line)
        return false;
    const size_t length = strcspn(line, "\n");
    const size_t name = strcspn(line, " \n");
    const char *command = line + name + (line[name] == ' ');
    command += strcspn(command, " \n");
    command += *command == ' ';
    *source = (struct stj_contents_source){
        line, command, name, (size_t)(line + length > command ? line + length - command : 0)};
    *lines = line + length + (line[length] == '\n');
    return true;
}

/* source->command <- the command that made the file, by a result that was made with its help. */
static bool find_command(const struct stj_contents *c, const char *name,
                         struct stj_contents_source *source)
{
    for (size_t i = 0; i < c->n_results; i++)
        for (const char *lines = c->result[i].source; stj_contents_next_source(&lines, source);)
            if (strlen(name) == source->file_length && source->command_length > 0 &&
                strncmp(name, source->file, source->file_length) == 0)
                return true;
    return false;
}

/* What follows the name of an analysis in that of its file: the option that is part of it, the
 * window, the state.  True: there is more, which may be options or a tag. */
static bool guess_options(FILE *out, const struct stj_analysis *a, const char *rest)
{
    size_t from = 0, to = 0;
    int n = 0;
    const struct stj_option *row = a->name_option ? a->info.options : NULL;
    while (row && strcmp(row->name, a->name_option) != 0)
        row++;
    for (size_t i = 0; row && row->choices[i]; i++)
        if (*rest == '-' && begins_with(rest + 1, row->choices[i])) {
            stj_command_option(out, row->name, row->choices[i]);
            rest += 1 + strlen(row->choices[i]);
            break;
        }
    if (sscanf(rest, "-%zu-%zu%n", &from, &to, &n) == 2 && strchr("-.", rest[n])) {
        fprintf(out, " --from %zu --to %zu", from, to);
        rest += n;
    }
    if (begins_with(rest, "-full")) {
        fputs(" --state full", out);
        rest += strlen("-full");
    }
    return strcmp(rest, ".h5") != 0;
}

/* What the name of a file says of the command that made it; true: there is more that it does not
 * say. */
static bool guess_command(FILE *out, const char *name)
{
    const struct stj_plugin_info *info = maker(&stj_analyses, name);
    const struct stj_study_ops *study = NULL;
    if (info) {
        fprintf(out, "spectraj %s RUN", info->name);
        return guess_options(out, (const struct stj_analysis *)info, name + strlen(info->name));
    }
    if ((info = maker(&stj_studies, name + strlen("study-"))))
        study = stj_study_find_ops(info->name);
    fprintf(out, "spectraj study %s RUN%s", info ? info->name : "NAME",
            study && study->two_runs ? " RUN2" : "");
    return true;
}

/* What is wrong with a file ends with "... with --force": and that is the command. */
static enum stj_status say_command(const struct stj_contents *c, struct stj_contents_result *r,
                                   struct stj_error *err)
{
    struct stj_contents_source source;
    STJ_FREED char *command = NULL, *line = NULL;
    STJ_HELD(stj_text_drop) struct stj_text_output out = {0};
    bool more = false;
    STJ_MUST(stj_text_open(&out, err));
    if (r->command)
        fputs(r->command, out.file);
    else if (find_command(c, r->name, &source))
        fprintf(out.file, "%.*s", (int)source.command_length, source.command);
    else
        more = guess_command(out.file, r->name);
    STJ_MUST(stj_text_take(&out, &command, err));
    STJ_MUST(stj_command_text(command, c->info.dir, &line, err));
    const struct stj_error was = r->trouble;
    stj_error_clear(&r->trouble);
    stj_error_set(&r->trouble, was.code, was.file, was.line, "%s: %s --force%s", was.text, line,
                  more ? ", with the options or the tag that it had" : "");
    return STJ_OK;
}

static enum stj_status add_result(struct stj_contents *c, const char *name, struct stj_error *err)
{
    STJ_MUST(stj_resize(&c->result, c->n_results, c->n_results + 1, sizeof *c->result, err));
    struct stj_contents_result *r = &c->result[c->n_results++];
    STJ_MUST(stj_strdup(&r->name, name, err));
    (void)describe_result(&c->info, r, &r->trouble);
    return STJ_OK;
}

enum stj_status stj_contents_list(struct stj_contents *c, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    DIR *folder = opendir(c->info.dir);
    STJ_CHECK(err, folder, STJ_EIO, "%s: %s", c->info.dir, strerror(errno));
    for (const struct dirent *entry = readdir(folder); entry; entry = readdir(folder))
        if (is_result(entry->d_name))
            STJ_TRY(add_result(c, entry->d_name, err));
    if (c->n_results > 1)
        qsort(c->result, c->n_results, sizeof *c->result, compare_names);
    for (size_t i = 0; i < c->n_results; i++) {
        const enum stj_status trouble = c->result[i].trouble.code;
        if (trouble == STJ_EFORMAT || trouble == STJ_EMISMATCH)
            STJ_TRY(say_command(c, &c->result[i], err));
    }
out:
    if (folder)
        closedir(folder);
    return st;
}

void stj_contents_when(const char *dir, char when[STJ_LISTED_DATE_MAX])
{
    static const char *const name[] = {STJ_TRAJECTORY_NAME, STJ_TRAINING_JOURNAL};
    struct stat info;
    struct tm utc;
    when[0] = '\0';
    for (size_t i = 0; i < 2 && !when[0]; i++) {
        STJ_FREED char *path = NULL;
        if (stj_path_join(dir, name[i], &path, NULL) == STJ_OK && stat(path, &info) == 0 &&
            gmtime_r(&info.st_mtime, &utc))
            strftime(when, STJ_LISTED_DATE_MAX, "%Y-%m-%dT%H:%M:%SZ", &utc);
    }
}

enum stj_status stj_contents_of(const struct stj_run *run, struct stj_contents *contents,
                                struct stj_error *err)
{
    struct stj_contents *c = contents;
    struct stj_run_parameter parameter;
    size_t n = 0, n_frozen = 0;
    *c = (struct stj_contents){.n_layers = 0};
    stj_run_get_info(run, &c->info);
    STJ_MUST(stj_run_storage(run, 0, 0, 0, 1, &c->storage, err));
    while (stj_run_get_parameter(run, n, &parameter))
        n++;
    while (stj_run_get_frozen(run, n_frozen, &parameter))
        n_frozen++;
    STJ_MUST(stj_new(&c->layer, c->info.n_layers, sizeof *c->layer, err));
    STJ_MUST(stj_new(&c->parameter, n + n_frozen, sizeof *c->parameter, err));
    while (c->n_layers < c->info.n_layers &&
           stj_run_get_layer(run, c->n_layers, &c->layer[c->n_layers]))
        c->n_layers++;
    while (c->n_parameters < n &&
           stj_run_get_parameter(run, c->n_parameters, &c->parameter[c->n_parameters]))
        c->n_parameters++;
    for (size_t i = 0; i < n_frozen; i++)
        stj_run_get_frozen(run, i, &c->parameter[c->n_parameters++]);
    if (c->info.dir)
        STJ_MUST(stj_contents_list(c, err));
    for (size_t i = 0; i < c->n_results; i++)
        STJ_MUST(stj_error_pass(&c->result[i].trouble, err));
    return STJ_OK;
}

static void free_result(struct stj_contents_result *r)
{
    char *const text[] = {r->name,    r->request, r->command, r->created,
                          r->version, r->source,  r->layers,  r->config2};
    for (size_t i = 0; i < sizeof text / sizeof text[0]; i++)
        free(text[i]);
}

void stj_contents_free(struct stj_contents *contents)
{
    for (size_t i = 0; i < contents->n_results; i++)
        free_result(&contents->result[i]);
    free(contents->result);
    free(contents->parameter);
    free(contents->layer);
}
