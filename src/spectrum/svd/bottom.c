/* SPDX-License-Identifier: GPL-3.0-or-later */
/* spectrum/svd/bottom.c: the smallest singular values: choice of the method, judgement, thresholds. */
#include <math.h>
#include <stdlib.h>

#include "base/error.h"
#include "op/operator.h"
#include "spectrum/svd/svd_method.h"

enum { DENSE_ANYWAY = 3000 }; /* columns: without a budget, not worth an approximation */

bool stj_svd_prefers_dense_bottom(const struct stj_svd_settings *s, size_t m, size_t n, double used)
{
    const double likely = s->max_applications > 0
                              ? s->max_applications - used
                              : fmax(DENSE_ANYWAY, 0.1 * (double)n + 50 * (double)s->bottom);
    return m != n || ((double)(n + s->bottom) <= likely && stj_svd_fits_dense(m, n));
}

static enum stj_status choose(const struct stj_op *a, const struct stj_svd_budget *budget,
                              const struct stj_svd_method **method, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const struct stj_svd_settings *s = budget->settings;
    const size_t n = stj_op_n_cols(a);
    const bool square = stj_op_n_rows(a) == n;
    const bool dense = stj_svd_prefers_dense_bottom(s, stj_op_n_rows(a), n, stj_svd_used(budget));
    *method = dense ? &stj_svd_lapack : &stj_svd_arnoldi;
    if (s->method)
        STJ_TRY(stj_svd_named_method(s, method, err));
    STJ_CHECK(
        err, *method != &stj_svd_arnoldi || (square && n >= 2 * s->bottom + 4), STJ_EINVAL,
        "arnoldi needs a square operator with at least 2 bottom + 4 = %zu columns, this one is "
        "%zu x %zu: use method dense",
        2 * s->bottom + 4, stj_op_n_rows(a), n);
out:
    return st;
}

/* r->floor holds the measured defect of the adjoint: raise it to the rounding of products, and count. */
static void judge(const struct stj_op *a, const struct stj_svd_budget *budget,
                  struct stj_svd_result *r)
{
    const struct stj_pairs *p = &r->bottom;
    r->floor = fmax(stj_op_rounding(a) * r->sigma_1, r->floor);
    for (size_t i = 0; i < p->k; i++)
        r->bottom_converged +=
            p->residual[i] <= budget->settings->tol * r->sigma_1 || p->sigma[i] <= r->floor;
}

/* The `bottom` smallest of the budget's settings; *stop <- why the method ended. */
static enum stj_status solve(struct stj_op *a, const struct stj_svd_budget *budget,
                             struct stj_svd_result *r, enum stj_stop *stop, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const struct stj_svd_method *method = NULL;
    struct stj_svd_basis basis = {0};
    STJ_TRY(choose(a, budget, &method, err));
    STJ_TRY(stj_svd_check_memory(a, budget->settings, method, true, err));
    STJ_TRY(method->bottom(a, budget, &basis, err));
    r->sigma_1 = fmax(r->sigma_1, basis.sigma_1);
    STJ_TRY(stj_svd_adopt(a, &basis, &r->bottom, &r->floor, err));
    r->bottom_products += basis.products;
    r->bottom_ncv = basis.ncv;
    r->bottom_method = method->info.name;
    *stop = basis.stop;
out:
    stj_svd_basis_free(&basis);
    return st;
}

/* Did the search end because it came to the threshold or to the end of the spectrum? */
static bool passed(const struct stj_op *a, const struct stj_svd_result *r)
{
    const struct stj_pairs *p = &r->bottom;
    return p->k == stj_op_n_cols(a) || (p->k && p->sigma[p->k - 1] >= r->below);
}

static enum stj_status solve_below(struct stj_op *a, const struct stj_svd_budget *budget,
                                   struct stj_svd_result *r, enum stj_stop *stop,
                                   struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct stj_svd_settings s = *budget->settings;
    struct stj_svd_budget inner = *budget;
    inner.settings = &s;
    STJ_TRY(stj_svd_request(a, budget, s.below, false, s.count_below, &s.bottom, err));
    /* Arnoldi's space holds twice what is asked for; more than that is the whole matrix's. */
    const size_t n = stj_op_n_cols(a);
    if (!s.method && 2 * s.bottom + 4 > n)
        s.method = stj_svd_lapack.info.name;
    STJ_TRY(solve(a, &inner, r, stop, err));
    while ((*stop == STJ_STOP_CONVERGED || *stop == STJ_STOP_FLOOR) && !passed(a, r)) {
        s.bottom = stj_svd_request_more(a, s.bottom);
        stj_pairs_free(&r->bottom);
        STJ_TRY(solve(a, &inner, r, stop, err));
    }
    const bool all = passed(a, r);
    while (r->bottom.k && r->bottom.sigma[r->bottom.k - 1] >= r->below)
        r->bottom.k--;
    r->bottom_requested = all ? r->bottom.k : s.bottom;
out:
    return st;
}

enum stj_status stj_svd_solve_bottom(struct stj_op *a, const struct stj_svd_budget *budget,
                                     struct stj_svd_result *r, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    enum stj_stop stop = STJ_STOP_CONVERGED;
    r->below = budget->settings->below;
    STJ_TRY(r->below > 0 ? solve_below(a, budget, r, &stop, err) : solve(a, budget, r, &stop, err));
    judge(a, budget, r);
    if (r->stop == STJ_STOP_CONVERGED && r->bottom_converged < r->bottom_requested)
        r->stop = stop;
out:
    return st;
}
