/* SPDX-License-Identifier: GPL-3.0-or-later */
/* spectraj/study.h: experiments on a run, each with its own result file.
 *
 * A study has a name and options, given as texts: one table of options checks them here and on the
 * command line, and generates the help.  Its result is a list of named numbers, vectors and texts,
 * which docs/studies.md describes.
 *
 * Threads: different threads may read different results at once; one thread at a time uses a run,
 * and one study or analysis at a time runs in a process.
 */
#ifndef SPECTRAJ_STUDY_H
#define SPECTRAJ_STUDY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <spectraj/option.h>
#include <spectraj/progress.h>
#include <spectraj/run.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A study in words.  Strings are static. */
struct stj_study_about {
    const char *name;        /* as on the command line */
    const char *doc;         /* one line */
    const char *description; /* paragraph for the help */
    const char *example;     /* lines for the help */
    bool two_runs;           /* compares two runs */
};

/* about <- study number i; false past the last. */
bool stj_study_get(size_t i, struct stj_study_about *about);

/* The options of a study, static; NULL: no such study, or it has no options. */
const struct stj_option *stj_study_options(const char *study);

/* What a study is to do. */
struct stj_study_settings {
    size_t n;                              /* options given */
    const struct stj_option_pair *setting; /* [n]; other options have their defaults */
    uint64_t seed;                         /* for everything random in it */
    struct stj_progress progress;          /* between retrainings and products */
};

struct stj_study_result;

/* Where the result is stored.  All zero: the defaults. */
struct stj_analysis_settings {
    bool force;          /* compute even if the result is stored */
    const char *tag;     /* study-NAME-TAG.h5; NULL: study-NAME.h5 */
    size_t memory_bytes; /* 0: what stj_run_set_memory said */
};

/* *result <- the study of a run (and of `other` if it compares two; otherwise NULL), computed or
 * read from study-NAME.h5, with the singular vectors of dense.h5 or, without it, of svd.h5.  An
 * unknown or out-of-range option, a direction that was not computed, or runs that do not match are
 * an error, which says what is available.  An interrupted study keeps the copies it has retrained
 * and continues from them. */
enum stj_status stj_analysis_study(struct stj_run *run, struct stj_run *other, const char *name,
                                   const struct stj_study_settings *settings,
                                   const struct stj_analysis_settings *analysis,
                                   struct stj_study_result **result, bool *stored,
                                   struct stj_error *err);
void stj_study_result_destroy(struct stj_study_result *result); /* NULL is accepted */

/* *result <- what is stored under the tag (NULL: the untagged file), or NULL if nothing is. */
enum stj_status stj_result_read_study(struct stj_run *run, const char *name, const char *tag,
                                      struct stj_study_result **result, struct stj_error *err);

/* The numbers of an item, such as "regions.bulk.share", and their count (n may be NULL); NULL: no
 * such item, or it is a text.  Borrowed from the result. */
const double *stj_study_numbers(const struct stj_study_result *result, const char *item, size_t *n);

/* The text of an item; NULL: no such item, or it is not a text. */
const char *stj_study_text(const struct stj_study_result *result, const char *item);

#ifdef __cplusplus
}
#endif

#endif
