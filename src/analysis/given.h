/* SPDX-License-Identifier: GPL-3.0-or-later */
/* analysis/given.h: an analysis of the derivative with respect to what training was given. */
#ifndef STJ_ANALYSIS_GIVEN_H
#define STJ_ANALYSIS_GIVEN_H

#include "analysis/analysis.h"
#include "base/block.h"

/* The row of a table: a string, NULL for J itself. */
#define STJ_OF_OPTION(where)                                                                       \
    {                                                                                              \
        .name = "of", .type = STJ_OPTION_STRING, .offset = (where), .fallback = "",                \
        .value = "WHAT",                                                                           \
        .doc = "in the place of J: the derivative of the last parameters with respect to the "     \
               "weights, inputs or targets of the training samples, the rates, momenta or decays " \
               "of the steps, or the scales of the groups' rates"                                  \
    }

/* What training was given as options name it, in the order of enum stj_given from its second on;
 * NULL-terminated. */
extern const char *const stj_given_words[];

static inline enum stj_given stj_given_of_word(size_t number)
{
    return (enum stj_given)(STJ_GIVEN_WEIGHTS + number);
}

/* Is it one of them, or NULL? */
enum stj_status stj_given_check(const char *of, struct stj_error *err);

/* The value of that row; NULL: it says nothing, or there is none. */
const char *stj_given_of(const struct stj_analysis *analysis, const void *config);

/* stj_run_given_bytes; false: there is no such D. */
bool stj_given_predict(const struct stj_run *run, const struct stj_run_part *part, const char *of,
                       size_t memory_bytes, size_t nvec, size_t *n_given, size_t *more);

/* From now on the context's operator and n are those of D, where `of` is not NULL; narrow: of D'
 * where that has fewer columns, for what asks for the singular values alone. */
enum stj_status stj_analysis_use_given(struct stj_analysis_context *cx, const char *of, bool narrow,
                                       struct stj_error *err);

#endif
