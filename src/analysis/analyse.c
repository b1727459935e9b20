/* SPDX-License-Identifier: GPL-3.0-or-later */
/* analysis/analyse.c: from a request to a result.
 *
 *     1. The request is resolved against the run: options, part of the Jacobian.
 *     2. The result of the same question is looked for in the run's folder.
 *     3. What covers the request is read, and that is all.
 *     4. Else the file is locked and looked at again: somebody else may have been finishing it.
 *     5. What the stored result answers joins what is wanted, and is computed: from the stored
 *        answer where the analysis can begin there, through a journal of products that survives an
 *        interruption.
 *     6. The new file takes the place of the old; its journal has served.
 *     7. Of the numbers the request gets what it asked for.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/analysis.h"
#include "analysis/plan.h"
#include "analysis/given.h"
#include "analysis/request.h"
#include "analysis/result_file.h"
#include "analysis/store.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/number.h"
#include "base/text.h"
#include "op/journal.h"
#include "op/operator.h"
#include "op/training_jacobian.h"
#include "parallel/ranks.h"
#include "run/folder/run_lock.h"

enum { BASE_BYTES = 160, OPTIONS_BYTES = 64 };

/* Everything of one call. */
struct call {
    struct stj_run *run;
    const struct stj_request *request;
    const struct stj_progress *progress;
    struct stj_question question;
    char base[BASE_BYTES], options[OPTIONS_BYTES];
    char *text; /* of the question */
    struct stj_place place;
    void *stored_config; /* of the result at the place */
    void *joined;        /* what answers it and the request */
    struct stj_result *stored, *result;
    struct stj_lock *lock;
    struct stj_h5 *file; /* being written */
    struct stj_journal_start journal;
};

static void close_call(struct call *c)
{
    const struct stj_analysis *a = c->question.analysis;
    if (!a)
        return;
    stj_analysis_free_config(a, c->stored_config);
    stj_analysis_free_config(a, c->joined);
    stj_result_destroy(c->stored);
    stj_result_destroy(c->result);
    stj_place_close(&c->place);
    stj_h5_close(c->file);
    stj_lock_release(c->lock);
    stj_question_free(&c->question);
    free(c->text);
}

/* ---- step 2: the place ---- */

static void name_base(const struct stj_analysis *a, const char *option, const char *of,
                      const struct stj_run_part *part, size_t first_steps, char base[BASE_BYTES])
{
    char slug[STJ_PART_TEXT_MAX] = "";
    if (part) /* a tag is a name by itself */
        (void)stj_part_slug(part, first_steps, slug);
    snprintf(base, BASE_BYTES, "%s%s%s%s%s%s", a->info.name, option ? "-" : "",
             option ? option : "", of ? "-" : "", of ? of : "", slug);
}

/* The value of the option that is part of the name; NULL: there is none. */
static const char *name_option(const struct stj_analysis *a, const void *config)
{
    for (const struct stj_option *row = a->info.options; a->name_option && row->name; row++)
        if (strcmp(row->name, a->name_option) == 0)
            return row->choices[*(const int *)((const char *)config + row->offset)];
    return NULL;
}

/* Do a stored request and this one ask the same question, and can one file answer both? */
static bool asks_the_same(const void *ctx, const char *request)
{
    const struct call *c = ctx;
    const struct stj_question *q = &c->question;
    void *stored = NULL, *wanted = NULL;
    char *text = NULL;
    bool same = stj_request_is_of_part(request, &q->part) &&
                stj_request_parse(q->analysis, request, &stored, NULL) == STJ_OK &&
                stj_request_print(q, stored, true, &text, NULL) == STJ_OK &&
                strcmp(text, c->text) == 0;
    if (same && q->analysis->join)
        same =
            stj_analysis_config(c->run, q->analysis, &c->request->own, &wanted, NULL) == STJ_OK &&
            q->analysis->join(stored, wanted);
    stj_analysis_free_config(q->analysis, stored);
    stj_analysis_free_config(q->analysis, wanted);
    free(text);
    return same;
}

static enum stj_status find_place(struct call *c, bool force, struct stj_error *err)
{
    const struct stj_question *q = &c->question;
    const struct stj_place_request request = {.format = &q->analysis->format,
                                              .base = c->base,
                                              .tag = q->common.tag,
                                              .options = c->options,
                                              .question = c->text,
                                              .force = force,
                                              .same = asks_the_same,
                                              .ctx = c};
    stj_place_close(&c->place);
    stj_analysis_free_config(q->analysis, c->stored_config);
    c->stored_config = NULL;
    STJ_MUST(stj_place_find(c->run, &request, &c->place, err));
    if (c->place.request)
        STJ_MUST(stj_request_parse(q->analysis, c->place.request, &c->stored_config, err));
    return STJ_OK;
}

static enum stj_status open_call(struct call *c, const struct stj_request *request,
                                 struct stj_error *err)
{
    struct stj_run_info info;
    struct stj_question *q = &c->question;
    stj_run_get_info(c->run, &info);
    STJ_MUST(stj_question_open(c->run, request, q, err));
    name_base(q->analysis, name_option(q->analysis, q->config),
              stj_given_of(q->analysis, q->config), q->common.tag ? NULL : &q->part,
              info.first_steps, c->base);
    stj_request_slug(q, c->options, sizeof c->options);
    return stj_request_print(q, q->config, true, &c->text, err);
}

/* ---- reading and writing ---- */

static const char *name_of_path(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* What a run says of itself holds for all its results, those of older versions too. */
static void note_training(const struct stj_run *run, struct stj_result_about *about)
{
    struct stj_run_info info;
    stj_run_get_info(run, &info);
    about->training = stj_run_remarks(&info);
}

static enum stj_status read_result(const struct stj_run *run, const struct stj_analysis *a,
                                   struct stj_h5 *file, const char *path,
                                   struct stj_result **result, struct stj_error *err)
{
    STJ_HELD(stj_result_destroy_at) struct stj_result *r = NULL;
    struct stj_result_about *about = NULL;
    STJ_MUST(stj_result_create(a, &r, err));
    about = &r->about;
    STJ_MUST(stj_schema_get(file, stj_about_schema, about, err));
    STJ_MUST(stj_schema_get(file, a->schema, r->data, err));
    STJ_MUST(stj_h5_get_text(file, "layers", &about->layers, err));
    about->part.layers = about->layers[0] ? about->layers : NULL;
    about->part.full_state = about->state == 1;
    about->part.precision = (enum stj_precision)about->precision;
    about->stored = true;
    note_training(run, about);
    r->crc = stj_h5_get_crc(file);
    STJ_MUST(stj_strdup(&r->path, path, err));
    STJ_MUST(stj_strdup(&about->file, name_of_path(path), err));
    *result = r;
    r = NULL;
    return STJ_OK;
}

/* Does a resolved part have the tensor? */
static bool has_tensor(const struct stj_run_part *part, const char *name)
{
    const size_t n = strlen(name);
    const char *word = part->layers ? part->layers : name;
    while (strncmp(word, name, n) != 0 || (word[n] && word[n] != ',')) {
        word += strcspn(word, ",");
        if (!*word++)
            return false;
    }
    return true;
}

/* Which numbers of a vector are whose: a line "NAME SHAPE OFFSET row-major" for each tensor of the
 * part.  The shape is the network's, whatever init.file has. */
static enum stj_status put_tensors(struct stj_h5 *file, const struct stj_run *run,
                                   const struct stj_run_part *part, struct stj_error *err)
{
    static const struct stj_parameter_layout ours = {0};
    struct stj_parameter p;
    STJ_FREED char *text = NULL;
    STJ_HELD(stj_text_drop) struct stj_text_output out = {0};
    size_t offset = 0;
    STJ_MUST(stj_text_open(&out, err));
    for (size_t i = 0; i < stj_network_n_tensors(run->net); i++) {
        STJ_MUST(stj_network_parameter(run->net, &ours, i, &p, err));
        if (!has_tensor(part, p.name))
            continue;
        fprintf(out.file, "%s [", p.name);
        for (size_t d = 0; d < p.n_dims; d++)
            fprintf(out.file, "%s%zu", d ? ", " : "", p.shape[d]);
        fprintf(out.file, "] %zu row-major\n", offset);
        offset += p.n;
    }
    STJ_MUST(stj_text_take(&out, &text, err));
    return stj_h5_put_text(file, "tensors", text, err);
}

static enum stj_status write_result(struct call *c, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const struct stj_result *r = c->result;
    STJ_TRY(stj_schema_put(c->file, stj_about_schema, &r->about, err));
    STJ_TRY(stj_h5_put_text(c->file, "layers", r->about.layers ? r->about.layers : "", err));
    STJ_TRY(put_tensors(c->file, c->run, &c->question.part, err));
    STJ_TRY(stj_schema_put(c->file, r->analysis->schema, r->data, err));
    st = stj_h5_commit(c->file, err);
    c->file = NULL;
out:
    return st;
}

/* ---- step 5: computing ---- */

void stj_analysis_release_op(struct stj_analysis_context *cx)
{
    struct stj_result_about *about = cx->about;
    if (!cx->op)
        return;
    const double orthogonality = about->self_check.orthogonality;
    if (cx->run)
        stj_training_jacobian_storage(cx->kept->inner, &about->storage);
    if (cx->memory_bytes > 0)
        about->storage.budget = cx->memory_bytes;
    about->self_check = stj_op_self_check(cx->op);
    about->self_check.orthogonality = orthogonality;
    about->counts = stj_op_get_counts(cx->op);
    if (cx->kept->transposed) {
        const double jvp = about->counts.jvp;
        about->counts.jvp = about->counts.vjp;
        about->counts.vjp = jvp;
    }
    stj_result_op_close(cx->kept);
    cx->op = NULL;
}

enum stj_status stj_analysis_use_op(struct stj_analysis_context *cx, struct stj_op *op,
                                    struct stj_error *err)
{
    struct stj_result_op *kept = cx->kept;
    stj_op_destroy(kept->op);
    stj_op_destroy(kept->inner);
    kept->op = cx->op = NULL;
    kept->inner = op;
    STJ_MUST(stj_op_create_journal(op, kept->journal, &kept->op, err));
    cx->op = kept->op;
    return stj_op_watch(cx->op, err);
}

enum stj_status stj_analysis_note_source(struct stj_analysis_context *cx,
                                         const struct stj_result *source, struct stj_error *err)
{
    return stj_about_add_source(cx->about, source->about.file, source->crc, source->about.command,
                                err);
}

static enum stj_status begin_about(struct call *c, struct stj_error *err)
{
    const struct stj_question *q = &c->question;
    struct stj_result_about *about = &c->result->about;
    STJ_MUST(stj_about_begin(about, err));
    STJ_MUST(stj_strdup(&about->layers, q->tensors, err));
    STJ_MUST(stj_strdup(&about->file, name_of_path(c->place.path), err));
    STJ_MUST(stj_request_print(q, c->joined, false, &about->request, err));
    STJ_MUST(stj_request_command(q, c->joined, &about->command, err));
    about->n_params = q->n;
    about->part = q->part;
    about->part.layers = about->layers[0] ? about->layers : NULL;
    about->state = q->part.full_state;
    about->precision = (int)q->part.precision;
    note_training(c->run, about);
    about->self_check.orthogonality = (double)NAN;
    return STJ_OK;
}

/* c->joined <- the request, and what is stored. */
static enum stj_status join_requests(struct call *c, struct stj_error *err)
{
    const struct stj_analysis *a = c->question.analysis;
    STJ_MUST(stj_analysis_config(c->run, a, &c->request->own, &c->joined, err));
    if (c->stored_config && a->join)
        (void)a->join(c->stored_config, c->joined);
    return STJ_OK;
}

static void add_counts(struct stj_op_counts *sum, const struct stj_op_counts *more)
{
    sum->jvp += more->jvp;
    sum->vjp += more->vjp;
    sum->replayed += more->replayed;
    sum->seconds += more->seconds;
}

static enum stj_status run_computation(struct call *c, struct stj_analysis_context *cx,
                                       struct stj_error *err)
{
    const struct stj_question *q = &c->question;
    struct stj_result_about *about = &c->result->about;
    struct stj_prediction prediction;
    struct stj_single_error single = {.relative = 0};
    size_t engine = 0;
    const struct stj_plan_request plan = {
        .part = q->part, .memory_bytes = q->common.memory, .n = q->n};
    const double start = stj_clock();
    stj_run_divide(c->run, q->analysis->columns ? q->analysis->columns(c->joined, q->n) : 1,
                   c->progress);
    stj_plan_analysis(c->run, &plan, q->analysis, c->joined, &about->cost);
    stj_plan_predict(c->run, &plan, q->analysis, c->joined, &prediction, &engine);
    STJ_MUST(stj_plan_check(c->run, &plan, q->analysis, &prediction, err));
    if (q->part.precision == STJ_PRECISION_MIXED)
        engine /= 2; /* two operators share it */
    cx->engine_bytes = engine;
    if (q->part.precision == STJ_PRECISION_SINGLE)
        STJ_MUST(stj_run_single_error(c->run, &q->part, engine, 0, &single, err));
    STJ_MUST(stj_result_op_open(c->run, &q->part, c->place.path, &c->journal, q->common.force,
                                engine, cx->kept, err));
    if (q->part.precision == STJ_PRECISION_SINGLE) {
        about->product_error = single.absolute;
        stj_op_set_rounding(cx->kept->op, fmax(single.relative, stj_op_rounding(cx->kept->op)));
    }
    cx->op = cx->kept->op;
    cx->resumes = cx->kept->resumes;
    STJ_MUST(q->analysis->compute(cx, c->joined, c->result->data, err));
    c->journal.has_more = stj_op_journal_has_more(cx->op);
    stj_analysis_release_op(cx);
    stj_warn_of_check(&about->self_check, about->product_error, c->progress);
    stj_cost_finish(&about->cost);
    about->spent = about->counts;
    about->seconds = stj_clock() - start;
    if (cx->stored) { /* where it began */
        add_counts(&about->spent, &c->stored->about.spent);
        about->seconds += c->stored->about.seconds;
    }
    return STJ_OK;
}

static enum stj_verdict verdict_of(const struct stj_result *result)
{
    return result->analysis->verdict ? result->analysis->verdict(result->data) : STJ_VERDICT_DONE;
}

/* text <- what an interrupted computation leaves, and the command that goes on with it.  One that
 * was forced while there is a result begins anew each time. */
static enum stj_status say_what_is_kept(const struct call *c, const struct stj_analysis_context *cx,
                                        char **text, struct stj_error *err)
{
    const struct stj_question *q = &c->question;
    const struct stj_op_counts n = cx->op ? stj_op_get_counts(cx->op) : cx->about->counts;
    const bool anew = q->common.force && c->place.file;
    char memory[STJ_REAL_TEXT_MAX];
    STJ_FREED char *command = NULL, *line = NULL;
    STJ_HELD(stj_text_drop) struct stj_text_output out = {0};
    STJ_MUST(stj_text_open(&out, err));
    STJ_MUST(stj_request_command(q, q->config, &command, err));
    STJ_MUST(stj_command_text(command, c->run->dir, &line, err));
    if (n.jvp + n.vjp == 0 || anew)
        fprintf(out.file, "nothing is kept, to begin again: ");
    else
        fprintf(out.file,
                "%.0f products are kept in the journal beside %s, to go on: ", n.jvp + n.vjp,
                name_of_path(c->place.path));
    fputs(line, out.file);
    if (q->common.memory > 0) /* on which depends how many probes of a density go together */
        stj_number_print_bytes(q->common.memory, memory), fprintf(out.file, " --memory %s", memory);
    fputs(anew ? " --force" : "", out.file);
    return stj_text_take(&out, text, err);
}

/* An interruption says what is kept: in the error, or in the half of a result. */
static enum stj_status end_interrupted(struct call *c, const struct stj_analysis_context *cx,
                                       enum stj_status st, struct stj_error *err)
{
    char *kept = NULL;
    const char *name = c->question.analysis->info.name;
    if (say_what_is_kept(c, cx, &kept, NULL) == STJ_OK) {
        if (st == STJ_OK)
            c->result->to_go_on = kept;
        stj_error_clear(st == STJ_OK ? NULL : err);
        stj_error_set(st == STJ_OK ? NULL : err, st, __FILE__, __LINE__, "%s was interrupted; %s",
                      name, kept);
    }
    if (!c->result->to_go_on)
        free(kept);
    return st;
}

static enum stj_status compute_result(struct call *c, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const struct stj_question *q = &c->question;
    struct stj_result_op kept = {0};
    struct stj_analysis_context cx = {.run = c->run,
                                      .part = &q->part,
                                      .n = q->n,
                                      .wanted = q->config,
                                      .memory_bytes = q->common.memory,
                                      .progress = c->progress,
                                      .kept = &kept};
    STJ_TRY(stj_run_need_data(c->run, err));
    STJ_TRY(stj_check_extent(q->analysis, q->config, &q->part, q->n, err));
    if (q->analysis->fits)
        STJ_TRY(q->analysis->fits(q->n, q->common.memory, err));
    STJ_TRY(join_requests(c, err));
    if (c->stored && q->analysis->join && !q->common.force)
        cx.stored = c->stored->data;
    if (q->analysis->start)
        q->analysis->start(cx.stored, q->config, &c->journal);
    STJ_TRY(stj_result_create(q->analysis, &c->result, err));
    cx.about = &c->result->about;
    STJ_TRY(begin_about(c, err));
    STJ_TRY(stj_place_create(c->run, c->place.path, &q->analysis->format, &c->file, err));
    st = run_computation(c, &cx, err);
    if (st == STJ_EINTERRUPTED ||
        (st == STJ_OK && verdict_of(c->result) == STJ_VERDICT_INTERRUPTED)) {
        st = end_interrupted(c, &cx, st, err);
        goto out; /* asking again goes on, and does not return the half */
    }
    STJ_TRY(st);
    STJ_TRY(write_result(c, err));
out:
    stj_result_op_close(&kept);
    return st;
}

/* ---- steps 3, 4 and 7 ---- */

static bool equal_requests(const struct call *c)
{
    char *stored = NULL, *wanted = NULL;
    const struct stj_question *q = &c->question;
    const bool same = stj_request_print(q, c->stored_config, false, &stored, NULL) == STJ_OK &&
                      stj_request_print(q, q->config, false, &wanted, NULL) == STJ_OK &&
                      strcmp(stored, wanted) == 0;
    free(stored);
    free(wanted);
    return same;
}

/* c->stored <- what is at the place, and *serves <- it holds what is wanted.  The same request is
 * served by what it got, complete or not. */
static enum stj_status look_at_stored(struct call *c, bool *serves, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const struct stj_question *q = &c->question;
    *serves = false;
    stj_result_destroy(c->stored);
    c->stored = NULL;
    if (!c->place.file)
        goto out;
    STJ_TRY(read_result(c->run, q->analysis, c->place.file, c->place.path, &c->stored, err));
    if (q->common.force)
        goto out;
    *serves =
        equal_requests(c) ||
        (q->analysis->covers ? q->analysis->covers(c->stored_config, c->stored->data, q->config)
                             : verdict_of(c->stored) == STJ_VERDICT_DONE);
out:
    st = stj_ranks_agree(st, err);
    return st;
}

static enum stj_status serve(struct call *c, struct stj_result **served, struct stj_error *err)
{
    const struct stj_analysis *a = c->question.analysis;
    const struct stj_analysis_context cx = {.run = c->run,
                                            .part = &c->question.part,
                                            .n = c->question.n,
                                            .progress = c->progress,
                                            .about = &(*served)->about};
    if (a->view)
        STJ_MUST(a->view(&cx, c->question.config, (*served)->data, err));
    return STJ_OK;
}

static void remove_journals(const struct call *c)
{
    if (!c->journal.has_more)
        stj_journal_remove(c->place.path, c->journal.word);
    if (c->journal.also)
        stj_journal_remove(c->place.path, c->journal.also);
}

/* What is not stored was not to be computed. */
static enum stj_status refuse_to_compute(const struct call *c, struct stj_error *err)
{
    STJ_FREED char *command = NULL, *line = NULL;
    STJ_MUST(stj_request_command(&c->question, c->question.config, &command, err));
    STJ_MUST(stj_command_text(command, c->run->dir, &line, err));
    return stj_error_set(err, STJ_EINVAL, __FILE__, __LINE__,
                         "what is asked of %s is not stored in %s; it is made by: %s",
                         c->question.analysis->info.name, c->run->dir, line);
}

static enum stj_status answer(struct call *c, struct stj_result **result, struct stj_error *err)
{
    struct stj_result **served = &c->stored;
    const bool force = c->question.common.force;
    bool serves = false;
    STJ_MUST(find_place(c, force, err));
    STJ_MUST(look_at_stored(c, &serves, err));
    if (!serves && c->question.common.stored)
        return refuse_to_compute(c, err);
    if (!serves) {
        STJ_MUST(stj_run_lock(c->run, c->place.path, c->progress, &c->lock, err));
        STJ_MUST(find_place(c, force, err));
        STJ_MUST(look_at_stored(c, &serves, err)); /* somebody else was just finishing it */
    }
    if (!serves) {
        STJ_MUST(compute_result(c, err));
        served = &c->result;
    }
    STJ_MUST(serve(c, served, err));
    if (!serves && verdict_of(*served) == STJ_VERDICT_DONE) /* of this request: others may go on */
        remove_journals(c);
    *result = *served;
    *served = NULL;
    return STJ_OK;
}

enum stj_status stj_analyse(struct stj_run *run, const struct stj_request *request,
                            const struct stj_progress *progress, struct stj_result **result,
                            struct stj_error *err)
{
    static const struct stj_progress nobody = {0};
    STJ_HELD(close_call)
    struct call c = {.run = run, .request = request, .progress = progress ? progress : &nobody};
    STJ_NEED(err, run && request && result, STJ_EINVAL,
             "an analysis needs a run, a request and a place for the result");
    *result = NULL;
    STJ_NEED(err, run->dir, STJ_EINVAL,
             "the run was only described from its config: train it, then analyse it");
    STJ_MUST(open_call(&c, request, err));
    return answer(&c, result, err);
}

/* ---- stored results ---- */

/* The analysis of a result's name: "svd", "trace-frobenius", "density-0-100". */
static const struct stj_analysis *analysis_of_name(const char *name)
{
    const struct stj_analysis *best = NULL;
    for (size_t i = 0; stj_analyses.list[i]; i++) {
        const char *word = stj_analyses.list[i]->name;
        const size_t n = strlen(word);
        if (strncmp(name, word, n) == 0 && (name[n] == '\0' || name[n] == '-'))
            best = (const struct stj_analysis *)stj_analyses.list[i];
    }
    return best;
}

static enum stj_status read_named(struct stj_run *run, const struct stj_analysis *a,
                                  const char *name, const char *tag, struct stj_result **result,
                                  struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct stj_h5 *file = NULL;
    char *path = NULL;
    *result = NULL;
    STJ_TRY(stj_result_path(run, name, tag, &path, err));
    STJ_TRY(stj_result_open(run, &a->format, name, tag, &file, err));
    if (!file)
        goto out;
    STJ_TRY(read_result(run, a, file, path, result, err));
    const struct stj_analysis_context cx = {.run = run,
                                            .part = &(*result)->about.part,
                                            .n = (*result)->about.n_params,
                                            .about = &(*result)->about};
    if (a->view)
        STJ_TRY(a->view(&cx, NULL, (*result)->data, err));
out:
    if (st != STJ_OK) {
        stj_result_destroy(*result);
        *result = NULL;
    }
    stj_h5_close(file);
    free(path);
    return st;
}

enum stj_status stj_result_read(struct stj_run *run, const char *name, const char *tag,
                                struct stj_result **result, struct stj_error *err)
{
    STJ_NEED(err, run && name && result, STJ_EINVAL,
             "a stored result needs a run, a name and a place");
    const struct stj_analysis *a = analysis_of_name(name);
    STJ_NEED(err, a, STJ_EINVAL, "there is no analysis that makes a result '%.60s'", name);
    return read_named(run, a, name, tag, result, err);
}

enum stj_status stj_result_of_part(struct stj_run *run, const char *analysis,
                                   const struct stj_run_part *part, struct stj_result **result,
                                   struct stj_error *err)
{
    struct stj_run_info info;
    char base[BASE_BYTES];
    const struct stj_analysis *a = stj_analysis_find(analysis);
    stj_run_get_info(run, &info);
    name_base(a, NULL, NULL, part, info.first_steps, base);
    enum stj_status st = read_named(run, a, base, NULL, result, err);
    if (st == STJ_OK && *result &&
        !stj_request_is_of_part((*result)->about.request, part)) { /* a file of an older version */
        stj_result_destroy(*result);
        *result = NULL;
    }
    return st;
}
