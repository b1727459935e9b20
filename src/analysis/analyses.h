/* SPDX-License-Identifier: GPL-3.0-or-later */
/* analysis/analyses.h: the analyses that there are; analyses.c lists them. */
#ifndef STJ_ANALYSIS_ANALYSES_H
#define STJ_ANALYSIS_ANALYSES_H

#include <spectraj/density.h>
#include <spectraj/svd.h>

#include "analysis/analysis.h"

extern const struct stj_analysis stj_analysis_curvature;
extern const struct stj_analysis stj_analysis_dense;
extern const struct stj_analysis stj_analysis_density;
extern const struct stj_analysis stj_analysis_exponents;
extern const struct stj_analysis stj_analysis_svd;
extern const struct stj_analysis stj_analysis_trace;
extern const struct stj_analysis stj_analysis_influence;

/* What a result of svd or of density is made of; borrowed. */
const struct stj_svd_result *stj_analysis_svd_of(const struct stj_result *result);
const struct stj_density_result *stj_analysis_density_of(const struct stj_result *result);

/* Pairs that svd.h5 holds of this part of the run's Jacobian; 0: there is none, or it cannot be
 * read. */
size_t stj_svd_stored_pairs(const struct stj_run *run, const struct stj_run_part *part);

#endif
