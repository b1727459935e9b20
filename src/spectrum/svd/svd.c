/* SPDX-License-Identifier: GPL-3.0-or-later */
/* spectrum/svd/svd.c: singular pairs of an operator: checks, budgets, result. */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "parallel/parallel.h"
#include "base/progress.h"
#include "parallel/ranks.h"
#include "op/operator.h"
#include "spectrum/svd/svd_method.h"

static const struct stj_plugin_info *const method_list[] = {
    &stj_svd_arnoldi.info, &stj_svd_arpack.info, &stj_svd_lanczos.info, &stj_svd_lapack.info, NULL,
};

const struct stj_kind stj_svd_methods = {.what = "method", .list = method_list};

bool stj_svd_get_method(size_t i, const char **name, const char **doc)
{
    if (!name || !doc || i + 1 >= sizeof method_list / sizeof method_list[0])
        return false;
    *name = method_list[i]->name;
    *doc = method_list[i]->doc;
    return true;
}

const char *const stj_stop_words[] = {
    [STJ_STOP_CONVERGED] = "converged",
    [STJ_STOP_MAX_APPLICATIONS] = "max_applications",
    [STJ_STOP_MAX_SECONDS] = "max_seconds",
    [STJ_STOP_INTERRUPTED] = "interrupted",
    [STJ_STOP_INVARIANT_SUBSPACE] = "invariant_subspace",
    [STJ_STOP_FLOOR] = "floor",
    [STJ_STOP_INCOMPLETE] = "incomplete",
    [STJ_STOP_INCOMPLETE + 1] = NULL,
};

const char *const stj_basis_words[] = {
    [STJ_BASIS_NONE] = "none",      [STJ_BASIS_FLAT] = "flat", [STJ_BASIS_BUDGET] = "budget",
    [STJ_BASIS_MEMORY] = "memory",  [STJ_BASIS_GIVEN] = "ncv", [STJ_BASIS_COLUMNS] = "columns",
    [STJ_BASIS_COLUMNS + 1] = NULL,
};

const char *stj_stop_text(enum stj_stop stop)
{
    const bool known = stop >= STJ_STOP_CONVERGED && stop <= STJ_STOP_INCOMPLETE;
    return known ? stj_stop_words[stop] : "unknown";
}

void stj_svd_settings_init(struct stj_svd_settings *settings, size_t size)
{
    const struct stj_svd_settings defaults = {.top = 20, .tol = 1e-10};
    stj_settings_fill(settings, size, &defaults, sizeof defaults);
}

double stj_svd_used(const struct stj_svd_budget *budget)
{
    const struct stj_op_counts used = stj_op_counts_since(budget->a, &budget->begin);
    return used.jvp + used.vjp;
}

/* Products of how many are expected, pairs of how many have converged. */
static enum stj_status report_progress(const struct stj_svd_budget *budget, double used)
{
    const struct stj_svd_settings *s = budget->settings;
    char what[64] = "singular pairs";
    if (budget->converged && budget->wanted > 0)
        snprintf(what, sizeof what, "singular pairs (%zu of %zu)", *budget->converged,
                 budget->wanted);
    else if (budget->converged)
        snprintf(what, sizeof what, "singular pairs (%zu)", *budget->converged);
    return stj_op_report(budget->a, &s->progress, what, used, budget->expected, NULL);
}

bool stj_svd_spent(const struct stj_svd_budget *budget, double more, enum stj_stop *stop)
{
    const struct stj_svd_settings *settings = budget->settings;
    const double used = stj_svd_used(budget);
    const double clock = stj_clock() - budget->clock;
    if (report_progress(budget, used) != STJ_OK)
        *stop = STJ_STOP_INTERRUPTED;
    else if (settings->max_applications > 0 && used + more > settings->max_applications)
        *stop = STJ_STOP_MAX_APPLICATIONS;
    else if (settings->max_seconds > 0 && stj_ranks_allreduce_or(clock > settings->max_seconds))
        *stop = STJ_STOP_MAX_SECONDS;
    else
        return false;
    return true;
}

static bool wants_top(const struct stj_svd_settings *s)
{
    return s->top > 0 || s->above > 0;
}

static bool wants_bottom(const struct stj_svd_settings *s)
{
    return s->bottom > 0 || s->below > 0;
}

static enum stj_status check_known(const struct stj_op *a, const struct stj_pairs *known,
                                   struct stj_error *err)
{
    const size_t m = stj_op_n_rows(a);
    const size_t n = stj_op_n_cols(a);
    if (!known || known->k == 0)
        return STJ_OK;
    STJ_NEED(err, known->n_rows == m && known->n_cols == n, STJ_EMISMATCH,
             "the known pairs are of an operator of %zu x %zu, this one is %zu x %zu",
             known->n_rows, known->n_cols, m, n);
    STJ_NEED(err, known->sigma && known->residual && known->cosine && known->u && known->v,
             STJ_EINVAL, "the known pairs lack sigma, residual, cosine, u or v");
    return STJ_OK;
}

static enum stj_status svd_check_settings(const struct stj_op *a, const struct stj_svd_settings *s,
                                          struct stj_error *err)
{
    const size_t m = stj_op_n_rows(a);
    const size_t n = stj_op_n_cols(a);
    const size_t least = m < n ? m : n;
    const struct stj_svd_method *method = NULL;
    STJ_NEED(err, wants_top(s) || wants_bottom(s), STJ_EINVAL,
             "top is 0 and bottom is 0: ask for at least one singular value");
    STJ_NEED(err, (s->above == 0 || s->top == 0) && (s->below == 0 || s->bottom == 0), STJ_EINVAL,
             "a number of pairs and a threshold are asked for at the same end: give one of them");
    STJ_NEED(err, isfinite(s->above) && s->above >= 0 && isfinite(s->below) && s->below >= 0,
             STJ_EINVAL, "a threshold is %g above, %g below: they must be positive numbers",
             s->above, s->below);
    STJ_NEED(err, s->top <= least, STJ_EINVAL,
             "top is %zu, the operator of %zu x %zu has %zu singular values", s->top, m, n, least);
    STJ_NEED(err, s->bottom <= least, STJ_EINVAL,
             "bottom is %zu, the operator of %zu x %zu has %zu singular values", s->bottom, m, n,
             least);
    STJ_NEED(err, s->tol >= DBL_EPSILON && s->tol < 1, STJ_EINVAL,
             "tol is %g, it must lie between %g (double precision) and 1", s->tol, DBL_EPSILON);
    STJ_NEED(err, s->ncv == 0 || (s->ncv > s->top && s->ncv <= n), STJ_EINVAL,
             "ncv is %zu, it must lie above top = %zu and be at most the %zu columns", s->ncv,
             s->top, n);
    STJ_NEED(err, s->block == 0 || (s->block >= 2 && s->block <= 8), STJ_EINVAL,
             "block is %zu, it must lie between 2 and 8", s->block);
    STJ_NEED(err, s->block == 0 || (s->method && strcmp(s->method, stj_svd_lanczos.info.name) == 0),
             STJ_EINVAL, "block is %zu, but only method lanczos has blocks: give it, or no block",
             s->block);
    STJ_NEED(err, s->max_applications >= 0 && s->max_seconds >= 0, STJ_EINVAL,
             "a budget is negative: max_applications %g, max_seconds %g", s->max_applications,
             s->max_seconds);
    STJ_NEED(err, s->certify >= 0 && s->certify < INFINITY, STJ_EINVAL,
             "certify is %g, it must be a positive number", s->certify);
    STJ_MUST(check_known(a, s->known_top, err));
    STJ_MUST(check_known(a, s->known_bottom, err));
    if (s->method && wants_top(s))
        STJ_MUST(stj_svd_named_method(s->method, false, &method, err));
    if (s->method && wants_bottom(s))
        STJ_MUST(stj_svd_named_method(s->method, true, &method, err));
    return STJ_OK;
}

/* What a progress report measures the solve by. */
static void expect(struct stj_svd_budget *budget, size_t m, size_t n)
{
    const struct stj_svd_settings *s = budget->settings;
    struct stj_prediction p = {.shortest = 0};
    stj_svd_predict(s, m, n, &p);
    budget->expected = stj_predicted_applications(&p);
    if (s->max_applications > 0)
        budget->expected = fmin(budget->expected, s->max_applications);
    budget->wanted = s->above > 0 || s->below > 0 ? 0 : s->top + s->bottom;
}

enum stj_status stj_svd_solve(struct stj_op *a, const struct stj_svd_settings *settings,
                              struct stj_svd_result **result, struct stj_error *err)
{
    STJ_GOOD_SETTINGS(err, settings);
    STJ_NOT_NULL(err, a, result);
    struct stj_svd_settings s = *settings;
    STJ_HELD(stj_svd_result_destroy_at) struct stj_svd_result *r = NULL;
    STJ_HELD(stj_blas_guard_drop) struct stj_blas_guard guard = stj_blas_guard_take(1);
    if (s.tol == 0)
        s.tol = stj_svd_settings_default().tol;
    size_t converged = 0;
    struct stj_svd_budget budget = {.settings = &s,
                                    .a = a,
                                    .begin = stj_op_get_counts(a),
                                    .clock = stj_clock(),
                                    .converged = &converged};
    STJ_MUST(svd_check_settings(a, &s, err));
    expect(&budget, stj_op_n_rows(a), stj_op_n_cols(a));
    STJ_MUST(stj_new(&r, 1, sizeof *r, err));
    r->n_params = stj_op_n_cols(a);
    r->requested = s.top;
    r->bottom_requested = s.bottom;
    r->seed = s.seed;
    r->tol = s.tol;
    r->stop = STJ_STOP_CONVERGED;
    r->residual_excess = (double)NAN;
    if (wants_top(&s))
        STJ_MUST(stj_svd_solve_top(a, &budget, r, err));
    converged = r->top.k;
    if (wants_bottom(&s) && r->stop != STJ_STOP_INTERRUPTED)
        STJ_MUST(stj_svd_solve_bottom(a, &budget, r, err));
    r->counts = stj_op_counts_since(a, &budget.begin);
    r->seconds = stj_clock() - budget.clock;
    *result = r;
    r = NULL;
    return STJ_OK;
}

bool stj_svd_count_agrees(const struct stj_svd_result *r)
{
    if (!r)
        return true;
    const double most = (double)r->top.k;
    const double least = (double)(r->top.k - r->straddling);
    return !r->counted.compared || (most >= r->counted.low && least <= r->counted.high);
}

void stj_svd_result_destroy(struct stj_svd_result *result)
{
    if (!result)
        return;
    stj_pairs_free(&result->top);
    stj_pairs_free(&result->bottom);
    free(result);
}
