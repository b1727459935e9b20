/* SPDX-License-Identifier: GPL-3.0-or-later */
/* analysis/store.h: where results lie in a run's folder, and how they get there.
 *
 *     BASE.h5            the first question asked, BASE being svd, trace-frobenius, svd-0-100, ...
 *     BASE-TAG.h5        where a tag was given
 *     BASE-OPTIONS.h5    another question: "svd-seed-3.h5"
 *     BASE-CRC.h5        where that name is taken too
 *
 * A question keeps its file: it is looked for under all of these names, and what it does not find
 * begins a file under the first that is free.  A file is replaced only by an answer to the same
 * question.
 */
#ifndef STJ_ANALYSIS_STORE_H
#define STJ_ANALYSIS_STORE_H

#include <spectraj/run.h>

#include "io/h5.h"
#include "io/lock.h"
#include "io/log.h"

/* Any result file. */
extern const struct stj_h5_format stj_any_result_format;

/* What is looked for. */
struct stj_place_request {
    const struct stj_h5_format *format;
    const char *base;     /* of the name */
    const char *tag;      /* NULL: none */
    const char *options;  /* for the name of another question; may be empty */
    const char *question; /* in one line: its checksum is a name of its own */
    bool force;           /* what is damaged, or of another run, is as good as not there */

    /* Does a stored request ask the same question? */
    bool (*same)(const void *ctx, const char *request);
    const void *ctx;
};

/* A place in the folder of a run. */
struct stj_place {
    char *path;
    struct stj_h5 *file; /* the result of the same question, open; NULL: there is none yet */
    char *request;       /* that it answers */
};

/* place <- where the question's result lies, or is to lie.  STJ_EEXIST: the tag is that of another
 * question. STJ_EMISMATCH: the file is of another run.  To be closed whatever happens. */
enum stj_status stj_place_find(const struct stj_run *run, const struct stj_place_request *request,
                               struct stj_place *place, struct stj_error *err);
void stj_place_close(struct stj_place *place);

/* *file <- the result file of that name (without ".h5") and tag; NULL: there is none.  Errors as
 * above. */
enum stj_status stj_result_open(const struct stj_run *run, const struct stj_h5_format *format,
                                const char *base, const char *tag, struct stj_h5 **file,
                                struct stj_error *err);

/* *file <- a new result file of the run: before any work, so that a folder that cannot be written
 * says so at once. */
enum stj_status stj_place_create(const struct stj_run *run, const char *path,
                                 const struct stj_h5_format *format, struct stj_h5 **file,
                                 struct stj_error *err);

/* *path <- "DIR/NAME.h5" or "DIR/NAME-TAG.h5" (owned by the caller). */
enum stj_status stj_result_path(const struct stj_run *run, const char *name, const char *tag,
                                char **path, struct stj_error *err);

/* text <- the name of the result of a run's whole training: `name`, or of a run that was continued
 * that with the steps behind it, where it is there. */
enum { STJ_RESULT_NAME_BYTES = 200 };
const char *stj_result_of_whole(const struct stj_run *run, const char *name,
                                char text[STJ_RESULT_NAME_BYTES]);

/* A computation, for the journal of its products: "svd.journal", or with a word "svd+bottom.journal". */
struct stj_journal_start {
    const char *word; /* NULL: none.  Computations with no product in common have different ones */
    const char *also; /* word of a journal that has served too when this one has; NULL: none */
    bool has_more;    /* it goes on where this computation ended: another one was to do more */
    uint32_t known;   /* a checksum of what is known that it begins with; 0: nothing is */
};

/* *journal <- the path of a journal beside a result file (owned by the caller). */
enum stj_status stj_journal_path(const char *path, const char *word, char **journal,
                                 struct stj_error *err);
void stj_journal_remove(const char *path, const char *word); /* of the result file at `path` */

/* A Jacobian whose products survive an interruption: they lie in the journal beside a result
 * file. */
struct stj_result_op {
    struct stj_op *inner, *op; /* op: to be computed with */
    struct stj_op *given;      /* what that is of, in the place of inner; or NULL */
    bool transposed;           /* that is D': products with op are with D the other way */
    struct stj_log *journal;
    char *journal_path;
    bool resumes; /* it holds products of a computation that began with nothing known */
};

/* Open it; what an interrupted computation left is gone on with where it began with nothing, or with
 * what is known now.  again: products are computed anew where there is a result at `path` already. */
enum stj_status stj_result_op_open(struct stj_run *run, const struct stj_run_part *part,
                                   const char *path, const struct stj_journal_start *start,
                                   bool again, size_t memory_bytes, struct stj_result_op *op,
                                   struct stj_error *err);
void stj_result_op_close(struct stj_result_op *op); /* a journal without a product is removed */

/* Warn when the checks of products found more than rounding, or than the error of products in single
 * precision (NaN: in double). */
void stj_warn_of_check(const struct stj_self_check *check, double product_error,
                       const struct stj_progress *progress);

#endif
