/* SPDX-License-Identifier: GPL-3.0-or-later */
/* spectrum/svd/bottom.c: the smallest singular values: choice of the method, judgement,
 * thresholds. */
#include <math.h>
#include <stdlib.h>

#include "base/error.h"
#include "op/operator.h"
#include "spectrum/svd/svd_method.h"

/* r->floor holds the measured defect of the adjoint: raise it to the rounding of products, and
 * count. */
static void judge_bounds(const struct stj_op *a, const struct stj_svd_budget *budget,
                         struct stj_svd_result *r)
{
    const struct stj_pairs *p = &r->bottom;
    r->floor = fmax(stj_op_rounding(a) * r->sigma_1, r->floor);
    for (size_t i = 0; i < p->k; i++)
        r->bottom_converged +=
            p->residual[i] <= budget->settings->tol * r->sigma_1 || p->sigma[i] <= r->floor;
}

/* The `bottom` smallest of the budget's settings; *stop <- why the method ended. */
static enum stj_status find_smallest(struct stj_op *a, const struct stj_svd_budget *budget,
                                     struct stj_svd_result *r, enum stj_stop *stop,
                                     struct stj_error *err)
{
    const struct stj_svd_method *method = NULL;
    STJ_HELD(stj_svd_basis_free) struct stj_svd_basis basis = {0};
    STJ_MUST(stj_svd_choose(a, budget, true, &method, err));
    STJ_MUST(method->bottom(a, budget, &basis, err));
    r->sigma_1 = fmax(r->sigma_1, basis.sigma_1);
    STJ_MUST(stj_svd_adopt(a, &basis, &r->bottom, &r->floor, err));
    r->bottom_products += basis.products;
    r->bottom_ncv = basis.ncv;
    r->bottom_window = basis.window;
    r->bottom_end = basis.end;
    r->bottom_method = method->info.name;
    *stop = basis.stop;
    return STJ_OK;
}

/* Did the search end because it came to the threshold or to the end of the spectrum? */
static bool passed_below(const struct stj_op *a, const struct stj_svd_result *r)
{
    const struct stj_pairs *p = &r->bottom;
    return p->k == stj_op_n_cols(a) || (p->k && p->sigma[p->k - 1] >= r->below);
}

static enum stj_status find_below(struct stj_op *a, const struct stj_svd_budget *budget,
                                  struct stj_svd_result *r, enum stj_stop *stop,
                                  struct stj_error *err)
{
    struct stj_svd_settings s = *budget->settings;
    struct stj_svd_budget inner = *budget;
    inner.settings = &s;
    STJ_MUST(stj_svd_request(a, budget, s.below, false, s.count_below, &s.bottom, err));
    STJ_MUST(find_smallest(a, &inner, r, stop, err));
    while ((*stop == STJ_STOP_CONVERGED || *stop == STJ_STOP_FLOOR) && !passed_below(a, r)) {
        s.bottom = stj_svd_request_more(a, s.bottom);
        stj_pairs_free(&r->bottom);
        STJ_MUST(find_smallest(a, &inner, r, stop, err));
    }
    const bool all = passed_below(a, r);
    while (r->bottom.k && r->bottom.sigma[r->bottom.k - 1] >= r->below)
        r->bottom.k--;
    r->bottom_requested = all ? r->bottom.k : s.bottom;
    return STJ_OK;
}

enum stj_status stj_svd_solve_bottom(struct stj_op *a, const struct stj_svd_budget *budget,
                                     struct stj_svd_result *r, struct stj_error *err)
{
    enum stj_stop stop = STJ_STOP_CONVERGED;
    r->below = budget->settings->below;
    STJ_MUST(r->below > 0 ? find_below(a, budget, r, &stop, err)
                          : find_smallest(a, budget, r, &stop, err));
    judge_bounds(a, budget, r);
    if (r->stop == STJ_STOP_CONVERGED && r->bottom_converged < r->bottom_requested)
        r->stop = stop;
    return STJ_OK;
}
