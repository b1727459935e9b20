/* SPDX-License-Identifier: GPL-3.0-or-later */
/* spectraj/study.h: experiments on a run, each kept in a result file of its own.
 *
 * A study has a name and options, which are given as texts: the same table of options checks them
 * here, on the command line and in the help.  Its result is a list of named numbers, vectors and
 * texts; docs/studies.md says which.
 *
 * Threads: different results may be read by different threads at once; one run is used by one
 * thread at a time, and one study or analysis runs at a time in a process.
 */
#ifndef SPECTRAJ_STUDY_H
#define SPECTRAJ_STUDY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <spectraj/option.h>
#include <spectraj/progress.h>
#include <spectraj/run.h>
#include <spectraj/run.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A study in words.  Strings are static. */
struct stj_study_about {
    const char *name;        /* as on the command line */
    const char *doc;         /* one line */
    const char *description; /* sentences for the help */
    const char *example;     /* lines for the help */
    bool two_runs;           /* compares a run with another one */
};

/* about <- study number i; false past the last. */
bool stj_study_get(size_t i, struct stj_study_about *about);

/* The options of a study, static; NULL: there is no such study, or it has none. */
const struct stj_option *stj_study_options(const char *study);

/* What a study is asked. */
struct stj_study_settings {
    size_t n;                              /* options given */
    const struct stj_option_pair *setting; /* [n]; options that are not here have their default */
    uint64_t seed;                         /* of what is random in it */
    struct stj_progress progress;          /* between retrainings and products */
};

struct stj_study_result;

/* Where its result is kept.  All zero: the usual. */
struct stj_analysis_settings {
    bool force;          /* compute even when the result is stored */
    const char *tag;     /* study-NAME-TAG.h5; NULL: study-NAME.h5 */
    size_t memory_bytes; /* 0: what stj_run_set_memory said */
};

/* *result <- the study of a run (and of `other` where it compares two; else NULL), computed or read
 * from study-NAME.h5, with the singular vectors of dense.h5 or else of svd.h5.  Options that are
 * unknown or out of range, a direction that was not computed, runs that do not fit: an error that
 * says what there is.  An interrupted study keeps the copies that it has retrained and goes on from
 * them. */
enum stj_status stj_analysis_study(struct stj_run *run, struct stj_run *other, const char *name,
                                   const struct stj_study_settings *settings,
                                   const struct stj_analysis_settings *analysis,
                                   struct stj_study_result **result, bool *stored,
                                   struct stj_error *err);
void stj_study_result_destroy(struct stj_study_result *result); /* NULL is accepted */

/* *result <- what is stored under the tag (NULL: the untagged file), or NULL when there is none. */
enum stj_status stj_result_read_study(struct stj_run *run, const char *name, const char *tag,
                                      struct stj_study_result **result, struct stj_error *err);

/* The numbers of an item, "regions.bulk.share", and how many there are (n may be NULL); NULL: there
 * is no such item, or it is a text.  Borrowed from the result. */
const double *stj_study_numbers(const struct stj_study_result *result, const char *item, size_t *n);

/* The text of an item; NULL: there is no such item, or it is not a text. */
const char *stj_study_text(const struct stj_study_result *result, const char *item);

#ifdef __cplusplus
}
#endif

#endif
