/* SPDX-License-Identifier: GPL-3.0-or-later */
/* report/result.c: what the result files of all analyses have in common.
 *
 * A result file carries the fingerprint of its run and, as text, the request that it answers: every
 * setting that its numbers depend on.  Equal texts mean that the stored numbers are the answer.

 */
#include "report/result.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/blas.h"
#include "base/crc.h"
#include "base/error.h"
#include "io/file.h"
#include "base/memory.h"
#include "parallel/ranks.h"
#include "base/progress.h"
#include "op/journal.h"
#include "op/training_jacobian.h"
#include "run/folder/run_lock.h"

const struct stj_h5_format stj_any_result_format = {
    .name = NULL, .version = UINT32_MAX, .remedy = "compute it again with --force"};

enum { TAG_MAX_BYTES = 100 };

enum stj_status stj_result_window(const struct stj_run *run,
                                  const struct stj_analysis_settings *settings,
                                  struct stj_run_info *info, struct stj_result_window *window,
                                  struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const struct stj_run_part part = {.layers = settings->layers,
                                      .full_state = settings->full_state};
    stj_run_get_info(run, info);
    *window = (struct stj_result_window){.from = settings->from,
                                         .to = settings->to ? settings->to : info->n_steps,
                                         .full_state = settings->full_state};
    STJ_CHECK(err, window->from < window->to && window->to <= info->n_steps, STJ_EINVAL,
              "window of steps %zu to %zu: must be increasing and within the run's 0 to %zu",
              window->from, window->to, info->n_steps);
    STJ_TRY(stj_run_part_size(run, &part, &window->n, &window->layers, err));
    info->n_params = window->n;
out:
    return st;
}

void stj_result_window_free(struct stj_result_window *window)
{
    free(window->layers);
    window->layers = NULL;
}

static bool is_block(const struct stj_result_window *window)
{
    return window->layers && window->layers[0];
}

/* The names can be many: their checksum. */
static uint32_t block_crc(const struct stj_result_window *window)
{
    return stj_crc32(0, window->layers, strlen(window->layers));
}

const char *stj_result_window_text(const struct stj_result_window *window,
                                   char text[STJ_WINDOW_TEXT_MAX])
{
    const char *state = window->full_state ? " state full" : "";
    if (is_block(window))
        snprintf(text, STJ_WINDOW_TEXT_MAX, "from %zu to %zu layers %08x%s", window->from,
                 window->to, block_crc(window), state);
    else
        snprintf(text, STJ_WINDOW_TEXT_MAX, "from %zu to %zu%s", window->from, window->to, state);
    return text;
}

struct stj_part stj_result_part(const struct stj_result_window *window)
{
    struct stj_part part = {
        .from = window->from, .to = window->to, .full_state = window->full_state};
    snprintf(part.layers, sizeof part.layers, "%s", window->layers ? window->layers : "");
    return part;
}

struct stj_run_part stj_result_run_part(const struct stj_result_window *window)
{
    return (struct stj_run_part){.from = window->from,
                                 .to = window->to,
                                 .layers = is_block(window) ? window->layers : NULL,
                                 .full_state = window->full_state};
}

enum stj_status stj_result_put_window(struct stj_h5 *file, const struct stj_result_window *window,
                                      struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    STJ_TRY(stj_h5_put_unsigned(file, "@from", window->from, err));
    STJ_TRY(stj_h5_put_unsigned(file, "@to", window->to, err));
    STJ_TRY(stj_h5_put_text(file, "@state", window->full_state ? "full" : "theta", err));
    STJ_TRY(stj_h5_put_text(file, "layers", window->layers, err));
out:
    return st;
}

enum stj_status stj_result_window_path(const struct stj_run_info *info, const char *name,
                                       const char *tag, const struct stj_result_window *window,
                                       char **path, struct stj_error *err)
{
    char own[STJ_WINDOW_TEXT_MAX];
    if (tag || (!is_block(window) && !window->full_state))
        return stj_result_path(info, name, tag, path, err);
    if (is_block(window))
        snprintf(own, sizeof own, "block-%08x%s", block_crc(window),
                 window->full_state ? "-full" : "");
    else
        snprintf(own, sizeof own, "full");
    return stj_result_path(info, name, own, path, err);
}

enum stj_status stj_result_path(const struct stj_run_info *info, const char *name, const char *tag,
                                char **path, struct stj_error *err)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                  "._-";
    enum stj_status st = STJ_OK;
    char file[TAG_MAX_BYTES + 64];
    STJ_CHECK(err,
              !tag || (tag[0] && strlen(tag) < TAG_MAX_BYTES && tag[strspn(tag, allowed)] == '\0'),
              STJ_EINVAL, "tag \"%.40s\": must be 1 to %d letters, digits, '.', '_' or '-'",
              tag ? tag : "", TAG_MAX_BYTES - 1);
    snprintf(file, sizeof file, "%s%s%s.h5", name, tag ? "-" : "", tag ? tag : "");
    STJ_TRY(stj_path_join(info->dir, file, path, err));
out:
    return st;
}

enum stj_status stj_result_log_path(const char *path, char **log, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const size_t stem = strlen(path) - strlen(".h5");
    STJ_TRY(stj_new(log, stem + sizeof ".journal", 1, err));
    memcpy(*log, path, stem);
    memcpy(*log + stem, ".journal", sizeof ".journal");
out:
    return st;
}

/* *file <- a new result file of the run, with its fingerprint and the request that it answers. */
static enum stj_status create(const char *path, const struct stj_h5_format *format,
                              const struct stj_run_info *info, const char *request,
                              struct stj_h5 **file, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    STJ_TRY(stj_h5_create(path, format, file, err));
    STJ_TRY(stj_h5_put_text(*file, "@fingerprint", info->fingerprint, err));
    STJ_TRY(stj_h5_put_text(*file, "@request", request, err));
    STJ_TRY(stj_h5_put_unsigned(*file, "@n_params", info->n_params, err));
out:
    if (st != STJ_OK) {
        stj_h5_close(*file);
        *file = NULL;
    }
    return st;
}

static enum stj_status check_fingerprint(const char *path, struct stj_h5 *file,
                                         const struct stj_run_info *info, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    char *fingerprint = NULL;
    STJ_TRY(stj_h5_get_text(file, "@fingerprint", &fingerprint, err));
    STJ_CHECK(
        err, strcmp(fingerprint, info->fingerprint) == 0, STJ_EMISMATCH,
        "%s: is a result of the run with fingerprint %s, this run has %s; --force replaces it",
        path, fingerprint, info->fingerprint);
out:
    free(fingerprint);
    return st;
}

enum stj_status stj_result_open(const char *path, const struct stj_h5_format *format,
                                const struct stj_run_info *info, const char *request, bool force,
                                struct stj_h5 **file, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct stj_h5 *found = NULL;
    char *stored = NULL;
    bool same = false;
    *file = NULL;
    if (force || !stj_file_exists(path))
        goto out;
    STJ_TRY(stj_h5_open(path, format, &found, err));
    STJ_TRY(check_fingerprint(path, found, info, err));
    STJ_TRY(stj_h5_get_text(found, "@request", &stored, err));
    same = !request || strcmp(stored, request) == 0;
out:
    free(stored);
    st = stj_ranks_agree(st, err);
    if (st == STJ_OK)
        st = stj_ranks_same(same, path, err);
    if (st != STJ_OK || !same) {
        stj_h5_close(found);
        found = NULL;
    }
    *file = found;
    return st;
}

enum stj_status stj_result_begin(const struct stj_run *run, const char *path,
                                 const struct stj_h5_format *format,
                                 const struct stj_run_info *info, const char *request, bool force,
                                 const struct stj_progress *progress, struct stj_lock **lock,
                                 struct stj_h5 **file, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    STJ_TRY(stj_result_open(path, format, info, request, force, file, err));
    if (*file)
        goto out;
    STJ_TRY(stj_run_lock(run, path, progress, lock, err));
    STJ_TRY(stj_result_open(path, format, info, request, force, file, err));
    if (*file) { /* somebody else was just finishing it */
        stj_lock_release(*lock);
        *lock = NULL;
        goto out;
    }
    STJ_TRY(create(path, format, info, request, file, err));
out:
    return st;
}

enum stj_status stj_result_put_columns(struct stj_h5 *file, const char *name, size_t k, size_t n,
                                       const double *columns, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    if (k == 0)
        goto out;
    STJ_TRY(stj_h5_put_matrix(file, name, k, n, err));
    STJ_TRY(stj_h5_put_rows(file, name, 0, k, columns, n, err));
out:
    return st;
}

enum stj_status stj_result_get_columns(struct stj_h5 *file, const char *name, size_t k, size_t n,
                                       double **columns, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    if (k == 0)
        goto out;
    STJ_TRY(stj_h5_expect(file, name, k, n, err));
    STJ_TRY(stj_new(columns, k * n, sizeof **columns, err));
    STJ_TRY(stj_h5_get_rows(file, name, 0, k, n, *columns, n, err));
out:
    return st;
}

enum stj_status stj_result_get_vector(struct stj_h5 *file, const char *name, size_t n,
                                      double **value, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    STJ_TRY(stj_h5_expect(file, name, n, 1, err));
    STJ_TRY(stj_new(value, n, sizeof **value, err));
    STJ_TRY(stj_h5_get_vector(file, name, n, *value, err));
out:
    return st;
}

enum { HEADER_BYTES = 256 };

enum stj_status stj_result_op_open(struct stj_run *run, const struct stj_result_window *window,
                                   const char *path, bool again, size_t memory_bytes,
                                   struct stj_result_op *op, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const struct stj_run_part part = stj_result_run_part(window);
    struct stj_run_info info;
    char header[HEADER_BYTES];
    char text[STJ_WINDOW_TEXT_MAX];
    stj_run_get_info(run, &info);
    snprintf(header, sizeof header, "spectraj-products 1 %s %s", info.fingerprint,
             stj_result_window_text(window, text));
    STJ_TRY(stj_result_log_path(path, &op->log_path, err));
    if (again && stj_file_exists(path))
        stj_file_remove(op->log_path); /* asked to compute, not to replay */
    STJ_TRY(stj_log_open(op->log_path, header, &op->log, err));
    STJ_TRY(stj_run_part_jacobian(run, &part, memory_bytes, &op->inner, err));
    STJ_TRY(stj_op_create_journal(op->inner, op->log, &op->op, err));
    STJ_TRY(stj_op_watch(op->op, err));
out:
    return st;
}

void stj_result_op_close(struct stj_result_op *op)
{
    stj_op_destroy(op->op);
    stj_op_destroy(op->inner);
    if (op->log && stj_log_n_records(op->log) == 0)
        stj_file_remove(op->log_path);
    stj_log_close(op->log);
    free(op->log_path);
    *op = (struct stj_result_op){0};
}

void stj_result_op_storage(const struct stj_result_op *op, size_t memory_bytes,
                           struct stj_storage *storage)
{
    stj_training_jacobian_storage(op->inner, storage);
    if (memory_bytes > 0)
        storage->budget = memory_bytes;
}

/* Rounding, which the residuals of converged pairs measure themselves with, leaves less by far. */
static const double doubtful = 1e-9;

static double largest_overlap(size_t n, size_t k, const double *v, double *gram)
{
    double worst = 0;
    stj_dgemm(STJ_BLAS_TRANS, STJ_BLAS_NO_TRANS, k, k, n, 1, v, n, v, n, 0, gram, k);
    for (size_t j = 0; j < k; j++)
        for (size_t i = 0; i < k; i++)
            worst = fmax(worst, fabs(gram[i + j * k] - (i == j ? 1 : 0)));
    return worst;
}

enum stj_status stj_result_check_vectors(size_t n, size_t k, const double *v,
                                         struct stj_self_check *check, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    double *gram = NULL;
    if (k == 0)
        goto out;
    STJ_TRY(stj_new(&gram, k * k, sizeof *gram, err));
    check->orthogonality =
        fmax(check->orthogonality, largest_overlap(n, k, v, gram)); /* NaN loses */
out:
    free(gram);
    return st;
}

void stj_result_warn_of_check(const struct stj_self_check *check,
                              const struct stj_progress *progress)
{
    if (check->adjoint_error > doubtful)
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

void stj_result_warn_of_residuals(const struct stj_svd_result *r,
                                  const struct stj_progress *progress)
{
    if (r->residual_excess > 1)
        stj_progress_warn(progress,
                          "the residuals of the largest pairs are up to %.2g times what %s and "
                          "rounding allow: they disagree with the iteration that found them; do "
                          "not trust the result; run spectraj validate",
                          r->residual_excess, r->method ? r->method : "the method");
}

void stj_result_op_forget(const char *path)
{
    char *log_path = NULL;
    if (stj_result_log_path(path, &log_path, NULL) == STJ_OK)
        stj_file_remove(log_path); /* what stays behind is only in the way */
    free(log_path);
}

enum stj_status stj_result_get_stop(struct stj_h5 *file, enum stj_stop *stop, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    char *text = NULL;
    STJ_TRY(stj_h5_get_text(file, "@stop", &text, err));
    for (int i = STJ_STOP_CONVERGED; i <= STJ_STOP_FLOOR; i++)
        if (strcmp(text, stj_stop_text((enum stj_stop)i)) == 0) {
            *stop = (enum stj_stop)i;
            goto out;
        }
    st = stj_h5_refuse(file, err, "its stop reason \"%.40s\" is unknown", text);
out:
    free(text);
    return st;
}

enum stj_status stj_result_open_window(struct stj_run *run, const char *name,
                                       const struct stj_h5_format *format,
                                       const struct stj_result_window *window, struct stj_h5 **file,
                                       struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct stj_run_info info;
    struct stj_result_window have = {0};
    struct stj_h5 *found = NULL;
    char *path = NULL;
    *file = NULL;
    stj_run_get_info(run, &info);
    STJ_TRY(stj_result_window_path(&info, name, NULL, window, &path, err));
    STJ_TRY(stj_result_open(path, format, &info, NULL, false, &found, err));
    if (!found)
        goto out;
    STJ_TRY(stj_h5_get_size(found, "@from", &have.from, err));
    STJ_TRY(stj_h5_get_size(found, "@to", &have.to, err));
    if (have.from == window->from && have.to == window->to) {
        *file = found;
        found = NULL;
    }
out:
    stj_h5_close(found);
    free(path);
    return st;
}
