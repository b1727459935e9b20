/* SPDX-License-Identifier: GPL-3.0-or-later */
/* report/list.c: the runs below some folders, and what is stored of each. */
#include <spectraj/report.h>

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/text.h"
#include "io/file.h"
#include "report/json.h"
#include "report/text.h"
#include "run/run_internal.h"

enum { DEPTH = 2 }; /* of folders below those that are given */

struct list {
    FILE *text;   /* NULL: JSON */
    json_t *runs; /* an array */
    struct stj_error *err;
};

/* ---- one run ---- */

static enum stj_status put_run(const struct list *l, const struct stj_listed_run *listed)
{
    enum stj_status st = STJ_OK;
    if (l->text) {
        stj_text_listed(l->text, listed);
        return st;
    }
    STJ_CHECK(l->err, json_array_append_new(l->runs, stj_json_listed(listed)) == 0, STJ_ENOMEM,
              "out of memory for the JSON report");
out:
    return st;
}

/* A folder that has begun to be a run; what is wrong with it is said in its place. */
static enum stj_status list_run(const struct list *l, const char *dir)
{
    enum stj_status st = STJ_OK;
    struct stj_run *run = NULL;
    struct stj_listed_run listed = {.contents.info.dir = dir};
    stj_contents_when(dir, listed.created);
    if (stj_run_open(dir, &run, &listed.trouble) == STJ_OK)
        stj_run_get_info(run, &listed.contents.info);
    STJ_TRY(stj_contents_list(&listed.contents, l->err));
    STJ_TRY(put_run(l, &listed));
out:
    stj_contents_free(&listed.contents);
    stj_run_destroy(run);
    return st;
}

/* ---- folders ---- */

static bool has_file(const char *dir, const char *name)
{
    char *path = NULL;
    const bool has = stj_path_join(dir, name, &path, NULL) == STJ_OK && stj_file_exists(path);
    free(path);
    return has;
}

static int is_shown(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static enum stj_status list_folder(const struct list *l, const char *dir, int depth);

/* One below those that are given may be a file, or may not be read, which is said in its place. */
static enum stj_status not_read(const struct list *l, const char *dir, int depth, int number)
{
    struct stj_listed_run listed = {.contents.info.dir = dir};
    if (depth == 0)
        return stj_file_failed(dir, "read", number, l->err);
    stj_file_failed(dir, "read", number, &listed.trouble);
    return number == ENOTDIR ? STJ_OK : put_run(l, &listed);
}

/* What lies in a folder, by name. */
static enum stj_status list_below(const struct list *l, const char *dir, int depth)
{
    enum stj_status st = STJ_OK;
    struct dirent **entry = NULL;
    char *path = NULL;
    const int n = scandir(dir, &entry, is_shown, alphasort);
    if (n < 0)
        return not_read(l, dir, depth, errno);
    for (int i = 0; i < n && depth < DEPTH; i++) {
        free(path);
        STJ_TRY(stj_path_join(strcmp(dir, ".") == 0 ? "" : dir, entry[i]->d_name, &path, l->err));
        STJ_TRY(list_folder(l, path, depth + 1));
    }
out:
    for (int i = 0; i < n; i++)
        free(entry[i]);
    free(entry);
    free(path);
    return st;
}

static enum stj_status list_folder(const struct list *l, const char *dir, int depth)
{
    if (has_file(dir, STJ_TRAJECTORY_NAME) || has_file(dir, STJ_TRAINING_JOURNAL))
        return list_run(l, dir);
    return list_below(l, dir, depth);
}

/* ---- all of them ---- */

static enum stj_status list_all(const struct list *l, size_t n, char *const *dir)
{
    for (size_t i = 0; i < n; i++)
        STJ_MUST(list_folder(l, dir[i], 0));
    return STJ_OK;
}

enum stj_status stj_report_list(FILE *out, enum stj_report_format format, size_t n,
                                char *const *dir, struct stj_error *err)
{
    STJ_NOT_NULL(err, out, dir);
    enum stj_status st = STJ_OK;
    json_t *whole = NULL;
    struct stj_text_output text;
    struct list l = {.err = err};
    for (size_t i = 0; i < n; i++) { /* before anything is read */
        STJ_NOT_NULL(err, dir[i]);
        STJ_CHECK(err, stj_file_exists(dir[i]), STJ_EIO, "%s: there is no such folder", dir[i]);
    }
    if (format != STJ_REPORT_JSON) {
        l.text = stj_text_begin(&text);
        st = l.text ? list_all(&l, n, dir) : STJ_OK;
        const enum stj_status ended = stj_text_end_rows(&text, out, err);
        return st == STJ_OK ? ended : st;
    }
    whole = json_pack("{s:i, s:[]}", "schema", STJ_JSON_SCHEMA, "runs");
    STJ_CHECK(err, whole, STJ_ENOMEM, "out of memory for the JSON report");
    l.runs = json_object_get(whole, "runs");
    STJ_TRY(list_all(&l, n, dir));
    STJ_TRY(stj_json_print(out, whole, err));
out:
    json_decref(whole);
    return st;
}
