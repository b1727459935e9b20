/* SPDX-License-Identifier: GPL-3.0-or-later */
/* spectrum/svd/svd.c: singular pairs of an operator: checks, choice of the method, budgets, result. */
#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/parallel.h"
#include "base/progress.h"
#include "op/operator.h"
#include "spectrum/svd/svd_method.h"

static const struct stj_plugin_info *const method_list[] = {
    &stj_svd_arnoldi.info,
    &stj_svd_arpack.info,
    &stj_svd_lapack.info,
    NULL,
};

const struct stj_kind stj_svd_methods = {.what = "method", .list = method_list};

bool stj_svd_method(size_t i, const char **name, const char **doc)
{
    if (i + 1 >= sizeof method_list / sizeof method_list[0])
        return false;
    *name = method_list[i]->name;
    *doc = method_list[i]->doc;
    return true;
}

const char *stj_stop_text(enum stj_stop stop)
{
    static const char *const text[] = {
        [STJ_STOP_CONVERGED] = "converged",
        [STJ_STOP_MAX_APPLICATIONS] = "max_applications",
        [STJ_STOP_MAX_SECONDS] = "max_seconds",
        [STJ_STOP_INTERRUPTED] = "interrupted",
        [STJ_STOP_INVARIANT_SUBSPACE] = "invariant_subspace",
        [STJ_STOP_FLOOR] = "floor",
    };
    return text[stop];
}

struct stj_svd_settings stj_svd_settings_default(void)
{
    return (struct stj_svd_settings){.top = 20, .tol = 1e-10};
}

double stj_svd_used(const struct stj_svd_budget *budget)
{
    const struct stj_op_counts now = stj_op_counts(budget->a);
    return now.jvp + now.vjp - budget->begin.jvp - budget->begin.vjp;
}

bool stj_svd_spent(const struct stj_svd_budget *budget, double more, double products,
                   enum stj_stop *stop)
{
    const struct stj_svd_settings *settings = budget->settings;
    const double used = stj_svd_used(budget);
    if (stj_progress_report(&settings->progress, "singular pairs", products, 0, NULL) != STJ_OK)
        *stop = STJ_STOP_INTERRUPTED;
    else if (settings->max_applications > 0 && used + more > settings->max_applications)
        *stop = STJ_STOP_MAX_APPLICATIONS;
    else if (settings->max_seconds > 0 && stj_clock() - budget->clock > settings->max_seconds)
        *stop = STJ_STOP_MAX_SECONDS;
    else
        return false;
    return true;
}

static enum stj_status check_settings(const struct stj_op *a, const struct stj_svd_settings *s,
                                      struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const size_t m = stj_op_n_rows(a);
    const size_t n = stj_op_n_cols(a);
    const size_t least = m < n ? m : n;
    STJ_CHECK(err, s->top + s->bottom >= 1, STJ_EINVAL,
              "top is 0 and bottom is 0: ask for at least one singular value");
    STJ_CHECK(err, s->top <= least, STJ_EINVAL,
              "top is %zu, the operator of %zu x %zu has %zu singular values", s->top, m, n, least);
    STJ_CHECK(err, s->bottom <= least, STJ_EINVAL,
              "bottom is %zu, the operator of %zu x %zu has %zu singular values", s->bottom, m, n,
              least);
    STJ_CHECK(err, s->tol >= DBL_EPSILON && s->tol < 1, STJ_EINVAL,
              "tol is %g, it must lie between %g (double precision) and 1", s->tol, DBL_EPSILON);
    STJ_CHECK(err, s->ncv == 0 || (s->ncv > s->top && s->ncv <= n), STJ_EINVAL,
              "ncv is %zu, it must lie above top = %zu and be at most the %zu columns", s->ncv,
              s->top, n);
    STJ_CHECK(err, s->max_applications >= 0 && s->max_seconds >= 0, STJ_EINVAL,
              "a budget is negative: max_applications %g, max_seconds %g", s->max_applications,
              s->max_seconds);
out:
    return st;
}

static enum stj_status named_method(const struct stj_svd_settings *s,
                                    const struct stj_svd_method **method, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const struct stj_plugin_info *info = NULL;
    STJ_TRY(stj_kind_find(&stj_svd_methods, s->method, &info, err));
    *method = (const struct stj_svd_method *)info;
    STJ_CHECK(err, !s->top || (*method)->top, STJ_EINVAL,
              "method %s does not find the largest singular values: use arpack or dense",
              s->method);
    STJ_CHECK(err, !s->bottom || (*method)->bottom, STJ_EINVAL,
              "method %s does not find the smallest singular values: use arnoldi or dense",
              s->method);
out:
    return st;
}

/* Without a name: LAPACK where ARPACK's basis would fill the space. */
static enum stj_status choose_top(const struct stj_op *a, const struct stj_svd_settings *s,
                                  const struct stj_svd_method **method, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const size_t n = stj_op_n_cols(a);
    *method = stj_svd_arpack_ncv(s, n) >= n ? &stj_svd_lapack : &stj_svd_arpack;
    if (s->method)
        STJ_TRY(named_method(s, method, err));
    STJ_CHECK(err, *method != &stj_svd_arpack || (s->top < n && stj_svd_arpack_ncv(s, n) > s->top),
              STJ_EINVAL, "arpack needs top < ncv <= %zu columns, top is %zu: use method dense", n,
              s->top);
out:
    return st;
}

enum { DENSE_ANYWAY = 3000 }; /* columns: without a budget, not worth an approximation */

/* Without a name: LAPACK for rectangular operators, and where its n products (with the residuals') are
 * within the budget or no more than the iteration is likely to need. */
static enum stj_status choose_bottom(const struct stj_op *a, const struct stj_svd_settings *s,
                                     const struct stj_svd_method **method, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const size_t n = stj_op_n_cols(a);
    const bool square = stj_op_n_rows(a) == n;
    const double likely = s->max_applications > 0
                              ? s->max_applications
                              : fmax(DENSE_ANYWAY, 0.1 * (double)n + 50 * (double)s->bottom);
    *method = !square || (double)(n + s->bottom) <= likely ? &stj_svd_lapack : &stj_svd_arnoldi;
    if (s->method)
        STJ_TRY(named_method(s, method, err));
    STJ_CHECK(
        err, *method != &stj_svd_arnoldi || (square && n >= 2 * s->bottom + 4), STJ_EINVAL,
        "arnoldi needs a square operator with at least 2 bottom + 4 = %zu columns, this one is "
        "%zu x %zu: use method dense",
        2 * s->bottom + 4, stj_op_n_rows(a), n);
out:
    return st;
}

static void basis_free(struct stj_svd_basis *basis)
{
    free(basis->v);
    free(basis->u);
    free(basis->sigma);
}

static enum stj_status solve_top(struct stj_op *a, const struct stj_svd_budget *budget,
                                 struct stj_svd_result *r, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const struct stj_svd_method *method = NULL;
    struct stj_svd_basis basis = {0};
    STJ_TRY(choose_top(a, budget->settings, &method, err));
    STJ_TRY(method->top(a, budget, &basis, err));
    if (basis.sigma)
        STJ_TRY(stj_svd_adopt(a, &basis, &r->top, &r->floor, err));
    else
        STJ_TRY(stj_svd_finish(a, basis.k, basis.v, &r->top, err));
    r->sigma_1 = r->top.k ? r->top.sigma[0] : 0;
    for (size_t i = 0; i < r->top.k; i++)
        r->converged += r->top.residual[i] <= budget->settings->tol * r->sigma_1;
    r->products = basis.products;
    r->ncv = basis.ncv;
    r->method = method->info.name;
    r->stop = basis.stop;
out:
    basis_free(&basis);
    return st;
}

/* r->floor holds the measured defect of the adjoint: raise it to the rounding of products, and count. */
static void judge_bottom(const struct stj_op *a, const struct stj_svd_budget *budget,
                         struct stj_svd_result *r)
{
    const struct stj_pairs *p = &r->bottom;
    r->floor = fmax(stj_op_rounding(a) * r->sigma_1, r->floor);
    for (size_t i = 0; i < p->k; i++)
        r->bottom_converged +=
            p->residual[i] <= budget->settings->tol * r->sigma_1 || p->sigma[i] <= r->floor;
}

static enum stj_status solve_bottom(struct stj_op *a, const struct stj_svd_budget *budget,
                                    struct stj_svd_result *r, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const struct stj_svd_method *method = NULL;
    struct stj_svd_basis basis = {0};
    STJ_TRY(choose_bottom(a, budget->settings, &method, err));
    STJ_TRY(method->bottom(a, budget, &basis, err));
    r->sigma_1 = fmax(r->sigma_1, basis.sigma_1);
    STJ_TRY(stj_svd_adopt(a, &basis, &r->bottom, &r->floor, err));
    judge_bottom(a, budget, r);
    r->bottom_products = basis.products;
    r->bottom_ncv = basis.ncv;
    r->bottom_method = method->info.name;
    if (r->stop == STJ_STOP_CONVERGED && r->bottom_converged < r->bottom_requested)
        r->stop = basis.stop;
out:
    basis_free(&basis);
    return st;
}

static void count_result(struct stj_svd_result *r, const struct stj_op_counts *begin,
                         const struct stj_op_counts *end)
{
    r->counts =
        (struct stj_op_counts){end->jvp - begin->jvp, end->vjp - begin->vjp,
                               end->replayed - begin->replayed, end->seconds - begin->seconds};
}

enum stj_status stj_svd_solve(struct stj_op *a, const struct stj_svd_settings *settings,
                              struct stj_svd_result **result, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct stj_svd_settings s = *settings;
    struct stj_svd_result *r = NULL;
    const struct stj_blas_guard guard = stj_blas_guard_take(1);
    if (s.tol == 0)
        s.tol = stj_svd_settings_default().tol;
    const struct stj_svd_budget budget = {&s, a, stj_op_counts(a), stj_clock()};
    STJ_TRY(check_settings(a, &s, err));
    STJ_TRY(stj_new(&r, 1, sizeof *r, err));
    r->n_params = stj_op_n_cols(a);
    r->requested = s.top;
    r->bottom_requested = s.bottom;
    r->seed = s.seed;
    r->tol = s.tol;
    r->stop = STJ_STOP_CONVERGED;
    if (s.top)
        STJ_TRY(solve_top(a, &budget, r, err));
    if (s.bottom && r->stop != STJ_STOP_INTERRUPTED)
        STJ_TRY(solve_bottom(a, &budget, r, err));
    const struct stj_op_counts end = stj_op_counts(a);
    count_result(r, &budget.begin, &end);
    r->seconds = stj_clock() - budget.clock;
    *result = r;
    r = NULL;
out:
    stj_blas_guard_give(guard);
    stj_svd_result_destroy(r);
    return st;
}

void stj_svd_result_destroy(struct stj_svd_result *result)
{
    if (!result)
        return;
    stj_pairs_free(&result->top);
    stj_pairs_free(&result->bottom);
    free(result);
}
