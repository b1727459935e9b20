/* SPDX-License-Identifier: GPL-3.0-or-later */
/* study/common.c: what several studies have in common. */
#include <math.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/memory.h"
#include "study/study.h"

/* The directions of one series: of a region, or the basis-dependent ones of all regions. */
static enum stj_status add_series(const struct stj_study_result *r, const char *item,
                                  enum stj_region region, bool dependent, struct stj_chart *chart,
                                  struct stj_error *err)
{
    size_t n = 0, count = 0;
    const double epsilon = stj_study_number(r, "epsilon");
    const double *index = stj_study_vector(r, &n, "index");
    const double *sigma = stj_study_vector(r, &n, "sigma");
    const double *mark = stj_study_vector(r, &n, "basis_dependent");
    const double *value = stj_study_vector(r, &n, "%s", item);
    STJ_FREED double *x = NULL, *y = NULL;
    STJ_MUST(stj_new(&x, n, sizeof *x, err));
    STJ_MUST(stj_new(&y, n, sizeof *y, err));
    for (size_t i = 0; i < n; i++) {
        if ((mark[i] > 0) != dependent ||
            (!dependent && stj_region_of(sigma[i], epsilon) != region))
            continue;
        x[count] = index[i];
        y[count++] = value[i];
    }
    if (count > 0)
        STJ_MUST(stj_chart_add(chart, STJ_CHART_POINTS,
                               dependent ? STJ_CHART_GREY : stj_region_colour(region), count, x, y,
                               err, "%s", dependent ? "basis-dependent" : stj_region_name(region)));
    return STJ_OK;
}

void stj_study_index_axis(struct stj_axis *axis, size_t n, const double *index)
{
    double first = HUGE_VAL, last = 0;
    stj_axis_name(axis, "index", "index i of the singular value, descending");
    for (size_t i = 0; i < n; i++) {
        first = fmin(first, index[i]);
        last = fmax(last, index[i]);
    }
    axis->low = first > last / 2 ? fmax(0, first - 1) : 0;
    axis->high = last + 1;
}

enum stj_status stj_study_chart_directions(const struct stj_study_result *r, const char *item,
                                           struct stj_chart *chart, struct stj_error *err)
{
    size_t n = 0;
    const double *index = stj_study_vector(r, &n, "index");
    stj_study_index_axis(&chart->x, n, index);
    for (enum stj_region g = STJ_CHAOTIC; g < STJ_N_REGIONS; g++)
        STJ_MUST(add_series(r, item, g, false, chart, err));
    return add_series(r, item, STJ_BULK, true, chart, err);
}

enum stj_status stj_study_put_where(const struct stj_study_where *where, struct stj_study_result *r,
                                    struct stj_error *err)
{
    STJ_MUST(stj_study_put_count(r, where->at, err, "at"));
    return stj_study_put_text(r, where->layers, err, "layers");
}

void stj_study_note_check(struct stj_self_check *check, const struct stj_op *op)
{
    const struct stj_self_check found = stj_op_self_check(op);
    check->checks += found.checks;
    check->adjoint_error = fmax(check->adjoint_error, found.adjoint_error);
}

enum stj_status stj_study_evaluate(const struct stj_run *run, const struct stj_dataset *data,
                                   const double *theta, double *loss, double *accuracy,
                                   struct stj_error *err)
{
    struct stj_evaluation result = {(double)NAN, (double)NAN};
    if (data)
        STJ_MUST(stj_run_evaluate(run, data, theta, &result, err));
    *loss = result.loss;
    *accuracy = result.accuracy;
    return STJ_OK;
}
