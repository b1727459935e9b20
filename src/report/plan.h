/* SPDX-License-Identifier: GPL-3.0-or-later */
/* report/plan.h: the prediction of a single analysis, made by it before it begins. */
#ifndef STJ_REPORT_PLAN_H
#define STJ_REPORT_PLAN_H

#include <spectraj/plan.h>
#include <spectraj/results.h>

#include "spectrum/cost_model.h"

/* What a window of a run is to be worked on with. */
struct stj_plan_request {
    size_t from, to;             /* to = 0: n_steps */
    size_t memory_bytes;         /* 0: the default */
    size_t n;                    /* columns of the operator; 0: all parameters */
    struct stj_plan_ranks ranks; /* 0: those at hand */
};

/* How much of `memory_bytes` (0: stays 0, the default) is for states and linearisations, beside the process as it
 * is and what the solver takes; of a density also how much is for bases. */
size_t stj_plan_svd_bytes(const struct stj_run *run, const struct stj_plan_request *request,
                          const struct stj_svd_settings *settings);
size_t stj_plan_trace_bytes(const struct stj_run *run, const struct stj_plan_request *request,
                            const struct stj_trace_settings *settings);
void stj_plan_density_bytes(const struct stj_run *run, const struct stj_plan_request *request,
                            const struct stj_density_settings *settings, size_t *engine,
                            size_t *bases);

/* cost <- what the run would say of it: planned seconds and bytes.  A prediction that cannot be made is
 * left unknown, for the analysis itself will say why. */
void stj_plan_svd(struct stj_run *run, const struct stj_plan_request *request,
                  const struct stj_svd_settings *settings, struct stj_cost *cost);
void stj_plan_density(struct stj_run *run, const struct stj_plan_request *request,
                      const struct stj_density_settings *settings, struct stj_cost *cost);
void stj_plan_trace(struct stj_run *run, const struct stj_plan_request *request,
                    const struct stj_trace_settings *settings, struct stj_cost *cost);
void stj_plan_dense(struct stj_run *run, const struct stj_plan_request *request,
                    struct stj_cost *cost);

/* Note what the analysis has come to. */
void stj_cost_finish(struct stj_cost *cost);

#endif
