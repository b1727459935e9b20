/* SPDX-License-Identifier: GPL-3.0-or-later */
/* report/result_dense.c: the dense Jacobian's singular values and vectors, computed or read from
 * dense.h5.
 *
 * J is built from n_params products in blocks and decomposed by LAPACK's gesdd, 22 n^3 flops or so.
 * Memory: J, U and V' with n^2 numbers each, and 3 n^2 of work space.

 */
#include <stdio.h>
#include <stdlib.h>

#include "base/blas.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "parallel/parallel.h"
#include "base/progress.h"
#include "op/training_jacobian.h"
#include "report/command.h"
#include "report/plan.h"
#include "report/result.h"
#include "run/run_internal.h"

const struct stj_h5_format stj_dense_format = {
    .name = "spectraj-dense", .version = 1, .remedy = "compute it again with --force"};

enum { REQUEST_BYTES = 128, SQUARES = 6 };

/* u and v column-major, n x n. */
struct decomposition {
    double *u, *v;
};

static enum stj_status check_memory(size_t n, size_t memory_bytes, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    size_t available = stj_memory_available();
    size_t limit = memory_bytes ? memory_bytes : available - available / 4;
    double needed = SQUARES * (double)n * (double)n * sizeof(double);
    STJ_CHECK(
        err, needed <= (double)limit, STJ_ENOMEM,
        "a dense Jacobian of %zu parameters needs %.3g GB (%d matrices of %zu x %zu), allowed "
        "are %.3g GB; raise --memory, or use spectraj svd, which needs no matrix",
        n, needed / 1e9, SQUARES, n, n, (double)limit / 1e9);
out:
    return st;
}

/* a <- a', square. */
static void transpose(size_t n, double *a)
{
    for (size_t j = 0; j < n; j++)
        for (size_t i = 0; i < j; i++) {
            double swap = a[i + j * n];
            a[i + j * n] = a[j + i * n];
            a[j + i * n] = swap;
        }
}

static enum stj_status decompose(size_t n, double *a, double *sigma, struct decomposition *d,
                                 struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    STJ_TRY(stj_new(&d->u, n * n, sizeof *d->u, err));
    STJ_TRY(stj_new(&d->v, n * n, sizeof *d->v, err));
    struct stj_blas_guard guard = stj_blas_guard_take(stj_threads());
    st = stj_gesdd(n, n, a, n, sigma, d->u, d->v, err);
    stj_blas_guard_give(guard);
    if (st == STJ_OK)
        transpose(n, d->v);
out:
    return st;
}

static enum stj_status create_result(size_t n, struct stj_dense_result **result,
                                     struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    STJ_TRY(stj_new(result, 1, sizeof **result, err));
    (*result)->n_params = n;
    STJ_TRY(stj_new(&(*result)->sigma, n, sizeof *(*result)->sigma, err));
    STJ_TRY(stj_new(&(*result)->cosine, n, sizeof *(*result)->cosine, err));
out:
    return st;
}

/* memory_bytes: for the matrix that is built and the engine, 0: no matter.  Finished columns are in the
 * journal beside the result file. */
static enum stj_status compute(struct stj_run *run, const struct stj_result_window *window,
                               const char *path, bool again, size_t memory_bytes,
                               const struct stj_progress *progress, struct stj_dense_result *r,
                               struct decomposition *d, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const size_t n = r->n_params;
    struct stj_result_op op = {0};
    double *a = NULL;
    STJ_TRY(stj_new(&a, n * n, sizeof *a, err));
    const size_t engine = memory_bytes ? memory_bytes - n * n * sizeof *a : 0; /* 6 n^2 fit */
    STJ_TRY(stj_result_op_open(run, window, path, again, engine, &op, err));
    double start = stj_clock();
    STJ_TRY(stj_op_densify(op.op, 0, a, n, progress, err));
    r->seconds_build = stj_clock() - start;
    stj_training_jacobian_storage(op.inner, &r->storage);
    r->self_check = stj_op_self_check(op.op);
    stj_result_warn_of_check(&r->self_check, progress);
    stj_result_op_close(&op); /* what it kept between sweeps makes room for the decomposition */
    STJ_TRY(stj_progress_report(progress, "decomposition", 0, 1, err));
    start = stj_clock();
    STJ_TRY(decompose(n, a, r->sigma, d, err));
    r->seconds_svd = stj_clock() - start;
    STJ_TRY(stj_progress_report(progress, "decomposition", 1, 1, err));
    for (size_t i = 0; i < n; i++)
        r->cosine[i] = stj_dot(n, d->u + i * n, d->v + i * n);
out:
    stj_result_op_close(&op);
    free(a);
    return st;
}

static enum stj_status put(struct stj_h5 *file, const struct stj_result_window *window,
                           const struct stj_dense_result *r, const struct decomposition *d,
                           struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const size_t n = r->n_params;
    STJ_TRY(stj_result_put_window(file, window, err));
    STJ_TRY(stj_h5_put_real(file, "@epsilon", r->epsilon, err));
    STJ_TRY(stj_h5_put_real(file, "@seconds_build", r->seconds_build, err));
    STJ_TRY(stj_h5_put_real(file, "@seconds_svd", r->seconds_svd, err));
    STJ_TRY(stj_h5_put_vector(file, "sigma", n, r->sigma, err));
    STJ_TRY(stj_h5_put_vector(file, "cosine", n, r->cosine, err));
    STJ_TRY(stj_result_put_columns(file, "u", n, n, d->u, err));
    STJ_TRY(stj_result_put_columns(file, "v", n, n, d->v, err));
out:
    return st;
}

static enum stj_status put_command(struct stj_h5 *file, double epsilon,
                                   const struct stj_analysis_settings *settings,
                                   struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct stj_command c;
    STJ_TRY(stj_command_begin(&c, "dense RUN", err));
    stj_command_real(&c, "epsilon", epsilon);
    STJ_TRY(stj_command_put(&c, true, settings, file, err));
out:
    return st;
}

/* Compute into `result` and keep it in the file, which is closed whatever happens. */
static enum stj_status compute_and_save(struct stj_run *run, const char *path, struct stj_h5 *file,
                                        const struct stj_result_window *window,
                                        const struct stj_analysis_settings *settings,
                                        const struct stj_progress *progress,
                                        struct stj_dense_result *result, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const size_t memory_bytes = settings->memory_bytes;
    struct decomposition d = {0};
    const struct stj_plan_request wanted = {
        .from = window->from, .to = window->to, .memory_bytes = memory_bytes, .n = window->n};
    struct stj_cost cost;
    stj_run_divide(run, window->n, progress);
    stj_plan_dense(run, &wanted, &cost);
    STJ_TRY(compute(run, window, path, settings->force, memory_bytes, progress, result, &d, err));
    STJ_TRY(put(file, window, result, &d, err));
    STJ_TRY(put_command(file, result->epsilon, settings, err));
    stj_cost_finish(&cost);
    result->cost = cost;
    st = stj_h5_commit(file, err);
    file = NULL;
    STJ_TRY(st);
    stj_result_op_forget(path);
out:
    stj_h5_close(file);
    free(d.u);
    free(d.v);
    return st;
}

/* *result <- what the file holds; the vectors stay there. */
static enum stj_status load(struct stj_h5 *file, struct stj_dense_result **result,
                            struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct stj_dense_result *r = NULL;
    size_t n = 0;
    STJ_TRY(stj_h5_get_size(file, "@n_params", &n, err));
    STJ_TRY(stj_h5_expect(file, "sigma", n, 1, err));
    STJ_TRY(create_result(n, &r, err));
    STJ_TRY(stj_h5_get_real(file, "@epsilon", &r->epsilon, err));
    STJ_TRY(stj_h5_get_real(file, "@seconds_build", &r->seconds_build, err));
    STJ_TRY(stj_h5_get_real(file, "@seconds_svd", &r->seconds_svd, err));
    STJ_TRY(stj_h5_get_vector(file, "sigma", r->n_params, r->sigma, err));
    STJ_TRY(stj_h5_get_vector(file, "cosine", r->n_params, r->cosine, err));
    r->regions = stj_regions_count(r->n_params, r->sigma, r->epsilon);
out:
    if (st != STJ_OK) {
        stj_dense_result_destroy(r);
        r = NULL;
    }
    *result = r;
    return st;
}

enum stj_status stj_analysis_dense(struct stj_run *run, double epsilon,
                                   const struct stj_analysis_settings *settings,
                                   const struct stj_progress *progress,
                                   struct stj_dense_result **result, bool *stored,
                                   struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct stj_run_info info;
    struct stj_result_window window = {0};
    struct stj_h5 *file = NULL;
    char request[REQUEST_BYTES];
    char text[STJ_WINDOW_TEXT_MAX];
    struct stj_lock *lock = NULL;
    char *path = NULL;
    *stored = false;
    *result = NULL;
    STJ_CHECK(err, epsilon > 0 && epsilon < 1, STJ_EINVAL, "epsilon %g: must be in (0, 1)",
              epsilon);
    STJ_TRY(stj_result_window(run, settings, &info, &window, err));
    STJ_TRY(stj_result_window_path(&info, "dense", settings->tag, &window, &path, err));
    snprintf(request, sizeof request, "dense %s", stj_result_window_text(&window, text));
    STJ_TRY(stj_result_begin(run, path, &stj_dense_format, &info, request, settings->force,
                             progress, &lock, &file, err));
    if (!lock) {
        STJ_TRY(load(file, result, err));
        *stored = true;
    } else {
        STJ_TRY(check_memory(info.n_params, settings->memory_bytes, err));
        STJ_TRY(create_result(info.n_params, result, err));
        (*result)->epsilon = epsilon;
        st = compute_and_save(run, path, file, &window, settings, progress, *result, err);
        file = NULL;
        STJ_TRY(st);
    }
    (*result)->epsilon = epsilon; /* not part of the request: the values do not depend on it */
    (*result)->regions = stj_regions_count(info.n_params, (*result)->sigma, epsilon);
    (*result)->part = stj_result_part(&window);
out:
    if (st != STJ_OK) {
        stj_dense_result_destroy(*result);
        *result = NULL;
    }
    stj_h5_close(file);
    stj_result_window_free(&window);
    stj_lock_release(lock);
    free(path);
    return st;
}

void stj_dense_result_destroy(struct stj_dense_result *result)
{
    if (!result)
        return;
    free(result->sigma);
    free(result->cosine);
    free(result);
}

enum stj_status stj_result_read_dense(struct stj_run *run, const char *tag,
                                      struct stj_dense_result **result, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct stj_run_info info;
    struct stj_h5 *file = NULL;
    char *path = NULL;
    *result = NULL;
    stj_run_get_info(run, &info);
    STJ_TRY(stj_result_path(&info, "dense", tag, &path, err));
    STJ_TRY(stj_result_open(path, &stj_dense_format, &info, NULL, false, &file, err));
    if (file)
        STJ_TRY(load(file, result, err));
out:
    stj_h5_close(file);
    free(path);
    return st;
}
