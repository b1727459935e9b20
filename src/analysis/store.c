/* SPDX-License-Identifier: GPL-3.0-or-later */
/* analysis/store.c: where results lie in a run's folder, and how they get there. */
#include "analysis/store.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <spectraj/progress.h>

#include "analysis/request.h"
#include "base/crc.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/progress.h"
#include "io/file.h"
#include "op/journal.h"
#include "parallel/ranks.h"

const struct stj_h5_format stj_any_result_format = {
    .name = NULL, .version = UINT32_MAX, .remedy = "compute it again with --force"};

enum { TAG_MAX_BYTES = 100, NAME_MAX_BYTES = STJ_RESULT_NAME_BYTES };

/* ---- names ---- */

enum stj_status stj_result_path(const struct stj_run *run, const char *name, const char *tag,
                                char **path, struct stj_error *err)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                  "._-";
    char file[NAME_MAX_BYTES + TAG_MAX_BYTES];
    STJ_NEED(err,
             !tag || (tag[0] && strlen(tag) < TAG_MAX_BYTES && tag[strspn(tag, allowed)] == '\0'),
             STJ_EINVAL, "tag \"%.40s\": must be 1 to %d letters, digits, '.', '_' or '-'",
             tag ? tag : "", TAG_MAX_BYTES - 1);
    snprintf(file, sizeof file, "%s%s%s.h5", name, tag ? "-" : "", tag ? tag : "");
    return stj_path_join(run->dir, file, path, err);
}

const char *stj_result_of_whole(const struct stj_run *run, const char *name,
                                char text[STJ_RESULT_NAME_BYTES])
{
    char slug[STJ_PART_TEXT_MAX];
    struct stj_run_info info;
    STJ_FREED char *path = NULL;
    stj_run_get_info(run, &info);
    const struct stj_run_part part = {.to = info.n_steps};
    snprintf(text, STJ_RESULT_NAME_BYTES, "%.64s%s", name,
             stj_part_slug(&part, info.first_steps, slug));
    if (stj_result_path(run, text, NULL, &path, NULL) != STJ_OK || !stj_file_exists(path))
        snprintf(text, STJ_RESULT_NAME_BYTES, "%s", name);
    return text;
}

enum stj_status stj_journal_path(const char *path, const char *word, char **journal,
                                 struct stj_error *err)
{
    const int stem = (int)(strlen(path) - strlen(".h5"));
    const size_t bytes = strlen(path) + (word ? strlen(word) : 0) + sizeof "+.journal";
    STJ_MUST(stj_new(journal, bytes, 1, err));
    snprintf(*journal, bytes, "%.*s%s%s.journal", stem, path, word ? "+" : "", word ? word : "");
    return STJ_OK;
}

void stj_journal_remove(const char *path, const char *word)
{
    char *journal = NULL;
    if (stj_journal_path(path, word, &journal, NULL) == STJ_OK)
        stj_file_remove(journal); /* what stays behind is only in the way */
    free(journal);
}

/* ---- what is there ---- */

static enum stj_status check_fingerprint(const char *path, struct stj_h5 *file,
                                         const struct stj_run *run, struct stj_error *err)
{
    STJ_FREED char *fingerprint = NULL;
    struct stj_run_info info;
    stj_run_get_info(run, &info);
    STJ_MUST(stj_h5_get_text(file, "@fingerprint", &fingerprint, err));
    STJ_NEED(err, stj_run_has_made(&info, fingerprint), STJ_EMISMATCH,
             "%s: is a result of the run with fingerprint %s, this run has %s; --force replaces it",
             path, fingerprint, run->about.fingerprint);
    return STJ_OK;
}

/* *file <- the result file at `path`; NULL: there is none.  The same on all ranks. */
static enum stj_status open_result(const struct stj_run *run, const char *path,
                                   const struct stj_h5_format *format, struct stj_h5 **file,
                                   struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    *file = NULL;
    if (!stj_file_exists(path))
        goto out;
    STJ_TRY(stj_h5_open(path, format, file, err));
    STJ_TRY(check_fingerprint(path, *file, run, err));
out:
    st = stj_ranks_agree(st, err);
    if (st == STJ_OK)
        st = stj_ranks_same(*file != NULL, path, err);
    if (st != STJ_OK) {
        stj_h5_close(*file);
        *file = NULL;
    }
    return st;
}

enum stj_status stj_result_open(const struct stj_run *run, const struct stj_h5_format *format,
                                const char *base, const char *tag, struct stj_h5 **file,
                                struct stj_error *err)
{
    STJ_FREED char *path = NULL;
    *file = NULL;
    STJ_MUST(stj_result_path(run, base, tag, &path, err));
    return open_result(run, path, format, file, err);
}

/* Name number i that a question may have; false past the last. */
static bool candidate(const struct stj_place_request *r, size_t i, char name[NAME_MAX_BYTES])
{
    const uint32_t crc = stj_crc32(0, r->question, strlen(r->question));
    const bool fits =
        r->options[0] && strlen(r->base) + strlen(r->options) + 2 < NAME_MAX_BYTES / 2;
    if (i == 0)
        snprintf(name, NAME_MAX_BYTES, "%s", r->base);
    else if (i == 1 && fits)
        snprintf(name, NAME_MAX_BYTES, "%s-%s", r->base, r->options);
    else if (i == 1 || i == 2)
        snprintf(name, NAME_MAX_BYTES, "%s-%08x", r->base, crc);
    return i < (r->tag ? 1 : 3);
}

/* One candidate: *taken <- something is there; the place is filled where it answers the
 * question. */
static enum stj_status look_at(const struct stj_run *run, const struct stj_place_request *r,
                               const char *path, struct stj_place *place, bool *taken,
                               struct stj_error *err)
{
    struct stj_error trouble = STJ_ERROR_INIT;
    struct stj_h5 *file = NULL;
    char *request = NULL;
    enum stj_status st = open_result(run, path, r->format, &file, r->force ? &trouble : err);
    if (r->force && (st == STJ_EFORMAT || st == STJ_EMISMATCH))
        st = STJ_OK;
    else if (r->force && st != STJ_OK)
        st = stj_error_pass(&trouble, err);
    STJ_TRY(st);
    *taken = file != NULL;
    if (!file)
        goto out;
    STJ_TRY(stj_h5_get_text(file, "@request", &request, err));
    if (r->same(r->ctx, request)) {
        place->file = file;
        place->request = request;
        file = NULL;
        request = NULL;
    }
out:
    stj_h5_close(file);
    free(request);
    return st;
}

enum stj_status stj_place_find(const struct stj_run *run, const struct stj_place_request *r,
                               struct stj_place *place, struct stj_error *err)
{
    char name[NAME_MAX_BYTES];
    STJ_FREED char *path = NULL;
    bool taken = false;
    *place = (struct stj_place){.path = NULL};
    for (size_t i = 0; !place->file && candidate(r, i, name); i++) {
        free(path);
        STJ_MUST(stj_result_path(run, name, r->tag, &path, err));
        STJ_MUST(look_at(run, r, path, place, &taken, err));
        if (place->file || (!taken && !place->path)) {
            free(place->path);
            place->path = path;
            path = NULL;
        }
    }
    STJ_NEED(err, place->path, STJ_EEXIST,
             "%s: answers another question, and is not replaced; take another --tag, or remove it",
             path);
    return STJ_OK;
}

void stj_place_close(struct stj_place *place)
{
    stj_h5_close(place->file);
    free(place->path);
    free(place->request);
    *place = (struct stj_place){.path = NULL};
}

/* ---- a new result ---- */

enum stj_status stj_place_create(const struct stj_run *run, const char *path,
                                 const struct stj_h5_format *format, struct stj_h5 **file,
                                 struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    STJ_TRY(stj_h5_create(path, format, file, err));
    STJ_TRY(stj_h5_put_text(*file, "@fingerprint", run->about.fingerprint, err));
out:
    if (st != STJ_OK) {
        stj_h5_close(*file);
        *file = NULL;
    }
    return st;
}

/* ---- its operator ---- */

enum { HEADER_BYTES = 256 };

/* The log of a computation that began with nothing, if it has products; else of one that began with
 * what is known. */
static enum stj_status open_journal(const char *begun, const struct stj_journal_start *start,
                                    struct stj_result_op *op, struct stj_error *err)
{
    char header[HEADER_BYTES];
    STJ_FREED char *found = NULL;
    STJ_MUST(stj_log_read_header(op->journal_path, &found, err));
    snprintf(header, sizeof header, "%s after %08x", begun, start->known);
    if (start->known == 0 || (found && strcmp(found, begun) == 0))
        STJ_MUST(stj_log_open(op->journal_path, begun, &op->journal, err));
    op->resumes = op->journal && stj_log_n_records(op->journal) > 0;
    if (start->known == 0 || op->resumes)
        return STJ_OK;
    stj_log_close(op->journal);
    op->journal = NULL;
    return stj_log_open(op->journal_path, header, &op->journal, err);
}

enum stj_status stj_result_op_open(struct stj_run *run, const struct stj_run_part *part,
                                   const char *path, const struct stj_journal_start *start,
                                   bool again, size_t memory_bytes, struct stj_result_op *op,
                                   struct stj_error *err)
{
    char begun[HEADER_BYTES - 16];
    char text[STJ_PART_TEXT_MAX];
    char fingerprint[STJ_FINGERPRINT_BYTES];
    snprintf(begun, sizeof begun, "spectraj-products 1 %s %s",
             stj_run_fingerprint_at(run, part->to, fingerprint), stj_part_text(part, text));
    STJ_MUST(stj_journal_path(path, start->word, &op->journal_path, err));
    if (again && stj_file_exists(path))
        stj_file_remove(op->journal_path); /* asked to compute, not to replay */
    STJ_MUST(open_journal(begun, start, op, err));
    STJ_MUST(stj_run_part_jacobian(run, part, memory_bytes, &op->inner, err));
    STJ_MUST(stj_op_create_journal(op->inner, op->journal, &op->op, err));
    return stj_op_watch(op->op, err);
}

void stj_result_op_close(struct stj_result_op *op)
{
    stj_op_destroy(op->op);
    stj_op_destroy(op->given);
    stj_op_destroy(op->inner);
    if (op->journal && stj_log_n_records(op->journal) == 0)
        stj_file_remove(op->journal_path);
    stj_log_close(op->journal);
    free(op->journal_path);
    *op = (struct stj_result_op){0};
}

/* Rounding, which the residuals of converged pairs measure themselves with, leaves less by far. */
static const double doubtful = 1e-9;

void stj_warn_of_check(const struct stj_self_check *check, double product_error,
                       const struct stj_progress *progress)
{
    if (check->adjoint_error > fmax(doubtful, 10 * product_error)) /* fmax takes no NaN */
        stj_progress_warn(
            progress,
            "self-check: <Jx, y> and <x, J'y> differ by %.2g of their size, and should "
            "by rounding alone: do not trust the result; run spectraj validate",
            check->adjoint_error);
    if (check->orthogonality > doubtful)
        stj_progress_warn(
            progress,
            "self-check: the singular vectors have lost their orthogonality (%.2g): do "
            "not trust the result",
            check->orthogonality);
}
