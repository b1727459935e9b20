/* SPDX-License-Identifier: GPL-3.0-or-later */
/* study/studies.h: every study. */
#ifndef STJ_STUDY_STUDIES_H
#define STJ_STUDY_STUDIES_H

#include "study/study.h"

extern const struct stj_study_ops stj_study_alignment;
extern const struct stj_study_ops stj_study_displacement;
extern const struct stj_study_ops stj_study_distributions;
extern const struct stj_study_ops stj_study_divergence;
extern const struct stj_study_ops stj_study_function_jacobian;
extern const struct stj_study_ops stj_study_growth;
extern const struct stj_study_ops stj_study_influence_regions;
extern const struct stj_study_ops stj_study_layers;
extern const struct stj_study_ops stj_study_overlap;
extern const struct stj_study_ops stj_study_response;
extern const struct stj_study_ops stj_study_restrict;

#endif
