/* SPDX-License-Identifier: GPL-3.0-or-later */
/* analysis/influence_query.h: a number that is made of the trained parameters, and its gradient. */
#ifndef STJ_ANALYSIS_INFLUENCE_QUERY_H
#define STJ_ANALYSIS_INFLUENCE_QUERY_H

#include "run/run_internal.h"

#define STJ_QUERY_DOC                                                                              \
    "test_loss, train_loss, test:ROWS (the mean loss of some test rows, as 3,7,20-29), "           \
    "logit:ROW,CLASS (an output for a test row), or parameters:FILE (the inner product of the "    \
    "last parameters with as many numbers of an array); several with + between them"

/* One query of "test_loss+logit:3,7"; the data are borrowed. */
struct stj_query {
    const struct stj_dataset *data;
    size_t n, *row; /* of them; row NULL: all; owned */
    bool logit;
    size_t output;  /* of row[0] */
    double *vector; /* the gradient itself, for any theta; or NULL; owned */
};

/* *query[*n] <- those of a text, one after another; free them.  A word, row or class that there is
 * not is an error of one line. */
enum stj_status stj_queries_make(const struct stj_run *run, const char *text,
                                 struct stj_query **query, size_t *n, struct stj_error *err);
void stj_queries_free(size_t n, struct stj_query *query);

/* *text <- with the checksum of its numbers behind each parameters:FILE, so that other numbers are
 * another query.  Files that cannot be read stay without: stj_queries_make says why. */
void stj_queries_pin(char **text);

/* How many a text has; it may be anything. */
size_t stj_queries_count(const char *text);

/* *value <- at theta, and gradient[n_params], which may be NULL. */
enum stj_status stj_query_evaluate(const struct stj_run *run, const struct stj_query *query,
                                   const double *theta, double *value, double *gradient,
                                   struct stj_error *err);

#endif
