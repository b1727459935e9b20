/* SPDX-License-Identifier: GPL-3.0-or-later */
/* analysis/plan.h: the prediction of a single analysis, made by it before it begins. */
#ifndef STJ_ANALYSIS_PLAN_H
#define STJ_ANALYSIS_PLAN_H

#include <spectraj/plan.h>

#include "analysis/analysis.h"

/* Of a limit (0: none), what is left beside the vectors that check products as they are made. */
size_t stj_plan_beside_checks(size_t memory_bytes, size_t n);

/* prediction <- what the analysis would take, its checks included; *engine <- how much of
 * request->memory_bytes (0: stays 0, the default) is for states and linearisations. */
void stj_plan_predict(const struct stj_run *run, const struct stj_plan_request *request,
                      const struct stj_analysis *analysis, const void *config,
                      struct stj_prediction *prediction, size_t *engine);

/* STJ_ENOMEM where that was predicted to be more than the request's memory. */
enum stj_status stj_plan_check(const struct stj_run *run, const struct stj_plan_request *request,
                               const struct stj_analysis *analysis,
                               const struct stj_prediction *prediction, struct stj_error *err);

/* cost <- planned seconds and bytes.  A prediction that cannot be made is left unknown, for the
 * analysis itself will say why. */
void stj_plan_analysis(struct stj_run *run, const struct stj_plan_request *request,
                       const struct stj_analysis *analysis, const void *config,
                       struct stj_cost *cost);

/* Note what the analysis has come to. */
void stj_cost_finish(struct stj_cost *cost);

#endif
