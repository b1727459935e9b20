/* SPDX-License-Identifier: GPL-3.0-or-later */
/* analysis/print.h: lines that the tables of analyses have in common. */
#ifndef STJ_ANALYSIS_PRINT_H
#define STJ_ANALYSIS_PRINT_H

#include <stdio.h>

#include "analysis/analysis.h"

/* "3.4 s", "12.0 min" and "1.2 MB". */
enum { STJ_QUANTITY_MAX = 32 };
void stj_seconds_text(double seconds, char text[STJ_QUANTITY_MAX]);
void stj_bytes_text(double bytes, char text[STJ_QUANTITY_MAX]);

/* The same between two texts. */
void stj_print_seconds(FILE *out, const char *before, double seconds, const char *after);
void stj_print_bytes(FILE *out, const char *before, double bytes, const char *after);

/* What of the Jacobian a result is of; nothing for all parameters. */
/* Where it is not of J: of what. */
void stj_print_given(FILE *out, const struct stj_result_about *about);
void stj_print_part(FILE *out, const struct stj_run_part *part);

/* What is not to be read without: a training that ran away, given states that were accepted.  Nothing
 * where there is neither. */
void stj_print_remarks(FILE *out, const struct stj_training_remarks *t);

/* How the states were at hand; nothing where none was passed through. */
void stj_print_storage(FILE *out, const char *before, const struct stj_storage *storage);

/* Where replay left the recorded training, if it did. */
void stj_print_divergence(FILE *out, const struct stj_storage *storage);

/* Products, checks, states, and what the plan said; of a stored result that it is one. */
void stj_print_cost(FILE *out, const struct stj_result_about *about);

/* A table made from the schema: single values, then arrays that have a dimension in common beside
 * each other. */
void stj_print_fields(FILE *out, const struct stj_result *result);

#endif
