/* SPDX-License-Identifier: GPL-3.0-or-later */
/* spectrum/svd/ritz.c: when an iteration for the largest values is done, by its Ritz values. */
#include <float.h>
#include <math.h>

#include "base/error.h"
#include "base/memory.h"
#include "spectrum/svd/svd_method.h"

static double sigma_1_of(const struct stj_svd_budget *budget, const struct stj_svd_ritz *r)
{
    return fmax(r->sigma[0], budget->sigma_1);
}

static bool ritz_converged(const struct stj_svd_budget *budget, const struct stj_svd_ritz *r,
                           size_t i)
{
    return r->residual[i] <= budget->settings->tol * sigma_1_of(budget, r);
}

static size_t n_converged(const struct stj_svd_budget *budget, const struct stj_svd_ritz *r)
{
    size_t n = 0;
    for (size_t i = 0; i < r->j && i < budget->settings->top; i++)
        n += ritz_converged(budget, r, i);
    return n;
}

/* Have all values above the threshold converged, and is one below in sight?  *k <- the pairs above
 * and one more.  Ritz values rise: the first is below for good where its residual says so too. */
static bool all_above(const struct stj_svd_budget *budget, const struct stj_svd_ritz *r, size_t *k)
{
    const double above = budget->settings->above;
    *k = 0;
    if (budget->some_above && r->sigma[0] <= above)
        return false;
    if (r->sigma[0] + r->residual[0] > above && !ritz_converged(budget, r, 0))
        return false;
    for (; *k < r->j && r->sigma[*k] > above; ++*k)
        if (!ritz_converged(budget, r, *k))
            return false;
    ++*k;
    return *k <= r->j;
}

/* Have the pairs that were asked for converged, with something to spare? */
static bool all_wanted(const struct stj_svd_budget *budget, const struct stj_svd_ritz *r)
{
    const size_t wanted = budget->settings->top;
    double worst = wanted < r->j ? 0 : (double)INFINITY;
    for (size_t i = 0; i < wanted && i < r->j; i++)
        worst = fmax(worst, r->residual[i]);
    return worst <= budget->settings->tol / r->spare * sigma_1_of(budget, r);
}

static enum stj_status ritz_show(const struct stj_svd_budget *budget, const struct stj_svd_ritz *r,
                                 struct stj_error *err)
{
    const struct stj_svd_monitor *monitor = &budget->settings->monitor;
    struct stj_svd_view view = {.wanted = budget->settings->top,
                                .applications = stj_svd_used(budget),
                                .converged = n_converged(budget, r),
                                .sigma = r->sigma};
    STJ_FREED double *residual = NULL;
    view.k = r->j < view.wanted ? r->j : view.wanted;
    STJ_MUST(stj_new(&residual, view.k + 1, sizeof *residual, err));
    for (size_t i = 0; i < view.k; i++)
        residual[i] = fmax(r->residual[i], DBL_EPSILON * sigma_1_of(budget, r));
    view.residual = residual;
    monitor->fn(monitor->ctx, &view);
    return STJ_OK;
}

enum stj_status stj_svd_ritz_look(const struct stj_svd_budget *budget, const struct stj_svd_ritz *r,
                                  bool shows, struct stj_svd_end *end, struct stj_error *err)
{
    const struct stj_svd_settings *s = budget->settings;
    if (budget->converged)
        *budget->converged = budget->found + n_converged(budget, r);
    if (shows && s->monitor.fn)
        STJ_MUST(ritz_show(budget, r, err));
    end->ended = s->above > 0 && all_above(budget, r, &end->pairs);
    end->sound = end->ended ? end->pairs - 1 : 0;
    if (!end->ended && all_wanted(budget, r)) {
        end->ended = true;
        end->pairs = end->sound = s->top;
    }
    return STJ_OK;
}
