/* SPDX-License-Identifier: GPL-3.0-or-later */
/* report/contents.c: gathering what `info` tells of a run. */
#include "report/contents.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/analysis.h"
#include "analysis/result_file.h"
#include "analysis/store.h"
#include "base/error.h"
#include "base/memory.h"
#include "io/file.h"

static bool begins_with(const char *name, const char *word)
{
    const size_t n = strlen(word);
    return strncmp(name, word, n) == 0 && (name[n] == '-' || name[n] == '.');
}

static bool is_result(const char *name)
{
    const size_t length = strlen(name);
    if (length < 4 || strcmp(name + length - 3, ".h5") != 0)
        return false;
    for (size_t i = 0; stj_analyses.list[i]; i++)
        if (begins_with(name, stj_analyses.list[i]->name))
            return true;
    return begins_with(name, "study");
}

/* A text that is not there, or that says so. */
static enum stj_status read_text(struct stj_h5 *file, const char *name, char **text,
                                 struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    if (!stj_h5_has(file, name))
        goto out;
    STJ_TRY(stj_h5_get_text(file, name, text, err));
    if (strcmp(*text, stj_no_text) == 0) {
        free(*text);
        *text = NULL;
    }
out:
    return st;
}

/* about <- what the file says of itself; all its bytes are compared with their checksum. */
static enum stj_status describe_result(const struct stj_run_info *info, const char *name,
                                       struct stj_contents_result *about, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct stj_h5 *file = NULL;
    char *path = NULL;
    char *fingerprint = NULL;
    STJ_TRY(stj_strdup(&about->name, name, err));
    STJ_TRY(stj_path_join(info->dir, name, &path, err));
    STJ_TRY(stj_h5_open(path, &stj_any_result_format, &file, err));
    STJ_TRY(stj_h5_get_text(file, "@fingerprint", &fingerprint, err));
    STJ_CHECK(err, strcmp(fingerprint, info->fingerprint) == 0, STJ_EMISMATCH,
              "%s: is a result of the run with fingerprint %s, this run has %s; compute it again "
              "with --force",
              path, fingerprint, info->fingerprint);
    STJ_TRY(read_text(file, "@request", &about->request, err));
    STJ_TRY(read_text(file, "@command", &about->command, err));
    STJ_TRY(read_text(file, "@created", &about->created, err));
    STJ_TRY(read_text(file, "@spectraj", &about->version, err));
    STJ_TRY(read_text(file, "@source", &about->source, err));
    STJ_TRY(read_text(file, "layers", &about->layers, err));
out:
    stj_h5_close(file);
    free(fingerprint);
    free(path);
    return st;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const struct stj_contents_result *)a)->name,
                  ((const struct stj_contents_result *)b)->name);
}

static enum stj_status list_results(struct stj_contents *c, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    DIR *folder = opendir(c->info.dir);
    STJ_CHECK(err, folder, STJ_EIO, "%s: %s", c->info.dir, strerror(errno));
    for (const struct dirent *entry = readdir(folder); entry; entry = readdir(folder)) {
        if (!is_result(entry->d_name))
            continue;
        STJ_TRY(stj_resize(&c->result, c->n_results, c->n_results + 1, sizeof *c->result, err));
        STJ_TRY(describe_result(&c->info, entry->d_name, &c->result[c->n_results++], err));
    }
    if (c->n_results > 1)
        qsort(c->result, c->n_results, sizeof *c->result, compare_names);
out:
    if (folder)
        closedir(folder);
    return st;
}

enum stj_status stj_contents_of(const struct stj_run *run, struct stj_contents *contents,
                                struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct stj_contents *c = contents;
    struct stj_run_parameter parameter;
    size_t n = 0;
    *c = (struct stj_contents){.n_layers = 0};
    stj_run_get_info(run, &c->info);
    STJ_TRY(stj_run_storage(run, 0, 0, 0, 1, &c->storage, err));
    while (stj_run_get_parameter(run, n, &parameter))
        n++;
    STJ_TRY(stj_new(&c->layer, c->info.n_layers, sizeof *c->layer, err));
    STJ_TRY(stj_new(&c->parameter, n, sizeof *c->parameter, err));
    while (c->n_layers < c->info.n_layers &&
           stj_run_get_layer(run, c->n_layers, &c->layer[c->n_layers]))
        c->n_layers++;
    while (c->n_parameters < n &&
           stj_run_get_parameter(run, c->n_parameters, &c->parameter[c->n_parameters]))
        c->n_parameters++;
    if (c->info.dir)
        STJ_TRY(list_results(c, err));
out:
    return st;
}

static void free_result(struct stj_contents_result *r)
{
    char *const text[] = {r->name,    r->request, r->command, r->created,
                          r->version, r->source,  r->layers};
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
