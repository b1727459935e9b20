/* SPDX-License-Identifier: GPL-3.0-or-later */
/* analysis/request.c: what is asked: options as texts, resolved against a run, and printed
 * again. */
#include "analysis/request.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/analyses.h"
#include "analysis/given.h"
#include "base/crc.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"
#include "op/training_jacobian.h"
#include "options/option_value.h"

static const char *const states[] = {"theta", "full", NULL};

#define OPTION(...) STJ_OPTION_ROW(struct stj_request_common, __VA_ARGS__)
static const struct stj_option common_options[] = {
    OPTION("from", SIZE, from, "0", NULL),
    OPTION("to", SIZE, to, "0", NULL),
    OPTION("layers", STRING, layers, "", NULL),
    OPTION("state", CHOICE, state, "theta", NULL, .choices = states),
    OPTION("precision", CHOICE, precision, "double", NULL, .choices = stj_precisions),
    OPTION("tag", STRING, tag, "", NULL),
    OPTION("force", BOOL, force, "false", NULL),
    OPTION("stored", BOOL, stored, "false", NULL),
    OPTION("memory", BYTES, memory, "0", NULL),
    {.name = NULL},
};

/* ---- options as they are given ---- */

/* A command line has '-' where a config has '_'. */
static bool same_name(const char *a, const char *b)
{
    for (; *a && *b; a++, b++)
        if (*a != *b && !(*a == '-' && *b == '_') && !(*a == '_' && *b == '-'))
            return false;
    return *a == *b;
}

static const struct stj_option *find_option(const struct stj_option *table, const char *name)
{
    for (const struct stj_option *row = table; row && row->name; row++)
        if (same_name(row->name, name))
            return row;
    return NULL;
}

enum stj_status stj_pairs_add(struct stj_pairs_given *given, const char *name, const char *text,
                              struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    char *copy = NULL;
    STJ_TRY(stj_strdup(&copy, text, err));
    for (size_t i = 0; i < given->n; i++)
        if (strcmp(given->item[i].name, name) == 0) { /* the last word counts */
            free((char *)(uintptr_t)given->item[i].text);
            given->item[i].text = copy;
            goto out;
        }
    st = stj_resize(&given->item, given->n, given->n + 1, sizeof *given->item, err);
    if (st == STJ_OK)
        given->item[given->n++] = (struct stj_option_pair){name, copy};
    else
        free(copy);
out:
    return st;
}

void stj_pairs_given_free(struct stj_pairs_given *given)
{
    for (size_t i = 0; i < given->n; i++)
        free((char *)(uintptr_t)given->item[i].text);
    free(given->item);
    *given = (struct stj_pairs_given){0};
}

enum stj_status stj_request_create(const char *analysis, struct stj_request **request,
                                   struct stj_error *err)
{
    const struct stj_plugin_info *info = NULL;
    STJ_NEED(err, analysis && request, STJ_EINVAL, "a request needs the name of an analysis");
    *request = NULL;
    STJ_MUST(stj_kind_find(&stj_analyses, analysis, &info, err));
    STJ_MUST(stj_new(request, 1, sizeof **request, err));
    (*request)->analysis = (const struct stj_analysis *)info;
    return STJ_OK;
}

void stj_request_destroy(struct stj_request *request)
{
    if (!request)
        return;
    stj_pairs_given_free(&request->own);
    stj_pairs_given_free(&request->common);
    free(request);
}

bool stj_request_has(const struct stj_request *request, const char *option)
{
    return request && option && find_option(request->analysis->info.options, option);
}

/* The value alone, so that the message is about it. */
static enum stj_status check_text(const struct stj_option *row, const char *text,
                                  size_t config_size, struct stj_error *err)
{
    const struct stj_option table[] = {*row, {.name = NULL}};
    const struct stj_option_pair pair = {row->name, text};
    STJ_FREED void *config = NULL;
    STJ_MUST(stj_new(&config, 1, config_size, err));
    STJ_MUST(stj_options_parse_pairs(table, 1, &pair, config, err));
    stj_options_free(table, config);
    return STJ_OK;
}

enum stj_status stj_request_set(struct stj_request *request, const char *option, const char *text,
                                struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    STJ_CHECK(err, request && option && text, STJ_EINVAL,
              "an option of a request needs a name and a text");
    const struct stj_plugin_info *info = &request->analysis->info;
    const struct stj_option *common = find_option(common_options, option);
    const struct stj_option *own = find_option(info->options, option);
    if (own) {
        STJ_TRY(check_text(own, text, info->config_size, err));
        STJ_TRY(stj_pairs_add(&request->own, own->name, text, err));
    } else if (common) {
        STJ_TRY(check_text(common, text, sizeof(struct stj_request_common), err));
        STJ_TRY(stj_pairs_add(&request->common, common->name, text, err));
    } else { /* an unknown name is refused by the table, with the nearest that there is */
        const struct stj_option_pair pair = {option, text};
        void *config = NULL;
        STJ_TRY(stj_new(&config, 1, info->config_size, err));
        st = stj_options_parse_pairs(info->options, 1, &pair, config, err);
        free(config);
        stj_error_prefix(err, "%s", info->name);
    }
out:
    return st;
}

/* ---- values as texts ---- */

/* *text <- the value of an option as one would give it, NULL where it has none; owned by the
 * caller. */
static enum stj_status print_value(const struct stj_option *row, const void *config, char **text,
                                   struct stj_error *err)
{
    const struct stj_option table[] = {*row, {.name = NULL}};
    STJ_FREED char *line = NULL;
    STJ_HELD(stj_text_drop) struct stj_text_output out = {0};
    *text = NULL;
    STJ_MUST(stj_text_open(&out, err));
    stj_options_write(out.file, 0, table, config);
    STJ_MUST(stj_text_take(&out, &line, err));
    if (!line[0])
        return STJ_OK;
    char *value = strchr(line, ' ') + 1;
    size_t n = 0; /* "[1, 2]" is given as "1,2" */
    for (char *c = value; *c; c++)
        if (!strchr("[] \n\"", *c))
            value[n++] = *c;
    value[n] = '\0';
    return stj_strdup(text, value, err);
}

static bool is_default(const struct stj_option *row, const char *value)
{
    return row->fallback && strcmp(row->fallback, value) == 0;
}

/* Is it said in the text of a request? */
static bool is_said(const struct stj_option *row, bool question_alone)
{
    if (question_alone)
        return row->role == STJ_ROLE_QUESTION;
    return row->role != STJ_ROLE_VIEW && row->type != STJ_OPTION_PATH;
}

/* Call fn with every option that has a value. */
typedef void (*value_fn)(void *ctx, const struct stj_option *row, const char *value);
static enum stj_status visit_values(const struct stj_analysis *analysis, const void *config,
                                    value_fn fn, void *ctx, struct stj_error *err)
{
    STJ_FREED char *value = NULL;
    for (const struct stj_option *row = analysis->info.options; row && row->name; row++) {
        free(value);
        STJ_MUST(print_value(row, config, &value, err));
        if (value)
            fn(ctx, row, value);
    }
    return STJ_OK;
}

/* ---- a request of a run ---- */

/* Pairs of the config's own values join those that were given. */
struct config_pairs {
    const struct stj_pairs_given *given;
    struct stj_pairs_given all;
    bool no_extents; /* of the config */
    enum stj_status st;
    struct stj_error *err;
};

static void add_config_value(void *ctx, const struct stj_option *row, const char *value)
{
    struct config_pairs *c = ctx;
    if (c->st == STJ_OK && !(c->no_extents && row->role == STJ_ROLE_EXTENT))
        c->st = stj_pairs_add(&c->all, row->name, value, c->err);
}

enum stj_status stj_pairs_known(const struct stj_pairs_given *given,
                                const struct stj_analysis *analysis, struct stj_pairs_given *own,
                                struct stj_error *err)
{
    for (size_t i = 0; i < given->n; i++) {
        const struct stj_option *row = find_option(analysis->info.options, given->item[i].name);
        if (row)
            STJ_MUST(stj_pairs_add(own, row->name, given->item[i].text, err));
    }
    return STJ_OK;
}

static const struct stj_plugin *in_config(const struct stj_run *run,
                                          const struct stj_analysis *analysis)
{
    for (size_t i = 0; run && i < run->config.analysis.n; i++)
        if (run->config.analysis.item[i].info == &analysis->info)
            return &run->config.analysis.item[i];
    return NULL;
}

void stj_analysis_free_config(const struct stj_analysis *analysis, void *config)
{
    if (config && analysis->info.options)
        stj_options_free(analysis->info.options, config);
    free(config);
}

static enum stj_status parse_config(const struct stj_analysis *analysis,
                                    const struct stj_pairs_given *given, void **config,
                                    struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const struct stj_plugin_info *info = &analysis->info;
    *config = NULL;
    STJ_TRY(stj_new(config, 1, info->config_size + 1, err));
    if (info->options)
        STJ_TRY(stj_options_parse_pairs(info->options, given->n, given->item, *config, err));
    if (info->check)
        STJ_TRY(info->check(*config, err));
    if (analysis->complete)
        analysis->complete(*config);
out:
    if (st != STJ_OK) {
        stj_error_prefix(err, "%s", info->name);
        free(*config);
        *config = NULL;
    }
    return st;
}

enum stj_status stj_analysis_config(const struct stj_run *run, const struct stj_analysis *analysis,
                                    const struct stj_pairs_given *given, void **config,
                                    struct stj_error *err)
{
    static const struct stj_pairs_given nothing = {0};
    enum stj_status st = STJ_OK;
    const struct stj_plugin *configured = in_config(run, analysis);
    struct config_pairs c = {.given = given ? given : &nothing, .err = err};
    *config = NULL;
    for (size_t i = 0; i < c.given->n; i++)
        c.no_extents =
            c.no_extents ||
            find_option(analysis->info.options, c.given->item[i].name)->role == STJ_ROLE_EXTENT;
    if (configured && configured->config)
        STJ_TRY(visit_values(analysis, configured->config, add_config_value, &c, err));
    STJ_TRY(c.st);
    for (size_t i = 0; i < c.given->n; i++)
        STJ_TRY(stj_pairs_add(&c.all, c.given->item[i].name, c.given->item[i].text, err));
    STJ_TRY(parse_config(analysis, &c.all, config, err));
out:
    stj_pairs_given_free(&c.all);
    return st;
}

enum stj_status stj_analysis_check_precision(const struct stj_analysis *a,
                                             enum stj_precision precision, struct stj_error *err)
{
    const bool has[] = {true, a->single, a->mixed};
    STJ_NEED(err, has[precision], STJ_EUNSUPPORTED, "%s has no precision %s: take %sdouble",
             a->info.name, stj_precisions[precision],
             a->mixed    ? "single, mixed or "
             : a->single ? "single or "
                         : "");
    return STJ_OK;
}

static enum stj_status resolve_part(struct stj_run *run, struct stj_question *q,
                                    struct stj_error *err)
{
    struct stj_run_info info;
    const struct stj_request_common *c = &q->common;
    stj_run_get_info(run, &info);
    STJ_MUST(stj_analysis_check_precision(q->analysis, (enum stj_precision)c->precision, err));
    q->part = (struct stj_run_part){.from = c->from,
                                    .to = c->to ? c->to : info.n_steps,
                                    .layers = c->layers,
                                    .full_state = c->state == 1,
                                    .precision = (enum stj_precision)c->precision};
    STJ_MUST(stj_check_steps(q->part.from, q->part.to, info.n_steps, err));
    STJ_MUST(stj_run_part_size(run, &q->part, &q->n, &q->tensors, err));
    q->part.layers = q->tensors[0] ? q->tensors : NULL;
    return STJ_OK;
}

enum stj_status stj_check_extent(const struct stj_analysis *analysis, const void *config,
                                 const struct stj_run_part *part, size_t n, struct stj_error *err)
{
    const char *what = part->full_state ? "the full state has %zu numbers"
                       : part->layers   ? "these layers have %zu parameters"
                                        : "the run has %zu parameters";
    char has[64];
    if (!analysis->counts_pairs || stj_given_of(analysis, config))
        return STJ_OK; /* not of this matrix */
    snprintf(has, sizeof has, what, n);
    for (const struct stj_option *row = analysis->info.options; row && row->name; row++) {
        const bool end = strcmp(row->name, "top") == 0 || strcmp(row->name, "bottom") == 0;
        const size_t *k = stj_option_field(config, row->offset);
        STJ_NEED(err, !end || *k <= n, STJ_EINVAL, "--%s is %zu, but %s", row->name, *k, has);
    }
    return STJ_OK;
}

enum stj_status stj_question_open(struct stj_run *run, const struct stj_request *request,
                                  struct stj_question *q, struct stj_error *err)
{
    *q = (struct stj_question){.analysis = request->analysis};
    STJ_MUST(stj_options_parse_pairs(common_options, request->common.n, request->common.item,
                                     &q->common, err));
    STJ_MUST(resolve_part(run, q, err));
    return stj_analysis_config(run, q->analysis, &request->own, &q->config, err);
}

enum stj_status stj_question_of_op(const struct stj_request *request, size_t n_cols,
                                   struct stj_question *q, struct stj_error *err)
{
    *q = (struct stj_question){.analysis = request->analysis, .part.to = 1, .n = n_cols};
    for (size_t i = 0; i < request->common.n; i++)
        STJ_NEED(err, strcmp(request->common.item[i].name, "memory") == 0, STJ_EINVAL,
                 "'%s' is an option of the results of a run: an operator by itself has none",
                 request->common.item[i].name);
    STJ_MUST(stj_options_parse_pairs(common_options, request->common.n, request->common.item,
                                     &q->common, err));
    STJ_MUST(stj_strdup(&q->tensors, "", err));
    return stj_analysis_config(NULL, q->analysis, &request->own, &q->config, err);
}

void stj_question_free(struct stj_question *q)
{
    if (!q->analysis)
        return;
    stj_options_free(common_options, &q->common);
    stj_analysis_free_config(q->analysis, q->config);
    free(q->tensors);
    *q = (struct stj_question){0};
}

/* ---- texts ---- */

/* The names can be many: their checksum. */
static uint32_t tensors_crc(const struct stj_run_part *part)
{
    return stj_crc32(0, part->layers, strlen(part->layers));
}

const char *stj_part_text(const struct stj_run_part *part, char text[STJ_PART_TEXT_MAX])
{
    char layers[24] = "";
    if (part->layers)
        snprintf(layers, sizeof layers, " layers %08x", tensors_crc(part));
    snprintf(text, STJ_PART_TEXT_MAX, "from %zu to %zu%s%s%s%s", part->from, part->to, layers,
             part->full_state ? " state full" : "", part->precision ? " precision " : "",
             part->precision ? stj_precisions[part->precision] : "");
    return text;
}

const char *stj_part_slug(const struct stj_run_part *part, size_t first_steps,
                          char text[STJ_PART_TEXT_MAX])
{
    char window[64] = "";
    char layers[24] = "";
    if (part->from > 0 || part->to != first_steps)
        snprintf(window, sizeof window, "-%zu-%zu", part->from, part->to);
    if (part->layers)
        snprintf(layers, sizeof layers, "-block-%08x", tensors_crc(part));
    snprintf(text, STJ_PART_TEXT_MAX, "%s%s%s%s%s", window, layers, part->full_state ? "-full" : "",
             part->precision ? "-" : "", part->precision ? stj_precisions[part->precision] : "");
    return text;
}

bool stj_request_is_of_part(const char *text, const struct stj_run_part *part)
{
    char mine[STJ_PART_TEXT_MAX];
    const char *from = strstr(text, "from ");
    const size_t n = strlen(stj_part_text(part, mine));
    if (!from || strncmp(from, mine, n) != 0 || (from[n] && from[n] != ' '))
        return false;
    /* a longer description is another part */
    return strncmp(from + n, " layers ", 8) != 0 && strncmp(from + n, " state ", 7) != 0 &&
           strncmp(from + n, " precision ", 11) != 0;
}

/* Texts of options on their way out. */
struct text_out {
    FILE *out;
    bool question_alone;
};

static void say_value(void *ctx, const struct stj_option *row, const char *value)
{
    const struct text_out *t = ctx;
    if (is_said(row, t->question_alone))
        fprintf(t->out, " %s %s", row->name, value);
}

enum stj_status stj_request_print(const struct stj_question *q, const void *config,
                                  bool question_alone, char **text, struct stj_error *err)
{
    char part[STJ_PART_TEXT_MAX];
    STJ_HELD(stj_text_drop) struct stj_text_output out = {0};
    *text = NULL;
    STJ_MUST(stj_text_open(&out, err));
    struct text_out t = {out.file, question_alone};
    fprintf(t.out, "%s %s", q->analysis->info.name, stj_part_text(&q->part, part));
    STJ_MUST(visit_values(q->analysis, config, say_value, &t, err));
    return stj_text_take(&out, text, err);
}

/* An older text says "0" or "automatic" of what was not given. */
static bool means_nothing(const struct stj_option *row, const char *value)
{
    return row->fallback && !row->fallback[0] &&
           (strcmp(value, "0") == 0 || strcmp(value, "automatic") == 0);
}

enum stj_status stj_request_parse(const struct stj_analysis *analysis, const char *text,
                                  void **config, struct stj_error *err)
{
    STJ_HELD(stj_pairs_given_free) struct stj_pairs_given given = {0};
    STJ_FREED char *copy = NULL;
    char *rest = NULL;
    *config = NULL;
    STJ_MUST(stj_strdup(&copy, text, err));
    (void)strtok_r(copy, " ", &rest); /* the analysis */
    for (char *key = strtok_r(NULL, " ", &rest); key; key = strtok_r(NULL, " ", &rest)) {
        const char *value = strtok_r(NULL, " ", &rest);
        const struct stj_option *row = find_option(analysis->info.options, key);
        if (value && row && !means_nothing(row, value))
            STJ_MUST(stj_pairs_add(&given, row->name, value, err));
    }
    return parse_config(analysis, &given, config, err);
}

void stj_command_option(FILE *out, const char *name, const char *value)
{
    fputs(" --", out);
    for (; *name; name++)
        fputc(*name == '_' ? '-' : *name, out);
    if (value) {
        fputc(' ', out);
        stj_text_word(out, value);
    }
}

enum stj_status stj_command_text(const char *command, const char *dir, char **text,
                                 struct stj_error *err)
{
    STJ_HELD(stj_text_drop) struct stj_text_output out = {0};
    const char *run = strstr(command, " RUN");
    const size_t before = run ? (size_t)(run - command) + 1 : strlen(command);
    STJ_MUST(stj_text_open(&out, err));
    fprintf(out.file, "%.*s", (int)before, command);
    if (run) {
        stj_text_word(out.file, dir);
        fputs(run + strlen(" RUN"), out.file);
    }
    return stj_text_take(&out, text, err);
}

static void command_value(void *ctx, const struct stj_option *row, const char *value)
{
    const struct text_out *t = ctx;
    /* An extent is said even where it is a default: without any, other ends would be asked for. */
    if (row->role == STJ_ROLE_VIEW || (row->role != STJ_ROLE_EXTENT && is_default(row, value)))
        return;
    stj_command_option(t->out, row->name, row->type == STJ_OPTION_BOOL ? NULL : value);
}

static void write_part_options(FILE *out, const struct stj_question *q)
{
    char number[24];
    const struct stj_request_common *c = &q->common;
    snprintf(number, sizeof number, "%zu", c->from);
    if (c->from)
        stj_command_option(out, "from", number);
    snprintf(number, sizeof number, "%zu", c->to);
    if (c->to)
        stj_command_option(out, "to", number);
    if (c->layers)
        stj_command_option(out, "layers", c->layers);
    if (q->part.full_state)
        stj_command_option(out, "state", "full");
    if (q->part.precision)
        stj_command_option(out, "precision", stj_precisions[q->part.precision]);
    if (c->tag)
        stj_command_option(out, "tag", c->tag);
}

enum stj_status stj_request_command(const struct stj_question *q, const void *config, char **text,
                                    struct stj_error *err)
{
    STJ_HELD(stj_text_drop) struct stj_text_output out = {0};
    *text = NULL;
    STJ_MUST(stj_text_open(&out, err));
    struct text_out t = {out.file, false};
    fprintf(t.out, "spectraj %s RUN", q->analysis->info.name);
    STJ_MUST(visit_values(q->analysis, config, command_value, &t, err));
    write_part_options(t.out, q);
    return stj_text_take(&out, text, err);
}

/* A text of limited size on its way. */
struct short_text {
    char *text;
    size_t size;
};

static void append(struct short_text *t, const char *format, const char *name, const char *value)
{
    const size_t used = strlen(t->text);
    snprintf(t->text + used, t->size - used, format, name, value);
}

static void summarize_value(void *ctx, const struct stj_option *row, const char *value)
{
    struct short_text *t = ctx;
    const bool counts = row->type == STJ_OPTION_SIZE || row->role == STJ_ROLE_EXTENT;
    if (counts && row->role != STJ_ROLE_VIEW && strcmp(value, "0") != 0)
        append(t, t->text[0] ? " --%s %s" : "--%s %s", row->name, value);
}

void stj_request_summary(const struct stj_analysis *analysis, const void *config, char *text,
                         size_t size)
{
    struct short_text t = {text, size};
    text[0] = '\0';
    (void)visit_values(analysis, config, summarize_value, &t, NULL);
}

static void slug_value(void *ctx, const struct stj_option *row, const char *value)
{
    struct short_text *t = ctx;
    if (row->role == STJ_ROLE_QUESTION && !is_default(row, value))
        append(t, t->text[0] ? "-%s-%s" : "%s-%s", row->name, value);
}

void stj_request_slug(const struct stj_question *q, char *text, size_t size)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-";
    struct short_text t = {text, size};
    text[0] = '\0';
    (void)visit_values(q->analysis, q->config, slug_value, &t, NULL);
    for (char *c = text; *c; c++)
        if (!strchr(allowed, *c))
            *c = '-';
}
