/* SPDX-License-Identifier: GPL-3.0-or-later */
/* analysis/of_operator.c: the analyses of an operator that belongs to no run.
 *
 * Nothing is stored but, where a file is given for them, the products: the same computation begun
 * again gets them from there.  What the operator is nobody knows, so the first product is compared
 * with what it makes now.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/analyses.h"
#include "analysis/request.h"
#include "analysis/store.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "io/file.h"
#include "io/lock.h"
#include "op/journal.h"

enum { HEADER_BYTES = 512 };

/* Everything of one call. */
struct call {
    struct stj_op *op;   /* borrowed, and so are the next two */
    const char *journal; /* a path; NULL: none */
    const struct stj_progress *progress;
    struct stj_question question;
    struct stj_result_op kept; /* its `inner` is none: op is borrowed */
    struct stj_lock *lock;
    struct stj_result *result;
};

static void close_call(struct call *c)
{
    stj_result_op_close(&c->kept);
    stj_lock_release(c->lock);
    stj_result_destroy(c->result);
    stj_question_free(&c->question);
}

/* header <- what the products in a journal are of: the operator's size and the question. */
static enum stj_status name_products(const struct call *c, char header[HEADER_BYTES],
                                     struct stj_error *err)
{
    STJ_FREED char *text = NULL;
    STJ_MUST(stj_request_print(&c->question, c->question.config, true, &text, err));
    snprintf(header, HEADER_BYTES, "spectraj-products 1 of %zu x %zu: %s", stj_op_n_rows(c->op),
             stj_op_n_cols(c->op), text);
    return STJ_OK;
}

static enum stj_status lock_journal(struct call *c, struct stj_error *err)
{
    const char *path = c->journal, *slash = strrchr(path, '/');
    STJ_FREED char *dir = NULL;
    STJ_MUST(stj_strdup(&dir, slash ? path : ".", err));
    if (slash)
        dir[slash == path ? 1 : slash - path] = '\0';
    return stj_lock_take(dir, slash ? slash + 1 : path, c->progress, &c->lock, err);
}

/* A file of something else is not replaced. */
static enum stj_status open_journal(struct call *c, struct stj_error *err)
{
    const char *path = c->journal;
    char header[HEADER_BYTES];
    STJ_FREED char *found = NULL;
    STJ_MUST(lock_journal(c, err));
    STJ_MUST(name_products(c, header, err));
    STJ_MUST(stj_log_read_header(path, &found, err));
    STJ_NEED(err, found || !stj_file_exists(path), STJ_EFORMAT,
             "%s is no journal of products, and is not replaced; name another file", path);
    STJ_NEED(err, !found || strcmp(found, header) == 0, STJ_EMISMATCH,
             "%s is the journal '%s', not '%s'; name another file, or remove it", path, found,
             header);
    STJ_MUST(stj_strdup(&c->kept.journal_path, path, err));
    return stj_log_open(path, header, &c->kept.journal, err);
}

static enum stj_status open_op(struct call *c, struct stj_error *err)
{
    if (c->journal)
        STJ_MUST(open_journal(c, err));
    STJ_MUST(stj_op_create_journal(c->op, c->kept.journal, &c->kept.op, err));
    stj_op_journal_verify(c->kept.op);
    return stj_op_watch(c->kept.op, err);
}

static enum stj_status begin_about(struct call *c, struct stj_error *err)
{
    const struct stj_question *q = &c->question;
    struct stj_result_about *about = &c->result->about;
    STJ_MUST(stj_about_begin(about, err));
    STJ_MUST(stj_request_print(q, q->config, false, &about->request, err));
    about->n_params = q->n;
    about->part = q->part;
    about->training.first_loss = about->training.train_loss = (double)NAN;
    about->training.deviation = about->training.tolerance = (double)NAN;
    about->self_check.orthogonality = (double)NAN;
    return STJ_OK;
}

/* What an interrupted computation leaves; owned by the caller, NULL: there is no memory. */
static char *say_what_is_kept(const struct call *c)
{
    const struct stj_op_counts *n = &c->result->about.counts;
    const size_t size = 160 + (c->journal ? strlen(c->journal) : 0);
    char *text = NULL;
    if (stj_new(&text, size, 1, NULL) != STJ_OK)
        return NULL;
    if (c->journal)
        snprintf(text, size, "%.0f products are kept in %s, and asked again with it it goes on",
                 n->jvp + n->vjp, c->journal);
    else
        snprintf(text, size, "nothing is kept: a journal would keep the products");
    return text;
}

/* It is said in the error, or in the half of a result. */
static enum stj_status end_interrupted(struct call *c, enum stj_status st, struct stj_error *err)
{
    char *text = say_what_is_kept(c);
    if (st == STJ_OK) {
        c->result->to_go_on = text;
        return st;
    }
    stj_error_clear(err);
    stj_error_set(err, st, __FILE__, __LINE__, "%s was interrupted; %s",
                  c->question.analysis->info.name, text ? text : "");
    free(text);
    return st;
}

static enum stj_status of_operator_compute(struct call *c, struct stj_error *err)
{
    const struct stj_question *q = &c->question;
    struct stj_result_about *about = &c->result->about;
    struct stj_analysis_context cx = {.part = &q->part,
                                      .n = q->n,
                                      .op = c->kept.op,
                                      .wanted = q->config,
                                      .memory_bytes = q->common.memory,
                                      .progress = c->progress,
                                      .about = about,
                                      .kept = &c->kept};
    bool interrupted = false;
    const double start = stj_clock();
    const enum stj_status st = q->analysis->compute(&cx, q->config, c->result->data, err);
    stj_analysis_release_op(&cx);
    about->spent = about->counts;
    about->seconds = stj_clock() - start;
    if (st == STJ_OK)
        (void)stj_result_is_complete(c->result, &interrupted);
    if (st == STJ_EINTERRUPTED || interrupted)
        return end_interrupted(c, st, err);
    STJ_MUST(st);
    stj_warn_of_check(&about->self_check, (double)NAN, c->progress);
    return q->analysis->view ? q->analysis->view(&cx, q->config, c->result->data, err) : STJ_OK;
}

enum stj_status stj_analyse_op(struct stj_op *op, const struct stj_request *request,
                               const char *journal, const struct stj_progress *progress,
                               struct stj_result **result, struct stj_error *err)
{
    static const struct stj_progress nobody = {0};
    STJ_NOT_NULL(err, op, request, result);
    STJ_HELD(close_call)
    struct call c = {.op = op, .journal = journal, .progress = progress ? progress : &nobody};
    *result = NULL;
    STJ_MUST(stj_question_of_op(request, stj_op_n_cols(op), &c.question, err));
    const struct stj_analysis *a = c.question.analysis;
    STJ_NEED(err, a != &stj_analysis_dense || stj_op_n_rows(op) == stj_op_n_cols(op), STJ_EINVAL,
             "dense is of a square operator, and this is %zu x %zu", stj_op_n_rows(op),
             stj_op_n_cols(op));
    if (a->fits)
        STJ_MUST(a->fits(c.question.n, c.question.common.memory, err));
    STJ_MUST(stj_result_create(a, &c.result, err));
    STJ_MUST(begin_about(&c, err));
    STJ_MUST(open_op(&c, err));
    STJ_MUST(of_operator_compute(&c, err));
    *result = c.result;
    c.result = NULL;
    return STJ_OK;
}
