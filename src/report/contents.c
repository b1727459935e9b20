/* SPDX-License-Identifier: GPL-3.0-or-later */
/* report/contents.c: gathering what `info` tells of a run. */
#include "report/contents.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"

static bool is_result(const char *name)
{
    static const char *const starts[] = {"svd", "dense", "density", "trace-", "study-"};
    size_t length = strlen(name);
    if (length < 4 || strcmp(name + length - 3, ".h5") != 0)
        return false;
    for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++) {
        if (strncmp(name, starts[i], strlen(starts[i])) == 0)
            return true;
    }
    return false;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static enum stj_status list_results(const char *dir, struct stj_contents *c, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    DIR *folder = opendir(dir);
    STJ_CHECK(err, folder, STJ_EIO, "%s: %s", dir, strerror(errno));
    for (const struct dirent *entry = readdir(folder); entry; entry = readdir(folder)) {
        if (!is_result(entry->d_name))
            continue;
        STJ_TRY(stj_resize(&c->result, c->n_results, c->n_results + 1, sizeof *c->result, err));
        STJ_TRY(stj_strdup(&c->result[c->n_results], entry->d_name, err));
        c->n_results++;
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
        STJ_TRY(list_results(c->info.dir, c, err));
out:
    return st;
}

void stj_contents_free(struct stj_contents *contents)
{
    for (size_t i = 0; i < contents->n_results; i++)
        free(contents->result[i]);
    free(contents->result);
    free(contents->parameter);
    free(contents->layer);
}
