/* SPDX-License-Identifier: GPL-3.0-or-later */
/* report/text.h: results as tables for people; errors of the stream are the caller's to look
 * for. */
#ifndef STJ_REPORT_TEXT_H
#define STJ_REPORT_TEXT_H

#include <stdio.h>

#include <spectraj/report.h>

#include "report/contents.h"

void stj_text_train(FILE *out, const struct stj_run_info *info, const struct stj_storage *storage);
void stj_text_info(FILE *out, const struct stj_contents *contents);
void stj_text_listed(FILE *out, const struct stj_listed_run *listed);
void stj_text_plan(FILE *out, const struct stj_plan *plan);
void stj_text_study(FILE *out, const struct stj_study_result *result);
void stj_text_validate(FILE *out, const struct stj_validation *v, bool verbose);

#endif
