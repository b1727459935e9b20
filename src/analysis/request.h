/* SPDX-License-Identifier: GPL-3.0-or-later */
/* analysis/request.h: what is asked, resolved against a run, and as text.
 *
 * The text of a request is one line, "svd from 0 to 625 top 20 tol 1e-10 seed 0": the analysis, the
 * part of the Jacobian, and every option that has a value, but for views and files.  It is kept in
 * the result, and read back when something is asked for later: options that came meanwhile have
 * their defaults, and none that went counts.
 */
#ifndef STJ_ANALYSIS_REQUEST_H
#define STJ_ANALYSIS_REQUEST_H

#include "analysis/analysis.h"

/* Options as they were given; owned. */
struct stj_pairs_given {
    size_t n;
    struct stj_option_pair *item;
};

/* What all analyses have. */
struct stj_request_common {
    size_t from, to, memory;
    char *layers, *tag;
    int state;     /* index into theta, full */
    int precision; /* enum stj_precision */
    bool force, stored;
};

struct stj_request {
    const struct stj_analysis *analysis;
    struct stj_pairs_given own, common;
};

/* A request of a run. */
struct stj_question {
    const struct stj_analysis *analysis;
    struct stj_request_common common;
    void *config;
    struct stj_run_part part; /* resolved */
    size_t n;                 /* of its rows and columns */
    char *tensors;            /* of part.layers; owned */
};

/* question <- the request: options that it does not give are those of the run's config, and of the
 * options that say how much is wanted none is where it gives one of them.  To be freed whatever
 * happens. */
enum stj_status stj_question_open(struct stj_run *run, const struct stj_request *request,
                                  struct stj_question *question, struct stj_error *err);
void stj_question_free(struct stj_question *question);

/* Are no more pairs asked for than the n columns of a part have? */
enum stj_status stj_check_extent(const struct stj_analysis *analysis, const void *config,
                                 const struct stj_run_part *part, size_t n, struct stj_error *err);

/* The same of an operator that belongs to no run: one step, all of it. */
enum stj_status stj_question_of_op(const struct stj_request *request, size_t n_cols,
                                   struct stj_question *question, struct stj_error *err);

/* *config <- of an analysis of the run (NULL: of none) for which no options are given (owned,
 * stj_analysis_free_config). */
enum stj_status stj_analysis_config(const struct stj_run *run, const struct stj_analysis *analysis,
                                    const struct stj_pairs_given *given, void **config,
                                    struct stj_error *err);
void stj_analysis_free_config(const struct stj_analysis *analysis, void *config);

/* STJ_EUNSUPPORTED for a precision that the analysis does not have. */
enum stj_status stj_analysis_check_precision(const struct stj_analysis *analysis,
                                             enum stj_precision precision, struct stj_error *err);

/* Options as a command line has them, appended to `given`. */
enum stj_status stj_pairs_add(struct stj_pairs_given *given, const char *name, const char *text,
                              struct stj_error *err);
void stj_pairs_given_free(struct stj_pairs_given *given);

/* A part of a Jacobian in one line: "from 0 to 625", and what else it is; then for a file's name:
 * "", "0-100", "block-1a2b3c4d-full". */
enum { STJ_PART_TEXT_MAX = 128 };
const char *stj_part_text(const struct stj_run_part *part, char text[STJ_PART_TEXT_MAX]);
const char *stj_part_slug(const struct stj_run_part *part, size_t first_steps,
                          char text[STJ_PART_TEXT_MAX]);

/* *text <- the text of a request (owned by the caller), or of the question in it: options of role
 * QUESTION alone. */
enum stj_status stj_request_print(const struct stj_question *question, const void *config,
                                  bool question_alone, char **text, struct stj_error *err);

/* *config <- the options of a stored request's text.  STJ_ECONFIG: they are none that this library
 * has. */
enum stj_status stj_request_parse(const struct stj_analysis *analysis, const char *text,
                                  void **config, struct stj_error *err);

/* Is a stored request of this part of a Jacobian? */
bool stj_request_is_of_part(const char *text, const struct stj_run_part *part);

/* *text <- the command that makes the result again, RUN standing for the run; owned by the
 * caller. */
enum stj_status stj_request_command(const struct stj_question *question, const void *config,
                                    char **text, struct stj_error *err);

/* " --max-seconds 3" of a command line, in quotes where a shell would not take the value as one
 * word; a flag has no value (NULL). */
void stj_command_option(FILE *out, const char *name, const char *value);

/* The command with the folder, in quotes where a shell needs them, in the place of its " RUN". */
enum stj_status stj_command_text(const char *command, const char *dir, char **text,
                                 struct stj_error *err);

/* *own <- the options among `given` that the analysis has. */
enum stj_status stj_pairs_known(const struct stj_pairs_given *given,
                                const struct stj_analysis *analysis, struct stj_pairs_given *own,
                                struct stj_error *err);

/* text <- what options of a plan say: "--top 20". */
void stj_request_summary(const struct stj_analysis *analysis, const void *config, char *text,
                         size_t size);

/* text <- for a file's name: options of the question that differ from their defaults,
 * "seed-3-tol-1e-08". */
void stj_request_slug(const struct stj_question *question, char *text, size_t size);

#endif
