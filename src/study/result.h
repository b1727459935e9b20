/* SPDX-License-Identifier: GPL-3.0-or-later */
/* study/result.h: the result of a study: named numbers, vectors and texts in the order they came.
 *
 * A name is the way to the item in the JSON object: "regions.bulk.share" is the key `share` of the
 * object `bulk` of the object `regions`, "runs[1].sigma" the key of the second object of an array.
 */
#ifndef STJ_STUDY_RESULT_H
#define STJ_STUDY_RESULT_H

#include <spectraj/study.h>

#include "base/memory.h"

enum stj_study_kind {
    STJ_STUDY_REAL,  /* not finite: not measured, null in JSON */
    STJ_STUDY_COUNT, /* a whole number */
    STJ_STUDY_TEXT,
    STJ_STUDY_REALS,
    STJ_STUDY_COUNTS,
    STJ_STUDY_VECTORS, /* too much for JSON: in the file alone */
    STJ_STUDY_N_KINDS
};

enum { STJ_STUDY_NAME_MAX = 96 };

struct stj_study_item {
    char name[STJ_STUDY_NAME_MAX];
    enum stj_study_kind kind;
    size_t n;      /* numbers; of a text 0 */
    double *value; /* [n] */
    char *text;    /* NULL: null in JSON */
};

struct stj_study_ops;

struct stj_study_result {
    const struct stj_study_ops *study;
    bool stored;
    double seconds; /* that computing it took */
    size_t n;
    struct stj_study_item *item;
};

enum stj_status stj_study_result_create(const struct stj_study_ops *study,
                                        struct stj_study_result **result, struct stj_error *err);

/* A new item, with a copy of the values.  The name is printf's. */
#define STJ_STUDY_PRINTF(n) __attribute__((format(printf, n, n + 1)))
enum stj_status stj_study_put_real(struct stj_study_result *r, double value, struct stj_error *err,
                                   const char *name, ...) STJ_STUDY_PRINTF(4);
enum stj_status stj_study_put_count(struct stj_study_result *r, size_t value, struct stj_error *err,
                                    const char *name, ...) STJ_STUDY_PRINTF(4);
enum stj_status stj_study_put_text(struct stj_study_result *r, const char *value,
                                   struct stj_error *err, const char *name, ...)
    STJ_STUDY_PRINTF(4);
enum stj_status stj_study_put_reals(struct stj_study_result *r, size_t n, const double *value,
                                    struct stj_error *err, const char *name, ...)
    STJ_STUDY_PRINTF(5);
enum stj_status stj_study_put_counts(struct stj_study_result *r, size_t n, const size_t *value,
                                     struct stj_error *err, const char *name, ...)
    STJ_STUDY_PRINTF(5);

/* An item of any kind, as it comes from a file: value (may be NULL) is copied. */
enum stj_status stj_study_put_item(struct stj_study_result *r, enum stj_study_kind kind,
                                   const char *name, size_t n, const double *value,
                                   const char *text, struct stj_error *err);

/* The item of a name; NULL: there is none. */
const struct stj_study_item *stj_study_find(const struct stj_study_result *r, const char *name);

/* One number: NaN when there is none. */
double stj_study_number(const struct stj_study_result *r, const char *name, ...)
    STJ_STUDY_PRINTF(2);

/* Its vector; *n <- 0 when there is none. */
const double *stj_study_vector(const struct stj_study_result *r, size_t *n, const char *name, ...)
    STJ_STUDY_PRINTF(3);

STJ_HOLDS(struct stj_study_result, stj_study_result_destroy)

#endif
