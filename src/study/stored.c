/* SPDX-License-Identifier: GPL-3.0-or-later */
/* study/stored.c: studies of a run, computed or read from study-NAME.h5.
 *
 * The file holds the items under their names, and the data set `items`: a line "KIND NAME" for
 * each, in their order.  Single numbers and texts are attributes, vectors data sets.  The first
 * item of every result is n_params, which every result file has.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "io/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "analysis/request.h"
#include "analysis/result_file.h"
#include "analysis/store.h"
#include "study/stored_directions.h"
#include "run/folder/run_lock.h"
#include "run/memory_budget.h"
#include "study/study.h"

static const struct stj_h5_format study_format = {
    .name = "spectraj-study", .version = 1, .remedy = "compute it again with --force"};

static const char *const kind_name[STJ_STUDY_N_KINDS] = {"real",  "count",  "text",
                                                         "reals", "counts", "vectors"};

enum { FILE_NAME_BYTES = 64 };

/* Of products in it, more than is usual: beyond ten times that the check of them warns. */
static const double single_error = 1e-5;

/* A result in single precision is tagged so where it has no other tag. */
static bool in_single(const struct stj_study_settings *settings)
{
    bool single = false;
    for (size_t i = 0; i < settings->n; i++)
        if (strcmp(settings->setting[i].name, "precision") == 0)
            single = strcmp(settings->setting[i].text, "single") == 0;
    return single;
}

static const char *tag_of(const struct stj_study_settings *settings,
                          const struct stj_analysis_settings *analysis)
{
    return analysis->tag ? analysis->tag : in_single(settings) ? "single" : NULL;
}

static const char *name_of_file(const struct stj_study_ops *ops, char name[FILE_NAME_BYTES])
{
    snprintf(name, FILE_NAME_BYTES, "study-%s", ops->info.name);
    return name;
}

/* ---- the file ---- */

static bool is_attribute(enum stj_study_kind kind)
{
    return kind == STJ_STUDY_REAL || kind == STJ_STUDY_COUNT || kind == STJ_STUDY_TEXT;
}

/* The item's name in the file; the size of a vector as the attribute @NAME_n. */
enum { ITEM_NAME_BYTES = STJ_STUDY_NAME_MAX + 4 };
static const char *item_name(bool attribute, const char *name, const char *after,
                             char text[ITEM_NAME_BYTES])
{
    snprintf(text, ITEM_NAME_BYTES, "%s%s%s", attribute ? "@" : "", name, after);
    return text;
}

static enum stj_status put_item(struct stj_h5 *file, const struct stj_study_item *item,
                                struct stj_error *err)
{
    char name[ITEM_NAME_BYTES];
    item_name(is_attribute(item->kind), item->name, "", name);
    if (item->kind == STJ_STUDY_TEXT)
        return stj_h5_put_text(file, name, item->text ? item->text : "", err);
    if (is_attribute(item->kind))
        return stj_h5_put_real(file, name, item->value[0], err);
    STJ_MUST(stj_h5_put_vector(file, name, item->n, item->value, err));
    return stj_h5_put_unsigned(file, item_name(true, item->name, "_n", name), item->n, err);
}

static enum stj_status stored_put(struct stj_h5 *file, const struct stj_study_result *r,
                                  struct stj_error *err)
{
    STJ_FREED char *text = NULL;
    size_t used = 0;
    const size_t room = (r->n + 1) * (STJ_STUDY_NAME_MAX + 16);
    STJ_MUST(stj_new(&text, room, 1, err));
    for (size_t i = 1; i < r->n; i++) {
        const struct stj_study_item *item = &r->item[i];
        STJ_MUST(put_item(file, item, err));
        /* A text that is not there is told from an empty one by its kind. */
        used +=
            (size_t)snprintf(text + used, room - used, "%s%s %s\n", kind_name[item->kind],
                             item->kind == STJ_STUDY_TEXT && !item->text ? "?" : "", item->name);
    }
    return stj_h5_put_text(file, "items", text, err);
}

static enum stj_status get_vector(struct stj_h5 *file, const char *item, enum stj_study_kind kind,
                                  struct stj_study_result *r, struct stj_error *err)
{
    char name[ITEM_NAME_BYTES];
    STJ_FREED double *value = NULL;
    size_t n = 0;
    STJ_MUST(stj_h5_get_size(file, item_name(true, item, "_n", name), &n, err));
    STJ_MUST(stj_h5_expect(file, item, n, 1, err));
    STJ_MUST(stj_new(&value, n, sizeof *value, err));
    STJ_MUST(stj_h5_get_vector(file, item, n, value, err));
    return stj_study_put_item(r, kind, item, n, value, NULL, err);
}

static enum stj_status get_item(struct stj_h5 *file, const char *kind_text, const char *item,
                                struct stj_study_result *r, struct stj_error *err)
{
    char name[ITEM_NAME_BYTES];
    STJ_FREED char *text = NULL;
    double value = 0;
    int kind = 0;
    while (kind < STJ_STUDY_N_KINDS && strcmp(kind_name[kind], kind_text) != 0)
        kind++;
    if (strcmp(kind_text, "text?") == 0)
        return stj_study_put_item(r, STJ_STUDY_TEXT, item, 0, NULL, NULL, err);
    if (kind == STJ_STUDY_N_KINDS)
        return stj_h5_refuse(file, err, "has an item of the unknown kind \"%.40s\"", kind_text);
    if (!is_attribute((enum stj_study_kind)kind))
        return get_vector(file, item, (enum stj_study_kind)kind, r, err);
    item_name(true, item, "", name);
    if (kind == STJ_STUDY_TEXT)
        STJ_MUST(stj_h5_get_text(file, name, &text, err));
    else
        STJ_MUST(stj_h5_get_real(file, name, &value, err));
    return stj_study_put_item(r, (enum stj_study_kind)kind, item, kind != STJ_STUDY_TEXT, &value,
                              text, err);
}

/* *result <- what the file holds. */
static enum stj_status load(struct stj_h5 *file, const struct stj_study_ops *ops,
                            struct stj_study_result **result, struct stj_error *err)
{
    STJ_HELD(stj_study_result_destroy_at) struct stj_study_result *r = NULL;
    STJ_FREED char *items = NULL;
    size_t n_params = 0;
    STJ_MUST(stj_study_result_create(ops, &r, err));
    r->stored = true;
    STJ_MUST(stj_h5_get_size(file, "@n_params", &n_params, err));
    STJ_MUST(stj_study_put_count(r, n_params, err, "n_params"));
    STJ_MUST(stj_h5_get_real(file, "@seconds", &r->seconds, err));
    STJ_MUST(stj_h5_get_text(file, "items", &items, err));
    for (char *line = items; *line;) {
        char *end = line + strcspn(line, "\n");
        char *blank = line + strcspn(line, " \n");
        if (*blank != ' ' || *end != '\n')
            return stj_h5_refuse(file, err, "its list of items is malformed");
        *blank = *end = '\0';
        STJ_MUST(get_item(file, line, blank + 1, r, err));
        line = end + 1;
    }
    *result = r;
    r = NULL;
    return STJ_OK;
}

/* ---- a request ---- */

/* Everything of one call. */
struct call {
    const struct stj_study_ops *ops;
    struct stj_run_info info, other_info;
    void *config;
    struct stj_stored_directions directions, other_directions;
    char *request, *log_path;
    struct stj_place place;
    struct stj_log *log;
    struct stj_h5 *file;   /* being written */
    struct stj_lock *lock; /* NULL: the result is stored */
};

static void call_free(struct call *c)
{
    stj_h5_close(c->file);
    if (c->log && stj_log_n_records(c->log) == 0)
        stj_file_remove(c->log_path);
    stj_log_close(c->log);
    stj_lock_release(c->lock);
    stj_place_close(&c->place);
    stj_stored_directions_close(&c->directions);
    stj_stored_directions_close(&c->other_directions);
    if (c->ops)
        stj_options_free(c->ops->info.options, c->config);
    free(c->config);
    free(c->request);
    free(c->log_path);
}

/* The options, and what they must be to each other. */
static enum stj_status read_options(struct call *c, const struct stj_study_settings *settings,
                                    struct stj_error *err)
{
    const struct stj_plugin_info *info = &c->ops->info;
    STJ_MUST(stj_new(&c->config, 1, info->config_size, err));
    enum stj_status st =
        stj_options_parse_pairs(info->options, settings->n, settings->setting, c->config, err);
    if (st == STJ_OK && info->check)
        st = info->check(c->config, err);
    if (st != STJ_OK)
        stj_error_prefix(err, "study %s", info->name);
    return st;
}

/* c->request <- everything that the numbers depend on, as text. */
static enum stj_status describe(struct call *c, const struct stj_study_settings *settings,
                                struct stj_error *err)
{
    const struct stj_directions *d[] = {&c->directions.d, &c->other_directions.d};
    STJ_HELD(stj_text_drop) struct stj_text_output out = {0};
    STJ_MUST(stj_text_open(&out, err));
    fprintf(out.file, "study %s seed %ju\n", c->ops->info.name, (uintmax_t)settings->seed);
    if (c->info.n_steps != c->info.first_steps)
        fprintf(out.file, "of %zu steps\n", c->info.n_steps);
    if (c->other_info.fingerprint)
        fprintf(out.file, "with %s\n", c->other_info.fingerprint);
    for (size_t i = 0; i < 2; i++)
        if (d[i]->source)
            fprintf(out.file, "directions of %s: %s\n", d[i]->source, d[i]->request);
    stj_options_write(out.file, 0, c->ops->info.options, c->config);
    return stj_text_take(&out, &c->request, err);
}

static enum stj_status stored_prepare(struct call *c, struct stj_run *run, struct stj_run *other,
                                      const char *name, const struct stj_study_settings *settings,
                                      struct stj_error *err)
{
    const struct stj_plugin_info *found = NULL;
    STJ_MUST(stj_kind_find(&stj_studies, name, &found, err));
    c->ops = (const struct stj_study_ops *)found;
    STJ_NEED(err, c->ops->two_runs == (other != NULL), STJ_EINVAL,
             c->ops->two_runs ? "study %s compares two runs: name a second one"
                              : "study %s is of one run; a second one has no place",
             name);
    STJ_MUST(read_options(c, settings, err));
    if (c->ops->complete)
        STJ_MUST(c->ops->complete(run, c->config, err));
    stj_run_get_info(run, &c->info);
    if (other)
        stj_run_get_info(other, &c->other_info);
    const bool needed = c->ops->needs == STJ_STUDY_NEEDS_DIRECTIONS;
    STJ_NEED(err, !other || c->info.n_params == c->other_info.n_params, STJ_EMISMATCH,
             "study %s: %s has %zu parameters and %s has %zu: the runs must have equally many",
             name, c->info.dir, c->info.n_params, c->other_info.dir, c->other_info.n_params);
    const struct stj_study_where *where = c->ops->where ? c->ops->where(c->config) : NULL;
    const struct stj_run_part part = {.from = where ? where->at : 0,
                                      .layers = where ? where->layers : NULL};
    if (c->ops->needs != STJ_STUDY_NEEDS_NOTHING)
        STJ_MUST(stj_stored_directions_open(run, &part, needed, &c->directions, err));
    if (c->ops->needs != STJ_STUDY_NEEDS_NOTHING && other)
        STJ_MUST(stj_stored_directions_open(other, NULL, needed, &c->other_directions, err));
    return describe(c, settings, err);
}

/* The log of finished pieces beside the result file. */
static enum stj_status open_log(struct call *c, bool force, struct stj_error *err)
{
    STJ_FREED char *header = NULL;
    const char *format = "spectraj-study 1 %s\n%s";
    const size_t bytes = strlen(format) + strlen(c->info.fingerprint) + strlen(c->request);
    if (!c->ops->keeps_log)
        return STJ_OK;
    STJ_MUST(stj_new(&header, bytes, 1, err));
    snprintf(header, bytes, "spectraj-study 1 %s\n%s", c->info.fingerprint, c->request);
    STJ_MUST(stj_journal_path(c->place.path, NULL, &c->log_path, err));
    if (force && stj_file_exists(c->place.path))
        stj_file_remove(c->log_path); /* asked to compute again */
    return stj_log_open(c->log_path, header, &c->log, err);
}

static bool is_flag(const char *study, const char *name)
{
    const struct stj_option *option = stj_study_options(study);
    for (; option && option->name; option++)
        if (strcmp(option->name, name) == 0)
            return option->type == STJ_OPTION_BOOL;
    return false;
}

/* *command <- what makes the result. */
static enum stj_status study_command(const struct call *c,
                                     const struct stj_study_settings *settings,
                                     const struct stj_analysis_settings *analysis, char **command,
                                     struct stj_error *err)
{
    char seed[24];
    STJ_HELD(stj_text_drop) struct stj_text_output out = {0};
    STJ_MUST(stj_text_open(&out, err));
    fprintf(out.file, "spectraj study %s RUN%s", c->ops->info.name,
            c->ops->two_runs ? " RUN2" : "");
    for (size_t i = 0; i < settings->n; i++)
        stj_command_option(out.file, settings->setting[i].name,
                           is_flag(c->ops->info.name, settings->setting[i].name)
                               ? NULL
                               : settings->setting[i].text);
    snprintf(seed, sizeof seed, "%ju", (uintmax_t)settings->seed);
    if (settings->seed)
        stj_command_option(out.file, "seed", seed);
    if (analysis->tag)
        stj_command_option(out.file, "tag", analysis->tag);
    return stj_text_take(&out, command, err);
}

/* An interrupted study says what its log has, and how to go on. */
static enum stj_status say_what_is_kept(const struct call *c,
                                        const struct stj_study_settings *settings,
                                        const struct stj_analysis_settings *analysis,
                                        struct stj_error *err)
{
    STJ_FREED char *command = NULL, *text = NULL;
    char kept[80] = "nothing is kept, to begin again";
    const size_t n = c->log && !analysis->force ? stj_log_n_records(c->log) : 0;
    if (n > 0)
        snprintf(kept, sizeof kept, "%zu finished pieces are kept in its journal, to go on", n);
    if (study_command(c, settings, analysis, &command, NULL) != STJ_OK ||
        stj_command_text(command, c->info.dir, &text, NULL) != STJ_OK)
        return STJ_EINTERRUPTED;
    stj_error_clear(err);
    return stj_error_set(err, STJ_EINTERRUPTED, __FILE__, __LINE__,
                         "study %s was interrupted; %s: %s%s", c->ops->info.name, kept, text,
                         analysis->force ? " --force" : "");
}

/* The other run and its directions are sources too: with its config, and RUN2 in the place of its
 * folder. */
static enum stj_status put_other(const struct call *c, const struct stj_run *other,
                                 struct stj_result_about *about, struct stj_error *err)
{
    char name[64];
    STJ_FREED char *command = NULL;
    STJ_MUST(stj_about_add_source(about, "RUN2",
                                  (uint32_t)strtoul(c->other_info.fingerprint, NULL, 16),
                                  c->other_info.dir, err));
    STJ_MUST(stj_h5_put_text(c->file, "config_of_RUN2", other->about.config, err));
    if (!c->other_directions.file || !c->other_directions.command)
        return STJ_OK;
    STJ_MUST(stj_command_text(c->other_directions.command, "RUN2", &command, err));
    snprintf(name, sizeof name, "RUN2/%s", c->other_directions.d.source);
    return stj_about_add_source(about, name, stj_h5_get_crc(c->other_directions.file), command,
                                err);
}

/* about <- what every result says of itself. */
static enum stj_status put_about(const struct call *c, const struct stj_run *other,
                                 const struct stj_study_settings *settings,
                                 const struct stj_analysis_settings *analysis, double seconds,
                                 struct stj_error *err)
{
    STJ_HELD(stj_about_free)
    struct stj_result_about about = {
        .n_params = c->info.n_params, .part.to = c->info.n_steps, .seconds = seconds};
    STJ_MUST(stj_about_begin(&about, err));
    about.precision = in_single(settings) ? STJ_PRECISION_SINGLE : STJ_PRECISION_DOUBLE;
    about.product_error = (double)NAN; /* not measured */
    STJ_MUST(stj_strdup(&about.request, c->request, err));
    STJ_MUST(study_command(c, settings, analysis, &about.command, err));
    if (c->directions.file)
        STJ_MUST(stj_about_add_source(&about, c->directions.d.source,
                                      stj_h5_get_crc(c->directions.file), c->directions.command,
                                      err));
    if (other)
        STJ_MUST(put_other(c, other, &about, err));
    return stj_schema_put(c->file, stj_about_schema, &about, err);
}

/* What no result is to be read without, as the analyses have it. */
static enum stj_status put_remarks(struct stj_study_result *r, const struct stj_run_info *info,
                                   struct stj_error *err)
{
    const struct stj_training_remarks t = stj_run_remarks(info);
    STJ_MUST(stj_study_put_count(r, t.diverged, err, "training.diverged"));
    STJ_MUST(stj_study_put_real(r, t.first_loss, err, "training.first_loss"));
    STJ_MUST(stj_study_put_real(r, t.train_loss, err, "training.train_loss"));
    STJ_MUST(stj_study_put_real(r, t.deviation, err, "training.deviation"));
    return stj_study_put_real(r, t.tolerance, err, "training.tolerance");
}

static enum stj_status stored_compute(struct call *c, struct stj_run *run, struct stj_run *other,
                                      const struct stj_study_settings *settings,
                                      const struct stj_analysis_settings *analysis,
                                      struct stj_study_result **result, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct stj_study_result *r = NULL;
    struct stj_self_check check = {.orthogonality = (double)NAN};
    struct stj_prediction p = {.svd_flops = 0};
    const struct stj_run_part part = {.from = 0};
    const size_t limit = analysis->memory_bytes;
    if (c->ops->multiplies) /* a vector, its product, and those that watch */
        stj_predict_phase(&p, 6 * (double)c->info.n_params * sizeof(double), 1);
    STJ_TRY(stj_run_check_limit(run, &part, limit, &p, err));
    const struct stj_study_context cx = {
        .run = run,
        .other = other,
        .directions = c->directions.d.n ? &c->directions.d : NULL,
        .other_directions = c->other_directions.d.n ? &c->other_directions.d : NULL,
        .log = c->log,
        .memory_bytes = limit ? stj_run_engine_bytes(run, &part, limit, &p) : 0,
        .seed = settings->seed,
        .progress = &settings->progress,
        .check = &check};
    const double start = stj_clock();
    if (c->ops->multiplies)
        stj_run_divide(run, 1, &settings->progress);
    STJ_TRY(stj_study_result_create(c->ops, &r, err));
    STJ_TRY(stj_study_put_count(r, c->info.n_params, err, "n_params"));
    STJ_TRY(put_remarks(r, &c->info, err));
    STJ_TRY(c->ops->run(&cx, c->config, r, err));
    if (check.checks > 0) {
        STJ_TRY(stj_study_put_count(r, check.checks, err, "self_check.checks"));
        STJ_TRY(stj_study_put_real(r, check.adjoint_error, err, "self_check.adjoint_error"));
        stj_warn_of_check(&check, in_single(settings) ? single_error : (double)NAN,
                          &settings->progress);
    }
    r->seconds = stj_clock() - start;
    STJ_TRY(stored_put(c->file, r, err));
    STJ_TRY(put_about(c, other, settings, analysis, r->seconds, err));
    st = stj_h5_commit(c->file, err);
    c->file = NULL;
    STJ_TRY(st);
    stj_journal_remove(c->place.path, NULL);
    *result = r;
    r = NULL;
out:
    stj_study_result_destroy(r);
    return st;
}

/* The same texts ask the same question. */
static bool asks_the_same(const void *ctx, const char *request)
{
    const struct call *c = ctx;
    return strcmp(c->request, request) == 0;
}

static enum stj_status find_place(struct call *c, const struct stj_run *run,
                                  const struct stj_study_settings *settings,
                                  const struct stj_analysis_settings *analysis,
                                  struct stj_error *err)
{
    char base[FILE_NAME_BYTES];
    const struct stj_place_request request = {.format = &study_format,
                                              .base = name_of_file(c->ops, base),
                                              .tag = tag_of(settings, analysis),
                                              .options = "",
                                              .question = c->request,
                                              .force = analysis->force,
                                              .same = asks_the_same,
                                              .ctx = c};
    stj_place_close(&c->place);
    return stj_place_find(run, &request, &c->place, err);
}

enum stj_status stj_analysis_study(struct stj_run *run, struct stj_run *other, const char *name,
                                   const struct stj_study_settings *settings,
                                   const struct stj_analysis_settings *analysis,
                                   struct stj_study_result **result, bool *stored,
                                   struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct call c = {.ops = NULL};
    STJ_NOT_NULL(err, run, name, settings, analysis, result, stored);
    *result = NULL;
    *stored = false;
    STJ_CHECK(err, run->dir, STJ_EINVAL,
              "the run was only described from its config: train it, then study it");
    STJ_TRY(stored_prepare(&c, run, other, name, settings, err));
    if (c.ops->needs_network)
        STJ_TRY(stj_run_need_network(run, c.ops->info.name, err));
    STJ_TRY(find_place(&c, run, settings, analysis, err));
    if (!c.place.file || analysis->force) {
        STJ_TRY(stj_run_lock(run, c.place.path, &settings->progress, &c.lock, err));
        STJ_TRY(
            find_place(&c, run, settings, analysis, err)); /* somebody else was just finishing it */
    }
    if (c.place.file && !analysis->force) {
        STJ_TRY(load(c.place.file, c.ops, result, err));
        *stored = true;
        goto out;
    }
    STJ_TRY(stj_run_need_data(run, err));
    STJ_TRY(stj_place_create(run, c.place.path, &study_format, &c.file, err));
    STJ_TRY(open_log(&c, analysis->force, err));
    st = stored_compute(&c, run, other, settings, analysis, result, err);
    if (st == STJ_EINTERRUPTED)
        st = say_what_is_kept(&c, settings, analysis, err);
out:
    call_free(&c);
    return st;
}

enum stj_status stj_result_read_study(struct stj_run *run, const char *name, const char *tag,
                                      struct stj_study_result **result, struct stj_error *err)
{
    char file_name[FILE_NAME_BYTES];
    STJ_HELD(stj_h5_close_at) struct stj_h5 *file = NULL;
    STJ_NOT_NULL(err, run, name, result);
    const struct stj_study_ops *ops = stj_study_find_ops(name);
    *result = NULL;
    STJ_NEED(err, ops && run->dir, STJ_EINVAL, "there is no study '%s'", name);
    STJ_MUST(stj_result_open(run, &study_format, name_of_file(ops, file_name), tag, &file, err));
    if (file)
        STJ_MUST(load(file, ops, result, err));
    return STJ_OK;
}
