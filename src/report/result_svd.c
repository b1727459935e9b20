/* SPDX-License-Identifier: GPL-3.0-or-later */
/* report/result_svd.c: singular pairs of a run, computed or read from svd.h5. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "report/command.h"
#include "report/plan.h"
#include "report/result.h"
#include "run/run_internal.h"

const struct stj_h5_format stj_svd_format = {
    .name = "spectraj-svd", .version = 3, .remedy = "compute it again with --force"};

enum { REQUEST_BYTES = 512 };

/* Every setting that the numbers depend on. */
static void describe(const struct stj_svd_settings *svd, const struct stj_result_window *window,
                     char request[REQUEST_BYTES])
{
    char text[STJ_WINDOW_TEXT_MAX];
    snprintf(request, REQUEST_BYTES,
             "svd %s top %zu above %.17g bottom %zu below %.17g ncv %zu tol %.17g "
             "seed %ju method %s "
             "max_applications %.17g max_seconds %.17g",
             stj_result_window_text(window, text), svd->top, svd->above, svd->bottom, svd->below,
             svd->ncv, svd->tol > 0 ? svd->tol : stj_svd_settings_default().tol,
             (uintmax_t)svd->seed, svd->method ? svd->method : "automatic", svd->max_applications,
             svd->max_seconds);
}

static enum stj_status put_numbers(struct stj_h5 *file, const struct stj_svd_result *r,
                                   const struct stj_result_window *window, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    STJ_TRY(stj_result_put_window(file, window, err));
    STJ_TRY(stj_h5_put_unsigned(file, "@requested", r->requested, err));
    STJ_TRY(stj_h5_put_unsigned(file, "@converged", r->converged, err));
    STJ_TRY(stj_h5_put_unsigned(file, "@pairs", r->top.k, err));
    STJ_TRY(stj_h5_put_real(file, "@products", r->products, err));
    STJ_TRY(stj_h5_put_real(file, "@sigma_1", r->sigma_1, err));
    STJ_TRY(stj_h5_put_real(file, "@above", r->above, err));
    STJ_TRY(stj_h5_put_unsigned(file, "@straddling", r->straddling, err));
    STJ_TRY(stj_h5_put_unsigned(file, "@outside_checked", r->outside.checked, err));
    STJ_TRY(stj_h5_put_real(file, "@outside_sigma", r->outside.sigma, err));
    STJ_TRY(stj_h5_put_real(file, "@residual_excess", r->residual_excess, err));
    STJ_TRY(stj_h5_put_unsigned(file, "@outside_missed", r->outside.missed, err));
    STJ_TRY(stj_h5_put_real(file, "@below", r->below, err));
    STJ_TRY(stj_h5_put_real(file, "@jvp", r->counts.jvp, err));
    STJ_TRY(stj_h5_put_real(file, "@vjp", r->counts.vjp, err));
    STJ_TRY(stj_h5_put_real(file, "@replayed", r->counts.replayed, err));
    STJ_TRY(stj_h5_put_real(file, "@seconds", r->seconds, err));
    STJ_TRY(stj_h5_put_text(file, "@stop", stj_stop_text(r->stop), err));
    STJ_TRY(stj_h5_put_unsigned(file, "@seed", r->seed, err));
    STJ_TRY(stj_h5_put_unsigned(file, "@ncv", r->ncv, err));
    STJ_TRY(stj_h5_put_real(file, "@tol", r->tol, err));
    STJ_TRY(stj_h5_put_text(file, "@method", r->method ? r->method : "none", err));
    STJ_TRY(stj_h5_put_unsigned(file, "@bottom_requested", r->bottom_requested, err));
    STJ_TRY(stj_h5_put_unsigned(file, "@bottom_converged", r->bottom_converged, err));
    STJ_TRY(stj_h5_put_unsigned(file, "@bottom_pairs", r->bottom.k, err));
    STJ_TRY(stj_h5_put_real(file, "@bottom_products", r->bottom_products, err));
    STJ_TRY(stj_h5_put_real(file, "@floor", r->floor, err));
    STJ_TRY(stj_h5_put_unsigned(file, "@bottom_ncv", r->bottom_ncv, err));
    STJ_TRY(
        stj_h5_put_text(file, "@bottom_method", r->bottom_method ? r->bottom_method : "none", err));
out:
    return st;
}

static enum stj_status put_command(struct stj_h5 *file, const struct stj_svd_settings *svd,
                                   const struct stj_analysis_settings *settings,
                                   struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct stj_command c;
    STJ_TRY(stj_command_begin(&c, "svd RUN", err));
    stj_command_size(&c, "top", svd->top);
    stj_command_real(&c, "above", svd->above);
    stj_command_size(&c, "bottom", svd->bottom);
    stj_command_real(&c, "below", svd->below);
    stj_command_size(&c, "ncv", svd->ncv);
    if (svd->tol != stj_svd_settings_default().tol)
        stj_command_real(&c, "tol", svd->tol);
    stj_command_text(&c, "method", svd->method);
    stj_command_real(&c, "max-applications", svd->max_applications);
    stj_command_real(&c, "max-seconds", svd->max_seconds);
    stj_command_size(&c, "seed", (size_t)svd->seed);
    STJ_TRY(stj_command_put(&c, true, settings, file, err));
out:
    return st;
}

/* The datasets of one end: PREFIXsigma and so on. */
enum { NAME_BYTES = 32 };
static const char *name_of(const char *prefix, const char *what, char name[NAME_BYTES])
{
    snprintf(name, NAME_BYTES, "%s%s", prefix, what);
    return name;
}

static enum stj_status put_pairs(struct stj_h5 *file, const char *prefix, const struct stj_pairs *p,
                                 struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    char name[NAME_BYTES];
    STJ_TRY(stj_h5_put_vector(file, name_of(prefix, "sigma", name), p->k, p->sigma, err));
    STJ_TRY(stj_h5_put_vector(file, name_of(prefix, "residual", name), p->k, p->residual, err));
    STJ_TRY(stj_h5_put_vector(file, name_of(prefix, "cosine", name), p->k, p->cosine, err));
    STJ_TRY(stj_result_put_columns(file, name_of(prefix, "u", name), p->k, p->n_rows, p->u, err));
    STJ_TRY(stj_result_put_columns(file, name_of(prefix, "v", name), p->k, p->n_cols, p->v, err));
out:
    return st;
}

static enum stj_status get_pairs(struct stj_h5 *file, const char *prefix, size_t n,
                                 struct stj_pairs *p, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    char name[NAME_BYTES];
    p->n_rows = p->n_cols = n;
    STJ_TRY(stj_result_get_vector(file, name_of(prefix, "sigma", name), p->k, &p->sigma, err));
    STJ_TRY(
        stj_result_get_vector(file, name_of(prefix, "residual", name), p->k, &p->residual, err));
    STJ_TRY(stj_result_get_vector(file, name_of(prefix, "cosine", name), p->k, &p->cosine, err));
    STJ_TRY(stj_result_get_columns(file, name_of(prefix, "u", name), p->k, n, &p->u, err));
    STJ_TRY(stj_result_get_columns(file, name_of(prefix, "v", name), p->k, n, &p->v, err));
out:
    return st;
}

static enum stj_status put(struct stj_h5 *file, const struct stj_result_window *window,
                           const struct stj_svd_result *r, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    STJ_TRY(put_numbers(file, r, window, err));
    STJ_TRY(put_pairs(file, "", &r->top, err));
    STJ_TRY(put_pairs(file, "bottom_", &r->bottom, err));
out:
    return st;
}

/* The method's own name, which outlives the result; NULL for an end that was not asked for. */
static enum stj_status get_method(struct stj_h5 *file, const char *attribute, const char **method,
                                  struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const char *name = NULL;
    const char *doc = NULL;
    char *text = NULL;
    STJ_TRY(stj_h5_get_text(file, attribute, &text, err));
    *method = NULL;
    if (strcmp(text, "none") == 0)
        goto out;
    for (size_t i = 0; stj_svd_get_method(i, &name, &doc); i++)
        if (strcmp(name, text) == 0) {
            *method = name;
            goto out;
        }
    st = stj_h5_refuse(file, err, "its method \"%.40s\" is unknown", text);
out:
    free(text);
    return st;
}

/* Everything but the counts, which say what this request cost: nothing. */
static enum stj_status get_numbers(struct stj_h5 *file, struct stj_svd_result *r,
                                   struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    size_t checked = 0;
    STJ_TRY(stj_h5_get_size(file, "@n_params", &r->n_params, err));
    STJ_TRY(stj_h5_get_size(file, "@requested", &r->requested, err));
    STJ_TRY(stj_h5_get_size(file, "@converged", &r->converged, err));
    STJ_TRY(stj_h5_get_size(file, "@pairs", &r->top.k, err));
    STJ_TRY(stj_h5_get_real(file, "@products", &r->products, err));
    STJ_TRY(stj_h5_get_real(file, "@sigma_1", &r->sigma_1, err));
    STJ_TRY(stj_h5_get_real(file, "@above", &r->above, err));
    STJ_TRY(stj_h5_get_size(file, "@straddling", &r->straddling, err));
    STJ_TRY(stj_h5_get_size(file, "@outside_checked", &checked, err));
    r->outside.checked = checked != 0;
    STJ_TRY(stj_h5_get_real(file, "@outside_sigma", &r->outside.sigma, err));
    r->residual_excess = (double)NAN;
    if (stj_h5_has(file, "@residual_excess")) /* later than the first files of this version */
        STJ_TRY(stj_h5_get_real(file, "@residual_excess", &r->residual_excess, err));
    STJ_TRY(stj_h5_get_size(file, "@outside_missed", &r->outside.missed, err));
    STJ_TRY(stj_h5_get_real(file, "@below", &r->below, err));
    STJ_TRY(stj_h5_get_real(file, "@seconds", &r->seconds, err));
    STJ_TRY(stj_h5_get_unsigned(file, "@seed", &r->seed, err));
    STJ_TRY(stj_h5_get_size(file, "@ncv", &r->ncv, err));
    STJ_TRY(stj_h5_get_real(file, "@tol", &r->tol, err));
    STJ_TRY(stj_result_get_stop(file, &r->stop, err));
    STJ_TRY(get_method(file, "@method", &r->method, err));
    STJ_TRY(stj_h5_get_size(file, "@bottom_requested", &r->bottom_requested, err));
    STJ_TRY(stj_h5_get_size(file, "@bottom_converged", &r->bottom_converged, err));
    STJ_TRY(stj_h5_get_size(file, "@bottom_pairs", &r->bottom.k, err));
    STJ_TRY(stj_h5_get_real(file, "@bottom_products", &r->bottom_products, err));
    STJ_TRY(stj_h5_get_real(file, "@floor", &r->floor, err));
    STJ_TRY(stj_h5_get_size(file, "@bottom_ncv", &r->bottom_ncv, err));
    STJ_TRY(get_method(file, "@bottom_method", &r->bottom_method, err));
out:
    return st;
}

static enum stj_status load(struct stj_h5 *file, struct stj_svd_result **result,
                            struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct stj_svd_result *r = NULL;
    STJ_TRY(stj_new(&r, 1, sizeof *r, err));
    STJ_TRY(get_numbers(file, r, err));
    STJ_TRY(get_pairs(file, "", r->n_params, &r->top, err));
    STJ_TRY(get_pairs(file, "bottom_", r->n_params, &r->bottom, err));
out:
    if (st != STJ_OK) {
        stj_svd_result_destroy(r);
        r = NULL;
    }
    *result = r;
    return st;
}

/* How many values a density counts above a threshold. */
static enum stj_status count_above(const struct stj_density_result *density, double threshold,
                                   struct stj_density_count *count, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const double n = (double)density->n_params;
    const double edge[2] = {0, threshold};
    struct stj_density_count rest;
    STJ_TRY(stj_density_histogram(density, 2, edge, density->confidence, &rest, err));
    *count = (struct stj_density_count){
        .estimate = n - rest.estimate, .low = n - rest.high, .high = n - rest.low};
out:
    return st;
}

/* Take the numbers of likely values beyond the thresholds from a density. */
static enum stj_status hint(const struct stj_density_result *density, struct stj_svd_settings *svd,
                            struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct stj_density_count count;
    if (svd->above > 0) {
        STJ_TRY(count_above(density, svd->above, &count, err));
        svd->count_above = fmax(count.estimate, 1);
    }
    if (svd->below > 0) {
        STJ_TRY(count_above(density, svd->below, &count, err));
        svd->count_below = fmax((double)density->n_params - count.estimate, 1);
    }
out:
    return st;
}

/* Beside the count of a density, where the search has passed its threshold. */
static enum stj_status compare_count(const struct stj_density_result *density,
                                     struct stj_svd_result *r, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct stj_density_count count;
    if (r->above == 0 || r->top.k < r->requested)
        goto out;
    STJ_TRY(count_above(density, r->above, &count, err));
    r->counted = (struct stj_svd_counted){true, count.low, count.high};
out:
    return st;
}

/* Solve with a journal beside the result file, which is kept: what was interrupted goes on from it,
 * and so does a larger request that begins as this one did. */
static enum stj_status compute(struct stj_run *run, const struct stj_svd_settings *svd,
                               const struct stj_result_window *window, const char *path, bool again,
                               size_t memory_bytes, struct stj_svd_result **result,
                               struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct stj_result_op op = {0};
    struct stj_svd_settings with_hints = *svd;
    struct stj_cost cost;
    const struct stj_plan_request request = {
        .from = window->from, .to = window->to, .memory_bytes = memory_bytes, .n = window->n};
    struct stj_density_result *density = NULL;
    stj_run_divide(run, 1, &svd->progress);
    STJ_TRY(stj_result_read_density_window(run, window, &density, err));
    if (density)
        STJ_TRY(hint(density, &with_hints, err));
    stj_plan_svd(run, &request, &with_hints, &cost);
    const size_t engine = stj_plan_svd_bytes(run, &request, &with_hints);
    STJ_TRY(stj_result_op_open(run, window, path, again, engine, &op, err));
    STJ_TRY(stj_svd_solve(op.op, &with_hints, result, err));
    stj_cost_finish(&cost);
    (*result)->cost = cost;
    stj_result_op_storage(&op, memory_bytes, &(*result)->storage);
    struct stj_self_check *check = &(*result)->self_check;
    *check = stj_op_self_check(op.op);
    STJ_TRY(stj_result_check_vectors(window->n, (*result)->top.k, (*result)->top.v, check, err));
    STJ_TRY(
        stj_result_check_vectors(window->n, (*result)->bottom.k, (*result)->bottom.v, check, err));
    stj_result_warn_of_check(check, &svd->progress);
    stj_result_warn_of_residuals(*result, &svd->progress);
    if (density)
        STJ_TRY(compare_count(density, *result, err));
out:
    stj_density_result_destroy(density);
    stj_result_op_close(&op);
    return st;
}

enum stj_status stj_analysis_svd(struct stj_run *run, const struct stj_svd_settings *svd,
                                 const struct stj_analysis_settings *settings,
                                 struct stj_svd_result **result, bool *stored,
                                 struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct stj_run_info info;
    struct stj_result_window window = {0};
    struct stj_h5 *file = NULL;
    struct stj_svd_result *made = NULL;
    struct stj_density_result *density = NULL;
    char request[REQUEST_BYTES];
    struct stj_lock *lock = NULL;
    char *path = NULL;
    *stored = false;
    *result = NULL;
    STJ_TRY(stj_result_window(run, settings, &info, &window, err));
    STJ_TRY(stj_result_window_path(&info, "svd", settings->tag, &window, &path, err));
    describe(svd, &window, request);
    STJ_TRY(stj_result_begin(run, path, &stj_svd_format, &info, request, settings->force,
                             &svd->progress, &lock, &file, err));
    if (!lock) {
        STJ_TRY(load(file, result, err));
        stj_result_warn_of_residuals(*result, &svd->progress);
        STJ_TRY(stj_result_read_density_window(run, &window, &density, err));
        if (density)
            STJ_TRY(compare_count(density, *result, err));
        *stored = true;
        goto out;
    }
    STJ_TRY(compute(run, svd, &window, path, settings->force, settings->memory_bytes, &made, err));
    if (made->stop != STJ_STOP_INTERRUPTED) { /* asking again must go on, not return the half */
        STJ_TRY(put(file, &window, made, err));
        STJ_TRY(put_command(file, svd, settings, err));
        st = stj_h5_commit(file, err);
        file = NULL;
        STJ_TRY(st);
    }
    *result = made;
    made = NULL;
out:
    if (*result)
        (*result)->part = stj_result_part(&window);
    stj_density_result_destroy(density);
    stj_svd_result_destroy(made);
    stj_h5_close(file);
    stj_result_window_free(&window);
    stj_lock_release(lock);
    free(path);
    return st;
}

enum stj_status stj_result_read_svd(struct stj_run *run, const char *tag,
                                    struct stj_svd_result **result, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct stj_run_info info;
    struct stj_h5 *file = NULL;
    char *path = NULL;
    *result = NULL;
    stj_run_get_info(run, &info);
    STJ_TRY(stj_result_path(&info, "svd", tag, &path, err));
    STJ_TRY(stj_result_open(path, &stj_svd_format, &info, NULL, false, &file, err));
    if (file)
        STJ_TRY(load(file, result, err));
out:
    stj_h5_close(file);
    free(path);
    return st;
}

enum stj_status stj_result_read_svd_window(struct stj_run *run,
                                           const struct stj_result_window *window,
                                           struct stj_svd_result **result, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct stj_h5 *file = NULL;
    *result = NULL;
    STJ_TRY(stj_result_open_window(run, "svd", &stj_svd_format, window, &file, err));
    if (file)
        STJ_TRY(load(file, result, err));
out:
    stj_h5_close(file);
    return st;
}
