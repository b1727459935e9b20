/* SPDX-License-Identifier: GPL-3.0-or-later */
/* analysis/result_file.h: a struct and its schema as items of a result file. */
#ifndef STJ_ANALYSIS_RESULT_FILE_H
#define STJ_ANALYSIS_RESULT_FILE_H

#include "analysis/schema.h"
#include "io/h5.h"

extern const char stj_no_text[]; /* what a file has for a text that is not there */

/* Write every item of the schema that has its place in files: single values as attributes, arrays
 * as data sets with named dimensions. */
enum stj_status stj_schema_put(struct stj_h5 *file, const struct stj_field *schema,
                               const void *data, struct stj_error *err);

/* data (zeroed but for lengths that are no items) <- what the file holds; arrays and texts are
 * made.  On failure stj_schema_free is the caller's. */
enum stj_status stj_schema_get(struct stj_h5 *file, const struct stj_field *schema, void *data,
                               struct stj_error *err);

/* The number that lists show of a result. */
struct stj_headline {
    const struct stj_field *field; /* NULL: there is none */
    double value;                  /* the first of an array */
    double low, high;              /* NaN: the schema names no bounds, or the file has none */
};

/* headline <- that of the file, which need not be read for it as a whole. */
enum stj_status stj_schema_get_headline(struct stj_h5 *file, const struct stj_field *schema,
                                        struct stj_headline *headline, struct stj_error *err);

/* What the number is called: "sigma", "chaotic". */
const char *stj_headline_name(const struct stj_headline *headline);

/* The array of a field that is read when asked for, from the file at `path`; nothing where it is
 * there. */
enum stj_status stj_field_load(const char *path, const struct stj_h5_format *format,
                               const struct stj_field *field, void *data, struct stj_error *err);

#endif
