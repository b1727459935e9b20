/* SPDX-License-Identifier: GPL-3.0-or-later */
/* analysis/given.c: an analysis of D = d theta_to / d u in the place of J (op/given_jacobian.h). */
#include "analysis/given.h"

#include <stdlib.h>
#include <string.h>

#include "analysis/store.h"
#include "base/error.h"
#include "base/memory.h"
#include "op/given_jacobian.h"
#include "op/journal.h"
#include "op/operator.h"

const char *const stj_given_words[] = {"weights", "inputs", "targets", "rates",
                                       "momenta", "decays", "scales",  NULL};

/* STJ_GIVEN_START: it is none of them. */
static enum stj_given find(const char *of)
{
    for (size_t i = 0; stj_given_words[i]; i++)
        if (strcmp(of, stj_given_words[i]) == 0)
            return stj_given_of_word(i);
    return STJ_GIVEN_START;
}

enum stj_status stj_given_check(const char *of, struct stj_error *err)
{
    STJ_NEED(err, !of || find(of) != STJ_GIVEN_START, STJ_EINVAL,
             "of is '%.40s': it is one of weights, inputs, targets, rates, momenta, "
             "decays, scales",
             of);
    return STJ_OK;
}

const char *stj_given_of(const struct stj_analysis *analysis, const void *config)
{
    for (const struct stj_option *row = analysis->info.options; config && row->name; row++)
        if (strcmp(row->name, "of") == 0 && row->type == STJ_OPTION_STRING)
            return *(char *const *)(const void *)((const char *)config + row->offset);
    return NULL;
}

bool stj_given_predict(const struct stj_run *run, const struct stj_run_part *part, const char *of,
                       size_t memory_bytes, size_t nvec, size_t *n_given, size_t *more)
{
    const enum stj_given given = find(of);
    return given != STJ_GIVEN_START &&
           stj_run_given_bytes(run, part, given, memory_bytes, nvec, n_given, more, NULL) == STJ_OK;
}

/* ---- D' ---- */

static enum stj_status transposed_apply(void *ctx, enum stj_trans trans, size_t nvec,
                                        const double *x, size_t ldx, double *y, size_t ldy,
                                        struct stj_error *err)
{
    const enum stj_trans other = trans == STJ_NO_TRANS ? STJ_TRANS : STJ_NO_TRANS;
    return stj_op_apply(ctx, other, nvec, x, ldx, y, ldy, err);
}

static void transposed_destroy(void *ctx)
{
    stj_op_destroy(ctx);
}

/* *op <- its transpose, which owns it. */
static enum stj_status transpose(struct stj_op **op, struct stj_error *err)
{
    struct stj_op *t = NULL;
    STJ_MUST(stj_op_create(stj_op_n_cols(*op), stj_op_n_rows(*op), transposed_apply,
                           transposed_destroy, *op, &t, err));
    stj_op_cost_as(t, *op);
    *op = t;
    return STJ_OK;
}

enum stj_status stj_analysis_use_given(struct stj_analysis_context *cx, const char *of, bool narrow,
                                       struct stj_error *err)
{
    struct stj_result_op *kept = cx->kept;
    if (!of)
        return STJ_OK;
    STJ_NEED(err, cx->run, STJ_EUNSUPPORTED,
             "--of is about what a run was given: an operator by itself has none");
    STJ_NEED(err, cx->part->precision == STJ_PRECISION_DOUBLE, STJ_EUNSUPPORTED,
             "--of has no precision %s: take double", stj_precisions[cx->part->precision]);
    STJ_MUST(stj_given_jacobian_create(kept->inner, find(of), &kept->given, err));
    kept->transposed = narrow && stj_op_n_cols(kept->given) > stj_op_n_rows(kept->given);
    if (kept->transposed)
        STJ_MUST(transpose(&kept->given, err));
    stj_op_destroy(kept->op);
    kept->op = cx->op = NULL;
    STJ_MUST(stj_op_create_journal(kept->given, kept->journal, &kept->op, err));
    STJ_MUST(stj_op_watch(kept->op, err));
    cx->op = kept->op;
    cx->n = stj_op_n_cols(cx->op);
    return stj_strdup(&cx->about->of, of, err);
}
